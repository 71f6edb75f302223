"""The manual keeps step with the program: every verb, exit code, JSON key, query word, table and key is in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import structs

import desk.events as events
from channels import BUILT_IN
from channels.kit.conformance import Ground
from cli import output
from cli.main import EXIT_CODES, VERBS, group
from desk.actions import load
from desk.capabilities import Capabilities
from desk.channel import AuthRequired, Inbound, Permanent, RateLimited, Retry, Unknown, WindowClosed
from desk.model import Customer, Direction, Kind, Message, Ticket
from desk.query import FIELDS
from desk.store import Row
from storage import open_store

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def read(name: str) -> str:
    """A page of the manual."""
    return (DOCS / name).read_text("utf-8")


CLI = read("cli.md")
MAN = read("deskhand.1").replace("\\-", "-")


def coded(text: str) -> set[str]:
    """Everything that stands in backquotes."""
    return set(re.findall(r"`([^`]+)`", text))


@pytest.mark.parametrize("verb", [*VERBS, *load()])
def test_every_verb_is_in_the_manual_and_the_man_page(verb: str) -> None:
    assert any(re.match(rf"{re.escape(verb)}\b", word) for word in coded(CLI))
    assert re.search(rf"^\.B {re.escape(verb)}\b", MAN, re.MULTILINE)


def test_every_option_that_holds_everywhere_is_in_both() -> None:
    for option in group().params:
        for name in (*option.opts, *option.secondary_opts):
            assert name in MAN
            assert name in CLI or name in ("--version", "-h", "--help")


def test_every_exit_code_is_in_both() -> None:
    for code in {0, 1, 130, *EXIT_CODES.values()}:
        assert f"\n| {code} |" in CLI
        assert f"\n.B {code}\n" in MAN


def test_json_keys_are_written_down() -> None:
    row = Row(Ticket(1, "", 1, 0, 0), Customer(1, "", ""))
    message = Message(1, 1, Kind.PUBLIC, Direction.IN, 0, "", "")
    record = events.Record(1, 0, "", "ticket", 1, "Opened")
    for value in (output.row_json(row, 0), output.message_json(message), output.record_json(record)):
        assert set(value) <= coded(CLI)
        for key in value:
            assert re.search(rf"\b{key}\b", MAN), key


def test_keys_of_parse_are_written_down() -> None:
    from channels.kit.mail.show import describe

    assert set(describe(Inbound("", 0, None, ""))) <= coded(CLI)


def test_every_field_of_the_query_language_is_in_its_page_and_the_man_page() -> None:
    page = read("queries.md")
    for name, field in FIELDS.items():
        assert f"`{name}:" in page
        assert f"{name}:" in MAN
        for choice in field.choices:
            assert f"`{choice}`" in page, choice


def test_every_kind_of_event_and_its_data_is_in_the_architecture_page() -> None:
    page = read("architecture.md")
    for kind in (
        "Opened",
        "Changed",
        "Posted",
        "Reread",
        "Amended",
        "Withdrawn",
        "Restored",
        "Moved",
        "Delivered",
        "Clock",
    ):
        assert issubclass(getattr(events, kind), tuple(events.Event.__args__))
        assert f"| `{kind}` |" in page
    assert len(events.Event.__args__) == 10


def test_every_table_and_column_is_in_the_architecture_page(tmp_path: Path) -> None:
    import sqlite3

    folder = tmp_path / "store"
    folder.mkdir(mode=0o700)
    open_store(f"sqlite:///{folder}/desk.db", create=True).close()
    page = read("architecture.md")
    rows = {m[1]: coded(m[2]) for m in re.finditer(r"^\| `(\w+)`[^|]*\|[^|]*\|(.*)\|$", page, re.MULTILINE)}
    conn = sqlite3.connect(folder / "desk.db")
    try:
        tables = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if table.startswith(("sqlite_", "_", "words_")):
                continue
            columns = {row[1] for row in conn.execute(f"PRAGMA table_xinfo({table})") if row[6] != 1}
            assert rows.get(table) == columns, table
    finally:
        conn.close()


def test_every_placeholder_filter_and_language_is_in_the_page_of_macros() -> None:
    from desk import dates, macros, placeholders, templates

    page = read("macros.md")
    assert {*placeholders.NAMES, *templates.FILTERS} <= coded(page)
    for language in dates.LANGUAGES:
        assert f'"{language}"' in page
    for schema in (macros.Macro, macros.Input):
        assert set(schema.__struct_fields__) <= coded(page)


def test_every_kind_of_channel_has_its_line_and_its_page() -> None:
    page = read("channels.md")
    for kind in BUILT_IN:
        pages = {"email": "(mail.md)", "demo": 'kind = "demo"'}
        assert pages.get(kind, f"(channel-{kind}.md)") in page, kind


def test_every_field_that_a_channel_may_fill_is_in_its_page() -> None:
    page = coded(read("writing-a-channel.md"))
    told = {name for name in Capabilities.__struct_fields__ if name != "plus_address"}
    assert told <= page, told - page
    for error in (Retry, RateLimited, AuthRequired, Permanent, WindowClosed, Unknown):
        assert any(word.partition("(")[0] == error.__name__ for word in page), error
    assert {name.removesuffix("()") for name in page} >= set(Ground.__struct_fields__)


def test_links_between_pages_lead_somewhere() -> None:
    for page in (*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} names {target}"


def test_no_page_line_is_too_wide_to_read() -> None:
    """Tables may be; they are drawn by a program."""
    for page in (*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for line in page.read_text("utf-8").splitlines():
            assert len(line) <= 105 or line.startswith("|"), f"{page.name}: {line}"


def test_models_are_structs() -> None:
    """`agent --json` prints every field of an agent."""
    from desk.model import Agent

    assert set(structs.asdict(Agent("kim"))) <= coded(CLI)


def test_every_theme_and_style_is_in_its_page() -> None:
    from themes import STYLES, names

    page = read("themes.md")
    for name in names():
        assert f"| `{name}` |" in page
    for style, meaning in STYLES.items():
        assert f"| `{style}` | {meaning} |" in page


def test_every_key_of_the_screen_is_in_its_page() -> None:
    """By its sign; `enter`, `pagedown` and their like are named in words."""
    from desk.config import KeysConfig
    from tui.bindings import bound

    page = coded(read("keys.md"))
    for key in {*bound("list", KeysConfig()), *bound("ticket", KeysConfig())}:
        if len(key) == 1 or key.startswith("^") or key == "gg":
            assert key in page, key


def test_every_key_of_a_preset_is_in_the_table_of_it() -> None:
    from tui.presets import PRESETS

    for name, tables in PRESETS.items():
        told = read("keys.md").partition(f"### {name}\n")[2].partition("\n#")[0]
        rows = {(place, line, key) for place, keys, line in re.findall(r"^\| (\w+) \| (.+) \| (.+) \|$", told, re.MULTILINE)
                for key in re.findall(r"`+ ?(.+?) ?`+(?: |$)", keys)}  # fmt: skip
        for place, table in tables.items():
            for key, line in table.items():
                assert (place, f"`{line.strip()}`" if line else "nothing", key) in rows, (name, key)
