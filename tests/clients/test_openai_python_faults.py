"""The official `openai` package for Python, over an upstream that fails: it finishes or raises as the table of faults says."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import CLOSE, SSE_HEAD, GatewayStage, always, chunk, framed, provider, question
from fault_cases.environment import SECOND, TITLED, trials
from fault_cases.model import LARGE, WORDS, Fault, FaultTrial, Outcome
from installation import need

need("openai-python")

_CONTENT = re.compile(r'"content": ?("[^"\\]*(?:\\.[^"\\]*)*")')
CASES = [
    pytest.param(fault, is_beside, id=f"{title} ({'beside' if is_beside else 'alone'})")
    for title, fault in TITLED.items()
    for is_beside in (False, True)
    if not is_beside or fault.beside is not fault.alone  # the same words would be heard again
]


@pytest.fixture(scope="module")
def openai() -> Any:
    return importlib.import_module("openai")


@pytest.fixture(scope="module")
def http(openai: Any) -> Iterator[Any]:
    """One for all clients: each of its own would read the certificates of the machine."""
    with openai.DefaultHttpxClient() as http:
        yield http


@pytest.mark.parametrize(("fault", "is_beside"), CASES)
def test_the_client_finishes_or_raises_as_the_table_says(
    tmp_path: Path, openai: Any, http: Any, fault: Fault, is_beside: bool
) -> None:
    outcome = fault.beside if is_beside else fault.alone
    for trial, stage in trials(fault, tmp_path, is_beside=is_beside):
        client = openai.OpenAI(base_url=f"{stage.url}/v1", api_key="any", max_retries=0, http_client=http)
        chunks: list[Any] = []
        try:
            raw = client.chat.completions.with_raw_response.create(**question(stream=fault.is_stream))
            answer = raw.parse()
            if fault.is_stream:
                chunks.extend(answer)
        except (openai.OpenAIError, ValueError) as error:
            check_raised(openai, error, fault, outcome)
            if outcome is Outcome.BROKEN_OFF:
                assert joined(chunks) == text_of(trial.reaches)
            continue
        assert outcome in (Outcome.ITS_OWN, Outcome.COMPLETED, Outcome.SECOND)
        assert not fault.is_garbled
        assert raw.headers["x-freeride-model"] == "double/one"
        if outcome is Outcome.SECOND:
            assert (joined(chunks) or answer.choices[0].message.content).strip() == SECOND
        elif fault.is_stream:
            check_stream(chunks, trial)
        else:
            assert answer.to_dict() == json.loads(trial.reaches)


def check_raised(openai: Any, error: Any, fault: Fault, outcome: Outcome) -> None:
    if fault.is_garbled:
        assert isinstance(error, ValueError)
        return
    if outcome is Outcome.REFUSED:
        assert type(error) is openai.InternalServerError
        assert (error.status_code, error.type) == (503, "all_upstreams_failed")
    elif outcome is Outcome.IN_ITS_WORDS:
        assert type(error) is openai.BadRequestError
        assert (error.status_code, error.type) == (400, "invalid_request_error")
    else:
        assert outcome is Outcome.BROKEN_OFF, repr(error)
        assert type(error) is openai.APIError, "an error event, and no torn connection"
        assert error.type == "server_error"
    assert error.code == fault.kind
    assert error.body["request_id"]


def check_stream(chunks: list[Any], trial: FaultTrial) -> None:
    assert joined(chunks) == text_of(trial.reaches)
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert reasons == ["stop"] * len(re.findall(rb'"finish_reason": ?"stop"', trial.reaches))
    assert {chunk.model for chunk in chunks if chunk.model} <= {"some-model", "another-model"}


def joined(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def text_of(stream: bytes) -> str:
    """By another way than any reader of events."""
    return "".join(map(json.loads, _CONTENT.findall(stream.decode())))


def test_a_cut_within_a_large_event_is_no_clean_end(tmp_path: Path, openai: Any, http: Any) -> None:
    half = chunk({"content": LARGE})[: 4 << 20]
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always([SSE_HEAD, framed(WORDS[0]), framed(half), CLOSE])
        client = openai.OpenAI(base_url=f"{stage.url}/v1", api_key="any", max_retries=0, http_client=http)
        chunks: list[Any] = []
        with pytest.raises(ValueError, match="Unterminated"):  # half of an event had gone out, and is what it reads
            chunks.extend(client.chat.completions.create(**question(stream=True)))
        assert joined(chunks) == "Hel"
