"""What strangers publish is installed, found, certified and uninstalled like ours: real distributions in empty environments."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from distributions import Site
from freeride_core import __version__
from outside_plugins import MODELS, ROWS, STRANGERS, MakeSite, Publish, Uv, ask, brief, fronted, rows_of
from programs import clean_environ, post, run


@pytest.mark.parametrize(("kind", "name", "distribution", "version"), ROWS)
def test_a_wheel_holds_one_typed_package_and_what_certifies_it(
    published: dict[str, Path], kind: str, name: str, distribution: str, version: str
) -> None:
    [wheel] = published[name].glob("*.whl")
    package = distribution.replace("-", "_")
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    assert {entry.split("/")[0] for entry in names} == {package, f"{package}-{version}.dist-info"}
    samples = "simulator.toml" if kind == "provider" else "samples.toml"
    assert {f"{package}/{file}" for file in ("__init__.py", "py.typed", samples)} <= set(names)


def test_core_finds_all_three_with_their_distributions_and_versions(beside_core: Site) -> None:
    rows = rows_of(beside_core)
    assert brief(rows) == ROWS
    assert {row["api"] for row in rows} == {1}


def test_a_tool_is_installed_with_them(
    uv: Uv, dist: Path, sources: list[str | Path], places: list[str | Path], tmp_path: Path
) -> None:
    own = {
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "UV_PYTHON": sys.executable,
    }
    wheel = dist / f"freeride_gateway-{__version__}-py3-none-any.whl"
    wanted = [word for name in STRANGERS for word in ("--with", name)]
    uv("tool", "install", "--quiet", *sources, *places, wheel, *wanted, **own)
    found = brief(rows_of(Site(tmp_path / "tools" / "freeride-gateway")))
    assert set(ROWS) < set(found)
    assert ("provider", "groq", "freeride-provider-groq", __version__) in found


# Uninstalled


@pytest.fixture(scope="session")
def pip(
    sources: list[str | Path], places: list[str | Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Site]:
    """Runs pip in an environment that `venv` has made, where it knows our wheels and the strangers' and nothing else."""
    folder = tmp_path_factory.mktemp("pip") / "venv"
    made = run([sys.executable, "-m", "venv", folder], clean_environ(folder.parent / "home"))
    assert made.returncode == 0, made.stderr
    site = Site(folder)
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def pip(command: str, *options: str) -> Site:
        where = [*sources, *places] if command == "install" else []
        result = run([site.python, "-m", "pip", command, "--quiet", *where, *options], site.environ | own)
        assert result.returncode == 0, result.stderr
        return site

    pip("install", "freeride-gateway", *STRANGERS)
    return pip


def test_what_pip_installs_is_found_and_what_it_uninstalls_leaves_nothing_behind(pip: Callable[..., Site]) -> None:
    site = pip("install", *STRANGERS)
    assert set(ROWS) < set(brief(rows_of(site)))
    home = Path(site.environ["FREERIDE_HOME"])
    home.mkdir()
    (home / ".env").write_text("FREERIDE_PROVIDERS=orbit,acme\n")
    with fronted(site, "acme", "orbit", FREERIDE_HOME=str(home)) as url:
        ask(url, "orbit")
    assert run([site.freeride, "bind", "acmecode"], site.environ).returncode == 0

    pip("uninstall", "--yes", "freeride-provider-orbit", "freeride-binder-acmecode")
    assert "acme" in {row["name"] for row in rows_of(site)}
    assert not {"orbit", "acmecode"} & {row["name"] for row in rows_of(site)}
    left = [path for word in ("orbit", "acmecode") for path in (site.folder / "lib").rglob(f"*{word}*")]
    assert left == []
    keys = {"ORBIT_API_KEY": "orb_simulated00000000000000", "ACME_API_KEY": "ak-simulated-000000000000"}
    with fronted(site, "acme", FREERIDE_HOME=str(home), **keys) as url:
        ask(url, "acme")
        gone = post(f"{url}/v1/chat/completions", {"model": MODELS["orbit"], "messages": []})
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "model_not_found")
    for command in ("keys", "models", "bind"):
        listed = run([site.freeride, command, "--json"], site.environ | keys)
        assert (listed.returncode, "orbit" in listed.stdout) == (0, False), listed.stderr
    assert run([site.freeride, "bind", "--undo", "acmecode"], site.environ).returncode == 0
    assert not (site.folder / "home" / ".acmecode" / "settings.conf").exists()


# Two of one name


def test_of_two_distributions_with_one_name_neither_loads_and_each_is_named(
    make_site: MakeSite, uv: Uv, publish: Publish, sources: list[str | Path], places: list[str | Path]
) -> None:
    fork = publish("acme", freeride_provider_acme="freeride_provider_acme_fork")
    site = make_site("freeride-core")
    wanted = ["freeride-provider-acme", "freeride-provider-acme-fork", "freeride-provider-orbit"]
    uv("pip", "install", "--quiet", "--python", site.python, *sources, *places, "--find-links", fork, *wanted)

    *both, orbit = rows_of(site)
    assert [(row["distribution"], row["status"]) for row in both] == [(name, "conflict") for name in wanted[:2]]
    assert orbit["status"] == "ok"
    for row in both:
        assert row["reason"] == f"{wanted[0]} and {wanted[1]} offer the same name: uninstall all but one of them"
    with fronted(site, "orbit", ACME_API_KEY="ak-simulated-000000000000") as url:
        ask(url, "orbit")

    uv("pip", "uninstall", "--quiet", "--python", site.python, "freeride-provider-acme-fork")
    assert [row["status"] for row in rows_of(site)] == ["ok", "ok"]


# Certified


@pytest.fixture(scope="session")
def laboratory(make_site: MakeSite, uv: Uv, sources: list[str | Path], places: list[str | Path]) -> Site:
    """All three, and the suite that certifies them."""
    site = make_site("freeride-conformance")
    uv("pip", "install", "--quiet", "--python", site.python, *sources, *places, *STRANGERS)
    return site


@pytest.mark.parametrize(("kind", "name"), [row[:2] for row in ROWS])
def test_it_is_certified_in_an_empty_folder(laboratory: Site, kind: str, name: str, tmp_path: Path) -> None:
    suite = ["-m", "pytest", "-p", "no:cacheprovider", "--pyargs", "freeride_conformance", f"--freeride-{kind}", name]
    result = run([laboratory.python, *suite], laboratory.environ, cwd=tmp_path, timeout_s=300)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert ": GOLD, " in result.stdout
    assert list(tmp_path.iterdir()) == []
