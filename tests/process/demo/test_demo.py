"""`freeride demo` as a user runs it: the story, what stays up afterwards, and how it ends."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.demo.ask import Ask, Hop
from freeride_core.demo.environment import ProviderStatus
from freeride_core.demo.format import ASCII_SIGNS, Signs, lines, opening, row, signs_for, span, summary
from freeride_core.ledger.cooldowns import Cooldown
from programs import started
from repository import PROFILES

PROFILE = (PROFILES / "acme.toml").read_text("utf-8")
FAWN = PROFILE.replace('provider = "acme"', 'provider = "fawn"').replace("ACME_", "FAWN_")
MODULE = """
from freeride_core import About, CompatibleCatalog, CompatibleProvider, CompatibleWire, Credential, WholeCatalog, hookimpl
from freeride_core import ErrorKind, Midnight, Model, Rule

@hookimpl
def freeride_register_provider():
    return CompatibleProvider(
        api_version=1,
        name={name!r},
        rank={rank},
        about=About(title="Acme", homepage="https://acme.test", keys_url="https://acme.test/keys", free_day="all",
                    sign_up="none", data_use="none", source="made up", checked="2026-11-23"),
        credentials=(Credential(variable="{upper}_API_KEY", account_variable="{upper}_ACCOUNT_ID"),),
        base_url="https://acme.test/accounts/{{account}}/v1",
        free=WholeCatalog(),
        catalog=CompatibleCatalog(models=(Model(id={model!r}, canonical="large"),), checked="2026-11-23"),
        chat=CompatibleWire(path="/chat/completions", rules=(
            Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=429, text="daily cap", wait=Midnight()),
        )),
        embeddings=CompatibleWire(path="/embeddings"),
    )
"""
ONLY = """
import os, sys
from importlib import metadata
from importlib.metadata import EntryPoints
from freeride_core.cli import main
real = metadata.entry_points
def only(**asked):
    return EntryPoints(point for point in real(**asked) if point.name in os.environ["ONLY"].split(","))
metadata.entry_points = only
import freeride_core.plugins.discovery
freeride_core.plugins.discovery.entry_points = only
sys.argv[0] = "freeride"
main()
"""


def make_environ(tmp_path: Path) -> dict[str, str]:
    """A user's: a home that holds a key, and a folder for temporary files."""
    home = tmp_path / "home"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (home / ".freeride").mkdir(parents=True)
    (home / ".freeride" / ".env").write_text("GROQ_API_KEY=gsk_a-key-that-is-nobodys-business\n")
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"HOME": str(home), "USERPROFILE": str(home), "TMPDIR": str(temporary), "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return make_environ(tmp_path)


@pytest.fixture
def short(doubles: dict[str, str]) -> dict[str, str]:
    """One provider only: a story without waiting."""
    return doubles | {"ONLY": "acme"}


@pytest.fixture
def doubles(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment with three providers of no fame: `acme`, `bolt` and `crow`; `ONLY` says which are installed."""
    site = tmp_path / "site"
    for rank, name in enumerate(("acme", "bolt", "crow")):
        upper = name.upper()
        profile = PROFILE.replace('provider = "acme"', f'provider = "{name}"').replace("ACME_", f"{upper}_")
        install(site, name, module_of(name, rank), profile)
    return environ | {"PYTHONPATH": str(site), "ONLY": "acme,bolt,crow"}


def module_of(name: str, rank: int, model: str = "acme/large") -> str:
    return MODULE.format(name=name, rank=rank, model=model, upper=name.upper())


def install(site: Path, name: str, module: str, profile: str | None) -> None:
    package = site / f"freeride_provider_{name}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(module, "utf-8")
    if profile is not None:
        (package / "simulator.toml").write_text(profile, "utf-8")
    metadata = site / f"freeride_provider_{name}-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: freeride-provider-{name}\nVersion: 1\n", "utf-8")
    (metadata / "entry_points.txt").write_text(f"[freeride.providers]\n{name} = freeride_provider_{name}\n", "utf-8")


def command(environ: Mapping[str, str], *arguments: str) -> list[str]:
    start = ["-c", ONLY] if "ONLY" in environ else ["-m", "freeride_core"]
    return [sys.executable, *start, "demo", *arguments]


def run(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(environ, *arguments), env=dict(environ), capture_output=True, encoding="utf-8", timeout=60
    )


@contextmanager
def running(environ: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with started(command(environ, *arguments), environ) as process:
        yield process


def read_until(process: subprocess.Popen[str], pattern: str, timeout_s: float = 30.0) -> re.Match[str]:
    """The first line that fits."""
    watchdog = threading.Timer(timeout_s, process.kill)
    watchdog.start()
    seen = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            seen.append(line)
            if match := re.search(pattern, line):
                return match
    finally:
        watchdog.cancel()
    raise AssertionError(f"no line like {pattern!r} within {timeout_s} s: {''.join(seen)}")


def finish(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[str, str]:
    process.send_signal(number)
    output = process.communicate(timeout=15)
    assert process.returncode == 0, output
    return output


def told(ended: subprocess.CompletedProcess[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The asks and the total of `--json`."""
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    *asks, total = map(json.loads, ended.stdout.splitlines())
    return asks, total


# The story


Story = tuple[list[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """As all installed providers play it."""
    return told(run(make_environ(tmp_path_factory.mktemp("story")), "--once", "--json"))


def test_every_ask_is_answered_whatever_fails(story: Story) -> None:
    asks, total = story

    assert all(ask["status"] == 200 and ask["text"] for ask in asks)
    assert all(ask["attempts"] == len(ask["failures"]) + 1 for ask in asks)
    assert asks[0]["failures"] == []
    failures = [failure for ask in asks for failure in ask["failures"]]
    assert {"rate_limit", "quota_exhausted", "auth", "timeout", "network"} <= {failure["error"] for failure in failures}
    assert total == {"requests": len(asks), "answers": len(asks), "failures": len(failures), "url": None}
    assert len({ask["provider"] for ask in asks}) >= 4
    assert max(len(ask["failures"]) for ask in asks) >= 2


def test_the_first_provider_runs_out_rests_and_is_asked_again(story: Story) -> None:
    asks, _ = story

    first = asks[0]["provider"]
    refused = asks[1]["failures"]
    assert [(failure["provider"], failure["error"]) for failure in refused] == [(first, "rate_limit")]
    assert 0 < refused[0]["retry_after_s"] <= 3
    later = [failure for ask in asks[2:] for failure in ask["failures"] if failure["provider"] == first]
    assert "rate_limit" not in {failure["error"] for failure in later}
    assert first in {ask["provider"] for ask in asks[3:]}


def test_a_pipe_gets_plain_lines(environ: Mapping[str, str]) -> None:
    ended = run(environ, "--once")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\x1b" not in ended.stdout
    text = ended.stdout.splitlines()
    providers = next(line for line in text if line.startswith("Providers: ")).split(", ")
    assert len(providers) >= 5
    assert text[0].startswith(f"One endpoint over {len(providers)} free LLM tiers")
    asks = [line for line in text if line.startswith("you ")]
    assert all(re.search(r'▸ [\w-]+( \(key \d\))? ✓ \d+ ms  ".+"$', line) for line in asks)
    assert any("✗ rate limit, back in " in line for line in asks)
    assert f"{len(asks)} requests, {len(asks)} answers, " in ended.stdout


def test_an_encoding_without_signs_gets_letters(doubles: dict[str, str]) -> None:
    ended = run(doubles | {"PYTHONIOENCODING": "ascii", "ONLY": "acme,bolt"}, "--once")

    assert ended.returncode == 0
    assert "?" not in ended.stdout
    assert re.search(r"^you > [\w-]+ x rate limit, back in \d s > [\w-]+ ok \d+ ms", ended.stdout, re.MULTILINE)


@pytest.mark.parametrize("installed", ["acme", "acme,bolt", "acme,bolt,crow"])
def test_the_story_fits_the_providers_that_there_are(doubles: dict[str, str], installed: str) -> None:
    asks, total = told(run(doubles | {"ONLY": installed}, "--once", "--json"))

    names = installed.split(",")
    assert {ask["provider"] for ask in asks} == set(names)
    assert all(ask["status"] == 200 for ask in asks)
    assert total["answers"] == total["requests"] >= 3
    errors = {failure["error"] for ask in asks for failure in ask["failures"]}
    assert errors >= ({"auth"} if len(names) == 1 else {"auth", "rate_limit", "quota_exhausted"})


KEYLESS = """
provider = "dove"
checked = 2026-11-23
base_path = "/v1"
default_model = "acme/large"
[catalog]
path = "/v1/models"
body = '{"data":[{"id":"acme/large"}]}'
[never]
rate-limited = "it limits no rate"
[[case]]
name = "unknown-model"
status = 404
body = '{"error":{"message":"no such model"}}'
source = "made up"
confidence = "guess"
[[case]]
name = "server-error"
status = 500
body = '{"error":{"message":"sorry"}}'
source = "made up"
confidence = "guess"
"""


@pytest.mark.parametrize(("installed", "playing"), [("acme,dove", {"acme"}), ("dove", {"dove"})])
def test_a_server_of_the_users_own_plays_only_where_there_is_nobody_else(
    doubles: dict[str, str], installed: str, playing: set[str]
) -> None:
    module = re.sub(r"credentials=.*\n", "credentials=(),\n", module_of("dove", 9)).replace("accounts/{account}/", "")
    install(Path(doubles["PYTHONPATH"]), "dove", module, KEYLESS)
    asks, total = told(run(doubles | {"ONLY": installed}, "--once", "--json"))

    assert {ask["provider"] for ask in asks} == playing
    assert total["answers"] == total["requests"] >= 2


# What it leaves alone


def test_nothing_of_the_users_is_read_or_reached(environ: dict[str, str], tmp_path: Path) -> None:
    home = Path(environ["HOME"])
    before = sorted(home.rglob("*"))
    (home / ".freeride" / "config.toml").write_text("this is no TOML")
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}"
        names = ("http_proxy", "HTTP_PROXY", "all_proxy", "FREERIDE_GROQ_BASE_URL", "FREERIDE_TELEMETRY_ENDPOINT")
        theirs = dict.fromkeys(names, url) | {
            "GROQ_API_KEY": "gsk_another-key-that-is-nobodys-business",
            "FREERIDE_CONNECT_TIMEOUT": "nonsense",
            "FREERIDE_TOKEN": "a-token-that-agents-must-send",
        }
        asks, total = told(run(environ | theirs, "--once", "--json"))
        with pytest.raises(TimeoutError):
            trap.accept()

    assert total["answers"] == len(asks)
    assert sorted(path for path in home.rglob("*") if path.name != "config.toml") == before
    assert list(Path(environ["TMPDIR"]).glob("freeride*")) == []


# What stays


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(make_environ(tmp_path_factory.mktemp("lasting")), "--port", "0", "--fast") as process:
        yield read_until(process, r"OPENAI_API_BASE=(http://127\.0\.0\.1:\d+/v1)$")[1]
        finish(process)


def ask(url: str, **fields: Any) -> httpx.Response:
    body = {"model": "auto", "messages": [{"role": "user", "content": "What is the weather in Paris?"}]} | fields
    return httpx.post(f"{url}/chat/completions", json=body, headers={"authorization": "Bearer any"}, trust_env=False)


def test_agents_get_answers_from_all_providers_again(url: str) -> None:
    answer = ask(url)
    assert answer.status_code == 200
    assert answer.headers["x-freeride-attempts"] == "1"

    for name in ("openrouter", "groq", "nvidia", "cloudflare"):
        forced = httpx.post(
            f"{url}/chat/completions",
            json={"model": "auto", "messages": [{"role": "user", "content": "Hi"}]},
            headers={"x-freeride-force-provider": name},
            trust_env=False,
        )
        assert (forced.status_code, forced.headers["x-freeride-attempts"]) == (200, "1")
        assert name in forced.json()["choices"][0]["message"]["content"]

    assert httpx.get(f"{url.removesuffix('/v1')}/health", trust_env=False).json()["ok"] is True


def test_agents_get_streams_and_tool_calls(url: str) -> None:
    streamed = ask(url, stream=True)
    events = [line for line in streamed.text.splitlines() if line.startswith("data: ")]
    assert streamed.status_code == 200
    assert len(events) > 5
    assert events[-1] == "data: [DONE]"

    tool = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    called = ask(url, tools=[tool], tool_choice="required").json()["choices"][0]
    assert called["finish_reason"] == "tool_calls"
    assert called["message"]["tool_calls"][0]["function"]["name"] == "get_weather"
    assert json.loads(called["message"]["tool_calls"][0]["function"]["arguments"]) == {"city": "Paris"}


def test_agents_get_embeddings(url: str) -> None:
    listed = httpx.post(f"{url}/embeddings", json={"model": "auto", "input": "Hi"}, trust_env=False)
    assert listed.status_code == 400
    names = re.search(r"usable now: (.+)\.$", listed.json()["error"]["message"])
    assert names is not None

    answer = httpx.post(
        f"{url}/embeddings", json={"model": names[1].split(", ")[0], "input": ["Hi", "Ho"]}, trust_env=False
    )

    assert answer.status_code == 200
    assert [len(row["embedding"]) > 0 for row in answer.json()["data"]] == [True, True]


def test_a_burst_is_answered_for_long(url: str) -> None:
    """More than the first provider allows in a minute."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask(url), range(40)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["x-freeride-provider"] for answer in answers}) > 1


def test_each_request_of_an_agent_is_told(short: dict[str, str]) -> None:
    with running(short, "--port", "0", "--fast") as process:
        url = read_until(process, r"OPENAI_API_BASE=(\S+)")[1]
        answer = ask(url, stream=True)
        start = read_until(process, r"\] (req_\w+)  ▶ request model=auto stream")
        end = read_until(process, r"\] (req_\w+)  ■ complete via (\S+)")
        finish(process)

    assert start[1] == end[1]
    assert answer.headers["x-freeride-request-id"].startswith(start[1])
    assert answer.headers["x-freeride-provider"] == end[2]


def test_json_ends_with_the_url_and_it_serves(short: dict[str, str]) -> None:
    with running(short, "--port", "0", "--json") as process:
        total = json.loads(read_until(process, r'^\{"requests":.*')[0])
        assert ask(f"{total['url']}/v1").status_code == 200
        rest, errors = finish(process)

    assert (rest, errors) == ("", "")


# How it ends


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", [r"^you ", r"OPENAI_API_BASE"], ids=["within the story", "afterwards"])
def test_a_signal_stops_everything_quietly(short: dict[str, str], moment: str, number: int) -> None:
    with running(short, "--port", "0", "--fast") as process:
        read_until(process, moment)
        _, errors = finish(process, number)

    assert errors == ""
    assert list(Path(short["TMPDIR"]).glob("freeride*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent the POSIX way")
def test_a_stream_in_flight_does_not_hold_up_the_end(short: dict[str, str]) -> None:
    with running(short, "--port", "0", "--fast") as process:
        url = read_until(process, r"OPENAI_API_BASE=(\S+)")[1]
        words = " ".join(f"word{number}" for number in range(400))
        body = {
            "model": "auto",
            "stream": True,
            "messages": [
                {
                    "role": "user",
                    "content": f"Join these words with underscores and answer with only the result: {words}",
                }
            ],
        }
        with (
            httpx.Client(trust_env=False) as client,
            client.stream("POST", f"{url}/chat/completions", json=body) as answer,
        ):
            next(answer.iter_raw())
            begun = time.monotonic()
            finish(process)

    assert time.monotonic() - begun < 8


def test_a_taken_port_is_one_line(environ: Mapping[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(environ, "--port", str(port))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        f"freeride: Port {port} is used by another program. Stop it, or use --port {port + 1}."
    ]


def test_a_taken_port_does_not_matter_to_a_story_alone(short: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run(short, "--once", "--port", str(taken.getsockname()[1]))

    assert (ended.returncode, ended.stderr) == (0, "")


def test_without_a_provider_it_says_what_to_install(environ: dict[str, str]) -> None:
    ended = run(environ | {"ONLY": "none"}, "--once")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        "freeride: no usable provider is installed; the usual ones come with: pip install freeride-gateway"
    ]


def test_what_cannot_be_simulated_is_left_out(doubles: dict[str, str]) -> None:
    site = Path(doubles["PYTHONPATH"])
    install(site, "dusk", module_of("dusk", 0), None)
    install(site, "echo", "raise ImportError('half installed')", PROFILE)
    install(site, "fawn", module_of("fawn", 0, model="retired/model"), FAWN)

    ended = run(doubles | {"ONLY": "acme,dusk,echo,fawn"}, "--once", "--json")
    alone = run(doubles | {"ONLY": "dusk"}, "--once")

    assert ended.returncode == 0
    assert {json.loads(line).get("provider", "acme") for line in ended.stdout.splitlines()} == {"acme"}
    assert sorted(line.split("'")[1] for line in ended.stderr.splitlines()) == ["dusk", "echo"]
    assert (alone.returncode, alone.stdout) == (1, "")
    assert alone.stderr.splitlines()[-1].startswith("freeride: no installed provider can be simulated")


def test_a_profile_whose_model_the_package_does_not_know_is_no_crash(doubles: dict[str, str]) -> None:
    install(Path(doubles["PYTHONPATH"]), "fawn", module_of("fawn", 0, model="retired/model"), FAWN)

    ended = run(doubles | {"ONLY": "fawn"}, "--once", "--json")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == ["freeride: no simulated provider serves its profile's default_model: fawn"]


# On a terminal


def play(environ: Mapping[str, str], columns: int, *arguments: str, rows: int = 24) -> str:
    """What `freeride demo` writes to a terminal of this size."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    words = command(environ, "--once", "--fast", *arguments)
    with started(words, environ, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        written = b""
        deadline = time.monotonic() + 60
        try:
            while time.monotonic() < deadline:
                if not select.select([ours], [], [], 0.5)[0]:
                    continue
                try:
                    data = os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
                if not data:
                    break
                written += data
        finally:
            os.close(ours)
        code = process.wait(10)
    assert code == 0, written
    return written.decode()


on_posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")


@on_posix
def test_a_terminal_shows_the_board_in_colours_and_takes_it_away(environ: dict[str, str]) -> None:
    text = play(environ | {"TERM": "xterm-256color"}, 100)

    assert "\x1b[32m●" in text
    assert re.search(r"cooling \d s", text)
    assert re.search(r"down \d+ s", text)
    assert text.index("\x1b[?25l") < text.rindex("\x1b[?25h")
    assert "●" not in text[text.rindex("answers, ") :]


@on_posix
def test_no_color_is_respected(short: dict[str, str]) -> None:
    text = play(short | {"TERM": "xterm-256color", "NO_COLOR": "1"}, 80)

    assert "●" in text
    assert not re.search(r"\x1b\[(?:\d+;)*(?:3|4|9|10)\d(?:;\d+)*m", text)


@on_posix
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(short: dict[str, str]) -> None:
    text = play(short | {"TERM": "dumb"}, 80)

    assert "\x1b" not in text
    assert "you ▸ " in text


@on_posix
def test_no_line_is_wider_than_a_narrow_terminal(environ: dict[str, str]) -> None:
    text = play(environ | {"TERM": "xterm-256color"}, 46, rows=20)

    plain = re.sub(r"\x1b\[\d*[A-K]", "\n", text)  # the cursor moves to where another line begins
    plain = re.sub(r"\x1b\[[?\d;]*[a-z]", "", plain)
    assert max(len(line) for line in re.split(r"[\r\n]", plain)) <= 46
    assert "you ▸" in plain


# Words


SIGNS = Signs()
FAILED = [Hop("acme", 0, "RATE_LIMIT", 12, 37), Hop("bolt", 1, "TIMEOUT", 702, 30)]


def written(ask: Ask, signs: Signs = SIGNS, width: int = 1000) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines(ask, signs, width))


def answered(text: str, *hops: Hop, stream: bool = False) -> Ask:
    return Ask(1, stream, [*hops, Hop("crow", 0, "OK", 41)], text, 200, is_over=True)


def test_a_line_tells_who_was_asked_and_how_that_went() -> None:
    assert written(answered("Hello\n there.", *FAILED)) == (
        'you ▸ acme ✗ rate limit, back in 37 s ▸ bolt (key 2) ✗ silent for 0.7 s ▸ crow ✓ 41 ms  "Hello  there."'
    )


def test_a_line_grows_with_what_is_known() -> None:
    ask = Ask(1)
    seen = [written(ask)]
    for event in (
        {"type": "request_start"},
        {"type": "provider_attempt", "provider": "acme", "key_index": 0},
        {"type": "provider_response", "status": "AUTH", "duration_ms": 5},
        {"type": "provider_attempt", "provider": "bolt", "key_index": 0},
        {"type": "provider_response", "status": "OK", "duration_ms": 6},
        {"type": "request_complete"},
    ):
        ask.note({"request_id": "req_1"} | event)
        ask.note({"request_id": "req_2"} | event)
        seen.append(written(ask))

    assert seen == [
        "you …",
        "you …",
        "you ▸ acme …",
        "you ▸ acme ✗ key rejected …",
        "you ▸ acme ✗ key rejected ▸ bolt …",
        "you ▸ acme ✗ key rejected ▸ bolt ✓ 6 ms",
        "you ▸ acme ✗ key rejected ▸ bolt ✓ 6 ms",
    ]
    assert ask.is_told


def test_no_answer_is_not_dressed_up() -> None:
    ask = Ask(1, hops=FAILED[:1], text="All cool.", status=503, is_over=True)

    assert written(ask) == 'you ▸ acme ✗ rate limit, back in 37 s  ✗ no answer: "All cool."'
    assert summary([ask]) == "1 request, 0 answers, 1 failure you never saw."


@given(st.text(max_size=200), st.integers(44, 120), st.booleans(), st.sampled_from([Signs(), ASCII_SIGNS]))
def test_lines_fit_into_the_terminal(text: str, width: int, stream: bool, signs: Signs) -> None:
    shown = written(answered(text, *FAILED, stream=stream), signs, width)

    assert max(map(len, shown.split("\n"))) <= width
    assert shown.startswith("you ")


@given(st.lists(st.sampled_from(["a", "word", "longerword"]), min_size=1, max_size=30), st.integers(44, 120))
def test_a_stream_is_shown_to_its_last_word(words: Sequence[str], width: int) -> None:
    shown = written(answered(" ".join(words), stream=True), width=width)

    assert " ".join(shown.split('"')[1].split()) == " ".join(words)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (37, "37 s"), (86.4, "87 s"), (100, "100 s"), (101, "2 min"), (6001, "2 h"), (86400, "24 h")],
)
def test_spans_are_rounded_up(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("kind", "is_outage", "shown"),
    [
        ("rate_limit", False, ("cooling 37 s", "rate limit")),
        ("auth", False, ("cooling 37 s", "key rejected")),
        ("network", True, ("down 37 s", "no connection")),
        ("of_tomorrow", False, ("cooling 37 s", "of tomorrow")),
    ],
)
def test_a_row_tells_what_keeps_a_provider_away(kind: str, is_outage: bool, shown: tuple[str, str]) -> None:
    state, _, reason = row(ProviderStatus("acme", Cooldown(kind, 1036.5, 1, 1000, is_outage)), 1000)

    assert (state, reason) == shown
    assert row(ProviderStatus("acme"), 1000)[0] == "ready"


def test_signs_are_those_that_the_terminal_has() -> None:
    assert signs_for("utf-8") == Signs()
    assert signs_for("cp437") == signs_for("ascii") == signs_for("no-such-encoding") == ASCII_SIGNS


def test_one_is_not_many() -> None:
    assert opening(1)[0].startswith("One endpoint over 1 free LLM tier:")
    assert opening(5)[0].startswith("One endpoint over 5 free LLM tiers:")
