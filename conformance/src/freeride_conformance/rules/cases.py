"""What the upstream was seen to say, and what follows from it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import msgspec

from freeride_conformance.direct import NOW
from freeride_conformance.evidence import EVIDENCE
from freeride_conformance.rig import PATIENCE_S, Reply, Rig, chat
from freeride_conformance.rule import Rule, rule
from freeride_conformance.subject import ProviderSubject
from freeride_core.gateway.reaction import LONGEST_S, TABLE, Reaction
from freeride_core.ledger.cooldown import Cooldown
from freeride_core.ledger.slots import ALL_MODELS, EVERYONE, Slot
from freeride_core.provider import ErrorKind, Provider, Scope
from freeride_core.simulator.profile import MODELS, Case, Expectation
from freeride_core.simulator.reading import answer_of, expectation_of, reading_of

RULES: list[Rule[ProviderSubject]] = []
SECTION = "Errors"
_SHORT_PATIENCE_S = 0.4
_TOLERANCE_S = 3.0
_SILENT = ("hang", "silence")


def _names(subject: ProviderSubject) -> Iterable[str]:
    return [case.name for case in subject.profile.cases if case.expect is not None and case.operation != MODELS]


@rule(
    RULES,
    SECTION,
    fix="add a `Rule` for what the upstream says here, or correct the case's `expect` if that is wrong",
    variants=_names,
)
def reads_its_cases(subject: ProviderSubject, name: str) -> None:
    """Each thing that the upstream was seen to say leads to its kind, its scope and its wait: in the package's reading, in what
    the gateway cools, and in what the client is told."""
    case = subject.profile.case(name)
    assert case is not None
    assert case.expect is not None
    _check_reading(subject, case)
    with Rig(subject, patience_s=_SHORT_PATIENCE_S if case.play in _SILENT else PATIENCE_S) as rig:
        rig.simulator.script(case.name)
        reply = _ask(rig, subject, case)
        _check_answer(reply, case.expect, TABLE[case.expect.kind])
        _check_cooldown(rig.cooldowns, case.expect, TABLE[case.expect.kind], subject.provider)


def _check_reading(subject: ProviderSubject, case: Case) -> None:
    if case.play is not None:
        return
    answer = answer_of(subject.profile, case, NOW)
    wanted = expectation_of(subject.provider, case, NOW)
    read = reading_of(subject.provider, subject.profile, case, NOW)
    EVIDENCE.note(f"{answer.status} {dict(answer.headers)} {answer.body.decode('utf-8', 'replace')}", str(read))
    assert read == wanted, f"it was read as {_words(read)}, and should be {_words(wanted)}"


def _words(expected: Expectation | None) -> str:
    if expected is None:
        return "no failure"
    parts = {name: getattr(expected, name) for name in ("scope", "retry_after", "feature")}
    return " ".join([expected.kind, *(f"{name}={value}" for name, value in parts.items() if value is not None)])


def _ask(rig: Rig, subject: ProviderSubject, case: Case) -> Reply:
    if case.operation == "embeddings":
        assert subject.profile.embeddings is not None
        return rig.ask({"model": subject.profile.embeddings.models[0], "input": "x"}, "/v1/embeddings")
    is_stream = case.sse is not None or case.play == "silence"
    return rig.ask(chat(subject.profile.default_model, stream=is_stream))


def _check_answer(reply: Reply, expected: Expectation, reaction: Reaction) -> None:
    if reaction.is_final or reaction.leaves_model:
        assert reply.status in (400, 404, 409, 413, 415, 422, 451), f"the client got {reply.status}"
        assert reply.error["message"], "the client is not told what the upstream said"
        return
    assert reply.status == 503, f"the client got {reply.status}"
    told = reply.error["tried"][0]["last_error"]
    assert told == expected.kind.value, f"the client is told {told}, and it was {expected.kind.value}"
    assert int(reply.headers["retry-after"]) >= 1, "the client is not told when to come back"


def _check_cooldown(
    cooldowns: list[tuple[Slot, Cooldown]], expected: Expectation, reaction: Reaction, provider: Provider
) -> None:
    if not reaction.cools or expected.retry_after == 0:
        assert not [slot for slot, cooldown in cooldowns if cooldown.until > time.time()], "something was cooled"
        return
    scope = expected.scope or reaction.scope or provider.meter
    assert cooldowns, "nothing was cooled"
    found = [cooldown for slot, cooldown in cooldowns if _scope_of(slot) is scope]
    assert found, f"{[_scope_of(slot).value for slot, _ in cooldowns]} was cooled, and should be {scope.value}"
    assert found[0].kind == expected.kind.value, f"it was cooled as {found[0].kind}"
    wanted_s = wanted_wait_s(expected, reaction, scope, found[0].noted)
    _check_wait(found[0], wanted_s)


def _check_wait(cooldown: Cooldown, wanted_s: float) -> None:
    wait_s = cooldown.until - cooldown.noted
    assert abs(wait_s - wanted_s) <= _TOLERANCE_S, f"cooled for {wait_s:.0f} s, and should be for {wanted_s:.0f} s"


def wanted_wait_s(expected: Expectation, reaction: Reaction, scope: Scope, noted: float) -> float:
    """How long the contract wants that to be cooled."""
    wait_s = expected.wait_s(noted)
    if wait_s is not None and reaction.trusts_hint:
        return min(wait_s, LONGEST_S)
    if scope in (Scope.MODEL, Scope.ACCOUNT_MODEL) and reaction.model_wait_s is not None:
        return reaction.model_wait_s
    return reaction.wait_s


def _scope_of(slot: Slot) -> Scope:
    if slot.subject == EVERYONE:
        return Scope.PROVIDER if slot.model == ALL_MODELS else Scope.MODEL
    if slot.subject.startswith("key:"):
        return Scope.KEY
    return Scope.ACCOUNT if slot.model == ALL_MODELS else Scope.ACCOUNT_MODEL


def _date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(time.time() + seconds, UTC), usegmt=True)


# Name: the `Retry-After`, more of the error's body, and the seconds to wait; None: as if nothing had been said.
_HINTS: dict[str, tuple[str | None, dict[str, Any], float | None]] = {
    "whole-seconds": ("41", {}, 41),
    "decimal-seconds": ("40.2", {}, 41),
    "http-date": ("date", {}, 90),
    "in-the-past": ("past", {}, None),
    "negative": ("-5", {}, None),
    "senseless": ("soon", {}, None),
    "longer-than-a-day": ("999999", {}, 86400),
    "field-of-the-body": (None, {"details": [{"retryDelay": "17s"}]}, 17),
    "number-in-the-body": (None, {"retry_after": 33}, 33),
    "in-words": (None, {"message": "Slow down. Please try again in 1m12.5s."}, 73),
}


@rule(
    RULES,
    SECTION,
    fix="let freeride_core.retry_hint read the hint, and give it to the failure as `retry_at`",
    needs="chat",
    variants=lambda _: _HINTS,
)
def reads_hints(subject: ProviderSubject, form: str) -> None:
    """When to come back is read in every form that upstreams use: `Retry-After` in seconds, whole or decimal, or as a date,
    fields of the body, and its words. What is past, negative or senseless counts as nothing said; no wait is longer than a day."""
    header, more, wait_s = _HINTS[form]
    headers = {} if header is None else {"retry-after": {"date": _date(90), "past": _date(-90)}.get(header, header)}
    body = json.dumps({"error": {"message": "Slow down.", "code": 429, **more}})
    case = Case(name="hint", status=429, headers=headers, body=body, source="made up", confidence="guess")
    with Rig(subject, profile=msgspec.structs.replace(subject.profile, cases=(*subject.profile.cases, case))) as rig:
        rig.simulator.script("hint")
        reply = rig.ask(chat(subject.profile.default_model))
        assert reply.status == 503, f"the client got {reply.status}"
        assert rig.cooldowns, "nothing was cooled"
        slot, cooldown = rig.cooldowns[0]
        said = Expectation(kind=ErrorKind(cooldown.kind), retry_after=wait_s)
        _check_wait(cooldown, wanted_wait_s(said, TABLE[cooldown.kind], _scope_of(slot), cooldown.noted))
