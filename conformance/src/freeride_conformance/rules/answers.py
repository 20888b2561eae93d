"""What comes back, whole."""

from __future__ import annotations

from typing import Any

import msgspec

from freeride_conformance.direct import NOW, send
from freeride_conformance.evidence import EVIDENCE
from freeride_conformance.rig import ANSWER, Rig, chat
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import ProviderSubject
from freeride_core.answer import Answer
from freeride_core.call import Operation

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Answers"


@rule(RULES, SECTION, fix="name in `response_headers` what a client may see, and nothing else", needs="chat")
def passes_on_no_private_header(subject: ProviderSubject) -> None:
    """Of the upstream's headers, the client gets rate limits, request ids and those that the package names. The good answers in
    simulator.toml carry exactly these. A cookie is never passed on."""
    profile = subject.profile
    headers = {**profile.answer.headers, "set-cookie": "session=upstream", "x-internal-host": "node-7"}
    noisy = msgspec.structs.replace(profile, answer=msgspec.structs.replace(profile.answer, headers=headers))
    for operation, wire in subject.provider.wires.items():
        for name in wire.response_headers:
            assert name == name.lower(), f"response_headers of {operation}: {name!r} is not in lower case"
    with Rig(subject, profile=noisy) as rig:
        reply = rig.ask(chat(profile.default_model))
        assert reply.status == 200, f"the client got {reply.status}"
        for name in ("set-cookie", "x-internal-host"):
            assert name not in reply.headers, f"the client sees the upstream's {name}"
        for name in profile.answer.headers:
            assert name.lower() in reply.headers, f"the client does not see the upstream's {name}"


@rule(RULES, SECTION, fix="answer in OpenAI's format, whole, with the upstream's own values", needs="chat")
def answers(subject: ProviderSubject) -> None:
    """A plain request gets a whole response in the client's format, which names its provider."""
    with Rig(subject) as rig:
        reply = rig.ask(chat(subject.profile.default_model))
        assert reply.status == 200, f"the client got {reply.status}"
        answer = reply.json
        assert answer["choices"][0]["message"]["content"] == ANSWER, "the text is not what the model said"
        assert answer["choices"][0]["finish_reason"] == "stop", "the finish reason is not the model's"
        assert reply.headers["x-freeride-provider"] == subject.provider.name
        assert reply.headers["x-freeride-attempts"] == "1", "it took more than one attempt"
        assert list(answer)[-1] == "_freeride_provider", "the gateway could not stamp it"


@rule(
    RULES,
    SECTION,
    fix="give the provider a wire for embeddings, and describe [embeddings] in simulator.toml",
    needs="embeddings",
)
def embeds(subject: ProviderSubject) -> None:
    """If it has embeddings, the client gets one vector for each input, in order. What the upstream refuses or bills for is left
    out, and what it needs is added, as `[embeddings]` in simulator.toml states."""
    profile = subject.profile
    assert Operation.EMBEDDINGS in subject.provider.wires, (
        "simulator.toml plays embeddings, and there is no wire for them"
    )
    assert profile.embeddings is not None, "there is a wire for embeddings, and simulator.toml does not play them"
    with Rig(subject) as rig:
        reply = rig.ask({"model": profile.embeddings.models[0], "input": ["one", "two"]}, "/v1/embeddings")
        assert reply.status == 200, f"the client got {reply.status}"
        assert [row["index"] for row in reply.json["data"]] == [0, 1]
        seen = rig.asked[-1].json
        assert seen["input"] == ["one", "two"], "the input was changed"
        more: dict[str, Any] = dict.fromkeys(profile.embeddings.left_out, True)
        known = profile.embeddings.models
        name = next((model.canonical for model in rig.models if model.id in known), known[0])
        rig.ask({"model": name, "input": "x", **more}, "/v1/embeddings")
        asked = rig.asked[-1].json["model"]
        assert asked in profile.embeddings.models, f"the upstream was asked for {asked!r}, which it does not know"
        arrived = set(rig.asked[-1].json) - {"model", "input"}
    assert not arrived & more.keys(), (
        f"{sorted(arrived & more.keys())} reached the upstream, and can cost money or be refused"
    )
    wanted = set(profile.embeddings.added)
    assert arrived == wanted, f"besides the client's own {sorted(arrived)} arrived, and should {sorted(wanted)}"


def _proofs(subject: ProviderSubject) -> list[str]:
    return [f"{at}, {proof.status}" for at, proof in enumerate(subject.profile.proofs)]


@rule(
    RULES,
    SECTION,
    fix="read the answer so, or correct the [[proof]] in simulator.toml if that is wrong",
    needs="a probe",
    variants=_proofs,
)
def reads_its_proofs(subject: ProviderSubject, proof: str) -> None:
    """Each [[proof]] in simulator.toml, an answer that a probe was seen to get, proves what is written there of the key and its
    account. Only the upstream's own statement proves that an account cannot be billed."""
    probe, said = subject.provider.probe, subject.profile.proofs[int(proof.partition(",")[0])]
    assert probe is not None, "simulator.toml has a [[proof]], and there is no probe"
    read = probe.read(Answer(said.status, {"content-type": "application/json"}, said.body.encode(), NOW))
    EVIDENCE.note("the probe", f"{said.status} {said.body}")
    assert read.valid is said.valid, f"of the key it says {read.valid}, and should say {said.valid}"
    assert read.account.can_be_billed is said.can_be_billed, (
        f"whether the account can be billed it reads as {read.account.can_be_billed}, and should as {said.can_be_billed}"
    )


@rule(
    RULES,
    SECTION,
    fix="show in simulator.toml, by a [[proof]] each, an account that can be billed, one that cannot, and an unknown one. Or use "
    "a policy of `free` that asks for no account",
)
def shows_whom_it_trusts(subject: ProviderSubject) -> None:
    """If the free policy depends on the account, the profile shows three proofs: that an account can be billed, that it cannot,
    and one that leaves it open. Otherwise the profile proves nothing of accounts."""
    shown = {proof.can_be_billed for proof in subject.profile.proofs}
    if subject.provider.free.asks_account:
        missing = {True, False, None} - shown
        assert not missing, (
            f"no [[proof]] shows can_be_billed as {sorted(map(str, missing))}, and the free policy asks for it"
        )
    else:
        assert shown <= {None}, "a [[proof]] tells whether an account can be billed, and the free policy does not ask"


@rule(
    RULES,
    SECTION,
    fix="ask something that needs a key, and read 401 as a bad one; give its page as a [[route]] in simulator.toml",
    needs="a probe",
)
def proves_its_keys(subject: ProviderSubject) -> None:
    """Its probe tells a good key from a bad one, and takes nothing else for proof."""
    probe, profile = subject.provider.probe, subject.profile
    assert probe is not None, "simulator.toml plays a [[route]], which a probe asks, and there is no probe"
    with Rig(subject) as rig:
        verdicts = {}
        for name, secret in (("good", profile.good_key), ("bad", "bad-" + profile.good_key)):
            request = probe.request(subject.key(rig.simulator.base_url, secret))
            if request is None:
                assert probe.request(subject.key()) is not None, (
                    "not even at its own base URL is there something to ask"
                )
            if request is None or not request.url.startswith(rig.simulator.base_url.rpartition("/")[0]):
                return  # what it asks lies elsewhere, and cannot be derived from a simulator's address
            answer = send(request)
            verdicts[name] = probe.read(answer).valid
    assert verdicts["good"] is True, f"of a good key it says {verdicts['good']}"
    assert verdicts["bad"] is False, f"of a bad key it says {verdicts['bad']}"
    for status in (429, 500, 503):
        valid = probe.read(Answer(status, {}, b"{}", NOW)).valid
        assert valid is None, f"it takes a {status} for the proof of a {'good' if valid else 'bad'} key"
