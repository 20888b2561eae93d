"""An upstream's body, given on in the moment in which it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import examples
from fake_upstream import CLOSE, HANG, RESET, FakeUpstream, Script, Step, framed
from freeride_core.answer import ErrorKind, UpstreamRequest
from freeride_core.gateway.http.deadline import NEVER
from freeride_core.gateway.http.errors import UpstreamError
from freeride_core.gateway.http.pool import DirectResponse
from freeride_core.gateway.http.upstream_response import AT_ONCE, Passage, UpstreamResponse, pass_on
from freeride_core.gateway.http.upstreams import Upstreams

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
PIECES = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8)


class Taker:
    """Takes what it is given; at every so many pieces it says that this is enough."""

    def __init__(self, enough_at: int = 0) -> None:
        self.pieces: list[bytes] = []
        self._enough_at = enough_at

    def __call__(self, data: bytes) -> Passage | None:
        self.pieces.append(data)
        return Passage.SLOW if self._enough_at and len(self.pieces) % self._enough_at == 0 else None

    @property
    def taken(self) -> bytes:
        return b"".join(self.pieces)


def play(script: Script, use: Callable[[UpstreamResponse], Awaitable[None]]) -> FakeUpstream:
    """Uses the reply to a request to which the script is played."""

    async def main(url: str) -> None:
        upstreams = Upstreams(5.0)
        reply = await upstreams.send(UpstreamRequest("POST", url, ()))
        try:
            await use(reply)
        finally:
            reply.close()
            await upstreams.close()

    with FakeUpstream(lambda _: script) as upstream:
        asyncio.run(main(upstream.url))
    return upstream


def scripts(pieces: list[bytes]) -> list[list[Step]]:
    """The same body in the three ways in which one can come, piece by piece."""
    body = b"".join(pieces)
    return [
        [CHUNKED, *map(framed, pieces), b"0\r\n\r\n"],
        [OK + b"content-length: %d\r\n\r\n" % len(body), *pieces],
        [OK + b"connection: close\r\n\r\n", *pieces, CLOSE],
    ]


@settings(max_examples=examples(15), deadline=None)
@given(PIECES, st.integers(1, 9))
def test_all_of_it_comes_in_order_however_often_it_is_enough(pieces: list[bytes], every: int) -> None:
    async def use(reply: UpstreamResponse) -> None:
        take = Taker(every)
        turns = 0
        while await reply.pass_on(take) is Passage.SLOW:
            turns += 1
            assert len(take.pieces) == turns * every, "nothing is given to whoever has said no"
            await asyncio.sleep(0)
        assert take.taken == b"".join(pieces)
        assert await reply.read() == b""

    for script in scripts(pieces):
        play(script, use)


def test_what_was_taken_and_what_is_read_are_one_body() -> None:
    async def use(reply: UpstreamResponse) -> None:
        take = Taker(1)
        assert await reply.pass_on(take) is Passage.SLOW
        assert take.taken + await reply.body() == b"one, two"

    for script in scripts([b"one, ", b"two"]):
        play(script, use)


def test_what_came_before_the_connection_broke_is_given_first() -> None:
    take = Taker()

    async def use(reply: UpstreamResponse) -> None:
        with pytest.raises(UpstreamError) as caught:
            await reply.pass_on(take)
        assert caught.value.failure.kind is ErrorKind.NETWORK

    play([CHUNKED, framed(b"half"), 0.05, RESET], use)
    assert take.taken == b"half"


def test_what_came_before_the_nonsense_is_given_first() -> None:
    take = Taker()

    async def use(reply: UpstreamResponse) -> None:
        with pytest.raises(UpstreamError):
            await reply.pass_on(take)

    play([CHUNKED, 0.05, framed(b"half") + b"no length\r\n"], use)
    assert take.taken == b"half"


def test_silence_is_noticed_while_others_take() -> None:
    async def use(reply: UpstreamResponse) -> None:
        clock = asyncio.get_running_loop().time
        reply.expect_by(clock() + 0.1)
        with pytest.raises(UpstreamError) as caught:
            await reply.pass_on(lambda _: None)
        assert caught.value.failure.kind is ErrorKind.TIMEOUT

    play([CHUNKED, framed(b"half"), HANG], use)


def test_whoever_fails_to_take_hears_of_it_where_it_waits() -> None:
    class Odd(BaseException):
        pass

    def take(data: bytes) -> None:
        raise Odd

    async def use(reply: UpstreamResponse) -> None:
        for _ in range(2):
            with pytest.raises(Odd):
                await reply.pass_on(take)
        assert await reply.body() == b"three"

    play([CHUNKED, 0.05, framed(b"one"), 0.05, framed(b"two"), 0.05, framed(b"three"), b"0\r\n\r\n"], use)


def test_nothing_is_given_to_whoever_has_left() -> None:
    async def use(reply: UpstreamResponse) -> None:
        has_come = asyncio.Event()
        take = Taker()

        def take_and_tell(data: bytes) -> Passage | None:
            has_come.set()
            return take(data)

        waiting = asyncio.create_task(reply.pass_on(take_and_tell))
        await has_come.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        reply.expect_by(NEVER)
        assert take.taken + await reply.body() == b"one, two"

    play([CHUNKED, framed(b"one, "), 0.1, framed(b"two"), b"0\r\n\r\n"], use)


def test_what_can_only_be_read_is_given_on_too() -> None:
    async def scenario() -> None:
        left = [b"one", b"two", b"three"]
        take = Taker(2)

        async def read() -> bytes:
            return left.pop(0) if left else b""

        assert await pass_on(read, take) is Passage.SLOW
        assert take.pieces == [b"one", b"two"]
        assert await pass_on(read, take) is Passage.OVER
        assert take.pieces == [b"one", b"two", b"three"]

    asyncio.run(scenario())


def test_of_much_at_once_little_is_given_on_in_one_turn_of_the_loop() -> None:
    """Looking at it takes time, and others have a turn between."""
    body = bytes(range(256)) * 4000

    async def use(reply: UpstreamResponse) -> None:
        turns = 0
        sizes: list[tuple[int, int]] = []
        taken = bytearray()

        def take(data: bytes) -> None:
            sizes.append((turns, len(data)))
            taken.extend(data)

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        await asyncio.sleep(0)
        assert await reply.pass_on(take) is Passage.OVER
        counting.cancel()
        assert taken == body
        in_turn = [sum(size for turn, size in sizes if turn == each) for each in {turn for turn, _ in sizes}]
        assert max(in_turn) <= 2 * AT_ONCE

    for script in scripts([body]):
        play(script, use)


def test_of_much_at_once_little_is_read() -> None:
    async def use(reply: UpstreamResponse) -> None:
        pieces = []
        while data := await reply.read():
            pieces.append(data)
        assert b"".join(pieces) == b"x" * 1_000_000
        assert max(map(len, pieces)) <= AT_ONCE

    for script in scripts([b"x" * 1_000_000]):
        play(script, use)


def test_a_body_in_single_bytes_waits_in_few_pieces() -> None:
    body = bytes(range(256)) * 80

    async def use(reply: UpstreamResponse) -> None:
        assert isinstance(reply, DirectResponse)
        connection = reply.connection
        while not connection.is_complete:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.001)
        assert len(connection._chunks) <= 64
        assert await reply.body() == body

    play([CHUNKED + b"".join(framed(body[at : at + 1]) for at in range(len(body))) + b"0\r\n\r\n"], use)
