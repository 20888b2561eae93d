"""The suite as a pytest plugin: its options, which plugins it is about, and its report.

Loaded with every run of pytest where the suite is installed, so nothing else is imported until it is needed.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from freeride_conformance.session import Session
    from freeride_conformance.subject import Kind

_KINDS: tuple[Kind, ...] = ("provider", "binder")
_SESSION = pytest.StashKey["Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("freeride", "FreeRide conformance")
    for kind in _KINDS:
        group.addoption(
            f"--freeride-{kind}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"certify this {kind}; may be repeated; without any: everything that is installed",
        )
    group.addoption("--freeride-gold", action="store_true", help="what is missing for gold fails the run")
    group.addoption("--freeride-report", metavar="FILE", type=Path, help="write the report as JSON")


def session_of(config: pytest.Config) -> Session:
    """What this run certifies, and what it has found so far."""
    from freeride_conformance.session import Session

    if _SESSION not in config.stash:
        config.stash[_SESSION] = Session()
    return config.stash[_SESSION]


def wanted_by(metafunc: pytest.Metafunc) -> dict[Kind, list[str]]:
    """The plugins that a test module, or else the command line, names."""
    names = {kind: getattr(metafunc.module, f"FREERIDE_{kind.upper()}", None) for kind in _KINDS}
    if any(names.values()):
        return {kind: [name] if name else [] for kind, name in names.items()}
    return {kind: metafunc.config.getoption(f"--freeride-{kind}") for kind in _KINDS}


def pytest_configure(config: pytest.Config) -> None:
    """A report that could not be written is known before the work is done; an older one does not outlive this run."""
    path: Path | None = config.getoption("--freeride-report", None)
    if path is not None:
        if not path.absolute().parent.is_dir():
            raise pytest.UsageError(f"freeride conformance: there is no folder {path.absolute().parent}")
        path.unlink(missing_ok=True)


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """A run that certifies nothing must not pass."""
    session = config.stash.get(_SESSION, None)
    if session is not None and session.fault:
        raise pytest.UsageError(f"freeride conformance: {session.fault}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    session = item.config.stash.get(_SESSION, None)
    if session is not None and call.when == "call" and isinstance(item, pytest.Function):
        from freeride_conformance.rule import Check

        check = item.callspec.params.get("check") if hasattr(item, "callspec") else None
        if isinstance(check, Check):
            session.note(check, report.outcome, call.duration)
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    session = config.stash.get(_SESSION, None)
    if session is None or not session.findings:
        return
    from freeride_conformance.report import lines_for_people

    terminalreporter.section("FreeRide conformance")
    for line in lines_for_people(session.report()):
        terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    certified = session.config.stash.get(_SESSION, None)
    if certified is None:
        return
    from freeride_conformance.rig import wait_until_closed

    wait_until_closed()
    path: Path | None = session.config.getoption("--freeride-report")
    if path is not None and certified.findings:
        certified.write(path)
