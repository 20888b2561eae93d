"""docs/faults.md, as the table of faults gives it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from fault_cases.model import Fault, Outcome
from fault_cases.protocols import OUTCOMES, in_messages
from fault_cases.table import FAULTS

_ABOVE = """\
<!-- Written by `python scripts/docs` from tests/support/fault_cases/table.py.
tests/process/gateway/walk/test_faults.py and test_message_faults.py play every line. -->

# When an upstream fails

This page lists what a client sees when an upstream fails in the middle, sends nothing, or sends something that is not an
answer. It does so for a single provider, and with a second one available. The tests play every line over real sockets, to a
client that counts each byte and to the official `openai` package. "Cooled" is what no request uses for the given time,
unless nothing else is left. These upstreams have no known limits. Where a package states a limit of a minute, a 429 closes
[that limit](quota.md#when-a-limit-is-reached) instead.

- **its answer, byte for byte**: decoded if it was compressed, without anything after `[DONE]`. A whole response also names its
  provider (`_freeride_provider`), unless `FREERIDE_STAMP_BODY` is 0.
- **503**: an error with this `code`, the attempts, and when to retry, without the upstream's message. An SDK raises its
  server error.
- **one error event**: the response had begun, so it is sent up to the failure, followed by an error with this `code`. The
  stream ends without `[DONE]` and without an invented finish reason. An SDK raises its API error after the last token.
- **400, in the upstream's words**: the request is at fault, or no remaining upstream can serve it. An SDK raises its error for a
  bad request, with this `code`.
- **the second's answer**: the client sees nothing of the failure.
"""


def fault_page() -> str:
    """All of it, in Markdown."""
    return "\n".join([_ABOVE, *_protocols(), *_tables()])


def _protocols() -> Iterator[str]:
    yield "The tables tell what clients of chat completions see. Those of [the Messages API](messages.md) see the same in its form:"
    yield ""
    yield "| outcome | chat completions | the Messages API |"
    yield "|---|---|---|"
    for outcome, forms in OUTCOMES.items():
        yield f"| {outcome} | {' | '.join(forms)} |"
    yield ""
    for fault in chain.from_iterable(FAULTS.values()):
        if (outcome := in_messages(fault, fault.alone)) is not fault.alone:
            yield f"- An answer that {fault.name} cannot be translated to the Messages API: {outcome}."
    yield ""


def _tables() -> Iterator[str]:
    for title, faults in FAULTS.items():
        yield f"## {title}"
        yield ""
        yield "| the upstream's answer | alone | with a second provider | cooled |"
        yield "|---|---|---|---|"
        for fault in faults:
            beside = "the same" if fault.beside is fault.alone else _seen(fault, fault.beside)
            cells = (fault.name, _seen(fault, fault.alone), beside, _cooled(fault))
            yield f"| {' | '.join(cells)} |"
        yield ""


def _seen(fault: Fault, outcome: Outcome) -> str:
    if outcome in (Outcome.REFUSED, Outcome.IN_ITS_WORDS, Outcome.BROKEN_OFF):
        return f"{outcome} (`{fault.kind}`)"
    return f"{outcome}; the client's own parser raises" if fault.is_garbled else outcome.value


def _cooled(fault: Fault) -> str:
    return "nothing" if fault.cooled is None else f"the {fault.cooled.what}, {fault.cooled.wait_s} s"
