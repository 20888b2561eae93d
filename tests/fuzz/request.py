"""A client's request body."""

from __future__ import annotations

import json
from typing import Any

from freeride_core.call import Call, Operation
from freeride_core.gateway.protocols.request import BadRequest, parse_call
from fuzz.target import Target

_DEEP = 200
"""From here on how deep is too deep may differ."""
_REPLACED = {"model": b'"another"', "added": b"1", "temperature": None}


def _loaded(body: bytes) -> Any:
    """None where Python finds no JSON object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)  # NaN equals itself here


def _check_call(call: Call, body: bytes) -> None:
    loaded = _loaded(body)
    assert loaded is not None, "accepted what Python does not"
    assert set(call.fields) == set(loaded)
    assert all(_same(call.value(name), value) for name, value in loaded.items())
    assert call.model == (loaded["model"] or "")
    assert call.stream == (call.operation is Operation.CHAT and loaded.get("stream") is True)
    assert call.features >= call.abilities
    assert 0 <= call.prompt_tokens <= len(body)
    assert call.output_tokens >= 0
    assert call.body_with({}) == body
    changed = _loaded(call.body_with(_REPLACED))
    expected = {name: value for name, value in loaded.items() if name != "temperature"}
    assert _same(changed, {**expected, "model": "another", "added": 1}), "a change has changed something else"


def check(body: bytes) -> None:
    """What Python's `json` accepts is accepted, means the same, and stays the same but for what is replaced."""
    for operation in Operation:
        try:
            call = parse_call(operation, body)
        except BadRequest as error:
            assert error.message
            is_fault_of_form = error.param is None and "deep" not in error.message
            is_shallow = max(body.count(b"["), body.count(b"{")) < _DEEP
            assert not is_fault_of_form or not is_shallow or _loaded(body) is None, "refused what Python accepts"
        else:
            _check_call(call, body)


TARGET = Target(
    check,
    seeds=(
        b'{"model":"auto","messages":[{"role":"user","content":"hi"}],"stream":true}',
        b'{"model":"a/b:free","input":["x"],"max_tokens":5,"temperature":NaN}',
        b'{"mod\\u0065l":null,"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]}',
        b'\xef\xbb\xbf{"a":1,"a":2,"model":"","messages":"\\ud800","tools":[{"type":"function"}],"response_format":{"type":"json_schema"}}',
        '{"model":"auto","messages":[]}'.encode("utf-16"),
        b'{"model":"auto","messages":["\xed\xa0\x80"],"stream_options":{"include_usage":true},"max_completion_tokens":1e3}',
    ),
    words=(
        b'"model":',
        b'"messages":',
        b'"stream":',
        b'"input":',
        b'"tools":',
        b'"stream_options":',
        b'"max_tokens":',
        b'"data:',
        b"\\u00",
        b"\\ud800",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"NaN",
        b"-Infinity",
        b"null",
        b"true",
    ),
)
