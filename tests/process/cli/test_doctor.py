"""`freeride doctor`: what it finds, and that it is true."""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_upstream import FakeUpstream, reply, until
from freeride_core.cli.checks.machine import check_localhost
from freeride_core.plugins.discovery import load_plugins
from freeride_core.settings.resolver import load_settings
from freeride_core.simulator import Simulator, SimulatorThread
from freeride_core.simulator.installed import installed_profile
from programs import clean_environ, run, serving
from served_gateway import FREERIDE

Report = dict[str, list[tuple[str, str]]]


@pytest.fixture
def simulators() -> Iterator[SimulatorThread]:
    profile = installed_profile(load_plugins(("provider",)), "groq")
    with SimulatorThread(Simulator(profile, quotas=False, pace=0)) as thread:
        yield thread


@pytest.fixture
def environ(simulators: SimulatorThread, tmp_path: Path) -> dict[str, str]:
    """A user's with one key, who works in a folder of its own."""
    return clean_environ(tmp_path / "user", simulators.env)


@pytest.fixture
def url() -> str:
    """An address where nobody is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def examine(environ: Mapping[str, str], url: str, *options: str, code: int = 0) -> Report:
    """What it says, by subject, each with its state; and that it ends as a script expects."""
    home = Path(environ["HOME"])
    ended = run([*FREERIDE, "doctor", "--url", url, "--json", *options], environ, cwd=home)
    findings: list[dict[str, Any]] = json.loads(ended.stdout)
    report: Report = {}
    for finding in findings:
        report.setdefault(finding["subject"], []).append((finding["state"], finding["text"]))
    assert ended.returncode == code, report
    assert environ.get("GROQ_API_KEY", "nothing") not in ended.stdout
    return report


def only(report: Report, subject: str) -> tuple[str, str]:
    [finding] = report[subject]
    return finding


def test_all_is_well_without_a_gateway_and_no_quota_is_spent(
    environ: dict[str, str], url: str, simulators: SimulatorThread
) -> None:
    report = examine(environ, url)
    assert set(report) == {
        "program",
        "home",
        "state",
        "port",
        "localhost",
        "plugins",
        "keys",
        "reach",
        "agents",
    }
    assert only(report, "port")[1].endswith("is free; start the gateway with: freeride serve")
    assert only(report, "keys") == ("ok", "groq: 1 usable")
    assert only(report, "reach")[0] == "ok"
    assert only(report, "agents") == ("ok", "no agent is bound; `freeride bind` lists those that can be bound")
    assert [seen.method for simulator in simulators.simulators for seen in simulator.requests] == ["HEAD"]
    assert not [seen.key for simulator in simulators.simulators for seen in simulator.requests if seen.key]


def test_people_get_a_line_for_each_finding(environ: dict[str, str], url: str) -> None:
    ended = run([*FREERIDE, "doctor", "--url", url], environ | {"GROQ_API_KEY": ""}, cwd=Path(environ["HOME"]))
    assert ended.returncode == 1
    assert "BROKEN  keys       no provider has a key: freeride init" in ended.stdout.splitlines()


def test_a_bound_agent_is_proven_to_reach_this_gateway(environ: dict[str, str]) -> None:
    home = Path(environ["HOME"])
    with serving(FREERIDE, environ) as url:
        for agent in ("aider", "continue"):
            assert run([*FREERIDE, "bind", agent, "--url", url], environ, cwd=home).returncode == 0
        report = examine(environ, url)
        assert only(report, "port")[1] == f"your gateway answers at {url}; providers: groq"
        assert [state for state, _ in report["agents"]] == ["ok", "ok"]
        assert all(f"asks your gateway at {url} for auto" in text for _, text in report["agents"])

        config = home / ".aider.conf.yml"
        config.write_text(config.read_text().replace("openai/auto", "openai/no-such-model"))
        report = examine(environ, url, code=1)
        assert report["agents"][0][0] == "broken"
        assert "does not know no-such-model" in report["agents"][0][1]

        config.write_text(config.read_text().replace(url, "http://127.0.0.1:9"))
        report = examine(environ, url, code=1)
        assert "was bound and points elsewhere now: freeride bind aider" in report["agents"][0][1]

        report = examine(environ | {"FREERIDE_HOME": str(home / "other")}, url, code=1)
        assert f"is not the gateway of {home / 'other'}" in only(report, "port")[1]
        assert [state for state, _ in report["agents"]] == ["broken"]

    report = examine(environ, url, code=1)
    assert ("warning", True) in [(state, "The gateway is not running at" in text) for state, text in report["agents"]]


def test_it_says_whether_a_bound_agent_has_asked(environ: dict[str, str]) -> None:
    home = Path(environ["HOME"])
    shared, unnamed, own = "aider", "continue", "qwen"  # in the order of the report

    def ask(user_agent: str) -> None:
        question = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
        headers = {"user-agent": user_agent}
        answer = httpx.post(f"{gateway}/v1/chat/completions", json=question, headers=headers, trust_env=False)
        assert answer.status_code == 200

    def said() -> list[str]:
        return [text.rpartition("; ")[2] for _, text in examine(environ, gateway)["agents"]]

    log = home / ".freeride" / "events.jsonl"
    with serving(FREERIDE, environ) as gateway:
        ask("QwenCode/0.24.4 (linux; x64) gsk_a-key-that-stands-here")
        until(lambda: log.exists() and '"client":"QwenCode/0.24.4"' in log.read_text())
        for agent in (own, shared, unnamed):
            assert run([*FREERIDE, "bind", agent, "--url", gateway], environ, cwd=home).returncode == 0
        never = "it has not asked since it was bound"
        unknown = "its requests do not name it, so it is not known when it last asked"
        assert said() == [never, unknown, never]

        for user_agent in ("QwenCode/0.24.4 (linux; x64)", "OpenAI/Python 2.24.0"):
            ask(user_agent)
        told = until(lambda: found if never not in (found := said()) else [], 60)
        assert told[0].startswith("a program whose requests name OpenAI/Python, as its do, last asked ")
        assert re.fullmatch(r"it last asked (just now|\d+ seconds? ago), for auto", told[2])
        listed = run([*FREERIDE, "bind", "--json"], environ, cwd=home)
        asked = {row["name"]: row["asked_at"] for row in json.loads(listed.stdout)}
        assert time.time() - asked[own] < 60
        assert (asked[shared], asked[unnamed]) == (None, None)
    for path in (home / ".freeride").iterdir():
        assert b"a-key-that" not in (path.read_bytes() if path.is_file() else b"")


def test_what_cannot_be_read_of_one_agent_is_one_line(environ: dict[str, str], url: str) -> None:
    home = Path(environ["HOME"])
    (home / ".config").mkdir(parents=True)
    (home / ".config" / "opencode").symlink_to("x" * 300)
    (home / ".aider.conf.yml").write_bytes(b"\xff")
    found = dict.fromkeys(text for _, text in examine(environ, url)["agents"])
    assert f"aider: {home / '.aider.conf.yml'} cannot be read: it is not UTF-8" in found
    folder = home / ".config" / "opencode"
    assert f"OpenCode: {folder / 'opencode.json'} cannot be read: File name too long" in found
    assert not [text for text in found if "Errno" in text]


def test_an_agent_that_is_bound_under_another_name_of_its_file_is_looked_at(environ: dict[str, str], url: str) -> None:
    home = Path(environ["HOME"])
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.jsonc").write_text("{}")
    run([*FREERIDE, "bind", "opencode", "--url", url], environ, cwd=home)
    assert "opencode.jsonc" in only(examine(environ, url), "agents")[1]


def test_a_variable_that_outranks_the_file_is_named(environ: dict[str, str]) -> None:
    home = Path(environ["HOME"])
    with serving(FREERIDE, environ) as url:
        run([*FREERIDE, "bind", "aider", "--url", url], environ, cwd=home)
        (state, text), _ = examine(environ | {"AIDER_MODEL": "gpt-5"}, url)["agents"]
        assert (state, "the variable AIDER_MODEL is set and outranks the file: unset it" in text) == ("warning", True)
        examine(environ | {"AIDER_MODEL": "gpt-5"}, url, "--strict", code=1)


def test_a_variable_that_says_where_the_file_is_outranks_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    moved = environ | {"OPENCLAW_CONFIG_PATH": str(tmp_path / "mine.json")}
    with serving(FREERIDE, environ) as url:
        run([*FREERIDE, "bind", "openclaw", "--url", url], moved, cwd=Path(environ["HOME"]))
        state, text = only(examine(moved, url), "agents")
    assert (state, str(tmp_path / "mine.json") in text) == ("ok", True), text


def test_a_variable_that_counts_beside_arguments_only_outranks_no_file(environ: dict[str, str]) -> None:
    home = Path(environ["HOME"])
    with serving(FREERIDE, environ) as url:
        run([*FREERIDE, "bind", "hermes", "--url", url], environ, cwd=home)
        state, text = only(examine(environ | {"OPENAI_API_KEY": "of-another-use"}, url), "agents")
        assert (state, "asks your gateway" in text) == ("ok", True), text


def test_an_agent_whose_key_is_not_the_token_is_found_out(environ: dict[str, str]) -> None:
    home = Path(environ["HOME"])
    guarded = environ | {"FREERIDE_TOKEN": "a-long-enough-token"}
    with serving(FREERIDE, guarded) as url:
        run([*FREERIDE, "bind", "aider", "--url", url], environ, cwd=home)
        state, text = only(examine(guarded, url, code=1), "agents")
        assert (state, "its key is not FREERIDE_TOKEN" in text) == ("broken", True)
        run([*FREERIDE, "bind", "aider", "--url", url], guarded, cwd=home)
        report = examine(guarded, url)
        assert only(report, "agents")[0] == "ok"
        assert "a-long-enough-token" not in json.dumps(report)
        assert "was started with another token" in only(examine(environ, url, code=1), "port")[1]


def test_a_token_in_a_project_is_named_and_one_that_the_file_refers_to_is_well(environ: dict[str, str]) -> None:
    home = Path(environ["HOME"])
    guarded = environ | {"FREERIDE_TOKEN": "a-long-enough-token"}
    with serving(FREERIDE, guarded) as url:
        run([*FREERIDE, "bind", "opencode", "--url", url, "--scope", "cwd"], guarded, cwd=home)
        assert only(examine(guarded, url), "agents")[0] == "ok"
        text = (home / "opencode.json").read_text("utf-8")
        (home / "opencode.json").write_text(text.replace("{env:FREERIDE_TOKEN}", "a-long-enough-token"), "utf-8")
        assert "FREERIDE_TOKEN is in a project's file" in examine(guarded, url)["agents"][0][1]
        (home / "opencode.json").write_text(text.replace("{env:FREERIDE_TOKEN}", "another"), "utf-8")
        assert "its key is not FREERIDE_TOKEN" in only(examine(guarded, url, code=1), "agents")[1]


def test_another_program_at_the_port_is_named(environ: dict[str, str]) -> None:
    with FakeUpstream(lambda _: reply(200, {"ok": False})) as other:
        root = f"http://127.0.0.1:{other.port}"
        state, text = only(examine(environ, root, code=1), "port")
        assert state == "broken"
        assert text.startswith(f"What answers at {root} is not the gateway of {environ['FREERIDE_HOME']}.")


def test_keys_that_were_dropped_and_a_provider_that_is_away_are_named(environ: dict[str, str], url: str) -> None:
    environ |= {"GROQ_API_KEY_2": "has a blank", "FREERIDE_GROQ_BASE_URL": "http://127.0.0.1:9"}
    report = examine(environ, url, code=1)
    assert ("warning", "GROQ_API_KEY_2[0] is not used: it holds white space") in report["keys"]
    assert only(report, "reach")[1].startswith("groq: http://127.0.0.1:9/ cannot be reached")
    assert "clock" not in report


@pytest.mark.parametrize(("off_s", "state"), [(0, "ok"), (600, "warning"), (-600, "warning")])
def test_a_clock_that_is_off_is_noticed(environ: dict[str, str], url: str, off_s: float, state: str) -> None:
    import time

    def answer(_: object) -> Any:
        return reply(404, b"", {"date": formatdate(time.time() + off_s, usegmt=True)})

    with FakeUpstream(answer) as upstream:
        report = examine(environ | {"FREERIDE_GROQ_BASE_URL": upstream.url}, url)
    found, text = only(report, "clock")
    assert found == state
    assert ("behind" in text, "ahead" in text) == (off_s > 0, off_s < 0)


def test_a_setting_that_cannot_be_used_ends_it(environ: dict[str, str], url: str) -> None:
    report = examine(environ | {"FREERIDE_IDLE_TIMEOUT": "soon"}, url, code=1)
    assert only(report, "settings")[0] == "broken"


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_files_that_others_can_read_are_named_with_the_remedy(environ: dict[str, str], url: str) -> None:
    home = Path(environ["FREERIDE_HOME"])
    home.mkdir(mode=0o700)
    (home / ".env").write_text("")
    (home / ".env").chmod(0o644)
    state, text = only(examine(environ, url), "home")
    assert (state, text.endswith(f"chmod go-rwx {home / '.env'}")) == ("warning", True)


@pytest.mark.parametrize(
    ("addresses", "state"),
    [(["127.0.0.1"], "ok"), (["::1", "127.0.0.1"], "ok"), (["127.0.0.1", "192.0.2.7"], "broken"), ([], "broken")],
)
def test_a_name_of_this_machine_that_leads_away_is_broken(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], state: str
) -> None:
    def look_up(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if not addresses:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 9)) for address in addresses]

    monkeypatch.setattr("freeride_core.cli.checks.machine.socket.getaddrinfo", look_up)
    [finding] = check_localhost(load_settings(), 9)
    assert finding.state == state


def test_what_outranks_a_bound_file_is_named_as_what_decides(environ: dict[str, str], tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "opencode.json").write_text('{"model": "anthropic/claude-sonnet-4-5"}', "utf-8")
    with serving(FREERIDE, environ) as url:
        run([*FREERIDE, "bind", "opencode", "--url", url], environ, cwd=tmp_path)
        shown = run([*FREERIDE, "doctor", "--url", url, "--json"], environ, cwd=project)
    (state, text), _ = [(row["state"], row["text"]) for row in json.loads(shown.stdout) if row["subject"] == "agents"]
    assert state == "warning"
    assert f"`model` in {project / 'opencode.json'} asks anthropic/claude-sonnet-4-5" in text
    assert "that file outranks the bound one" in text
