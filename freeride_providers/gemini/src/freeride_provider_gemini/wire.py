"""Chat, where Gemini's OpenAI-compatible endpoint is not quite compatible, and how it refuses a key."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from freeride_core import (
    Answer,
    Call,
    CompatibleProbe,
    CompatibleWire,
    Decoder,
    ErrorKind,
    Model,
    Proof,
    Quota,
    Reading,
)
from freeride_provider_gemini.signatures import sign
from freeride_provider_gemini.stream import NumberedToolCalls

BAD_KEY = r"API_KEY_INVALID|valid API key|API key expired|invalid Authorization header|Invalid Auth key"
"""In the body of a 400."""

# It constrains nothing, and the whole request would be refused for it. What does constrain stays: another provider may keep to it.
_DIALECT = re.compile(rb',\s*"\$schema"\s*:\s*"[^"]*"|"\$schema"\s*:\s*"[^"]*"\s*,?')
_INPUT_TOKENS = re.compile(r"InputTokens\w{0,60}PerMinute")
_QUOTA_VALUE = re.compile(r'"quotaValue":\s*"(\d{1,9})"')


@dataclass(frozen=True, kw_only=True)
class GeminiWire(CompatibleWire):
    """Signs and numbers tool calls, and knows a prompt that no minute has room for."""

    def changes(self, call: Call, model: Model) -> dict[str, bytes | None]:
        changes = super().changes(call, model)
        tools = bytes(call.fields.get("tools", b""))
        if b'"$schema"' in tools:
            changes["tools"] = _DIALECT.sub(b"", tools)
        # Gemma has no signatures.
        if model.id.startswith("gemini-") and b'"tool_calls"' in bytes(call.fields.get("messages", b"")):
            changed = changes.get("messages")
            messages = _value(call, "messages") if changed is None else json.loads(changed)
            if sign(messages):
                changes["messages"] = json.dumps(messages).encode()
        return changes

    def decoder(self, call: Call, model: Model) -> Decoder | None:  # noqa: ARG002 - all models alike
        return NumberedToolCalls() if call.stream and "tools" in call.fields else None

    def read(self, answer: Answer) -> Reading:
        reading = super().read(answer)
        failure = reading.failure
        if failure is None or failure.kind is not ErrorKind.RATE_LIMIT or answer.call is None:
            return reading
        quota = _INPUT_TOKENS.search(answer.text)
        allowance = _QUOTA_VALUE.search(answer.text, quota.end()) if quota else None
        if allowance is None or answer.call.prompt_tokens <= int(allowance[1]):
            return reading
        # Waiting, as the answer proposes, would not help; the size is worth remembering.
        told = Quota(limit_name="tpm", limit=float(allowance[1]), requested=answer.call.prompt_tokens)
        return replace(reading, failure=replace(failure, kind=ErrorKind.TOO_LARGE, retry_at=None), quota=(told,))


def _value(call: Call, name: str) -> Any:
    """None where it takes too long to decode: then Gemini says what is missing in it."""
    try:
        return call.value(name)
    except ValueError:
        return None


@dataclass(frozen=True, kw_only=True)
class GeminiProbe(CompatibleProbe):
    """A bad key gets a 400, and so does a good one from a country that is not served."""

    def read(self, answer: Answer) -> Proof:
        if answer.status == 400 and re.search(BAD_KEY, answer.text):
            return Proof(valid=False)
        return super().read(answer)
