"""What strangers publish: their distributions, built from `third_party`, and an environment in which they stand next to core."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from distributions import Site
from programs import Program, clean_environ, post, run, serving
from repository import TESTS

HERE = TESTS / "third_party"
ROWS = [
    ("binder", "acmecode", "freeride-binder-acmecode", "0.2.1"),
    ("provider", "acme", "freeride-provider-acme", "1.4.0"),
    ("provider", "orbit", "freeride-provider-orbit", "0.3.0"),
]
STRANGERS = [distribution for _, _, distribution, _ in ROWS]
MODELS = {"acme": "acme/anvil-70b", "orbit": "models/nova-large"}

Uv = Callable[..., None]
MakeSite = Callable[[str], Site]
Publish = Callable[..., Path]


@pytest.fixture(scope="session")
def publish(uv: Uv, tmp_path_factory: pytest.TempPathFactory) -> Publish:
    """Builds one of them somewhere else, with words replaced in all that is written in it; gives the folder of the wheel."""

    def publish(name: str, **replaced: str) -> Path:
        source = tmp_path_factory.mktemp("stranger") / name
        shutil.copytree(HERE / name, source, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        for old, new in replaced.items():
            for path in sorted(source.rglob("*"), reverse=True):
                if path.is_file():
                    for spelled, instead in ((old, new), (old.replace("_", "-"), new.replace("_", "-"))):
                        path.write_text(path.read_text("utf-8").replace(spelled, instead), "utf-8")
                path.rename(path.with_name(path.name.replace(old, new)))
        uv("build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, source)
        return source / "dist"

    return publish


@pytest.fixture(scope="session")
def published(publish: Publish) -> dict[str, Path]:
    """The folder of each one's wheel, by the plugin's name."""
    return {name: publish(name) for _, name, *_ in ROWS}


@pytest.fixture(scope="session")
def places(published: dict[str, Path]) -> list[str | Path]:
    """The options with which an installer finds them."""
    return [word for folder in published.values() for word in ("--find-links", folder)]


@pytest.fixture(scope="session")
def beside_core(make_site: MakeSite, uv: Uv, sources: list[str | Path], places: list[str | Path]) -> Site:
    """All three, next to core alone."""
    site = make_site("freeride-core")
    uv("pip", "install", "--quiet", "--python", site.python, *sources, *places, *STRANGERS)
    return site


def rows_of(site: Site) -> list[dict[str, Any]]:
    """What `freeride plugins` shows, in a stable order."""
    result = run([site.freeride, "plugins", "--json"], site.environ)
    assert result.returncode == 0, result.stderr
    return sorted(json.loads(result.stdout), key=lambda row: (row["kind"], row["name"], row["distribution"]))


def brief(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Rows that are all ok, in the form of `ROWS`."""
    assert {row["status"] for row in rows} <= {"ok"}, rows
    return [(row["kind"], row["name"], row["distribution"], row["version"]) for row in rows]


@contextmanager
def fronted(site: Site, *names: str, case: str | None = None, **environ: str) -> Iterator[str]:
    """`freeride serve` with a home of its own in front of these providers, each simulated, with `case` as its only answer;
    gives the gateway's root."""
    words = [*names, *(["--case", case] if case else []), "--json"]
    with (
        tempfile.TemporaryDirectory(prefix="freeride-") as home,
        Program([site.freeride, "simulate", *words], site.environ) as simulators,
    ):
        variables = json.loads(simulators.wait_for(r"^(\{.*\})$"))["env"]
        with serving([site.freeride], clean_environ(Path(home)) | variables | environ) as url:
            yield url


def ask(url: str, name: str, text: str = "Hello?", **more: object) -> httpx.Response:
    """The good answer of this provider's own model."""
    body = {"model": MODELS[name], "messages": [{"role": "user", "content": text}], **more}
    answer = post(f"{url}/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-freeride-provider"] == name
    return answer
