"""Plain values in, plain values out, whatever the values."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from freeride_conformance.audit import watching
from freeride_conformance.direct import NOW
from freeride_conformance.evidence import EVIDENCE
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import ProviderSubject
from freeride_core.answer import Answer, Phase
from freeride_core.call import Operation
from freeride_core.provider import Account
from freeride_core.simulator.reading import answer_of, catalog_of

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Purity"
_ODD_FIELDS: tuple[dict[str, Any], ...] = (
    {"model": None},
    {"max_tokens": None, "stream_options": None, "tools": None},
    {"max_tokens": -1, "max_completion_tokens": "many", "n": {"a": []}},
    {"max_tokens": 10**9, "max_completion_tokens": 10**9, "stream": True, "input_type": 7},
    {"tools": [7, {}, {"type": "x"}], "tool_choice": [], "response_format": 7, "stop": {}},
)
_ODD_MESSAGES: tuple[Any, ...] = (None, [], [None], [7], [{}], [{"role": 7, "content": {}}], [{"content": [None, {}]}])
_ODD_BODIES: tuple[Any, ...] = (
    b"", b"\xff\xfe\x00", b"<html>no</html>", b"null", b"[]", b"[[]]", b"7", b'"error"', b"{", b"\xed\xa0\x80",
    {"error": None}, {"error": 7}, {"error": []}, {"error": ["x"]}, {"error": {"code": [], "message": {"a": 1}}},
    {"error": {"metadata": {"headers": []}}}, {"errors": {}}, {"errors": [None]}, {"errors": [{"code": {}}]},
    {"detail": [1]}, {"choices": None}, {"choices": [None]}, {"choices": [{"error": "x"}]}, {"data": None},
    {"data": [None, {}, {"id": 7}, {"id": "x", "pricing": []}]}, {"result": [{"name": None, "properties": 7}]},
    {"candidates": [None]}, {"models": [None, {"name": 7}]},
)  # fmt: skip
_ODD_HEADERS = {"retry-after": "soon", "x-ratelimit-reset": "-1", "content-type": "application/json"}


def _nonsense() -> Iterator[Answer]:
    for odd in _ODD_BODIES:
        body = odd if isinstance(odd, bytes) else json.dumps(odd).encode()
        for status in (200, 302, 400, 402, 403, 404, 413, 429, 500, 503):
            yield Answer(status, _ODD_HEADERS, body, NOW, Phase.BODY if status == 200 else Phase.STATUS)
        yield Answer(200, {}, body, NOW, Phase.EVENT)


def _odd_bodies(operation: Operation) -> Iterator[bytes]:
    place = "messages" if operation is Operation.CHAT else "input"
    for fields in _ODD_FIELDS:
        yield json.dumps({"model": "x", place: [], **fields}).encode()
    for content in _ODD_MESSAGES:
        yield json.dumps({"model": "x", place: content}).encode()


@rule(RULES, SECTION, fix="never assume a shape: look before you reach in, and give a `Reading` for whatever it is")
def never_raises(subject: ProviderSubject) -> None:
    """The package has an answer to whatever an upstream or a client sends: nonsense is a value too. Only a catalog that is not
    a list is a `ValueError`."""
    provider, key = subject.provider, subject.key()
    for operation, wire in provider.wires.items():
        model = subject.model(operation)
        for body in _odd_bodies(operation):
            EVIDENCE.note(body.decode(), "(prepare)")
            wire.refusal(subject.call(operation, body), model)
            wire.prepare(subject.call(operation, body), model, key)
        for answer in _nonsense():
            EVIDENCE.note(f"{answer.status} {answer.phase} {answer.body!r}", f"(read, {operation})")
            wire.read(dataclasses.replace(answer, call=subject.call(operation), model=model))
            decoder = wire.decoder(subject.call(operation), model)
            if decoder is not None:
                decoder.decode(answer.body)
                decoder.flush()
    for answer in _nonsense():
        EVIDENCE.note(f"{answer.status} {answer.body!r}", "(catalog, probe)")
        with contextlib.suppress(ValueError):  # a catalog raises it for what is not a model list
            provider.catalog.parse(answer)
        if provider.probe is not None:
            provider.probe.read(answer)


@rule(RULES, SECTION, fix="compute from what you are given: keys, addresses and the time come with each call")
def touches_nothing(subject: ProviderSubject) -> None:
    """It opens no connection, reads no file and no environment variable, and never sleeps. Preparing, reading and parsing turn
    values into values, and return the same twice."""
    with watching(subject.origin.package) as watch:
        first, second = _all_values(subject), _all_values(subject)
    assert not watch.touched, f"it touched {', '.join(sorted(set(watch.touched)))}"
    for name, value in first.items():
        assert second[name] == value, f"{name} gives something else the second time"


def _all_values(subject: ProviderSubject) -> dict[str, Any]:
    """Everything that can be asked of it, once."""
    provider, profile, key = subject.provider, subject.profile, subject.key()
    listing = catalog_of(profile, NOW)
    values: dict[str, Any] = {
        "catalog.request": provider.catalog.request(key),
        "catalog.parse": provider.catalog.parse(listing),
    }
    for operation, wire in provider.wires.items():
        values[f"{operation}.prepare"] = wire.prepare(subject.call(operation), subject.model(operation), key)
        wire.decoder(subject.call(operation), subject.model(operation))
    for case in profile.cases:
        if case.play is None and case.operation != "models":
            operation = Operation.EMBEDDINGS if case.operation == "embeddings" else Operation.CHAT
            values[f"read of {case.name}"] = provider.wires[operation].read(answer_of(profile, case, NOW))
    values["free"] = [provider.free.allows(model, Account()) for model in values["catalog.parse"]]
    if provider.probe is not None:
        values["probe.request"] = provider.probe.request(key)
    return values
