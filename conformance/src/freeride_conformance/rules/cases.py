"""What the upstream was seen to say, and what follows from it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import msgspec

from freeride_conformance import second_provider
from freeride_conformance.direct import NOW
from freeride_conformance.evidence import EVIDENCE
from freeride_conformance.rig import PATIENCE_S, GatewayResponse, Rig, chat
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import ProviderSubject
from freeride_core.answer import Answer, ErrorKind, Phase, Scope
from freeride_core.call import Operation
from freeride_core.compatible import retry_after
from freeride_core.compatible.usual_rules import by_status
from freeride_core.gateway.walk.reaction import LONGEST_S, TABLE, Reaction
from freeride_core.ledger.cooldowns import Cooldown
from freeride_core.ledger.quota.allowance import Allowance, AmountSource
from freeride_core.ledger.slots import ALL_MODELS, EVERYONE, Slot
from freeride_core.provider import Provider
from freeride_core.simulator.profile import MODELS, Case, Expectation
from freeride_core.simulator.reading import answer_of, expectation_of, reading_of

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Errors"
_SHORT_PATIENCE_S = 0.4
_TOLERANCE_S = 3.0
_SILENT = ("hang", "silence")


def _names(subject: ProviderSubject) -> Iterable[str]:
    return [case.name for case in subject.profile.cases if case.expect is not None]


@rule(
    RULES,
    SECTION,
    fix="add a `ConformanceRule` for what the upstream says here, or correct the case's `expect` if that is wrong",
    variants=_names,
)
def reads_its_cases(subject: ProviderSubject, name: str) -> None:
    """Each case is read as its kind, scope, wait and account. This holds for the package's reading, for the gateway's cooldown,
    and for the client's error, which is the upstream's message if no other provider can answer. With a hint of when to retry,
    the wait is as long as the hint."""
    case = subject.profile.case(name)
    assert case is not None
    assert case.expect is not None
    _check_reading(subject, case)
    if case.operation == MODELS:
        return  # no client sees what came of asking for the list
    patience_s = _SHORT_PATIENCE_S if case.play in _SILENT else PATIENCE_S
    with Rig(subject, patience_s=patience_s, with_limits=True) as rig:
        rig.simulator.script(case.name)
        reply = _ask(rig, subject, case)
        _check_answer(reply, case.expect, TABLE[case.expect.kind])
        if (
            reply.status != 503
            and case.body is not None
            and (said := _said(answer_of(subject.profile, case, NOW).body))
        ):
            words = reply.error["message"]
            assert any(part in words for part in said), f"the client is told {words!r}, which the upstream did not say"
        if not _is_of_limit(rig.allowances, case.expect):
            _check_cooldown(rig.cooldowns, case.expect, TABLE[case.expect.kind], subject.provider)


def _check_reading(subject: ProviderSubject, case: Case) -> None:
    if case.play is not None:
        return
    answer = answer_of(subject.profile, case, NOW)
    wanted = expectation_of(subject.provider, case, NOW)
    read = reading_of(subject.provider, subject.profile, case, NOW)
    EVIDENCE.note(f"{answer.status} {dict(answer.headers)} {answer.body.decode('utf-8', 'replace')}", str(read))
    assert read == wanted, f"it was read as {_words(read)}, and should be {_words(wanted)}"
    if case.expect is not None and case.operation != MODELS:
        _check_believes_hints(subject, case, answer)


_HINTED_S = 23.0


def _check_believes_hints(subject: ProviderSubject, case: Case, answer: Answer) -> None:
    """Said with a hint, it waits for as long as that says. Only a case whose own hint is not believed shows that none is to be."""
    if retry_after.of(answer, answer.text[:2000]) is not None:
        return
    hinted = dataclasses.replace(answer, headers={**answer.headers, "retry-after": f"{_HINTED_S:.0f}"})
    wire = subject.provider.wires[Operation.EMBEDDINGS if case.operation == "embeddings" else Operation.CHAT]
    plain, said = wire.read(answer).failure, wire.read(hinted).failure
    if plain is None or said is None or plain.kind != said.kind:
        return  # the header itself tells what it is
    EVIDENCE.note(f"{hinted.status} {dict(hinted.headers)} {hinted.body.decode('utf-8', 'replace')}", str(said))
    assert said.retry_at == hinted.now + _HINTED_S, "with a Retry-After of 23 s it does not wait as long as that"


def _said(body: bytes) -> list[str]:
    """Every text in an error body that could be meant for people: the first words of it, which no gateway shortens."""
    try:
        places = [json.loads(body)]
    except ValueError:
        places = [body.decode("utf-8", "replace").strip()]
    found = []
    while places:
        place = places.pop()
        if isinstance(place, str) and " " in place:
            found.append(place[:40])
        elif isinstance(place, (dict, list)):
            places += place.values() if isinstance(place, dict) else place
    return found


def _words(expected: Expectation | None) -> str:
    if expected is None:
        return "no failure"
    parts = {name: getattr(expected, name) for name in ("scope", "retry_after", "feature", "account", "limit")}
    return " ".join([expected.kind, *(f"{name}={value}" for name, value in parts.items() if value is not None)])


def _ask(rig: Rig, subject: ProviderSubject, case: Case) -> GatewayResponse:
    if case.operation == "embeddings":
        assert subject.profile.embeddings is not None
        return rig.ask({"model": subject.profile.embeddings.models[0], "input": "x"}, "/v1/embeddings")
    is_stream = case.sse is not None or case.play == "silence"
    return rig.ask(chat(subject.profile.default_model, stream=is_stream))


def _check_answer(reply: GatewayResponse, expected: Expectation, reaction: Reaction) -> None:
    if reaction.is_final or reaction.leaves_model:
        assert reply.status in (400, 404, 409, 413, 415, 422, 451), f"the client got {reply.status}"
        assert reply.error["message"], "the client is not told what the upstream said"
        return
    assert reply.status == 503, f"the client got {reply.status}"
    told = reply.error["tried"][0]["last_error"]
    assert told == expected.kind.value, f"the client is told {told}, and it was {expected.kind.value}"
    assert int(reply.headers["retry-after"]) >= 1, "the client is not told when to come back"


def _is_of_limit(allowances: list[Allowance], expected: Expectation) -> bool:
    """Whether the refusal is about one of the limits, which is then full or shut as long as the upstream says. No slot cools."""
    now = time.time()
    named = [allowance for allowance in allowances if allowance.limit.limit_name == expected.limit]
    assert named or expected.limit is None, f"it states no limit {expected.limit!r} for the model that was asked"
    shut = [allowance for allowance in named or allowances if allowance.window.shut_until > now]
    wait_s = expected.wait_s(now)
    if expected.kind in (ErrorKind.RATE_LIMIT, ErrorKind.QUOTA_EXHAUSTED) and wait_s is not None and shut:
        waited_s = max(allowance.window.shut_until for allowance in shut) - now
        assert abs(waited_s - wait_s) <= _TOLERANCE_S, f"shut for {waited_s:.0f} s, and should be for {wait_s:.0f} s"
    return bool(shut) or any(allowance.source is AmountSource.TOLD for allowance in named)


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


_STRANGE = b'{"error":{"message":"The flux is out of phase.","type":"strange"}}'
_BROAD = (400, 422)
"""Statuses that upstreams give to anything: no number of cases shows that one means the same whatever the words."""
_USUAL_STATUSES = (400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504, 529)


def _unexplained(subject: ProviderSubject) -> Iterable[str]:
    """The statuses of which no cases show that they mean something else whatever the words: one without any, or two with others."""
    for status in _USUAL_STATUSES:
        kind = by_status(status)
        usual = Expectation(kind=kind, scope=usual_scope(kind, subject.provider))
        cases = [case for case in subject.profile.cases if case.status == status and case.body is not None]
        meanings = {expectation_of(subject.provider, case, NOW) for case in cases}
        is_wordless = any(not _said((case.body or "").encode()) for case in cases)
        is_wordless = is_wordless or (status not in _BROAD and len({case.body for case in cases}) > 1)
        if usual in meanings or len(meanings) != 1 or not is_wordless:
            yield str(status)


def usual_scope(kind: str, provider: Provider) -> Scope:
    """What a failure of that kind is about where nothing is said."""
    if kind == ErrorKind.RATE_LIMIT:
        return provider.meter
    return TABLE[kind].scope or Scope.MODEL


@rule(
    RULES,
    SECTION,
    fix="bind each `Rule` to the code or the words that mean it, and leave the rest to "
    "`freeride_core.compatible.usual_rules.by_status`. Where a status alone means something else, "
    "show it by a case without words, or by two with different ones",
    needs="chat",
    variants=_unexplained,
)
def reads_the_unknown_by_its_status(subject: ProviderSubject, status: str) -> None:
    """An unknown message is read by its status, as is usual for that, and never as the client's fault. The message is kept for
    the client."""
    answer = Answer(int(status), {"content-type": "application/json"}, _STRANGE, NOW)
    for operation, wire in subject.provider.wires.items():
        failure = wire.read(answer).failure
        EVIDENCE.note(f"{status} {_STRANGE.decode()}", str(failure))
        assert failure is not None, f"{operation}: it sees no failure in a {status}"
        usual = by_status(int(status))
        assert failure.kind == usual, (
            f"{operation}: it reads it as {failure.kind}, and nothing says more than {usual.value}"
        )
        scope = failure.scope or usual_scope(usual, subject.provider)
        wanted = usual_scope(usual, subject.provider)
        assert scope == wanted, f"{operation}: it is about {scope.value}, and nothing says more than {wanted.value}"
        if status == "400":
            assert "out of phase" in failure.message, (
                f"{operation}: of the upstream's words it keeps {failure.message!r}"
            )
        assert failure.retry_at is None, f"{operation}: it waits, and nothing says until when"
        assert failure.feature is None, f"{operation}: it learns that {failure.feature} is missing, and nothing says so"


@rule(
    RULES,
    SECTION,
    fix="read `Phase.BODY` too: an error in a 200 is an error; give its status where it states one",
    needs="chat",
)
def passes_over_an_error_in_a_200(subject: ProviderSubject) -> None:
    """A response of status 200 that holds an error does not serve. Another provider answers the same request."""
    body = json.dumps({"error": {"message": "Something broke.", "code": 503}})
    case = Case(name="error-in-a-good-status", body=body, source="made up", confidence="guess")
    answer = Answer(200, {"content-type": "application/json"}, body.encode(), NOW, Phase.BODY)
    for operation, wire in subject.provider.wires.items():
        EVIDENCE.note(f"200 {body}", "(it was not sent)")
        assert wire.read(answer).failure is not None, f"{operation}: it sees no failure"
    profile = msgspec.structs.replace(subject.profile, cases=(*subject.profile.cases, case))
    with Rig(subject, profile=profile, with_partner=True) as rig:
        rig.simulator.always("error-in-a-good-status")
        reply = rig.ask(chat("auto"))
        assert reply.status == 200, f"the client got {reply.status}"
        assert reply.headers["x-freeride-provider"] == second_provider.NAME, "the error was taken for an answer"


def _hint(header: str | None, now: float) -> dict[str, str]:
    if header is None:
        return {}
    away_s = {"date": 90, "past": -90}.get(header)
    if away_s is None:
        return {"retry-after": header}
    return {"retry-after": format_datetime(datetime.fromtimestamp(now + away_s, UTC), usegmt=True)}


# Name: the `Retry-After`, more of the error's body, and the seconds to wait, or None as if nothing had been said.
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
    fix="let freeride_core.compatible.retry_after read the hint, and give it to the failure as `retry_at`",
    needs="chat",
    variants=lambda _: _HINTS,
)
def reads_hints(subject: ProviderSubject, form: str) -> None:
    """The time of the next try is read in every form that upstreams use: `Retry-After` in seconds, whole or decimal, or as a
    date, fields of the body, and words. A past, negative or senseless time is ignored, and no wait is longer than a day."""
    header, more, wait_s = _HINTS[form]
    body = json.dumps({"error": {"message": "Slow down.", "code": 429, **more}})
    for operation, wire in subject.provider.wires.items():
        answer = Answer(429, _hint(header, NOW), body.encode(), NOW)
        failure = wire.read(answer).failure
        EVIDENCE.note(f"429 {answer.headers} {body}", str(failure))
        assert failure is not None, f"{operation}: it sees no failure"
        read_s = None if failure.retry_at is None or failure.retry_at < NOW else min(failure.retry_at - NOW, 86400)
        is_read = read_s is None if wait_s is None else read_s is not None and abs(read_s - wait_s) <= 1
        assert is_read, f"{operation}: it reads {read_s} s to wait, and it should be {wait_s}"
    headers = _hint(header, time.time())
    case = Case(name="hint", status=429, headers=headers, body=body, source="made up", confidence="guess")
    profile = msgspec.structs.replace(subject.profile, cases=(*subject.profile.cases, case))
    with Rig(subject, profile=profile, with_limits=True) as rig:
        rig.simulator.script("hint")
        reply = rig.ask(chat(subject.profile.default_model))
        assert reply.status == 503, f"the client got {reply.status}"
        if _is_of_limit(rig.allowances, Expectation(kind=ErrorKind.RATE_LIMIT, retry_after=wait_s)):
            return
        assert rig.cooldowns, "nothing was cooled"
        slot, cooldown = rig.cooldowns[0]
        said = Expectation(kind=ErrorKind(cooldown.kind), retry_after=wait_s)
        _check_wait(cooldown, wanted_wait_s(said, TABLE[cooldown.kind], _scope_of(slot), cooldown.noted))
