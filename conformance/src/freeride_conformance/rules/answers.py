"""What comes back, whole."""

from __future__ import annotations

import msgspec

from freeride_conformance.direct import NOW, send
from freeride_conformance.rig import ANSWER, Rig, chat
from freeride_conformance.rule import Rule, rule
from freeride_conformance.subject import ProviderSubject
from freeride_core.provider import Answer, Operation

RULES: list[Rule[ProviderSubject]] = []
SECTION = "Answers"


@rule(RULES, SECTION, fix="name in `response_headers` only what a client may see", needs="chat")
def passes_on_no_private_header(subject: ProviderSubject) -> None:
    """Of the upstream's headers the client gets rate limits, request ids and what the package names; never a cookie."""
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


@rule(RULES, SECTION, fix="answer in OpenAI's format, whole, with the upstream's own values", needs="chat")
def answers(subject: ProviderSubject) -> None:
    """A plain request comes back whole in the client's format, and says who served it."""
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
    """Where it has embeddings they arrive, one vector for each input, in order."""
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


@rule(
    RULES,
    SECTION,
    fix="ask something that needs a key, and read 401 as a bad one; give its page as a [[route]] in simulator.toml",
    needs="a probe",
)
def proves_its_keys(subject: ProviderSubject) -> None:
    """Its probe tells a good key from a bad one, and takes nothing else for proof."""
    probe, profile = subject.provider.probe, subject.profile
    assert probe is not None
    with Rig(subject) as rig:
        verdicts = {}
        for name, secret in (("good", profile.good_key), ("bad", "bad-" + profile.good_key)):
            request = probe.request(subject.key(rig.simulator.base_url, secret))
            if request is None or not request.url.startswith(rig.simulator.base_url.rpartition("/")[0]):
                return  # what it asks lies elsewhere, and cannot be derived from a simulator's address
            answer = send(request)
            verdicts[name] = probe.read(answer).valid
    assert verdicts["good"] is True, f"of a good key it says {verdicts['good']}"
    assert verdicts["bad"] is False, f"of a bad key it says {verdicts['bad']}"
    for status in (429, 500, 503):
        valid = probe.read(Answer(status, {}, b"{}", NOW)).valid
        assert valid is None, f"it takes a {status} for the proof of a {'good' if valid else 'bad'} key"
