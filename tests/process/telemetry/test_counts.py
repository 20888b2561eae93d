"""Telemetry: what is counted, when it is sent, and that nothing is sent before it was shown."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import stat
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import HANG, FakeUpstream, completion, plugins, provider, reply, until
from freeride_core import __version__
from freeride_core.answer import UpstreamRequest
from freeride_core.events.records import RequestComplete
from freeride_core.events.usage import usage_in_ending
from freeride_core.gateway.runtime import Gateway
from freeride_core.plugins.discovery import load_plugins
from freeride_core.settings.resolver import Settings, load_settings
from freeride_core.simulator import Simulator, SimulatorThread
from freeride_core.simulator.installed import installed_profile
from freeride_core.telemetry.beacon import SEND_EVERY_S, Beacon, disclose, payload_of, public_names
from freeride_core.telemetry.counts import Counts, keep_counts, read_counts
from programs import Program, clean_environ, post, run
from served_gateway import FREERIDE

FIELDS = {
    "installation_id",
    "version",
    "os",
    "tokens_served",
    "request_count",
    "providers_active",
    "uptime_hours",
}
ANSWER = json.dumps(completion()).encode()
USAGE = usage_in_ending(ANSWER)


@pytest.fixture
def endpoint() -> Iterator[FakeUpstream]:
    """Where the counts go; everything that reaches it is in `seen`."""
    with FakeUpstream(lambda _: reply(200, {})) as upstream:
        yield upstream


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def settings_with(home: Path, url: str = "http://127.0.0.1:9/", **environ: str) -> Settings:
    return load_settings({"FREERIDE_HOME": str(home), "FREERIDE_TELEMETRY_ENDPOINT": url, **environ})


def shown(settings: Settings, *names: str) -> str:
    """What stderr says of it."""
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        disclose(settings, names)
    return stderr.getvalue()


def payload_in(text: str) -> dict[str, Any]:
    found = re.search(r"^\{.*?\}$", text, re.DOTALL | re.MULTILINE)
    assert found is not None, text
    payload: dict[str, Any] = json.loads(found[0])
    return payload


class BeaconClock:
    """Seconds that pass when a test says so, and what a beacon posts meanwhile."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.now = 1000.0
        self.fault = fault
        self.posted: list[UpstreamRequest] = []
        self.beacon = Beacon(self._post, lambda: self.now)

    async def _post(self, request: UpstreamRequest) -> None:
        self.posted.append(request)
        if self.fault:
            raise self.fault

    def pass_(self, seconds: float, settings: Settings, *endings: bytes) -> None:
        self.now += seconds
        asyncio.run(self.beacon.beat(settings, lambda: ["groq"], list(map(usage_in_ending, endings))))

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.posted]


class TestBeacon:
    def test_nothing_is_sent_in_the_first_hour_and_then_what_was_shown(self, home: Path) -> None:
        settings = settings_with(home, "http://127.0.0.1:9/beacon")
        text = shown(settings, "groq")
        assert text.count("\n") == 3
        first = payload_in(text)
        clock = BeaconClock()
        for _ in range(3):
            clock.pass_(SEND_EVERY_S / 4, settings, ANSWER, b"")
        assert not clock.posted
        clock.pass_(SEND_EVERY_S / 4, settings)
        (request,), (payload,) = clock.posted, clock.payloads
        assert (request.method, request.url) == ("POST", "http://127.0.0.1:9/beacon")
        assert set(first) == set(payload) == FIELDS
        assert payload == first | {"tokens_served": 21, "request_count": 6, "uptime_hours": 1.0}
        assert (first["version"], first["providers_active"]) == (__version__, ["groq"])
        uuid.UUID(first["installation_id"])
        clock.pass_(SEND_EVERY_S - 1, settings)
        assert len(clock.posted) == 1
        clock.pass_(1, settings)
        assert clock.payloads[1] == payload | {"uptime_hours": 2.0}

    @pytest.mark.parametrize("environ", [{"DO_NOT_TRACK": "1"}, {"CI": "true"}, {"FREERIDE_TELEMETRY": "off"}])
    def test_whoever_said_no_is_neither_counted_nor_asked(self, home: Path, environ: Mapping[str, str]) -> None:
        settings = settings_with(home, **environ)
        assert shown(settings, "groq") == ""
        clock = BeaconClock()
        for _ in range(3):
            clock.pass_(SEND_EVERY_S, settings, ANSWER)
        clock.beacon.end(settings, [USAGE])
        assert not clock.posted
        assert not list(home.iterdir())

    def test_what_was_not_shown_is_shown_first_and_sent_an_hour_later(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings = settings_with(home)
        clock = BeaconClock()
        clock.pass_(SEND_EVERY_S, settings, ANSWER)
        assert not clock.posted
        assert payload_in(capsys.readouterr().err)["request_count"] == 1
        clock.pass_(SEND_EVERY_S, settings)
        assert len(clock.posted) == 1

    def test_what_could_not_be_shown_is_not_sent(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        closed = io.StringIO()
        closed.close()
        monkeypatch.setattr(sys, "stderr", closed)
        settings = settings_with(home)
        clock = BeaconClock()
        for _ in range(3):
            clock.pass_(SEND_EVERY_S, settings, ANSWER)
        assert not clock.posted
        assert read_counts(home).request_count == 3

    def test_a_whole_hour_passes_after_it_was_turned_on(self, home: Path) -> None:
        on, off = settings_with(home), settings_with(home, FREERIDE_TELEMETRY="off")
        shown(on)
        clock = BeaconClock()
        clock.pass_(SEND_EVERY_S * 5, off)
        clock.pass_(SEND_EVERY_S - 1, on)
        assert not clock.posted
        clock.pass_(1, on)
        assert clock.payloads[0]["uptime_hours"] == 1.0

    def test_where_it_cannot_be_noted_that_it_was_shown_nothing_is_sent(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(30, "Read-only file system")

        settings = settings_with(home)
        monkeypatch.setattr("freeride_core.telemetry.counts.write_atomically", refuse)
        assert "nothing will be sent" in shown(settings)
        clock = BeaconClock()
        for _ in range(3):
            clock.pass_(SEND_EVERY_S, settings, ANSWER)
        assert not clock.posted

    def test_a_disk_that_takes_nothing_is_not_tried_at_every_beat(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried: list[object] = []

        def refuse(*written: object) -> None:
            tried.append(written)
            raise OSError(28, "No space left on device")

        settings = settings_with(home)
        shown(settings)
        monkeypatch.setattr("freeride_core.telemetry.counts.write_atomically", refuse)
        clock = BeaconClock()
        clock.pass_(SEND_EVERY_S, settings, ANSWER)
        for _ in range(60):
            clock.pass_(1, settings)
        assert len(tried) == 1

    def test_a_save_that_goes_on_while_the_gateway_ends_counts_nothing_twice(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        is_saving, may_go_on = threading.Event(), threading.Event()

        def keep_slowly(where: Path, counts: Counts) -> None:
            keep_counts(where, counts)
            is_saving.set()
            may_go_on.wait(10)

        settings = settings_with(home)
        clock = BeaconClock()
        clock.beacon._count([USAGE])
        monkeypatch.setattr("freeride_core.telemetry.beacon.keep_counts", keep_slowly)
        save = threading.Thread(target=clock.beacon._save, args=(home,))
        end = threading.Thread(target=clock.beacon.end, args=(settings, []))
        save.start()
        assert is_saving.wait(10)
        end.start()
        end.join(0.3)  # it does not come so far before the save is over
        may_go_on.set()
        save.join()
        end.join()
        assert read_counts(home).request_count == 1

    def test_a_dead_endpoint_loses_no_count_and_is_tried_again_an_hour_later(self, home: Path) -> None:
        settings = settings_with(home)
        shown(settings)
        clock = BeaconClock(OSError("dead"))
        clock.pass_(SEND_EVERY_S, settings, ANSWER)
        clock.pass_(60, settings, ANSWER)
        assert len(clock.posted) == 1
        clock.pass_(SEND_EVERY_S - 60, settings)
        assert clock.payloads[1]["request_count"] == 2

    def test_counts_outlive_the_gateway_and_those_of_two_add_up(self, home: Path) -> None:
        settings = settings_with(home)
        shown(settings)
        one, other = BeaconClock(), BeaconClock()
        for clock in (one, other):
            clock.pass_(400, settings, ANSWER)
            clock.now += 50
            clock.beacon.end(settings, [USAGE])
        counts = read_counts(home)
        assert (counts.request_count, counts.tokens_served, counts.uptime_s) == (4, 28, 900.0)

    @pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
    def test_the_file_is_for_its_owner_only(self, home: Path) -> None:
        shown(settings_with(home))
        assert stat.S_IMODE((home / "telemetry.json").stat().st_mode) == 0o600


class TestInstallation:
    def test_an_older_version_s_id_stays_and_a_damaged_file_is_begun_anew(self, home: Path) -> None:
        home.mkdir()
        old = str(uuid.uuid4())
        (home / "installation_id").write_text(old + "\n")
        assert read_counts(home).installation_id == old
        (home / "installation_id").write_text("not one")
        for damaged in (b"{", b'{"installation_id": "\xff"}'):
            (home / "telemetry.json").write_bytes(damaged)
            counts = read_counts(home)
            assert str(uuid.UUID(counts.installation_id)) == counts.installation_id != old
            assert not counts.is_shown

    @pytest.mark.parametrize(
        ("answer", "is_on"), [('{"telemetry": false}', False), ('{"telemetry": true}', True), ("[", True)]
    )
    def test_a_no_to_an_older_version_is_still_a_no(self, home: Path, answer: str, is_on: bool) -> None:
        home.mkdir()
        (home / "config.json").write_text(answer)
        assert settings_with(home).telemetry is is_on
        (home / ".env").write_text("FREERIDE_TELEMETRY=on\n")
        assert settings_with(home).telemetry

    def test_no_name_but_those_of_shipped_providers_is_told(self) -> None:
        installed = load_plugins(("provider",))
        assert public_names(installed, ["groq", "secret_project"]) == ["groq", "other"]
        assert public_names(plugins(provider("alpha")), ["alpha"]) == ["other"]
        payload = payload_of(read_counts(Path("/nowhere")), ["other", "groq", "other"])
        assert payload["providers_active"] == ["groq", "other"]


async def running(settings: Settings, clock: BeaconClock | None, act: Callable[[Gateway], Any]) -> float:
    """Runs the background work of a gateway whose beacon has this clock, until `act` has returned; gives the seconds that the
    end of it took."""
    gateway = Gateway(settings, plugins(provider("alpha")))
    gateway.beacon = Beacon(gateway.post, (lambda: clock.now) if clock else time.monotonic)
    work = asyncio.create_task(gateway.run())
    await asyncio.to_thread(act, gateway)
    begun = time.monotonic()
    work.cancel()
    await asyncio.wait({work})
    await gateway.close()
    return time.monotonic() - begun


def note_answer(gateway: Gateway) -> None:
    gateway.events.note(RequestComplete(time.time(), "req_1", "alpha", "m", 1, 12, ANSWER))


class TestGateway:
    def test_it_counts_and_posts_over_a_socket(self, home: Path, endpoint: FakeUpstream) -> None:
        settings = settings_with(home, endpoint.url)
        shown(settings)
        clock = BeaconClock()

        def act(gateway: Gateway) -> None:
            note_answer(gateway)
            until(gateway.ledger.usage.today)
            clock.now += SEND_EVERY_S
            until(lambda: endpoint.posts, 20)

        asyncio.run(running(settings, clock, act))
        [seen] = endpoint.posts
        assert seen.headers["content-type"] == "application/json"
        assert seen.json == payload_of(read_counts(home), ["other"] * 0) | {"tokens_served": 7, "request_count": 1}
        assert "authorization" not in seen.headers

    @pytest.mark.parametrize("case", ["hangs", "refuses"])
    def test_nothing_waits_for_an_endpoint_that_is_dead(self, home: Path, endpoint: FakeUpstream, case: str) -> None:
        endpoint.answer = lambda _: [HANG]
        settings = settings_with(home, endpoint.url if case == "hangs" else "http://127.0.0.1:9/")
        shown(settings)
        clock = BeaconClock()

        def act(gateway: Gateway) -> None:
            clock.now += SEND_EVERY_S
            if case == "hangs":
                until(lambda: endpoint.posts, 20)
            note_answer(gateway)

        assert asyncio.run(running(settings, clock, act)) < 4
        assert read_counts(home).request_count == 1

    def test_a_user_who_said_no_is_not_counted(self, home: Path) -> None:
        settings = settings_with(home, FREERIDE_TELEMETRY="off")

        def act(gateway: Gateway) -> None:
            note_answer(gateway)
            until(gateway.ledger.usage.today)

        asyncio.run(running(settings, BeaconClock(), act))
        assert not (home / "telemetry.json").exists()


class TestCommands:
    """In processes of their own, whose endpoint is on this machine."""

    @pytest.fixture
    def environ(self, tmp_path: Path, endpoint: FakeUpstream) -> dict[str, str]:
        environ = clean_environ(tmp_path / "user", {"FREERIDE_TELEMETRY_ENDPOINT": endpoint.url})
        del environ["FREERIDE_TELEMETRY"], environ["DO_NOT_TRACK"]
        return environ

    def test_the_payload_is_shown_before_the_gateway_listens_once_and_counts_are_true(
        self, environ: dict[str, str], endpoint: FakeUpstream
    ) -> None:
        profile = installed_profile(load_plugins(("provider",)), "groq")
        serve = [*FREERIDE, "serve", "--port", "0"]
        ask = {"model": "auto", "messages": [{"role": "user", "content": "Hello?"}]}
        with SimulatorThread(Simulator(profile, quotas=False, pace=0)) as simulators:
            environ |= simulators.env
            with Program(serve, environ) as first:
                url = first.wait_for(r"listening on (http://\S+)$")
                shown, _, _ = first.output.partition("freeride gateway listening")
                payload = payload_in(shown)
                assert "telemetry is on" in shown
                assert endpoint.url in shown
                whole = post(f"{url}/v1/chat/completions", ask)
                stream = post(
                    f"{url}/v1/chat/completions", ask | {"stream": True, "stream_options": {"include_usage": True}}
                )
                refused = post(f"{url}/v1/chat/completions", {"model": "auto"})
            assert (whole.status_code, stream.status_code, refused.status_code) == (200, 200, 400)
            with Program(serve, environ) as second:
                second.wait_for(r"(listening on)")
                assert "telemetry" not in second.output
        usages = [
            whole.json()["usage"],
            json.loads(re.findall(r"data: (\{.*\"usage\": ?\{.*)", stream.text)[-1])["usage"],
        ]
        told = run([*FREERIDE, "telemetry"], environ)
        counted = payload_in(told.stdout)
        assert counted == payload | {
            "request_count": 2,
            "tokens_served": sum(usage["total_tokens"] for usage in usages),
        }
        assert not endpoint.seen

    def test_it_is_turned_off_and_on_again(self, environ: dict[str, str]) -> None:
        env_file = Path(environ["FREERIDE_HOME"]) / ".env"
        env_file.parent.mkdir()
        env_file.write_text("# mine\nGROQ_API_KEY=gsk_x  # first\n")
        off = run([*FREERIDE, "telemetry", "off"], environ)
        assert (off.returncode, off.stderr) == (0, "")
        assert off.stdout.startswith(f"telemetry is off (FREERIDE_TELEMETRY is set in {env_file.parent})\n")
        assert not (env_file.parent / "telemetry.json").exists()
        assert env_file.read_text() == "# mine\nGROQ_API_KEY=gsk_x  # first\nFREERIDE_TELEMETRY=off\n"
        on = run([*FREERIDE, "telemetry", "on"], environ)
        assert on.stdout.startswith("telemetry is on (")
        assert payload_in(on.stdout)["providers_active"] == ["groq"]
        assert read_counts(env_file.parent).is_shown
        again = run([*FREERIDE, "telemetry"], environ)
        assert payload_in(again.stdout) == payload_in(on.stdout)

    @pytest.mark.parametrize("switch", ["on", "off"])
    @pytest.mark.parametrize(
        ("name", "value", "stays"),
        [
            ("DO_NOT_TRACK", "1", "off"),
            ("CI", "1", "off"),
            ("FREERIDE_TELEMETRY", "off", "off"),
            ("FREERIDE_TELEMETRY", "on", "on"),
            ("FREERIDE_TELEMETRY", "", "on"),
        ],
    )
    def test_what_an_exported_variable_says_outranks_the_switch_and_is_named(
        self, environ: dict[str, str], name: str, value: str, stays: str, switch: str
    ) -> None:
        told = run([*FREERIDE, "telemetry", switch], environ | {name: value})
        if switch == stays:
            assert (told.returncode, told.stderr) == (0, "")
        else:
            assert told.returncode == 1
            assert told.stderr == f"freeride: telemetry stays {stays}: {name} is set in the environment; unset {name}\n"
        other = "off" if stays == "on" else "on"
        assert told.stdout.startswith(f"telemetry is {stays} ({name} is set in the environment)\n")
        assert told.stdout.endswith(f"to turn it {other}: unset {name}, then freeride telemetry {other}\n")

    def test_what_a_file_of_the_home_says_to_all_tools_is_to_be_taken_out_of_it(self, environ: dict[str, str]) -> None:
        home = Path(environ["FREERIDE_HOME"])
        home.mkdir()
        (home / ".env").write_text("DO_NOT_TRACK=1\n")
        told = run([*FREERIDE, "telemetry", "on"], environ)
        assert told.returncode == 1
        assert (
            told.stderr == f"freeride: telemetry stays off: DO_NOT_TRACK is set in {home}; remove DO_NOT_TRACK there\n"
        )
        assert told.stdout.endswith("to turn it on: remove DO_NOT_TRACK there, then freeride telemetry on\n")

    def test_as_json_it_shows_the_payload_and_counts_as_shown_to_nobody(self, environ: dict[str, str]) -> None:
        first, second = (json.loads(run([*FREERIDE, "telemetry", "--json"], environ).stdout) for _ in range(2))
        assert first == second
        assert set(first) == {"on", "reason", "endpoint", "payload"}
        assert (first["on"], first["reason"], first["endpoint"]) == (True, None, environ["FREERIDE_TELEMETRY_ENDPOINT"])
        assert set(first["payload"]) == FIELDS
        assert not read_counts(Path(environ["FREERIDE_HOME"])).is_shown
        off = run([*FREERIDE, "telemetry", "on", "--json"], environ | {"DO_NOT_TRACK": "1"})
        told = json.loads(off.stdout)
        assert (off.returncode, told["on"], told["reason"]) == (1, False, "DO_NOT_TRACK")
        assert told["payload"]["installation_id"] is None

    def test_another_word_is_refused(self, environ: dict[str, str]) -> None:
        told = run([*FREERIDE, "telemetry", "maybe"], environ)
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr.endswith("Error: Invalid value for 'switch': 'maybe' is not one of 'on', 'off'.\n")
