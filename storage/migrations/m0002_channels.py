"""Conversations beyond mail: where a customer was heard, what messages are marked with, accounts on hold."""

from __future__ import annotations

from storage.schema import Schema


def step(schema: Schema) -> None:
    """Conversations beyond mail: where a customer was heard, what messages are marked with, accounts on hold."""
    schema.keyed(
        "contact",
        {
            "kind": str, "value": str, "account": str, "public": int, "conversation": str, "at": int, "external_id": str, "reply_until": int,
        },
        ("kind", "value", "account", "public"),
    )  # fmt: skip
    for table, column, kind in (
        ("message", "marks", "TEXT"),
        ("message", "link", "TEXT"),
        ("account", "held", "TEXT"),
        ("customer", "tier", "TEXT"),
        ("ticket", "callback_at", "BIGINT"),
    ):
        schema.run(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    # All that a count of an account's messages asks for, so that none of them is looked at.
    schema.run(
        "CREATE INDEX message_volume ON message (at, account, direction) WHERE kind IN ('public', 'call') AND withdrawn = 0"
    )
    schema.run("CREATE INDEX identity_value ON identity (value)")
    schema.run("CREATE INDEX customer_name ON customer (name)")
    schema.run("CREATE INDEX external_message ON external (message) WHERE message IS NOT NULL")
