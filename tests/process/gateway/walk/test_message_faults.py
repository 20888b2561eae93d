"""The faults of upstreams, as clients of the Messages API see them: the same table, the first way in which each shows."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from fault_cases.environment import SECOND, TITLED, trials
from fault_cases.model import Fault, Outcome
from fault_cases.protocols import in_messages
from message_reader import ReadMessage, read_message

CLIENT = httpx.Client(verify=False, trust_env=False, timeout=60)
CASES = [
    pytest.param(fault, is_beside, id=f"{title} ({'beside' if is_beside else 'alone'})")
    for title, fault in TITLED.items()
    for is_beside in ((False, True) if fault.beside is not fault.alone else (False,))
]


@pytest.mark.parametrize(("fault", "is_beside"), CASES)
def test_a_client_of_messages_sees_what_the_page_says(tmp_path: Path, fault: Fault, is_beside: bool) -> None:
    outcome = in_messages(fault, fault.beside if is_beside else fault.alone)
    body = {"model": "auto", "stream": fault.is_stream, "messages": [{"role": "user", "content": "Say hello."}]}
    with closing(trials(fault, tmp_path, is_beside=is_beside)) as played:
        _, stage = next(played)
        heard = CLIENT.post(f"{stage.url}/v1/messages", json=body)
    if outcome in (Outcome.REFUSED, Outcome.IN_ITS_WORDS):
        check_refusal(outcome, fault, heard)
        return
    assert heard.status_code == 200
    assert heard.headers["x-freeride-provider"] == ("beta" if outcome is Outcome.SECOND else "alpha")
    if fault.is_stream:
        read = read_message(heard.content)
        check_end(outcome, fault, read)
        content = read.content
    else:
        content = heard.json()["content"]
        assert heard.json()["stop_reason"]
    if outcome is Outcome.SECOND:
        assert content[0]["text"].strip() == SECOND


def check_refusal(outcome: Outcome, fault: Fault, heard: httpx.Response) -> None:
    error = heard.json()["error"]
    is_refused = outcome is Outcome.REFUSED
    assert heard.status_code == (503 if is_refused else 400)
    assert error["type"] == ("overloaded_error" if is_refused else "invalid_request_error")
    assert error["code"] == ("all_upstreams_failed" if is_refused else fault.kind)
    assert heard.json()["request_id"] == heard.headers["request-id"]
    assert "secret words" not in json.dumps(error)


def check_end(outcome: Outcome, fault: Fault, read: ReadMessage) -> None:
    assert read.is_whole is (outcome is not Outcome.BROKEN_OFF)
    if outcome is Outcome.BROKEN_OFF:
        assert read.error is not None
        assert (read.error["type"], read.message["stop_reason"]) == ("api_error", None)
        assert fault.kind is None or read.error["code"] == fault.kind
