"""Print what pyproject.toml asks for, one requirement a line; an argument names an extra."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
wanted = project["optional-dependencies"][sys.argv[1]] if sys.argv[1:] else project["dependencies"]
sys.stdout.write("".join(f"{line}\n" for line in wanted))
