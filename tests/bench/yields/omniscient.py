"""A scheduler that sees the upstreams' own counters. It is greedy: it takes the best model that admits a request now."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.yields.answers import UpstreamAnswer
from bench.yields.demand import AgentRequest
from bench.yields.scheduler import Decision, GivingUp, RequestWalk, Sending, ServedModel, Waiting, in_static_order
from bench.yields.upstream import ScriptedUpstream
from bench.yields.windows import Counting, TrueWindow

LEAST_OUTPUT = 512
"""A request is not sent where less than this is left of the limit for its answer."""


@dataclass(frozen=True, slots=True)
class _Option:
    served: ServedModel
    upstream: ScriptedUpstream
    needs: tuple[tuple[TrueWindow, float], ...]

    def wait(self, request: AgentRequest, now: float, least: float) -> float:
        """Return the seconds until it admits the request, or something that is not below `least`."""
        longest = self.upstream.crowd_s(request, self.served.model.id, now)
        for window, need in self.needs:
            wait_s = window.wait(need, now)
            if wait_s > longest:
                longest = wait_s
                if longest >= least:
                    break
        return longest


class TrueView:
    """Which models admit a request, by the counters of their upstreams."""

    def __init__(self, models: Sequence[ServedModel], upstreams: Mapping[str, ScriptedUpstream]) -> None:
        self._models = in_static_order(models)
        self._upstreams = upstreams
        self._reserving = {
            served: min(
                (
                    window.limit
                    for window in upstreams[served.provider.name].windows[served.model.id]
                    if window.counting is Counting.RESERVED
                ),
                default=None,
            )
            for served in self._models
        }
        self.is_crowded = any(upstream.manner.crowding for upstream in upstreams.values())
        self._kept: dict[int, tuple[_Option, ...]] = {}

    def max_tokens(self, served: ServedModel, request: AgentRequest) -> int | None:
        """Return what to send: as much as the package would, clamped to what can ever be reserved."""
        sent, limit = served.clamped(request), self._reserving[served]
        if sent is None or limit is None:
            return sent
        return min(sent, max(LEAST_OUTPUT, int(limit) - request.true.prompt_tokens))

    def wait(self, served: ServedModel, request: AgentRequest, now: float) -> float:
        """Return the seconds until the model admits the request; infinity for never."""
        if not served.can_serve(request):
            return math.inf
        upstream = self._upstreams[served.provider.name]
        needs = upstream.needs(request, served.model.id, self.max_tokens(served, request))
        return _Option(served, upstream, needs).wait(request, now, math.inf)

    def soonest(self, request: AgentRequest, now: float) -> tuple[float, ServedModel | None]:
        """Return the shortest wait, and the best model that has it."""
        least, best = math.inf, None
        for option in self._options_of(request):
            wait_s = option.wait(request, now, least)
            if wait_s < least:
                least, best = wait_s, option.served
                if wait_s == 0:
                    break
        return least, best

    def are_one(self, served: ServedModel, other: ServedModel) -> bool:
        """Return whether a call of one takes the place of a call of the other."""
        name = served.provider.name
        if name != other.provider.name:
            return False
        windows = self._upstreams[name].windows
        return list(map(id, windows[served.model.id])) == list(map(id, windows[other.model.id]))

    def open(self, request: AgentRequest, now: float) -> frozenset[ServedModel]:
        """Return the models that admit the request now, one of those that share all their windows."""
        return frozenset(option.served for option in self._options_of(request) if not option.wait(request, now, 0.0))

    def _options_of(self, request: AgentRequest) -> tuple[_Option, ...]:
        options = self._kept.get(request.number)
        if options is None:
            options = self._kept[request.number] = tuple(self._options(request))
        return options

    def _options(self, request: AgentRequest) -> Iterator[_Option]:
        """The models that can serve it. Of those that share all their windows, the best is enough."""
        seen: set[tuple[int, ...]] = set()
        for served in self._models:
            if not served.can_serve(request):
                continue
            upstream = self._upstreams[served.provider.name]
            needs = upstream.needs(request, served.model.id, self.max_tokens(served, request))
            windows = tuple(id(window) for window, _ in needs)
            if windows in seen or any(need > window.limit for window, need in needs):
                continue
            if not upstream.manner.crowding:
                seen.add(windows)
            # The longest first: what a spent day shuts needs no other look.
            longest_first = sorted(needs, key=lambda each: -each[0].period_s)
            yield _Option(served, upstream, tuple(longest_first))


class Omniscient:
    """Is never refused, and never waits while a model is open."""

    def __init__(self, view: TrueView) -> None:
        self._view = view
        self._asked_at = -math.inf
        self._shut: list[tuple[AgentRequest, float]] = []
        """Requests that no model admits at this moment, and when one will: larger ones need not be looked at."""

    def choose(self, walk: RequestWalk, now: float) -> Decision:
        request = walk.request
        if now > self._asked_at:
            self._asked_at = now
            self._shut.clear()
        for smaller, until in self._shut:
            if _is_larger(request, smaller):
                return Waiting(until)
        wait_s, served = self._view.soonest(request, now)
        if served is None:
            return GivingUp()
        if wait_s > 0:
            if not self._view.is_crowded:
                self._shut.append((request, now + wait_s))
            return Waiting(now + wait_s)
        return Sending(served, now, self._view.max_tokens(served, request))

    def settle(self, walk: RequestWalk, sending: Sending, answer: UpstreamAnswer, now: float) -> None:
        self._shut.clear()

    def withdraw(self, walk: RequestWalk, now: float) -> None:
        """It has booked nothing."""


def _is_larger(request: AgentRequest, other: AgentRequest) -> bool:
    """Return whether nothing admits a request that does not admit the other."""
    return (
        request.prompt_bytes >= other.prompt_bytes
        and request.true.prompt_tokens >= other.true.prompt_tokens
        and request.tools >= other.tools
        and request.max_tokens == other.max_tokens
    )
