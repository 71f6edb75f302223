"""Where a channel is proven: an account of it, opened against something real."""

from __future__ import annotations

from channels.kit.conformance import Ground

__all__ = ["Ground"]
