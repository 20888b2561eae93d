"""What the mutation of the shipped providers has shown, at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

# The suite that the mutants need is imported where there are some: every run of pytest here reads this file.
if TYPE_CHECKING:
    from meta.mutation.background import Background

_BACKGROUND = pytest.StashKey["Background"]()
_SHOWN = pytest.StashKey[list[str]]()
_WORKER_KEY = "freeride_mutants"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--freeride-all-mutants",
        action="store_true",
        help="try each mutant, also of packages that have not changed, and each that is said to survive",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SHOWN] = []
    if config.pluginmanager.has_plugin("xdist"):
        config.pluginmanager.register(_Controller(config.stash[_SHOWN]))


class _Controller:
    """Where several processes share the tests, the one that reports hears from the one that tried the mutants."""

    def __init__(self, shown: list[str]) -> None:
        self._shown = shown

    def pytest_testnodedown(self, node: Any) -> None:
        self._shown += getattr(node, "workeroutput", {}).get(_WORKER_KEY, ())


def pytest_collection_finish(session: pytest.Session) -> None:
    """They take minutes, and half of the processor is idle in most tests. Of several processes that share the tests only the one
    that has these begins, when it comes to them."""
    config = session.config
    if not config.option.collectonly and not hasattr(config, "workerinput"):
        _begin(config, session.items)


def _begin(config: pytest.Config, items: list[pytest.Item]) -> None:
    tests = [item for item in items if isinstance(item, pytest.Function) and "mutants" in item.fixturenames]
    if not tests or _BACKGROUND in config.stash:
        return
    from meta.mutation.background import Background
    from meta.mutation.sample import MutantSample, samples_of

    names = [str(test.callspec.params["name"]) for test in tests]
    everything = config.getoption("--freeride-all-mutants")
    samples = {name: MutantSample() for name in names} if everything else samples_of(names)
    config.stash[_BACKGROUND] = Background(samples, everything=everything)
    config.add_cleanup(config.stash[_BACKGROUND].close)


@pytest.fixture(scope="session")
def mutants(request: pytest.FixtureRequest) -> Iterator[Background]:
    """What becomes of the mutants, of all providers that this run asks for."""
    _begin(request.config, request.session.items)
    yield request.config.stash[_BACKGROUND]
    request.config.stash[_SHOWN] += _summary()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_WORKER_KEY] = session.config.stash[_SHOWN]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    shown = terminalreporter.config.stash[_SHOWN]
    if shown:
        terminalreporter.section("mutation of the shipped providers")
    for line in shown:
        terminalreporter.write_line(line)


def _summary() -> Iterator[str]:
    from meta.mutation.survivors import SURVIVORS
    from meta.mutation.tally import TALLIES

    for tally in TALLIES.values():
        untried = f", {tally.untried} of the others not tried" if tally.untried else ""
        untried += f", {tally.left_out} left out of this run" if tally.left_out else ""
        yield f"{tally.provider}: {tally.killed}/{tally.total} killed{untried}, in {tally.seconds:.0f} s"
    killed, total = (sum(getattr(tally, field) for tally in TALLIES.values()) for field in ("killed", "total"))
    yield f"together: {killed}/{total} killed, {killed / max(total, 1):.1%}"
    for pattern, reason in SURVIVORS.items():
        names = [name for tally in TALLIES.values() for name in tally.survivors.get(pattern, ())]
        if names:
            yield f"survive: {pattern} ({len(names)}): {reason}"
            yield from (f"    {name}" for name in names)
