"""The commands that people know from FreeRide for OpenClaw."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from freeride_core.gateway.server import listen
from freeride_core.settings.keys import fingerprint
from freeride_core.simulator import Simulator
from openclaw import (
    OWN,
    ULTRA,
    asking,
    asking_gateway,
    chats,
    config_path,
    fallbacks,
    freeride,
    primary,
    said,
    write_config,
)
from programs import clean_environ, run, script_of, serving

ROUTER = "openrouter/openrouter/free"
SUPER = "nvidia/nemotron-3-super-120b-a12b:free"
COMMANDS = ("auto", "rotate", "switch", "refresh", "fallbacks")


@pytest.fixture
def dead_gateway() -> str:
    """An address at which nothing listens."""
    with listen("127.0.0.1", 0) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("command", COMMANDS)
def test_its_help_shows_an_example_and_speaks_of_the_gateway(command: str) -> None:
    shown = freeride(command, "--help").stdout
    assert f"Example:\n    freeride openclaw {command}" in shown
    assert freeride("openclaw", command, "--help").stdout.splitlines()[1:] == shown.splitlines()[1:]
    assert "--json" in shown
    assert "gateway" in shown


@pytest.mark.parametrize("command", ["auto", "rotate", "refresh", "fallbacks"])
def test_without_a_key_it_says_where_one_is_made(command: str) -> None:
    write_config(asking(ULTRA))
    result = freeride(command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "https://openrouter.ai/settings/keys" in result.stderr
    assert "OPENROUTER_API_KEY" in result.stderr
    assert f"or put it into {Path('~/.freeride/.env')}" in result.stderr


@pytest.mark.parametrize("command", [("auto",), ("rotate",), ("switch", "nemotron"), ("fallbacks",), ("refresh",)])
@pytest.mark.parametrize("app", [(), ("openclaw",)])
def test_where_no_openclaw_is_nothing_is_written(command: tuple[str, ...], app: tuple[str, ...]) -> None:
    result = freeride(*app, *command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "OpenClaw is not installed here" in result.stderr
    assert not config_path().parent.exists()
    assert not (Path(os.environ["FREERIDE_HOME"]) / "openclaw.db").exists()


@pytest.mark.usefixtures("openrouter")
@pytest.mark.parametrize("command", [("auto",), ("rotate",), ("switch", "nemotron"), ("fallbacks",)])
def test_a_configuration_that_cannot_be_read_stays(command: tuple[str, ...]) -> None:
    path = write_config("{ agents: { // half")
    result = freeride(*command)
    assert result.exit_code == 1
    assert f"{path} stays as it is" in result.stderr
    assert path.read_text() == "{ agents: { // half"


class TestAuto:
    def test_it_takes_the_best_model_and_falls_back_to_the_router_and_the_next(self, openrouter: Simulator) -> None:
        shown = said("auto", "-c", "3")
        assert (shown["primary"], shown["changed"]) == (f"openrouter/{ULTRA}", True)
        assert primary() == f"openrouter/{ULTRA}"
        assert fallbacks() == shown["fallbacks"]
        assert len(shown["fallbacks"]) == 3
        assert shown["fallbacks"][0] == ROUTER
        assert f"openrouter/{ULTRA}" not in shown["fallbacks"]
        assert chats(openrouter) == []

    @pytest.mark.usefixtures("openrouter")
    def test_json5_stays_and_undo_gives_the_same_bytes_back(self) -> None:
        path = write_config(OWN)
        result = freeride("auto")
        assert result.exit_code == 0
        assert "freeride bind --undo openclaw" in result.stderr
        assert "'other/large', // costs money" in result.stdout
        edited = path.read_text()
        assert f"primary: 'openrouter/{ULTRA}', // costs money\n" in edited
        assert f"          '{ROUTER}', // as well\n" in edited
        assert freeride("bind", "--undo", "openclaw").exit_code == 0
        assert path.read_text() == OWN

    @pytest.mark.usefixtures("openrouter")
    def test_a_second_time_nothing_is_written(self) -> None:
        said("auto")
        before = config_path().stat()
        assert said("auto")["changed"] is False
        assert config_path().stat().st_mtime_ns == before.st_mtime_ns

    @pytest.mark.usefixtures("openrouter")
    def test_a_dry_run_writes_nothing(self) -> None:
        shown = said("auto", "--dry-run")
        assert (shown["changed"], shown["dry_run"], shown["backup"]) == (False, True, None)
        assert f"openrouter/{ULTRA}" in shown["diff"]
        assert not config_path().exists()

    @pytest.mark.usefixtures("openrouter")
    def test_fallback_only_leaves_the_first(self) -> None:
        write_config(OWN)
        said("auto", "--fallback-only")
        assert primary() == "other/large"
        assert fallbacks() != ["other/small"]

    @pytest.mark.usefixtures("openrouter")
    def test_setup_auth_adds_the_profile(self) -> None:
        said("auto")
        assert said("status")["openclaw"]["auth_profile"] is False
        said("auto", "--setup-auth")
        assert said("status")["openclaw"]["auth_profile"] is True

    def test_the_gateway_needs_neither_key_nor_list(self) -> None:
        write_config(OWN)
        assert said("auto", "--via", "gateway")["path"] == str(config_path())
        assert (primary(), fallbacks()) == ("freeride/auto", ["other/small"])

    def test_it_warns_where_no_gateway_answers(self, dead_gateway: str) -> None:
        path = write_config(asking_gateway(dead_gateway))
        result = freeride("auto")
        assert result.exit_code == 0
        assert f"Warning: The gateway is not running at {dead_gateway}" in result.stderr
        assert f"'{dead_gateway}/v1'" in path.read_text()

    @pytest.mark.usefixtures("openrouter")
    def test_whoever_is_at_the_gateway_stays_there(self) -> None:
        said("auto", "--via", "gateway")
        assert said("auto")["primary"] == "freeride/auto"
        assert said("auto", "--via", "openrouter")["primary"] == f"openrouter/{ULTRA}"

    def test_the_key_of_openclaws_own_configuration_will_do(
        self, openrouter: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = os.environ["OPENROUTER_API_KEY"]
        monkeypatch.delenv("OPENROUTER_API_KEY")
        write_config(f"{{env: {{OPENROUTER_API_KEY: '{key}'}}}}")
        shown = said("auto")
        assert openrouter.requests[0].key == key
        assert key[:8] not in json.dumps(shown)
        [row] = said("status")["openclaw"]["keys"]
        assert row == {"fingerprint": fingerprint(key), "from": "openclaw.json: env.OPENROUTER_API_KEY"}

    def test_where_openrouter_cannot_be_reached_nothing_is_written(
        self, monkeypatch: pytest.MonkeyPatch, dead_gateway: str
    ) -> None:
        config_path().parent.mkdir()
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0000")
        monkeypatch.setenv("FREERIDE_OPENROUTER_BASE_URL", f"{dead_gateway}/api/v1")
        result = freeride("auto")
        assert (result.exit_code, result.stderr) == (1, "freeride: OpenRouter cannot be reached\n")
        assert not config_path().exists()


class TestSwitch:
    @pytest.mark.usefixtures("openrouter")
    @pytest.mark.parametrize("wanted", [SUPER, f"openrouter/{SUPER}", "Nemotron-3-SUPER"])
    def test_a_part_of_an_id_will_do(self, wanted: str) -> None:
        assert said("switch", wanted)["primary"] == f"openrouter/{SUPER}"
        assert primary() == f"openrouter/{SUPER}"

    @pytest.mark.usefixtures("openrouter")
    def test_of_several_the_best_is_taken_and_the_others_are_told(self) -> None:
        result = freeride("switch", "nemotron")
        assert primary() == f"openrouter/{ULTRA}"
        [told] = re.findall(r"'nemotron' is also a part of (.*); the best of them", result.stderr)
        assert SUPER in told.split(", ")

    @pytest.mark.usefixtures("openrouter")
    def test_the_router_is_a_model_too(self) -> None:
        said("switch", "openrouter/free")
        assert primary() == ROUTER
        assert ROUTER not in fallbacks()

    @pytest.mark.usefixtures("openrouter")
    def test_a_model_that_costs_is_none_of_them(self) -> None:
        result = freeride("switch", "google/gemini-3.5-flash")
        assert result.exit_code == 1
        assert "none of OpenRouter's free models is called 'google/gemini-3.5-flash'" in result.stderr
        assert not config_path().exists()

    @pytest.mark.usefixtures("openrouter")
    def test_fallback_only_puts_it_behind_the_router(self) -> None:
        write_config(OWN)
        said("switch", "nemotron-3-super", "--fallback-only")
        assert (primary(), fallbacks()) == ("other/large", [ROUTER, f"openrouter/{SUPER}", "other/small"])

    @pytest.mark.usefixtures("openrouter")
    def test_no_fallbacks_leaves_them(self) -> None:
        write_config(OWN)
        said("switch", "nemotron-3-super", "--no-fallbacks")
        assert fallbacks() == ["other/small"]

    def test_a_name_of_the_gateways_leads_there(self) -> None:
        write_config(OWN)
        said("switch", "freeride/auto")
        assert primary() == "freeride/auto"

    def test_a_running_gateway_says_which_models_it_has(self, openrouter: Simulator, tmp_path: Path) -> None:
        program = script_of("freeride-core", "freeride")
        home = {"FREERIDE_HOME": os.environ["FREERIDE_HOME"]}
        with serving([program], clean_environ(tmp_path, openrouter.env | home)) as root:
            write_config(asking_gateway(root))
            assert said("switch", "freeride/coding")["primary"] == "freeride/freeride/coding"
            assert said("switch", "nemotron-3-super")["primary"].startswith("freeride/nvidia/nemotron-3-super")
            assert freeride("switch", "nobody/knows-it").exit_code == 1
            answering = f"gateway     answers at {root}\n"
            assert answering in freeride("status").stdout
        assert said("auto")["primary"] == "freeride/auto"

    def test_a_gateway_that_does_not_answer_cannot_say_whether_it_has_a_model(self, dead_gateway: str) -> None:
        write_config(asking_gateway(dead_gateway))
        result = freeride("switch", "freeride/coding")
        assert result.exit_code == 1
        assert "Start it with: freeride serve" in result.stderr


class TestFallbacksAndRefresh:
    @pytest.mark.usefixtures("openrouter")
    def test_fallbacks_leaves_what_is_asked_first(self) -> None:
        write_config(OWN)
        said("fallbacks", "--count", "2")
        assert (primary(), fallbacks()) == ("other/large", [ROUTER, f"openrouter/{ULTRA}"])

    def test_refresh_asks_anew_and_the_others_do_not(self, openrouter: Simulator) -> None:
        assert freeride("refresh").stdout.startswith("Cached ")
        assert "Cache expires in 6 hours." in freeride("refresh").stdout
        count = len(openrouter.requests)
        assert ULTRA in said("refresh")["models"]
        said("fallbacks")
        said("switch", "nemotron")
        assert len(openrouter.requests) == count + 1


class TestRotate:
    def test_a_model_that_answers_stays(self, openrouter: Simulator) -> None:
        write_config(asking(SUPER))
        assert said("rotate")["changed"] is False
        assert primary() == f"openrouter/{SUPER}"
        assert chats(openrouter) == [SUPER]

    def test_one_that_does_not_is_replaced_by_the_best_that_does(self, openrouter: Simulator) -> None:
        openrouter.always("upstream-shared-pool", model=SUPER)
        openrouter.always("overloaded-529", model=ULTRA)
        write_config(asking(SUPER))
        shown = said("rotate")
        assert chats(openrouter)[:2] == [SUPER, ULTRA]
        assert len(chats(openrouter)) == 3
        assert shown["primary"] == f"openrouter/{chats(openrouter)[2]}"
        assert shown["proven"] is True
        assert list(shown["tried"]) == [ULTRA]
        assert not {f"openrouter/{SUPER}", f"openrouter/{ULTRA}"} & set(shown["fallbacks"])
        assert primary() == shown["primary"]
        assert said("status")["openclaw"]["rotation"]["reason"] == "it does not answer (rate_limit)"

    def test_one_that_failed_lately_is_passed_over(self, openrouter: Simulator) -> None:
        openrouter.always("overloaded-529", model=ULTRA)
        write_config(asking(ULTRA))
        said("rotate")
        said("rotate", "--force")
        assert chats(openrouter).count(ULTRA) == 1
        assert len(chats(openrouter)) == 3

    def test_force_does_not_ask_the_one_that_goes(self, openrouter: Simulator) -> None:
        write_config(asking(ULTRA))
        shown = said("rotate", "--force")
        assert shown["primary"] != f"openrouter/{ULTRA}"
        assert ULTRA not in chats(openrouter)
        assert len(chats(openrouter)) == 1

    def test_when_the_day_is_spent_another_model_would_not_help(self, openrouter: Simulator) -> None:
        openrouter.use_up("day")
        path = write_config(asking(SUPER))
        result = freeride("rotate")
        assert result.exit_code == 1
        assert "the account's free requests are spent until " in result.stderr
        assert path.read_text() == asking(SUPER)
        assert len(chats(openrouter)) == 1

    def test_a_key_that_is_refused_is_not_the_models_fault(
        self, monkeypatch: pytest.MonkeyPatch, openrouter: Simulator
    ) -> None:
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-bad")
        write_config(asking(SUPER))
        result = freeride("rotate")
        assert result.exit_code == 1
        assert "OpenRouter refuses the key" in result.stderr
        assert len(chats(openrouter)) == 1

    def test_the_next_key_is_asked_where_the_first_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, openrouter: Simulator
    ) -> None:
        keys = ["sk-or-v1-bad", os.environ["OPENROUTER_API_KEY"]]
        monkeypatch.setenv("OPENROUTER_API_KEY", json.dumps(keys))
        write_config(asking(SUPER))
        assert said("rotate")["changed"] is False
        assert [seen.key for seen in openrouter.requests] == keys

    def test_without_a_share_left_it_asks_nobody(self, openrouter: Simulator) -> None:
        write_config(asking(ULTRA))
        for _ in range(5):
            said("rotate")
        result = freeride("rotate")
        assert result.exit_code == 1
        assert "freeride openclaw rotate --force" in result.stderr
        shown = said("rotate", "--force")
        assert (shown["proven"], shown["changed"]) == (False, True)
        assert len(chats(openrouter)) == 5

    def test_somebody_elses_model_is_left_alone(self, openrouter: Simulator) -> None:
        path = write_config(OWN)
        result = freeride("rotate")
        assert result.exit_code == 1
        assert "OpenClaw asks other/large, which is not a model of OpenRouter" in result.stderr
        assert path.read_text() == OWN
        assert openrouter.requests == []

    def test_behind_the_gateway_there_is_nothing_to_do(self, dead_gateway: str) -> None:
        write_config(asking_gateway(dead_gateway))
        before = config_path().read_bytes()
        assert said("rotate")["changed"] is False
        assert said("rotate", "--force")["changed"] is False
        assert config_path().read_bytes() == before


class TestStatus:
    def test_without_openclaw_nothing_is_said_of_it(self) -> None:
        assert "OpenClaw" not in freeride("status").stdout
        assert "openclaw" not in said("status")

    def test_a_configuration_that_cannot_be_read_is_told_and_stays(self) -> None:
        path = write_config("{ agents: { // half")
        assert f"{path} stays as it is" in freeride("status").stdout
        assert said("status")["openclaw"].keys() == {"fault"}
        assert path.read_text() == "{ agents: { // half"

    def test_without_a_configuration_it_says_what_to_do(self) -> None:
        config_path().parent.mkdir()
        result = freeride("status")
        assert result.exit_code == 0
        for hint in ("freeride openclaw auto", "freeride bind openclaw", "freeride openclaw refresh", "settings/keys"):
            assert hint in result.stdout

    def test_it_shows_what_is_asked_and_asks_no_provider(self, openrouter: Simulator) -> None:
        said("auto")
        count = len(openrouter.requests)
        shown = said("status")["openclaw"]
        assert (shown["via"], shown["primary"], shown["primary_is_free"]) == ("openrouter", f"openrouter/{ULTRA}", True)
        assert shown["keys"][0]["fingerprint"] == fingerprint(os.environ["OPENROUTER_API_KEY"])
        assert shown["probes"] == {"last_24_hours": 0, "at_most": 5}
        assert shown["models"]["count"] > 5
        lines = freeride("status").stdout
        assert f"  asks        openrouter/{ULTRA}  (OpenRouter itself)\n" in lines
        assert "less than a minute ago" in lines
        assert len(openrouter.requests) == count

    @pytest.mark.usefixtures("openrouter")
    def test_a_model_that_is_not_free_is_marked(self) -> None:
        freeride("refresh")
        write_config(asking("google/gemini-3.5-flash"))
        assert "where it is not free" in freeride("status").stdout


def test_what_is_remembered_may_be_damaged(freeride_home: Path) -> None:
    config_path().parent.mkdir()
    path = freeride_home / "openclaw.db"
    path.write_bytes(b"certainly not a database" * 100)
    result = freeride("status")
    assert (result.exit_code, f"{path} is damaged; it is kept as openclaw.db.damaged-" in result.stderr) == (0, True)
    assert "probes      0 in the last 24 hours" in result.stdout
    assert freeride("status").stderr == ""


class TestHowCoreSeesIt:
    def findings(self, url: str) -> list[tuple[str, str]]:
        found = json.loads(freeride("doctor", "--url", url, "--json").stdout)
        return [(each["state"], each["text"]) for each in found if each["subject"] == "agents"]

    def state(self) -> str:
        [row] = [row for row in json.loads(freeride("bind", "--json").stdout) if row["name"] == "openclaw"]
        return str(row["state"])

    @pytest.mark.usefixtures("openrouter")
    def test_what_the_commands_chose_is_well(self, dead_gateway: str) -> None:
        write_config(OWN)
        said("auto")
        [(state, text)] = self.findings(dead_gateway)
        assert (state, "asks another address, which its own commands chose" in text) == ("ok", True), text
        assert self.state() == "elsewhere by its own commands"

    @pytest.mark.usefixtures("openrouter")
    def test_what_somebody_else_changed_since_is_not(self, dead_gateway: str) -> None:
        write_config(OWN)
        said("auto")
        write_config(OWN)
        [(state, text)] = self.findings(dead_gateway)
        assert (state, "points elsewhere now" in text) == ("broken", True), text
        assert self.state() == "changed since it was bound"


def test_the_installed_commands_do_it_too(openrouter: Simulator, tmp_path: Path) -> None:
    environ = clean_environ(tmp_path, openrouter.env)
    program = script_of("freeride-core", "freeride")
    (tmp_path / ".openclaw").mkdir()
    ended = run([program, "openclaw", "auto"], environ)
    assert ended.returncode == 0, ended.stderr
    assert f"openrouter/{ULTRA}" in (tmp_path / ".openclaw" / "openclaw.json").read_text()
    assert run([program, "switch"], environ).returncode == 2


@pytest.mark.usefixtures("openrouter")
def test_status_shows_the_agents_that_ask_something_else() -> None:
    write_config('{agents: {list: [{id: "main", model: "openai/gpt-5.2"}]}}')
    assert said("status")["openclaw"]["others"] == {"agents.list.main.model": "openai/gpt-5.2"}
