"""What a test or a person has told a simulator to answer, whatever is asked."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from freeride_core.simulator.behaviour import BEHAVIOURS
from freeride_core.simulator.profile import GOOD, MODELS, Profile

_CATALOG_PREFIX = MODELS + ":"


@dataclass(frozen=True, slots=True)
class _Standing:
    name: str
    key: str | None
    model: str | None


class Orders:
    """Names of cases and built-ins, in the order in which they are to be played."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._next: deque[str] = deque()
        self._next_catalog: deque[str] = deque()
        self._standing: tuple[_Standing, ...] = ()

    def script(self, *names: str) -> None:
        """For the next requests, one each. ValueError: there is no such name."""
        for name in names:
            plain, is_catalog = self._resolve(name)
            (self._next_catalog if is_catalog else self._next).append(plain)

    def always(self, name: str | None, *, key: str | None = None, model: str | None = None) -> None:
        """For all requests, or those of this key or for this model; the latest order wins; None ends them all."""
        if name is None:
            self._standing = ()
            return
        plain, is_catalog = self._resolve(name)
        if is_catalog:
            raise ValueError(f"{name!r} cannot be played always: the catalog takes single orders only")
        self._standing = (_Standing(plain, key, model), *self._standing)

    def take(self, *, is_catalog: bool, key: str, model: str) -> str | None:
        """Return what this request gets, or None if nothing was ordered."""
        queue = self._next_catalog if is_catalog else self._next
        if queue:
            return queue.popleft()
        if is_catalog:
            return None
        fitting = (order for order in self._standing if order.key in {None, key} and order.model in {None, model})
        return next((order.name for order in fitting), None)

    def _resolve(self, name: str) -> tuple[str, bool]:
        plain = name.removeprefix(_CATALOG_PREFIX)
        case = self._profile.case(plain)
        if case is None and plain not in BEHAVIOURS and plain not in GOOD:
            raise ValueError(f"{self._profile.provider} has no case or built-in {name!r}")
        return plain, plain != name or plain == MODELS or (case is not None and case.operation == MODELS)
