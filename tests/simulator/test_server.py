"""A simulated upstream behaves on a real socket as its profile says."""

from __future__ import annotations

import base64
import itertools
import json
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec
import pytest

from clock import ManualClock
from freeride_core.simulator import Simulator, SimulatorThread, read_profile
from freeride_core.simulator.model import Saying
from repository import PROFILES

ACME = read_profile(PROFILES / "acme.toml")
NOW = 1_795_406_400.25  # 2026-11-23T04:00:00.25Z
ASK: dict[str, Any] = {"model": "acme/large", "messages": [{"role": "user", "content": "Hi there"}]}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}, "days": {"type": "integer"}},
            "required": ["city", "unit", "days"],
        },
    },
}


@dataclass
class SimulatorBench:
    simulator: Simulator
    thread: SimulatorThread
    client: httpx.Client
    clock: ManualClock

    def chat(self, key: str = "good-1", **changes: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return self.client.post("/chat/completions", json=ASK | changes, headers=headers)

    def embed(self, **fields: Any) -> httpx.Response:
        return self.client.post(
            "/embeddings", json={"model": "acme/embed"} | fields, headers={"authorization": "Bearer good-1"}
        )


@pytest.fixture
def bench() -> Iterator[SimulatorBench]:
    yield from benches(quotas=False)


@pytest.fixture
def metered() -> Iterator[SimulatorBench]:
    yield from benches(accounts={"good-1": "one", "good-2": "one"})


def benches(**options: Any) -> Iterator[SimulatorBench]:
    clock = ManualClock(NOW)
    simulator = Simulator(ACME, now=clock, pace=0, **options)
    with (
        SimulatorThread(simulator) as thread,
        httpx.Client(base_url=simulator.base_url, timeout=5, trust_env=False, verify=False) as client,
    ):
        yield SimulatorBench(simulator, thread, client, clock)


def events_of(text: str) -> list[Any]:
    """The decoded data of a stream, `[DONE]` as it is."""
    data = [block.removeprefix("data: ") for block in text.split("\n\n") if block.startswith("data: ")]
    return [item if item == "[DONE]" else json.loads(item) for item in data]


def text_of(events: list[Any]) -> str:
    deltas = [event["choices"][0]["delta"] for event in events if isinstance(event, dict) and event.get("choices")]
    return "".join(delta.get("content") or "" for delta in deltas)


class Raw:
    """A client that sees every byte."""

    def __init__(self, bench: SimulatorBench, **changes: Any) -> None:
        body = json.dumps(ASK | changes).encode()
        self.socket = socket.create_connection(("127.0.0.1", bench.simulator.port), timeout=5)
        self.socket.sendall(
            b"POST /accounts/0123abcd/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer good-1\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def read_to_end(self) -> bytes:
        return b"".join(iter(lambda: self.socket.recv(65536), b""))

    def read_until(self, marker: bytes) -> bytes:
        data = b""
        while marker not in data:
            more = self.socket.recv(65536)
            assert more, f"the connection ended without {marker!r}"
            data += more
        return data


def chunks_of(answer: bytes) -> list[bytes]:
    """The HTTP chunks of an answer's body, the empty last one included."""
    body = answer.partition(b"\r\n\r\n")[2]
    chunks = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        chunks.append(rest[: int(size, 16)])
        body = rest[int(size, 16) + 2 :]
    return chunks


def test_a_plain_answer_has_the_profiles_shape_and_headers(bench: SimulatorBench) -> None:
    answer = bench.chat()

    assert answer.status_code == 200
    body = answer.json()
    assert body["choices"][0]["message"]["content"] == "Hello! This is acme/large, as simulated for acme."
    assert body["created"] == int(NOW)
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-ratelimit-limit-requests"] == "3"
    [seen] = bench.simulator.requests
    assert (seen.method, seen.path, seen.key, seen.model) == ("POST", ACME.chat_path, "good-1", "acme/large")
    assert (seen.operation, seen.stream, seen.answered, seen.status) == ("chat.completions", False, "chat", 200)
    assert seen.json == ASK


def test_ids_differ_from_request_to_request_and_repeat_from_run_to_run() -> None:
    first, second = ([bench.chat().json()["id"] for _ in range(2)] for _ in range(2) for bench in benches(quotas=False))

    assert first == second
    assert len(set(first)) == 2


def test_a_stream_comes_in_the_profiles_order(bench: SimulatorBench) -> None:
    answer = bench.chat(stream=True, stream_options={"include_usage": True})

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith(": ACME PROCESSING\n\n")
    events = events_of(answer.text)
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "reasoning" in events[1]["choices"][0]["delta"]
    assert events[2]["choices"][0]["delta"] == {"content": "Hello!"}
    assert text_of(events) == "Hello! This is acme/large, as simulated for acme."
    assert [event["choices"][0]["finish_reason"] for event in events[-4:-3]] == ["stop"]
    assert events[-3]["usage"]["prompt_tokens"] > 0
    assert events[-2:] == [{"response": ""}, "[DONE]"]
    assert len({event["id"] for event in events[:-2]}) == 1


def test_usage_is_streamed_only_when_it_was_asked_for(bench: SimulatorBench) -> None:
    assert "usage" not in bench.chat(stream=True).text
    assert "usage" not in bench.chat(stream=True, stream_options={"include_usage": False}).text


def test_every_block_of_a_stream_is_a_chunk_of_its_own(bench: SimulatorBench) -> None:
    with Raw(bench, stream=True) as raw:
        chunks = chunks_of(raw.read_until(b"0\r\n\r\n"))

    assert all(chunk.endswith(b"\n\n") and chunk.count(b"\n\n") == 1 for chunk in chunks[:-1])
    assert chunks[0] == b": ACME PROCESSING\n\n"
    assert chunks[-2:] == [b"data: [DONE]\n\n", b""]


def test_a_connection_serves_one_request_after_the_other(bench: SimulatorBench) -> None:
    body = json.dumps(ASK).encode()
    head = b"POST /accounts/0123abcd/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer good-1\r\n"
    with socket.create_connection(("127.0.0.1", bench.simulator.port), timeout=5) as client:
        client.sendall(2 * (head + b"content-length: %d\r\n\r\n" % len(body) + body))
        data = b""
        while data.count(b"HTTP/1.1 200") < 2 or not data.endswith(b"}"):
            data += client.recv(65536)

    assert [seen.answered for seen in bench.simulator.requests] == ["chat", "chat"]
    assert bench.thread.wait_for(lambda: all(seen.finished_at for seen in bench.simulator.requests))


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(bench: SimulatorBench) -> None:
    body = json.dumps(ASK).encode()
    head = b"POST /accounts/0123abcd/v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
    with socket.create_connection(("127.0.0.1", bench.simulator.port), timeout=5) as client:
        client.sendall(head + b"authorization: Bearer good-1\r\ncontent-length: %d\r\n\r\n" % len(body))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_simulated_model_joins_words(bench: SimulatorBench) -> None:
    prompt = "Join these words with underscores and answer with only the result: kiwi 42 Ost-See\nThanks!"
    parts = [{"type": "text", "text": prompt}]

    plain = bench.chat(messages=[{"role": "system", "content": "x"}, {"role": "user", "content": prompt}])

    assert plain.json()["choices"][0]["message"]["content"] == "kiwi_42_Ost-See"
    assert bench.chat(messages=[{"role": "user", "content": parts}]).status_code == 400  # the profile refuses parts


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
def test_a_forced_tool_is_called_with_arguments_that_fit_its_schema(bench: SimulatorBench, choice: object) -> None:
    message = bench.chat(tools=[TOOL], tool_choice=choice).json()["choices"][0]

    assert message["finish_reason"] == "tool_calls"
    [call] = message["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Hi", "unit": "c", "days": 1}


def test_a_tool_that_the_user_names_is_called_once(bench: SimulatorBench) -> None:
    user = {"role": "user", "content": "Use get_weather for Paris"}
    result = {"role": "tool", "tool_call_id": "c", "content": "22 degrees"}

    first = events_of(bench.chat(tools=[TOOL], messages=[user], stream=True).text)
    then = bench.chat(tools=[TOOL], messages=[user, {"role": "assistant"}, result])

    calls = [
        delta["tool_calls"][0]
        for event in first[:-2]
        if "tool_calls" in (delta := event["choices"][0]["delta"])
    ]  # fmt: skip
    assert calls[0]["function"]["name"] == "get_weather"
    assert json.loads("".join(call["function"]["arguments"] for call in calls))["city"] == "Paris"
    assert len(calls) == 3
    assert then.json()["choices"][0]["message"]["content"] == "The tool answered: 22 degrees"


def test_what_an_agent_says_in_the_users_name_is_no_wish(bench: SimulatorBench) -> None:
    """It stands behind what the user wrote, or behind a tool's result, and may name a tool."""
    note = {"role": "user", "content": "Active get_weather sessions: none"}
    join = {"role": "user", "content": "Join these words with underscores and answer with only the result: A B"}
    use = {"role": "user", "content": "Use get_weather for Paris"}
    result = {"role": "tool", "tool_call_id": "c", "content": "22 degrees"}

    def message_after(*messages: object) -> Any:
        return bench.chat(tools=[TOOL], messages=messages).json()["choices"][0]["message"]

    assert message_after(join, note)["content"] == "A_B"
    assert message_after(use, note)["tool_calls"][0]["function"]["name"] == "get_weather"
    assert message_after(use, {"role": "assistant"}, result, note)["content"] == "The tool answered: 22 degrees"


def test_tools_that_nobody_names_are_not_called(bench: SimulatorBench) -> None:
    for changes in ({}, {"tool_choice": "auto"}, {"tool_choice": "none"}):
        answer = bench.chat(tools=[TOOL], **changes)
        assert answer.json()["choices"][0]["finish_reason"] == "stop"


def test_the_text_can_be_fixed() -> None:
    for bench in benches(text='Say "cheese"\n\\o/'):
        assert bench.chat().json()["choices"][0]["message"]["content"] == 'Say "cheese"\n\\o/'
        assert text_of(events_of(bench.chat(stream=True).text)) == 'Say "cheese"\n\\o/'


def test_the_text_can_be_changed_at_any_time(bench: SimulatorBench) -> None:
    texts = []
    for text in ("First.", "Second.", None):
        bench.simulator.say(text)
        texts.append(bench.chat().json()["choices"][0]["message"]["content"])

    assert texts == ["First.", "Second.", "Hello! This is acme/large, as simulated for acme."]


def test_embeddings_are_one_unit_vector_an_input_and_always_the_same(bench: SimulatorBench) -> None:
    both = bench.embed(input=["a", "b"]).json()
    again = bench.embed(input="a").json()

    assert [row["index"] for row in both["data"]] == [0, 1]
    assert len(both["data"][0]["embedding"]) == 8
    assert sum(number**2 for number in both["data"][0]["embedding"]) == pytest.approx(1)
    assert both["data"][0]["embedding"] == again["data"][0]["embedding"]
    assert both["data"][0]["embedding"] != both["data"][1]["embedding"]
    assert both["usage"]["total_tokens"] > 0


def test_embeddings_come_as_base64_and_in_other_sizes_when_asked(bench: SimulatorBench) -> None:
    floats = bench.embed(input=[[1, 2], [3]], dimensions=4).json()["data"]
    packed = bench.embed(input=[[1, 2], [3]], dimensions=4, encoding_format="base64").json()["data"]

    assert len(floats) == len(packed) == 2
    for as_floats, as_text in zip(floats, packed, strict=True):
        assert struct.unpack("<4f", base64.b64decode(as_text["embedding"])) == pytest.approx(as_floats["embedding"])


def test_an_embedding_without_input_or_of_a_chat_model_is_refused(bench: SimulatorBench) -> None:
    assert bench.embed().status_code == 400
    assert bench.embed(model="acme/large", input="x").status_code == 404


@pytest.mark.parametrize("key", ["", "my-BAD-key", "revoked-7"])
def test_a_bad_key_is_refused_everywhere(bench: SimulatorBench, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"} if key else {}

    assert bench.chat(key).status_code == 401
    assert bench.client.get("/models", headers=headers).status_code == 401
    assert bench.client.get("/key", headers=headers).status_code == 401
    assert {seen.answered for seen in bench.simulator.requests} == {"bad-key"}
    assert bench.chat(key).json()["error"]["message"] == f"Key ...{key[-4:]} is not valid."


@pytest.mark.parametrize(
    ("key_header", "sent", "status"),
    [
        ("", {"authorization": "Bearer good-9"}, 200),
        ("", {"authorization": "good-9"}, 401),
        ("", {"x-api-key": "good-9"}, 401),
        ("X-Zephyr-Key", {"x-zephyr-key": "good-9"}, 200),
        ("X-Zephyr-Key", {"authorization": "Bearer good-9"}, 401),
        ("authorization", {"authorization": "good-9"}, 200),
    ],
)
def test_a_key_counts_only_where_the_upstream_looks_for_it(key_header: str, sent: dict[str, str], status: int) -> None:
    profile = msgspec.structs.replace(ACME, key_header=key_header)
    simulator = Simulator(profile, quotas=False, pace=0)
    with SimulatorThread(simulator):
        assert httpx.get(f"{simulator.base_url}/models", headers=sent, trust_env=False).status_code == status
    assert simulator.requests[-1].key == ("good-9" if status == 200 else "")


def test_the_catalog_and_other_pages_are_served(bench: SimulatorBench) -> None:
    headers = {"authorization": "Bearer good-1"}

    listed = bench.client.get("/models?limit=9", headers=headers)

    assert [row["id"] for row in listed.json()["data"][:3]] == ["acme/large", "acme/large", "acme/paid"]
    assert bench.client.get("/key", headers=headers).json() == {"used": 0, "remaining": 5}
    assert bench.simulator.requests[0].query == "limit=9"


def test_a_public_catalog_answers_bad_keys() -> None:
    from msgspec.structs import replace

    public = replace(ACME, catalog=replace(ACME.catalog, public=True))
    simulator = Simulator(public)
    with SimulatorThread(simulator):
        answer = httpx.get(
            f"{simulator.base_url}/models", headers={"authorization": "Bearer bad"}, trust_env=False, verify=False
        )

    assert answer.status_code == 200


def test_an_unknown_model_gets_the_upstreams_own_answer(bench: SimulatorBench) -> None:
    answer = bench.chat(model='x"y')

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain")
    assert bench.chat(model="acme/large:fast").status_code == 200


def test_an_unknown_path_is_a_404(bench: SimulatorBench) -> None:
    answer = bench.client.get("/nonesuch", headers={"authorization": "Bearer good-1"})

    assert answer.status_code == 404
    assert "error" in answer.json()
    assert bench.simulator.requests[0].answered == "unknown-path"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"model":"acme/large"}'])
def test_a_body_that_is_no_request_is_a_400(bench: SimulatorBench, body: bytes) -> None:
    answer = bench.client.post("/chat/completions", content=body, headers={"authorization": "Bearer good-1"})

    assert answer.status_code == 400


def test_a_case_that_matches_the_body_is_answered(bench: SimulatorBench) -> None:
    answer = bench.chat(messages=[{"role": "user", "content": [{"type": "text", "text": "x"}]}])

    assert answer.json() == {"error": {"message": "array not in string"}}
    assert bench.simulator.requests[0].answered == "content-parts"


def test_quotas_deplete_and_the_refusal_holds_real_numbers(metered: SimulatorBench) -> None:
    left = [metered.chat().headers["x-ratelimit-remaining-requests"] for _ in range(3)]
    metered.clock.now += 20.5
    refused = metered.chat()

    assert left == ["2", "1", "0"]
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "40"
    error = refused.json()["error"]
    assert error["message"] == "Limit 3, used 3. Please try again in 39.5s."
    assert error["reset"] == str(int((NOW + 60) * 1000))
    metered.clock.now += 39.5
    assert metered.chat().status_code == 200


def test_two_keys_of_one_account_share_its_quota_and_a_third_does_not(metered: SimulatorBench) -> None:
    answers = [metered.chat(key).status_code for key in ("good-1", "good-2", "good-1", "good-2", "good-3")]

    assert answers == [200, 200, 200, 429, 200]


def test_the_day_comes_after_the_minute(metered: SimulatorBench) -> None:
    for _ in range(5):
        assert metered.chat().status_code == 200
        metered.clock.now += 30
    refused = metered.chat()

    assert refused.json()["error"]["message"] == "daily cap"
    assert refused.headers["x-ratelimit-reset"] == "1795478400000"
    assert metered.embed(input="x").status_code == 200


def test_a_quota_can_be_used_up_from_outside(metered: SimulatorBench) -> None:
    assert metered.chat().status_code == 200
    assert metered.simulator.use_up("minute", back_in_s=7)

    refused = metered.chat()

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    metered.clock.now += 7
    assert metered.chat().status_code == 200


def test_a_request_that_never_fits_is_told_so(metered: SimulatorBench) -> None:
    refused = metered.chat(max_tokens=9000)

    assert refused.status_code == 413
    assert refused.json()["error"]["message"].startswith("Limit 8000, Requested 90")


def test_token_headers_follow_the_leak(metered: SimulatorBench) -> None:
    first = metered.chat()
    used = first.json()["usage"]["total_tokens"]

    assert first.headers["x-ratelimit-remaining-tokens"] == str(8000 - used)
    milliseconds = round(used * 60_000 / 8000)
    assert first.headers["x-ratelimit-reset-tokens"] == f"{milliseconds}ms"


def test_without_quotas_nothing_depletes(bench: SimulatorBench) -> None:
    answers = [bench.chat() for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 6
    assert answers[-1].headers["x-ratelimit-remaining-requests"] == "3"


def test_scripted_cases_are_played_in_order_and_hold_their_stated_defaults(bench: SimulatorBench) -> None:
    bench.simulator.script("rate-limited", "chat", "server-error", "daily-cap")

    limited, good, down, capped, after = (bench.chat() for _ in range(5))

    assert [answer.status_code for answer in (limited, good, down, capped, after)] == [429, 200, 503, 429, 200]
    assert limited.headers["retry-after"] == "4"
    assert "try again in 3.697s" in limited.text
    assert limited.json()["error"]["reset"] == str(int((NOW + 37) * 1000))
    assert parsedate_to_datetime(down.headers["retry-after"]).timestamp() == int(NOW) + 30
    assert capped.headers["x-ratelimit-reset"] == "1795478400000"


def test_orders_for_the_catalog_wait_for_the_catalog(bench: SimulatorBench) -> None:
    headers = {"authorization": "Bearer good-1"}
    bench.simulator.script("catalog-down", "models:rate-limited", "server-error", "models:html-200")

    assert bench.chat().status_code == 503
    assert [bench.client.get("/models", headers=headers).status_code for _ in range(2)] == [500, 429]
    assert bench.client.get("/models", headers=headers).text.startswith("<!doctype html>")
    assert bench.client.get("/models", headers=headers).status_code == 200


def test_standing_orders_can_be_for_one_key_or_model(bench: SimulatorBench) -> None:
    bench.simulator.always("server-error", key="good-2")
    bench.simulator.always("rate-limited", model="acme/paid")

    assert [bench.chat(key).status_code for key in ("good-1", "good-2", "good-2")] == [200, 503, 503]
    assert bench.chat(model="acme/paid").status_code == 429
    bench.simulator.always(None)
    assert bench.chat("good-2").status_code == 200


@pytest.mark.parametrize("name", ["nonesuch", "chat:hang", "models:"])
def test_an_order_for_what_nobody_knows_is_a_mistake(bench: SimulatorBench, name: str) -> None:
    with pytest.raises(ValueError, match="acme has no case or built-in"):
        bench.simulator.script(name)
    with pytest.raises(ValueError, match="acme has no case or built-in"):
        bench.simulator.always(name)


def test_a_standing_order_for_the_catalog_is_a_mistake(bench: SimulatorBench) -> None:
    with pytest.raises(ValueError, match="single orders only"):
        bench.simulator.always("catalog-down")


def test_a_case_of_sse_blocks_is_sent_block_by_block_and_closes(bench: SimulatorBench) -> None:
    bench.simulator.script("mid-stream-error")

    with Raw(bench, stream=True) as raw:
        answer = raw.read_to_end()

    first, second, last = chunks_of(answer)
    assert first.startswith(b'data: {"choices"')
    assert second.startswith(b"event: error\ndata: {")
    assert second.endswith(b"}\n\n")
    assert last == b""
    assert b"connection: close" in answer


def test_a_client_that_leaves_is_noticed_at_once(bench: SimulatorBench) -> None:
    for name in ("hang", "silence", "prefill-stall", "idle-mid-stream", "comments-only"):
        bench.simulator.script(name)
        with Raw(bench, stream=True) as raw:
            bench.thread.wait_for(lambda name=name: bench.simulator.requests[-1:] and bench.simulator.requests[-1].answered == name)  # type: ignore[misc]  # fmt: skip
            if name == "idle-mid-stream":
                raw.read_until(b"Hello!")
        seen = bench.simulator.requests[-1]
        bench.thread.wait_for(lambda seen=seen: seen.disconnected, 0.5)  # type: ignore[misc]
        assert seen.finished_at is None


def test_a_client_that_has_read_everything_did_not_leave_early(bench: SimulatorBench) -> None:
    bench.chat(stream=True)
    bench.client.close()

    seen = bench.simulator.requests[0]
    assert bench.thread.wait_for(lambda: seen.finished_at) is not None
    assert not seen.disconnected


def test_env_is_what_a_gateway_needs(bench: SimulatorBench) -> None:
    assert bench.simulator.env == {
        "FREERIDE_ACME_BASE_URL": f"http://127.0.0.1:{bench.simulator.port}/accounts/0123abcd/v1",
        "ACME_API_KEY": "acme-simulated-000000000000",
        "ACME_ACCOUNT_ID": "0123abcd",
    }
    assert bench.thread.env == bench.simulator.env | {"FREERIDE_PROVIDERS": "acme"}


def test_a_stopped_simulator_refuses_connections(bench: SimulatorBench) -> None:
    bench.chat()
    bench.thread.stop(bench.simulator)

    with pytest.raises(httpx.ConnectError):
        bench.chat()


def test_a_taken_port_is_an_os_error(bench: SimulatorBench) -> None:
    import asyncio

    async def start() -> None:
        await Simulator(ACME).start(bench.simulator.port)

    with pytest.raises(OSError, match="address already in use"):
        asyncio.run(start())


def test_waiting_in_vain_is_a_timeout(bench: SimulatorBench) -> None:
    import asyncio

    with pytest.raises(TimeoutError):
        bench.thread.wait_for(lambda: False, 0.01)
    with pytest.raises(TimeoutError):
        asyncio.run(bench.simulator.wait_for(lambda: False, 0.01))
    counter = itertools.count()
    assert bench.thread.wait_for(lambda: next(counter)) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_another_model_decides_what_is_said(stream: bool) -> None:
    heard: list[Any] = []

    def say(request: Mapping[str, Any]) -> Saying:
        heard.append(request["messages"])
        return Saying(tool="get_weather", arguments='{"city": "Oslo"}')

    for bench in benches(quotas=False, model=say):
        answered = bench.chat(stream=stream).text
        assert "get_weather" in answered
        assert "Oslo" in answered
        assert heard == [ASK["messages"]]
