"""Checks the English of documentation, docstrings, comments and messages.

`python scripts/prose [FILE...]` prints one line for each place to rewrite, and exits with 1 if there is one. Without arguments,
it reads the files of `PAGES` and `CODE`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from prose_rules import faults_in, terms_of
from prose_texts import passages_in

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "*.md",
    "docs/**/*.md",
    ".github/**/*.md",
    "conformance/README.md",
    "freeride_*/**/README.md",
    "skills/README.md",
)
CODE = (
    "freeride_core/src/freeride_core/**/*.py",
    "freeride_providers/*/src/**/*.py",
    "freeride_binders/*/src/**/*.py",
    "conformance/src/**/*.py",
    "scripts/*/*.py",
)
_RELEASED = re.compile(r"\n## \[\d")
"""Where the changelog's history begins, which is not rewritten."""


def files_of(names: Sequence[str] = ()) -> list[Path]:
    """Return the named files, or all that are to be clean."""
    if names:
        return [Path(name) for name in names]
    return sorted({path for pattern in (*PAGES, *CODE) for path in ROOT.glob(pattern)})


def faults_of(paths: Sequence[Path]) -> Iterator[str]:
    """Yield one line for each place to rewrite."""
    terms = terms_of((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    for path in paths:
        released = _RELEASED.search(path.read_text("utf-8")) if path.name == "CHANGELOG.md" else None
        last = path.read_text("utf-8").count("\n", 0, released.start()) if released else None
        for fault in sorted(faults_in(passages_in(path), terms), key=lambda fault: fault.line):
            if last is None or fault.line <= last:
                yield f"{path.resolve().relative_to(ROOT) if path.is_relative_to(ROOT) else path}:{fault}"


def main(names: Sequence[str]) -> int:
    """Print the places to rewrite; return the exit code."""
    faults = list(faults_of(files_of(names)))
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0
