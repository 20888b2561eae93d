"""Searches for inputs that break what must hold for any input: coverage-guided, for as long as it is let.

    python -m uv run --group fuzz python tests/fuzz/run.py --minutes 60 [TARGET ...]

Targets take turns, and each turn is a line. Inputs that reached new code are kept in `--folder`, so that another run goes on
from there. One that breaks something ends its target's search; at the end it is named, with the command that shows it again,
and the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PATHS = os.pathsep.join((str(TESTS), str(TESTS / "support")))
"""Where targets are, and what they share with tests."""
TURN_S = 60.0
_STATUS = re.compile(rb"#(\d+)\t.*?cov: (\d+).*?corp: (\d+)")
_BROKEN_BY = re.compile(rb"Test unit written to (\S+)")
_LIMITS = ("-max_len=4096", "-len_control=0", "-timeout=20", "-rss_limit_mb=2048")


class Search:
    """One target's search so far."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.log = folder / name / "log"
        self.finding: Path | None = None
        """What has broken it."""
        self._folder = folder / name
        self._inputs = 0

    def prepare(self, seeds: Iterable[bytes], words: Iterable[bytes]) -> None:
        """Writes down what to begin with."""
        kept = self._folder / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds):
            (kept / f"seed-{number}").write_bytes(seed)
        lines = ['"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words]
        (self._folder / "words").write_text("".join(lines))

    def take_turn(self, seconds: float) -> str:
        """Searches for so long. Gives a line for people."""
        command = [sys.executable, "-m", "fuzz.search", self.name, str(self._folder / "kept"), *_LIMITS]
        command += [f"-dict={self._folder / 'words'}", f"-artifact_prefix={self._folder}/"]
        command += [f"-max_total_time={max(1, round(seconds))}"]
        environ = {**os.environ, "PYTHONPATH": PATHS, "FREERIDE_TELEMETRY": "off"}
        with self.log.open("wb") as log:
            code = subprocess.call(command, stdout=log, stderr=log, env=environ)
        written = self.log.read_bytes()
        inputs, places, kept = map(int, (_STATUS.findall(written) or [(0, 0, 0)])[-1])
        self._inputs += inputs
        if code != 0:
            broken_by = _BROKEN_BY.search(written)
            self.finding = Path(os.fsdecode(broken_by[1])) if broken_by else self.log
        verdict = "" if self.finding is None else "  BROKEN"
        return f"{self.name:<14}{self._inputs:>12,} inputs {places:>6} places reached {kept:>5} kept{verdict}"


def main() -> int:
    sys.path[:0] = PATHS.split(os.pathsep)
    from fuzz.targets import NAMES, load_target

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"{', '.join(NAMES)}; all of them if none is named"
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, default=TESTS.parent / ".fuzz", help="where inputs are kept")
    given = parser.parse_args()
    if unknown := set(given.targets).difference(NAMES):
        parser.error(f"there is no target {', '.join(unknown)}")
    searches = [Search(name, given.folder.resolve()) for name in given.targets or NAMES]
    for search in searches:
        target = load_target(search.name)
        search.prepare(target.seeds, target.words)
    search_in_turns(searches, given.minutes * 60)
    broken = [search for search in searches if search.finding is not None]
    for search in broken:
        again = f"PYTHONPATH={PATHS} {sys.executable} -m fuzz.search {search.name} {search.finding}"
        print(f"{search.name} is broken by {search.finding}; why is in {search.log}. Again: {again}", file=sys.stderr)
    return 1 if broken else 0


def search_in_turns(searches: list[Search], seconds: float) -> None:
    ends = time.monotonic() + seconds
    turn_s = min(TURN_S, seconds / len(searches))
    while going := [search for search in searches if search.finding is None]:
        for search in going:
            if time.monotonic() >= ends:
                return
            print(time.strftime("%H:%M:%S"), search.take_turn(turn_s), flush=True)


if __name__ == "__main__":
    sys.exit(main())
