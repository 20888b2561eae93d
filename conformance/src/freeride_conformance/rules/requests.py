"""What reaches the upstream."""

from __future__ import annotations

import contextlib
import getpass
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freeride_conformance.evidence import EVIDENCE
from freeride_conformance.rig import PROMPT, Rig, chat
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import OPENAI, SECRET, ProviderSubject
from freeride_core.answer import UpstreamRequest

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Requests"
_SHORTEST_TRACE = 4
_COMMONPLACE = frozenset(
    (
        *("root", "/root", "localhost", "user", "home", "host", "freeride", "bearer", "application", "json", "text"),
        *("event", "stream", "event-stream", "identity", "close", "keep", "alive", "chunked"),
    )
)
"""Names of users and machines that are in headers of every machine."""
_CREDENTIAL_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "cookie")
_ELSEWHERE = "http://127.0.0.1:9/made/up/v1"
# Every parameter of chat completions that a client may send, with a value that any upstream could take.
_PARAMETERS: dict[str, Any] = {
    "temperature": 0.25,
    "top_p": 0.5,
    "n": 1,
    "seed": 7,
    "stop": ["\n\n"],
    "max_completion_tokens": 64,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 2,
    "user": "conformance",
    "metadata": {"a": "b"},
    "store": False,
    "service_tier": "auto",
    "reasoning_effort": "low",
    "parallel_tool_calls": False,
    "response_format": {"type": "text"},
    "x_unknown": {"kept": [1, 2.5, None]},
}


_TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def _requests(subject: ProviderSubject, base_url: str) -> Iterator[tuple[str, UpstreamRequest]]:
    """All that the package can send, with what it is for."""
    provider, key = subject.provider, subject.key(base_url)
    probe = provider.probe.request(key) if provider.probe is not None else None
    prepared = {
        operation.value: wire.prepare(subject.call(operation), subject.model(operation), key)
        for operation, wire in provider.wires.items()
    }
    for purpose, request in {"catalog": provider.catalog.request(key), "probe": probe, **prepared}.items():
        if request is not None:
            EVIDENCE.note(f"{request.method} {request.url}", "(it was not sent)")
            yield purpose, request


@rule(RULES, SECTION, fix="build every URL from `key.base_url`; return None for what cannot be derived from it")
def stays_below_its_base_url(subject: ProviderSubject) -> None:
    """Every request goes below the base URL that the user set. A URL that cannot be derived from it is not requested."""
    for purpose, request in _requests(subject, _ELSEWHERE):
        below = _ELSEWHERE.removesuffix("/v1")  # a list or a probe may lie beside the API
        assert request.url.startswith(f"{below}/"), f"the {purpose} request goes to {request.url}"


@rule(RULES, SECTION, fix="put the key into one header, and nowhere else", needs="keys")
def shows_its_key_in_one_header(subject: ProviderSubject) -> None:
    """The key is in one header of a request, not in its URL and not in its body. No `repr` shows it."""
    for purpose, request in _requests(subject, _ELSEWHERE):
        assert SECRET not in request.url, f"the key is in the URL of the {purpose} request"
        assert SECRET.encode() not in request.body, f"the key is in the body of the {purpose} request"
        holders = [name for name, value in request.headers if SECRET in value]
        assert len(holders) <= 1, f"the key is in {len(holders)} headers of the {purpose} request: {holders}"
    assert SECRET not in repr(subject.key()), "a key's repr shows the secret"


@rule(
    RULES, SECTION, fix="send only headers that the upstream documents, with values that are the same on every machine"
)
def tells_the_upstream_nothing_more(subject: ProviderSubject) -> None:
    """The upstream gets the request, the key, and the headers that simulator.toml names. It gets none of the client's other
    headers, and nothing about the machine or its user. If it needs no key, it gets no header that could hold one."""
    tokens = {"authorization": "Bearer client-token", "cookie": "client-cookie", "x_api_key": "client-token"}
    more = {"x_forwarded_for": "203.0.113.9", "referer": "https://client.invalid/", "user_agent": "client/1.0"}
    with Rig(subject) as rig:
        rig.ask(chat(subject.profile.default_model), **tokens, **more)
        assert rig.asked, "nothing reached the upstream"
        seen = rig.asked[-1]
        for name, value in seen.headers.items():
            for leak in (*tokens.values(), *more.values(), "client"):
                assert leak not in value, f"the client's {leak!r} reached the upstream in {name}"
            for leak in _traces_of_this_machine():
                assert leak not in value, f"{name} tells the upstream {leak!r}"
        for name, value in subject.profile.request.headers.items():
            came = seen.headers.get(name.lower())
            assert came == value, f"the upstream wants {name}: {value}, and got {came!r}"
        if subject.provider.credentials:
            return
        for seen in rig.simulator.requests:
            for name in _CREDENTIAL_HEADERS:
                assert name not in seen.headers, f"{name} reached the upstream with {seen.path}, and no key is wanted"


def _traces_of_this_machine() -> set[str]:
    """Return names of this machine and its user alone, without common ones."""
    names = {socket.gethostname(), str(Path.cwd()), str(Path.home())}
    with contextlib.suppress(KeyError, OSError, ImportError):  # not every user has a name
        names.add(getpass.getuser())
    return {name for name in names if len(name) >= _SHORTEST_TRACE and name.lower() not in _COMMONPLACE}


@rule(
    RULES,
    SECTION,
    fix="replace values through `call.body_with`, which keeps the others as the client wrote them",
    needs=OPENAI,
)
def sends_what_the_client_wrote(subject: ProviderSubject) -> None:
    """Everything that is not replaced reaches the upstream byte for byte: numbers as they were written, nulls, unknown
    fields."""
    request = chat(subject.profile.default_model, x_unknown={"kept": [1, "2.50", None]})
    written = json.dumps(request).replace('"2.50"', "2.50").replace('"kept": [1,', '"kept":  [1,')
    with Rig(subject) as rig:
        reply = rig.ask(written.encode())
        assert reply.status == 200, f"the client got {reply.status}"
        body = rig.asked[-1].body
        assert b'"kept":  [1, 2.50, null]' in body, "the value of x_unknown was rewritten"
        assert json.dumps([{"role": "user", "content": PROMPT}]).encode() in body, "the messages were rewritten"


@rule(
    RULES,
    SECTION,
    fix="list what the upstream refuses in the wire's `dropped` and in simulator.toml's `left_out`; and nothing else",
    needs=OPENAI,
)
def leaves_out_what_is_refused(subject: ProviderSubject) -> None:
    """Parameters and tools that the upstream refuses, or that could cost money, do not reach it; all others do.
    `simulator.toml` names them (`left_out`, `renamed`, `added`, `tools_left_out`), and plays the refusal."""
    expected = subject.profile.request
    more: dict[str, Any] = {name: True for name in expected.left_out if name not in _PARAMETERS}
    with Rig(subject) as rig:
        reply = rig.ask(chat(subject.profile.default_model, **_PARAMETERS, **more))
        seen = rig.asked[-1].json
        assert reply.status == 200, f"the client got {reply.status}; the upstream was sent {sorted(seen)}"
        rig.ask(
            chat(subject.profile.default_model, tools=[_TOOL, *({"type": name} for name in expected.tools_left_out)])
        )
        plain = rig.asked[-1].json
    tools, absent = plain.get("tools"), sorted(set(expected.added) - plain.keys())
    assert not absent, f"{absent} did not reach the upstream, which needs them"
    assert tools == [_TOOL], f"of the tools these reached the upstream: {json.dumps(tools)[:300]}"
    sent = {"messages", "model", *_PARAMETERS, *more}
    wanted = {expected.renamed.get(name, name) for name in sent - set(expected.left_out)} | set(expected.added)
    missing, surplus = sorted(wanted - seen.keys()), sorted(seen.keys() - wanted)
    assert not missing, f"{missing} did not reach the upstream, and simulator.toml does not say that it refuses them"
    assert not surplus, f"{surplus} reached the upstream, and no client sent them"
    for name, value in _PARAMETERS.items():
        arrived = expected.renamed.get(name, name)
        if arrived in seen and arrived not in expected.added:
            assert seen[arrived] == value, f"{name} arrived as {seen[arrived]!r}"


@rule(RULES, SECTION, fix="state `max_output` for the model, and let the wire clamp to it", needs=OPENAI)
def asks_for_no_more_than_there_is(subject: ProviderSubject) -> None:
    """A response longer than the model's `max_output` is not requested. A shorter limit of the client is kept."""
    renamed = subject.profile.request.renamed
    with Rig(subject) as rig:
        model = next((model for model in rig.models if model.id == subject.profile.default_model), None)
        for name in ("max_tokens", "max_completion_tokens"):
            for wanted in (17, 10_000_000):
                rig.ask({**chat(subject.profile.default_model), name: wanted})
                arrived = rig.asked[-1].json.get(renamed.get(name, name))
                most = model.max_output if model else None
                due = wanted if most is None else min(wanted, most)
                assert arrived == due, f"of {name} = {wanted} the upstream got {arrived}, and {due} was due"
