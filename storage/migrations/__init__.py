"""The steps from one schema to the next; the number of steps is the schema's version.

Each step gets a `storage.schema.Schema` inside a transaction of its own and must not
commit; the first line of its docstring says what it is for. Steps that have been released
are never edited.
"""

from __future__ import annotations

from storage.migrations import m0001_first, m0002_channels
from storage.schema import Step

STEPS: tuple[Step, ...] = (m0001_first.step, m0002_channels.step)
