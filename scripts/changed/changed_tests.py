"""Print the folders and files whose tests concern what has changed, one a line: `python scripts/changed/changed_tests.py`.

A change is what differs from the last commit, or, if nothing does, what the last commit changed. The tests of a room are in the
folder of tests/ with its name, those of a distribution in its own folder. tests/repository concerns every change. Outside of a Git
checkout nothing is printed, which means all tests.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
_CORE = PurePosixPath("freeride_core/src/freeride_core")
_DISTRIBUTIONS = ("freeride_providers", "freeride_binders")
_ALWAYS = "tests/repository"


def places_for(changed: Iterable[str]) -> list[str]:
    """Return the paths to give to pytest for files by their names in the repository."""
    found = {_ALWAYS, *(place for name in changed for place in _places(PurePosixPath(name)) if (ROOT / place).exists())}
    return sorted(place for place in found if not any(_is_below(place, other) for other in found))


def _places(path: PurePosixPath) -> Iterator[str]:
    if path.is_relative_to(_CORE):
        room = path.relative_to(_CORE).parent
        yield f"tests/{room if room.parts else 'contract'}"
    elif path.parts[0] in _DISTRIBUTIONS and len(path.parts) > 2:
        yield "/".join((*path.parts[:2], "tests"))
    elif path.parts[0] == "tests" and path.name.startswith("test_"):
        yield str(path)


def _is_below(place: str, other: str) -> bool:
    return place != other and PurePosixPath(place).is_relative_to(other)


def _git(*words: str) -> list[str]:
    ended = subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stdout.splitlines() if ended.returncode == 0 else []


def changed_files() -> list[str]:
    """Return the names of the files that a change concerns, or none outside of a checkout."""
    own = [*_git("diff", "--name-only", "HEAD"), *_git("ls-files", "--others", "--exclude-standard")]
    return own or _git("diff", "--name-only", "HEAD^", "HEAD")


if __name__ == "__main__":
    if names := changed_files():
        sys.stdout.write("\n".join(places_for(names)) + "\n")
