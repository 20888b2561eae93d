"""Which mutants a run tries."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from meta.mutation.sample import PART, MutantSample, samples_of

MUTANTS = [f"acme: rules[{number}] removed" for number in range(400)]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits; the second changes acme."""
    git(tmp_path, "init", "--quiet")
    for text in ("1", "2"):
        (tmp_path / "freeride_providers" / "acme").mkdir(parents=True, exist_ok=True)
        (tmp_path / "freeride_providers" / "acme" / "provider.py").write_text(text)
        (tmp_path / "freeride_providers" / "orbit").mkdir(exist_ok=True)
        (tmp_path / "freeride_providers" / "orbit" / "provider.py").write_text("1")
        git(tmp_path, "add", ".")
        git(tmp_path, "-c", "user.name=A", "-c", "user.email=a@b.invalid", "commit", "--quiet", "--message", text)
    return tmp_path


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def tried(sample: MutantSample) -> set[str]:
    return {mutant for mutant in MUTANTS if sample.has(mutant)}


def test_all_are_tried_of_a_changed_package_and_a_part_of_the_others(repository: Path) -> None:
    samples = samples_of(("acme", "orbit"), repository)
    assert tried(samples["acme"]) == set(MUTANTS)
    assert len(MUTANTS) / PART / 2 < len(tried(samples["orbit"])) < len(MUTANTS) / PART * 2


def test_a_change_that_is_not_committed_counts(repository: Path) -> None:
    (repository / "freeride_providers" / "orbit" / "provider.py").write_text("3")
    assert tried(samples_of(("orbit",), repository)["orbit"]) == set(MUTANTS)


def test_all_are_tried_where_no_history_says_what_has_changed(tmp_path: Path) -> None:
    assert tried(samples_of(("acme",), tmp_path)["acme"]) == set(MUTANTS)


def test_after_enough_commits_each_has_been_tried() -> None:
    commits = [f"{number:040x}" for number in range(60)]
    assert set().union(*(tried(MutantSample(commit, PART)) for commit in commits)) == set(MUTANTS)
