"""Writes every page, and every table in a page, that comes from the code: `python scripts/docs`."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUPPORT = HERE.parents[1] / "tests" / "support"
"""The table of faults is the tests' own."""


def write_pages() -> None:
    """Write the pages that differ, remove those without a subject, and print their paths."""
    sys.path.append(str(SUPPORT))
    from pages import FOLDERS, pages

    wanted = pages()
    for folder in FOLDERS:
        folder.mkdir(exist_ok=True)
        for path in set(folder.glob("*.md")) - set(wanted):
            path.unlink()
            sys.stdout.write(f"removed {path}\n")
    for path, text in wanted.items():
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8", newline="\n")
            sys.stdout.write(f"{path}\n")


def main() -> int:
    """Run in the environment of the repository; uv makes it where this Python is another."""
    os.environ["NO_COLOR"] = "1"
    if find_spec("freeride_conformance") is not None:
        write_pages()
        return 0
    if find_spec("uv") is None:
        sys.stderr.write(f"uv is not installed for {sys.executable}. Run: {sys.executable} -m pip install uv\n")
        return 1
    return subprocess.run([sys.executable, "-m", "uv", "run", "python", HERE], cwd=HERE.parents[1]).returncode


if __name__ == "__main__":
    sys.exit(main())
