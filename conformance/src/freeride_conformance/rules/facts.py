"""What makes a package gold: its facts are complete, and come from the upstream itself."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from freeride_conformance.rule import ConformanceRule, Grade, rule
from freeride_conformance.subject import ProviderSubject
from freeride_core.call import Operation
from freeride_core.limit import Limit
from freeride_core.simulator.profile import PlayedQuota

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


def _played_unit(limit: Limit) -> str:
    """A simulator plays tokens of prompts as tokens of which those of the response cost nothing."""
    return limit.unit.removesuffix("_in")


def _of_default_model(subject: ProviderSubject) -> Iterable[Limit]:
    """The limits of chats with the profile's model: the first that fits, as the gateway counts."""
    seen = set()
    for limit in subject.provider.limits:
        name = (limit.unit, limit.window, limit.scope)
        is_of_model = not limit.models or any(fnmatchcase(subject.profile.default_model, each) for each in limit.models)
        if Operation.CHAT in limit.operations and is_of_model and name not in seen:
            seen.add(name)
            yield limit


@rule(
    RULES,
    SECTION,
    fix="state `limits` in the module, and a [[quota]] of the same unit and window for each in simulator.toml",
    grade=Grade.GOLD,
    needs="keys",
)
def knows_its_limits(subject: ProviderSubject) -> None:
    """It states what its free tier gives, and its simulator runs out of the same."""
    limits = subject.provider.limits
    assert limits, "it states no limit"
    played: dict[tuple[str, str], PlayedQuota] = {(quota.unit, quota.window): quota for quota in subject.profile.quotas}
    stated = {(_played_unit(limit), limit.window) for limit in limits}
    for unit, window in played:
        assert (unit, window) in stated, f"its simulator runs out of {unit} a {window}, and it states no such limit"
    for limit in _of_default_model(subject):
        if limit.window in ("minute", "day") and _played_unit(limit) in ("requests", "tokens", "neurons"):
            quota = played.get((_played_unit(limit), limit.window))
            assert quota is not None, f"no [[quota]] plays its {limit.unit} a {limit.window}"
            assert quota.amount == limit.amount, (
                f"it states {limit.amount:g} {limit.unit} a {limit.window}, and the simulator gives {quota.amount:g}"
            )
            assert quota.scope == limit.scope, (
                f"it states {limit.unit} a {limit.window} for {limit.scope.value}, and the simulator counts by {quota.scope}"
            )
