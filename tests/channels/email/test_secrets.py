"""channels.kit.secrets: five places for a password, and none where it shows."""

from __future__ import annotations

import logging
import pickle
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from channels.kit import secrets
from channels.kit.secrets import Password, Secret
from desk.channel import AuthRequired, Retry

CANARY = "canary-5f2e"


def private(path: Path, text: str = CANARY) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_command_gives_the_first_line_of_what_it_prints() -> None:
    source = Password(password_cmd=("printf", f"{CANARY}\nuser: me\n"))
    assert source.resolve("me").reveal() == CANARY


def test_command_runs_without_a_shell(tmp_path: Path) -> None:
    Password(password_cmd=("echo", f"; touch {tmp_path}/made")).resolve("me")
    assert not (tmp_path / "made").exists()


def test_command_that_fails_is_told_with_its_last_words() -> None:
    source = Password(password_cmd=("sh", "-c", f"echo {CANARY}; echo vault is locked >&2; exit 3"))
    with pytest.raises(Retry, match="ended with status 3: vault is locked") as caught:
        source.resolve("me")
    assert CANARY not in str(caught.value)


def test_command_that_does_not_exist_asks_for_a_person() -> None:
    with pytest.raises(AuthRequired, match="cannot run /no/such"):
        Password(password_cmd=("/no/such",)).resolve("me")


def test_command_that_hangs_is_ended_with_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "COMMAND_LIMIT_S", 0.2)
    started = time.monotonic()
    with pytest.raises(Retry, match="did not answer"):
        Password(password_cmd=("sh", "-c", "sleep 60 & sleep 60")).resolve("me")
    assert time.monotonic() - started < 5


def test_private_file_is_read(tmp_path: Path) -> None:
    assert Password(password_file=str(private(tmp_path / "pw", CANARY + "\n"))).resolve("me").reveal() == CANARY


def test_file_open_to_others_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    path = private(tmp_path / "my password")
    path.chmod(0o640)
    with pytest.raises(AuthRequired, match=r"chmod 600 '.*my password'"):
        Password(password_file=str(path)).resolve("me")


def test_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = private(tmp_path / "pw")
    monkeypatch.setattr(secrets.os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(AuthRequired, match="belongs to somebody else: chown"):
        Password(password_file=str(path)).resolve("me")


def test_credential_of_the_service_manager_is_read_whatever_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = private(tmp_path / "support.password")
    file.chmod(0o440)
    with pytest.raises(AuthRequired):
        Password(password_file=str(file)).resolve("me")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Password(password_file=str(file)).resolve("me").reveal() == CANARY


def test_missing_and_empty_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(AuthRequired, match="No such file"):
        Password(password_file=str(tmp_path / "none")).resolve("me")
    with pytest.raises(AuthRequired, match="is empty"):
        Password(password_file=str(private(tmp_path / "pw", ""))).resolve("me")


def test_environment_is_read_when_asked_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Password(password_env="DESK_TEST_PASSWORD")
    with pytest.raises(AuthRequired, match="DESK_TEST_PASSWORD is not set"):
        source.resolve("me")
    monkeypatch.setenv("DESK_TEST_PASSWORD", CANARY)
    assert source.resolve("me").reveal() == CANARY


def test_keyring_is_asked_for_service_and_user(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {("mail", "me"): CANARY}
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=lambda *key: kept.get(key)))
    assert Password(password_keyring="mail").resolve("me").reveal() == CANARY
    with pytest.raises(AuthRequired, match="keyring set mail you"):
        Password(password_keyring="mail").resolve("you")


def test_missing_keyring_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(AuthRequired, match=r"deskhand\[keyring\]"):
        Password(password_keyring="mail").resolve("me")


def test_two_places_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="password_env and password contradict"):
        Password(password_env="A", password="b")


def test_no_place_at_all_is_told_when_the_password_is_needed() -> None:
    with pytest.raises(AuthRequired, match="set password_cmd or password_file"):
        Password().resolve("me")


def test_secret_shows_itself_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    logging.getLogger("test").warning("%s %r", secret, {"password": secret})
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>40}", repr([secret]), caplog.text]
    assert not any(CANARY in text for text in shown)
    assert CANARY not in repr(Password(password=CANARY))
    with pytest.raises(TypeError):
        pickle.dumps(secret)
