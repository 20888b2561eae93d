"""Errors, model lists and signatures in the form that clients of the Messages API look for."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import Any

import pytest

from freeride_core.gateway.protocols.errors import ClientError, bad_request
from freeride_core.gateway.protocols.messages.errors import error_body
from freeride_core.gateway.protocols.messages.models import model_list
from freeride_core.gateway.protocols.messages.thinking import reasoning_of, signed
from freeride_core.gateway.protocols.protocol import ListedModel

FAILED = ClientError(
    status=503,
    message="No free upstream could answer.",
    type="all_upstreams_failed",
    code="mixed",
    more={"tried": [{"provider": "p"}], "suggestion": "Wait."},
    retry_after_s=7,
)


def told(error: ClientError) -> dict[str, Any]:
    body = json.loads(error_body(error, "req_1"))
    assert (body["type"], body["request_id"]) == ("error", "req_1")
    inner: dict[str, Any] = body["error"]
    return inner


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (415, "invalid_request_error"),
        (421, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (508, "api_error"),
    ],
)
def test_an_error_has_the_type_of_its_status(status: int, kind: str) -> None:
    assert told(bad_request("No.", status=status))["type"] == kind


def test_a_failed_walk_is_an_overload_that_says_who_was_asked() -> None:
    assert told(FAILED) == {
        "type": "overloaded_error",
        "message": "No free upstream could answer.",
        "code": "all_upstreams_failed",
        "param": None,
        "tried": [{"provider": "p"}],
        "suggestion": "Wait.",
    }


def test_a_prompt_that_is_too_long_begins_with_the_words_that_agents_look_for() -> None:
    error = bad_request("This model's maximum context length is 8192 tokens.", code="context_length_exceeded")
    assert told(error)["message"] == "prompt is too long: This model's maximum context length is 8192 tokens."
    assert told(error)["type"] == "invalid_request_error"
    error = bad_request("Prompt is too long: 9 tokens > 8 maximum", code="context_length_exceeded")
    assert told(error)["message"] == "Prompt is too long: 9 tokens > 8 maximum"


def test_a_model_that_nobody_serves_comes_with_the_fix() -> None:
    error = bad_request("No provider lists this model.", code="model_not_found", status=404)
    assert "ANTHROPIC_MODEL=auto" in told(error)["message"]
    assert "freeride run" in told(error)["message"]


def listed(model_id: str, **more: Any) -> ListedModel:
    owner = more.pop("owner", "groq")
    return ListedModel(
        id=model_id, canonical=model_id, owner=owner, provider_ids={}, providers=[], parameters=[], **more
    )


def test_the_list_begins_with_what_agents_show() -> None:
    presets = [listed("auto", owner="freeride"), listed("freeride/coding", owner="freeride")]
    page = json.loads(model_list([*presets, listed("a/b", context=8192), listed("vectors", is_embedder=True)]))
    assert [entry["id"] for entry in page["data"]] == [
        "claude-freeride-auto",
        "claude-freeride-coding",
        "auto",
        "freeride/coding",
        "a/b",
    ]
    assert page["data"][0]["display_name"] == "FreeRide auto"
    assert page["data"][-1] == {
        "type": "model",
        "id": "a/b",
        "display_name": "a/b",
        "created_at": "1970-01-01T00:00:00Z",
        "max_input_tokens": 8192,
    }
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("claude-freeride-auto", "a/b", False)
    assert json.loads(model_list([])) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def bomb(size: int) -> str:
    return "fr1." + base64.urlsafe_b64encode(zlib.compress(bytes([65]) * size)).decode()


@pytest.mark.parametrize(
    ("text", "signature", "expected"),
    [
        ("", signed("Hm. ü"), "Hm. ü"),
        ("Seen", "fr1.", "Seen"),
        ("Seen", "RXJqYWRh", "Seen"),
        ("", "RXJqYWRh", ""),
        ("", None, ""),
        ("", "fr1.no base64", ""),
        ("", "fr1.AAAA", ""),
        ("", "fr1.ü", ""),
        ("", "fr1." + "A" * 40_000, ""),
    ],
)
def test_a_signature_says_only_what_was_put_there(text: str, signature: str | None, expected: str) -> None:
    assert reasoning_of(text, signature) == expected


def test_a_signature_unpacks_to_no_more_than_a_quarter_of_a_megabyte() -> None:
    assert len(reasoning_of("", bomb(10_000_000))) == 256 * 1024


def test_reasoning_that_is_too_long_for_a_signature_is_left_out() -> None:
    noise = "".join(hashlib.sha256(b"%d" % number).hexdigest() for number in range(1500))
    assert signed(noise) == "fr1."
