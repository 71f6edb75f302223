"""A store that is closed while somebody reads from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.desks import make_desk

pytestmark = pytest.mark.sqlite("connections of the SQLite engine are closed beneath their readers")

_READS = """
import sys, threading, time
from desk.config import DeskConfig
from storage import open_store

for _ in range(10):
    store = open_store(sys.argv[1], DeskConfig())
    begun = threading.Barrier(5)

    def read():
        begun.wait()
        try:
            for _ in range(3):
                store._read.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT count(*) FROM n").fetchone()
                if closed.is_set():
                    return
        except Exception:
            pass

    closed = threading.Event()
    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    time.sleep(0.02)
    store.close()
    closed.set()
    for thread in threads:
        thread.join()
"""


def test_readers_in_other_threads_end_in_peace(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    url = store.url
    store.close()
    done = subprocess.run([sys.executable, "-c", _READS, url], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
