"""What the mutation of the shipped providers has shown, at the end of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

# The suite that the mutants need is imported where there are some: every run of pytest here reads this file.
if TYPE_CHECKING:
    from meta.mutation.background import Background

_BACKGROUND = pytest.StashKey["Background"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--freeride-all-mutants",
        action="store_true",
        help="try each mutant, also of packages that have not changed, and each that is said to survive",
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """They take minutes, and half of the processor is idle in most tests."""
    config = session.config
    tests = [item for item in session.items if isinstance(item, pytest.Function) and "mutants" in item.fixturenames]
    if tests and not config.option.collectonly:
        from meta.mutation.background import Background
        from meta.mutation.sample import MutantSample, samples_of

        names = [str(test.callspec.params["name"]) for test in tests]
        everything = config.getoption("--freeride-all-mutants")
        samples = {name: MutantSample() for name in names} if everything else samples_of(names)
        config.stash[_BACKGROUND] = Background(samples, everything=everything)
        config.add_cleanup(config.stash[_BACKGROUND].close)


@pytest.fixture(scope="session")
def mutants(pytestconfig: pytest.Config) -> Background:
    """What becomes of the mutants, of all providers that this run asks for."""
    return pytestconfig.stash[_BACKGROUND]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _BACKGROUND not in terminalreporter.config.stash:
        return
    from meta.mutation.survivors import SURVIVORS
    from meta.mutation.tally import TALLIES

    if not TALLIES:
        return
    terminalreporter.section("mutation of the shipped providers")
    for tally in TALLIES.values():
        untried = f", {tally.untried} of the others not tried" if tally.untried else ""
        untried += f", {tally.left_out} left out of this run" if tally.left_out else ""
        terminalreporter.write_line(
            f"{tally.provider}: {tally.killed}/{tally.total} killed{untried}, in {tally.seconds:.0f} s"
        )
    killed, total = (sum(getattr(tally, field) for tally in TALLIES.values()) for field in ("killed", "total"))
    terminalreporter.write_line(f"together: {killed}/{total} killed, {killed / total:.1%}")
    for pattern, reason in SURVIVORS.items():
        names = [name for tally in TALLIES.values() for name in tally.survivors.get(pattern, ())]
        if names:
            terminalreporter.write_line(f"survive: {pattern} ({len(names)}): {reason}")
            for name in names:
                terminalreporter.write_line(f"    {name}")
