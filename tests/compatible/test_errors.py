"""An upstream's error in whichever shape it comes, and what the usual words in it mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.answer import Answer, ErrorKind, Scope
from freeride_core.call import Feature
from freeride_core.compatible.errors import UpstreamErrorBody
from freeride_core.compatible.rules import Rule
from freeride_core.compatible.usual_rules import USUAL, by_status
from freeride_core.compatible.wire import CompatibleWire

NOW = 1_795_406_400.0


def answer(body: Any, status: int = 400, headers: dict[str, str] | None = None) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers=headers or {}, body=data, now=NOW)


def complaint(body: Any) -> UpstreamErrorBody:
    return UpstreamErrorBody.of(answer(body))


# Shapes


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "No.", "type": "t", "code": None}}, "No."),
        ({"error": "No."}, "No."),
        ([{"error": {"message": "No."}}], "No."),
        ([{"error": {"message": "No."}}, {"error": {"message": "Later."}}], "No."),
        ({"error": [{"message": "No."}]}, "No."),
        ({"error": {"error": {"message": "No."}}}, "No."),
        ({"error": True, "message": "No."}, "No."),
        ({"error": {}, "message": "No."}, "No."),
        ({"error": {"code": 5}, "message": "No."}, "No."),
        ({"error": "No.", "message": "Something longer."}, "No."),
        ({"errors": [{"code": 5, "message": "No."}, {"message": "Later."}], "result": None}, "No."),
        ({"errors": ["No."]}, "No."),
        ({"errors": {"message": "No."}}, "No."),
        ({"errors": [], "message": "No."}, "No."),
        ({"choices": [{"error": {"message": "No."}, "message": {"content": "text"}}]}, "No."),
        ({"object": "error", "message": "No.", "type": "t"}, "No."),
        ({"message": "No."}, "No."),
        ({"status": 404, "title": "Not Found", "detail": "No."}, "No."),
        ({"status": 429, "title": "No."}, "No."),
        ({"type": "about:blank", "title": "No.", "detail": None}, "No."),
        ({"detail": "No."}, "No."),
        (
            {
                "detail": [
                    {"type": "missing", "loc": ["body", "messages"], "msg": "Field required", "input": {"a": "b"}}
                ]
            },
            "body.messages: Field required",
        ),
        (
            {"object": "error", "message": {"detail": [{"loc": ["body", "tools", 0], "msg": "No."}]}},
            "body.tools.0: No.",
        ),
        ({"error": {"message": "It failed", "metadata": {"raw": "No.", "x": 1}}}, "It failed: No."),
        ({"error": {"message": "No.", "metadata": {"raw": {"x": 1}}}}, "No."),
        ("No.", "No."),
        (b"No.\n", "No."),
        (b"  404 page not found\n", "404 page not found"),
        (b"{broken", "{broken"),
        (b"\xff\xfe", "��"),
        (b"", ""),
        ({}, ""),
        ({"error": None}, ""),
        ({"message": 5}, ""),
        ({"error": {"message": json.dumps({"error": {"message": "No."}})}}, "No."),
        ({"error": {"message": "Asked: " + json.dumps({"error": {"message": "No."}})}}, "Asked: No."),
        ({"error": {"message": "It failed", "metadata": {"raw": json.dumps({"message": "No."})}}}, "It failed: No."),
        ({"error": {"message": json.dumps([{"error": {"message": json.dumps({"detail": "No."})}}])}}, "No."),
        ({"error": '{"x": 1}'}, '{"x": 1}'),
        ({"error": "use {braces} {"}, "use {braces} {"),
        (json.dumps({"error": "No."}), "No."),
        (b"<html><head><title>502 Bad Gateway</title></head></html>", ""),
        (b"\n<!DOCTYPE html><p>No.", ""),
        (b"<!-- hello -->\n<HTML>No.", ""),
    ],
)
def test_the_message_is_found_in_every_shape(body: Any, message: str) -> None:
    assert complaint(body).message == message


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({"error": {"message": "x", "type": "t", "code": "c"}}, {"t", "c"}),
        ({"error": {"code": 429, "metadata": {"error_type": "e", "limit_source": "l"}}}, {"429", "e", "l"}),
        ({"errors": [{"code": 3040}, {"code": 7}]}, {"3040", "7"}),
        ([{"error": {"status": "S", "details": [{"reason": "R", "@type": "no"}]}}], {"S", "R"}),
        ({"status": 404, "type": "about:blank"}, {"404", "about:blank"}),
        ({"error": {"code": None, "type": True}}, set()),
        ({"error": {"message": "code", "other": "type"}}, set()),
        ({"a": {"b": {"c": {"code": "in"}}}}, {"in"}),
        ({"a": {"b": {"c": {"d": {"code": "in"}}}}}, {"in"}),
        ({"a": {"b": {"c": {"d": {"e": {"code": "out"}}}}}}, set()),
        (b"code", set()),
        ("code", set()),
    ],
)
def test_every_machine_readable_word_is_a_code(body: Any, codes: set[str]) -> None:
    assert complaint(body).codes == codes


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"error": {"message": "x", "param": "model"}}, "model"),
        ({"message": "x", "param": "model"}, "model"),
        ({"error": {"message": "x", "param": None}}, None),
        ({"error": {"message": "x", "param": ["model"]}}, None),
        ({"error": "x", "param": "model"}, None),
        (b"x", None),
    ],
)
def test_the_field_at_fault_is_named_where_the_upstream_names_it(body: Any, param: str | None) -> None:
    assert complaint(body).param == param


def test_only_the_beginning_of_a_long_message_is_looked_at() -> None:
    for body in (
        {"error": "x" * 100_000},
        b"x" * 100_000,
        "x" * 100_000,
        {"detail": [{"loc": ["y" * 10_000], "msg": "z"}]},
    ):
        assert len(complaint(body).message) == 2000


FIELDS = st.sampled_from(
    [
        "error",
        "errors",
        "message",
        "detail",
        "msg",
        "title",
        "loc",
        "metadata",
        "raw",
        "code",
        "type",
        "choices",
        "status",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=15,
)


@given(st.one_of(JSON.map(lambda value: json.dumps(value).encode()), st.binary(max_size=60)))
def test_no_body_is_too_odd(body: bytes) -> None:
    found = complaint(body)
    assert isinstance(found.message, str)
    assert all(isinstance(code, str) for code in found.codes)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [(b"[", b"]"), (b'{"error":', b"}"), (b'{"detail":[{"loc":', b"}]}"), (b'{"code":', b"}")],
)
@pytest.mark.parametrize("depth", [5, 50, 300, 100_000])
def test_no_body_is_too_deep(opening: bytes, closing: bytes, depth: int) -> None:
    assert len(complaint(opening * depth + b"1" + closing * depth).message) <= 2000


# Rules


def fits(rule: Rule, body: Any, status: int = 400, **headers: str) -> bool:
    found = answer(body, status, headers)
    return rule.fits(status, UpstreamErrorBody.of(found), found)


def test_a_rule_without_conditions_fits_everything() -> None:
    assert fits(Rule(kind=ErrorKind.AUTH), b"")


def test_all_conditions_of_a_rule_must_hold() -> None:
    rule = Rule(kind=ErrorKind.AUTH, status=(400, 403), code=("a", "b"), text="^no way", header="x-why")
    good = {"error": {"message": "No way!", "code": "b"}}
    assert fits(rule, good, 403, **{"x-why": ""})
    assert not fits(rule, good, 401, **{"x-why": ""})
    assert not fits(rule, good, 403)
    assert not fits(rule, {"error": {"message": "No way!", "code": "c"}}, 403, **{"x-why": ""})
    assert not fits(rule, {"error": {"message": "Say: no way!", "code": "b"}}, 403, **{"x-why": ""})


def test_one_status_and_one_code_need_no_tuple() -> None:
    assert fits(Rule(kind=ErrorKind.AUTH, status=400, code="7"), {"code": 7})
    assert not fits(Rule(kind=ErrorKind.AUTH, status=400, code="7"), {"code": 77})


def meaning(status: int, message: str, code: str | None = None) -> tuple[ErrorKind, Feature | None]:
    """As the usual rules have it, for an answer in the usual shape."""
    found = answer({"error": {"message": message, "code": code}}, status)
    for rule in USUAL:
        if rule.fits(status, UpstreamErrorBody.of(found), found):
            return rule.kind, rule.feature
    return by_status(status), None


TOOLS, IMAGES, SCHEMA = Feature.TOOLS, Feature.IMAGES, Feature.JSON_SCHEMA
CONTEXT, FILTER, MISSING = ErrorKind.CONTEXT_LENGTH, ErrorKind.CONTENT_FILTER, ErrorKind.MODEL_NOT_FOUND
UNSUPPORTED, BAD, AUTH, RATE = ErrorKind.UNSUPPORTED, ErrorKind.BAD_REQUEST, ErrorKind.AUTH, ErrorKind.RATE_LIMIT


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "This model's maximum context length is 131072 tokens. However, you requested 140123 tokens.", CONTEXT),
        (400, "Prompt contains 140000 tokens, too large for model with 131072 maximum context length", CONTEXT),
        (400, "The input token count exceeds the maximum number of tokens allowed 1048576.", CONTEXT),
        (400, "too many tokens: size limit exceeded by 11326 tokens.", CONTEXT),
        (413, "Please reduce the length of the messages or completion.", CONTEXT),
        (422, "prompt is too long: 210000 tokens > 200000 maximum", CONTEXT),
        (500, "input exceeds the context window", CONTEXT),
        (400, "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.", CONTEXT),
        (400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens.", CONTEXT),
        (
            400,
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5120 `inputs` tokens and 100 `max_new_tokens`",
            CONTEXT,
        ),
        (422, "Input validation error: `inputs` must have less than 512 tokens. Given: 600", CONTEXT),
        (400, "Input length 1039 exceeds maximum allowed token size 512", CONTEXT),
        (400, "The prompt is too long: 140000, model maximum context length: 131071", CONTEXT),
        (400, "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", CONTEXT),
        (400, "The input (41000 tokens) is longer than the model's context length (32768 tokens).", CONTEXT),
        (400, "The decoder prompt (length 40000) is longer than the maximum model length of 32768.", CONTEXT),
        (400, "Requested token count exceeds the model's maximum context length of 131072 tokens.", CONTEXT),
        (400, "Invalid request: Your request exceeded model token limit: 131072", CONTEXT),
        (400, "prompt token count of 150000 exceeds the limit of 128000", CONTEXT),
        (400, "prompt too long; exceeded max context length by 4 tokens", CONTEXT),
        (413, "Request body too large for small-model model. Max size: 8000 tokens.", CONTEXT),
        (400, "Too many input tokens. Max input tokens: 8192, request input token count: 9000", CONTEXT),
        (400, "Input is too long for requested model.", CONTEXT),
        (400, "Range of input length should be [1, 30720]", CONTEXT),
        (400, "context window exceeds limit", CONTEXT),
        (400, "the request exceeds the available context size, try increasing it", CONTEXT),
        (500, "request (5000 tokens) exceeds the available context size (4096 tokens)", CONTEXT),
        (500, "The maximum context length is 262144 tokens. However, about 301022 tokens were requested.", CONTEXT),
        (400, "Input cannot be longer than 8192 tokens", CONTEXT),
        (400, "Please reduce the length of the messages. Current length is 9000 while limit is 8192", CONTEXT),
        (400, "Prompt exceeds max length", CONTEXT),
        (400, "Prompt 超长", CONTEXT),
        (400, "'max_tokens' is too large: 40000. This model's maximum context length is 32768 tokens.", CONTEXT),
        # Of the answer, of characters, of a name: a larger window would not help.
        (
            400,
            "max_completion_tokens is too large: 262144. This model supports at most 256000 completion tokens.",
            UNSUPPORTED,
        ),
        (
            400,
            "`max_tokens` must be less than or equal to `8192`, which is less than the `context_window`",
            UNSUPPORTED,
        ),
        (
            400,
            "prompt length must be 896 characters or fewer, but provided prompt contains 904 characters",
            UNSUPPORTED,
        ),
        (400, "Invalid 'user': string too long. Expected at most 64 characters", UNSUPPORTED),
        (400, "messages.0.name is too long", UNSUPPORTED),
        (400, "At most 128 tools may be sent in one request", UNSUPPORTED),
        (400, "image of 9000 pixels exceeds the limit of 8000", UNSUPPORTED),
        (400, "Unknown parameter: context_length", UNSUPPORTED),
        (500, "context size exceeded while loading", ErrorKind.UNAVAILABLE),
        # It says so of its rate, or of something else that is long.
        (429, "Request too large for x on tokens per min (TPM): Limit 10000, Requested 20000.", ErrorKind.TOO_LARGE),
        (400, "Payload too large", ErrorKind.TOO_LARGE),
        (400, "request entity too large", ErrorKind.TOO_LARGE),
        (429, "Tokens per minute limit exceeded - too many tokens processed.", RATE),
        (413, "Request too large", ErrorKind.TOO_LARGE),
        (400, "stop: sequence is too long", UNSUPPORTED),
        (503, "context window service is down", ErrorKind.UNAVAILABLE),
    ],
)
def test_a_prompt_that_does_not_fit(status: int, message: str, kind: ErrorKind) -> None:
    assert meaning(status, message) == (kind, None)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (403, 'x/y requires moderation on Somebody. Your input was flagged for "violence".', FILTER),
        (400, "The prompt has been flagged by our safety system", FILTER),
        (400, "The response was filtered due to the prompt triggering the content management policy.", FILTER),
        (400, "Your request violates our content policy", FILTER),
        (400, "Blocked by content filter", FILTER),
        (403, "Rejected by moderation", FILTER),
        (403, "Request blocked: prompt injection patterns detected", FILTER),
        (400, "System detected potentially unsafe or sensitive content in input or generation.", FILTER),
        (400, "The response was filtered by our safety system", FILTER),
        (400, "系统检测到输入或生成内容可能包含不安全或敏感内容", FILTER),
        # The account is at fault, or a model or a field of that name: others may answer.
        (403, "Your account was flagged for review.", AUTH),
        (403, "This account is suspended for violations of our content policy", AUTH),
        (400, "omni-moderation-latest is no chat model", UNSUPPORTED),
        (404, "Your input was flagged", MISSING),
        (500, "content filter unavailable", ErrorKind.UNAVAILABLE),
    ],
)
def test_what_a_filter_refused(status: int, message: str, kind: ErrorKind) -> None:
    assert meaning(status, message) == (kind, None)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "The model `Foo` does not exist.", MISSING),
        (400, "The requested model 'foo/bar' does not exist.", MISSING),
        (400, "The model `mixtral-8x7b-32768` has been decommissioned and is no longer supported.", MISSING),
        (400, "acme/fake-1.0 is not a valid model ID", MISSING),
        (400, "Unknown Model, please check the model code.", MISSING),
        (400, "No such model: foo", MISSING),
        (422, "model 'command-r' not found, make sure the correct model ID was used", MISSING),
        (403, "this model is not in the Free plan, upgrade for access", MISSING),
        (402, "Model x requires a subscription", MISSING),
        (403, "This model is not available on your plan", MISSING),
        (400, "The model x reached its end of life on 2026-05-01", MISSING),
        (400, "Model x is no longer available", MISSING),
        # The model is only mentioned.
        (400, "The model called a tool that was not found", UNSUPPORTED),
        (400, "model x: image at https://y.invalid not found", UNSUPPORTED),
        (400, "For model x, effort 'none' is not a valid value", UNSUPPORTED),
        (400, "tool_call_id does not exist", UNSUPPORTED),
        (400, "remodel not found", UNSUPPORTED),
        (403, "You cannot use this model today", MISSING),
        (403, "Model x/y is not approved for this organization", MISSING),
        (401, "This model requires an API token.", MISSING),
        (401, "Free promotion has ended for Some Model 1.", MISSING),
        (402, "This is a paid model. To use paid models, you need to add credits.", MISSING),
        (404, "No endpoints found for x/y.", MISSING),
        (404, "404 page not found", MISSING),
        (404, "Not Found", MISSING),
        (404, "", MISSING),
        # A field of the request, or what it names, is not there; the model is.
        (404, "No allowed providers are available for the selected model.", UNSUPPORTED),
        (404, "No endpoints found that can handle the requested parameters. To learn more, visit: x", UNSUPPORTED),
        (404, "No endpoints found that support the requested output modalities", UNSUPPORTED),
        (404, "All providers have been ignored. To change your default ignored providers, visit: x", UNSUPPORTED),
        (404, "No endpoints available matching your guardrail restrictions", UNSUPPORTED),
        (404, "Could not route to /accounts/x, perhaps your object identifier is invalid?", UNSUPPORTED),
        (404, "The file 'file-1' was not found", UNSUPPORTED),
        (404, "Previous response with id 'r-1' not found.", UNSUPPORTED),
        (404, "image at https://y.invalid could not be found", UNSUPPORTED),
        (429, "The model x does not exist", RATE),
        (503, "The model x was not found in any region", ErrorKind.UNAVAILABLE),
    ],
)
def test_a_model_that_is_not_there(status: int, message: str, kind: ErrorKind) -> None:
    assert meaning(status, message) == (kind, None)


@pytest.mark.parametrize(
    ("status", "message", "feature"),
    [
        (404, "No endpoints found that support tool use. To learn more, visit: x", TOOLS),
        (400, "x/gemma:2b does not support tools", TOOLS),
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', TOOLS),
        (400, "function calling is not enabled for this model", TOOLS),
        (400, "function calling not enabled for this model", TOOLS),
        (422, "`tools` are not supported", TOOLS),
        (400, "`tools` is not supported in this model. For a list of supported models, see x", TOOLS),
        (400, "This model does not support tool calling.", TOOLS),
        (400, "The model x doesn't support function calling", TOOLS),
        (400, "Tool use is not supported by this model", TOOLS),
        (400, "Tools are currently not supported", TOOLS),
        (400, "does not currently support the use of tools (x/y)", TOOLS),
        (400, "Error: tool calling is not yet supported for model x/y", TOOLS),
        (400, "property 'tools' is unsupported", TOOLS),
        # A value of theirs, or a field beside them.
        (400, "Thinking mode does not support this tool_choice", None),
        (400, "tool_choice 'required' is not supported", None),
        (400, "This model does not support tool_choice", None),
        (400, "This model does not support parallel tool calls", None),
        (400, "Parallel tool calls are not supported", None),
        (400, "This model only supports single tool-calls at once!", None),
        (400, "This model does not support more than 128 tools", None),
        (400, "Tools are not supported when streaming", None),
        (400, "This model does not support tools with response_format json_object", None),
        (400, "Function calling with a response mime type: 'application/json' is unsupported", None),
        (400, "Tool type 'web_search' is not supported", None),
        (400, "tools[0].type: 'custom' is not supported", None),
        (400, "Built-in tools are not supported", None),
        (400, "Strict tools are not supported", None),
        (400, "tool names with dots are not supported", None),
        (400, "tools.0.function.parameters: keyword 'oneOf' is not supported", None),
        (400, "This model does not support tool messages without content", None),
        (400, "Unsupported field: function_call", None),
        (400, "Unsupported role: tool", None),
        (400, "tool calls in assistant messages are not available with names", None),
        (400, "This functionality is not available in your region", None),
        (400, '"gemma:2b" does not support thinking', None),
        (400, "property 'reasoning_content' is unsupported", None),
        (404, "No endpoints found that support image input", IMAGES),
        (400, "image_url is not supported by this model", IMAGES),
        (400, "Invalid content type. image_url is only supported by certain models.", IMAGES),
        (400, "unknown variant `image_url`, expected `text` at line 1", IMAGES),
        (400, "x is not a multimodal model", IMAGES),
        (400, "At most 0 image(s) may be provided in one request.", IMAGES),
        (400, "This model doesn't support vision", IMAGES),
        (400, "This model does not support image inputs", IMAGES),
        (400, "Cannot read image (this model does not support image input). Inform the user.", IMAGES),
        (400, "Images are not supported for this model", IMAGES),
        (400, "Multimodal input is not supported", IMAGES),
        # One image, its form, or where it stands.
        (400, "Unsupported MIME type: image/jpg", None),
        (400, "The model does not support image/jpg", None),
        (400, "Image format bmp is not supported", None),
        (400, "Unsupported image type: image/tiff", None),
        (400, "This model does not support images larger than 4 MB", None),
        (400, "Images are not supported in tool results", None),
        (400, "Images are not supported in system messages", None),
        (400, "Image URLs are not supported, send base64", None),
        (400, "image detail 'original' is not supported", None),
        (400, "This model does not support image generation", None),
        (400, "At most 5 images may be provided in one request.", None),
        (400, "Animated images are not supported", None),
        (400, "could not read the image", None),
        (400, "This model does not support response format `json_schema`. See supported models", SCHEMA),
        (400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.", SCHEMA),
        (400, "response_format is not supported", SCHEMA),
        (400, "Structured output is unsupported", SCHEMA),
        (400, "This model does not support structured outputs", SCHEMA),
        # A keyword of a schema, or a field beside it.
        (400, "response_format: json_schema.name is missing", None),
        (400, "json_schema: keyword 'minItems' is not supported", None),
        (400, "response_format.json_schema.strict is not supported", None),
        (400, "response_format type 'text' is not supported", None),
        (400, "Structured outputs are not supported with streaming", None),
        (400, "Invalid schema for response_format 'x': 'allOf' is not permitted", None),
        (400, "Type mismatch of '/messages/1/content', 'array' not in 'string'", Feature.CONTENT_PARTS),
        (400, "content must be a string", Feature.CONTENT_PARTS),
        (422, "body.messages.0.content: Input should be a valid string", Feature.CONTENT_PARTS),
        (400, "name must be a string", None),
        (400, "feature 'parallel_calls=false' is not currently supported", None),
    ],
)
def test_what_a_model_cannot_do(status: int, message: str, feature: Feature | None) -> None:
    assert meaning(status, message) == (UNSUPPORTED, feature)


QUOTA, DOWN = ErrorKind.QUOTA_EXHAUSTED, ErrorKind.UNAVAILABLE


@pytest.mark.parametrize(
    ("status", "message", "code", "kind"),
    [
        # A limit
        (400, "Rate limit exceeded, please try again in 43 seconds", "429", RATE),
        (400, "Rate limit exceeded, please try again in 43 seconds", None, RATE),
        (400, "slow down", "rate_limit_error", RATE),
        (400, "Too many requests", None, RATE),
        (403, "Rate limit reached for requests", None, RATE),
        (422, "You have hit the rate limit", None, RATE),
        (409, "too many concurrent requests", None, RATE),
        # A balance, a quota
        (400, "Insufficient balance", None, QUOTA),
        (400, "Your credit balance is too low to access the API.", None, QUOTA),
        (403, "Your account balance is insufficient.", None, QUOTA),
        (403, "Your organization has reached its monthly spending limit.", None, QUOTA),
        (402, "Insufficient credits. Add more using x", None, QUOTA),
        (429, "insufficient balance (1008)", None, QUOTA),
        (429, "您的账户已欠费，请充值后重试。", None, QUOTA),
        (429, "you exceeded your quota", "insufficient_quota", QUOTA),
        (400, "no more", "402", QUOTA),
        (429, "Rate limit exceeded: free-models-per-day", None, QUOTA),
        (429, "You have exceeded today's quota, please try again tomorrow", None, QUOTA),
        (429, "Daily cost quota exceeded", None, QUOTA),
        (429, "you have reached your weekly usage limit", None, QUOTA),
        (429, "Rate limit reached on tokens per day (TPD): Limit 200000, Used 199956", None, QUOTA),
        (429, "Rate limit reached on tokens per minute (TPM): Limit 8000, Used 6493", None, RATE),
        (401, "Sign up for free to continue. Or come back later.", None, QUOTA),
        # A key, an account
        (400, "API key not valid. Please pass a valid API key.", None, AUTH),
        (400, "API key expired. Please renew the API key.", None, AUTH),
        (400, "Please pass a valid API key.", None, AUTH),
        (400, "Missing or invalid Authorization header.", None, AUTH),
        (400, "Authentication failed (status: 400)", None, AUTH),
        (400, "x", "invalid_api_key", AUTH),
        (400, "x", "401", AUTH),
        (400, "Organization has been restricted. Please reach out to support.", "organization_restricted", AUTH),
        (400, "Organization has been restricted. Please reach out to support.", None, AUTH),
        (400, "Your account has been suspended", None, AUTH),
        (404, "This project is deactivated", None, AUTH),
        (403, "Your account is on hold: billing was stopped", None, AUTH),
        (403, "Authorization failed", None, AUTH),
        (403, "Invalid authorization token", None, AUTH),
        (403, "The key lacks the permission to call models", None, AUTH),
        (403, "Email not verified. Please verify your email to continue.", None, AUTH),
        (403, "Sorry, your account has not completed real-name authentication.", None, AUTH),
        (403, "Country, region, or territory not supported", None, AUTH),
        (401, "", None, AUTH),
        # Nothing of the key
        (403, "", None, DOWN),
        (403, "Forbidden", None, DOWN),
        (403, "Access denied. Please check your network settings.", None, DOWN),
        # Capacity, which is no limit of this account
        (429, "All providers for this model are at capacity.", None, DOWN),
        (429, "We're experiencing high traffic right now! Please try again soon.", None, DOWN),
        (429, "The service may be temporarily overloaded, please try again later", None, DOWN),
        (498, "Over capacity for flex tier. Please try again later.", None, DOWN),
        (400, "Function id 'x': DEGRADED function cannot be invoked", None, DOWN),
        # A part of the request that is called so, or that the client chose
        (400, "Invalid value: 'rate limit exceeded, too many requests'", None, UNSUPPORTED),
        (400, 'Unexpected value "Insufficient balance"', None, UNSUPPORTED),
        (400, "tools[0].function.parameters: access_token is not valid", None, UNSUPPORTED),
        (400, "property 'api_key' is missing a valid API key", None, UNSUPPORTED),
        (400, "The function get_account is blocked", None, UNSUPPORTED),
        (400, "Unrecognized request argument supplied: credits", None, UNSUPPORTED),
        (400, "messages[3]: 'account suspended' is no role", None, UNSUPPORTED),
    ],
)
def test_the_words_of_an_error_outrank_its_status(status: int, message: str, code: str | None, kind: ErrorKind) -> None:
    assert meaning(status, message, code) == (kind, None)


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "scope"),
    [
        (403, {"cf-mitigated": "challenge"}, b"<html><title>Just a moment...</title></html>", DOWN, Scope.PROVIDER),
        (403, {}, b"<!DOCTYPE html><html><title>Access denied</title></html>", DOWN, Scope.PROVIDER),
        (403, {"content-type": "text/html"}, b"error code: 1010", DOWN, Scope.PROVIDER),
        (429, {"cf-mitigated": "challenge"}, b"<html></html>", DOWN, Scope.PROVIDER),
        (503, {}, b"<html><title>Attention Required</title></html>", DOWN, Scope.PROVIDER),
        (502, {"content-type": "text/html"}, b"bad gateway", DOWN, Scope.PROVIDER),
        (403, {"content-type": "text/html"}, b'{"error": "API key revoked"}', AUTH, None),
        (407, {}, b"<html>Proxy Authentication Required</html>", ErrorKind.NETWORK, Scope.PROVIDER),
        (407, {}, b"", ErrorKind.NETWORK, Scope.PROVIDER),
        (403, {}, b"", DOWN, None),
    ],
)
def test_what_stands_on_the_way_says_nothing_of_the_key(
    status: int, headers: dict[str, str], body: bytes, kind: ErrorKind, scope: Scope | None
) -> None:
    failure = CompatibleWire(path="/x").read(answer(body, status, headers)).failure
    assert failure is not None
    assert (failure.kind, failure.scope) == (kind, scope)


@given(st.text("tools support not image 12k>=max_tokens exceeds prompt`'\".,:({[", max_size=300))
def test_every_message_has_a_meaning(text: str) -> None:
    assert meaning(400, text)[0] in ErrorKind


def test_what_is_unavailable_is_not_unsupported() -> None:
    assert meaning(503, "tools are not supported right now") == (ErrorKind.UNAVAILABLE, None)


@pytest.mark.parametrize(
    ("message", "is_proven"),
    [
        ("temperature must be <= 2", True),
        ("Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.", True),
        ("temperature: 2.5 is greater than the maximum of 2", True),
        ("body.temperature: Input should be less than or equal to 2", True),
        ("temperature must be between 0 and 2, got 5", True),
        ("temperature must be between 0.0 and 2.0", True),
        ("temperature exceeds the maximum value of 2", True),
        ("presence_penalty must be between -2.0 and 2.0", True),
        ("frequency_penalty must be at most 2", True),
        ("temperature must be <= 1", False),
        ("temperature must be between 0 and 1", False),
        ("temperature must be less than 20", False),
        ("temperature must be between 0.01 and 2", False),
        ("temperature must be greater than 0 and at most 2", False),
        ("temperature must be > 0.0 and <= 2.0", False),
        ("temperature must be in (0, 2], at most 2", False),
        ("temperature is not supported; choose at least 2 models", False),
        ("max_tokens must be at most 2", False),
        ("top_p must be <= 1", True),
        ("top_p must be between 0 and 1", True),
        ("top_p: Input should be less than or equal to 1", True),
        ("top_p must be between 0 and 1.5", True),
        ("top_p must be in (0, 1], got 0.0", False),
        ("top_p must be greater than 0 and less than or equal to 1", False),
        ("top_p must be <= 0.9", False),
        ("top_p must be at most 10", False),
        ("'messages' is a required property", True),
        ("body.messages: Field required", True),
        ("The messages array is empty", True),
        ("[] is too short - 'messages'", True),
        ("messages must be an array", True),
        ("messages: at least one message is expected", True),
        ("messages.1.content: Field required", False),
        ("messages[2] is missing a name", False),
        ("messages: content of the third must not be empty", False),
        ("messages must have at least one user turn", False),
        ("message is missing", False),
        ("Something is wrong", False),
        ("", False),
    ],
)
def test_a_fault_is_the_clients_only_where_no_upstream_could_forgive_it(message: str, is_proven: bool) -> None:
    for status in (400, 422):
        assert meaning(status, message) == (BAD if is_proven else UNSUPPORTED, None)
    assert meaning(500, message) == (ErrorKind.UNAVAILABLE, None)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "context_length_exceeded", CONTEXT),
        (429, "context_length_exceeded", CONTEXT),
        (400, "content_filter", FILTER),
        (429, "content_filter", RATE),
        (400, "model_not_found", MISSING),
        (403, "model_not_found", MISSING),
        (400, "model_decommissioned", MISSING),
        (400, "model_terms_required", UNSUPPORTED),
        (429, "rate_limit_exceeded", RATE),
        (400, "invalid_request_error", UNSUPPORTED),
        (400, "rate_limit_exceeded", RATE),
        (400, "organization_restricted", AUTH),
        (400, "model_unavailable", MISSING),
    ],
)
def test_codes_say_it_without_words(status: int, code: str, kind: ErrorKind) -> None:
    assert meaning(status, "", code) == (kind, None)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (202, ErrorKind.PROTOCOL),
        (204, ErrorKind.PROTOCOL),
        (301, ErrorKind.PROTOCOL),
        (304, ErrorKind.PROTOCOL),
        (400, ErrorKind.UNSUPPORTED),
        (401, ErrorKind.AUTH),
        (402, ErrorKind.QUOTA_EXHAUSTED),
        (403, ErrorKind.UNAVAILABLE),
        (404, ErrorKind.MODEL_NOT_FOUND),
        (405, ErrorKind.UNSUPPORTED),
        (407, ErrorKind.NETWORK),
        (408, ErrorKind.TIMEOUT),
        (409, ErrorKind.UNSUPPORTED),
        (410, ErrorKind.MODEL_NOT_FOUND),
        (413, ErrorKind.TOO_LARGE),
        (422, ErrorKind.UNSUPPORTED),
        (424, ErrorKind.UNAVAILABLE),
        (425, ErrorKind.UNAVAILABLE),
        (429, ErrorKind.RATE_LIMIT),
        (498, ErrorKind.UNSUPPORTED),
        (500, ErrorKind.UNAVAILABLE),
        (502, ErrorKind.UNAVAILABLE),
        (503, ErrorKind.UNAVAILABLE),
        (504, ErrorKind.TIMEOUT),
        (524, ErrorKind.TIMEOUT),
        (529, ErrorKind.UNAVAILABLE),
        (599, ErrorKind.UNAVAILABLE),
    ],
)
def test_a_status_means_something_where_nothing_else_does(status: int, kind: ErrorKind) -> None:
    assert by_status(status) == kind


@given(st.text("messages model temperature content tool image not found is 2 0.1 :.,[] account", max_size=3000))
def test_the_usual_rules_read_any_message(message: str) -> None:
    assert meaning(400, message)[0] in ErrorKind


@pytest.mark.parametrize(
    "word",
    [
        "model ",
        "temperature ",
        "tool ",
        "messages ",
        "image ",
        "content ",
        "input ",
        "top_p > ",
        "tokens 1000 ",
        "account ",
        "`a ",
        "tools? and ",
    ],
)
def test_no_message_takes_long_to_read(word: str) -> None:
    for status in (400, 401, 402, 403, 404, 413, 422, 429, 500):
        assert meaning(status, (word * 400)[:2000])[0] in ErrorKind
