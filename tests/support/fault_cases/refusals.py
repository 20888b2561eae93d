"""Upstreams that refuse with words or pages of their own: what they say it with, and what comes of it."""

from __future__ import annotations

import json
from typing import Any

from fake_upstream import refusal, reply
from fault_cases.model import Cooled, Fault, Outcome, before

PAGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>secret words</body></html>"
PASSED_OVER: dict[str, Any] = {"alone": Outcome.REFUSED, "beside": Outcome.SECOND, "is_stream": False}
REFUSED_HERE: dict[str, Any] = {"alone": Outcome.IN_ITS_WORDS, "beside": Outcome.SECOND, "is_stream": False}
QUOTED = json.dumps({"error": {"code": 429, "details": [{"@type": "RetryInfo", "retryDelay": "17s"}]}})

REFUSALS: tuple[Fault, ...] = (
    Fault(
        name="is a page that blocks or challenges, with a 403",
        trials=before(
            reply(403, PAGE, {"cf-mitigated": "challenge"}, content_type="text/html"),
            reply(403, PAGE),
            reply(403, b"error code: 1010", content_type="text/html"),
        ),
        kind="unavailable",
        cooled=Cooled("provider", 30),
        **PASSED_OVER,
    ),
    Fault(
        name="is a 403 without a word of the key",
        trials=before(reply(403, b""), refusal(403, "Forbidden"), refusal(403, "Check your network settings.")),
        kind="unavailable",
        cooled=Cooled("model", 30),
        **PASSED_OVER,
    ),
    Fault(
        name="is a 407 of a proxy on the way",
        trials=before(reply(407, b""), reply(407, PAGE, {"Proxy-Authenticate": "Basic"})),
        kind="network",
        cooled=Cooled("provider", 30),
        **PASSED_OVER,
    ),
    Fault(
        name="is a refused key, with a 400 or a 403",
        trials=before(
            refusal(400, "API key not valid. Please pass a valid API key."),
            refusal(400, "x", code="invalid_api_key"),
            refusal(403, "The API key was revoked."),
        ),
        kind="auth",
        cooled=Cooled("key", 300),
        **PASSED_OVER,
    ),
    Fault(
        name="is an account that is shut out, with a 400 or a 403",
        trials=before(
            refusal(400, "Organization has been restricted.", code="organization_restricted"),
            refusal(403, "Your account has been suspended."),
        ),
        kind="auth",
        cooled=Cooled("account", 300),
        **PASSED_OVER,
    ),
    Fault(
        name="is a rate limit, with a 400",
        trials=before(
            refusal(400, "Rate limit exceeded", type="rate_limit_error", code="429"),
            refusal(400, "Too many requests"),
        ),
        kind="rate_limit",
        cooled=Cooled("account", 120),
        **PASSED_OVER,
    ),
    Fault(
        name="is a rate limit that says when to come back, in JSON quoted as a text",
        trials=before(
            refusal(429, "Provider returned error", metadata={"raw": QUOTED}),
            refusal(429, QUOTED),
            refusal(429, f"It answered: {QUOTED}"),
        ),
        kind="rate_limit",
        cooled=Cooled("account", 17),
        **PASSED_OVER,
    ),
    Fault(
        name="is a rate limit that says when its window opens, in a header",
        trials=before(
            refusal(429, "no", {"RateLimit": '"minute";r=0;t=43'}),
            refusal(429, "no", {"RateLimit": "limit=9, remaining=0, reset=43"}),
            refusal(429, "no", {"X-RateLimit-Remaining-Tokens": "0", "X-RateLimit-Reset-Tokens": "43s"}),
        ),
        kind="rate_limit",
        cooled=Cooled("account", 43),
        **PASSED_OVER,
    ),
    Fault(
        name="is an empty balance, with a 400 or a 403",
        trials=before(refusal(400, "Insufficient balance"), refusal(403, "Your credit balance is too low.")),
        kind="quota_exhausted",
        cooled=Cooled("account's model", 3600),
        **PASSED_OVER,
    ),
    Fault(
        name="refuses a value that the request has, or a wish for a route",
        trials=before(
            refusal(400, "Thinking mode does not support this tool_choice"),
            refusal(400, "Unsupported MIME type"),
            refusal(404, "No allowed providers are available for the selected model."),
            refusal(404, "The file was not found"),
        ),
        kind="unsupported",
        **REFUSED_HERE,
    ),
    Fault(
        name="says that the prompt is too long, in whichever words",
        trials=before(
            refusal(400, "Input length 131393 exceeds the maximum allowed input length of 131040 tokens."),
            refusal(400, "The maximum prompt length is 131072 but the request contains 537812 tokens."),
            refusal(400, "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5120 `inputs` tokens"),
            refusal(413, "Request body too large for this model. Max size: 8000 tokens."),
        ),
        kind="context_length_exceeded",
        **REFUSED_HERE | {"beside": Outcome.IN_ITS_WORDS},
    ),
)
