"""Cloudflare's streams: OpenAI's, with a stray event of the native protocol."""

from __future__ import annotations

_LEGACY = b'data: {"response":'
_LONGEST_HELD = 64 * 1024


class WithoutLegacyEvents:
    """Passes a stream on without `data: {"response":"","usage":{...}}`: it has no `choices`, and OpenAI's SDKs trip over that."""

    def __init__(self) -> None:
        self._rest = b""

    def decode(self, data: bytes) -> bytes:
        data = self._rest + data
        end = data.rfind(b"\n\n") + 2
        if end == 1:
            end = len(data) if len(data) > _LONGEST_HELD else 0
        whole, self._rest = data[:end], data[end:]
        if _LEGACY not in whole:
            return whole
        return b"\n\n".join(block for block in whole.split(b"\n\n") if not block.startswith(_LEGACY))

    def flush(self) -> bytes:
        rest, self._rest = self._rest, b""
        return b"" if rest.startswith(_LEGACY) else rest
