"""Where the files of this repository are that tests read and run."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
SUPPORT = TESTS / "support"
"""The modules that tests share: on the path of pytest, and of the programs that tests start."""
PROFILES = SUPPORT / "profiles"
"""Simulator profiles of providers that do not exist."""
