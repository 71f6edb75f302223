"""Flags are told in words, in every front end alike."""

from __future__ import annotations

import re
from pathlib import Path

import desk.intake
from desk.flags import WORDS, told


def test_every_flag_that_intake_gives_has_words() -> None:
    source = Path(desk.intake.__file__).read_text("utf-8")
    given = set(re.findall(r'yield "([a-z-]+)"', source)) | {"new-participant", "claims-ticket", "aside", "forward"}
    causes = {f"suspended:{cause}" for cause in ("ourselves", "bounce", "feedback", "loop")}
    assert (given | causes) <= set(WORDS)


def test_verdicts_of_the_mail_server_come_as_they_are() -> None:
    assert told(("auth:spf=pass,dkim=fail", "loop", "odd")) == ["spf=pass dkim=fail", WORDS["loop"], "odd"]
