"""Steps: what a model said and did, in order, whichever upstream it came from."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from freeride_core.events.usage import Usage


class FinishReason(enum.Enum):
    """Why an answer ended, by what it holds rather than by the upstream's word."""

    STOP = "stop"
    TOOL_CALLS = "tool_calls"
    """At least one call is complete, and nothing was cut off."""
    LENGTH = "length"
    """The limit of tokens was reached. A call that was cut off stays open."""
    REFUSAL = "refusal"
    """The model refused, or a filter of the upstream stepped in."""


class TextStep(msgspec.Struct, frozen=True):
    """Words for the user."""

    text: str


class ReasoningStep(msgspec.Struct, frozen=True):
    """Words of the model to itself."""

    text: str


class RefusalStep(msgspec.Struct, frozen=True):
    """Words for the user that say why there is no answer."""

    text: str


class CallOpened(msgspec.Struct, frozen=True):
    """A tool call begins. Until it is closed or the answer ends, every step is about this call."""

    id: str
    """Unique within the answer."""
    name: str
    extra_content: dict[str, Any] | None = None
    """What the upstream wants back with this call: a signature of its thoughts."""


class CallArguments(msgspec.Struct, frozen=True):
    """The next part of the open call's arguments, which are JSON as the model wrote it."""

    text: str


class CallClosed(msgspec.Struct, frozen=True):
    """The open call is complete, and its arguments are a JSON object. Clients run the tool now."""


class Finished(msgspec.Struct, frozen=True):
    """The answer is whole. Always the last step."""

    reason: FinishReason
    usage: Usage
    stop_sequence: str = ""
    """The stop sequence that the upstream says it met; empty if it names none."""


class AnswerFault(msgspec.Struct, frozen=True):
    """The answer cannot be trusted any further. Always the last step; an open call stays open."""

    message: str
    """Holds nothing of what the model wrote."""


Step = TextStep | ReasoningStep | RefusalStep | CallOpened | CallArguments | CallClosed | Finished | AnswerFault
