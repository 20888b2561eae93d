"""The official `openai` package for Python, over real sockets.

It is not in the environment of every developer, so nothing here imports it, or its types, by name.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import until
from installation import need
from served_gateway import FrontMaker

need("openai-python")

ASK: list[Any] = [
    {"role": "user", "content": "Join these words with underscores and answer with only the result: ONE TWO"}
]
EXPECTED = "ONE_TWO"
EMBEDDER = "@cf/baai/bge-m3"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
ClientMaker = Callable[..., Any]


@pytest.fixture(scope="module")
def openai(client_folder: Callable[[str], Path]) -> Any:
    client_folder("openai-python")
    return importlib.import_module("openai")


@pytest.fixture
def sent() -> list[Any]:
    """The requests that clients made, retries included."""
    return []


@pytest.fixture
def make_client(openai: Any, sent: list[Any]) -> Iterator[ClientMaker]:
    with ExitStack() as stack:

        def make_client(url: str, max_retries: int = 0) -> Any:
            http = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
            made = openai.OpenAI(
                base_url=f"{url}/v1", api_key="freeride-local", max_retries=max_retries, http_client=http
            )
            return stack.enter_context(made)

        yield make_client


@pytest.fixture
def client(gateway_url: str, make_client: ClientMaker) -> Any:
    return make_client(gateway_url)


def serving_providers(client: Any) -> set[str]:
    """Those that have a model listed."""
    models = [model for model in client.models.list().data if model.owned_by != "freeride"]
    return {name for model in models for name in model.available_providers}


def joined(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_a_completion_says_who_served(client: Any) -> None:
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=ASK)
    completion = raw.parse()

    assert completion.choices[0].message.content == EXPECTED
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens > 0
    assert completion.model_extra["_freeride_provider"] == raw.headers["x-freeride-provider"]
    assert raw.headers["x-freeride-model"]
    assert raw.headers["x-freeride-attempts"] == "1"
    assert raw.headers["x-freeride-request-id"]


def test_a_stream_has_the_text_and_no_usage_that_nobody_asked_for(client: Any) -> None:
    chunks = list(client.chat.completions.create(model="auto", messages=ASK, stream=True))

    assert joined(chunks) == EXPECTED
    assert all(chunk.choices for chunk in chunks)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]


def test_a_stream_ends_with_the_usage_where_it_is_asked_for(client: Any) -> None:
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="auto", messages=ASK, stream=True, stream_options=options))

    assert joined(chunks) == EXPECTED
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage.total_tokens > 0


def test_a_streams_headers_say_who_serves(client: Any) -> None:
    create = client.chat.completions.with_streaming_response.create
    with create(model="auto", messages=ASK, stream=True) as response:
        events = list(response.iter_lines())

    assert response.headers["x-freeride-provider"]
    assert response.headers["x-freeride-model"]
    assert [line for line in events if line][-1] == "data: [DONE]"


def test_the_asynchronous_client_gets_the_same(openai: Any, gateway_url: str) -> None:
    async def ask() -> tuple[str, str]:
        async with openai.AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="freeride-local", max_retries=0) as client:
            create = client.chat.completions.create
            stream = await create(model="auto", messages=ASK, stream=True)
            whole, chunks = await asyncio.gather(create(model="auto", messages=ASK), collect(stream))
            return whole.choices[0].message.content, joined(chunks)

    async def collect(stream: Any) -> list[Any]:
        return [chunk async for chunk in stream]

    assert asyncio.run(ask()) == (EXPECTED, EXPECTED)


def test_a_tool_call_goes_round(client: Any) -> None:
    messages = [{"role": "user", "content": "Use get_weather for Paris"}]
    first = client.chat.completions.create(model="freeride/coding", messages=messages, tools=[WEATHER]).choices[0]
    [call] = first.message.tool_calls
    messages += [first.message.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 C"}]
    last = client.chat.completions.create(model="freeride/coding", messages=messages, tools=[WEATHER]).choices[0]

    assert first.finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})
    assert "sunny, 21 C" in last.message.content


def test_a_streamed_tool_call_is_put_together_by_the_clients_own_helper(client: Any) -> None:
    messages = [{"role": "user", "content": "Use get_weather for Paris"}]
    with client.chat.completions.stream(model="freeride/coding", messages=messages, tools=[WEATHER]) as stream:
        choice = stream.get_final_completion().choices[0]

    assert choice.finish_reason == "tool_calls"
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {"city": "Paris"}


def test_embeddings_are_the_same_in_base64_and_as_numbers(client: Any) -> None:
    texts = ["one", "two"]
    packed = client.embeddings.create(model=EMBEDDER, input=texts)  # base64 is what the client asks for by itself
    plain = client.embeddings.create(model=EMBEDDER, input=texts, encoding_format="float")

    assert [row.index for row in plain.data] == [0, 1]
    assert plain.data[0].embedding != plain.data[1].embedding
    for row, other in zip(packed.data, plain.data, strict=True):
        assert row.embedding == pytest.approx(other.embedding, abs=1e-6)


def test_models_are_listed_and_found_by_their_names(client: Any) -> None:
    names = [model.id for model in client.models.list()]

    assert {"auto", "freeride/coding", "freeride/fast", EMBEDDER} <= set(names)
    assert len(set(names)) == len(names)
    for name in ("auto", EMBEDDER):
        assert client.models.retrieve(name).id == name


def test_a_request_that_makes_no_sense_is_a_bad_request(openai: Any, client: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="freeride/coding") as raised:
        client.chat.completions.create(model="freeride/nonsense", messages=ASK)
    assert raised.value.status_code == 400


def test_a_model_that_nobody_has_is_not_found(openai: Any, client: Any) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="acme/none-such", messages=ASK, stream=True)
    assert raised.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("acme/none-such")


FAILURES = ["rate-limited", "bad-key", "server-error", "html-200", "error-in-200", "close", "truncated-json"]
FAILURES_OF_STREAMS = ["rate-limited", "server-error", "html-200", "error-first-event", "reset"]


@pytest.mark.parametrize(
    ("failure", "is_stream"),
    [*((failure, False) for failure in FAILURES), *((failure, True) for failure in FAILURES_OF_STREAMS)],
    ids=lambda value: value if isinstance(value, str) else "stream" if value else "whole",
)
def test_the_client_never_sees_a_failing_provider(
    failure: str, is_stream: bool, make_front: FrontMaker, make_client: ClientMaker, sent: list[Any]
) -> None:
    front = make_front("groq", "nvidia")
    client = make_client(front.url, max_retries=2)
    front.simulators["groq"].always(failure)
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=ASK, stream=is_stream)
    answer = raw.parse()

    assert (joined(list(answer)) if is_stream else answer.choices[0].message.content) == EXPECTED
    assert raw.headers["x-freeride-provider"] == "nvidia"
    assert int(raw.headers["x-freeride-attempts"]) >= 2
    assert (front.attempts[0], front.attempts[-1]) == ("groq", "nvidia")
    assert len(sent) == 1, "it is the gateway that tries again, not the client"


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("failure", ["rate-limited", "bad-key", "server-error"])
def test_when_every_provider_failed_the_error_says_when_to_come_back(
    failure: str, is_stream: bool, openai: Any, make_front: FrontMaker, make_client: ClientMaker
) -> None:
    front = make_front("openrouter", "groq", "nvidia", "cloudflare", "huggingface", "gemini")  # all that take a key
    client = make_client(front.url)
    until(lambda: serving_providers(client) == set(front.simulators))  # one of them serves when its account is known
    front.all_answer(failure)

    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model="auto", messages=ASK, stream=is_stream)

    error = raised.value
    assert error.response.status_code == 503
    assert int(error.response.headers["retry-after"]) >= 1
    assert error.type == "all_upstreams_failed"
    assert {row["provider"] for row in error.body["tried"]} == set(front.simulators)
    assert error.body["suggestion"]


def test_the_client_waits_as_long_as_it_is_told_and_then_gets_its_answer(
    make_front: FrontMaker, make_client: ClientMaker, sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    front = make_front("groq")
    client = make_client(front.url, max_retries=1)
    front.simulators["groq"].script("rate-limited")
    waits: list[float] = []
    really_wait = time.sleep

    def wait(seconds: float) -> None:
        if seconds >= 1:  # the client's; what polls is shorter
            waits.append(seconds)
        really_wait(seconds)

    monkeypatch.setattr("time.sleep", wait)
    completion = client.chat.completions.create(model="openai/gpt-oss-120b", messages=ASK)

    assert completion.choices[0].message.content == EXPECTED
    assert waits == [4], "what the upstream said"
    assert len(sent) == 2


def test_the_client_does_not_repeat_what_waiting_cannot_help(
    openai: Any, make_front: FrontMaker, make_client: ClientMaker, sent: list[Any]
) -> None:
    client = make_client(make_front("groq").url, max_retries=2)

    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(
            model="auto", messages=ASK, extra_headers={"X-FreeRide-Force-Provider": "nvidia"}
        )

    assert raised.value.code == "no_usable_keys"
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in raised.value.response.headers
    assert len(sent) == 1


@pytest.mark.parametrize("failure", ["error-mid-stream", "cut-mid-stream", "reset-mid-stream"])
def test_a_stream_that_breaks_midway_raises_after_what_had_come(
    failure: str, openai: Any, make_front: FrontMaker, make_client: ClientMaker
) -> None:
    front = make_front("groq")
    client = make_client(front.url)
    front.all_answer(failure)
    stream = client.chat.completions.create(model="auto", messages=ASK, stream=True)
    chunks: list[Any] = []

    with pytest.raises(openai.APIError) as raised:
        chunks.extend(stream)

    assert joined(chunks)
    assert EXPECTED.startswith(joined(chunks)) or failure == "error-mid-stream"
    assert type(raised.value) is openai.APIError, "an error event, and no torn connection"
    assert raised.value.body["message"]
    assert stream.response.headers["x-freeride-provider"] == "groq"
