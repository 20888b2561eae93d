"""The usage that an upstream reports reaches the events and the count of the day, whatever the form of the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import DONE, GatewayStage, Script, always, chunk, completion, refusal, reply, stream, until
from freeride_core.ledger.usage import DayUsage

REPORT = {"prompt_tokens": 30, "completion_tokens": 20, "completion_tokens_details": {"reasoning_tokens": 8}}
TOKENS = {"input": 30, "output": 20, "reasoning": 8}
LAST = b'data: {"choices":[],"usage":%s}\n\n' % json.dumps(REPORT).encode()


@pytest.mark.parametrize(
    ("is_stream", "answer", "usage", "tokens"),
    [
        (False, reply(200, completion(usage=REPORT)), TOKENS, (30, 20)),
        (True, stream(chunk({"content": "a"}), chunk({}, "stop"), LAST, DONE), TOKENS, (30, 20)),
        (False, reply(200, completion(usage=None)), None, (0, 0)),
        (True, stream(chunk({"content": "a"}), chunk({}, "stop"), DONE), None, (0, 0)),
    ],
    ids=["a body", "a stream", "a body without a report", "a stream without a report"],
)
def test_reported_usage_is_told_and_counted(
    tmp_path: Path, is_stream: bool, answer: Script, usage: dict[str, int] | None, tokens: tuple[int, int]
) -> None:
    more: dict[str, Any] = {"stream_options": {"include_usage": True}} if is_stream else {}
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(429))
        stage["beta"].answer = always(answer)
        assert stage.ask("auto", stream=is_stream, **more).status_code == 200
        [event] = until(lambda: stage.events("request_complete"))
        assert event.get("usage") == usage
        counted = stage.thread.gateway.ledger.usage
        until(lambda: "beta" in counted.today() and counted.today()["beta"].served)
        assert counted.today() == {
            "alpha": DayUsage(requests=1, failed=1),
            "beta": DayUsage(1, 1, 0, *tokens),
        }
