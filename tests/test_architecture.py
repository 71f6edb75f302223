"""The rules of the house: who may know whom, what the domain never does, what a file never holds.

Held twice: by reading every import of every module, wherever it stands, and by asking a
fresh Python what it has loaded.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("desk", "storage", "channels", "relay", "themes", "tui", "cli", "bench", "tests")
FOLDERS = {"bench", "channels", "cli", "desk", "docs", "relay", "storage", "tests", "themes", "tui"}

MAY_KNOW = {
    "desk": {"desk"},
    "storage": {"storage", "desk"},
    "channels": {"channels", "desk"},
    "relay": {"relay", "desk"},
    "themes": {"themes"},
    "tui": {"tui", "desk", "themes"},
    "cli": {"cli", "desk", "storage", "channels", "relay", "themes", "tui"},
}
"""A star: everybody knows the desk, nobody knows anybody else; only cli puts the parts together."""

IO = {
    "asyncio", "concurrent", "ctypes", "fcntl", "ftplib", "glob", "http", "imaplib", "logging", "mmap", "multiprocessing", "os",
    "pathlib", "select", "selectors", "shutil", "signal", "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess",
    "tempfile", "time", "urllib",
}  # fmt: skip
"""What has no business in the domain, the clock among it."""

LIBRARIES = {"aioimaplib", "aiosmtplib", "click", "httpx2", "psycopg", "sqlite_utils", "textual", "tomli_w"}

CLOCK = re.compile(r"\b(?:now|utcnow|today|time_ns|monotonic|monotonic_ns|perf_counter|localtime|gmtime)\(")

LONGEST = 500
"""Past this many lines a noun is hiding in a module."""


@dataclass(frozen=True)
class Import:
    """One import of a module: what, and whether it happens when the module is loaded."""

    module: Path
    name: str
    at_once: bool

    @property
    def room(self) -> str:
        """The package of ours (or the library) that is asked for."""
        return self.name.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.module.relative_to(ROOT)} imports {self.name}"


def modules(room: str) -> list[Path]:
    """Every module of a room."""
    return sorted((ROOT / room).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    """A module, read."""
    return ast.parse(path.read_text("utf-8"), str(path))


def imports(path: Path) -> Iterator[Import]:
    """All imports of a module, also those inside functions and for types only."""
    yield from _imports(path, tree(path), at_once=True)


def _imports(path: Path, node: ast.AST, *, at_once: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(path, alias.name, at_once) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{path}: imports are written in full"
            assert child.module is not None
            # `from channels import email` names a module as much as `import channels.email` does.
            found = [f"{child.module}.{alias.name}" for alias in child.names]
            modules_named = [name for name in found if _is_module(name)]
            yield from (Import(path, name, at_once) for name in modules_named or [child.module])
        else:
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _for_types_only(child)
            yield from _imports(path, child, at_once=at_once and not later)


def _is_module(name: str) -> bool:
    place = ROOT.joinpath(*name.split("."))
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def _for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def loaded_by(code: str, *args: str) -> set[str]:
    """The modules that a fresh Python has after `code`, and would not have without it."""
    tell = "\nimport sys, json; sys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))"

    def run(text: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", text + tell, *args], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return set(json.loads(done.stderr.rpartition("\n")[2]))

    return run(code) - run("pass")


def roots(names: set[str]) -> set[str]:
    """The first parts of dotted names."""
    return {name.partition(".")[0] for name in names}


# -- who knows whom -----------------------------------------------------------


@pytest.mark.parametrize("room", MAY_KNOW)
def test_rooms_know_only_whom_they_may(room: str) -> None:
    found = [i for path in modules(room) for i in imports(path)]
    assert [str(i) for i in found if i.room in ROOMS and i.room not in MAY_KNOW[room]] == []


def test_no_channel_knows_another() -> None:
    for path in modules("channels"):
        own = path.relative_to(ROOT / "channels").parts[0].removesuffix(".py")
        for found in imports(path):
            part = f"{found.name}.".split(".")[1] if found.room == "channels" else ""
            assert part in ("", own, "kit"), str(found)


def test_channels_are_loaded_only_by_name() -> None:
    for path in (ROOT / "channels" / "__init__.py", *modules("channels/kit")):
        kinds = [
            i
            for i in imports(path)
            if i.room == "channels" and not f"{i.name}.".startswith("channels.kit.") and i.name != "channels"
        ]
        assert [str(i) for i in kinds] == []


def test_only_the_screen_loads_textual() -> None:
    """And only one module of the command line loads the screen, when it is asked for."""
    for room in MAY_KNOW:
        for found in (i for path in modules(room) for i in imports(path)):
            if found.room == "textual":
                assert room == "tui", str(found)
            if room == "cli" and found.room == "tui":
                assert found.module.name == "screen.py", str(found)
                assert not found.at_once, str(found)


# -- the domain -----------------------------------------------------------------


def test_desk_imports_no_io() -> None:
    for path in modules("desk"):
        allowed = {"pathlib"} if path == ROOT / "desk" / "config.py" else set()
        for found in imports(path):
            assert found.room not in (IO | LIBRARIES) - allowed, str(found)


def test_desk_never_reads_the_clock() -> None:
    for path in modules("desk"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and (told := CLOCK.search(ast.unparse(node.func) + "(")):
                named = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) in (
                    "datetime",
                    "datetime.datetime",
                    "date",
                    "Date",
                    "time",
                )
                assert not named, f"{path.relative_to(ROOT)}:{node.lineno}: {told[0]}) reads the clock"


def test_desk_opens_nothing() -> None:
    for path in modules("desk"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = f"{path.relative_to(ROOT)}:{node.lineno}: {node.func.id}()"
                assert node.func.id not in ("open", "print", "input", "exec", "eval"), place


def test_desk_loads_no_io_in_a_fresh_python() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules("desk")]
    code = "\n".join(f"import {name.removesuffix('.__init__')}" for name in names)
    heavy = {"asyncio", "concurrent", "http", "multiprocessing", "socket", "sqlite3", "ssl", "subprocess", "logging"}
    loaded = roots(loaded_by(code))
    assert loaded & (heavy | LIBRARIES) == set()
    assert loaded & set(ROOMS) == {"desk"}


# -- what a verb loads -------------------------------------------------------------


def test_importing_cli_loads_little() -> None:
    loaded = loaded_by("import cli.main")
    assert roots(loaded) & {"textual", "sqlite_utils", "aioimaplib", "aiosmtplib", "asyncio", "tui", "relay"} == set()
    assert {name for name in loaded if name.startswith("channels.")} == set()


def test_ls_loads_neither_textual_nor_channels_nor_sqlite_utils(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o700)
    (tmp_path / "config.toml").write_text("")
    url = f"sqlite:///{tmp_path}/store/desk.db"
    made = "import sys; from storage import open_store; open_store(sys.argv[1], create=True).close()"
    subprocess.run([sys.executable, "-c", made, url], cwd=ROOT, check=True)
    code = (
        "import sys\nfrom cli.main import main\n"
        "try: main(['--store', sys.argv[1], '--config', sys.argv[2], 'ls'])\n"
        "except SystemExit as end: assert not end.code, end.code"
    )
    loaded = loaded_by(code, url, str(tmp_path / "config.toml"))
    assert "storage.sqlite" in loaded
    assert roots(loaded) & {"textual", "sqlite_utils", "aioimaplib", "aiosmtplib", "asyncio", "tui", "relay"} == set()
    assert {name for name in loaded if name.startswith("channels.")} == set()


@pytest.mark.parametrize("kind", ["email", "demo"])
def test_loading_a_channel_loads_neither_the_store_nor_the_screen(kind: str) -> None:
    loaded = loaded_by(f"import channels; channels.load({kind!r})")
    assert roots(loaded) & set(ROOMS) == {"desk", "channels"}
    assert roots(loaded) & {"textual", "sqlite_utils", "aioimaplib", "aiosmtplib"} == set()


# -- the repository ------------------------------------------------------------------


def tracked() -> list[Path]:
    """The files of the repository; all that lie here when it came without its history."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if shutil.which("git"):
        done = subprocess.run(command, cwd=ROOT, capture_output=True)
        if done.returncode == 0:
            return [path for name in done.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]
    made = {"__pycache__", "build", "dist", "out"}
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and not any(p in made or p.endswith(".egg-info") for p in path.relative_to(ROOT).parts)
        and (not path.relative_to(ROOT).parts[0].startswith(".") or path.relative_to(ROOT).parts[0] == ".ci")
    ]


def test_top_level_folders_are_those_of_the_design() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in tracked() if len(path.relative_to(ROOT).parts) > 1}
    assert {name for name in found if not name.startswith(".")} == FOLDERS


def test_no_module_is_too_long() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for room in (*MAY_KNOW, "bench")
        for path in modules(room)
        if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST
    }
    assert long == {}


def test_every_module_says_what_it_is() -> None:
    for room in (*MAY_KNOW, "bench"):
        for path in modules(room):
            assert not tree(path).body or ast.get_docstring(tree(path)), f"{path.relative_to(ROOT)} has no docstring"


# Put together here, so that this file does not hold them either.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("crates", "io"), ("rubygems", "org"),
        ("proxy", "golang", "org"), ("ghcr", "io"), ("docker", "io"), ("anaconda", "org"),
    )
]  # fmt: skip
PLACES = re.compile(r"(?<![\w.~}])/(?:home|Users|root|work|mnt|opt/pypi)/\w")


def test_no_file_names_a_registry_or_a_place_on_a_machine() -> None:
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "replace")
        named = [host for host in REGISTRIES if host in text] + PLACES.findall(text)
        assert named == [], f"{path.relative_to(ROOT)} names {named[0]}"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_are_plain_pins(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[\w.!+-]+", line), line
