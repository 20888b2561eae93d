"""The body of an answer, read and decoded no further than its sender is trusted."""

from __future__ import annotations

import httpx

from freeride_core.gateway.http.encoding import DecodedTooLarge, decode_whole

_MOST = 16 * 1024 * 1024
"""Bytes. The longest list of models, of 2026, has 800,000."""


def read_body(answer: httpx.Response) -> bytes:
    """The whole body. Raises `EncodingFault`, and httpx's exceptions. httpx would decode it however large that becomes."""
    raw = bytearray()
    for part in answer.iter_raw():
        raw += part
        if len(raw) > _MOST:
            raise DecodedTooLarge(_MOST)
    return decode_whole(bytes(raw), ",".join(answer.headers.get_list("content-encoding")), _MOST)
