"""The rule about cases: each thing that an upstream was seen to say leads to its kind, its scope and its wait."""

from __future__ import annotations

import time

from freeride_conformance.rig import Reply, Rig, Subject, chat
from freeride_core.gateway.reaction import TABLE, Reaction
from freeride_core.ledger.cooldown import Cooldown
from freeride_core.ledger.slots import ALL_MODELS, EVERYONE, Slot
from freeride_core.provider import ErrorKind, Provider, Scope
from freeride_core.simulator.profile import Case, Expectation

_PATIENCE_S = 0.4
_TOLERANCE_S = 3.0
_SILENT = ("hang", "silence")


def reads_case(subject: Subject, case: Case) -> None:
    """Plays one case to a client with no other choice, and looks at what the gateway made of it."""
    expected = case.expect
    assert expected is not None
    patience_s = _PATIENCE_S if case.play in _SILENT else 10.0
    with Rig(subject, patience_s=patience_s) as rig:
        rig.simulator.script(case.name)
        reply = _ask(rig, subject, case)
        statuses = rig.statuses()
        assert statuses[:1] == [expected.kind.value.upper()], (
            f"read as {statuses[0] if statuses else 'nothing'}, expected {expected.kind.value.upper()}"
        )
        reaction = TABLE[expected.kind]
        _check_answer(reply, expected, reaction)
        _check_cooldown(rig.cooldowns, expected, reaction, subject.provider)


def _ask(rig: Rig, subject: Subject, case: Case) -> Reply:
    if case.operation == "embeddings":
        assert subject.profile.embeddings is not None
        return rig.ask({"model": subject.profile.embeddings.models[0], "input": "x"}, "/v1/embeddings")
    is_stream = case.sse is not None or case.play == "silence"
    return rig.ask(chat(subject.profile.default_model, stream=is_stream))


def _check_answer(reply: Reply, expected: Expectation, reaction: Reaction) -> None:
    error = reply.error
    if reaction.is_final or reaction.leaves_model:
        assert reply.status in (400, 404, 409, 413, 415, 422, 451), f"the client got {reply.status}"
        assert error["message"], "the client is not told what the upstream said"
    elif expected.kind is ErrorKind.PROTOCOL or reaction.cools:
        assert reply.status == 503, f"the client got {reply.status}"
        assert error["tried"][0]["last_error"] == expected.kind.value
        assert int(reply.headers["retry-after"]) >= 1


def _check_cooldown(
    cooldowns: list[tuple[Slot, Cooldown]], expected: Expectation, reaction: Reaction, provider: Provider
) -> None:
    if not reaction.cools or expected.retry_after == 0:
        assert not [slot for slot, cooldown in cooldowns if cooldown.until > time.time()], "something was cooled"
        return
    scope = expected.scope or reaction.scope or provider.meter
    assert cooldowns, "nothing was cooled"
    found = [(slot, cooldown) for slot, cooldown in cooldowns if _scope_of(slot) is scope]
    assert found, f"cooled {[_scope_of(slot).value for slot, _ in cooldowns]}, expected {scope.value}"
    cooldown = found[0][1]
    assert cooldown.kind == expected.kind.value
    wait_s = cooldown.until - cooldown.noted
    wanted_s = _wanted_s(expected, reaction, scope, cooldown.noted)
    assert abs(wait_s - wanted_s) <= _TOLERANCE_S, f"cooled for {wait_s:.0f} s, expected {wanted_s:.0f} s"


def _wanted_s(expected: Expectation, reaction: Reaction, scope: Scope, noted: float) -> float:
    if expected.retry_after == "utc_midnight":
        return 86400 - noted % 86400
    if isinstance(expected.retry_after, (int, float)) and reaction.trusts_hint:
        return float(expected.retry_after)
    if scope in (Scope.MODEL, Scope.ACCOUNT_MODEL) and reaction.model_wait_s is not None:
        return reaction.model_wait_s
    return reaction.wait_s


def _scope_of(slot: Slot) -> Scope:
    if slot.subject == EVERYONE:
        return Scope.PROVIDER if slot.model == ALL_MODELS else Scope.MODEL
    if slot.subject.startswith("key:"):
        return Scope.KEY
    return Scope.ACCOUNT if slot.model == ALL_MODELS else Scope.ACCOUNT_MODEL
