"""What the mutation of the shipped providers has shown, at the end of the run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

# The suite that the mutants need is imported where there are some: every run of pytest here reads this file.
_BACKGROUND = pytest.StashKey[object]()
_RESULTS = pytest.StashKey[Path]()
_MUTATED = re.compile(r".*/test_mutants\.py::test_the_suite_kills\w+\[(\w+)\]")
_WORKER_KEY = "freeride_mutants"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--freeride-all-mutants",
        action="store_true",
        help="try each mutant, also of packages that have not changed, and each that is said to survive",
    )


def pytest_configure(config: pytest.Config) -> None:
    if (given := _given(config)) is not None:
        config.stash[_RESULTS] = given
        return
    folder = tempfile.TemporaryDirectory(prefix="freeride-tallies-")
    config.add_cleanup(folder.cleanup)
    config.stash[_RESULTS] = Path(folder.name)
    if config.pluginmanager.has_plugin("xdist"):
        config.pluginmanager.register(_Controller(config))


def _given(config: pytest.Config) -> Path | None:
    """The folder of the process that reports, where this one is told tests by it."""
    folder = getattr(config, "workerinput", {}).get(_WORKER_KEY)
    return None if folder is None else Path(folder)


class _Controller:
    """Where several processes share the tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_WORKER_KEY] = str(self._config.stash[_RESULTS])

    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        _begin(self._config, ids)


def pytest_collection_finish(session: pytest.Session) -> None:
    """They take minutes, and half of the processor is idle in most tests."""
    if not session.config.option.collectonly and _given(session.config) is None:
        _begin(session.config, (item.nodeid for item in session.items))


def _begin(config: pytest.Config, ids: Iterable[str]) -> None:
    names = [found[1] for each in ids if (found := _MUTATED.fullmatch(each))]
    if not names or _BACKGROUND in config.stash:
        return
    from meta.mutation.background import Background
    from meta.mutation.sample import MutantSample, samples_of

    everything = config.getoption("--freeride-all-mutants")
    samples = {name: MutantSample() for name in names} if everything else samples_of(names)
    background = config.stash[_BACKGROUND] = Background(samples, config.stash[_RESULTS], everything=everything)
    config.add_cleanup(background.close)


@pytest.fixture(scope="session")
def tallies(pytestconfig: pytest.Config) -> Path:
    """The folder where `wait_for_tally` finds what became of the mutants."""
    return pytestconfig.stash[_RESULTS]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    config = terminalreporter.config
    if _BACKGROUND in config.stash:
        terminalreporter.section("mutation of the shipped providers")
        for line in _summary(config.stash[_RESULTS]):
            terminalreporter.write_line(line)


def _summary(results: Path) -> Iterator[str]:
    from meta.mutation.background import wait_for_tally
    from meta.mutation.survivors import SURVIVORS

    tallies = [wait_for_tally(results, path.name) for path in sorted(results.iterdir()) if not path.suffix]
    for tally in tallies:
        untried = f", {tally.untried} of the others not tried" if tally.untried else ""
        untried += f", {tally.left_out} left out of this run" if tally.left_out else ""
        yield f"{tally.provider}: {tally.killed}/{tally.total} killed{untried}, in {tally.seconds:.0f} s"
    killed, total = (sum(getattr(tally, field) for tally in tallies) for field in ("killed", "total"))
    yield f"together: {killed}/{total} killed, {killed / max(total, 1):.1%}"
    for pattern, reason in SURVIVORS.items():
        names = [name for tally in tallies for name in tally.survivors.get(pattern, ())]
        if names:
            yield f"survive: {pattern} ({len(names)}): {reason}"
            yield from (f"    {name}" for name in names)
