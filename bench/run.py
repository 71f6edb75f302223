"""Measure deskhand from a clean clone and print it beside its peers: `make bench`.

    python -m bench.run
    python -m bench.run --only import,ls
    python -m bench.run --only queries --tickets 100000

Every figure is a median, and every ratio is made of figures of this very run, taken in
turns: machines differ and are busy, ratios much less. Peers (notmuch, mu, neomutt) are
measured where they are installed.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench import intake, process, screen
from bench.queries import queries
from bench.stores import LIVE, OUT


@dataclass(frozen=True)
class Line:
    """One figure, what stands beside it, and the goal."""

    what: str
    ours: str
    beside: str = ""
    theirs: str = ""
    ratio: str = ""
    goal: str = ""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    messages: int
    tickets: tuple[int, int]
    turns: int


def import_(sizes: Sizes) -> Iterable[Line]:
    """An archive of mail into whole tickets, beside programs that only index it."""
    found = intake.measure(sizes.messages, max(3, sizes.turns // 2))
    ours = statistics.median(found.rates["deskhand"])
    count = f"{sizes.messages:,} mails"
    yield Line(f"import {count}", f"{ours:,.0f}/s", goal="2,000/s")
    for name, rates in found.rates.items():
        if name != "deskhand":
            theirs = statistics.median(rates)
            yield Line(f"import {count}", f"{ours:,.0f}/s", name, f"{theirs:,.0f}/s", f"{ours / theirs:.1f} x")
    for name in found.absent:
        yield Line(f"import {count}", f"{ours:,.0f}/s", name, "not installed")
    grown = intake.growth(sizes.messages, sizes.tickets[-1:], max(1, sizes.turns // 3))
    empty, full = (statistics.median(grown[size]) for size in (0, sizes.tickets[-1]))
    yield Line(
        f"import beside {sizes.tickets[-1]:,} tickets", f"{full:,.0f}/s", "into an empty store", f"{empty:,.0f}/s",
        f"{full / empty:.2f} x", "0.90 x",
    )  # fmt: skip
    kilobytes, raw = found.store_bytes / sizes.messages / 1024, found.mail_bytes / sizes.messages / 1024
    yield Line(
        "store, per message", f"{kilobytes:.1f} KiB", "the mail itself", f"{raw:.1f} KiB", f"{kilobytes / raw:.2f} x"
    )


def ls(sizes: Sizes) -> Iterable[Line]:
    """`deskhand ls` as a whole process."""
    small, large = sizes.tickets
    times = process.ls(sizes.tickets, sizes.turns)
    few, many, python = (statistics.median(times[key]) * 1000 for key in (small, large, 0))
    yield Line(f"ls, {small:,} tickets", f"{few:.0f} ms", "python -c pass", f"{python:.0f} ms", "", "80 ms")
    yield Line(
        f"ls, {large:,} tickets",
        f"{many:.0f} ms",
        f"{small:,} tickets",
        f"{few:.0f} ms",
        f"{many / few:.2f} x",
        "1.10 x",
    )


def start(sizes: Sizes) -> Iterable[Line]:
    """What importing the command line costs beyond Python's own start."""
    times = process.start(2 * sizes.turns + 1)
    with_us, bare = (statistics.median(times[key]) * 1000 for key in ("import cli.main", "pass"))
    yield Line("import cli.main", f"+{with_us - bare:.0f} ms", "python -c pass", f"{bare:.0f} ms", "", "+35 ms")


def relay(sizes: Sizes) -> Iterable[Line]:
    """A relay with nothing to do."""
    share, memory = process.idle_relay(10.0)
    yield Line("relay, idle", f"{share * 100:.2f}% of a core", goal="1%")
    yield Line("relay, memory", f"{memory:.0f} MiB")


def mailbox(sizes: Sizes) -> Iterable[Line]:
    """The same mail from a real IMAP server, by the relay as it is run."""
    from bench import imap

    what = f"{sizes.messages:,} mails over IMAP"
    if not imap.installed():
        yield Line(what, "no Dovecot here, or not root")
        return
    found = imap.measure(sizes.messages, max(3, sizes.turns // 2))
    seconds, cpu = (statistics.median(getattr(one, name) for one in found) for name in ("seconds", "cpu_s"))
    yield Line(what, f"{seconds:.1f} s", "CPU time of it", f"{cpu:.1f} s", goal="6 s")
    yield Line("relay, importing", f"{max(one.memory_mib for one in found):.0f} MiB", goal="150 MiB")


def on_screen(sizes: Sizes) -> Iterable[Line]:
    """The terminal screen under a pty, beside an empty Textual application."""
    large = sizes.tickets[-1]
    reports = screen.measure(large, max(3, sizes.turns // 2))
    ours, empty = reports["deskhand"], reports["empty Textual"]
    for name, report in reports.items():
        if report.failure:
            yield Line(f"screen, {name}", "failed", report.failure)
    if ours.failure or empty.failure or not (ours.start_ms and empty.start_ms):
        return
    first, theirs = ours.start_ms.median, empty.start_ms.median
    yield Line(
        f"screen, {large:,} tickets",
        f"{first:.0f} ms",
        "empty Textual",
        f"{theirs:.0f} ms",
        f"{first / theirs:.2f} x",
        "1.5 x",
    )
    if demo := reports["demo"].start_ms:
        ratio = f"{demo.median / theirs:.2f} x"
        yield Line(
            "demo, first tickets", f"{demo.median:.0f} ms", "empty Textual", f"{theirs:.0f} ms", ratio, "1,000 ms"
        )
    if ours.key_settled_ms and ours.key_bytes:
        yield Line(
            "a cursor key, p50 / p99",
            f"{ours.key_settled_ms.median:.1f} / {ours.key_settled_ms.p99:.1f} ms",
            goal="3 / 10 ms",
        )
        yield Line("a cursor key, bytes", f"{ours.key_bytes.median:.0f}", goal="100")
        yield Line("after a held key", f"{ours.burst_lag_ms:.0f} ms", goal="15 ms")
    turned, opened = reports["a page turn"], reports["a ticket opened"]
    if turned.key_settled_ms and turned.key_bytes:
        yield Line(
            "a page turn", f"{turned.key_settled_ms.median:.0f} ms", "bytes", f"{turned.key_bytes.median:,.0f}", "",
            "17,000",
        )  # fmt: skip
    if opened.key_first_ms and opened.key_settled_ms:
        yield Line(
            "a ticket opened, p50", f"{opened.key_first_ms.median:.1f} ms", "until all stands",
            f"{opened.key_settled_ms.median:.1f} ms", "", "20 ms",
        )  # fmt: skip
    yield Line(
        "screen, memory", f"{ours.rss_mib:.0f} MiB", "empty Textual", f"{empty.rss_mib:.0f} MiB",
        f"{ours.rss_mib / empty.rss_mib:.2f} x", "60 MiB",
    )  # fmt: skip
    yield Line("screen, idle", f"{ours.idle_bytes_per_s:.0f} B/s, {ours.idle_cpu_percent:.1f}% of a core", goal="0 B/s")
    share, bytes_each = screen.idle(large, 50, 30.0)
    yield Line("50 idle screens", f"{share:.0%} of a core", "bytes of each", f"{bytes_each:.1f} B/s", "", "15% / 0 B/s")
    for name, report in reports.items():
        if name.startswith("neomutt") and report.start_ms:
            yield Line(
                "screen, start", f"{first:.0f} ms", name, f"{report.start_ms.median:.0f} ms",
                f"{first / report.start_ms.median:.2f} x",
            )  # fmt: skip


def each_query(sizes: Sizes) -> Iterable[Line]:
    """The queries of bench/queries.txt in this process: the first 50 rows, warm; few tickets live, and all."""
    tickets = sizes.tickets[-1]
    for live in (LIVE, 1.0):
        timed = queries(tickets, sizes.turns, live)
        for query, (median, worst) in timed.items():
            yield Line(query, f"{median * 1000:.2f} ms", "worst", f"{worst * 1000:.2f} ms")
        medians = [median for median, _ in timed.values()]
        worst_of_all = max(worst for _, worst in timed.values())
        yield Line(
            f"all queries, {tickets:,}, {live:.0%} live", f"{statistics.median(medians) * 1000:.2f} ms", "worst",
            f"{worst_of_all * 1000:.2f} ms", "", "2 / 20 ms",
        )  # fmt: skip


def a_macro(sizes: Sizes) -> Iterable[Line]:
    """A macro over a thousand tickets, and what a single action of somebody else takes meanwhile."""
    from bench import macro

    runs, others = macro.measure(1_000, max(3, sizes.turns // 2))
    worst = sorted(others)[int(len(others) * 0.99)] * 1000
    yield Line("a macro, 1,000 tickets", f"{statistics.median(runs):.2f} s", goal="2 s")
    yield Line(
        "others' actions meanwhile, p50", f"{statistics.median(others) * 1000:.0f} ms", "p99", f"{worst:.0f} ms", "",
        "250 ms",
    )  # fmt: skip


def a_hundred_rules(sizes: Sizes) -> Iterable[Line]:
    """A hundred rules over 200 messages a second, each of which some rule acts on."""
    from bench import rules

    found, behind = rules.measure(200, 10.0 if sizes.turns > 3 else 5.0)
    worst = sorted(found)[int(len(found) * 0.99)] * 1000
    yield Line(
        "100 rules, 200 messages/s, p50",
        f"{statistics.median(found) * 1000:.0f} ms",
        "p99",
        f"{worst:.0f} ms",
        "",
        "500 ms",
    )
    yield Line("done after the last message", f"{behind * 1000:.0f} ms")


def clocks_(sizes: Sizes) -> Iterable[Line]:
    """What promises cost: a look at a ticket, an import, new policies for a whole store."""
    from bench import clocks

    yield Line("a look at a ticket's clocks", f"{clocks.look_us():.0f} us", goal="50 us")
    found = clocks.apply(sizes.tickets[-1])
    yield Line(
        f"new policies, {found.changed:,} tickets", f"{found.seconds:.1f} s", "the longest others waited",
        f"{found.others_ms:.0f} ms", "", "30 s / 250 ms",
    )  # fmt: skip
    yield Line("deskhand why", f"{clocks.why_ms(sizes.tickets[0], sizes.turns):.0f} ms", goal="100 ms")
    with_, without = clocks.import_rates(intake.maildir(sizes.messages), sizes.messages, max(1, sizes.turns // 3))
    yield Line(
        "import with the shipped policies", f"{with_:,.0f}/s", "without any", f"{without:,.0f}/s",
        f"{with_ / without:.2f} x", "0.90 x",
    )  # fmt: skip


def a_team(sizes: Sizes) -> Iterable[Line]:
    """32 processes that act at once, and 50 that watch, on a store of each engine."""
    from bench import team

    for engine, rate, soon in (("sqlite", "", "250 ms"), ("postgresql", "500/s", "50 ms")):
        with team.desk_on(engine) as url:
            done = team.work(url, 32, 10.0 if sizes.turns > 3 else 4.0)
            waits = sorted(team.seen(url, 50, 40 if sizes.turns > 3 else 10))
        yield Line(
            f"32 processes, {engine}", f"{done.per_second:,.0f}/s", "lost, doubled, failed",
            f"{done.lost}, {done.doubled}, {done.errors}", goal=rate,
        )  # fmt: skip
        yield Line(
            f"seen by 50, {engine}, p50", f"{waits[len(waits) // 2] * 1000:.0f} ms", "p99",
            f"{waits[int(len(waits) * 0.99)] * 1000:.0f} ms", goal=soon,
        )  # fmt: skip


def on_channels(sizes: Sizes) -> Iterable[Line]:
    """Every kind of channel on a real server: how soon, how many, how much."""
    from bench import channels

    for name, names in channels.loaded().items():
        yield Line(f"libraries loaded by {name}, unused", ", ".join(names) or "none", goal="none")
    if absent := channels.absent():
        yield Line("channels", f"not here: {absent}")
        return
    long = sizes.turns > 3
    found = channels.measure(60 if long else 20, 20.0 if long else 5.0, 50)
    yield Line(f"start, {len(channels.KINDS)} channels read", f"{found.start_s:.1f} s", goal="2 s")
    for kind, delays in found.delays.items():
        yield Line(
            f"{kind}, sent to seen, p50",
            f"{_at(delays, 0.5):.0f} ms",
            "p99",
            f"{_at(delays, 0.99):.0f} ms",
            "",
            "1,000 ms",
        )
    yield Line(
        "of email the server's IDLE, p50", f"{_at(found.idle_alone, 0.5):.0f} ms", "p99",
        f"{_at(found.idle_alone, 0.99):.0f} ms",
    )  # fmt: skip
    yield Line(
        "a mixed stream",
        f"{found.sent_per_s:.0f}/s",
        "done after the last",
        f"{found.behind_s * 1000:.0f} ms",
        "",
        "200/s",
    )
    yield Line(
        "sent to seen in it, p50", f"{_at(found.stream, 0.5):.0f} ms", "p99", f"{_at(found.stream, 0.99):.0f} ms"
    )
    yield Line(f"{found.many} accounts, all read", f"{found.many_start_s:.1f} s")
    yield Line(
        f"{found.many} accounts, idle",
        f"{found.many_cpu:.1%} of a core",
        "memory",
        f"{found.many_mib:.0f} MiB",
        "",
        "5% / 200 MB",
    )


def _at(delays: list[float], share: float) -> float:
    return sorted(delays)[int(len(delays) * share)] * 1000


PARTS: dict[str, Callable[[Sizes], Iterable[Line]]] = {
    "import": import_,
    "ls": ls,
    "start": start,
    "relay": relay,
    "imap": mailbox,
    "screen": on_screen,
    "queries": each_query,
    "macro": a_macro,
    "rules": a_hundred_rules,
    "clocks": clocks_,
    "team": a_team,
    "channels": on_channels,
}


def table(lines: list[Line]) -> str:
    """The lines in columns."""
    head = Line("what", "deskhand", "beside", "theirs", "ratio", "goal")
    cells = [(c.what, c.ours, c.beside, c.theirs, c.ratio, c.goal) for c in (head, *lines)]
    widths = [max(len(row[i]) for row in cells) for i in range(6)]
    drawn = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([drawn[0], "-" * len(drawn[0]), *drawn[1:]])


def main() -> int:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description="Measure deskhand and print ratios.")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--messages", type=int, default=10_000, help="mails to import (default 10000)")
    parser.add_argument("--tickets", default="10000,100000", help="sizes of stores (default 10000,100000)")
    parser.add_argument("--turns", type=int, default=7, help="how often each figure is taken (default 7)")
    parser.add_argument("--fresh", action="store_true", help="make corpus and stores anew")
    args = parser.parse_args()
    unknown = [name for name in args.only.split(",") if name not in PARTS]
    if unknown:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(PARTS)}")
    counts = [int(part) for part in args.tickets.split(",")]
    if args.fresh:
        shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True, exist_ok=True)
    for name in [name for name in os.environ if name.startswith("DESKHAND_")]:
        del os.environ[name]
    sizes = Sizes(args.messages, (counts[0], counts[-1]), args.turns)
    lines: list[Line] = []
    for name in args.only.split(","):
        print(f"{name} ...", file=sys.stderr, flush=True)
        lines += PARTS[name](sizes)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}\n")
    print(table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
