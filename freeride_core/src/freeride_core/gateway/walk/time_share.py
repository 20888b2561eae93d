"""A request's time, divided: no provider can use it up while another one is left."""

from __future__ import annotations

_LEAST_STREAM_S = 10.0
_LEAST_WHOLE_S = 120.0
_KEPT_FOR_OTHERS_S = 60.0
"""Of the time for a whole answer."""


def time_share_s(left_s: float, *, is_stream: bool, is_last: bool) -> float:
    """How long an attempt may take to its first content, or to its whole answer, where so many seconds of the request's time are
    left. `is_last`: no other provider is left."""
    if is_stream:
        return max(left_s if is_last else left_s / 2, _LEAST_STREAM_S)
    return max(left_s if is_last else left_s - _KEPT_FOR_OTHERS_S, _LEAST_WHOLE_S)
