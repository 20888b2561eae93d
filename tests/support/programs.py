"""Programs that tests run as a user would: with an environment and a home of their own, and what they print, line by line."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

_KEPT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "TMPDIR")


def write_script(path: Path, source: str) -> None:
    """Writes a program that this interpreter runs, wherever it is: a first line with its path must have no blank in it."""
    path.write_text(f"""#!/bin/sh\n'exec' '{sys.executable}' "$0" "$@"\n{source}""", "utf-8")
    path.chmod(0o755)


def script_of(distribution: str, name: str) -> Path:
    """The command that an installer has made of a distribution's entry point, wherever the environment keeps its commands."""
    files = metadata.files(distribution) or ()
    (script,) = [file for file in files if file.stem == name and file.parent.name in ("bin", "Scripts")]
    return Path(str(script.locate())).resolve()


def clean_environ(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a program gets to see: this home, nothing that anybody configured, and `more`."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    own = {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "FREERIDE_HOME": str(home / ".freeride"),
        "FREERIDE_TELEMETRY": "off",
        "DO_NOT_TRACK": "1",
        "FREERIDE_TELEMETRY_ENDPOINT": "http://127.0.0.1:9/nowhere",
        "PYTHONIOENCODING": "utf-8",
    }
    return kept | own | dict(more or {})


def loopback_environ(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """What an agent gets to see: a home of its own, a terminal without colours, and a way to loopback only."""
    nowhere = "http://127.0.0.1:9"
    own = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "CACHE", "STATE")}
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        own |= {name: nowhere, name.lower(): nowhere}
    own |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    return clean_environ(home, {**own, "TERM": "dumb", "NO_COLOR": "1", "CI": "1", "LANG": "C.UTF-8", **more})


def run(
    command: Sequence[str | Path], environ: Mapping[str, str], *, cwd: Path | None = None, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """A program that ends by itself, and what it said; it reads nothing."""
    return subprocess.run(
        [str(word) for word in command],
        env=dict(environ),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
    )


@contextmanager
def started(
    command: Sequence[str | Path], environ: Mapping[str, str] | None = None, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """A program that runs beside the test, and is gone when the test leaves, however it leaves. `Popen` as a context of its
    own waits for the end without a limit. It speaks UTF-8 through pipes and reads nothing, unless `options` say otherwise."""
    usual = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    process = subprocess.Popen(
        [str(word) for word in command], env=None if environ is None else dict(environ), **{**usual, **options}
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


class Program:
    """A context in which a program runs; it is asked to stop at the end."""

    def __init__(self, command: Sequence[str | Path], environ: Mapping[str, str]) -> None:
        self._command = [str(word) for word in command]
        self._environ = dict(environ)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        """What `wait_for` has not seen. None: there will be no more."""
        self.output = ""
        """All that it has printed so far, on stdout and stderr."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._reader.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for(self, pattern: str, timeout_s: float = 30.0) -> str:
        """The first group of the pattern in the next line that has it."""
        due = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                missed = f"has not printed {pattern!r} in {timeout_s} s"
                break
            if line is None:
                self._lines.put(None)
                missed = f"ended without printing {pattern!r}"
                break
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"{self._command} {missed}, but: {self.output}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output += line
            self._lines.put(line)
        self._lines.put(None)


@contextmanager
def serving(freeride: Sequence[str | Path], environ: Mapping[str, str]) -> Iterator[str]:
    """`freeride serve` on a port of its own; gives the gateway's root."""
    with Program([*freeride, "serve", "--port", "0"], environ) as program:
        yield program.wait_for(r"listening on (http://127\.0\.0\.1:\d+)$")


def post(url: str, body: object) -> httpx.Response:
    """As a client without any settings of the machine does."""
    return httpx.post(url, json=body, trust_env=False, verify=False, timeout=30)
