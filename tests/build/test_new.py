"""`freeride new`: a package that a stranger gets is complete, works as it is, and says where to make it true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from distributions import Site
from freeride_conformance.template import EXTRAS, KINDS, Package, new_files, shared_files
from freeride_core import Endpoint, Unreadable, __version__
from freeride_core.cli.group import app
from freeride_core.plugins.discovery import Kind
from freeride_core.simulator.profile import REQUIRED_CASES
from freeride_core.simulator.profile_file import parse_profile
from programs import run
from repository import ROOT

MOST_EDITS = 5


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def new(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["new", *arguments])


def package_of(kind: Kind, name: str, **more: Any) -> Package:
    return Package(kind=kind, name=name, title=name.capitalize(), extras=EXTRAS[kind], **more)


FORMS = [("provider", []), ("provider", ["--no-key"]), ("binder", [])]
each_form = pytest.mark.parametrize(("kind", "options"), FORMS, ids=["provider", "provider without a key", "binder"])


def texts_in(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_written_and_shown_as_a_tree_with_what_to_do_next(kind: Kind) -> None:
    result = new(kind, "zebra_2", "--title", "Zebra & Co.")

    folder = Path(f"freeride-{kind}-zebra_2")
    assert result.exit_code == 0, result.output
    package = Package(kind=kind, name="zebra_2", title="Zebra & Co.", extras=EXTRAS[kind])
    assert texts_in(folder) == new_files(package)
    shown, _, steps = result.stdout.partition("Next:")
    assert shown.splitlines()[0] == f"{folder}/"
    assert all(f" {Path(path).name}\n" in shown for path in new_files(package))
    assert [line.strip() for line in steps.splitlines() if line.startswith("  ")] == [
        f"cd {folder}",
        "python -m pip install --editable .",
        "freeride certify zebra_2",
    ]


def test_json_is_the_list_of_files() -> None:
    result = new("provider", "zebra", "--json", "--dir", "some/where")

    written = sorted(path.as_posix() for path in Path("some/where").rglob("*") if path.is_file())
    assert json.loads(result.stdout) == written
    assert "some/where/.github/workflows/certify.yml" in written


@pytest.mark.parametrize("name", ["Zebra", "2zebra", "ze-bra", "zé", "", "../zebra", "zebra_", "_zebra", "z" * 41])
def test_a_bad_name_is_one_line_and_writes_nothing(name: str) -> None:
    result = new("provider", "--", name)

    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert repr(name) in result.stderr
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("title", [" ", 'Ze"bra', "Ze\\bra", "Ze\nbra", "[zebra]", "z" * 41])
def test_a_title_that_would_break_a_file_is_refused(title: str) -> None:
    result = new("binder", "zebra", "--title", title)

    assert (result.exit_code, result.stdout) == (1, "")
    assert list(Path().iterdir()) == []


def test_a_folder_with_something_in_it_stays_as_it_is() -> None:
    folder = Path("freeride-provider-zebra")
    folder.mkdir()
    assert new("provider", "zebra", "--json").exit_code == 0, "an empty one is welcome"
    before = texts_in(folder)

    again = new("provider", "zebra", "--title", "Other")

    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == f"freeride: {folder} exists and is not empty; nothing was written\n"
    assert texts_in(folder) == before


def test_a_file_in_the_way_is_not_overwritten() -> None:
    Path("zebra").write_text("mine", encoding="utf-8")
    assert new("provider", "zebra", "--dir", "zebra").exit_code == 1
    assert new("provider", "zebra", "--dir", "zebra/below").exit_code == 1
    assert Path("zebra").read_text(encoding="utf-8") == "mine"


@each_form
def test_there_are_at_most_five_places_to_edit_and_they_are_numbered(kind: Kind, options: list[str]) -> None:
    package = package_of(kind, "zebra", keyless=bool(options))
    marks = re.findall(r"EDIT (\d+)", "\n".join(new_files(package).values()))
    assert marks == [str(number) for number in range(1, len(marks) + 1)]
    assert 1 <= len(marks) <= MOST_EDITS


@each_form
def test_nothing_in_a_package_is_of_another_one_or_of_this_machine(kind: Kind, options: list[str]) -> None:
    for path, text in new_files(package_of(kind, "zebra", keyless=bool(options))).items():
        for foreign in ("«", "»", "acme", "Acme", str(ROOT), str(Path.home()), str(Path.cwd()), sys.prefix):
            assert foreign not in text, f"{foreign!r} is in {path}"
        assert text == "" or text.endswith("\n"), path


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_has_one_name(kind: Kind) -> None:
    files = new_files(package_of(kind, "zebra"))
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["name"] == f"freeride-{kind}-zebra"
    assert project["entry-points"] == {f"freeride.{kind}s": {"zebra": f"freeride_{kind}_zebra"}}
    assert f'FREERIDE_{kind.upper()} = "zebra"' in files["tests/test_zebra.py"]
    assert f"src/freeride_{kind}_zebra/py.typed" in files


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_for_this_core_and_none_that_may_break_it(kind: Kind) -> None:
    project = tomllib.loads(new_files(package_of(kind, "zebra"))["pyproject.toml"])
    major, minor, _ = __version__.split(".")
    bounds = f">={__version__},<{major}.{int(minor) + 1}"
    assert project["project"]["dependencies"] == [f"freeride-core{'[yaml]' if kind == 'binder' else ''}{bounds}"]
    assert f"freeride-conformance{bounds}" in project["dependency-groups"]["dev"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_ours_share_with_a_new_package_is_the_same_text(kind: Kind) -> None:
    package = package_of(kind, "zebra")
    files = new_files(package)
    for path, text in shared_files(package).items():
        assert files[path].startswith(text) if path == "pyproject.toml" else files[path] == text


def test_the_profile_of_a_new_provider_has_the_required_cases_and_more() -> None:
    text = new_files(package_of("provider", "zebra"))["src/freeride_provider_zebra/simulator.toml"]
    names = {case.name for case in parse_profile(text).cases}
    assert names == {*REQUIRED_CASES, "daily-cap", "context-length", "mid-stream-error"}


def test_without_a_key_nothing_speaks_of_one() -> None:
    with_key = new_files(package_of("provider", "zebra"))
    without = new_files(package_of("provider", "zebra", keyless=True))
    assert with_key.keys() == without.keys()
    assert new("provider", "zebra", "--no-key", "--title", "Zebra").exit_code == 0
    assert texts_in(Path("freeride-provider-zebra")) == without
    source = "".join(text for path, text in without.items() if path.startswith("src/"))
    for word in ("Credential", "ZEBRA_API_KEY", "keys_url", "sign_up", "Probe", "bad-key", "good_key", "key_variable"):
        assert word in "".join(with_key.values())
        assert word not in source, word
    assert "| Key | none is needed |" in without["README.md"]


def test_a_binder_has_no_key_to_be_without() -> None:
    result = new("binder", "zebra", "--no-key")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--no-key is for providers" in result.stderr
    assert list(Path().iterdir()) == []


def test_the_samples_of_a_new_binder_hold() -> None:
    new("binder", "zebra")
    source = Path("freeride-binder-zebra/src/freeride_binder_zebra")
    binder = _load(source / "__init__.py").freeride_register_binder()
    samples: dict[str, Any] = tomllib.loads((source / "samples.toml").read_text("utf-8"))
    endpoint = Endpoint("http://127.0.0.1:11343")

    for sample in samples["sample"]:
        assert binder.edit(sample.get("before"), endpoint) == sample["after"], sample["name"]
        assert binder.edit(sample["after"], endpoint) == sample["after"], sample["name"]
        assert binder.models(sample["after"], Endpoint("http://127.0.0.1:11343")) == ("auto",)
    for refused in samples["refused"]:
        with pytest.raises(Unreadable):
            binder.edit(refused["text"], endpoint)


def _load(path: Path) -> Any:
    spec = spec_from_file_location("freeride_new_binder", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_written_meets_the_rules_of_this_house() -> None:
    for kind, options in FORMS:
        new(kind, f"zebra{len(options)}", *options)
    settings = ["--config", str(ROOT / "pyproject.toml")]
    for command in (
        ["ruff", "check", "--no-cache", *settings, "."],
        ["ruff", "format", "--no-cache", "--check", *settings, "."],
        ["mypy", "--strict", "--cache-dir", ".mypy", *map(str, sorted(Path().glob("*/src/*/__init__.py")))],
    ):
        checked = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=120)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture(scope="session")
def kit(make_site: Callable[[str], Site]) -> Site:
    """An author's environment: the kit, and no plugin."""
    return make_site("freeride-conformance")


@each_form
def test_a_new_package_installs_loads_and_is_certified_as_it_is(
    kind: Kind, options: list[str], kit: Site, uv: Callable[..., None], sources: list[str | Path]
) -> None:
    written = run([kit.freeride, "new", kind, "zebra", *options, "--json"], kit.environ, cwd=Path.cwd())
    assert (written.returncode, written.stderr) == (0, ""), written.stderr
    folder = Path(f"freeride-{kind}-zebra").absolute()
    assert all(Path(path).is_file() for path in json.loads(written.stdout))

    uv(
        "build",
        "--quiet",
        "--wheel",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "--out-dir",
        folder / "dist",
        folder,
    )
    [wheel] = (folder / "dist").glob("*.whl")
    group = f"{folder / 'pyproject.toml'}:dev"
    uv("pip", "install", "--quiet", "--python", kit.python, *sources, wheel, "--group", group)
    listed = json.loads(run([kit.freeride, "plugins", "--json"], kit.environ).stdout)
    certified = run([kit.python, "-m", "pytest", "-p", "no:cacheprovider"], kit.environ, cwd=folder, timeout_s=180)
    rendered = run([kit.python, "-m", "freeride_conformance.render", "."], kit.environ, cwd=folder)

    assert [(row["name"], row["status"]) for row in listed if row["kind"] == kind] == [("zebra", "ok")]
    assert certified.returncode == 0, certified.stdout + certified.stderr
    # Its cases are made up until the author has seen the upstream: that is certified, and not gold.
    verdict = "CERTIFIED" if kind == "provider" else "GOLD"
    assert f"{kind} zebra 0.1.0 (freeride-{kind}-zebra, api 1): {verdict}" in certified.stdout, certified.stdout
    assert (rendered.returncode, rendered.stdout, rendered.stderr) == (0, "", ""), "the README is what the code says"
