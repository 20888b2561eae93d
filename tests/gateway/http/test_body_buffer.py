"""A body of unknown size, as far as it has arrived."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from freeride_core.gateway.http.body_buffer import BodyBuffer

_MIB = 1024 * 1024


def _whole(parts: list[bytes]) -> bytes:
    body = BodyBuffer()
    for part in parts:
        body.add(part)
    return body.whole()


@given(st.lists(st.binary(max_size=8), max_size=6), st.sampled_from([1, 700, 200_000]))
def test_a_body_is_its_parts_in_their_order(parts: list[bytes], times: int) -> None:
    parts = [part * times for part in parts]
    assert _whole(parts) == b"".join(parts)


def test_a_body_in_very_many_parts_is_whole() -> None:
    assert _whole([b"ab", b"c"] * 5000) == b"abc" * 5000


def test_a_large_body_is_held_once() -> None:
    part = bytes(64 * 1024)
    tracemalloc.start()
    try:
        body = BodyBuffer()
        for _ in range(16 * 16):
            body.add(part[:-1] + b"x")
        before, _ = tracemalloc.get_traced_memory()
        assert len(body.whole()) == 16 * _MIB
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert before < 20 * _MIB
    assert peak < 24 * _MIB
