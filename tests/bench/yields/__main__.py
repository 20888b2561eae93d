"""Play the cases and print their tables."""

from __future__ import annotations

import argparse
import json
import sys

from bench.yields.cases import CASES, SCHEDULERS
from bench.yields.report import Figures, figures, table

_SEEDS = 3


def main() -> None:
    """Play what the command line names."""
    parser = argparse.ArgumentParser(prog="scripts/bench yield", description=__doc__)
    parser.add_argument("--seed", type=int, help=f"play this seed only; the usual ones are 1 to {_SEEDS}")
    parser.add_argument("--case", choices=tuple(CASES), help="play this case only")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    words = parser.parse_args()
    seeds = range(1, _SEEDS + 1) if words.seed is None else (words.seed,)
    found: dict[str, dict[str, Figures]] = {}
    for name in CASES if words.case is None else (words.case,):
        case = CASES[name]
        found[name] = figures({each: [case.play(each, seed) for seed in seeds] for each in SCHEDULERS})
        if not words.json:
            sys.stdout.write(table(f"{name}: {case.title}", found[name]) + "\n")
            sys.stdout.flush()
    if words.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
