"""For core's own tests: distributions that exist for one test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distributions import dist, make_site, sources, uv
from outside_plugins import beside_core, places, publish, published

__all__ = ["beside_core", "dist", "install", "make_site", "places", "publish", "published", "sources", "uv"]

Install = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def _all_leave() -> Iterator[None]:
    yield
    if "fake_upstream" in sys.modules:
        sys.modules["fake_upstream"].wait_until_all_have_left()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs throw-away distributions: a `dist-info` and a module in a folder that is on `sys.path` for this test."""
    modules = set(sys.modules)

    def install(distribution: str, entry_points: dict[str, dict[str, str]], **sources: str) -> Path:
        folder = tmp_path / "site" / distribution
        info = folder / f"{distribution.replace('-', '_')}-1.2.3.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2.3\n")
        lines = []
        for group, names in entry_points.items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in names.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for module, source in sources.items():
            (folder / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(folder)
        return folder

    yield install
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
