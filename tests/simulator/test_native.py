"""The simulator plays upstreams that have a protocol of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from freeride_core.simulator import Simulator, SimulatorThread, read_profile
from freeride_core.simulator.model import Saying, say
from repository import TESTS

ORBIT = read_profile(TESTS / "third_party/orbit/src/freeride_provider_orbit/simulator.toml")
DECLARED = [{"functionDeclarations": [{"name": "get_weather", "parameters": {"properties": {"city": {}}}}]}]
HI = [{"role": "user", "parts": [{"text": "Hi"}]}]
WEATHER = [{"role": "user", "parts": [{"text": "Use get_weather for Paris"}]}]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    simulator = Simulator(ORBIT, quotas=False, pace=0)
    with SimulatorThread(simulator):
        yield simulator


def ask(simulator: Simulator, method: str = "generateContent", *, name: str = "chat", **body: Any) -> httpx.Response:
    simulator.script(name)
    return httpx.post(
        f"{simulator.base_url}/models/nova-large:{method}",
        json={"contents": HI, **body},
        headers={"x-goog-api-key": ORBIT.good_key},
        trust_env=False,
        verify=False,
        timeout=5,
    )


def test_the_path_says_which_model_is_asked_and_whether_to_stream(simulator: Simulator) -> None:
    for method, is_stream in (("generateContent", False), ("streamGenerateContent?alt=sse", True)):
        answer = ask(simulator, method)
        seen = simulator.requests[-1]
        assert (seen.model, seen.stream, seen.key) == ("models/nova-large", is_stream, ORBIT.good_key)
        assert answer.headers["content-type"].startswith("text/event-stream" if is_stream else "application/json")
        assert "[DONE]" not in answer.text


def test_a_tools_arguments_can_be_an_object(simulator: Simulator) -> None:
    [part] = ask(simulator, contents=WEATHER, tools=DECLARED).json()["candidates"][0]["content"]["parts"]
    assert (part["functionCall"]["name"], part["functionCall"]["args"]) == ("get_weather", {"city": "Paris"})


def test_an_empty_answer_is_empty_in_the_upstreams_own_words(simulator: Simulator) -> None:
    whole = ask(simulator, name="empty").json()
    assert [part["text"] for part in whole["candidates"][0]["content"]["parts"]] == ["", ""]
    assert whole["usageMetadata"]["candidatesTokenCount"] == 0
    streamed = ask(simulator, "streamGenerateContent?alt=sse", name="empty").text
    assert streamed.count("data: ") == 1
    assert '"finishReason":"STOP"' in streamed


def test_an_odd_line_brings_no_end_that_the_upstream_does_not_have(simulator: Simulator) -> None:
    assert "[DONE]" not in ask(simulator, "streamGenerateContent?alt=sse", name="non-json-line").text


@pytest.mark.parametrize(
    ("config", "tool"),
    [
        (None, "get_weather"),
        ({"mode": "AUTO"}, "get_weather"),
        ({"mode": "NONE"}, ""),
        ({"mode": "ANY", "allowedFunctionNames": ["get_weather"]}, "get_weather"),
        ({"mode": "ANY", "allowedFunctionNames": ["other"]}, ""),
    ],
)
def test_the_choice_of_tools_is_heeded(config: Any, tool: str) -> None:
    request = {"contents": WEATHER, "tools": DECLARED, "toolConfig": {"functionCallingConfig": config}}
    assert say(request, "orbit", "m").tool == tool
    must = {"contents": HI, "tools": DECLARED, "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}
    assert say(must, "orbit", "m").tool == "get_weather"


def test_a_tools_result_is_answered() -> None:
    result = {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"celsius": 7}}}]}
    said = say({"contents": [*WEATHER, {"role": "model", "parts": []}, result], "tools": DECLARED}, "orbit", "m")
    assert said == Saying('The tool answered: {"name": "get_weather", "response": {"celsius": 7}}')
