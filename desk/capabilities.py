"""What an account can carry: all that front ends know of a channel, and all they need to.

A channel says it, the relay writes it into the store beside the account, and composer and
command line read it there: the counter in its own unit, the verbs that are refused and why.
"""

from __future__ import annotations

from msgspec import Struct

from desk.lengths import CHARACTERS


class Rate(Struct, frozen=True):
    """How often the other side lets itself be asked: `count` times in `seconds`. `what` names the bucket."""

    what: str
    count: int
    seconds: float


class Capabilities(Struct, frozen=True):
    """What an account can carry.

    - `kinds`: the kinds of identity it reaches ("email", "matrix", ...).
    - `subject`, `copies`, `threads` (an answer says which message it answers).
    - `markup`: "plain", "markdown" or "html", what becomes of the agent's Markdown.
    - `text_limit` in `unit` (see `desk.lengths`); None: as much as one likes. Where it `splits`, a
      longer text goes as several messages; else it is refused. `public_limit` and `public_unit`
      hold for what everybody can read, where that is another limit.
    - `attachment_limit_bytes` (0: no files at all), `attachment_count` and `attachment_types`
      ("image/*"; none: any).
    - `public`: it may say what everybody can read; `private`: it may answer such a thing in private.
    - `may_start`: it may write to somebody who has not written before.
    - `window_ms`: how long after the customer's last message it may answer freely; `after_window`
      says what goes then ("" for nothing).
    - `edits`, `deletes`, `reactions`, `receipts`, `typing`, `presence`: what it tells of customers.
    - `idempotent`: the other side takes a key, so that what was lost in the middle is sent again by itself.
    - `plus_address`: mail to `help+anything@` reaches it, so that Reply-To may carry the ticket's token.
    - `live`: a conversation goes to and fro while both look at it (a messenger, a chat room).
    - `sends`: False where it only listens.
    - `rates` are the other side's limits; `cost` what a message costs, in words.
    """

    kinds: tuple[str, ...] = ("email",)
    subject: bool = False
    copies: bool = False
    threads: bool = False
    markup: str = "plain"
    text_limit: int | None = None
    unit: str = CHARACTERS
    splits: bool = False
    public_limit: int | None = None
    public_unit: str = ""
    attachment_limit_bytes: int = 0
    attachment_count: int | None = None
    attachment_types: tuple[str, ...] = ()
    public: bool = False
    private: bool = False
    may_start: bool = False
    window_ms: int | None = None
    after_window: str = ""
    edits: bool = False
    deletes: bool = False
    reactions: bool = False
    receipts: bool = False
    typing: bool = False
    presence: bool = False
    idempotent: bool = False
    plus_address: bool = False
    live: bool = False
    sends: bool = True
    rates: tuple[Rate, ...] = ()
    cost: str = ""

    def limit(self, *, public: bool) -> tuple[int | None, str]:
        """How long a text may be, and in what unit."""
        if public and self.public_limit is not None:
            return self.public_limit, self.public_unit or self.unit
        return self.text_limit, self.unit

    def takes(self, content_type: str) -> bool:
        """Whether a file of this type may go along."""
        if not self.attachment_limit_bytes:
            return False
        family = content_type.partition("/")[0] + "/*"
        return not self.attachment_types or content_type in self.attachment_types or family in self.attachment_types


__all__ = ["Capabilities", "Rate"]
