"""Patience: how long a request waits for room where no candidate has any now."""

from __future__ import annotations

_WHOLE_MOST_S = 20.0
"""A client that waits for a whole response hears nothing meanwhile, so it gives up sooner."""


def patience_s(set_s: float, *, is_stream: bool) -> float:
    """Return how long the request may wait, in seconds. `set_s` is the user's setting."""
    return set_s if is_stream else min(set_s, _WHOLE_MOST_S)
