"""How the account proves itself on X, and what it may cost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from channels.kit.secrets import Secret
from channels.x import Settings
from channels.x.proof import signed
from channels.x.reading import Place
from desk.channel import AuthRequired, Inbound, Permanent, RateLimited, Retry
from tests.channels.x.accounts import Clock, account, draft, messages, say, told
from tests.servers.local_http import CUT_BEFORE
from tests.servers.x import OAUTH1, REFRESH, XServer

NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def server() -> Iterator[XServer]:
    running = XServer()
    yield running
    running.stop()


# -- proof --------------------------------------------------------------------


def test_a_signature_is_that_of_the_documentation() -> None:
    """The example of docs.x.com, "Creating a signature"."""
    words = Secret(
        "xvz1evFS4wEEPTGEFPHBog kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw "
        "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE"
    )
    params = {"status": "Hello Ladies + Gentlemen, a signed OAuth request!", "include_entities": "true"}
    url = "https://api.twitter.com/1.1/statuses/update.json"
    nonce = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"
    found = signed(words, "post", url, params, 1318622958, nonce)
    assert re.findall(r'oauth_signature="([^"]*)"', found) == ["hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D"]


async def test_requests_are_signed_with_oauth1(server: XServer) -> None:
    server.tokens = set()
    asked = server.post("@desk hello & good morning")
    channel = account(server, login="oauth1", token=" ".join(OAUTH1))
    assert [one.external_id for one in await messages(channel)] == [asked]
    await say(channel, draft("Good morning", public=True))
    with pytest.raises(AuthRequired, match="four words"):
        await account(server, login="oauth1", token="one").check()


async def test_a_refresh_token_is_used_once_and_what_follows_is_kept(server: XServer, tmp_path: Path) -> None:
    server.tokens = set()
    kept = tmp_path / "state" / "x-token"
    given: dict[str, Any] = {"client_id": "app", "token": REFRESH, "keep_file": str(kept)}
    await account(server, **given).check()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert server.turns == 1
    await account(server, **given).check()
    assert server.turns == 1, "another process goes on with what is kept"
    server.tokens = set()
    channel = account(server, **given)
    await channel.check()
    assert server.turns == 2, "X did not know it any more"
    ends = json.loads(kept.read_text())
    kept.write_text(json.dumps({**ends, "until": 5}))
    await account(server, **given).check()
    assert server.turns == 3
    await channel.check()
    assert server.turns == 3, "what another process fetched is taken up"


async def test_a_new_refresh_token_is_taken_instead_of_what_is_kept(server: XServer, tmp_path: Path) -> None:
    given: dict[str, Any] = {"client_id": "app", "keep_file": str(tmp_path / "x-token")}
    await account(server, token=REFRESH, **given).check()
    server.refresh = "canary-fresh"
    server.tokens = set()
    with pytest.raises(AuthRequired, match="let the app be authorized again") as caught:
        await account(server, token=REFRESH, **given).check()
    assert "canary" not in repr(caught.value)
    await account(server, token="canary-fresh", **given).check()


async def test_a_confidential_client_proves_itself(server: XServer, tmp_path: Path) -> None:
    server.client_secret = "canary-client"
    given: dict[str, Any] = {"client_id": "app", "keep_file": str(tmp_path / "x-token")}
    with pytest.raises(AuthRequired):
        await account(server, token=REFRESH, **given).check()
    await account(server, token=f"{REFRESH} canary-client", **given).check()


async def test_kept_tokens_that_others_can_read_are_refused(server: XServer, tmp_path: Path) -> None:
    kept = tmp_path / "x-token"
    given: dict[str, Any] = {"client_id": "app", "token": REFRESH, "keep_file": str(kept)}
    await account(server, **given).check()
    kept.chmod(0o644)
    with pytest.raises(AuthRequired, match="chmod 600"):
        await account(server, **given).check()
    with pytest.raises(AuthRequired, match="set keep_file"):
        await account(server, client_id="app", token=REFRESH).check()


async def test_a_refresh_that_breaks_off_is_tried_again(server: XServer, tmp_path: Path) -> None:
    server.faults.append(("POST /2/oauth2/token", CUT_BEFORE))
    channel = account(server, client_id="app", token=REFRESH, keep_file=str(tmp_path / "x-token"))
    with pytest.raises(Retry):
        await channel.check()
    await channel.check()


# -- money --------------------------------------------------------------------

PRICES: dict[str, Any] = {
    "cost_post_read": 1.0, "cost_message_read": 1.0, "cost_user_read": 0.0, "cost_post": 1.0, "cost_link_post": 5.0,
    "cost_message": 1.0, "again_h": 0.0, "own_posts": False,
}  # fmt: skip


async def test_what_is_read_and_sent_is_counted_in_the_cursor(server: XServer) -> None:
    asked = server.post("@desk one")
    server.write("two")
    clock = Clock(NOW)
    channel = account(server, clock, backfill_d=30.0, budget_month=100.0, **PRICES)
    _, cursor = await told(channel)
    await say(channel, draft("three", answers=asked, public=True))
    await say(channel, draft("see https://example.com", answers=asked, public=True))
    await say(channel, draft("four"))
    _, cursor = await told(channel, cursor)
    assert cursor is not None
    kept = json.loads(cursor)
    assert (kept["month"], kept["spent"]) == ("2026-11", 9_000_000)
    other = account(server, clock, budget_month=100.0, **PRICES)
    other.spending.remember(kept["month"], kept["spent"])
    assert "9.00 of 100.00 spent this month" in other.capabilities.cost
    clock.at += 9 * 86_400_000
    assert "0.00 of 100.00" in other.capabilities.cost, "a month begins anew"


async def test_the_same_post_is_paid_once_a_day(server: XServer) -> None:
    server.post("@desk one")
    channel = account(server, Clock(NOW), backfill_d=30.0, budget_month=100.0, **PRICES)
    await told(channel)
    await told(channel)
    assert "1.00 of" in channel.spending.told()


async def test_reading_slows_down_and_stops_before_answers_do(server: XServer) -> None:
    clock = Clock(NOW)
    cursor: str | None = Place(NOW, me="9000", month="2026-11", spent=6_000_000).write()
    channel = account(server, clock, budget_month=10.0, poll_s=60.0, messages_s=60.0, **PRICES)
    await told(channel, cursor)
    assert channel.spending.pace == pytest.approx(2.0)
    before = len(server.requests)
    clock.at += 61_000
    assert await told(channel, cursor) == ([], cursor)
    assert len(server.requests) == before, "at three fifths the pauses are twice as long"
    clock.at += 60_000
    await told(channel, cursor)
    assert len(server.requests) == before + 2

    cursor = Place(NOW, me="9000", month="2026-11", spent=9_000_000).write()
    with pytest.raises(RateLimited, match=r"nothing more is read this month: 9.00 of 10.00") as caught:
        await told(channel, cursor)
    assert caught.value.after_s == pytest.approx(8.5 * 86_400 - 121)
    await say(channel, draft("still answered", public=True))
    with pytest.raises(Permanent, match="raise budget_month"):
        await say(channel, draft("not this", public=True))
    clock.at += 9 * 86_400_000
    server.post("@desk a new month", created_at="2026-12-01T00:00:00Z")
    items, _ = await told(channel, cursor)
    assert [type(item) for item in items] == [Inbound]


async def test_what_was_spent_before_a_failure_is_not_forgotten(server: XServer) -> None:
    server.post("@desk one")
    channel = account(server, Clock(NOW), backfill_d=30.0, budget_month=10.0, **PRICES)
    server.faults.append(("GET /2/dm_events", CUT_BEFORE))
    batches = channel.poll(None)
    cursor = [(await anext(batches)).cursor for _ in range(2)][-1]
    with pytest.raises(Retry):
        await anext(batches)
    assert json.loads(cursor)["spent"] == 1_000_000


@pytest.mark.parametrize(
    "wrong",
    [{"user": "not an account"}, {"login": "basic"}, {"poll_s": 0.1}, {"messages_s": 0.5}, {"backfill_d": 31.0},
     {"characters": 100}, {"cost_post": -1.0}, {"url": "http://api.example.com"}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="prices" if "cost_post" in wrong else next(iter(wrong))):
        Settings(**{"user": "desk", **wrong})  # type: ignore[arg-type]
