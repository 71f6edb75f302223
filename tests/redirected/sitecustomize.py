"""Puts stores into PostgreSQL in every Python that tests start: `storage.opening` is the one beside this file.

Python reads this at its start where the folder is on PYTHONPATH; `tests/on_postgres.py` sees to that.
"""

from __future__ import annotations

import sys
from _frozen_importlib_external import PathFinder
from typing import Any

HERE = __file__.rpartition("/")[0]


class Redirect:
    """Finds the one module that opens SQLite files somewhere else."""

    @staticmethod
    def find_spec(name: str, path: Any, target: Any = None) -> Any:
        """Where the module is, if it is the one."""
        return PathFinder.find_spec(name, [HERE], target) if name == "storage.opening" else None


sys.meta_path.insert(0, Redirect)  # type: ignore[arg-type]
