"""Failover: others take over from it, it takes over from others, and one of its keys from another."""

from __future__ import annotations

from freeride_conformance import second_provider
from freeride_conformance.rig import ANSWER, GatewayResponse, Rig, chat
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import ProviderSubject

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Failover"
_FORMS = ("whole", "stream")


def _check_served(reply: GatewayResponse, by: str, form: str) -> None:
    assert reply.status == 200, f"the client got {reply.status}"
    served = reply.headers["x-freeride-provider"]
    assert served == by, f"{served} served, and should be {by}"
    text = reply.text if form == "stream" else reply.json["choices"][0]["message"]["content"]
    assert text == ANSWER, f"the text is {text!r}"


def _failures(subject: ProviderSubject) -> list[str]:
    cases = [name for name in ("rate-limited", "bad-key", "server-error") if subject.profile.case(name)]
    return [f"{case}, {form}" for case in cases for form in _FORMS]


@rule(
    RULES,
    SECTION,
    fix="give these failures a kind that cools, so that the gateway goes on to the next provider",
    needs="chat",
    variants=_failures,
)
def hands_over(subject: ProviderSubject, failure: str) -> None:
    """If it fails, another provider serves the same request, and the client sees nothing of the failure."""
    case, _, form = failure.partition(", ")
    with Rig(subject, with_partner=True) as rig:
        rig.simulator.always(case)
        reply = rig.ask(chat("auto", stream=form == "stream"))
        _check_served(reply, second_provider.NAME, form)
        assert rig.asked, "it was never asked"


@rule(
    RULES,
    SECTION,
    fix="list the models that are free, with their abilities, so that `auto` can choose one",
    needs="chat",
    variants=lambda _: _FORMS,
)
def takes_over(subject: ProviderSubject, form: str) -> None:
    """If another provider fails, it serves the same request under `auto`."""
    order = f"{second_provider.NAME},{subject.provider.name}"
    with Rig(subject, with_partner=True, FREERIDE_PROVIDERS=order) as rig:
        assert rig.partner is not None
        rig.partner.always("rate-limited")
        reply = rig.ask(chat("auto", stream=form == "stream"))
        _check_served(reply, subject.provider.name, form)
        told = reply.headers["x-freeride-attempts"]
        first = [seen for seen in rig.partner.requests if seen.method == "POST"]
        assert told == "2", (
            f"it took {told} attempts, and should take one at each: the other provider was asked {len(first)} times, "
            f"it itself for {[seen.model for seen in rig.asked]}, with the answers {[seen.answered for seen in rig.asked]}"
        )


@rule(RULES, SECTION, fix="read a refused key as `auth` with scope `key`, so that its sibling is asked", needs="keys")
def uses_its_other_key(subject: ProviderSubject) -> None:
    """A refused key costs the client nothing while there is another."""
    with Rig(subject, extra_keys=("bad-" + subject.profile.good_key,)) as rig:
        reply = rig.ask(chat(subject.profile.default_model))
        assert reply.status == 200, f"the client got {reply.status}"
        assert reply.headers["x-freeride-attempts"] == "2", f"it took {reply.headers['x-freeride-attempts']} attempts"
        assert len(rig.asked) == 2, "the refused key was not asked first"
        assert rig.asked[-1].key == subject.profile.good_key, "the good key was not asked"
