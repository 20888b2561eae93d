"""What an upstream's refusals look like: the answers that the shipped packages' profiles hold, with the numbers of this moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from importlib import resources

from bench.yields.answers import TrueStanding, UpstreamAnswer
from freeride_core import Call, Model
from freeride_core.answer import Answer
from freeride_core.simulator.installed import FILE
from freeride_core.simulator.profile import Profile
from freeride_core.simulator.profile_file import parse_profile
from freeride_core.simulator.quota import QuotaStatus, go_duration, whole
from freeride_core.simulator.render import Values

_CASES: Mapping[str, Mapping[str, str]] = {
    "openrouter": {"rpm": "rate-limited", "rpd": "daily-cap"},
    "groq": {"rpm": "requests-per-minute", "rpd": "daily-cap", "tpm": "rate-limited", "tpd": "daily-tokens"},
    "nvidia": {"rpm": "rate-limited", "rpd": "daily-cap"},
    "cloudflare": {"rpm": "rate-limited", "neurons": "daily-cap"},
    "gemini": {"rpm": "rate-limited", "rpd": "daily-cap", "tpm": "tokens-a-minute"},
}
"""By provider and window: the case of its profile."""
_TOO_LARGE = "too-large"
_QUOTAS = {
    "rpm": "requests_minute",
    "rpd": "requests_day",
    "tpm": "tokens_minute",
    "tpd": "tokens_day",
    "neurons": "neurons_day",
}
"""By window: the quota in the profiles."""
_BUSY = b'{"error":{"message":"Too many requests","code":429}}'
_BUSY_UPSTREAM = (
    b'{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"the model is temporarily rate-limited '
    b'upstream. Please retry shortly","limit_source":"upstream_provider_shared_pool"}}}'
)
"""OpenRouter's, of the host behind it."""


def refusal(refused: UpstreamAnswer, provider: str, model: Model, call: Call, now: float) -> Answer:
    """Return the response as it arrives at `now`."""
    if not refused.window:
        body = _BUSY_UPSTREAM if provider == "openrouter" else _BUSY
        return Answer(refused.status, {}, body, now, call=call, model=model)
    profile = _profile(provider)
    name = _TOO_LARGE if refused.status == 413 else _CASES[provider][refused.window]
    case = next(case for case in profile.cases if case.name == name)
    texts: dict[str, str | int] = {
        "id": "0" * 24,
        "hex": "0" * 16,
        "uuid": "",
        "created": int(now),
        "model": model.id,
        "key_hint": "",
        "account": profile.account or "",
    }
    standings = {_QUOTAS[each.name]: _status(each) for each in refused.standings}
    # The upstream counted when it was asked; what it says of moments is about then.
    values = Values(texts, refused.sent_at, standings)
    headers = {name: values.fill(text, escape=False) for name, text in case.headers.items()}
    body = values.fill(case.body or "").encode()
    return Answer(case.status, headers, body, now, call=call, model=model)


def headers(served: UpstreamAnswer, provider: str) -> Mapping[str, str]:
    """Return what a good response says of limits: at Groq, the day's requests and the minute's tokens."""
    if provider != "groq":
        return {}
    units = {"rpd": "requests", "tpm": "tokens"}
    found = {}
    for told in served.headers:
        unit, used = units[told.name], told.used or 0.0
        found[f"x-ratelimit-limit-{unit}"] = whole(told.limit)
        found[f"x-ratelimit-remaining-{unit}"] = whole(max(0, math.floor(told.limit - used)))
        found[f"x-ratelimit-reset-{unit}"] = go_duration(told.reset_s or 0.0)
    return found


def _status(standing: TrueStanding) -> QuotaStatus:
    return QuotaStatus(standing.limit, standing.used, standing.reset_s, standing.requested, standing.wait_s)


@cache
def _profile(provider: str) -> Profile:
    return parse_profile((resources.files(f"freeride_provider_{provider}") / FILE).read_text("utf-8"))
