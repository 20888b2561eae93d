"""The event bus: takes events on the request path, and hands them on off it.

    request_start              model, stream, operation, client?
    provider_attempt           provider, key_index, model, operation, hedge?
    provider_response          provider, key_index, model, duration_ms, status, retry_after_s?, first_chunk?, hedge?
    request_wait               provider, wait_s
    request_complete           provider, model, attempts, duration_ms, usage?
    request_failed             code, tried
    request_mid_stream_error   provider, model, kind
    events_dropped             dropped

Each also has `ts` (seconds since the epoch), `type` and `request_id`. `status` is `OK`, `CANCELLED` or an error kind in upper case,
`tried` the names of the providers. No event holds a key, a prompt or an answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pluggy

from freeride_core.events.records import Event, EventRecord, RequestComplete, as_mapping

Observer = Callable[[Event], object]
"""Called with one event after the other, in order, by one worker thread at a time; must not block for long."""

Count = Callable[[Sequence[Event | EventRecord]], None]
"""Called in the event loop with each batch, once it was handed on. Never raises."""

_CAPACITY = 10_000
_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where events are kept."""

    def write(self, events: Sequence[Event | EventRecord]) -> int:
        """Keeps the events; returns how many were lost. Never raises."""


class EventBus:
    """Takes events on the request path and keeps them until the drain comes. Belongs to the event loop's thread."""

    def __init__(self, *, capacity: int = _CAPACITY, now: Callable[[], float] = time.time) -> None:
        self.now = now
        """Seconds since the epoch."""
        self._capacity = capacity
        self._pending: deque[Event | EventRecord] = deque(maxlen=capacity)
        self._lost = 0

    def emit(self, type: str, request_id: str, **fields: Any) -> None:  # noqa: A002 - the field's name
        """Notes an event. When the drain cannot keep up the oldest one makes room and is counted."""
        self.note({"ts": self.now(), "type": type, "request_id": request_id, **fields})

    def note(self, event: Event | EventRecord) -> None:
        """The same for an event that is made already, its `ts` from `now`."""
        pending = self._pending
        if len(pending) == self._capacity:
            self._lost += 1
        pending.append(event)

    def count_lost(self, number: int) -> None:
        """Notes that events were taken and could not be kept."""
        self._lost += number

    def take(self) -> list[Any]:
        """The events, mappings and records, since the last call, oldest first. If some were lost, `events_dropped` with their
        number leads."""
        pending = self._pending
        events = [pending.popleft() for _ in range(len(pending))]
        if events and self._lost:
            lost, self._lost = self._lost, 0
            first = events[0]
            ts = first.ts if isinstance(first, EventRecord) else first["ts"]
            events.insert(0, {"ts": ts, "type": "events_dropped", "request_id": "", "dropped": lost})
        return events


def ignore(_events: Sequence[Event | EventRecord]) -> None:
    """Nothing in this process counts events."""


async def drain(
    bus: EventBus,
    sink: Sink | None,
    observers: Sequence[Observer] = (),
    *,
    count: Count = ignore,
    every_s: float = 0.1,
) -> None:
    """Hands the bus's events to the sink, the observers and `count` until it is cancelled, and what is left then.

    A worker thread does it, so that neither a slow disk nor a slow observer holds up a request."""
    delivery = _Delivery(sink, observers)
    try:
        while True:
            await asyncio.sleep(every_s)
            await _deliver(bus, delivery, count)
    finally:
        await _deliver(bus, delivery, count)


async def _deliver(bus: EventBus, delivery: _Delivery, count: Count) -> None:
    events = bus.take()
    if not events:
        return
    work = asyncio.ensure_future(asyncio.to_thread(delivery.deliver, events))
    is_cancelled = False
    while not work.done():
        # The thread goes on regardless of how often we are told to stop; what follows must not overtake it.
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            is_cancelled = True
    bus.count_lost(work.result())
    count(events)
    if is_cancelled:
        raise asyncio.CancelledError


class _Delivery:
    """One batch after the other to a sink and to observers, whatever they do."""

    def __init__(self, sink: Sink | None, observers: Sequence[Observer]) -> None:
        self._sink = sink
        self._observers = observers
        self._reported: set[int] = set()

    def deliver(self, events: Sequence[Event | EventRecord]) -> int:
        """Returns how many events the sink lost."""
        for event in events:
            if isinstance(event, RequestComplete):
                event.finish()
        lost = self._sink.write(events) if self._sink is not None else 0
        mappings = [as_mapping(event) for event in events] if self._observers else ()
        for number, observer in enumerate(self._observers):
            for event in mappings:
                try:
                    observer(event)
                except BaseException as error:  # a plugin's SystemExit in this thread would stop the gateway's loop
                    self._report(number, observer, error)
        return lost

    def _report(self, number: int, observer: Observer, error: BaseException) -> None:
        if number not in self._reported:
            self._reported.add(number)
            # Without the error's text: a plugin may put anything there.
            name = getattr(observer, "__qualname__", type(observer).__qualname__)
            _log.warning("an observer of events failed (%s: %s); reported once", name, type(error).__name__)


def plugin_observers(hooks: pluggy.PluginManager) -> list[Observer]:
    """One observer for each plugin that implements `freeride_event`, so that none can keep an event from another."""
    return [
        _plugin_observer(hooks, implementation.plugin) for implementation in hooks.hook.freeride_event.get_hookimpls()
    ]


def _plugin_observer(hooks: pluggy.PluginManager, plugin: object) -> Observer:
    call = hooks.subset_hook_caller("freeride_event", [other for other in hooks.get_plugins() if other is not plugin])

    def observe(event: Event) -> None:
        call(event=event)

    observe.__qualname__ = f"plugin {hooks.get_name(plugin)}"
    return observe
