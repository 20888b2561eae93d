"""One scheduler, one traffic, one set of upstreams, in virtual time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from bench.yields.answers import UpstreamAnswer
from bench.yields.demand import AgentRequest
from bench.yields.omniscient import TrueView
from bench.yields.roster import Roster
from bench.yields.scheduler import MOST_CALLS, RequestWalk, Scheduler, Sending, ServedModel, Waiting
from bench.yields.tally import Course, Tally
from bench.yields.traffic import Arrivals
from bench.yields.upstream import REFUSAL_S, Admission

_SOON_S = 0.5
"""Within which a place that is free is taken by the request it is kept for."""
_SOONEST_S = 1e-3
"""A request is not asked about again sooner than this."""


class Trial:
    """Plays the traffic to its end. What is under way then still ends, and what still waits is left out."""

    def __init__(self, scheduler: Scheduler, roster: Roster, arrivals: Arrivals, patience_s: float) -> None:
        self._scheduler = scheduler
        self._roster = roster
        self._arrivals = arrivals
        self._patience_s = patience_s
        self._view = TrueView(roster.models, roster.upstreams)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()
        self._waiting: dict[RequestWalk, float] = {}
        self._homes: dict[int, ServedModel] = {}
        self._courses: dict[RequestWalk, Course] = {}
        self._tally = Tally()
        self._passed_by: list[tuple[float, Course, set[ServedModel]]] = []
        """Failures, and the models that were open to them then."""

    def play(self) -> Tally:
        """Return what became of every request."""
        for at, request in self._arrivals.requests:
            self._arrive_at(at, request)
        while self._events:
            now, _, act = heapq.heappop(self._events)
            act(now)
        return self._tally

    # Requests

    def _arrive_at(self, at: float, request: AgentRequest) -> None:
        if at < self._arrivals.ends_at:
            self._at(at, lambda now: self._arrive(request, now))

    def _arrive(self, request: AgentRequest, now: float) -> None:
        home = self._homes.get(request.conversation)
        has_room = home is not None and self._view.wait(home, request, now) == 0
        walk = RequestWalk(request, now)
        self._courses[walk] = Course(request, now, home, has_room)
        self._step(walk, now)

    def _step(self, walk: RequestWalk, now: float) -> None:
        self._waiting.pop(walk, None)
        if now >= self._arrivals.ends_at or len(walk.asked) >= MOST_CALLS:
            self._fail(walk, now)
            return
        decision = self._scheduler.choose(walk, now)
        if isinstance(decision, Sending):
            if decision.at > now:
                self._at(decision.at, lambda then: self._send(walk, decision, then))
            else:
                self._send(walk, decision, now)
        elif isinstance(decision, Waiting):
            until = max(decision.until, now + _SOONEST_S)
            if until > walk.began_at + self._patience_s:
                self._scheduler.withdraw(walk, now)
                self._fail(walk, now)
            else:
                self._waiting[walk] = until
                self._at(until, lambda then: self._resume(walk, until, then))
        else:
            self._fail(walk, now)

    def _resume(self, walk: RequestWalk, until: float, now: float) -> None:
        if self._waiting.get(walk) == until:
            self._step(walk, now)

    def _resume_waiting(self, now: float) -> None:
        """Another call has ended: ask for those that wait, the first first, until one has to wait on."""
        for walk in sorted(self._waiting, key=lambda each: each.began_at):
            if walk not in self._waiting:
                continue
            self._step(walk, now)
            if walk in self._waiting:
                return

    def _fail(self, walk: RequestWalk, now: float) -> None:
        course = self._courses.pop(walk)
        if now < self._arrivals.ends_at:
            course.is_failed = True
            if open_models := self._view.open(walk.request, now):
                course.was_open = True
                self._passed_by.append((now, course, set(open_models)))
            self._tally.courses.append(course)
        self._follow(walk.request, now)

    def _follow(self, request: AgentRequest, now: float) -> None:
        if request.following is not None:
            self._arrive_at(now + request.pause_s, request.following)

    # Calls

    def _send(self, walk: RequestWalk, sending: Sending, now: float) -> None:
        served = sending.to
        walk.asked.append(served)
        self._tally.calls += 1
        upstream = self._roster.upstreams[served.provider.name]
        got = upstream.receive(walk.request, served.model.id, sending.max_tokens, now)
        if isinstance(got, Admission):
            self._take_up(served, now)
            self._at(got.ends_at, lambda then: self._serve(walk, sending, got, then))
        else:
            self._at(now + REFUSAL_S, lambda then: self._refuse(walk, sending, got, then))

    def _take_up(self, served: ServedModel, now: float) -> None:
        """A call takes a place that one failure has left: where that was for a moment, it was promised to this call."""
        self._passed_by = [passed for passed in self._passed_by if now - passed[0] <= _SOON_S]
        for _, course, models in self._passed_by:
            taken = next((other for other in models if self._view.are_one(served, other)), None)
            if taken is not None:
                models.remove(taken)
                course.was_open = bool(models)
                return

    def _refuse(self, walk: RequestWalk, sending: Sending, answer: UpstreamAnswer, now: float) -> None:
        self._tally.refused += 1
        self._scheduler.settle(walk, sending, answer, now)
        self._step(walk, now)
        self._resume_waiting(now)

    def _serve(self, walk: RequestWalk, sending: Sending, admission: Admission, now: float) -> None:
        upstream = self._roster.upstreams[sending.to.provider.name]
        answer = upstream.finish(admission, now)
        self._scheduler.settle(walk, sending, answer, now)
        course = self._courses.pop(walk)
        course.sent_at, course.served_by, course.is_cut = admission.at, sending.to, answer.is_cut
        self._homes[walk.request.conversation] = sending.to
        self._tally.courses.append(course)
        self._follow(walk.request, now)
        self._resume_waiting(now)

    def _at(self, at: float, act: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (at, next(self._order), act))
