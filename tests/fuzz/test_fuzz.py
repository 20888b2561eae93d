"""What must hold for any bytes, for some seconds of them. `tests/fuzz/run.py` searches for longer, and looks where it gets to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets import NAMES, load_target

TARGETS = {name: load_target(name) for name in NAMES}
SEEDS = [
    pytest.param(name, seed, id=f"{name}-{number}")
    for name, target in TARGETS.items()
    for number, seed in enumerate(target.seeds)
]
RUN = Path(__file__).with_name("run.py")
FINDINGS = [
    pytest.param("stream", b"\0\0\0\0" + stream, id=what)
    for what, stream in {
        "a finish reason that begins in one event and ends in the next": b':{},"finish_reason"\r\r:"\n\n',
        "a blank line that could be half of another": b"y: 3\n\n\n\r]",
        "an error after a blank line in two halves": b': c\r\n\r\nevent: error\r\ndata: {"error":1}\r\n\r\n',
    }.items()
] + [
    pytest.param("configuration", b"FREERIDE_EVENTS_PATH=~\0", id="a path with a NUL"),
    pytest.param("configuration", b"OPENROUTER_API_KEY=OPENROUTER", id="a key that is called like its variable"),
    pytest.param("binding", b"\0%YAML 1.14444\n---\na: b\n", id="a version of YAML that there is not"),
    pytest.param("configuration", b'\n====\n"a\\nb_BASE_URL" = []', id="a name of two lines"),
    pytest.param(
        "arrival",
        b"\x10'0\x03POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nbodyGET / HTTP/1.0\r\n\r\ns",
        id="a body with another protocol",
    ),
]
"""What a search has found, once it was understood."""


@st.composite
def altered(draw: st.DrawFn, name: str) -> bytes:
    """A seed in which pieces are left out, repeated, swapped for others, or words put in."""
    target = TARGETS[name]
    data = draw(st.sampled_from(target.seeds))
    for _ in range(draw(st.integers(0, 6))):
        at, size = draw(st.integers(0, len(data))), draw(st.integers(0, 24))
        piece = draw(st.sampled_from(target.words) | st.binary(max_size=3) | st.just(data[at : at + size] * 2))
        data = data[:at] + piece + data[at + draw(st.sampled_from([0, size])) :]
    return data


@pytest.mark.parametrize(("name", "data"), [*SEEDS, *FINDINGS])
def test_it_holds_for_every_seed_and_for_what_once_broke_it(name: str, data: bytes) -> None:
    TARGETS[name].check(data)


@pytest.mark.parametrize("name", NAMES)
def test_it_holds_for_any_bytes(name: str) -> None:
    @settings(max_examples=100 if name == "binding" else 250)
    @given(altered(name) | st.binary(max_size=200))
    def holds(data: bytes) -> None:
        TARGETS[name].check(data)

    holds()


def test_the_longer_search_says_what_it_has_done_and_what_it_has_found(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="needs `--group fuzz`")
    command = [sys.executable, str(RUN), "--minutes", "0.05", "--folder", str(tmp_path), "stream"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert " inputs " in ended.stdout
