from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.events.log import JsonlSink, backup_of
from freeride_core.events.records import Event
from freeride_core.events.rendering import render

DEADLINE_S = 30.0
T0 = 1795444981.412  # 11:13:01.412 in the zone below
RID = "req_a3f8e2c1"
ANSI = re.compile(r"\x1b\[\d+m")


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "NST3:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def event(name: str, after_s: float = 0, **fields: Any) -> Event:
    return {"ts": round(T0 + after_s, 3), "type": name, "request_id": RID, **fields}


WALK = [
    event("request_start", model="openrouter/free", stream=True, operation="chat.completions"),
    event("provider_attempt", 0.009, provider="openrouter", key_index=0, model="openrouter/free"),
    event(
        "provider_response",
        0.421,
        provider="openrouter",
        key_index=0,
        model="openrouter/free",
        duration_ms=412,
        status="RATE_LIMIT",
        retry_after_s=47,
    ),
    event("provider_attempt", 0.423, provider="groq", key_index=0, model="openai/gpt-oss-120b"),
    event(
        "provider_response",
        0.741,
        provider="groq",
        key_index=0,
        model="openai/gpt-oss-120b",
        duration_ms=318,
        status="OK",
        first_chunk=True,
    ),
    event("request_complete", 0.742, provider="groq", model="openai/gpt-oss-120b", attempts=2, duration_ms=742),
]
SHOWN = """\
[11:13:01.412] req_a3f8e2c1  ▶ request model=openrouter/free stream
[11:13:01.421] req_a3f8e2c1  → openrouter[k0] openrouter/free
[11:13:01.833] req_a3f8e2c1  ← openrouter[k0] 412ms RATE_LIMIT ✗ (retry-after 47s)
[11:13:01.835] req_a3f8e2c1  → groq[k0] openai/gpt-oss-120b
[11:13:02.153] req_a3f8e2c1  ← groq[k0] 318ms OK ✓ first-chunk
[11:13:02.154] req_a3f8e2c1  ■ complete via groq
"""


# ---- the lines


def test_a_walk_reads_as_the_contract_shows_it() -> None:
    assert "".join(render(one) + "\n" for one in WALK) == SHOWN


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ("▶ request model=m", event("request_start", model="m", stream=False)),
        ("▶ request messages model=m", event("request_start", model="m", stream=False, protocol="messages")),
        ("✗ failed all_upstreams_failed tried=[a,b]", event("request_failed", code="all_upstreams_failed", tried="ab")),
        ("… waits 2.2 s for groq", event("request_wait", provider="groq", wait_s=2.2)),
        ("… waits 0.0 s for a\\nb", event("request_wait", provider="a\nb", wait_s=0)),
        ("✗ failed client_gone", event("request_failed", code="client_gone")),
        ("✗ failed no_usable_keys tried=[]", event("request_failed", code="no_usable_keys", tried=[])),
        (
            "~ mid-stream error via groq (UNAVAILABLE)",
            event("request_mid_stream_error", provider="groq", model="m", kind="unavailable"),
        ),
        (
            "← a[k2] 12ms QUOTA_EXHAUSTED ✗ (retry-after 8s)",
            event(
                "provider_response",
                provider="a",
                key_index=2,
                duration_ms=12.4,
                status="quota_exhausted",
                retry_after_s=7.2,
            ),
        ),
        (
            "← a[k0] 1ms AUTH ✗ (retry-after 0s)",
            event("provider_response", provider="a", key_index=0, duration_ms=1, status="AUTH", retry_after_s=0),
        ),
    ],
)
def test_each_event_has_its_line(shown: str, told: Event) -> None:
    assert render(told) == f"[11:13:01.412] req_a3f8e2c1  {shown}"


@pytest.mark.parametrize(
    "strange",
    [
        event("brand_new", n=1),
        event("provider_attempt", provider="a"),
        event("provider_response", provider="a", key_index=0, duration_ms="soon", status="OK"),
        event("request_failed", phase="no_providers", tried=None),
        event("request_wait", provider="a", wait_s="long"),
    ],
)
def test_what_is_not_known_is_shown_as_it_is(strange: Event) -> None:
    assert render(strange) == f"[11:13:01.412] req_a3f8e2c1  {json.dumps(strange, separators=(',', ':'))}"


def test_an_event_of_no_request_and_of_no_time_is_shown_too() -> None:
    lost = {"ts": T0, "type": "events_dropped", "request_id": "", "dropped": 7}
    assert render(lost) == f"[11:13:01.412]  {json.dumps(lost, separators=(',', ':'))}"
    assert render({"ts": "yesterday", "type": "x"}) == '[--:--:--.---]  {"ts":"yesterday","type":"x"}'


def test_colours_change_nothing_but_the_colour() -> None:
    for one in WALK:
        coloured = render(one, color=True)
        assert ANSI.sub("", coloured) == render(one)
        assert ANSI.search(coloured)
    assert "\x1b[33mRATE_LIMIT ✗\x1b[0m" in render(WALK[2], color=True)
    assert "\x1b[32mOK ✓\x1b[0m" in render(WALK[4], color=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TYPES = ["request_start", "provider_attempt", "provider_response", "request_complete", "request_failed"]
FIELDS = [
    "ts",
    "request_id",
    "model",
    "provider",
    "key_index",
    "duration_ms",
    "status",
    "retry_after_s",
    "code",
    "tried",
    "kind",
]


@given(
    kind=st.sampled_from([*TYPES, "request_mid_stream_error", "other"]),
    fields=st.dictionaries(st.sampled_from(FIELDS), JSON),
)
def test_whatever_an_event_holds_it_is_one_line_that_moves_no_cursor(kind: str, fields: dict[str, Any]) -> None:
    assert render({**fields, "type": kind}).isprintable()


def test_a_model_name_cannot_write_on_the_terminal() -> None:
    line = render(event("request_start", model="a\x1b[2J\nb\u202ec\ud800"))
    assert line.endswith(r"▶ request model=a\x1b[2J\nb\u202ec\ud800")


# ---- the command


class Watch:
    """`freeride watch` in a process of its own, as a user runs it."""

    def __init__(self, home: Path, *arguments: str, stdout: int | IO[bytes] | None = None, **variables: str) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("FREERIDE_")}
        environ.pop("NO_COLOR", None)
        environ |= {"FREERIDE_HOME": str(home), "HOME": str(home), "PYTHONUTF8": "1", **variables}
        home.mkdir(exist_ok=True)
        self._out, self._err = home / "out.txt", home / "err.txt"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "freeride_core", "watch", *arguments],
                env=environ,
                stdout=stdout or out,
                stderr=err,
                cwd=home,
            )

    def __enter__(self) -> Watch:
        try:
            self.wait_until(lambda: "Ctrl-C" in self.stderr or self.process.poll() is not None)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def stdout(self) -> str:
        return self._out.read_text("utf-8")

    @property
    def stderr(self) -> str:
        return self._err.read_text("utf-8")

    def wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < deadline, (self.stdout, self.stderr)
            time.sleep(0.01)

    def wait_for_lines(self, number: int) -> list[str]:
        self.wait_until(lambda: self.stdout.count("\n") >= number)
        return self.stdout.splitlines()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def log(home: Path) -> Path:
    return home / "events.jsonl"


def test_watch_shows_what_comes_from_now_on_without_colours_in_a_pipe(home: Path, log: Path) -> None:
    JsonlSink(log).write([event("request_start", model="before")])
    with Watch(home) as watch:
        JsonlSink(log).write(WALK)
        watch.wait_for_lines(6)
        assert watch.stdout == SHOWN
        assert watch.stderr == f"watching {log}  (Ctrl-C to stop)\n"


def test_watch_starts_before_there_is_a_log(home: Path, log: Path) -> None:
    with Watch(home) as watch:
        assert not log.exists()
        JsonlSink(log).write(WALK)
        watch.wait_for_lines(6)
        assert watch.stdout == SHOWN


def test_watch_since_start_shows_backup_and_log_and_goes_on(home: Path, log: Path) -> None:
    sink = JsonlSink(log, limit_bytes=500)
    for one in WALK:
        sink.write([one])
    assert backup_of(log).exists()
    with Watch(home, "--since-start") as watch:
        watch.wait_for_lines(6)
        sink.write(WALK)
        watch.wait_for_lines(12)
        assert watch.stdout == SHOWN * 2


def test_watch_json_prints_the_lines_as_they_are_and_no_torn_ones(home: Path, log: Path) -> None:
    lines = [b'{"ts":1.0,  "type":"x","model":"\xc3\xa9"}\n', b'{"ts":1.0,"ty\n', b"[1]\n", b"\xff\n", b'{"n":2}\n']
    with Watch(home, "--json") as watch:
        log.write_bytes(b"".join(lines))
        watch.wait_for_lines(2)
        assert watch.stdout.encode() == lines[0] + lines[4]


def test_watch_shows_every_event_once_while_the_log_rotates(home: Path, log: Path) -> None:
    # At most one rotation before the watcher is known to have seen all that came before.
    with Watch(home, "--json") as watch:
        sink = JsonlSink(log, limit_bytes=8000)
        for batch in range(10):
            sink.write([event("t", n=batch * 100 + n) for n in range(100)])
            watch.wait_for_lines(batch * 100 + 100)
        assert [json.loads(line)["n"] for line in watch.stdout.splitlines()] == list(range(1000))
        assert backup_of(log).exists()


def test_ctrl_c_ends_watch_without_a_word(home: Path) -> None:
    with Watch(home) as watch:
        watch.process.send_signal(signal.SIGINT)
        assert watch.process.wait(DEADLINE_S) == 0
        assert watch.stderr.count("\n") == 1
        assert watch.stdout == ""


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_reader_that_leaves_ends_watch_quietly(home: Path, log: Path, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    with Watch(home, *arguments, stdout=writer) as watch:
        os.close(writer)
        JsonlSink(log).write(WALK[:1])
        assert os.read(reader, 10)
        os.close(reader)
        JsonlSink(log).write(WALK)
        assert watch.process.wait(DEADLINE_S) == 0
        assert watch.stderr.count("\n") == 1, watch.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("arguments", "variables", "coloured"),
    [((), {}, True), (("--no-color",), {}, False), ((), {"NO_COLOR": "1"}, False), ((), {"NO_COLOR": ""}, True)],
)
def test_watch_has_colours_on_a_terminal_only(
    home: Path, log: Path, arguments: tuple[str, ...], variables: dict[str, str], coloured: bool
) -> None:
    terminal, end = os.openpty()
    with Watch(home, *arguments, stdout=end, **variables) as watch:
        JsonlSink(log).write(WALK)
        seen = b""
        while seen.count(b"\n") < 6:
            seen += os.read(terminal, 65536)
        assert watch.process.poll() is None
    os.close(terminal)
    os.close(end)
    text = seen.decode().replace("\r\n", "\n")
    assert ANSI.sub("", text) == SHOWN
    assert (ANSI.search(text) is not None) is coloured


def test_watch_follows_the_path_of_the_settings(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "log"
    with Watch(home, FREERIDE_EVENTS_PATH=str(elsewhere)) as watch:
        JsonlSink(elsewhere).write(WALK)
        watch.wait_for_lines(6)
        assert str(elsewhere) in watch.stderr


def test_watch_says_when_nothing_will_come(home: Path) -> None:
    with Watch(home, FREERIDE_EVENTS="0") as watch:
        watch.wait_until(lambda: watch.stderr.count("\n") == 2)
        assert "FREERIDE_EVENTS" in watch.stderr


def test_a_terminal_without_the_glyphs_gets_question_marks(home: Path, log: Path) -> None:
    with Watch(home, PYTHONUTF8="0", PYTHONIOENCODING="cp1252") as watch:
        JsonlSink(log).write(WALK[:1])
        assert watch.wait_for_lines(1) == ["[11:13:01.412] req_a3f8e2c1  ? request model=openrouter/free stream"]


def test_a_log_that_cannot_be_read_is_one_clear_line(home: Path, log: Path) -> None:
    log.mkdir(parents=True)
    with Watch(home) as watch:
        assert watch.process.wait(DEADLINE_S) == 1
        assert watch.stderr.count("\n") == 1
        assert str(log) in watch.stderr


def test_a_bad_setting_is_one_clear_line(home: Path) -> None:
    with Watch(home, FREERIDE_CONNECT_TIMEOUT="soon") as watch:
        assert watch.process.wait(DEADLINE_S) == 1
        assert watch.stderr.startswith("freeride: FREERIDE_CONNECT_TIMEOUT is not a number")
        assert watch.stderr.count("\n") == 1
