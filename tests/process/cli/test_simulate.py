"""`freeride simulate` as a user runs it, on an installed provider."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import httpx
import pytest

from programs import started
from repository import PROFILES

PROFILE = PROFILES / "acme.toml"
ASK = {"model": "acme/large", "messages": [{"role": "user", "content": "Hi"}]}


def install(site: Path, name: str, profile: str | None) -> None:
    """Puts a provider package where the interpreter finds it."""
    package = site / f"freeride_provider_{name}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        dedent(f"""
        from freeride_core import (
            About, CompatibleCatalog, CompatibleProvider, CompatibleWire, Credential, WholeCatalog, hookimpl
        )

        @hookimpl
        def freeride_register_provider():
            return CompatibleProvider(
                api_version=1,
                name={name!r},
                about=About(title="Acme", homepage="https://acme.test", keys_url="https://acme.test/keys", free_day="all",
                            sign_up="none", data_use="none", source="made up", checked="2026-11-23"),
                credentials=(Credential(variable="ACME_API_KEY", account_variable="ACME_ACCOUNT_ID"),),
                base_url="https://acme.test/accounts/{{account}}/v1",
                free=WholeCatalog(),
                catalog=CompatibleCatalog(checked="2026-11-23"),
                chat=CompatibleWire(path="/chat/completions"),
            )
        """),
        "utf-8",
    )
    if profile is not None:
        (package / "simulator.toml").write_text(profile, "utf-8")
    metadata = site / f"freeride_provider_{name}-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: freeride-provider-{name}\nVersion: 1\n", "utf-8")
    (metadata / "entry_points.txt").write_text(f"[freeride.providers]\n{name} = freeride_provider_{name}\n", "utf-8")


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    site = tmp_path / "site"
    text = PROFILE.read_text("utf-8")
    install(site, "acme", text)
    install(site, "bolt", text.replace('provider = "acme"', 'provider = "bolt"').replace("ACME_", "BOLT_"))
    install(site, "mute", None)
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {
        "PYTHONPATH": str(site),
        "HOME": str(tmp_path),
        "FREERIDE_HOME": str(tmp_path / "home"),
        "FREERIDE_TELEMETRY": "off",
        "PYTHONIOENCODING": "utf-8",
    }


def run(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "freeride_core", "simulate", *arguments],
        env=dict(environ),
        capture_output=True,
        encoding="utf-8",
        timeout=30,
    )


@contextmanager
def running(environ: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with started([sys.executable, "-m", "freeride_core", "simulate", *arguments], environ) as process:
        yield process


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Ctrl-C, and what was printed."""
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=10)
    assert process.returncode == 0
    return output


def exports(process: subprocess.Popen[str], count: int) -> dict[str, str]:
    assert process.stdout is not None
    lines = [process.stdout.readline().removeprefix("export ").strip() for _ in range(count)]
    return dict(line.split("=", 1) for line in lines)


def chat(variables: Mapping[str, str], name: str = "ACME") -> httpx.Response:
    return httpx.post(
        variables[f"FREERIDE_{name}_BASE_URL"] + "/chat/completions",
        json=ASK,
        headers={"authorization": f"Bearer {variables[f'{name}_API_KEY']}"},
        trust_env=False,
    )


def test_it_prints_what_to_export_answers_and_ends_quietly_on_ctrl_c(environ: Mapping[str, str]) -> None:
    with running(environ, "acme", "--reply", "Fine.") as process:
        variables = exports(process, 3)
        answer = chat(variables)
        output, errors = finish(process)

    assert variables["ACME_ACCOUNT_ID"] == "0123abcd"
    assert answer.json()["choices"][0]["message"]["content"] == "Fine."
    assert output == ""
    first, _, line = errors.strip().split("\n")
    assert first == f"simulating acme at {variables['FREERIDE_ACME_BASE_URL']}"
    assert "acme  POST  /accounts/0123abcd/v1/chat/completions  acme/large  key " in line
    assert line.endswith("→  200  chat")
    assert variables["ACME_API_KEY"] not in errors


def two_free_ports() -> int:
    """The first of two neighbours, below those that connections get by themselves."""
    for port in random.sample(range(20_000, 30_000), 100):
        one, next_to_it = (("127.0.0.1", number) for number in (port, port + 1))
        with contextlib.suppress(OSError), socket.create_server(one), socket.create_server(next_to_it):
            return port
    raise AssertionError("no two free ports")


def test_several_run_at_ports_in_a_row(environ: Mapping[str, str]) -> None:
    port = two_free_ports()
    with running(environ, "acme", "bolt", "--port", str(port), "--json", "--no-quotas") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        answers = [chat(told["env"], name).status_code for name in ["ACME"] * 5 + ["BOLT"]]
        finish(process)

    assert [row["port"] for row in told["simulators"]] == [port, port + 1]
    assert [row["provider"] for row in told["simulators"]] == ["acme", "bolt"]
    assert answers == [200] * 6


def test_a_case_can_be_played_to_everybody(environ: Mapping[str, str]) -> None:
    with running(environ, "acme", "--case", "server-error") as process:
        variables = exports(process, 3)
        answers = [chat(variables).status_code for _ in range(2)]
        _, errors = finish(process)

    assert answers == [503, 503]
    assert errors.count("→  503  server-error") == 2


def test_a_taken_port_is_one_clear_line(environ: Mapping[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(environ, "acme", "--port", str(port))

    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == f"freeride: Port {port} is used by another program. Stop it, or use --port {port + 1}.\n"


@pytest.mark.parametrize("names", [["nonesuch"], []])
def test_an_unknown_provider_is_answered_with_the_installed_ones(environ: Mapping[str, str], names: list[str]) -> None:
    result = run(environ, *names)

    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "installed: " in result.stderr
    assert "acme, bolt, mute" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mute"], "freeride_provider_mute/simulator.toml: cannot be read"),
        (["acme", "--case", "nonesuch"], "acme has no case or built-in 'nonesuch'; `freeride simulate acme --list`"),
        (["acme", "bolt", "--port", "65535"], "there are no 2 ports from 65535 on"),
    ],
)
def test_a_mistake_is_one_clear_line(environ: Mapping[str, str], arguments: list[str], expected: str) -> None:
    result = run(environ, *arguments)

    assert result.returncode == 1
    assert expected in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_broken_profile_is_told_with_its_place(environ: Mapping[str, str]) -> None:
    profile = Path(environ["PYTHONPATH"]) / "freeride_provider_bolt" / "simulator.toml"
    shutil.copy(PROFILE, profile)

    result = run(environ, "bolt")

    assert result.returncode == 1
    assert result.stderr == "freeride: freeride_provider_bolt/simulator.toml: provider: is 'acme' and must be 'bolt'\n"


def test_the_list_shows_cases_and_built_ins(environ: Mapping[str, str]) -> None:
    for_people = run(environ, "acme", "--list")
    for_scripts = json.loads(run(environ, "acme", "--list", "--json").stdout)

    assert for_people.returncode == 0
    assert "  rate-limited                 429  rate_limit       made up (guess, 2026-11-23)\n" in for_people.stdout
    assert "  hang  " in for_people.stdout
    assert for_scripts["cases"]["acme"][0]["name"] == "rate-limited"
    assert "cut-mid-stream" in for_scripts["built_in"]


@pytest.mark.parametrize("arguments", [["--list"], ["--all", "--list"]])
def test_the_list_without_a_name_shows_all_and_says_who_cannot_be_played(
    environ: Mapping[str, str], arguments: list[str]
) -> None:
    listed = run(environ, *arguments, "--json")

    assert listed.returncode == 0, listed.stderr
    assert {"acme", "bolt"} <= set(json.loads(listed.stdout)["cases"])
    assert listed.stderr.startswith("freeride: the provider 'mute' is left out: freeride_provider_mute/simulator.toml")
