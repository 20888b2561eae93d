"""The suite's command-line options, and which installed plugins it is about."""

from __future__ import annotations

import functools

import pytest

from freeride_core.plugins import Plugins, load_plugins

_OPTIONS = {"provider": "--freeride-provider", "binder": "--freeride-binder"}
_NAMES_ITS_PLUGIN = {"provider": "FREERIDE_PROVIDER", "binder": "FREERIDE_BINDER"}
"""The variable by which a module of tests that has imported the suite's tests says which plugin it is about."""
_FAULT = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("freeride", "FreeRide conformance")
    for kind, option in _OPTIONS.items():
        group.addoption(
            option, action="append", default=[], metavar="NAME", help=f"certify this {kind} only; may be repeated"
        )


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """A suite that certifies nothing must not pass."""
    fault = config.stash.get(_FAULT, "")
    if fault:
        raise pytest.UsageError(f"freeride conformance: {fault}")


@functools.cache
def installed() -> Plugins:
    """Every plugin of this environment."""
    return load_plugins()


def chosen(metafunc: pytest.Metafunc, kind: str) -> list[str]:
    """The plugins of a kind that are to be certified. A name that is not there, a broken plugin, or nothing at all ends the
    run as a usage error."""
    config = metafunc.config
    wanted: dict[str, list[str]] = {each: config.getoption(option) for each, option in _OPTIONS.items()}
    own = getattr(metafunc.module, _NAMES_ITS_PLUGIN[kind], None)
    if own is not None:
        wanted = {kind: [own]}
    plugins = installed()
    fault = _fault(plugins, wanted)
    if fault:
        config.stash[_FAULT] = fault
        return []
    there = plugins.providers if kind == "provider" else plugins.binders
    return wanted[kind] if any(wanted.values()) else list(there)


def _fault(plugins: Plugins, wanted: dict[str, list[str]]) -> str:
    rows = {(str(row.kind), row.name): row for row in plugins.rows}
    for kind, names in wanted.items():
        for name in names:
            row = rows.get((kind, name))
            if row is None:
                return f"no {kind} {name!r} is installed"
            if row.status != "ok":
                return f"the {kind} {name!r} cannot be used: {row.reason}"
    if any(wanted.values()):
        return ""
    broken = [f"the {row.kind} {row.name!r} cannot be used: {row.reason}" for row in plugins.rows if row.status != "ok"]
    if broken:
        return "; ".join(broken)
    return "" if plugins.rows else "no FreeRide plugin is installed here, so there is nothing to certify"
