"""A mailbox on Dovecot, answered by exim."""

from __future__ import annotations

import itertools

import pytest

from tests.channels.email.accounts import account, mail
from tests.channels.grounds import Ground
from tests.servers.dovecot import User
from tests.servers.exim import Exim


def ground(request: pytest.FixtureRequest) -> Ground:
    """An account with three new mails at a time."""
    user: User = request.getfixturevalue("user")
    exim: Exim = request.getfixturevalue("exim")
    numbers = itertools.count(1)
    settings = account(user.imap(), exim.smtp(), poll_s=5)
    return Ground("email", settings, lambda: user.deliver(*(mail(next(numbers)) for _ in range(3))))
