"""What a provider package makes of the cases of its own profile, and what the profile says it must make of them."""

from __future__ import annotations

import math

from freeride_core.answer import Answer, ErrorKind, Failure, Phase, Scope
from freeride_core.call import Feature, Operation
from freeride_core.provider import Provider
from freeride_core.simulator.dialect import PlayedRequest, case_reply, page_reply
from freeride_core.simulator.model import Saying
from freeride_core.simulator.profile import CHAT, EMBEDDINGS, Case, Expectation, Profile
from freeride_core.simulator.quota import Demand, PlayedMeter


def reading_of(provider: Provider, profile: Profile, case: Case, now: float) -> Expectation | None:
    """Return the failure that the package reads from the answer, or from the first event of a stream, or None without one."""
    operation = Operation.EMBEDDINGS if case.operation == EMBEDDINGS else Operation.CHAT
    reading = provider.wires[operation].read(answer_of(profile, case, now))
    failure = reading.failure
    if failure is None:
        return None
    return Expectation(
        kind=ErrorKind(failure.kind),
        scope=_scope(failure, provider),
        retry_after=None if failure.retry_at is None else _whole_s(failure.retry_at - now),
        feature=None if failure.feature is None else Feature(failure.feature),
        account=reading.account,
        limit=reading.quota[0].limit_name if reading.quota else None,
    )


def expectation_of(provider: Provider, case: Case, now: float) -> Expectation | None:
    """What the profile expects of that, with its scope and its time worked out."""
    expected = case.expect
    if expected is None:
        return None
    wait_s = expected.wait_s(now)
    return Expectation(
        kind=expected.kind,
        scope=expected.scope or _scope(Failure(kind=expected.kind), provider),
        retry_after=None if wait_s is None else _whole_s(wait_s),
        feature=expected.feature,
        account=expected.account,
        limit=expected.limit,
    )


def answer_of(profile: Profile, case: Case, now: float) -> Answer:
    """The scripted case as a wire is shown it. ValueError: the case never answers."""
    if case.play is not None:
        raise ValueError(f"case {case.name!r} gives no answer to read")
    reply = case_reply(case, _turn(profile, now), by_quota=False)
    event, body = _first_event(reply.pieces[0]) if case.sse is not None else ("", b"".join(reply.pieces))
    phase = Phase.EVENT if case.sse is not None else Phase.BODY if case.status == 200 else Phase.STATUS
    return Answer(case.status, dict(reply.headers), body, now, phase, event)


def catalog_of(profile: Profile, now: float) -> Answer:
    """The model list as the package's catalog is shown it."""
    reply = page_reply(profile.catalog, _turn(profile, now))
    return Answer(reply.status, dict(reply.headers), b"".join(reply.pieces), now)


def _turn(profile: Profile, now: float) -> PlayedRequest:
    demand = Demand(
        key=profile.good_key,
        account=profile.good_key,
        model=profile.default_model,
        operation=CHAT,
        prompt_tokens=1,
        answer_tokens=1,
        asked_tokens=0,
    )
    return PlayedRequest(
        profile=profile,
        request={},
        model=profile.default_model,
        stream=False,
        saying=Saying(),
        prompt_tokens=1,
        serial=profile.provider,
        key=profile.good_key,
        now=now,
        slow_s=0.0,
        standings=PlayedMeter(profile.quotas).standings(demand, now),
    )


def _whole_s(seconds: float) -> float:
    """Rounded up, as hints are."""
    return float(math.ceil(seconds - 1e-6))


def _scope(failure: Failure, provider: Provider) -> Scope:
    """What the failure names, else what is usual for its kind."""
    usual = {
        ErrorKind.RATE_LIMIT: provider.meter,
        ErrorKind.QUOTA_EXHAUSTED: Scope.ACCOUNT,
        ErrorKind.AUTH: Scope.KEY,
    }
    return failure.scope or usual.get(ErrorKind(failure.kind), Scope.MODEL)


def _first_event(block: bytes) -> tuple[str, bytes]:
    lines = [line.partition(b":") for line in block.splitlines()]
    event = next((value.strip().decode() for field, _, value in lines if field == b"event"), "")
    return event, b"\n".join(value.strip() for field, _, value in lines if field == b"data")
