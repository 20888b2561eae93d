"""Imports point downwards only; `pyproject.toml` says which way that is."""

from __future__ import annotations

import subprocess
import sys

from repository import ROOT


def test_no_import_points_upwards() -> None:
    lint = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    ended = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " 0 broken" in ended.stdout
