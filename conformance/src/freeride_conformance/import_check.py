"""Loads one plugin in an interpreter of its own, and tells as JSON what that did.

Run as `python -P -m freeride_conformance.import_check KIND NAME PACKAGE`; `visit` does so, once for each plugin.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from freeride_core.system.programs import python_command, python_environ

_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Loaded:
    """How a core took to the plugin."""

    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What loading the plugin did."""

    here: Loaded
    older_core: Loaded
    """A core that speaks the version before the one that is installed."""
    newer_core: Loaded
    """A core that speaks neither this version nor the next."""
    modules: tuple[str, ...]
    """What was imported that the core had not imported before."""
    touched: tuple[str, ...]
    milliseconds: float


@functools.lru_cache(maxsize=256)
def visit(kind: str, name: str, package: str, path: tuple[str, ...]) -> ImportReport:
    """The visit to a plugin; `path` holds folders that must be on `sys.path`."""
    environ = python_environ()
    environ["PYTHONPATH"] = os.pathsep.join([*path, *filter(None, [environ.get("PYTHONPATH")])])
    result = subprocess.run(
        python_command("freeride_conformance.import_check", kind, name, package),
        env=environ,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_TIMEOUT_S,
        check=False,
    )
    if result.returncode:
        raise AssertionError(f"an interpreter that loads it ends with {result.returncode}: {result.stderr[-800:]}")
    told = json.loads(result.stdout.splitlines()[-1])
    return ImportReport(
        here=Loaded(**told["here"]),
        older_core=Loaded(**told["older_core"]),
        newer_core=Loaded(**told["newer_core"]),
        modules=tuple(told["modules"]),
        touched=tuple(told["touched"]),
        milliseconds=told["milliseconds"],
    )


def _main(kind: str, name: str, package: str) -> dict[str, Any]:
    import freeride_core
    from freeride_conformance.audit import watching
    from freeride_core import hookspecs
    from freeride_core.plugins import discovery as loader
    from freeride_core.plugins import validation

    def load() -> dict[str, str]:
        row = loader.row_of(kind, name)  # type: ignore[arg-type] # checked by who calls
        return {"status": row.status, "reason": row.reason}

    loader.load_plugins(())  # what the core itself imports late is not the plugin's doing
    before = set(sys.modules)
    started = time.perf_counter()
    with watching(package, may_read=True) as watch:
        here = load()
    milliseconds = (time.perf_counter() - started) * 1000
    modules = sorted(set(sys.modules) - before)

    def load_under(version: int) -> dict[str, str]:
        for module in [module for module in sys.modules if module.partition(".")[0] == package]:
            del sys.modules[module]
        for holder in (freeride_core, hookspecs, validation):
            vars(holder)["API_VERSION"] = version  # as another core would have it
        return load()

    spoken = hookspecs.API_VERSION
    return {
        "here": here,
        "older_core": load_under(spoken - 1),
        "newer_core": load_under(spoken + 2),
        "modules": modules,
        "touched": watch.touched,
        "milliseconds": milliseconds,
    }


if __name__ == "__main__":
    print(json.dumps(_main(*sys.argv[1:])))  # noqa: T201 - this is what it is asked for
