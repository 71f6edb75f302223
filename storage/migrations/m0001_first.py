"""Tickets, messages, people, the log, the outbox, the team, and the search index."""

from __future__ import annotations

from typing import Any

from storage.schema import Schema

_TABLES: dict[str, dict[str, Any]] = {
    "setting": {"columns": {"name": str, "value": str}, "pk": "name"},
    "counter": {"columns": {"name": str, "value": int}, "pk": "name"},
    "agent": {
        "columns": {
            "name": str, "display": str, "role": str, "uid": int, "address": str, "teams": str, "signature": str, "active": int,
            "skills": str, "capacity": int, "hours": str, "away_until": int, "turn": int, "login": str,
        },
        "pk": "name",
    },
    "team": {"columns": {"name": str, "title": str}, "pk": "name"},
    "account": {
        "columns": {
            "name": str, "channel": str, "address": str, "display": str, "capabilities": str, "health": str, "health_at": int, "paused": int,
        },
        "pk": "name",
    },
    "customer": {
        "columns": {
            "id": int, "name": str, "address": str, "organisation": str, "notes": str, "blocked": int, "created_at": int,
            "words": str, "organisation_words": str,
        },
        "pk": "id",
        "not_null": {"name", "address"},
    },
    "identity": {
        "columns": {"kind": str, "value": str, "customer": int, "display": str, "undeliverable": str}, "pk": ("kind", "value")},
    "ticket": {
        "columns": {
            "id": int, "subject": str, "requester": int, "created_at": int, "updated_at": int, "status": str, "priority": int,
            "type": str, "team": str, "assignee": str, "cc": str, "tags": str, "watchers": str, "links": str, "channel": str,
            "account": str, "bin": str, "merged_into": int, "snoozed_until": int, "snoozed_for_reply": int, "waiting_since": int,
            "first_reply_at": int, "replied_at": int, "solved_at": int, "stages": str, "idle_since": int, "due_at": int, "due_kind": str,
            "paused": int, "breached": int, "alarms": str, "alarm_at": int, "message_count": int, "heard": int, "version": int, "live": int,
        },
        "pk": "id",
        "not_null": {"subject", "requester", "status", "bin", "live"},
    },
    "message": {
        "columns": {
            "id": int, "ticket": int, "kind": str, "direction": str, "at": int, "author": str, "text": str, "visible": str,
            "channel": str, "account": str, "agent": str, "customer": int, "subject": str, "message_id": str, "conversation": str,
            "people": str, "html": int, "attachments": str, "raw": str, "automatic": str, "threaded_by": str, "flags": str,
            "state": str, "withdrawn": int, "digest": str,
        },
        "pk": "id",
        "not_null": {"ticket", "kind", "direction", "at", "text"},
    },
    "delivery": {
        "columns": {
            "id": int, "message": int, "ticket": int, "account": str, "recipients": str, "not_before": int, "part": int, "state": str,
            "phase": str, "attempts": int, "remote_id": str, "error": str, "next_at": int, "holder": str, "held_until": int,
        },
        "pk": "id",
        "not_null": {"message", "ticket", "state"},
    },
    "cursor": {"columns": {"account": str, "value": str}, "pk": "account"},
    "batch": {
        "columns": {
            "id": str, "seq": int, "at": int, "agent": str, "uid": int, "host": str, "line": str, "source": str, "undoes": str, "undone_by": str,
            "caused_by": str,
        },
        "pk": "id",
    },
    "event": {
        "columns": {"seq": int, "at": int, "batch": str, "entity": str, "about": str, "kind": str, "payload": str},
        "pk": "seq",
    },
    "lease": {"columns": {"name": str, "holder": str, "until": int}, "pk": "name"},
    "draft": {
        "columns": {"ticket": int, "agent": str, "kind": str, "at": int, "text": str, "options": str, "seen": int},
        "pk": ("ticket", "agent", "kind"),
        "not_null": {"at", "text", "options", "seen"},
    },
    "presence": {
        "columns": {"session": str, "agent": str, "host": str, "ticket": int, "doing": str, "until": int},
        "pk": "session",
        "not_null": {"agent", "host", "ticket", "doing", "until"},
    },
}  # fmt: skip

_SLEEP = "snoozed_until, snoozed_for_reply"
_CLOCK = f"paused, {_SLEEP}"
_ASLEEP = "snoozed_until IS NOT NULL OR snoozed_for_reply = 1"
_ATTACHED = "attachments IS NOT NULL AND withdrawn = 0"
_REPLIED = "direction = 'out' AND kind = 'public' AND withdrawn = 0 AND automatic IS NULL"
_OPEN = "WHERE live = 1 AND bin = '' AND merged_into IS NULL"

#: Stands for "no time" where rows are ordered by one: after every time there will be.
_NEVER = 9_000_000_000_000_000

_KEYED: dict[str, tuple[dict[str, type], tuple[str, ...]]] = {
    "tag": ({"tag": str, "ticket": int}, ("tag", "ticket")),
    "external": ({"account": str, "external_id": str, "message": int}, ("account", "external_id")),
    "answered": ({"address": str, "at": int, "subject": str}, ("address", "at", "subject")),
    "rest": ({"rule": str, "ticket": int, "since": int}, ("rule", "ticket")),
    "effort": ({"ticket": int, "agent": str, "doing": str, "spent": int}, ("ticket", "agent", "doing")),
    "seen": ({"agent": str, "ticket": int, "message": int}, ("agent", "ticket")),
}

_INDEXES = (
    # With all that the shipped views ask for, so that they are counted in the index alone: a row looked up costs 0.6 us.
    f"CREATE INDEX ticket_due ON ticket (due_key, id, {_CLOCK}) {_OPEN}",
    f"CREATE INDEX ticket_assignee ON ticket (assignee, due_key, id, {_CLOCK}, status) {_OPEN}",
    f"CREATE INDEX ticket_pressing ON ticket (priority, due_key, id) {_OPEN}",
    f"CREATE INDEX ticket_priority ON ticket (priority, id) {_OPEN}",
    f"CREATE INDEX ticket_waiting ON ticket (waiting_key, id, {_SLEEP}) {_OPEN}",
    "CREATE INDEX ticket_updated ON ticket (updated_at, id)",
    "CREATE INDEX ticket_requester ON ticket (requester)",
    "CREATE INDEX ticket_alarm ON ticket (alarm_at) WHERE alarm_at IS NOT NULL",
    f"CREATE INDEX ticket_snoozed ON ticket (snoozed_until) WHERE {_ASLEEP}",
    "CREATE INDEX ticket_heard ON ticket (id) WHERE heard > 0",
    # With all that the pace of a team asks for.
    "CREATE INDEX ticket_created ON ticket (created_at) WHERE bin = '' AND merged_into IS NULL",
    "CREATE INDEX ticket_solved ON ticket (solved_at, assignee, bin, merged_into) WHERE solved_at IS NOT NULL",
    f"CREATE INDEX message_replied ON message (at, agent) WHERE {_REPLIED}",
    "CREATE INDEX message_ticket ON message (ticket, at, id)",
    f"CREATE INDEX message_attached ON message (ticket) WHERE {_ATTACHED}",
    "CREATE INDEX message_outside ON message (message_id) WHERE message_id IS NOT NULL",
    "CREATE INDEX message_conversation ON message (conversation) WHERE conversation IS NOT NULL",
    "CREATE INDEX message_digest ON message (digest) WHERE digest IS NOT NULL AND message_id IS NULL",
    "CREATE INDEX delivery_next ON delivery (next_at) WHERE state IN ('queued', 'failed for now')",
    "CREATE INDEX delivery_held ON delivery (held_until) WHERE state = 'sending'",
    "CREATE INDEX delivery_message ON delivery (message)",
    "CREATE INDEX delivery_trouble ON delivery (ticket) WHERE state IN ('failed', 'bounced', 'unknown')",
    "CREATE INDEX event_about ON event (about, seq) WHERE entity = 'ticket'",
    "CREATE INDEX event_batch ON event (batch)",
    "CREATE INDEX batch_agent ON batch (agent, seq) WHERE agent IS NOT NULL",
    "CREATE INDEX draft_agent ON draft (agent, at)",
    "CREATE INDEX identity_customer ON identity (customer)",
    "CREATE INDEX customer_address ON customer (address)",
    "CREATE UNIQUE INDEX agent_uid ON agent (uid) WHERE uid IS NOT NULL",
    "CREATE UNIQUE INDEX agent_login ON agent (login) WHERE login IS NOT NULL",
)

_NUMBERED = ("ticket", "message", "delivery", "customer")

# rowid = ticket << 35 | message (0: the subject), so that a ticket's words lie together, newest ticket last.
_OWN = {
    "sqlite": (
        "CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='ascii')",
        "CREATE INDEX message_unprocessable ON message (id) WHERE instr(flags, 'unprocessable') > 0",
        *(f"INSERT INTO counter (name, value) VALUES ('{name}', 0)" for name in _NUMBERED),
    ),
    "postgresql": (
        # Not its key: a long message has several rows.
        "CREATE TABLE words (rowid BIGINT NOT NULL, text TSVECTOR NOT NULL)",
        "CREATE INDEX words_rowid ON words (rowid)",
        "CREATE INDEX words_text ON words USING gin (text)",
        "ALTER TABLE words ALTER COLUMN text SET STATISTICS 1000",
        # Packed already.
        "CREATE TABLE blob (key BYTEA PRIMARY KEY, size BIGINT NOT NULL, packed BYTEA NOT NULL)",
        "ALTER TABLE blob ALTER COLUMN packed SET STORAGE EXTERNAL",
        "CREATE INDEX message_unprocessable ON message (id) WHERE strpos(flags, 'unprocessable') > 0",
        *(f"CREATE SEQUENCE {name}_id" for name in _NUMBERED),
        # One row that every commit changes: its versions stay on one page.
        "ALTER TABLE counter SET (fillfactor = 10)",
        "INSERT INTO counter (name, value) VALUES ('intake', 0), ('dealing', 0)",
    ),
}


def step(schema: Schema) -> None:
    """Tickets, messages, people, the log, the outbox, the team, and the search index."""
    for name, table in _TABLES.items():
        schema.table(name, **table)
    for name, (columns, pk) in _KEYED.items():
        schema.keyed(name, columns, pk)
    schema.computed("ticket", "due_key", f"coalesce(due_at, {_NEVER})")
    schema.computed("ticket", "waiting_key", f"coalesce(waiting_since, {_NEVER})")
    for statement in (*_INDEXES, *_OWN[schema.engine], "INSERT INTO counter (name, value) VALUES ('seq', 0)"):
        schema.run(statement)
