"""Generate a deterministic corpus of realistic support e-mail.

The corpus imitates the archive of one shared support mailbox: customers write
in, agents answer, threads grow.  It exists to *measure* programs (indexers,
mail gateways, parsers, IMAP clients, user interfaces), so two things matter
above all: the same arguments always give byte-identical output, and generating
it costs far less than whatever is being measured.

Only the standard library is used.  Messages are assembled by hand as bytes
(`email.message` would be ten times slower) and are valid RFC 5322 / 2045 /
2047 unless `--malformed` asks otherwise.

What is in it
-------------
* *Threads.*  About 35 % of the messages open a thread, the rest are replies
  with correct `Message-ID` / `In-Reply-To` / `References` and a `Re:`
  subject.  Thread length is long-tailed: some 63 % of the threads never get an
  answer and the answered ones average about six messages (those two figures
  together give the 35 %).  Messages come out in chronological order and
  threads interleave, as in a real queue.
* *People.*  `--customers` customers (2,000) drawn from a Zipf distribution,
  each with a fixed language; twelve agents.  Replies alternate between agent
  and customer, with some follow-ups from the same side.
* *Languages and charsets.*  English, German, French, Russian, Japanese and
  Chinese in us-ascii, utf-8, iso-8859-1, koi8-r, windows-1251, iso-2022-jp and
  gb18030, as 7bit, 8bit, quoted-printable or base64; names and subjects as
  RFC 2047 encoded words in the same charsets.
* *Structure.*  `text/plain` or `multipart/alternative` with HTML; about
  10 % carry one attachment of 2-40 KB inside `multipart/mixed`; signatures,
  attribution lines and `>` quoting.
* *Dates.*  Spread over two years ending at `--end`, denser in office hours.
* *Search probes.*  `PROBES` are words planted at a known rate and used
  nowhere else, so a search benchmark knows how many hits are right.

Formats
-------
`maildir`  a Maildir (LF line ends), deterministic file names; the newest 2 %
             in `new/`, the rest in `cur/` with flags.
`mbox`     one file, mboxrd quoting.
`jsonl`    one object a line holding the *decoded truth* (subject, text,
             attachments, ids) for checking a parser against; `--raw` adds the
             message itself as base64.

Use
---
    python -m bench.gencorpus --count 10000 --out c10k
    python -m bench.gencorpus --count 10000 --format jsonl --raw --out c10k.jsonl

As a library: `for message in generate(10_000, seed=1): ...`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.corpus import DEFAULT_END, generate
from bench.mail import Message
from bench.mailfiles import write_jsonl, write_maildir, write_mbox


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry point."""
    parser = argparse.ArgumentParser(description="Generate a deterministic corpus of support e-mail.")
    parser.add_argument("--count", type=int, required=True, help="how many messages")
    parser.add_argument("--seed", type=int, default=1, help="equal seeds give equal corpora (default 1)")
    parser.add_argument("--out", type=Path, required=True, help="directory (maildir) or file (mbox, jsonl) to write")
    parser.add_argument("--format", choices=("maildir", "mbox", "jsonl"), default="maildir")
    parser.add_argument("--customers", type=int, default=2_000, help="distinct customers (default 2000)")
    parser.add_argument(
        "--end", type=int, default=DEFAULT_END, help="Unix time of the newest message (default 2026-01-01)"
    )
    parser.add_argument(
        "--malformed",
        type=float,
        default=0.0,
        metavar="FRACTION",
        help="share of messages broken on purpose (default 0)",
    )
    parser.add_argument("--raw", action="store_true", help="jsonl only: add the raw message as base64")
    args = parser.parse_args(argv)

    if args.format == "maildir" and any(
        (args.out / sub).exists() and any((args.out / sub).iterdir()) for sub in ("cur", "new")
    ):
        parser.error(f"{args.out} already holds messages")
    stats = {"messages": 0, "new_threads": 0, "in": 0, "html": 0, "attachments": 0}

    def counted() -> Iterator[Message]:
        for message in generate(
            args.count, seed=args.seed, customers=args.customers, end=args.end, malformed=args.malformed
        ):
            stats["messages"] += 1
            stats["new_threads"] += message.in_reply_to is None
            stats["in"] += message.direction == "in"
            stats["html"] += b"multipart/alternative" in message.raw
            stats["attachments"] += len(message.attachments)
            yield message

    started = time.perf_counter()
    if args.format == "maildir":
        written = write_maildir(counted(), args.out, args.count)
    else:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        written = (
            write_mbox(counted(), args.out) if args.format == "mbox" else write_jsonl(counted(), args.out, args.raw)
        )
    seconds = time.perf_counter() - started
    number = max(1, stats["messages"])
    print(
        f"{stats['messages']} messages, {written} bytes ({written // number} a message), {stats['new_threads']} threads, "
        f"{stats['in']} inbound, {stats['html']} with HTML, {stats['attachments']} attachments, "
        f"{seconds:.2f} s ({stats['messages'] / max(seconds, 1e-9):.0f}/s)",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
