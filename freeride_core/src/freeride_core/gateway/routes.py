"""Routes: which protocol and route a request is for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from freeride_core.gateway.protocols.protocol import ProtocolRoute, RouteUse, ServedProtocol

_DOUBLED = re.compile(r"(?:/+v1)+/+")
"""A base URL with `/v1`, or with a slash at its end, before a path with `/v1`."""
_ID = re.escape("{id}")
OWN_PATHS = ("/v1/quota", "/health")
"""The gateway's own, which belong to no protocol and take GET."""


class RouteMatch(NamedTuple):
    """What a method and a path lead to."""

    protocol: ServedProtocol
    """In which the request is answered, whatever it is for."""
    route: ProtocolRoute | None
    """None if there is no route at the path, or none for the method."""
    is_path: bool
    """There is a route at the path, for this method or another."""
    id: str = ""
    """The id of a model in the path."""


class _RoutePattern(NamedTuple):
    pattern: re.Pattern[str]
    route: ProtocolRoute
    protocol: ServedProtocol


class RouteTable:
    """The routes of all protocols. `usual` has those that take no search, which saves 1.7 us a request (measured 2026-12)."""

    def __init__(self, protocols: Sequence[ServedProtocol]) -> None:
        """The first protocol answers at paths that belong to none."""
        self._protocols = protocols
        self._rows = [_RoutePattern(_pattern_of(route), route, each) for each in protocols for route in each.routes]
        self._rows.sort(key=lambda row: not row.route.marks)
        posts = [row for row in self._rows if row.route.method == "POST" and "{id}" not in row.route.path]
        paths = [row.route.path for row in posts]
        self.usual = {
            row.route.path: RouteMatch(row.protocol, row.route, is_path=True)
            for row in posts
            if paths.count(row.route.path) == 1
        }
        """Of POST, by path."""
        self.exposed = tuple(dict.fromkeys(name for each in protocols for name in each.exposed_headers))
        """Headers that web pages may read, beside the gateway's own."""
        routes = sorted((row.route for row in self._rows if row.route.use is not RouteUse.MODEL), key=_is_read)
        *names, last = dict.fromkeys(
            [*(f"{each.method} {each.path}" for each in routes), *(f"GET {path}" for path in OWN_PATHS)]
        )
        self.summary = f"{', '.join(names)} and {last}"
        """For people: every route but those of one model."""

    def find(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> RouteMatch:
        """Return what a request leads to. `path` is as `understood` returns it."""
        wanted = "GET" if method == "HEAD" else method
        of_path: RouteMatch | None = None
        for row in self._rows:
            found = row.pattern.fullmatch(path)
            if found is None or (row.route.marks and headers.keys().isdisjoint(row.route.marks)):
                continue
            if row.route.method == wanted:
                return RouteMatch(row.protocol, row.route, is_path=True, id=found["id"] if found.groups() else "")
            of_path = of_path or RouteMatch(row.protocol, None, is_path=True)
        return of_path or RouteMatch(self._owner_of(path), None, is_path=False)

    def _owner_of(self, path: str) -> ServedProtocol:
        claimed = (each for each in self._protocols if each.claims is not None and each.claims.search(path))
        return next(claimed, self._protocols[0])


def understood(path: str) -> str:
    """Return the route that a path means: without a doubled prefix, a doubled slash before it, and a slash at the end."""
    if path.startswith(("/v1/", "//")):
        path = _DOUBLED.sub("/v1/", path, count=1) if _DOUBLED.match(path) else path
    return path.rstrip("/") or "/"


def _pattern_of(route: ProtocolRoute) -> re.Pattern[str]:
    return re.compile(re.escape(route.path).replace(_ID, "(?P<id>.+)"), re.DOTALL)


def _is_read(route: ProtocolRoute) -> bool:
    return route.method == "GET"
