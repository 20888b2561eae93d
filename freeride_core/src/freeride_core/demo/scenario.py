"""The scenario: a few requests, and what happens to a provider before each of them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from freeride_core.demo.ask import Ask, AskResult, Words, send
from freeride_core.demo.environment import DemoEnvironment
from freeride_core.demo.screen import Screen
from freeride_core.events.records import Event
from freeride_core.plugins.discovery import Plugins
from freeride_core.simulator import Profile, Simulator

_PATIENCE_S = 0.7
"""How long a silent upstream may keep a stream waiting: short enough to watch."""
_SOON_S = 10.0
"""The story waits for a provider that is back sooner than this."""
_LONGEST_S = 30.0
_LAST_EVENT_S = 3.0
_POLL_S = 0.05
_WITH_TWO_KEYS = 2
"""Which provider has a second key: the one that is asked when the first two have run out."""

_STREAMED = "Word by word from {}: you see every answer as it is written, and none of the trouble before it."


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of rest, so that people can follow."""

    before_s: float = 0.0
    failed_s: float = 0.0
    word_s: float = 0.0
    after_s: float = 0.0
    minute_s: float = 1.5
    """How long the free minute that runs out has still to go."""


HUMANE = Pace(before_s=0.25, failed_s=0.5, word_s=0.045, after_s=0.25, minute_s=5.5)
FAST = Pace()


@dataclass(frozen=True, slots=True)
class Cue:
    """What happens, in words, and how the request that meets it is made."""

    told: str
    stream: bool = False
    text: str = "Hello from {}."
    comes_back: str = ""
    """A provider to wait for."""


Step = Callable[[DemoEnvironment, Pace], Cue | None]
"""Makes something happen, and returns its sentence. Returns None, and changes nothing, if the providers' state does not fit."""


def _greet(stage: DemoEnvironment, pace: Pace) -> Cue | None:  # noqa: ARG001 - one shape for all acts
    return Cue("A plain question, a plain answer.") if stage.ready() else None


def _run_out_of_minute(stage: DemoEnvironment, pace: Pace) -> Cue | None:
    ready = stage.ready()
    if len(ready) < 2 or not stage.use_up(ready[0], "minute", pace.minute_s):
        return None
    return Cue(f"{_name(ready[0])}'s limit per minute is reached: the same request goes on to the next provider.")


def _leave_alone(stage: DemoEnvironment, pace: Pace) -> Cue | None:  # noqa: ARG001
    first = stage.standings()[0]
    return None if first.is_ready else Cue(f"{first.name} is paused until it can answer again.")


def _run_out_of_day(stage: DemoEnvironment, pace: Pace) -> Cue | None:  # noqa: ARG001
    ready = stage.ready()
    if len(ready) < 2 or not stage.use_up(ready[0], "day"):
        return None
    return Cue(f"{_name(ready[0])}'s daily quota is used up.")


def _revoke_key(stage: DemoEnvironment, pace: Pace) -> Cue | None:  # noqa: ARG001
    ready = stage.ready()
    keys = stage.keys_ready(ready[0]) if ready else []
    if len(keys) < 2:
        return None
    ready[0].always("bad-key", key=keys[0])
    return Cue(f"A key of {_name(ready[0])} is revoked. There is a second one.")


def _fall_silent(stage: DemoEnvironment, pace: Pace) -> Cue | None:  # noqa: ARG001
    ready = stage.ready()
    if len(ready) < 2 or _returning(stage, 2 * _PATIENCE_S):
        return None
    ready[0].script("hang")
    if len(ready) == 2:
        return Cue(f"{_name(ready[0])} takes the request and sends nothing.", stream=True)
    ready[1].script("error-first-event")
    return Cue(f"{_name(ready[0])} sends nothing, and {_name(ready[1])} sends 200 and then an error.", stream=True)


def _come_back(stage: DemoEnvironment, pace: Pace) -> Cue | None:  # noqa: ARG001
    first = stage.standings()[0]
    if first.name not in stage.short_of_minute or not (first.is_ready or _returning(stage, _SOON_S)):
        return None
    return Cue(f"{first.name} has a new minute: it is the first to be asked again.", comes_back=first.name)


def _die(stage: DemoEnvironment, pace: Pace) -> Cue | None:  # noqa: ARG001
    ready = stage.ready()
    if len(ready) < 2:
        return None
    stage.kill(ready[0])
    return Cue(f"{_name(ready[0])} goes down: its port is closed.")


def _stream(stage: DemoEnvironment, pace: Pace) -> Cue | None:  # noqa: ARG001
    return Cue("A stream, as it comes.", stream=True, text=_STREAMED) if stage.ready() else None


STEPS: Sequence[Step] = (
    _greet,
    _run_out_of_minute,
    _leave_alone,
    _run_out_of_day,
    _revoke_key,
    _fall_silent,
    _come_back,
    _die,
    _stream,
)


def environment_for(plugins: Plugins, profiles: Sequence[Profile], story: Scenario, *, pace: float) -> DemoEnvironment:
    """The story's stage: one model a provider, asked in the providers' own order, so that people can follow."""
    extra = {
        "FREERIDE_PROVIDERS": ",".join(profile.provider for profile in profiles),
        "FREERIDE_FIRST_BYTE_TIMEOUT": str(_PATIENCE_S),
        "FREERIDE_QUOTA": "off",  # the story shows refusals, which a gateway that counts does not provoke
    }
    for profile in profiles:
        extra[f"FREERIDE_{profile.provider.upper()}_FREE_MODELS"] = profile.default_model
    for profile in [profile for profile in profiles[: _WITH_TWO_KEYS + 1][-1:] if profile.key_variable]:
        extra[f"{profile.key_variable}_2"] = _another(profile.good_key)
    return DemoEnvironment(plugins, profiles, story.observe, pace=pace, extra=extra)


class Scenario:
    """Tells itself on a screen, once. The gateway's events are to be given to `observe`."""

    def __init__(self, screen: Screen, pace: Pace) -> None:
        self.asks: list[Ask] = []
        self._screen = screen
        self._pace = pace
        self._news: queue.Queue[Event | Words | AskResult] = queue.Queue()
        self._early: list[Words] = []
        """What came before the event that says from whom."""

    @property
    def observe(self) -> Callable[[Event], object]:
        return self._news.put

    def tell(self, stage: DemoEnvironment) -> None:
        """Every act that these providers can play, each at its first chance."""
        pending = list(STEPS)
        while (found := self._next(pending, stage)) is not None:
            act, cue = found
            pending.remove(act)
            self._screen.narrate(cue.told)
            if cue.comes_back:
                self._wait_for(stage, cue.comes_back)
            stage.say(cue.text.format)
            self.asks.append(self._ask(stage.url, cue))

    def _next(self, pending: Sequence[Step], stage: DemoEnvironment) -> tuple[Step, Cue] | None:
        for act in pending:
            cue = act(stage, self._pace)
            if cue is not None:
                return act, cue
        return None

    def _wait_for(self, stage: DemoEnvironment, name: str) -> None:
        deadline = time.monotonic() + _SOON_S
        while time.monotonic() < deadline and name not in {_name(simulator) for simulator in stage.ready()}:
            time.sleep(_POLL_S)

    def _ask(self, url: str, cue: Cue) -> Ask:
        ask = Ask(len(self.asks) + 1, cue.stream)
        self._screen.begin(ask)
        time.sleep(self._pace.before_s)
        threading.Thread(
            target=send, args=(url,), kwargs={"stream": cue.stream, "put": self._news.put}, daemon=True
        ).start()
        deadline = time.monotonic() + _LONGEST_S
        while not (ask.is_told and ask.is_over) and time.monotonic() < deadline:
            try:
                news = self._news.get(timeout=_LAST_EVENT_S if ask.is_over else _LONGEST_S)
            except queue.Empty:
                break
            self._take(ask, news)
        self._speak(ask)
        time.sleep(self._pace.after_s)
        self._screen.end(ask)
        return ask

    def _take(self, ask: Ask, news: Event | Words | AskResult) -> None:
        if isinstance(news, Words):
            self._early.append(news)
            if ask.hops and ask.hops[-1].is_good:
                self._speak(ask)
        elif isinstance(news, AskResult):
            ask.status, ask.provider, ask.attempts = news.status, news.provider, news.attempts
            ask.duration_ms, ask.is_over = news.duration_ms, True
        elif not self._is_old(news):
            hop = ask.note(news)
            if hop is not None and hop.is_good:
                self._speak(ask)
            elif hop is not None:
                time.sleep(self._pace.failed_s)

    def _speak(self, ask: Ask) -> None:
        for words in self._early:
            ask.text += words.text
            time.sleep(self._pace.word_s)
        self._early.clear()

    def _is_old(self, event: Event) -> bool:
        return event["request_id"] in {ask.request_id for ask in self.asks}


def _returning(stage: DemoEnvironment, within_s: float) -> str:
    """Return the provider that will be asked first again within this time, or an empty text if none will."""
    first = stage.standings()[0]
    cooldown = first.cooldown
    is_soon = cooldown is not None and cooldown.until < time.time() + within_s
    return first.name if is_soon else ""


def _name(simulator: Simulator) -> str:
    return simulator.profile.provider


def _another(key: str) -> str:
    """A key of the same form."""
    return key[:-1] + ("2" if key[-1] != "2" else "3")
