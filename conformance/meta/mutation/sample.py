"""Which mutants a run tries: all of a package that has changed, and of the others a part, another one after each commit."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PART = 6
"""One mutant in so many is tried of a package that is as it was."""


@dataclass(frozen=True, slots=True)
class MutantSample:
    """One mutant in `every`, chosen by the commit and its name."""

    commit: str = ""
    every: int = 1

    def has(self, mutant: str) -> bool:
        return zlib.crc32(f"{self.commit} {mutant}".encode()) % self.every == 0


def samples_of(names: Iterable[str], root: Path = ROOT) -> Mapping[str, MutantSample]:
    """For each provider. A package has changed if its files are not those of the commit before; where no history says so, all
    have."""
    commit, changes = _ask_git(root, "rev-parse", "HEAD"), _ask_git(root, "diff", "--name-only", "HEAD^")
    if commit is None or changes is None:
        return {name: MutantSample() for name in names}
    changed = {path.split("/")[1] for path in changes.splitlines() if path.startswith("freeride_providers/")}
    return {name: MutantSample() if name in changed else MutantSample(commit.strip(), PART) for name in names}


def _ask_git(root: Path, *words: str) -> str | None:
    """What it prints; None where there is no git, no repository or no such commit."""
    try:
        ended = subprocess.run(["git", *words], cwd=root, capture_output=True, encoding="utf-8", timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None
