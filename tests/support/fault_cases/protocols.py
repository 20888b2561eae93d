"""How each client protocol tells an outcome: for the tests at the sockets and for docs/faults.md."""

from __future__ import annotations

from fault_cases.model import Fault, Outcome

OUTCOMES: dict[Outcome, tuple[str, str]] = {
    Outcome.ITS_OWN: ("byte for byte", "the same words and calls as a message; a stream ends in `message_stop`"),
    Outcome.COMPLETED: ("`[DONE]`", "`message_stop`"),
    Outcome.BROKEN_OFF: ("a `data:` event with `error`", "`event: error` with an `api_error`; an open call stays open"),
    Outcome.REFUSED: ("`all_upstreams_failed`", "an `overloaded_error` whose `code` is `all_upstreams_failed`"),
    Outcome.IN_ITS_WORDS: ("`invalid_request_error`", "`invalid_request_error`"),
    Outcome.SECOND: ("byte for byte", "a message of the second's"),
}
"""In chat completions, and in the Messages API."""

_NAMELESS = "calls a tool and says nothing"
"""Of that tool not even the name."""


def in_messages(fault: Fault, outcome: Outcome) -> Outcome:
    """What a client of the Messages API sees where one of chat completions sees `outcome`: what passes through there unread
    has to be understood."""
    if fault.name == _NAMELESS:
        return Outcome.REFUSED
    return Outcome.BROKEN_OFF if fault.is_garbled and outcome is Outcome.ITS_OWN else outcome
