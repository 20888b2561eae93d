"""Errors of both connections: what can go wrong while a body is read or an upstream is asked."""

from __future__ import annotations

import ssl

from freeride_core.answer import ErrorKind, Failure

UNTRUSTED = "its certificate is not trusted"
UNUSABLE_PROXY = "the proxy that the environment names cannot be used"
PROXY_LOGIN = "the proxy wants a user name and a password"
PROXY_REFUSAL = "the proxy refused the connection"


class UpstreamError(Exception):
    """A connection failed; `failure` says how, in our own words: a library's may quote a header, and headers hold keys."""

    def __init__(self, kind: ErrorKind, message: str, *, is_connect: bool = False) -> None:
        super().__init__(message)
        self.failure = Failure(kind=kind, message=message)
        self.is_connect = is_connect
        """The upstream was never reached."""


class Withdrawn(Exception):
    """The request was not sent: its slot cooled while it waited for a connection."""


def untrusted(error: ssl.SSLCertVerificationError) -> UpstreamError:
    """The upstream, or a proxy before it, shows a certificate that no known authority has signed."""
    return UpstreamError(ErrorKind.NETWORK, f"{UNTRUSTED} ({error.verify_message})", is_connect=True)


def silence() -> UpstreamError:
    """The upstream took too long."""
    return UpstreamError(ErrorKind.TIMEOUT, "no answer in time")


class BodyTooLarge(Exception):
    """The request's body is larger than is read."""
