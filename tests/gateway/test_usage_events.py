"""Events without a choice: only a client that asked for its usage gets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import DONE, GatewayStage, always, chunk, stream, until

ROLE = chunk({"role": "assistant", "content": ""})
WORD = chunk({"content": "Hel"})
STOP = chunk({}, "stop")
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def event(content: dict[str, Any], **dumps: Any) -> bytes:
    return b"data: " + json.dumps({"id": "x", "object": "chat.completion.chunk", **content}, **dumps).encode() + b"\n\n"


WITHHELD = {
    "usage after the finish": event({"choices": [], "usage": USAGE}),
    "without spaces": event({"choices": [], "usage": USAGE}, separators=(",", ":")),
    "indented": (b'data: {"choices": [\ndata: ], "usage": {"total_tokens": 5}, "x": []}\n\n'),
    "with CR LF": (b'data: {"choices":[],"usage":{"total_tokens":5}}\r\n\r\n'),
    "no choices at all": event({"usage": USAGE}),
    "choices of null": event({"choices": None, "usage": USAGE}),
    "no usage either": event({"choices": []}),
    "usage of null": event({"choices": [], "usage": None}),
    "what was filtered": event({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}),
    "an error of null": event({"choices": [], "usage": USAGE, "error": None}),
}
KEPT = {
    "usage with the finish": event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE}),
    "usage of null in each": event(
        {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}], "usage": None}
    ),
    "usage of an upstream's own": event(
        {"choices": [{"index": 0, "delta": {}}], "x_own": {"usage": USAGE}, "list": []}
    ),
    "an empty list elsewhere": event({"choices": [{"index": 0, "delta": {"content": "b", "annotations": []}}]}),
    "words that look like it": event({"choices": [{"index": 0, "delta": {"content": '{"choices":[],"usage":{}}'}}]}),
    "another object": event({"object": "x.statistics", "list": []}),
    "a comment": (b': "usage" []\n\n'),
    "odd data": (b'data: "usage" []\n\n'),
}
ASKING: list[dict[str, Any]] = [
    {"stream_options": {"include_usage": True}},
    {"usage": {"include": True}},
    {"stream_options": {"include_usage": True, "x": 1}},
]
NOT_ASKING: list[dict[str, Any]] = [
    {},
    {"stream_options": {"include_usage": False}},
    {"stream_options": None},
    {"stream_options": {}},
    {"usage": None},
]


@pytest.mark.parametrize("place", ["first", "in the middle", "after the finish"])
@pytest.mark.parametrize("name", WITHHELD)
def test_an_event_without_a_choice_is_withheld_from_a_client_that_did_not_ask(
    tmp_path: Path, name: str, place: str
) -> None:
    with GatewayStage(tmp_path) as stage:
        said = [ROLE, WORD, chunk({"content": "lo"}), STOP, DONE]
        at = {"first": 0, "in the middle": 2, "after the finish": 4}[place]
        stage["alpha"].answer = always(stream(*said[:at], WITHHELD[name], *said[at:]))
        whole = b"".join(said)
        for fields in NOT_ASKING:
            assert stage.ask(stream=True, **fields).content == whole, fields
        for fields in ASKING:
            assert WITHHELD[name] in stage.ask(stream=True, **fields).content, fields


def test_all_other_events_are_passed_on_as_they_came(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        said = [ROLE, WORD, *KEPT.values(), STOP, DONE]
        stage["alpha"].answer = always(stream(*said))
        for fields in ({}, *ASKING):
            assert stage.ask(stream=True, **fields).content == b"".join(said)


def test_events_that_come_together_are_told_apart(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        no_choice, usage = WITHHELD["no usage either"], WITHHELD["usage after the finish"]
        stage["alpha"].answer = always(stream(b"".join([ROLE, WORD, no_choice, STOP, usage, DONE])))
        assert stage.ask(stream=True).content == ROLE + WORD + STOP + DONE


def test_what_is_withheld_is_counted_all_the_same(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(stream(ROLE, WORD, STOP, WITHHELD["usage after the finish"], DONE))
        assert stage.ask(stream=True).status_code == 200
        [complete] = until(lambda: stage.events("request_complete"))
        assert complete["usage"] == {"input": 3, "output": 2}
