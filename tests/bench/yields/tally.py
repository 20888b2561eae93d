"""What became of the requests of one trial."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.yields.demand import AgentRequest
from bench.yields.scheduler import ServedModel

TOP_TIER = 1
_LEAST_DAY_S = 6 * 3600.0
"""What is shorter has no morning and no evening."""


@dataclass(slots=True)
class Course:
    """One request's course, from its arrival to its answer or failure."""

    request: AgentRequest
    began_at: float
    home: ServedModel | None
    """The model that served the conversation's last turn."""
    had_room_at_home: bool
    sent_at: float | None = None
    """When the call that served it was sent."""
    served_by: ServedModel | None = None
    is_failed: bool = False
    was_open: bool = False
    """Of a failure: whether a fitting model would have admitted the request at that moment, and none that came just after took its
    place."""
    is_cut: bool = False


@dataclass(slots=True)
class Tally:
    """The courses of one trial, and how many calls it took. Sums of several trials are made by `merged`."""

    courses: list[Course] = field(default_factory=list)
    calls: int = 0
    refused: int = 0

    @property
    def served(self) -> list[Course]:
        return [course for course in self.courses if course.served_by is not None]

    @property
    def failures(self) -> int:
        return sum(course.is_failed for course in self.courses)

    @property
    def open_failures(self) -> int:
        return sum(course.is_failed and course.was_open for course in self.courses)

    @property
    def waits_s(self) -> list[float]:
        """Return how long requests that were served had waited for the call that served them, sorted."""
        return sorted(course.sent_at - course.began_at for course in self.served if course.sent_at is not None)

    @property
    def cut(self) -> int:
        return sum(course.is_cut for course in self.courses)

    def at_home(self, *, with_room: bool) -> float | None:
        """Return the share of later turns that their conversation's model served: of those for which it had room, or of all."""
        later = [
            course for course in self.served if course.home is not None and (course.had_room_at_home or not with_room)
        ]
        return _share(sum(course.served_by is course.home for course in later), len(later))

    @property
    def light_on_top(self) -> float | None:
        """Return the share of light requests that took a model of the top tier."""
        light = [course for course in self.served if course.request.light]
        return _share(sum(_is_on_top(course) for course in light), len(light))

    @property
    def tools_late_to_early(self) -> float | None:
        """Return the share of tool requests on the top tier in the last third of a day's, by that in the first third."""
        tools = sorted((course for course in self.courses if course.request.tools), key=lambda course: course.began_at)
        if not tools or tools[-1].began_at - tools[0].began_at < _LEAST_DAY_S:
            return None
        third = len(tools) // 3
        early = sum(_is_on_top(course) for course in tools[:third])
        return _share(sum(_is_on_top(course) for course in tools[len(tools) - third :]), early)


def merged(tallies: Iterable[Tally]) -> Tally:
    """Return the sum. Shares that compare times of a day are those of one trial only."""
    whole = Tally()
    for tally in tallies:
        whole.courses += tally.courses
        whole.calls += tally.calls
        whole.refused += tally.refused
    return whole


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of sorted values does not exceed; 0 of none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def mean(values: list[float]) -> float:
    return statistics.fmean(values) if values else 0.0


def _is_on_top(course: Course) -> bool:
    return course.served_by is not None and course.served_by.model.tier == TOP_TIER


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
