"""docs/faults.md, as the table of faults gives it."""

from __future__ import annotations

from collections.abc import Iterator

from fault_cases.model import Fault, Outcome
from fault_cases.table import FAULTS

_ABOVE = """\
<!-- Written by `python scripts/docs` from tests/support/fault_cases/table.py.
tests/process/gateway/walk/test_faults.py plays every line. -->

# When an upstream fails

What a client sees when an upstream breaks off, falls silent or says something that is no answer: with nobody else to ask, and
with a second provider standing by. The tests play every line over real sockets, in all the ways that it names, to a client that
counts each byte and to the official `openai` package. "Cooled" is what no request asks for the time that stands there, unless
nothing else is left.

- **its answer, byte for byte**: decoded where it came compressed, and nothing of what follows `[DONE]`; a whole answer says besides
  who gave it (`_freeride_provider`), unless `FREERIDE_STAMP_BODY` is 0.
- **503**: none of the upstream's words, but an error that names this `code`, who was tried and when to come back. An SDK raises its
  server error.
- **one error event**: the answer had begun, so what was said is sent, then an error with this `code`; the stream ends without
  `[DONE]` and without an invented finish reason. An SDK raises its API error after the words that came.
- **400, in the upstream's words**: the request is at fault, or no upstream that is left can do it. An SDK raises its error of a
  bad request, with this `code`.
- **the second's answer**: of the failure the client sees nothing.
"""


def fault_page() -> str:
    """All of it, in Markdown."""
    return "\n".join([_ABOVE, *_tables()])


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
