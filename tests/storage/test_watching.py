"""A server that stops answering holds nobody for ever."""

from __future__ import annotations

import threading
import time

import pytest

from desk.config import DeskConfig
from desk.errors import Away, NotFound
from desk.model import Agent
from desk.store import Batch, Tx
from storage import open_store, watching
from tests.servers.postgres import Postgres


def test_a_call_on_a_frozen_server_ends(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres.own()
    monkeypatch.setattr(watching, "PATIENCE_S", 0.3)
    with_limit = postgres.url(postgres.empty(), connect_timeout="2")
    store = open_store(with_limit, DeskConfig(), create=True)
    postgres.freeze()
    try:
        begun = time.monotonic()
        with pytest.raises(Away, match="timeout"):
            store.last_seq()
        with pytest.raises(Away):
            store.save_agent(Agent("kim"), Batch("b", 1))
        assert time.monotonic() - begun < 15
    finally:
        postgres.thaw()
    store.save_agent(Agent("kim"), Batch("b", 1))
    assert "kim" in store.agents()
    store.close()


def test_a_call_that_only_takes_long_is_left_alone(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE_S", 0.05)
    url = postgres.empty()
    store, other = open_store(url, DeskConfig(), create=True), open_store(url, DeskConfig())
    held, done = threading.Event(), threading.Event()

    def body(tx: Tx) -> None:
        tx.known("support", ["1"])
        held.set()
        done.wait(5)

    thread = threading.Thread(target=lambda: store.write(body))
    thread.start()
    held.wait(5)
    threading.Timer(0.4, done.set).start()
    # It waits for the other's lock.
    assert other.write(lambda tx: tx.known("support", ["1"])) == set()
    thread.join()
    with pytest.raises(NotFound):
        other.ticket(1)
    store.close()
    other.close()
