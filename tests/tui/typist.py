"""An editor for tests: writes its own words into the file and ends."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    print("THE EDITOR HAS THE TERMINAL", flush=True)
    Path(sys.argv[-1]).write_text("Written elsewhere\n", "utf-8")
