"""A run of the suite as people start it: what it refuses, what it prints, and what it writes."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from meta.specimens import SPECIMEN, binder, origin_of, provider, source_of

from freeride_conformance.direct import send
from freeride_conformance.report import Report, report_schema
from freeride_conformance.rig import Rig, chat, wait_until_closed
from freeride_conformance.rule import BrokenPromise, ConformanceRule, Grade
from freeride_core import CompatibleProbe, UpstreamRequest

Run = subprocess.CompletedProcess[str]


def certify(*arguments: str | Path, path: Path | None = None, cwd: Path | None = None) -> Run:
    """`freeride certify`, in an interpreter of its own; `path` is where else plugins are found."""
    program = "import sys; sys.argv[0] = 'freeride'; from freeride_core.cli import main; main()"
    environ = {"PYTHONPATH": str(path)} if path else {}
    return subprocess.run(
        [sys.executable, "-c", program, "certify", *map(str, arguments)],
        env={**os.environ, **environ},
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder in which the specimen is installed as a distribution."""
    folder = tmp_path / "site"
    origin_of("provider", folder)
    toml = (SPECIMEN / "freeride_provider_specimen" / "simulator.toml").read_text("utf-8")
    (folder / "freeride_provider_specimen" / "simulator.toml").write_text(toml, "utf-8")
    (folder / "freeride_provider_specimen-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: freeride-provider-specimen\nVersion: 1.0\nRequires-Dist: freeride-core>=0.5.0,<0.6\n",
        "utf-8",
    )
    return folder


def test_a_plugin_is_certified_in_any_directory_with_a_report_that_fits_its_schema(site: Path, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n", "utf-8")
    run = certify("specimen", "--report", tmp_path / "report.json", path=site, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "provider specimen 1.0 (freeride-provider-specimen, api 1): GOLD" in run.stdout
    assert "badge: ![FreeRide: gold]" in run.stdout
    text = (tmp_path / "report.json").read_bytes()
    report = msgspec.json.decode(text, type=Report)
    assert report.plugins[0].verdict == "gold"
    assert {finding.result for finding in report.plugins[0].findings} == {"kept"}
    assert json.loads(text)["$schema"] == report_schema()["$id"]
    assert set(json.loads(text)["plugins"][0]) == set(report_schema()["$defs"]["PluginReport"]["properties"])


def test_what_is_broken_is_told_with_promise_exchange_and_remedy(site: Path, tmp_path: Path) -> None:
    module = site / "freeride_provider_specimen" / "__init__.py"
    module.write_text(source_of("provider", "wait=Midnight()", "wait=60"), "utf-8")
    run = certify("specimen", "--report", tmp_path / "report.json", path=site)
    assert run.returncode == 1
    for line in (
        "reads_its_cases[daily-cap] is broken",
        "promise    Each case is read as its kind, scope, wait and account.",
        "found      it was read as quota_exhausted scope=account retry_after=60.0 limit=rpd, and should be",
        "sent       400 ",
        "likely fix add a `ConformanceRule`",
        "provider specimen 1.0 (freeride-provider-specimen, api 1): FAILED",
    ):
        assert line in run.stdout, run.stdout
    broken = [
        finding
        for finding in json.loads((tmp_path / "report.json").read_text("utf-8"))["plugins"][0]["findings"]
        if finding["result"] == "broken"
    ]
    assert [(finding["rule"], finding["variant"]) for finding in broken] == [("reads_its_cases", "daily-cap")]
    assert all(broken[0][field] for field in ("promise", "found", "sent", "received", "fix", "section"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'pattern="specimen-.*"',
            'key_header="x-key"',
            "the catalog request shows no key where the upstream looks for it (authorization, as a bearer token)",
        ),
        (
            '"SPECIMEN_API_KEY"',
            '"OTHER_API_KEY"',
            "simulator.toml gives a key in SPECIMEN_API_KEY, and the package reads OTHER_API_KEY",
        ),
        ('"/chat/completions"', '"/chat"', "a plain question got 503"),
    ],
)
def test_a_provider_that_does_not_reach_its_upstream_gets_one_failure(
    old: str, new: str, words: str, site: Path
) -> None:
    (site / "freeride_provider_specimen" / "__init__.py").write_text(source_of("provider", old, new), "utf-8")
    run = certify("specimen", path=site)
    assert run.returncode == 1
    assert re.findall(r"^    broken: (.*)$", run.stdout, re.MULTILINE) == [f"reaches_its_upstream: {words}"]
    assert re.search(r"^    not checked: \d\d more, because reaches_its_upstream is broken$", run.stdout, re.MULTILINE)


def test_what_is_missing_for_gold_fails_only_where_gold_is_asked_for(site: Path) -> None:
    profile = site / "freeride_provider_specimen" / "simulator.toml"
    profile.write_text(profile.read_text("utf-8").replace('"documented"', '"guess"'), "utf-8")
    plain, gold = certify("specimen", path=site), certify("specimen", "--gold", path=site)
    assert (plain.returncode, gold.returncode) == (0, 1)
    assert "CERTIFIED" in plain.stdout
    assert "missing for gold: has_seen_its_upstream" in plain.stdout


def test_a_known_divergence_is_told_and_must_be_real(site: Path) -> None:
    profile = site / "freeride_provider_specimen" / "simulator.toml"
    text = profile.read_text("utf-8")
    wrong = text.replace(
        'expect = { kind = "context_length", scope = "model" }',
        'expect = { kind = "too_large", scope = "model" }\ndivergence = "not read yet"',
    )
    profile.write_text(wrong, "utf-8")
    run = certify("specimen", path=site)
    assert run.returncode == 0, run.stdout
    assert "known to differ: reads_its_cases[context-length]: not read yet" in run.stdout
    profile.write_text(
        text.replace('kind = "context_length", scope = "model" }', 'kind = "context_length" }\ndivergence = "gone"'),
        "utf-8",
    )
    assert "it is kept, although simulator.toml says: gone" in certify("specimen", path=site).stdout


@pytest.mark.parametrize("option", ["--freeride-provider", "--freeride-binder"])
def test_an_unknown_name_is_a_usage_error(option: str, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--pyargs",
        "freeride_conformance",
        option,
        "nobody",
        "-p",
        "no:cacheprovider",
    ]
    run = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "nobody' is installed; installed: " in run.stderr


def test_a_plugin_that_cannot_be_loaded_is_a_usage_error(site: Path) -> None:
    (site / "freeride_provider_specimen" / "__init__.py").write_text("import nothing_like_it", "utf-8")
    run = certify("specimen", path=site)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "cannot be used: ModuleNotFoundError" in run.stderr


def test_the_schema_is_printed() -> None:
    assert json.loads(certify("--schema").stdout) == report_schema()


class Escaping(CompatibleProbe):
    def request(self, key: Any) -> UpstreamRequest | None:
        return UpstreamRequest("GET", "https://specimen.invalid/v1/key", ())


def _rule(check: Any) -> ConformanceRule[Any]:
    return ConformanceRule("goes_elsewhere", "Test", "It stays.", "Stay.", Grade.REQUIRED, "", check, None)


def test_nothing_but_the_simulator_can_be_reached(tmp_path: Path) -> None:
    subject = provider(origin_of("provider", tmp_path / "site"), probe=Escaping(path="/key"))

    def look_up(_: Any) -> None:
        with pytest.raises(OSError, match="only the simulator"):
            socket.getaddrinfo("specimen.invalid", 443)

    def connect(_: Any) -> None:
        with socket.socket() as own, pytest.raises(ConnectionRefusedError):
            own.connect(("127.0.0.1", 9))

    def ask_directly(_: Any) -> None:
        with pytest.raises(OSError, match="only the simulator"):
            send(UpstreamRequest("GET", "http://specimen.invalid/v1/key", ()))

    for check, place in ((look_up, "specimen.invalid"), (connect, "127.0.0.1:9"), (ask_directly, "specimen.invalid")):
        [found] = _rule(check).checks(subject)
        with pytest.raises(BrokenPromise, match=f"it went to {place}"):
            found.run()


def test_the_gateway_under_test_cannot_leave_either(tmp_path: Path) -> None:
    subject = provider(origin_of("provider", tmp_path / "site"))

    def ask(_: Any) -> None:
        with Rig(subject, FREERIDE_SPECIMEN_BASE_URL="http://127.0.0.1:9/v1") as rig:
            assert rig.ask(chat("auto")).status == 503

    [found] = _rule(ask).checks(subject)
    with pytest.raises(BrokenPromise, match=r"it went to 127\.0\.0\.1:9, not to its simulator"):
        found.run()
    wait_until_closed()


def test_a_binder_whose_samples_are_broken_is_a_usage_error(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    origin_of("binder", folder)
    (folder / "freeride_binder_specimen" / "samples.toml").write_text("[[sample]]\nname = 7\n", "utf-8")
    run = certify("specimen", path=folder)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "samples.toml" in run.stderr
    assert binder(origin_of("binder", tmp_path / "other")).samples.samples


def test_a_run_of_some_checks_gives_no_verdict(site: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--pyargs", "freeride_conformance", "--freeride-provider", "specimen"]
    environ = {**os.environ, "PYTHONPATH": str(site)}
    run = subprocess.run(
        [*command, "-k", "has_one_name", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "(freeride-provider-specimen, api 1): INCOMPLETE, 1 checks passed" in run.stdout
    assert "badge" not in run.stdout


def test_a_report_that_cannot_be_written_is_known_before_the_work_is_done(site: Path, tmp_path: Path) -> None:
    run = certify("specimen", "--report", tmp_path / "nowhere" / "report.json", path=site)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "there is no folder" in run.stderr


def test_another_plugin_that_connects_when_it_is_loaded_is_not_blamed_on_this_one(site: Path) -> None:
    other = "import urllib.request, ssl\nraise RuntimeError('broken anyway')\n"
    info = site / "noisy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noisy\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[freeride.providers]\nnoisy = noisy_plugin\n", "utf-8")
    (site / "noisy_plugin.py").write_text(other, "utf-8")
    run = certify("specimen", path=site)
    assert run.returncode == 0, run.stdout
