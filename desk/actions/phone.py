"""Calls: what was said on the telephone, written down by hand."""

from __future__ import annotations

from msgspec.structs import replace

from desk.actions import Context, action
from desk.actions.talk import say
from desk.errors import Invalid
from desk.events import Event, Posted, change
from desk.model import MISSED, Direction, Kind, Status, Ticket
from desk.params import Body, Flag, Length, Outcome, When
from desk.when import brief

PHONE = "phone"

_TOLD = {
    "reached": "spoke with them",
    "voicemail": "left a message on their voicemail",
    "no-answer": "nobody answered",
    "busy": "the line was busy",
    "wrong-number": "the number was wrong",
}
"""How a call that we made ended."""

_CALLED_US = {
    "reached": "they called us",
    "voicemail": "they left a message on our voicemail",
    "no-answer": "they called, and nobody answered",
    "busy": "they called, and the line was busy",
    "wrong-number": "somebody called by mistake",
}


@action()
def call(
    ticket: Ticket,
    notes: Body = "",
    *,
    theirs: Flag = False,
    outcome: Outcome = "reached",
    duration: Length = None,
    back: When = None,
    ctx: Context,
) -> list[Event]:
    """Write down a telephone call: what was said, how it ended, how long it took.

    A call in which you spoke with the customer answers them, as a reply does. --theirs says
    that they called; --outcome is reached, voicemail, no-answer, busy or wrong-number.
    --back promises to call back then: the ticket is due at that time until somebody has
    reached them.
    """
    if back is not None and back <= ctx.at:
        raise Invalid("the time to call back is over; name one that is to come: --back 14:30")
    if ticket.merged_into:
        raise Invalid(f"#{ticket.id} was merged into #{ticket.merged_into}; write it down there")
    reached = outcome == "reached"
    told = (_CALLED_US if theirs else _TOLD)[outcome] + (f", {brief(duration)}" if duration else "")
    posted = say(ticket, Kind.CALL, "\n".join(filter(None, (f"{told[0].upper()}{told[1:]}.", notes.strip("\n")))), ctx)
    # Whom nobody reached waits on; who asked on our voicemail waits from now.
    waits = theirs and outcome == "voicemail"
    message = replace(
        posted.message,
        channel=PHONE,
        direction=Direction.IN if waits else Direction.OUT,
        customer=ticket.requester if waits else None,
        flags=() if reached or waits else (MISSED,),
    )
    fields: dict[str, object] = {"callback_at": back if back is not None else None if reached else ticket.callback_at}
    if ticket.status is Status.NEW:
        fields["status"] = Status.OPEN
    return [Posted(message), *change(ticket, **fields)]
