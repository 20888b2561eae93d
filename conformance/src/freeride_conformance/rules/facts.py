"""What makes a package gold: its facts are complete, and come from the upstream itself."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from freeride_conformance.evidence import EVIDENCE
from freeride_conformance.rule import ConformanceRule, Grade, rule
from freeride_conformance.subject import ProviderSubject
from freeride_core.call import Operation
from freeride_core.limit import Limit, LimitKind
from freeride_core.model import Model
from freeride_core.simulator.profile import PlayedQuota
from freeride_core.simulator.quota import QuotaStatus
from freeride_core.simulator.reading import answer_of
from freeride_core.simulator.render import Values

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Evidence"


@rule(
    RULES,
    SECTION,
    fix="try the key against the upstream once, and write down what it really said, with source, date and `seen live`",
    grade=Grade.GOLD,
)
def has_seen_its_upstream(subject: ProviderSubject) -> None:
    """No required case is a guess, and at most half of all cases are."""
    cases, required = subject.profile.cases, subject.profile.required_cases
    guessed = [case.name for case in cases if case.confidence == "guess"]
    both = [name for name in guessed if name in required]
    assert not both, f"{both} are required and guessed"
    assert 2 * len(guessed) <= len(cases), f"{len(guessed)} of {len(cases)} cases are guessed: {guessed}"


def _wanted_cases(subject: ProviderSubject) -> dict[str, str]:
    wanted = {"context-length": "every model's window has an end", "mid-stream-error": "a stream can fail midway"}
    if any(limit.window == "day" for limit in subject.provider.limits):
        wanted["daily-cap"] = "it states a limit for the day"
    return {name: why for name, why in wanted.items() if name not in subject.profile.never}


@rule(
    RULES,
    SECTION,
    fix="add the case to simulator.toml: what the upstream says then, and what that means; or to its [never], with the reason",
    grade=Grade.GOLD,
    needs="chat",
    variants=_wanted_cases,
)
def plays_what_it_speaks_of(subject: ProviderSubject, name: str) -> None:
    """Its profile has a case for everything that its declarations mention: a daily limit, a stream that fails in the middle, a
    prompt that is too long. `[never]` names what this upstream cannot answer."""
    assert subject.profile.case(name) is not None, f"{_wanted_cases(subject)[name]}, and there is no case {name!r}"


_NOW, _LEFT, _RESET_S = 1_790_000_000.0, 3, 37
_UNITS = ("requests", "tokens", "neurons")
_CAREFUL = {
    "leaky": (LimitKind.LEAKY, LimitKind.ROLLING),
    "fixed": (LimitKind.FIXED, LimitKind.ROLLING),
    "day": (LimitKind.FIXED, LimitKind.ROLLING),
}
"""For each way in which a simulator counts, those that admit no more; but for what is left at the turn of a window."""


def _played_unit(limit: Limit) -> str:
    """A simulator plays tokens of prompts as tokens of which those of the response cost nothing."""
    return limit.unit.removesuffix("_in")


def _limits_of(subject: ProviderSubject, operation: Operation) -> Iterable[Limit]:
    """The limits of requests for the model that is played: the first that fits, as the gateway counts."""
    seen, model = set(), subject.model(operation).id
    for limit in subject.provider.limits:
        name = (limit.unit, limit.window, limit.scope)
        is_of_model = not limit.models or any(fnmatchcase(model, each) for each in limit.models)
        if operation in limit.operations and is_of_model and name not in seen:
            seen.add(name)
            yield limit


def _check_played(limit: Limit, quota: PlayedQuota | None, model: Model) -> None:
    """What a package states is what its simulator plays."""
    window = f"{limit.unit} a {limit.window}"
    assert quota is not None, f"no [[quota]] plays its {window}"
    assert quota.amount == limit.amount, (
        f"it states {limit.amount:g} {window}, and the simulator gives {quota.amount:g}"
    )
    assert quota.scope == limit.scope, (
        f"it states {window} for {limit.scope.value}, and the simulator counts by {quota.scope}"
    )
    assert limit.limit_kind in _CAREFUL[quota.kind], (
        f"it counts {window} as {limit.limit_kind.value}, and the simulator as {quota.kind}"
    )
    assert quota.kind != "day" or limit.limit_kind != LimitKind.FIXED or quota.zone == limit.zone, (
        f"its {window} end at midnight in {limit.zone}, and the simulator's in {quota.zone}"
    )
    is_enough = limit.reserve is not None and limit.reserve >= quota.reserve
    assert is_enough if quota.too_large else limit.reserve is None, (
        f"it reserves {limit.reserve} {window} for an answer, and the simulator {quota.reserve if quota.too_large else None}"
    )
    price = (quota.per_prompt_token, quota.per_answer_token)
    if limit.unit not in ("requests", "tokens", "tokens_in") and Operation.CHAT in model.operations:
        assert model.costs.get(limit.unit) == price, (
            f"{model.id} takes {model.costs.get(limit.unit)} {limit.unit} for a token of prompt and answer, "
            f"and the simulator {price}"
        )


@rule(
    RULES,
    SECTION,
    fix="state `limits` in the module, and a [[quota]] of the same unit and window for each in simulator.toml",
    grade=Grade.GOLD,
    needs="keys",
)
def knows_its_limits(subject: ProviderSubject) -> None:
    """It states what its free tier gives, and its simulator runs out of the same, in the same way."""
    provider, quotas = subject.provider, subject.profile.quotas
    assert provider.limits, "it states no limit"
    stated = {operation: tuple(_limits_of(subject, operation)) for operation in provider.wires}
    for quota in quotas:
        names = {(_played_unit(limit), limit.window) for limit in stated[Operation(quota.operation or Operation.CHAT)]}
        assert (quota.unit, quota.window) in names, (
            f"its simulator runs out of {quota.unit} a {quota.window}, and it states no such limit"
        )
    for operation, limits in stated.items():
        played: dict[tuple[str, str], PlayedQuota] = {
            (quota.unit, quota.window): quota for quota in quotas if quota.operation in (None, operation.value)
        }
        for limit in limits:
            name = (_played_unit(limit), limit.window)
            if limit.window in ("minute", "day") and name[0] in _UNITS:
                _check_played(limit, played.get(name), subject.model(operation))


def _told_quotas(subject: ProviderSubject) -> list[str]:
    """Those of which the headers of a good answer say what is left."""
    holes = " ".join(subject.profile.answer.headers.values())
    return [quota.name for quota in subject.profile.quotas if f"{{{{{quota.name}.remaining}}}}" in holes]


@rule(
    RULES,
    SECTION,
    fix="name the headers in the wire's `quota_headers`, with the limit that they speak of",
    grade=Grade.GOLD,
    needs="chat",
    variants=_told_quotas,
)
def reads_what_is_left(subject: ProviderSubject, name: str) -> None:
    """What the headers of a good answer say of a limit is counted as that limit's: how much there is, how much is left, and when it
    is free again."""
    [quota] = [quota for quota in subject.profile.quotas if quota.name == name]
    status = QuotaStatus(limit=quota.amount, used=quota.amount - _LEFT, reset_s=_RESET_S, requested=1, wait_s=0)
    standings = {each.name: QuotaStatus(each.amount, 0, 0, 1, 0) for each in subject.profile.quotas}
    values = Values({"id": "x"}, _NOW, standings | {name: status})
    templates = subject.profile.answer.headers
    headers = {key.lower(): values.fill(templates[key], escape=False) for key in templates if "." in templates[key]}
    names = {
        limit.limit_name
        for limit in _limits_of(subject, Operation.CHAT)
        if (_played_unit(limit), limit.window) == (quota.unit, quota.window)
    }
    read = subject.provider.wires[Operation.CHAT].quota(headers, _NOW)
    found = [each for each in read if each.limit_name in names]
    assert found, f"of {headers} it reads nothing of the limit of {quota.unit} a {quota.window}: {read}"
    assert (found[0].limit, found[0].remaining) == (quota.amount, _LEFT), (
        f"it reads {found[0].remaining} of {found[0].limit}, and {_LEFT} of {quota.amount:g} are left: {headers}"
    )
    if f"{{{{{name}.reset" in " ".join(templates.values()):
        wait_s = (found[0].reset_at or _NOW) - _NOW
        assert abs(wait_s - _RESET_S) <= 1, f"it reads a wait of {wait_s:.0f} s, and it is {_RESET_S}: {headers}"


def _numbered_cases(subject: ProviderSubject) -> list[str]:
    """Those whose body tells the amount of the limit that they are about."""
    told = [f"{{{{{quota.name}.limit}}}}" for quota in subject.profile.quotas]
    return [
        case.name
        for case in subject.profile.cases
        if case.expect is not None and case.expect.limit and any(hole in (case.body or "") for hole in told)
    ]


@rule(
    RULES,
    SECTION,
    fix="give the wire a `QuotaText` that reads the amount from the error",
    grade=Grade.GOLD,
    needs="chat",
    variants=_numbered_cases,
)
def reads_amounts(subject: ProviderSubject, name: str) -> None:
    """Where a refusal tells how much there is of the limit that it is about, that is read."""
    case = subject.profile.case(name)
    assert case is not None
    assert case.expect is not None
    answer = answer_of(subject.profile, case, _NOW)
    told = [quota.amount for quota in subject.profile.quotas if f"{{{{{quota.name}.limit}}}}" in (case.body or "")]
    read = subject.provider.wires[Operation.CHAT].read(answer).quota
    EVIDENCE.note(f"{answer.status} {answer.text}", str(read))
    amounts = [quota.limit for quota in read if quota.limit_name == case.expect.limit]
    assert any(amount in told for amount in amounts), f"it reads {amounts} of {case.expect.limit}, and it is {told}"
