"""What a plugin returned is checked before it is used, and what it raised is a fault of the plugin."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import NoneType

from freeride_core.answer import ErrorKind, Failure, Reading, UpstreamRequest

_SENDABLE = (str, tuple, bytes)
_MOMENTS = (NoneType, int, float)
_KIND = re.compile("[a-z]+(_[a-z]+){0,3}")
"""A kind that a later core knows is a word. An upstream's own words are not a kind, because kinds are shown to clients."""


class PluginFault(Exception):
    """A provider's package raised where it should have answered. Its text names the exception's type and no more: the
    exception's own words may quote a prompt or a key. Whatever is raised becomes one: a package's SystemExit would end the
    gateway, and nothing else raises in its code, which never waits."""


def decode_guarded(decode: Callable[..., bytes], *data: bytes) -> bytes:
    try:
        decoded = decode(*data)
    except BaseException as error:
        raise PluginFault(f"{type(error).__name__} in decode") from None
    if type(decoded) is not bytes:
        raise PluginFault("no bytes from decode")
    return decoded


def is_sendable(request: object) -> bool:
    """Whether it is a request that can be sent."""
    return (
        isinstance(request, UpstreamRequest)
        and (
            type(request.url),
            type(request.headers),
            type(request.body),
        )
        == _SENDABLE
    )


def is_actionable(reading: object) -> bool:
    """Whether it is a reading that can be acted on."""
    failure = reading.failure if isinstance(reading, Reading) else reading
    if failure is None:
        return True
    if not isinstance(failure, Failure) or type(failure.retry_at) not in _MOMENTS:
        return False
    kind: object = failure.kind
    return isinstance(kind, ErrorKind) or (isinstance(kind, str) and _KIND.fullmatch(kind) is not None)
