"""A thousand streams at once while an upstream flaps: nobody loses a word, and the event loop never stands still."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fake_upstream import DONE, SSE_HEAD, GatewayBench, GatewayProcess, chunk, framed, post_of, question, refusal, until

STREAMS = 1000
WORDS = 8
FIRST_WORDS = 4
"""These are said at once; the others when all clients have begun, so that all streams are open together."""
ARRIVE_WITHIN_S = 2.0
PHASE_S = 0.1
HASTE = 1000
"""How much faster the ledger's clock goes here: an upstream that is cooled for 30 s is back after 0.03 s."""
LONGEST_STALL_S = 0.05
TURNS = 3
"""A stall of the gateway's own is there in each; a processor that others wear out is so in some."""
CUT_EVERY = 20
PACES_S = (0.01, 0.02, 0.03, 0.04, 0.05)
"""Between the last words, as models differ; else a thousand streams would end in the same moment."""


@pytest.fixture
def _descriptors() -> Iterator[None]:
    """Each stream has two here and two in the gateway, which inherits the limit."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * STREAMS + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"no more than {hard} descriptors are to be had")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted) if soft != resource.RLIM_INFINITY else soft, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def words(number: int) -> list[str]:
    """What only this client's stream says."""
    return [f"{number}:{place} " for place in range(WORDS)]


def cut_at(number: int) -> int:
    """Before which word this client's stream breaks off, where it does."""
    return number // CUT_EVERY % WORDS


@dataclass
class Flapping:
    """An upstream that is now well, now busy, now breaks off amid its answers, and now is not there at all."""

    flaps: bool
    go_on: asyncio.Event
    port: int = 0
    modes: Counter[str] = field(default_factory=Counter)
    """How many requests have met each; of the last, how many times it has been away."""
    cut: set[int] = field(default_factory=set)
    """Clients whose answer was broken off after its first word."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._open: set[asyncio.Task[None]] = set()
        self._mode = "well"
        self._listen()
        over = asyncio.Event()
        phases = asyncio.create_task(self._flap(over))
        try:
            yield
        finally:
            over.set()
            await phases
            self._hide()
            for connection in self._open:
                connection.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    # `asyncio.start_server` loses a connection that it has just accepted when it is closed.

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=2048)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _hide(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self._listener.accept()
                task = asyncio.create_task(self._attend(connection))
                self._open.add(task)
                task.add_done_callback(self._open.discard)

    async def _flap(self, over: asyncio.Event) -> None:
        for mode in itertools.cycle(("well", "busy", "well", "cut", "well", "away")) if self.flaps else ():
            self._mode = mode
            if mode == "away":
                self.modes[mode] += 1
                self._hide()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), PHASE_S)
            if mode == "away":
                self._listen()
            if over.is_set():
                return

    async def _attend(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._serve(reader, writer):
                    pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        number = json.loads(await reader.readexactly(length))["seed"]
        mode = self._mode
        if mode == "away":
            return False
        self.modes[mode] += 1
        if mode == "busy":
            (whole,) = refusal(503)
            assert isinstance(whole, bytes)
            writer.write(whole)
            return True
        is_cut = mode == "cut" or (self.flaps and number % CUT_EVERY == 0)
        said = [framed(chunk({"content": word})) for word in words(number)]
        writer.write(SSE_HEAD + framed(chunk({"role": "assistant"})))
        for place, data in enumerate(said):
            if place == FIRST_WORDS:
                await self.go_on.wait()
            if is_cut and place == cut_at(number):
                if place:
                    self.cut.add(number)
                return False
            writer.write(data)
            await asyncio.sleep(PACES_S[number % len(PACES_S)] if place > FIRST_WORDS else 0)
        writer.write(framed(chunk({}, "stop")) + framed(DONE) + b"0\r\n\r\n")
        await writer.drain()
        return True


@dataclass
class Told:
    """What one client was told."""

    status: int = 0
    text: str = ""
    errors: list[str] = field(default_factory=list)
    """Codes of error events."""
    is_done: bool = False
    after_end: list[bytes] = field(default_factory=list)
    """What came after `[DONE]` or an error."""
    has_end: bool = False
    """The body ended as HTTP has it."""


async def ask(port: int, number: int, on_begun: Callable[[], None]) -> Told:
    told = Told()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(question(stream=True, seed=number)).encode()
    writer.write(post_of(body, connection="close"))
    head = await reader.readuntil(b"\r\n\r\n")
    told.status = int(head.split()[1])
    buffer = b""
    has_begun = False
    with contextlib.suppress(asyncio.IncompleteReadError):
        while size := int(await reader.readuntil(b"\r\n"), 16):
            buffer += (await reader.readexactly(size + 2))[:-2]
            *blocks, buffer = buffer.split(b"\n\n")
            for block in blocks:
                take(block, told)
            if not has_begun and (told.text.count(" ") >= FIRST_WORDS or told.errors):
                has_begun = True
                on_begun()
        told.has_end = not buffer
    if not has_begun:
        on_begun()
    writer.close()
    return told


def take(block: bytes, told: Told) -> None:
    if told.errors or told.is_done:
        told.after_end.append(block)
        return
    data = block.removeprefix(b"data: ")
    if data == b"[DONE]":
        told.is_done = True
        return
    event = json.loads(data)
    if "error" in event:
        told.errors.append(event["error"]["code"])
    else:
        told.text += event["choices"][0]["delta"].get("content") or ""


class Crowd:
    """A thousand clients, one after the other and then all together."""

    def __init__(self) -> None:
        self.everyone = asyncio.Event()
        self._begun = 0

    def _begin(self) -> None:
        self._begun += 1
        if self._begun == STREAMS:
            self.everyone.set()

    async def ask(self, port: int) -> list[Told]:
        async def arrive(number: int) -> Told:
            await asyncio.sleep(number * ARRIVE_WITHIN_S / STREAMS)
            return await ask(port, number, self._begin)

        return await asyncio.gather(*map(arrive, range(STREAMS)))


async def crowd_in(bench: GatewayBench, beats: Path) -> tuple[list[Told], Flapping, dict[str, float]]:
    """What the clients were told, how the upstream behaved, and how the gateway's loop fared."""
    crowd = Crowd()
    alpha, beta = Flapping(True, crowd.everyone), Flapping(False, crowd.everyone)
    async with alpha.running(), beta.running():
        for name, upstream in (("alpha", alpha), ("beta", beta)):
            bench.add(name, f"http://127.0.0.1:{upstream.port}/v1")
        with GatewayProcess(bench, command=(sys.executable, "-m", "heartbeat", str(HASTE), str(beats))) as process:
            told = await crowd.ask(int(process.url.rpartition(":")[2]))
            rested = await asyncio.to_thread(
                until, lambda: beats.exists() and json.loads(beats.read_text(encoding="utf-8"))
            )
    return told, alpha, rested


@pytest.mark.usefixtures("_descriptors")
def test_a_thousand_streams_over_an_upstream_that_flaps_all_end_as_they_should(tmp_path: Path) -> None:
    stalls_s: list[float] = []
    modes: Counter[str] = Counter()
    while len(stalls_s) < TURNS and not (stalls_s and min(stalls_s) < LONGEST_STALL_S and has_met_all(modes)):
        stalls_s.append(check_a_turn(tmp_path / str(len(stalls_s)), modes))
    assert min(stalls_s) < LONGEST_STALL_S, stalls_s
    assert has_met_all(modes), modes


def has_met_all(modes: Counter[str]) -> bool:
    """Whether requests came to the upstream in each of its states, which on a busy machine takes more than one turn."""
    return min(modes[mode] for mode in ("well", "busy", "cut", "away")) > 1


def check_a_turn(path: Path, modes: Counter[str]) -> float:
    """For how long the loop stood still at the longest, seconds. The upstream's states are counted in `modes`."""
    path.mkdir()
    told, alpha, rested = asyncio.run(crowd_in(GatewayBench(path / "home"), path / "beats"))

    for number, each in enumerate(told):
        said = words(number)
        assert (each.status, each.has_end, each.after_end) == (200, True, [])
        if number in alpha.cut:
            assert (each.text, each.errors, each.is_done) == ("".join(said[: cut_at(number)]), ["network"], False)
        else:
            assert (each.text, each.errors, each.is_done) == ("".join(said), [], True)

    modes.update(alpha.modes)
    assert len(alpha.cut) > 10
    ended_early = sum(cut_at(number) < FIRST_WORDS for number in alpha.cut)
    assert rested["most_exchanges"] > 0.9 * (STREAMS - ended_early)
    return rested["longest_s"]
