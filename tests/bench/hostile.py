"""What hostile bytes cost the gateway: `python -m uv run python tests/bench/hostile.py [NAME ...]`. For Linux.

Each case has a gateway process of its own. Shown are the most memory that the process takes, with the 45 MiB that it starts
with, and the longest time between two turns of its event loop: by the clock, and by the CPU time that all threads of the
process spend meanwhile. On a machine with other work to do only the second means something. Exit status 1: a case takes more
memory than it may, or its outcome is another than it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import gzip
import json
import os
import re
import socket
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from fake_upstream import (
    MODEL,
    FakeUpstream,
    GatewayBench,
    GatewayProcess,
    ReceivedRequest,
    Script,
    good,
    plugins,
    provider,
    reply,
    stream,
)
from freeride_core.gateway.runtime import Gateway
from freeride_core.gateway.server import listen, serve
from freeride_core.settings.resolver import load_settings

_MIB = 1 << 20
_BEAT_S = 0.002
_SAVE_S = 0.1
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
GET = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n"


# The gateway


class Stalls:
    """Beats in the gateway's own loop, and writes down the longest time between two beats."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._longest_s = self._longest_cpu_s = 0.0
        self._saved_at = 0.0
        self._beat_at, self._spent_s = time.monotonic(), time.process_time()
        self._beat()

    def _beat(self) -> None:
        now, spent_s = time.monotonic(), time.process_time()
        self._longest_s = max(self._longest_s, now - self._beat_at - _BEAT_S)
        self._longest_cpu_s = max(self._longest_cpu_s, spent_s - self._spent_s)
        if now - self._saved_at > _SAVE_S:
            self._saved_at = now
            self._path.with_suffix(".new").write_text(json.dumps([self._longest_s, self._longest_cpu_s]))
            self._path.with_suffix(".new").replace(self._path)
        self._beat_at, self._spent_s = time.monotonic(), time.process_time()
        self._loop.call_later(_BEAT_S, self._beat)


def _serve(path: Path, *, lists: bool) -> None:
    def begin(_: Gateway, url: str) -> None:
        Stalls(path)
        print(url, flush=True)

    models = (dataclasses.replace(MODEL, context=None),)  # none is too small for anything
    doubles = plugins(provider("alpha", lists=lists, models=models), provider("beta", models=models))
    serve(load_settings(), doubles, listen("127.0.0.1", 0), begin)


# What it meets


class Port:
    """The gateway as a case sees it."""

    def __init__(self, process: GatewayProcess) -> None:
        self.number = int(process.url.rpartition(":")[2])

    @contextlib.contextmanager
    def sent(self, *parts: bytes, timeout_s: float = 60.0) -> Iterator[socket.socket]:
        """A connection on which this was sent, as far as it was taken."""
        with socket.create_connection(("127.0.0.1", self.number), timeout=timeout_s) as connection:
            with contextlib.suppress(OSError):
                for part in parts:
                    connection.sendall(part)
            yield connection

    def status(self, *parts: bytes, timeout_s: float = 60.0) -> str:
        """The status of the answer to this, in words where there is none."""
        with self.sent(*parts, timeout_s=timeout_s) as connection:
            try:
                said = connection.recv(65536)
            except TimeoutError:
                return "no answer"
            except OSError:
                return "reset"
        found = re.match(rb"HTTP/1\.1 (\d+)", said)
        return found[1].decode() if found else "closed"

    def ask(self, *, stream: bool = False) -> str:
        return self.status(post(json.dumps({"model": "double/one", "stream": stream, "messages": []}).encode()))


def post(body: bytes, more: bytes = b"") -> bytes:
    return HEAD + more + b"content-length: %d\r\n\r\n" % len(body) + body


def _zeros(size: int, layers: int = 1) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    data = b"".join(packer.compress(bytes(_MIB)) for _ in range(size // _MIB)) + packer.flush()
    for _ in range(layers - 1):
        data = gzip.compress(data, 9)
    return data


def _packed(status: int, layers: int, content_type: str = "application/json") -> Script:
    coding = ", ".join(["gzip"] * layers)
    return reply(
        status, _zeros(600 * _MIB if layers > 1 else 400 * _MIB, layers), {"content-encoding": coding}, content_type
    )


Answer = Callable[[ReceivedRequest], Script]


@dataclass(frozen=True)
class HostileCase:
    what: str
    act: Callable[[Port], str]
    """Gives the outcome: the status that the last client gets, or what else it sees."""
    outcome: str
    most_mib: int
    answer: Callable[[], Answer] = lambda: good
    """What alpha says; beta is well."""
    files: int | None = None
    lists: bool = False
    """The gateway asks alpha for its models."""


@dataclass(frozen=True)
class Result:
    outcome: str
    peak_mib: float
    stall_ms: float
    cpu_ms: float
    """Spent within the longest stall."""


def _always(make: Callable[[], Script]) -> Callable[[], Answer]:
    def made() -> Answer:
        script = make()
        return lambda seen: script if seen.method == "POST" else good(seen)

    return made


def _swollen_list() -> Answer:
    script = _packed(200, 2)
    return lambda seen: script if seen.method == "GET" else good(seen)


def _wait_for_list(port: Port) -> str:
    time.sleep(6)  # what happens in the background is what is looked at
    return port.ask()


def _many_choices() -> Script:
    return reply(200, b'{"choices":[' + b"{}," * (19 * _MIB) + b"{}]}")


def _floats() -> Script:
    row = b"[" + b",".join([b"-0.0123456789"] * 1536) + b"]"
    rows = b",".join([b'{"object":"embedding","embedding":%b}' % row] * 1000)
    return reply(200, b'{"object":"list","data":[' + rows + b"]}")


def _many_members(port: Port) -> str:
    members = b",".join(b'"%d":1' % number for number in range(1_500_000))
    return port.status(post(b'{"model":"double/one","messages":[],' + members + b"}"))


def _one_member(port: Port) -> str:
    return port.status(post(b'{"model":"double/one","messages":[]' + b',"a":1' * 2_000_000 + b"}"))


def _odd_and_many(port: Port) -> str:
    return port.status(post(b'{"model":"double/one","x":NaN,"messages":[' + b"{}," * 10_000_000 + b"{}]}"))


def _large_and_good(port: Port) -> str:
    return port.status(
        post(b'{"model":"double/one","messages":[{"role":"user","content":"' + b"word " * 6_000_000 + b'"}]}')
    )


def _many_objects(port: Port) -> str:
    return port.status(post(b'{"model":"double/one","messages":[' + b"{}," * 10_000_000 + b"{}]}"))


def _large_bodies(port: Port) -> str:
    with contextlib.ExitStack() as stack:
        for _ in range(24):
            head = HEAD + b"content-length: 33000000\r\n\r\n"
            stack.enter_context(port.sent(head, b"[" * 32_000_000, timeout_s=10))
        return port.ask()


def _silent_crowd(port: Port) -> str:
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_connection(("127.0.0.1", port.number), timeout=5))
        time.sleep(0.5)
        return port.status(post(json.dumps({"model": "double/one", "messages": []}).encode()), timeout_s=5)


def _pipelined(port: Port) -> str:
    def write() -> None:
        with port.sent(GET * 2_000_000, timeout_s=8):
            pass

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return port.ask()


def _zipped_request(port: Port) -> str:
    return port.status(post(_zeros(512 * _MIB), b"content-encoding: gzip\r\n"))


def _marked_stream() -> Script:
    said = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
    return stream(said, *[b'data:{"error":0}\n\n' * 15_000] * 20, b"data: [DONE]\n\n")


def _read_stream(port: Port) -> str:
    with port.sent(post(b'{"model":"double/one","stream":true,"messages":[]}')) as connection:
        said = b""
        with contextlib.suppress(OSError):
            while data := connection.recv(1 << 20):
                said = (said + data)[-200:]
                if b"[DONE]" in said or b"0\r\n\r\n" in said[-5:]:
                    break
    return "ended"


_BAD = b'{"error":{"message":"bad words here","code":"content_filter"}}'
_EVENTS = "text/event-stream"

CASES = {
    "gzip-gzip": HostileCase(
        "an answer of 600 MiB in two layers", Port.ask, "200", 70, _always(lambda: _packed(200, 2))
    ),
    "gzip": HostileCase("an answer of 400 MiB in one layer", Port.ask, "200", 140, _always(lambda: _packed(200, 1))),
    "error": HostileCase("a 429 of 600 MiB in two layers", Port.ask, "200", 70, _always(lambda: _packed(429, 2))),
    "error-gzip": HostileCase("a 429 of 400 MiB in one layer", Port.ask, "200", 70, _always(lambda: _packed(429, 1))),
    "stream": HostileCase("a stream of 400 MiB", _read_stream, "ended", 80, _always(lambda: _packed(200, 1, _EVENTS))),
    "catalog": HostileCase(
        "a model list of 600 MiB in two layers", _wait_for_list, "200", 70, _swollen_list, lists=True
    ),
    "choices": HostileCase("an answer of 57 MiB, 20 million choices", Port.ask, "200", 220, _always(_many_choices)),
    "floats": HostileCase("an honest answer of 20 MiB, numbers", Port.ask, "200", 140, _always(_floats)),
    "members": HostileCase("a request with 1.5 million members", _many_members, "400", 120),
    "member": HostileCase("a request with one member two million times", _one_member, "400", 110),
    "odd": HostileCase("a request with NaN and 10 million objects", _odd_and_many, "400", 180),
    "refused": HostileCase(
        "10 million objects, refused upstream", _many_objects, "400", 180, _always(lambda: reply(400, _BAD))
    ),
    "large": HostileCase("an honest request of 30 MB", _large_and_good, "200", 220),
    "zipped": HostileCase("a request of 512 MiB, compressed", _zipped_request, "413", 130),
    "bodies": HostileCase("24 requests of 33 MB, each short of its end", _large_bodies, "200", 400),
    "crowd": HostileCase("400 silent connections, 256 files", _silent_crowd, "200", 80, files=256),
    "pipelined": HostileCase("8 clients that ask on and on and read nothing", _pipelined, "200", 80),
    "marks": HostileCase("a stream full of what may be errors", _read_stream, "ended", 80, _always(_marked_stream)),
}


def _play(case: HostileCase, folder: Path) -> Result:
    beats = folder / "beats"
    options = ["--lists"] if case.lists else []
    command: tuple[str, ...] = (sys.executable, str(Path(__file__).resolve()), "--serve", str(beats), *options)
    if case.files is not None:
        command = ("bash", "-c", f'ulimit -n {case.files} && exec "$@"', "bash", *command)
    with FakeUpstream(case.answer()) as alpha, FakeUpstream() as beta:
        bench = GatewayBench(folder / "home")
        bench.add("alpha", alpha)
        bench.add("beta", beta)
        with GatewayProcess(bench, command=command) as process:
            outcome = case.act(Port(process))
            time.sleep(3 * _SAVE_S)  # until the last beats are written down
            stall_s, cpu_s = json.loads(beats.read_text(encoding="utf-8"))
            status = Path(f"/proc/{process._process.pid}/status").read_text(encoding="utf-8")
            found = re.search(r"VmHWM:\s+(\d+) kB", status)
            assert found, "the gateway is gone"
            return Result(outcome, int(found[1]) / 1024, stall_s * 1000, cpu_s * 1000)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(CASES)}; all of them if none is named")
    parser.add_argument("--json", action="store_true", help="a line for each case, instead of the table")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--lists", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        _serve(given.serve, lists=given.lists)
        return 0
    if unknown := set(given.names).difference(CASES):
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    os.environ["FREERIDE_TELEMETRY"] = "off"
    if not given.json:
        print("| case | outcome | memory, MiB | stall, ms | CPU within it, ms |\n|---|---|---|---|---|")
    is_good = True
    for name in given.names or CASES:
        case = CASES[name]
        with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
            result = _play(case, Path(folder))
        is_good = is_good and result.outcome == case.outcome and result.peak_mib <= case.most_mib
        if given.json:
            print(json.dumps({"case": name, **dataclasses.asdict(result)}), flush=True)
        else:
            figures = f"{result.peak_mib:.0f} | {result.stall_ms:.0f} | {result.cpu_ms:.0f}"
            print(f"| {name}: {case.what} | {result.outcome} | {figures} |", flush=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
