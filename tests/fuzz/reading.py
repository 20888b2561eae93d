"""An upstream's answer: what every provider that is installed makes of it."""

from __future__ import annotations

import math
import struct
from itertools import pairwise

from freeride_core import Answer, Key, Model
from freeride_core.answer import ErrorKind, Phase, Reading, Scope
from freeride_core.call import Call, Feature, Operation
from freeride_core.gateway.protocols.request import parse_call
from freeride_core.plugins.discovery import load_plugins
from freeride_core.provider import Proof, Provider, Wire
from fuzz.target import Bytes, Target

NOW = 1_795_406_400.0
_DAY_S = 25 * 3600  # where clocks are put back
_STATUSES = (
    200,
    400,
    401,
    402,
    403,
    404,
    405,
    408,
    409,
    410,
    413,
    418,
    422,
    424,
    429,
    498,
    500,
    502,
    503,
    504,
    520,
    524,
    529,
    302,
)
_HEADERS = (
    "retry-after",
    "x-ratelimit-reset",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "content-type",
    "x-ratelimit-remaining-requests",
    "ratelimit",
    "retry-after-ms",
    "cf-ray",
    "server",
    "x-should-retry",
)
_PROVIDERS = tuple(load_plugins(("provider",)).providers.values())
_REQUESTS = (
    (Operation.CHAT, b'{"model":"auto","messages":[{"role":"user","content":"hi"}]}'),
    (Operation.CHAT, b'{"model":"auto","messages":[],"stream":true,"tools":[{"type":"function"}]}'),
    (Operation.CHAT, b'{"model":"auto","messages":[],"stream":true}'),
    (Operation.EMBEDDINGS, b'{"model":"m","input":"x"}'),
)
_ANY_MODEL = Model(id="some/model", canonical="some/model")


def _check_reading(reading: object, answer: Answer) -> None:
    assert type(reading) is Reading
    assert reading.account is None or isinstance(reading.account, str)
    failure = reading.failure
    if failure is None:
        assert answer.phase is not Phase.STATUS, "an error that is none"
        return
    assert isinstance(failure.kind, ErrorKind)
    assert failure.scope is None or isinstance(failure.scope, Scope)
    assert failure.feature is None or isinstance(failure.feature, Feature)
    assert isinstance(failure.message, str)
    assert failure.param is None or isinstance(failure.param, str)
    assert failure.retry_at is None or (math.isfinite(failure.retry_at) and NOW <= failure.retry_at <= NOW + _DAY_S)


def _decoded(wire: Wire, call: Call, model: Model, body: bytes, borders: list[int]) -> bytes | None:
    decoder = wire.decoder(call, model)
    if decoder is None:
        return None
    return b"".join(decoder.decode(body[start:end]) for start, end in pairwise(borders)) + decoder.flush()


def _check_lists(provider: Provider, answer: Answer) -> None:
    try:
        models = provider.catalog.parse(answer)
    except ValueError:
        pass
    else:
        assert all(model.id and model.canonical for model in models)
    if provider.probe is not None:
        proof = provider.probe.read(answer)
        assert isinstance(proof, Proof)
        assert proof.valid in (None, True, False)


def _request_is_sound(wire: Wire, provider: Provider, call: Call, model: Model) -> bool:
    base_url = provider.base_url.replace("{account}", "account")
    key = Key(
        provider=provider.name,
        secret="k" * 20,
        fingerprint="0" * 12,
        index=0,
        variable="K",
        account_id="account",
        base_url=base_url,
    )
    if wire.refusal(call, model) is not None:
        return True
    return wire.prepare(call, model, key).url.startswith(base_url)


def check(data: bytes) -> None:
    """No answer makes a package fail, and what it says of it makes sense."""
    source = Bytes(data)
    provider = source.pick(_PROVIDERS)
    call = parse_call(*source.pick(_REQUESTS), NOW)
    phase = source.pick(tuple(Phase))
    status = source.pick(_STATUSES[1:]) if phase is Phase.STATUS else 200
    model = source.pick((_ANY_MODEL, *provider.catalog.models))
    borders = sorted(source.byte() for _ in range(3))
    headers = {source.pick(_HEADERS): source.line().decode("latin-1") for _ in range(source.byte() % 3)}
    event = "error" if phase is Phase.EVENT and source.byte() % 4 == 0 else ""
    body = source.rest()
    answer = Answer(status, headers, body, NOW, phase, event, call, model)
    _check_lists(provider, answer)
    wire = provider.wires.get(call.operation)
    if wire is None:
        return
    assert _request_is_sound(wire, provider, call, model)
    _check_reading(wire.read(answer), answer)
    assert wire.read(answer) == wire.read(Answer(status, headers, body, NOW, phase, event, call, model)), "it remembers"
    within = [min(border, len(body)) for border in borders]
    decoded = _decoded(wire, call, model, body, [0, *within, len(body)])
    assert decoded == _decoded(wire, call, model, body, [0, len(body)]), "it depends on where the body is cut"


def _seed(provider: int, call: int, phase: int, status: int, header: bytes, body: bytes) -> bytes:
    return struct.pack("4B", provider, call, phase, status) + b"\0\x05\x10\x20" + header + body


TARGET = Target(
    check,
    seeds=tuple(
        _seed(provider, call, phase, status, header, body)
        for provider in range(len(_PROVIDERS))
        for call, phase, status, header, body in (
            (
                0,
                0,
                13,
                b"\x01\x0030\n",
                b'{"error":{"message":"Rate limit reached. Please try again in 2m59.56s","code":"rate_limit_exceeded"}}',
            ),
            (
                1,
                2,
                0,
                b"\0\x01",
                b'data: {"error":{"code":429,"message":"Resource exhausted","status":"RESOURCE_EXHAUSTED"}}\n\n',
            ),
            (
                1,
                2,
                0,
                b"\0\x01",
                b'data: {"choices":[{"delta":{"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]}}]}\n\n',
            ),
            (
                0,
                1,
                0,
                b"\0",
                b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"completion_tokens":1}}',
            ),
            (2, 0, 15, b"\x01\x04text/html\n", b"<!DOCTYPE html><html>bad gateway</html>"),
            (
                3,
                0,
                13,
                b"\0",
                b'[{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"17s"}]}}]',
            ),
            (
                0,
                1,
                0,
                b"\0",
                b'{"data":[{"id":"a/b:free","context_length":8192,"pricing":{"prompt":"0"}}],"models":[{"name":"m"}],"result":[{"name":"m"}]}',
            ),
        )
    ),
    words=(
        b'"error":',
        b'"message":"',
        b'"code":',
        b'"type":"',
        b'"choices":[',
        b'"retry_after":',
        b'"retryDelay":"17s"',
        b'"details":[',
        b'"metadata":{',
        b'"errors":[',
        b"try again in ",
        b"1e400",
        b"<html>",
        b'"data":[',
        b'"id":"',
        b'"name":"',
        b'"result":',
        b"input_token_count, limit: ",
        b"per day",
        b"tool_calls",
        b"NaN",
        b"99999999999999999999",
    ),
)
