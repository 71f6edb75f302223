"""Who may know whom: the screen knows the desk and the themes, the themes know nobody."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"bench", "channels", "cli", "desk", "gateway", "relay", "storage", "tests", "themes", "tui"}


def imported(path: Path) -> set[str]:
    """The top-level packages that a module imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize(("package", "allowed"), [("tui", {"tui", "desk", "themes"}), ("themes", set())])
def test_imports_keep_to_their_side(package: str, allowed: set[str]) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert imported(path) & OURS <= allowed, path


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [("tui.app", OURS - {"tui", "desk", "themes"}), ("themes", OURS - {"themes"} | {"textual", "rich"})],
)
def test_loading_pulls_in_nothing_else(module: str, forbidden: set[str]) -> None:
    code = f"import sys, {module}; print(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert not forbidden & set(loaded)


def test_the_editor_widget_is_not_loaded_before_somebody_writes() -> None:
    code = "import sys, tui.app; print('textual.widgets._text_area' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.strip()
        == "False"
    )


def test_the_way_to_the_screen_loads_what_its_first_frame_needs_and_no_more() -> None:
    """Each of these costs milliseconds of every start; see `make bench`, part screen."""
    late = {
        "channels", "cli.programs", "cli.shelf", "cli.snippets", "desk.canned", "desk.channel", "desk.hours", "desk.hooks",
        "desk.macros", "desk.preview", "desk.rules", "desk.sla", "hashlib", "hmac", "psycopg", "pygments", "relay.programs",
        "tomllib", "tui.attaching", "tui.drafts", "tui.markup", "tui.outgoing", "tui.reviewing", "tui.screens.sheet",
        "tui.screens.ticket", "tui.thread", "tui.writing",
    }  # fmt: skip
    code = "import sys, cli.main, cli.screen, cli.watching, cli.themes, storage.opening, tui.app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert not late & set(loaded.split())


@pytest.mark.parametrize("package", ["desk", "themes", "tui"])
def test_what_the_screen_loads_has_no_dataclasses(package: str) -> None:
    """A Struct is thirty times cheaper to import."""
    code = "import sys, cli.main, cli.screen, cli.watching, cli.themes, storage.opening, tui.app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for path in (ROOT / package).rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name in loaded.split():
            assert "@dataclass" not in path.read_text("utf-8"), path
