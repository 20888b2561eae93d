"""Renders plugin packages again from the template: `python -P -m freeride_conformance.render [--whole] FOLDER ...`.

Of a package in a repository of its own, the README's head is rendered, from what the installed plugin states. `--whole`, for the
members of a workspace, also writes what they all share: `pyproject.toml`, `py.typed` and the certifying test.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from freeride_conformance.template import package_in, readme_of, shared_files


def rendered(root: Path, *, whole: bool) -> dict[Path, str]:
    """The texts that the package in this folder should have, by path. ValueError: it cannot be rendered."""
    package = package_in(root)
    files = {root / path: text for path, text in shared_files(package).items()} if whole else {}
    readme = root / "README.md"
    return {**files, readme: readme_of(package, readme.read_text("utf-8"))}


def main(arguments: Sequence[str]) -> int:
    """Writes what differs, and says what was written."""
    parser = argparse.ArgumentParser(prog="python -P -m freeride_conformance.render", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--whole", action="store_true", help="for the members of a workspace")
    options = parser.parse_args(arguments)
    for folder in options.folders:
        try:
            files = rendered(folder, whole=options.whole)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
        for path, text in files.items():
            if not path.is_file() or path.read_text("utf-8") != text:
                path.write_text(text, "utf-8", newline="\n")
                sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
