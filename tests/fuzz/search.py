"""One target's search, in a process of its own: `python -m fuzz.search TARGET [options of libFuzzer]`. `run.py` starts it."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import distributions

import atheris


def main() -> None:
    logging.disable()
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=_included()):
        from fuzz.targets import load_target

        target = load_target(name)
    atheris.Setup([sys.argv[0], *options], target.check)
    atheris.Fuzz()


def _included() -> list[str]:
    """The product's packages, which are named like their distributions, and those that read texts for it."""
    own = {dist.name.replace("-", "_") for dist in distributions() if dist.name.startswith("freeride-")}
    return [*sorted(own), "ruamel.yaml", "dotenv"]


if __name__ == "__main__":
    main()
