"""channels: a kind becomes a module, and nothing else is loaded for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import channels
from desk.errors import ConfigError


def plugin(site: Path, kind: str, code: str) -> None:
    """Install a package of one module, as pip would."""
    (site / f"acme_{kind}.py").write_text(code)
    info = site / f"acme_{kind}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{kind}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{channels.GROUP}]\n{kind} = acme_{kind}\n")


def test_built_in_kind_is_loaded() -> None:
    assert channels.load("email").Settings.__name__ == "Settings"


def test_installed_plugin_is_loaded_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path, "pigeon", "class Settings: ...\ndef open(name, settings): return name\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert channels.load("pigeon").open("home", None) == "home"
    assert "pigeon" in channels.kinds()


def test_plugin_cannot_replace_a_built_in_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path, "email", "raise SystemError('not me')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert channels.load("email").__name__ == "channels.email"  # type: ignore[attr-defined]


def test_broken_plugin_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path, "raven", "import no_such_module")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r'"raven" cannot be loaded: acme_raven: .*no_such_module'):
        channels.load("raven")


def test_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r'"emial" \(did you mean "email"\?\)'):
        channels.load("emial")


def test_unknown_kind_without_a_neighbour_lists_all() -> None:
    with pytest.raises(ConfigError, match=r"there are .*demo, .*email"):
        channels.load("xyz")


def test_loading_mail_loads_neither_another_channel_nor_a_mail_library() -> None:
    code = (
        "import sys, channels; m = channels.load('email');"
        "from channels.email.settings import *;"
        "m.open('x', Settings(address='a@desk.test', imap=Imap(host='h'), smtp=Smtp(host='h')));"
        "print(*(n for n in sys.modules if n.startswith(('aioimaplib', 'aiosmtplib', 'channels.demo', 'textual'))))"
    )
    root = Path(channels.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
