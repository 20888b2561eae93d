"""What a request costs beside nginx as a plain reverse proxy: `python -m uv run python tests/bench/beside_nginx.py`.

For Linux, with `nginx` and `wrk`. On one core are an nginx as upstream and wrk; on another, in turns, a second nginx and
`freeride serve`. A conversation of an agent goes to two routes of FreeRide's in turns: chat completions, and the Messages API.
Each round's ratio is of neighbouring turns; what is shown is the rounds' median. Exit status 1: something was not answered as
it should be, so the figures mean nothing; 2: something is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import groupby, product
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from fake_upstream import completion
from freeride_core.gateway.protocols.messages.request import parse_messages
from programs import Program, clean_environ, post
from served_gateway import FREERIDE

MODEL_ID = "openai/gpt-oss-120b"

_TEXT = 'the quick brown fox says "jump"\n to every café ' * 5
_TURN = {"role": "assistant", "content": _TEXT}
_SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
_TOOLS = [{"type": "function", "function": {"name": f"tool_{n}", "parameters": _SCHEMA}} for n in range(20)]
_CHAT, _MESSAGES = "/v1/chat/completions", "/v1/messages"
_NGINX_NAME, _OWN, _OWN_MESSAGES = "nginx", "freeride", "messages"


@dataclass(frozen=True)
class Workload:
    name: str
    connections: int
    turns: int
    """How long the conversation is."""
    tools: bool = False
    contenders: tuple[str, str] = (_NGINX_NAME, _OWN)
    """Names of the proxies that are compared: how much more the second costs than the first."""

    def body(self, route: str) -> dict[str, Any]:
        if _OWN_MESSAGES in self.contenders:
            return _agent_body(self.turns) if route == _MESSAGES else _as_chat(_agent_body(self.turns))
        more = {"tools": _TOOLS} if self.tools else {}
        return {"model": MODEL_ID, "messages": [{"role": "user", "content": "hi"}, *[_TURN] * self.turns], **more}


def _agent_body(turns: int) -> dict[str, Any]:
    """A conversation of an agent that speaks the Messages API: each turn reads a file of 1.4 KB."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": _TEXT * 3}]}]
    for number in range(turns):
        use = {"type": "tool_use", "id": f"toolu_{number}", "name": "tool_0", "input": {"path": f"/src/{number}.py"}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": _TEXT * 6}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": "I will look."}, use]})
        messages.append({"role": "user", "content": [result]})
    tools = [{"name": f"tool_{number}", "input_schema": _SCHEMA} for number in range(len(_TOOLS) if turns else 0)]
    return {"model": MODEL_ID, "max_tokens": 999, "messages": messages, "tools": tools}


def _as_chat(body: dict[str, Any]) -> dict[str, Any]:
    """The same for chat completions, as the gateway makes it."""
    chat: dict[str, Any] = json.loads(parse_messages(json.dumps(body).encode(), 0.0).call.body)
    return chat


WORKLOADS = (
    Workload("1 KB in, 1 KB out, 16 connections", connections=16, turns=3),
    Workload("200 KB in, 8 KB out, 8 connections", connections=8, turns=620, tools=True),
    Workload("1 KB in, 1 KB out, 16 connections", connections=16, turns=0, contenders=(_OWN, _OWN_MESSAGES)),
    Workload("200 KB in, 8 KB out, 8 connections", connections=8, turns=110, contenders=(_OWN, _OWN_MESSAGES)),
)

_NGINX = """
daemon off; worker_processes 1; pid "%(folder)s/%(name)s.pid"; error_log stderr notice; %(user)s
events { worker_connections 1024; }
http {
  access_log off; default_type application/json; keepalive_requests 1000000000;
  client_max_body_size 1m; client_body_buffer_size 1m;
  client_body_temp_path "%(folder)s/body-temp"; proxy_temp_path "%(folder)s/proxy-temp";
  fastcgi_temp_path "%(folder)s/fastcgi-temp"; uwsgi_temp_path "%(folder)s/uwsgi-temp"; scgi_temp_path "%(folder)s/scgi-temp";
  %(servers)s
}
"""
# `return` alone throws a body away in pieces of 4 KB, which slows who sends it; `mirror` reads it whole before there is found
# to be no such file. The long answer is put together, since a word of nginx's language ends at 4 KB.
_UPSTREAM = """
  map "" $part { default '%(part)s'; }
  map $content_length $text { default '%(text)s'; '~^[0-9]{6}' '$part$part$part$part'; }
  server {
    listen 127.0.0.1:%(good)d;
    location = /v1/chat/completions { mirror /nowhere; log_not_found off; error_page 404 405 = @answer; }
    location = /nowhere { return 204; }
    location @answer { return 200 '%(answer)s'; }
    location = /v1/models { return 200 '%(models)s'; }
    location = /count { stub_status; }
  }
"""
_PROXY = """
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
  upstream one { server 127.0.0.1:%(good)d max_fails=0; keepalive 64; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:%(single)d; location / { proxy_pass http://one; } }
"""
# A large body's memory is kept for the next: else half of nginx's time goes into giving it back and taking it anew.
_MALLOC = {"MALLOC_TRIM_THRESHOLD_": str(32 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
_LUA = """
wrk.method, wrk.body = "POST", io.open("%(body)s"):read("*a")
wrk.headers["content-type"] = "application/json"
function done(summary)
  local e = summary.errors
  io.stderr:write(string.format("%%d %%d", summary.requests, e.status + e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True)
class Proxy:
    name: str
    pid: int
    root: str
    route: str = _CHAT

    @property
    def url(self) -> str:
        return self.root + self.route


@dataclass(frozen=True)
class Turn:
    """What a proxy did under load."""

    requests: int
    bad: int
    asked: float
    """How often upstreams were asked, for each request."""
    cpu_us: float
    """For each request."""


class NginxBench:
    """An upstream with both proxies in front of it, until the stack is closed."""

    def __init__(self, programs: Mapping[str, str], folder: Path, stack: ExitStack) -> None:
        self._programs, self._folder, self._stack = programs, folder, stack
        self._environ = clean_environ(folder / "home")
        ports = dict(zip(("good", "single"), _free_ports(2), strict=True))
        roots = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self._count_url = f"{roots['good']}/count"
        models = json.dumps({"object": "list", "data": [{"id": MODEL_ID, "object": "model"}]})
        texts = {"answer": json.dumps(completion("$text")), "text": "word " * 150, "part": "word " * 400}
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:1])  # what is started inherits it
        self._start_nginx("upstream", _UPSTREAM % {**ports, **texts, "models": models})
        os.sched_setaffinity(0, cores[:2][-1:])
        nginx = Proxy(_NGINX_NAME, self._start_nginx("proxy", _PROXY % ports), roots["single"])
        own = self._start_freeride(roots["good"])
        self.proxies = {each.name: each for each in (nginx, own, replace(own, name=_OWN_MESSAGES, route=_MESSAGES))}
        os.sched_setaffinity(0, cores[:1])

    def check(self, proxy: Proxy, workload: Workload) -> None:
        """One request; AssertionError: it is not answered as it should be."""
        answer = post(proxy.url, workload.body(proxy.route))
        attempts = answer.headers.get("x-freeride-attempts")
        expected = None if proxy.name == _NGINX_NAME else "1"
        assert (answer.status_code, attempts) == (200, expected), f"{proxy}, {workload.name}: {answer} {answer.text}"

    def measure(self, proxy: Proxy, workload: Workload, seconds: int) -> Turn:
        body, script = self._folder / "body", self._folder / "wrk.lua"
        body.write_text(json.dumps(workload.body(proxy.route)))
        script.write_text(_LUA % {"body": body})
        command = [self._programs["wrk"], "-t1", f"-c{workload.connections}", f"-d{seconds}s", "-s", str(script)]
        asked, cpu_s = self._count(), _cpu_s(proxy.pid)
        ended = subprocess.run([*command, proxy.url], capture_output=True, text=True, check=True)
        cpu_s, asked = _cpu_s(proxy.pid) - cpu_s, self._count() - asked - 1  # asking for the count counts too
        requests, bad = map(int, ended.stderr.split())
        each = max(requests, 1)
        return Turn(requests, bad, round(asked / each, 6), round(cpu_s / each * 1e6, 1))

    def _start_nginx(self, name: str, servers: str) -> int:
        file = self._folder / f"{name}.conf"
        user = "user root;" if os.geteuid() == 0 else ""  # who else could not write into this folder
        file.write_text(_NGINX % {"folder": self._folder, "name": name, "user": user, "servers": servers})
        command = (self._programs["nginx"], "-p", self._folder, "-c", file)
        program = self._stack.enter_context(Program(command, self._environ | _MALLOC))
        program.wait_for(r"start worker process (\d+)")
        return program.pid

    def _start_freeride(self, good: str) -> Proxy:
        environ = {"GROQ_API_KEY": "gsk_" + "made0up0" * 6, "FREERIDE_GROQ_BASE_URL": f"{good}/v1"}
        environ |= {"FREERIDE_GROQ_LIMITS": "none", "FREERIDE_OPENROUTER_LIMITS": "none"}  # these upstreams have none
        command = (*FREERIDE, "serve", "--port", "0")
        program = self._stack.enter_context(Program(command, self._environ | environ))
        root = program.wait_for(r"listening on (http://127\.0\.0\.1:\d+)$")
        return Proxy(_OWN, program.pid, root)

    def _count(self) -> int:
        """How many requests have reached the upstreams."""
        return int(httpx.get(self._count_url, trust_env=False).text.split()[9])


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def _tree(pid: int) -> list[int]:
    """The process and all that it started."""
    children = [int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()]
    return [pid, *(below for child in children for below in _tree(child))]


def _cpu_s(pid: int) -> float:
    stats = [Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split() for each in _tree(pid)]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def _rss_mib(pid: int) -> float:
    pages = sum(int(Path(f"/proc/{each}/statm").read_text(encoding="utf-8").split()[1]) for each in _tree(pid))
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def run_in_turns(bench: NginxBench, rounds: int, seconds: int) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each workload, and the turns that went wrong."""
    rows, wrong = [], []
    for workload in WORKLOADS:
        proxies = [bench.proxies[name] for name in workload.contenders]
        turns: dict[str, list[Turn]] = {proxy.name: [] for proxy in proxies}
        for proxy in proxies:
            bench.check(proxy, workload)
        for number, proxy in product(range(1, rounds + 1), proxies):
            turn = bench.measure(proxy, workload, seconds)
            turns[proxy.name].append(turn)
            line = f"{workload.name}, round {number}, {proxy.name}: {turn}"
            print(line, file=sys.stderr, flush=True)
            is_off = abs(turn.asked - 1) * turn.requests > workload.connections + 10
            wrong += [line] if turn.bad or not turn.requests or is_off else []
        ratios = [own.cpu_us / max(its.cpu_us, 0.1) for its, own in zip(*turns.values(), strict=True)]
        medians = {name: statistics.median(turn.cpu_us for turn in each) for name, each in turns.items()}
        listed = {name: [asdict(turn) for turn in each] for name, each in turns.items()}
        rows.append({"workload": workload.name, "ratio": statistics.median(ratios), "cpu_us": medians, "turns": listed})
    return rows, wrong


def find_programs() -> dict[str, str]:
    """Where they are. SystemExit: one is missing, as a line on stderr says."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))  # where Debian has nginx, and few users look
    found = {name: place for name in ("nginx", "wrk") if (place := shutil.which(name, path=path))}
    missing = " and ".join(name for name in ("nginx", "wrk") if name not in found)
    if sys.platform != "linux" or missing:
        what = f"{missing} on PATH (Debian: apt install nginx wrk)" if sys.platform == "linux" else "Linux"
        print(f"beside_nginx: this needs {what}", file=sys.stderr)
        sys.exit(2)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of a turn; wrk knows only whole ones")
    parser.add_argument("--json", action="store_true", help="every turn, instead of the table")
    given = parser.parse_args()
    programs = find_programs()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped then as well
    with tempfile.TemporaryDirectory(prefix="beside-nginx-") as folder, ExitStack() as stack:
        bench = NginxBench(programs, Path(folder), stack)
        rows, wrong = run_in_turns(bench, given.rounds, given.seconds)
        rss_mib = _rss_mib(bench.proxies[_OWN].pid)
    if given.json:
        print(json.dumps({"workloads": rows, "rss_mib": rss_mib, "wrong": wrong}, indent=1))
    else:
        for contenders, listed in groupby(rows, lambda row: tuple(row["cpu_us"])):
            first, second = contenders
            print(f"\n| CPU a request | {first} | {second} | × {first} |\n|---|---|---|---|")
            for row in listed:
                base, own = row["cpu_us"].values()
                print(f"| {row['workload']} | {base:.0f} µs | {own:.0f} µs | {row['ratio']:.1f} |")
        print(f"\nThe gateway takes {rss_mib:.0f} MiB after this.")
    for line in wrong:
        print(f"beside_nginx: not answered as it should be: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
