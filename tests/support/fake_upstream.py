"""Doubles for tests of the gateway: upstreams that follow a script over real sockets, and providers that ask them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import re
import secrets
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import httpx

from freeride_core import (
    About,
    CompatibleCatalog,
    CompatibleProvider,
    CompatibleWire,
    Credential,
    Limit,
    Model,
    Operation,
    Provider,
    Rule,
    Scope,
    WholeCatalog,
    operations_of,
)
from freeride_core.gateway.server import GRACE_S, GatewayThread
from freeride_core.ledger.slots import Slot
from freeride_core.plugins.discovery import Plugins, load_plugins
from freeride_core.settings.resolver import Settings, load_settings
from repository import SUPPORT

TEXT = "Hello from a double."


@dataclass
class ReceivedRequest:
    """A request that reached an upstream."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    gone_after_s: float | None = None
    """Seconds from its arrival until the other side had left, where it did so before the answer was over."""
    connection: int = 0
    """Which of the upstream's connections it came on, from 1."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


HANG = "hang"
RESET = "reset"
CLOSE = "close"
Step = bytes | float | str
"""Bytes to send, seconds to wait, or `HANG` (until the other side leaves), or how the connection ends: `RESET` or `CLOSE`."""
Script = list[Step]


def reply(
    status: int, body: Any, headers: Mapping[str, str] | None = None, content_type: str = "application/json"
) -> Script:
    """A whole answer. A body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"content-type: {content_type}", f"content-length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ["\r\n".join(lines).encode() + b"\r\n\r\n" + data]


def refusal(status: int, message: str = "no", headers: Mapping[str, str] | None = None, **error: Any) -> Script:
    """An error in the usual envelope."""
    return reply(status, {"error": {"message": message, **error}}, headers)


def completion(text: str = TEXT, **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1763870400,
        "model": "some-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        **more,
    }


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    """One event of a stream."""
    content = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1763870400,
        "model": "some-model",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }
    return b"data: " + json.dumps(content).encode() + b"\n\n"


SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def framed(data: bytes) -> bytes:
    """As one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream(*steps: Step, ends: bool = True) -> Script:
    """A 200 event stream: bytes are sent as chunks of their own; `ends` closes the body properly."""
    script: Script = [SSE_HEAD]
    script += [framed(step) if isinstance(step, bytes) else step for step in steps]
    return [*script, b"0\r\n\r\n"] if ends else script


def good_stream(text: str = TEXT) -> Script:
    words = [chunk({"content": word + " "}) for word in text.split()]
    return stream(chunk({"role": "assistant", "content": ""}), *words, chunk({}, "stop"), DONE)


def good(seen: ReceivedRequest) -> Script:
    """What a healthy upstream says."""
    if seen.method == "GET":
        return reply(200, {"object": "list", "data": []})
    if seen.path.endswith("/embeddings"):
        return reply(200, {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}]})
    return good_stream() if seen.json.get("stream") else reply(200, completion())


def always(script: Script) -> Callable[[ReceivedRequest], Script]:
    return lambda _: script


def in_turn(*scripts: Script) -> Callable[[ReceivedRequest], Script]:
    """One script for each request, then good answers."""
    left = list(scripts)
    return lambda seen: left.pop(0) if left and seen.method == "POST" else good(seen)


class FakeUpstream:
    """A scripted upstream on 127.0.0.1. `answer` maps each request to what is sent; it can be replaced at any time."""

    def __init__(self, answer: Callable[[ReceivedRequest], Iterable[Step]] = good, port: int = 0) -> None:
        self.answer = answer
        self.seen: list[ReceivedRequest] = []
        self.connections = 0
        self.port = port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def posts(self) -> list[ReceivedRequest]:
        return [seen for seen in self.seen if seen.method == "POST"]

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main(ready))
        self._loop.close()

    async def _main(self, ready: threading.Event) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._serve(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        seen = ReceivedRequest(method, path, headers, body, connection=number)
        self.seen.append(seen)
        arrived = time.monotonic()
        gone = asyncio.ensure_future(reader.read(1))
        try:
            for step in self.answer(seen):
                try:
                    goes_on = await self._do(step, writer, gone)
                except ConnectionError:  # the other side has left, and that shows here first
                    seen.gone_after_s = time.monotonic() - arrived
                    raise
                if not goes_on:
                    return False
                if gone.done():
                    seen.gone_after_s = time.monotonic() - arrived
                    return False
        finally:
            if gone.done():
                seen.gone_after_s = seen.gone_after_s or time.monotonic() - arrived
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
        return True

    async def _do(self, step: Step, writer: asyncio.StreamWriter, gone: asyncio.Future[bytes]) -> bool:
        """One step of a script; False ends the connection."""
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, float):
            await asyncio.wait({gone}, timeout=step)
        elif step == HANG:
            await asyncio.wait({gone})
        elif step == RESET:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        return step != CLOSE


ABOUT = About(
    title="A double",
    homepage="https://double.invalid",
    keys_url="https://double.invalid/keys",
    free_day="everything",
    sign_up="none",
    data_use="none",
    source="tests",
    checked="2026-11-23",
)
MODEL = Model(
    id="double/one", canonical="double/one", tier=1, context=100_000, tools=True, vision=False, json_schema=True
)


def _parse_entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> tuple[Model, ...]:
    model_id = row["id"]
    return (dated.get(model_id) or Model(id=model_id, canonical=model_id, operations=operations_of(model_id)),)


def provider(
    name: str,
    *,
    models: Iterable[Model] = (MODEL,),
    rules: tuple[Rule, ...] = (),
    meter: Scope = Scope.ACCOUNT,
    rank: int = 100,
    embeds: bool = False,
    lists: bool = False,
    limits: tuple[Limit, ...] = (),
    **wire: Any,
) -> Provider:
    """A provider that asks whatever FREERIDE_<NAME>_BASE_URL says, with keys from <NAME>_KEY. `lists`: it asks for the
    upstream's own list of models, whose entries are their ids."""
    return CompatibleProvider(
        api_version=1,
        name=name,
        about=ABOUT,
        credentials=(Credential(variable=f"{name.upper()}_KEY"),),
        base_url=f"https://{name}.invalid/v1",
        free=WholeCatalog(),
        catalog=CompatibleCatalog(
            models=tuple(models), checked="2026-11-23", path="/models" if lists else None, parse_entry=_parse_entry
        ),
        chat=CompatibleWire(path="/chat/completions", rules=rules, **wire),
        embeddings=CompatibleWire(path="/embeddings", rules=rules) if embeds else None,
        limits=limits,
        meter=meter,
        rank=rank,
    )


EMBEDDER = Model(id="double/embed", canonical="double/embed", operations=frozenset({Operation.EMBEDDINGS}))


def plugins(*providers: Provider) -> Plugins:
    """As if these providers were installed, and nothing else."""
    empty = load_plugins(())
    by_name = MappingProxyType({each.name: each for each in providers})
    return Plugins(providers=by_name, binders={}, rows=(), hooks=empty.hooks, modules={})


@dataclass
class GatewayBench:
    """Settings for providers that ask scripted upstreams."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, upstream: FakeUpstream | str, *keys: str) -> None:
        url = upstream if isinstance(upstream, str) else upstream.url
        self.environ[f"FREERIDE_{name.upper()}_BASE_URL"] = url
        self.environ[f"{name.upper()}_KEY"] = json.dumps(list(keys or (f"{name}-key-0000000000000000",)))

    def settings(self, **flags: Any) -> Settings:
        own = {"FREERIDE_HOME": str(self.home), "FREERIDE_TELEMETRY": "off"}
        return load_settings({**own, **self.environ}, **flags)


def until(condition: Callable[[], Any], timeout_s: float = 5.0) -> Any:
    """Polls until the condition holds, and gives its value; fails after the timeout."""
    due = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < due, "it did not come to pass in time"
        time.sleep(0.01)
    return value


_BACKGROUND = ThreadPoolExecutor(4, "leaving")
_leaving: list[Future[None]] = []


def wait_until_all_have_left() -> None:
    """Returns when every stage has come to its end; raises what went wrong there."""
    for leaving in _leaving:
        leaving.result(30)


# No limits: httpx's pool may else close a connection as surplus that another thread has just begun to use (httpcore 1.0.9).
_CLIENT = httpx.Client(verify=False, trust_env=False, timeout=30, limits=httpx.Limits())


class GatewayStage:
    """A gateway over scripted upstreams, one for each provider: `stage["alpha"]` is alpha's.

    `keys` says how many keys a provider has (1 if absent; 0 for none), `urls` where it is if not at its own upstream."""

    def __init__(
        self,
        home: Path,
        *providers: Provider,
        keys: Mapping[str, int] | None = None,
        urls: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        keep_alive_s: float = 10.0,
        grace_s: float = GRACE_S,
        **flags: Any,
    ) -> None:
        self.providers = providers or (provider("alpha"), provider("beta"))
        self.bench = GatewayBench(home, dict(environ or {}))
        self._keys = keys or {}
        self._urls = urls or {}
        self._flags = flags
        self._keep_alive_s = keep_alive_s
        self._grace_s = grace_s
        self._upstreams: dict[str, FakeUpstream] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for each in self.providers:
                upstream = self._upstreams[each.name] = stack.enter_context(FakeUpstream())
                count = self._keys.get(each.name, 1)
                if count:
                    keys = [key_of(each.name, index) for index in range(count)]
                    self.bench.add(each.name, self._urls.get(each.name, upstream), *keys)
            self.thread = stack.enter_context(self.another())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The server's own end takes a moment of sleep; the next test need not wait for it.
        _leaving.append(_BACKGROUND.submit(self._stack.close))

    def __getitem__(self, name: str) -> FakeUpstream:
        return self._upstreams[name]

    def another(self) -> GatewayThread:
        """One more gateway over the same home and upstreams, not entered yet."""
        return GatewayThread(
            self.bench.settings(**self._flags),
            plugins(*self.providers),
            keep_alive_s=self._keep_alive_s,
            grace_s=self._grace_s,
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._upstreams)

    @property
    def url(self) -> str:
        return self.thread.url

    def ask(
        self, model: str | None = "auto", *, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> httpx.Response:
        """One chat request; reads the whole answer."""
        return _CLIENT.post(
            f"{self.url}/v1/chat/completions", json=question(model, **fields), headers=dict(headers or {})
        )

    def embed(self, model: str | None, **fields: Any) -> httpx.Response:
        return _CLIENT.post(f"{self.url}/v1/embeddings", json={"model": model, "input": "x", **fields})

    def get(self, path: str, **headers: str) -> httpx.Response:
        return _CLIENT.get(self.url + path, headers=headers)

    def opened(self, model: str = "auto", **fields: Any) -> contextlib.AbstractContextManager[httpx.Response]:
        """A stream whose head has come; the client leaves at the end of the block."""
        return _CLIENT.stream("POST", f"{self.url}/v1/chat/completions", json=question(model, stream=True, **fields))

    def raw(self, request: bytes) -> socket.socket:
        """A connection on which these bytes have been sent."""
        connection = socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2])), timeout=10)
        connection.sendall(request)
        return connection

    def cooled(self) -> dict[Slot, tuple[str, int]]:
        """Each slot that is cooling: with the kind and the seconds left, rounded up: what a fast test sees, a slow one does."""
        gateway = self.thread.gateway
        now = gateway.now()
        return {
            slot: (cooldown.kind, math.ceil(cooldown.until - now))
            for slot, cooldown in gateway.ledger.cooldowns.items()
            if cooldown.until > now
        }

    def events(self, *types: str) -> list[dict[str, Any]]:
        """What stands in events.jsonl, of these types."""
        path = self.bench.home / "events.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        events = [json.loads(line) for line in lines]
        return [event for event in events if not types or event["type"] in types]


SERVE = """
import logging, sys
from fake_upstream import plugins, provider
from freeride_core.gateway.server import listen, serve
from freeride_core.settings.resolver import load_settings

logging.basicConfig(level=logging.DEBUG)
grace_s, *names = sys.argv[1:]
installed = plugins(*map(provider, names))
listener = listen("127.0.0.1", 0)
serve(load_settings(), installed, listener, lambda _, url: print(url, flush=True), grace_s=float(grace_s))
"""


class GatewayProcess:
    """A gateway as a process of its own, with everything that it and its libraries log: over fake providers of these names, or
    whatever `command` runs. Killed at the end, unless it has ended before."""

    def __init__(
        self,
        bench: GatewayBench,
        *,
        names: Sequence[str] = ("alpha", "beta"),
        grace_s: float = GRACE_S,
        command: Sequence[str] | None = None,
    ) -> None:
        self._bench = bench
        self._command = command or (sys.executable, "-c", SERVE, str(grace_s), *names)
        self._folder = bench.home.parent / f"process-{secrets.token_hex(4)}"

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        environ = {**os.environ, **self._bench.environ, "FREERIDE_HOME": str(self._bench.home)}
        environ["PYTHONPATH"] = str(SUPPORT)
        with (self._folder / "stdout").open("wb") as stdout, (self._folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(self._command, env=environ, stdout=stdout, stderr=stderr)
        try:
            self.url: str = until(self._find_url, 30)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _find_url(self) -> str | None:
        has_ended = self.has_ended  # before what it has written is read: it may print and end in between
        if found := re.search(r"http://127\.0\.0\.1:\d+", self.stdout):
            return found[0]
        assert not has_ended, f"the gateway ended with {self._process.returncode} before it listened:\n{self.stderr}"
        return None

    def _written(self, name: str) -> str:
        return (self._folder / name).read_text(errors="replace")

    @property
    def stdout(self) -> str:
        return self._written("stdout")

    @property
    def stderr(self) -> str:
        return self._written("stderr")

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def wait(self) -> int:
        """Its exit code."""
        return self._process.wait(20)

    def ask(self, model: str = "auto", *, headers: Mapping[str, str] | None = None, **fields: Any) -> httpx.Response:
        return _CLIENT.post(
            f"{self.url}/v1/chat/completions", json=question(model, **fields), headers=dict(headers or {})
        )

    def opened(self, **fields: Any) -> contextlib.AbstractContextManager[httpx.Response]:
        return _CLIENT.stream("POST", f"{self.url}/v1/chat/completions", json=question(stream=True, **fields))


def key_of(name: str, index: int = 0) -> str:
    return f"{name}-key-{index:02}-5bQ7xWm2LzR9"


def question(model: str | None = "auto", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Say hello."}], **fields}


def post_of(body: bytes, path: str = "/v1/chat/completions", **headers: str) -> bytes:
    """A POST as bytes, for a raw socket."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def events_of(body: bytes) -> list[Any]:
    """The events of a stream: JSON values, `"[DONE]"`, and comments as they stand."""
    events: list[Any] = []
    for block in body.split(b"\n\n"):
        if block.startswith(b"data: "):
            data = block.removeprefix(b"data: ")
            events.append("[DONE]" if data == b"[DONE]" else json.loads(data))
        elif block:
            events.append(block.decode())
    return events


def text_of(body: bytes) -> str:
    """What a stream says, in one."""
    chunks = [event for event in events_of(body) if isinstance(event, dict) and event.get("choices")]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


def ask_at_once(stage: GatewayStage, count: int, **fields: Any) -> list[httpx.Response]:
    """All answers to `count` requests that are sent together."""
    together = threading.Barrier(count)

    def ask(_: int) -> httpx.Response:
        together.wait(10)
        return stage.ask(**fields)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))
