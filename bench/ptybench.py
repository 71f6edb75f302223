"""Measure any full-screen terminal program from outside, under a real pty.

What it measures
----------------
* **start**: process start to the arrival of the byte that completes the first
  screen matching `--ready` (milliseconds), over `--starts` fresh starts.
* **key latency**: key written to the pty until the *last* byte the program
  writes before it stays silent for `--quiet-ms` (settled), and until its
  *first* byte (first), over `--count` keypresses: median, p99, maximum.
* **bytes** the program writes to the terminal per keypress.
* **burst**: `--burst` keys at `--rate` a second (a held-down key): how long
  after the last key the screen settles, and the bytes of the whole burst.
* **memory** (resident, and proportional where the kernel tells it) and **CPU**
  of the whole process tree, and how chatty the program is when idle.

How
---
The loop that talks to the program does nothing but `select` and `read` and
take a monotonic time stamp; emulation costs nothing there.  The recorded bytes
are replayed through a pyte screen afterwards, and a time is the arrival of the
chunk after which the screen first matched.  Terminal queries a program waits
for (cursor position, device attributes, synchronized output, colours) are
answered at once from the loop.

Latencies include the harness's own wake-up (well under 0.1 ms on an idle core;
`--self-test` measures it with a program that echoes one byte).

Use
---
    python -m bench.ptybench --ready 'Inbox' --key j --count 200 -- neomutt -f ~/Maildir
    python -m bench.ptybench --ready Queue --step '<enter>=>Subject:' --key '<down>' --json out.json -- ourprogram

Keys are literal characters or names in angle brackets: `<down> <up> <enter>
<esc> <tab> <pgdn> <pgup> <home> <end> <space> <bs> <f1>..<f4> <c-x>`.

Needs pyte (PyPI) and Linux; everything else is the standard library.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.terminal import Session, parse_keys, tree_cpu, tree_memory


@dataclass(slots=True)
class Series:
    """Summary of one series of numbers."""

    n: int
    median: float
    p90: float
    p99: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Series | None:
        """The summary of `values`; None when there are none."""
        if not values:
            return None
        ordered = sorted(values)

        def at(share: float) -> float:
            return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

        return cls(len(ordered), statistics.median(ordered), at(0.90), at(0.99), ordered[0], ordered[-1])

    def __str__(self) -> str:
        return f"median {self.median:.1f} p90 {self.p90:.1f} p99 {self.p99:.1f} min {self.low:.1f} max {self.high:.1f} (n={self.n})"


@dataclass(slots=True)
class Report:
    """Everything measured of one program."""

    name: str
    command: list[str]
    start_ms: Series | None = None
    start_settled_ms: Series | None = None
    start_bytes: int = 0
    key: str = ""
    key_first_ms: Series | None = None
    key_settled_ms: Series | None = None
    key_bytes: Series | None = None
    key_cpu_ms: float = 0.0
    keys_without_output: int = 0
    keys_changing_screen: int = 0
    burst_keys: int = 0
    burst_lag_ms: float = 0.0
    burst_bytes: int = 0
    idle_bytes_per_s: float = 0.0
    idle_cpu_percent: float = 0.0
    rss_mib: float = 0.0
    pss_mib: float = 0.0
    emulator_errors: int = 0
    failure: str | None = None
    screen: str = field(default="", repr=False)

    def summary(self) -> str:
        """The report as a few lines of text."""
        if self.failure:
            return f"{self.name}: FAILED: {self.failure}\n{self.screen}"
        return "\n".join(
            [
                f"{self.name}",
                f"  start -> ready ms     {self.start_ms}",
                f"  start -> settled ms   {self.start_settled_ms}; {self.start_bytes} bytes",
                f"  key {self.key!r} first ms   {self.key_first_ms}",
                f"  key {self.key!r} settled ms {self.key_settled_ms}",
                f"  bytes/key             {self.key_bytes}; cpu/key {self.key_cpu_ms:.2f} ms; silent {self.keys_without_output}, screen changed {self.keys_changing_screen}",
                f"  burst                 {self.burst_keys} keys, lag {self.burst_lag_ms:.1f} ms, {self.burst_bytes} bytes",
                f"  idle                  {self.idle_bytes_per_s:.0f} B/s, {self.idle_cpu_percent:.1f} % cpu",
                f"  memory                RSS {self.rss_mib:.1f} MiB, PSS {self.pss_mib:.1f} MiB (tree)",
            ]
        )


def measure(
    command: Sequence[str],
    *,
    name: str = "",
    ready: str = r"\S",
    steps: Sequence[tuple[str, str]] = (),
    key: str = "j",
    between: str = "",
    count: int = 200,
    burst: int = 60,
    rate: float = 30.0,
    starts: int = 5,
    quiet_ms: float = 100.0,
    limit: float = 60.0,
    columns: int = 200,
    rows: int = 50,
    term: str = "xterm-256color",
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    quit_keys: str = "",
    before_start: Sequence[str] = (),
) -> Report:
    """Measure `command`; see the module's documentation.

    `steps` are (keys, regex) pairs played after the first screen and before
    the keypresses are timed.  `before_start` is a command run before each
    start (to clear a cache).
    """
    report = Report(name or command[0], list(command), key=key)
    quiet = quiet_ms / 1000
    ready_ms: list[float] = []
    settled_ms: list[float] = []
    session: Session | None = None
    for turn in range(max(1, starts)):
        if before_start:
            subprocess.run(list(before_start), check=True)
        session = Session(command, columns=columns, rows=rows, term=term, env=env, cwd=cwd)
        found = session.wait_for(ready, quiet=max(quiet, 0.3), limit=limit)
        if found is None:
            report.failure = f"no screen matching {ready!r} in {limit} s"
            report.screen = session.emulator.text()
            session.close()
            return report
        ready_ms.append((found - session.started) * 1000)
        rest = session.record(max(quiet, 0.3), 3.0)
        session.apply(rest)
        settled_ms.append(((rest[-1].at if rest else found) - session.started) * 1000)
        report.start_bytes = session.total_bytes
        if turn < starts - 1:
            session.close(parse_keys(quit_keys))
    assert session is not None
    report.start_ms = Series.of(ready_ms)
    report.start_settled_ms = Series.of(settled_ms)

    try:
        for keys, regex in steps:
            session.send(parse_keys(keys))
            if session.wait_for(regex, quiet=max(quiet, 0.3), limit=15.0) is None:
                report.failure = f"step {keys!r}: no screen matching {regex!r}"
                report.screen = session.emulator.text()
                return report
        session.apply(session.record(1.0, 3.0))

        cpu = tree_cpu(session.process.pid)
        begun = time.perf_counter()
        idle = session.record(3.0, 3.0)
        report.idle_bytes_per_s = sum(len(c.data) for c in idle) / 3.0
        report.idle_cpu_percent = (tree_cpu(session.process.pid) - cpu) / (time.perf_counter() - begun) * 100
        session.apply(idle)

        first: list[float] = []
        settled: list[float] = []
        sizes: list[float] = []
        cpu = tree_cpu(session.process.pid)
        encoded = parse_keys(key)
        for _ in range(count):
            before = session.emulator.fingerprint()
            sent = session.send(encoded)
            chunks = session.record(quiet, 3.0, first=max(quiet, 0.5))
            if session.eof:
                report.failure = "the program ended while keys were sent"
                break
            if chunks:
                first.append((chunks[0].at - sent) * 1000)
                settled.append((chunks[-1].at - sent) * 1000)
            else:
                report.keys_without_output += 1
            sizes.append(float(sum(len(c.data) for c in chunks)))
            session.apply(chunks)
            report.keys_changing_screen += session.emulator.fingerprint() != before
            for undo in re.findall(r"<[^<>]+>|.", between):
                session.send(parse_keys(undo))
                session.apply(session.record(quiet, 3.0, first=0.5))
        if count:
            report.key_cpu_ms = (tree_cpu(session.process.pid) - cpu) * 1000 / count
        report.key_first_ms, report.key_settled_ms, report.key_bytes = (
            Series.of(first),
            Series.of(settled),
            Series.of(sizes),
        )

        if burst and not between and not session.eof:
            report.burst_keys = burst
            chunks = []
            sent = time.perf_counter()
            for number in range(burst):
                due = sent + number / rate if number == 0 else begun + number / rate
                if number == 0:
                    begun = time.perf_counter()
                while (left := due - time.perf_counter()) > 0:
                    chunk = session.read(left)
                    if chunk is not None:
                        chunks.append(chunk)
                last_sent = session.send(encoded)
            chunks += session.record(quiet, 10.0, first=0.5)
            report.burst_lag_ms = max(0.0, (chunks[-1].at - last_sent) * 1000) if chunks else 0.0
            report.burst_bytes = sum(len(c.data) for c in chunks)
            session.apply(chunks)

        rss, pss = tree_memory(session.process.pid)
        report.rss_mib, report.pss_mib = rss / 1024, pss / 1024
        report.screen = session.emulator.text()
        report.emulator_errors = session.emulator.errors
    finally:
        session.close(parse_keys(quit_keys))
    return report


_ECHO = "import os,tty;tty.setraw(0);os.write(1,b'ready');\nwhile os.read(0,1)!=b'q':os.write(1,b'.')"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry point."""
    parser = argparse.ArgumentParser(description="Measure a full-screen terminal program under a pty.")
    parser.add_argument("--name", default="")
    parser.add_argument("--ready", default=r"\S", help="regex the first full screen matches")
    parser.add_argument(
        "--step",
        action="append",
        default=[],
        metavar="KEYS=>REGEX",
        help="keys to play before timing, and the screen to wait for",
    )
    parser.add_argument("--key", default="j", help="key to time (default j)")
    parser.add_argument(
        "--between", default="", metavar="KEYS", help="untimed keys after each timed one, e.g. to go back"
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--burst", type=int, default=60)
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--quiet-ms", type=float, default=100.0)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds to wait for the first screen")
    parser.add_argument("--size", default="200x50", metavar="COLSxROWS")
    parser.add_argument("--term", default="xterm-256color")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--cwd")
    parser.add_argument("--quit", default="", metavar="KEYS")
    parser.add_argument(
        "--before-start", default="", metavar="COMMAND", help="run before each start, e.g. to clear a cache"
    )
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--show", action="store_true", help="print the last screen")
    parser.add_argument("--self-test", action="store_true", help="measure the harness's own floor")
    parser.add_argument("command", nargs="*")
    args = parser.parse_args(argv)
    command = list(args.command)
    if args.self_test:
        command, args.ready, args.name = [sys.executable, "-c", _ECHO], "ready", "harness floor (one-byte echo)"
    if not command:
        parser.error("no command")
    columns, rows = (int(v) for v in args.size.lower().split("x"))
    report = measure(
        command, name=args.name, ready=args.ready, steps=[tuple(s.split("=>", 1)) for s in args.step], key=args.key, between=args.between, count=args.count,
        burst=args.burst, rate=args.rate, starts=args.starts, quiet_ms=args.quiet_ms, limit=args.limit, columns=columns, rows=rows,
        term=args.term, env=dict(e.split("=", 1) for e in args.env), cwd=args.cwd, quit_keys=args.quit,
        before_start=shlex.split(args.before_start),
    )  # fmt: skip
    print(report.summary())
    if args.show:
        print(report.screen)
    if args.json:
        args.json.write_text(json.dumps(asdict(report), indent=1, ensure_ascii=False))
    return 1 if report.failure else 0


if __name__ == "__main__":
    raise SystemExit(main())
