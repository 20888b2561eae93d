"""What a gateway has learned outlives it, however it ends, and other processes of the machine hear of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fake_upstream import (
    FakeUpstream,
    GatewayBench,
    GatewayProcess,
    GatewayStage,
    always,
    good,
    in_turn,
    key_of,
    provider,
    refusal,
    until,
)
from freeride_core.ledger.store.sqlite import SqliteStore

TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
LIMITED = always(refusal(429, headers={"Retry-After": "900"}))
SHARED_S = 1.0
MARGIN_S = 1.5


def stored(home: Path, section: str) -> list[str]:
    """The names of what the state holds."""
    store = SqliteStore(home / "state.db")
    try:
        return [entry.name for entry in store.read_all() if entry.section == section and entry.value is not None]
    finally:
        store.close()


def test_cooldowns_outlive_the_gateway(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = LIMITED
        stage.ask()
        before = stage.cooled()
        stage.thread.stop()
        with stage.another() as stage.thread:
            answer = stage.ask()
            assert answer.headers["x-freeride-provider"] == "beta"
            assert answer.headers["x-freeride-attempts"] == "1"
            ((slot, (kind, left_s)),) = stage.cooled().items()
            assert before[slot][0] == kind == "rate_limit"
            assert left_s in range(890, 901)
        assert len(stage["alpha"].posts) == 1


def test_what_a_model_cannot_do_is_still_known_after_a_restart(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(400, "tools are not supported by this model"))
        stage.ask(tools=TOOLS)
        stage.thread.stop()
        with stage.another() as stage.thread:
            assert stage.ask(tools=TOOLS).headers["x-freeride-attempts"] == "1"


def test_failures_in_a_row_are_counted_on_after_a_restart(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(500))
        stage.ask()
        stage.thread.stop()
        with stage.another() as stage.thread:
            now = stage.thread.gateway.now
            stage.thread.gateway.ledger.now = stage.thread.gateway.now = lambda: now() + 31
            stage.ask()
            assert [seconds for _, seconds in stage.cooled().values()] == [60]


def test_one_account_is_still_known_after_a_restart(tmp_path: Path) -> None:
    alpha = provider("alpha", account_pattern=r"organization (org-\w+)")
    with GatewayStage(tmp_path, alpha, provider("beta"), keys={"alpha": 2}) as stage:
        stage["alpha"].answer = always(refusal(429, "too much for organization org-7", {"Retry-After": "0"}))
        stage.ask()
        stage.thread.stop()
        with stage.another() as stage.thread:
            now = stage.thread.gateway.now
            stage.thread.gateway.ledger.now = stage.thread.gateway.now = lambda: now() + 3600
            stage["alpha"].answer = always(refusal(429, "too much for organization org-7"))
            stage.ask()
            assert len(stage["alpha"].posts) == 3


def test_two_gateways_share_what_they_learn_within_a_second(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage, stage.another() as other:
        stage["alpha"].answer = LIMITED
        stage.ask()
        until(lambda: other.gateway.ledger.cooldowns.items(), SHARED_S + MARGIN_S)
        stage.thread = other
        assert stage.ask().headers["x-freeride-attempts"] == "1"
        assert len(stage["alpha"].posts) == 1


def test_a_recovery_is_shared_too(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage, stage.another() as other:
        stage["alpha"].answer = in_turn(refusal(500))
        stage.ask()
        until(lambda: other.gateway.ledger.cooldowns.items(), SHARED_S + MARGIN_S)
        assert stage.ask().status_code == 200, "all are down, so the soonest is tried"
        until(lambda: not other.gateway.ledger.cooldowns.items(), SHARED_S + MARGIN_S)


def test_a_kill_keeps_cooldowns(tmp_path: Path) -> None:
    bench = GatewayBench(tmp_path / "home")
    with FakeUpstream(LIMITED) as alpha, FakeUpstream() as beta:
        bench.add("alpha", alpha, key_of("alpha"))
        bench.add("beta", beta, key_of("beta"))
        with GatewayProcess(bench) as process:
            assert process.ask().headers["x-freeride-provider"] == "beta"
            until(lambda: stored(bench.home, "cooldown"))
            process.kill()
        with GatewayProcess(bench) as process:
            answer = process.ask()
            assert answer.headers["x-freeride-provider"] == "beta"
            assert answer.headers["x-freeride-attempts"] == "1"
        assert len(alpha.posts) == 1


def test_a_kill_at_any_moment_leaves_a_state_that_can_be_read(tmp_path: Path) -> None:
    bench = GatewayBench(tmp_path / "home")
    with FakeUpstream() as alpha, FakeUpstream() as beta:
        bench.add("alpha", alpha, *(key_of("alpha", index) for index in range(9)))
        bench.add("beta", beta, key_of("beta"))
        for _ in range(3):
            alpha.answer = always(refusal(429, headers={"Retry-After": "1"}))
            with GatewayProcess(bench) as process:
                assert process.ask().status_code == 200
                process.kill()  # in the middle of what it has to write
            names = stored(bench.home, "cooldown")
            assert len(names) == len(set(names)) <= 10
        with GatewayProcess(bench) as process:
            assert process.ask().status_code == 200
            assert "Traceback" not in process.stderr
        assert not [path for path in bench.home.iterdir() if "damaged" in path.name or "corrupt" in path.name]


def test_two_processes_share_cooldowns_within_a_second(tmp_path: Path) -> None:
    with GatewayStage(tmp_path / "home") as stage:
        stage["alpha"].answer = LIMITED
        with GatewayProcess(stage.bench) as process:
            assert process.ask().headers["x-freeride-provider"] == "beta"
            until(stage.cooled, SHARED_S + MARGIN_S)
            assert stage.ask().headers["x-freeride-attempts"] == "1"
            assert len(stage["alpha"].posts) == 1


@pytest.fixture
def groq_model() -> str:
    models = pytest.importorskip("freeride_provider_groq.models").CATALOG.models
    return str(models[0].id)


def test_the_command_with_a_real_package_keeps_cooldowns_through_a_kill(tmp_path: Path, groq_model: str) -> None:
    bench = GatewayBench(tmp_path / "home")
    command = [sys.executable, "-m", "freeride_core", "serve", "--port", "0"]
    with FakeUpstream(good) as upstream:
        bench.environ["FREERIDE_GROQ_BASE_URL"] = upstream.url
        bench.environ["GROQ_API_KEY"] = "gsk_" + "made0up0" * 6
        bench.environ["FREERIDE_PROVIDERS"] = "groq"
        with GatewayProcess(bench, command=command) as process:
            assert process.ask(groq_model).headers["x-freeride-provider"] == "groq"
            upstream.answer = always(refusal(429, "Rate limit reached. Please try again in 7m12.5s."))
            assert process.ask(groq_model).status_code == 503
            until(lambda: stored(bench.home, "cooldown"))
            process.kill()
        asked = len(upstream.posts)
        with GatewayProcess(bench, command=command) as process:
            answer = process.ask(groq_model)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) in range(400, 434)
            assert len(upstream.posts) == asked
            assert "Traceback" not in process.stderr


def test_a_key_that_changes_is_followed_without_a_restart(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 0}) as stage:
        stage.bench.environ["FREERIDE_ALPHA_BASE_URL"] = stage["alpha"].url
        (tmp_path / ".env").write_text(f"ALPHA_KEY={key_of('alpha')}\n")
        with stage.another() as stage.thread:
            assert stage.ask().status_code == 200
            (tmp_path / ".env").write_text(f"ALPHA_KEY={key_of('alpha', 11)}\n")
            until(lambda: stage.ask().status_code == 200 and stage["alpha"].posts[-1].key == key_of("alpha", 11), 10)


def test_the_event_log_moves_without_a_restart(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        log, other = tmp_path / "events.jsonl", tmp_path / "other.jsonl"
        assert stage.ask().status_code == 200
        until(lambda: log.exists() and b"request_complete" in log.read_bytes())
        (tmp_path / ".env").write_text(f"FREERIDE_EVENTS_PATH={other}\n")
        until(lambda: stage.ask().status_code == 200 and other.exists(), 10)
