"""What a provider package must hold to. A rule is a function that takes a subject and raises AssertionError."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from freeride_conformance.rig import ANSWER, PROMPT, Rig, Subject, chat, events_of
from freeride_core.gateway.wire import parse_call
from freeride_core.keys import fingerprint
from freeride_core.provider import Account, Answer, Key, Model, Operation, Phase, UpstreamRequest

Rule = Callable[[Subject], None]

_SECRET = "conformance-secret-0123456789"
_ELSEWHERE = "http://127.0.0.1:9/made/up/v1"
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def names_itself(subject: Subject) -> None:
    """One string everywhere, and for people: what it is, where keys are made, what happens to prompts; with source and date."""
    provider, profile = subject.provider, subject.profile
    assert re.fullmatch(r"[a-z][a-z0-9_]*", provider.name), f"the name {provider.name!r} cannot be part of a variable"
    assert profile.provider == provider.name, f"simulator.toml is about {profile.provider!r}"
    about = provider.about
    for field in ("title", "homepage", "keys_url", "free_day", "sign_up", "data_use", "source", "checked"):
        assert getattr(about, field), f"about.{field} is empty"
    for url in (about.homepage, about.keys_url):
        assert url.startswith("https://"), f"{url!r} is not an https address"
    for date in (about.checked, provider.catalog.checked, *(limit.checked for limit in provider.limits)):
        datetime.date.fromisoformat(date)
    assert all(limit.source for limit in provider.limits), "a limit without a source"
    assert provider.credentials, "no credential: which variable holds the key?"
    assert profile.key_variable == provider.credentials[0].variable, (
        "simulator.toml's key_variable is not the first credential's"
    )
    pattern = provider.credentials[0].pattern
    assert pattern is None or re.fullmatch(pattern, profile.good_key), "good_key does not look like one of its own keys"


def dates_its_models(subject: Subject) -> None:
    """The dated list has sane entries, and something in it or in the live list is free."""
    models = subject.provider.catalog.models
    ids = [(model.id, *sorted(model.operations)) for model in models]
    assert len(ids) == len(set(ids)), "an id stands twice in the dated list"
    for model in models:
        assert 1 <= model.tier <= 4, f"{model.id}: tier {model.tier}"
        assert model.operations, f"{model.id}: no operation"
        for operation in model.operations:
            assert operation in subject.provider.wires, f"{model.id}: no wire for {operation}"
        canonical = model.canonical
        assert canonical == canonical.lower(), f"{model.id}: canonical {canonical!r} is not in lower case"
        assert not canonical.startswith("@"), f"{model.id}: canonical {canonical!r} holds a routing prefix"
        assert not re.search(r"-(fp8|fp16|bf16|int4|int8|awq|gptq|gguf|q[4-8])(-fast)?$", canonical), (
            f"{model.id}: canonical {canonical!r} names a quantisation"
        )
        assert not canonical.endswith(":free"), f"{model.id}: canonical {canonical!r} names a price"


def stays_below_its_base_url(subject: Subject) -> None:
    """Every request goes below the key's base URL, carries the secret in a header only, and what cannot be derived is not asked."""
    provider, key = subject.provider, _key(subject, _ELSEWHERE)
    requests: list[UpstreamRequest | None] = [provider.catalog.request(key)]
    if provider.probe is not None:
        requests.append(provider.probe.request(key))
    for operation, wire in provider.wires.items():
        requests.append(wire.prepare(_call(operation), _model(subject, operation), key))
    for request in requests:
        if request is None:
            continue
        assert request.url.startswith("http://127.0.0.1:9/"), (
            f"{request.url} is not below the base URL that the user set"
        )
        assert _SECRET not in request.url, "the key stands in a URL"
    assert _SECRET not in repr(key), "a key's repr shows the secret"


def denies_what_is_not_free(subject: Subject) -> None:
    """A model that costs money, or that nobody has heard of, is never asked for, not even by name."""
    provider, paid = subject.provider, subject.profile.catalog.paid
    stranger = Model(id="nobody/has-heard-of-it", canonical="nobody/has-heard-of-it")
    assert paid or provider.free.allows(stranger, Account()), (
        "the profile's catalog names no entry that costs money, so nothing shows that the package leaves it alone"
    )
    with Rig(subject) as rig:
        listed = {
            spelling for entry in rig.get("/v1/models").json["data"] for spelling in entry["provider_ids"].values()
        }
        for name in (*paid, stranger.id):
            assert name not in listed, f"{name} is not free and is listed"
            reply = rig.ask(chat(name))
            asked = [seen.model for seen in rig.simulator.requests if seen.method == "POST"]
            assert name not in asked, f"{name} is not free and was asked for"
            # A paid id's own free variant is the same model, and may answer.
            assert reply.status in (200, 404), f"a request for {name} was answered with {reply.status}"


def answers(subject: Subject) -> None:
    """A plain request comes back whole, says who served, and reaches the upstream as the client wrote it."""
    model = subject.profile.default_model
    with Rig(subject) as rig:
        written = json.dumps(chat(model, x_unknown={"kept": [1, 2.5, None]}, temperature=0.25)).replace("2.5,", "2.50,")
        reply = rig.ask(written.encode())
        assert reply.status == 200, reply.body
        assert reply.json["choices"][0]["message"]["content"] == ANSWER, reply.body
        assert reply.headers["x-freeride-provider"] == subject.provider.name
        assert reply.headers["x-freeride-attempts"] == "1"
        assert list(reply.json)[-1] == "_freeride_provider"
        seen = rig.simulator.requests[-1]
        assert seen.key == subject.profile.good_key, "the key did not reach the upstream"
        assert seen.json["messages"] == [{"role": "user", "content": PROMPT}]
        assert seen.json["temperature"] == 0.25
        assert b"2.50" in seen.body, "a value was spelled anew"


def streams(subject: Subject) -> None:
    """A stream arrives event by event in the upstream's own dialect and ends with `[DONE]`."""
    with Rig(subject) as rig:
        request = chat(subject.profile.default_model, stream=True, stream_options={"include_usage": True})
        reply = rig.ask(request)
        assert reply.status == 200, reply.body
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = events_of(reply.body)
        assert events[-1] == b"[DONE]", "the stream does not end with [DONE]"
        chunks = [json.loads(event) for event in events[:-1]]
        assert _text(chunks) == ANSWER
        assert any(chunk.get("usage") for chunk in chunks), "usage was asked for and did not arrive"


def calls_tools(subject: Subject) -> None:
    """Where a model can use tools, a tool call arrives whole, streamed or not."""
    able = [m for m in subject.provider.catalog.models if m.tools and m.id == subject.profile.default_model]
    if not able and subject.profile.answer.tool_call_body is None:
        return
    request = chat(subject.profile.default_model, "What is the weather in Paris? Use get_weather.", tools=[_TOOL])
    with Rig(subject) as rig:
        call = rig.ask(request).json["choices"][0]["message"]["tool_calls"][0]
        assert call["function"]["name"] == "get_weather"
        assert isinstance(json.loads(call["function"]["arguments"]), dict)
        chunks = [json.loads(event) for event in events_of(rig.ask({**request, "stream": True}).body)[:-1]]
        parts = [p for chunk in chunks for c in chunk.get("choices", []) for p in c["delta"].get("tool_calls") or []]
        assert "".join(p["function"].get("name") or "" for p in parts) == "get_weather"
        assert isinstance(json.loads("".join(p["function"].get("arguments") or "" for p in parts)), dict)


def embeds(subject: Subject) -> None:
    """Where it has embeddings, they arrive, one vector for each input."""
    if Operation.EMBEDDINGS not in subject.provider.wires:
        assert subject.profile.embeddings is None, "the profile plays embeddings, and the package has no wire for them"
        return
    assert subject.profile.embeddings is not None, (
        "the package has a wire for embeddings, and the profile does not play them"
    )
    with Rig(subject) as rig:
        model = subject.profile.embeddings.models[0]
        reply = rig.ask({"model": model, "input": ["one", "two"]}, "/v1/embeddings")
        assert reply.status == 200, reply.body
        assert [row["index"] for row in reply.json["data"]] == [0, 1]


def uses_its_other_key(subject: Subject) -> None:
    """A key that is refused costs the client nothing while there is another."""
    with Rig(subject, extra_keys=("bad-" + subject.profile.good_key,)) as rig:
        reply = rig.ask(chat(subject.profile.default_model))
        assert reply.status == 200, reply.body
        assert reply.headers["x-freeride-attempts"] == "2"
        assert rig.statuses() == ["AUTH", "OK"]


def never_raises(subject: Subject) -> None:
    """Whatever an upstream or a client says, the package has an answer: nonsense is a value too."""
    provider, key = subject.provider, _key(subject, subject.provider.base_url)
    for operation, wire in provider.wires.items():
        model = _model(subject, operation)
        for call in _odd_calls(operation):
            wire.prepare(call, model, key)
        for phase, status, headers, body in _nonsense():
            wire.read(Answer(status, headers, body, 1_795_406_400.0, phase, call=_call(operation), model=model))
    for _, status, headers, body in _nonsense():
        answer = Answer(status, headers, body, 1_795_406_400.0)
        try:
            provider.catalog.parse(answer)
        except ValueError:
            continue  # this is how a catalog says that it is none
        finally:
            if provider.probe is not None:
                provider.probe.read(answer)


RULES: tuple[Rule, ...] = (
    names_itself,
    dates_its_models,
    stays_below_its_base_url,
    denies_what_is_not_free,
    answers,
    streams,
    calls_tools,
    embeds,
    uses_its_other_key,
    never_raises,
)


def _key(subject: Subject, base_url: str) -> Key:
    return Key(
        provider=subject.provider.name,
        secret=_SECRET,
        fingerprint=fingerprint(_SECRET),
        index=0,
        variable=subject.profile.key_variable,
        account_id="0" * 32,
        base_url=base_url,
    )


def _call(operation: Operation) -> Any:
    content: dict[str, Any] = {"messages": []} if operation is Operation.CHAT else {"input": "x"}
    return parse_call(operation, json.dumps({"model": "auto", **content}).encode())


def _odd_calls(operation: Operation) -> Iterator[Any]:
    odd: tuple[dict[str, Any], ...] = (
        {"model": None},
        {"model": "x", "max_tokens": None, "stream_options": None, "tools": None},
        {"model": "x", "max_tokens": -1, "max_completion_tokens": "many", "n": {"a": []}},
        {"model": "x", "max_tokens": 10**9, "max_completion_tokens": 10**9, "stream": True, "input_type": 7},
    )
    for fields in odd:
        content: dict[str, Any] = {"messages" if operation is Operation.CHAT else "input": None}
        yield parse_call(operation, json.dumps({**content, **fields}).encode())


def _nonsense() -> Iterator[tuple[Phase, int, dict[str, str], bytes]]:
    bodies: tuple[Any, ...] = (
        b"", b"\xff\xfe\x00", b"<html>no</html>", b"null", b"[]", b"[[]]", b"7", b'"error"', b"{",
        {"error": None}, {"error": 7}, {"error": []}, {"error": ["x"]}, {"error": {"code": [], "message": {"a": 1}}},
        {"error": {"metadata": {"headers": []}}}, {"errors": {}}, {"errors": [None]}, {"errors": [{"code": {}}]},
        {"detail": [1]}, {"choices": None}, {"choices": [None]}, {"choices": [{"error": "x"}]}, {"data": None},
        {"data": [None, {}, {"id": 7}, {"id": "x", "pricing": []}]}, {"result": [{"name": None, "properties": 7}]},
    )  # fmt: skip
    odd_headers: dict[str, str] = {"retry-after": "soon", "x-ratelimit-reset": "-1", "content-type": "application/json"}
    for body in bodies:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        for status in (200, 302, 400, 402, 403, 404, 413, 429, 500, 503):
            yield (Phase.BODY if status == 200 else Phase.STATUS), status, odd_headers, raw
        yield Phase.EVENT, 200, {}, raw


def _model(subject: Subject, operation: Operation) -> Model:
    dated = [model for model in subject.provider.catalog.models if operation in model.operations]
    return dated[0] if dated else Model(id="any/model", canonical="any/model")


def _text(chunks: list[dict[str, Any]]) -> str:
    deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices") or []]
    return "".join(delta.get("content") or "" for delta in deltas).strip()
