"""docs/faults.md, as the table of faults gives it. `python tests/fault_page.py` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fault import Fault, Outcome
from faults import FAULTS

PAGE = Path(__file__).parents[1] / "docs" / "faults.md"
_ABOVE = """\
<!-- Written by `python -m uv run python tests/fault_page.py` from tests/faults.py; tests/test_faults.py plays every line. -->

# When an upstream fails

What a client sees when an upstream breaks off, falls silent or says something that is no answer: with nobody else to ask, and with a
second provider standing by. Every line is played over real sockets by the tests, in all the ways that it names; each of them is
also put to the official `openai` client.

- **503**: no answer and none of the upstream's words, but an error that names its `code`, who was tried and when to come back. A client's SDK
  raises its server error.
- **one error event**: the answer had begun, so its words are sent, then an error with this `code`, and the stream ends without `[DONE]`
  and without an invented finish reason. An SDK raises its API error after the words that came.
- **the second's answer**: the client sees nothing of the failure.
"""


def page() -> str:
    """All of it, in Markdown."""
    return "\n".join([_ABOVE, *_tables()])


def _tables() -> Iterator[str]:
    for title, faults in FAULTS.items():
        yield f"## {title}"
        yield ""
        yield "| the upstream's answer | alone | with a second provider | cooled |"
        yield "|---|---|---|---|"
        for fault in faults:
            cells = (fault.name, _seen(fault, fault.alone), _seen(fault, fault.beside), _cooled(fault))
            yield f"| {' | '.join(cells)} |"
        yield ""


def _seen(fault: Fault, outcome: Outcome) -> str:
    if outcome in (Outcome.REFUSED, Outcome.BROKEN_OFF):
        return f"{outcome} (`{fault.kind}`)"
    return f"{outcome}; the client's own parser raises" if fault.is_garbled else outcome.value


def _cooled(fault: Fault) -> str:
    return "nothing" if fault.cooled is None else f"the {fault.cooled.what}, {fault.cooled.wait_s} s"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
