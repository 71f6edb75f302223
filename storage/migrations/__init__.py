"""The steps from one schema to the next; the number of steps is the schema's version.

Each step gets a sqlite-utils database inside a transaction of its own and must not
commit. Steps that have been released are never edited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from storage.migrations import m0001_first

if TYPE_CHECKING:
    from sqlite_utils import Database

STEPS: tuple[Callable[[Database], None], ...] = (m0001_first.step,)
