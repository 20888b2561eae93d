"""The official `anthropic` package for Python, over real sockets. Like the one for OpenAI it is imported only where it is."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import CLOSE, RESET, GatewayStage, Script, always, provider, refusal, reply, stream
from installation import need
from message_cases import CASES, FIELDS, SAYS_SOMETHING, TOOLS, say, whole_of
from served_gateway import FrontMaker

need("anthropic-python")

ASK: list[Any] = [
    {"role": "user", "content": "Join these words with underscores and answer with only the result: ONE TWO"}
]
EXPECTED = "ONE_TWO"
ClientMaker = Callable[..., Any]


@pytest.fixture(scope="module")
def anthropic(client_folder: Callable[[str], Path]) -> Any:
    client_folder("anthropic-python")
    return importlib.import_module("anthropic")


@pytest.fixture
def make_client(anthropic: Any) -> Iterator[ClientMaker]:
    with ExitStack() as stack:

        def make_client(url: str, **more: Any) -> Any:
            made = anthropic.Anthropic(base_url=url, auth_token="freeride-local", **{"max_retries": 0, **more})
            return stack.enter_context(made)

        yield make_client


def asked(client: Any, *, is_stream: bool, **more: Any) -> Any:
    """The message that the SDK makes of an answer."""
    fields: dict[str, Any] = {"model": "auto", "max_tokens": 999, "messages": ASK, **more}
    if not is_stream:
        return client.messages.create(**fields)
    with client.messages.stream(**fields) as events:
        return events.get_final_message()


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_question_is_answered(make_client: ClientMaker, gateway_url: str, *, is_stream: bool) -> None:
    message = asked(make_client(gateway_url), is_stream=is_stream)
    assert message.content[0].text == EXPECTED
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 0
    assert message.id.startswith("msg_")


def test_tokens_are_counted_and_models_listed(make_client: ClientMaker, gateway_url: str) -> None:
    client = make_client(gateway_url)
    assert client.messages.count_tokens(model="auto", messages=ASK, tools=TOOLS).input_tokens > 350
    models = list(client.models.list(limit=1000))
    assert models[0].id == "claude-freeride-auto"
    assert client.models.retrieve(models[-1].id).id == models[-1].id


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_failing_provider_is_never_seen(make_client: ClientMaker, make_front: FrontMaker, *, is_stream: bool) -> None:
    front = make_front("groq", "nvidia")
    front.simulators["groq"].always("rate-limited")
    assert asked(make_client(front.url), is_stream=is_stream).content[0].text == EXPECTED
    assert set(front.attempts[:-1]) == {"groq"}
    assert front.attempts[-1] == "nvidia"


@pytest.fixture(scope="module")
def one_upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayStage]:
    with GatewayStage(tmp_path_factory.mktemp("stage"), provider("alpha")) as stage:
        yield stage


def blocks_of(message: Any) -> list[dict[str, Any]]:
    return [
        json.loads(block.model_dump_json(exclude_none=True, exclude={"caller", "parsed_output"}))
        for block in message.content
    ]


@pytest.mark.parametrize("name", SAYS_SOMETHING)
def test_the_sdk_reads_a_stream_as_it_was_meant(
    anthropic: Any, make_client: ClientMaker, one_upstream: GatewayStage, name: str
) -> None:
    case = CASES[name]
    one_upstream["alpha"].answer = always(stream(*case.chunks))
    client = make_client(one_upstream.url)
    if case.stop_reason is None:
        # It parses arguments as they come: what can be no JSON any more is a ValueError before the error event is there.
        with pytest.raises((anthropic.APIStatusError, ValueError)):
            asked(client, is_stream=True, **FIELDS)
        return
    message = asked(client, is_stream=True, **FIELDS)
    assert blocks_of(message)[: len(case.content)] == case.content
    assert len(message.content) == len(case.content) + case.open_blocks
    assert message.stop_reason == case.stop_reason


@pytest.mark.parametrize("name", [name for name in SAYS_SOMETHING if CASES[name].message is not None])
def test_the_sdk_reads_a_whole_answer_as_it_was_meant(
    make_client: ClientMaker, one_upstream: GatewayStage, name: str
) -> None:
    case = CASES[name]
    one_upstream["alpha"].answer = always(reply(200, whole_of(case)))
    message = asked(make_client(one_upstream.url), is_stream=False, **FIELDS)
    assert blocks_of(message) == case.content
    assert message.stop_reason == case.stop_reason


@pytest.mark.parametrize("break_off", [[*stream(say("Hel")), CLOSE], [*stream(say("Hel"), ends=False), RESET]])
def test_the_sdk_raises_where_a_stream_breaks(
    anthropic: Any, make_client: ClientMaker, one_upstream: GatewayStage, break_off: Script
) -> None:
    one_upstream["alpha"].answer = always(break_off)
    with pytest.raises(anthropic.APIStatusError, match="Network error"):
        asked(make_client(one_upstream.url), is_stream=True)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"model": "claude-opus-5-5"}, "NotFoundError"),
        ({"messages": []}, "BadRequestError"),
        ({"messages": ASK, "system": "fail"}, "ServiceUnavailableError"),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_an_error_is_raised_as_the_sdks_own(
    anthropic: Any, make_client: ClientMaker, tmp_path: Path, fields: dict[str, Any], error: str, *, is_stream: bool
) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(refusal(500))
        with pytest.raises(getattr(anthropic, error, anthropic.InternalServerError)) as caught:
            asked(make_client(stage.url), is_stream=is_stream, **fields)
        assert caught.value.request_id == caught.value.response.headers["x-freeride-request-id"]
