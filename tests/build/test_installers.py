"""The installers at the root, as a user runs them: with a home that holds nothing, from a folder of our own wheels."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import uv as uv_distribution

from distributions import BINDERS, PROVIDERS
from freeride_core import __version__
from programs import clean_environ, run
from repository import ROOT

WANTED = "freeride-gateway>=0.5"
TOOLS = ("cat", "ln", "mkdir", "mktemp", "rm", "sh")
FAKE_UV = """#!/bin/sh
echo "$@" >>"$HOME/uv-was-asked"
if [ "$1 $2" = "tool dir" ]; then echo "$HOME/.local/bin"; exit; fi
printf '#!/bin/sh\\necho freeride 9\\n' >"$HOME/.local/bin/freeride"
chmod +x "$HOME/.local/bin/freeride"
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="install.ps1 is for there")


@pytest.fixture(params=["bash", "dash"])
def shell(request: pytest.FixtureRequest) -> str:
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"there is no {request.param} here")
    return str(found)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """All that is on the user's path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in (*TOOLS, "chmod"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


@pytest.fixture
def environ(programs: Path, tmp_path: Path) -> dict[str, str]:
    own = {"UV_OFFLINE": "1", "UV_NO_CONFIG": "1", "UV_PYTHON": sys.executable, "PATH": str(programs)}
    return clean_environ(tmp_path / "user", own | {"UV_CACHE_DIR": str(tmp_path / "cache")})


@pytest.fixture
def index(sources: list[str | Path], tmp_path: Path) -> Path:
    """One folder with all wheels."""
    folder = tmp_path / "index"
    folder.mkdir()
    for place in (each for each in sources if isinstance(each, Path)):
        for wheel in place.glob("*.whl"):
            (folder / wheel.name).symlink_to(wheel)
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def asked(environ: Mapping[str, str]) -> list[str]:
    """What the false uv was asked for."""
    return (Path(environ["HOME"]) / "uv-was-asked").read_text().splitlines()


@posix
def test_it_installs_from_a_folder_says_so_first_and_can_be_run_again(
    shell: str, environ: dict[str, str], programs: Path, index: Path, tmp_path: Path
) -> None:
    uv = uv_distribution.find_uv_bin()
    (programs / "uv").symlink_to(uv)
    environ |= {"FREERIDE_INDEX": str(index), "XDG_DATA_HOME": str(tmp_path / "user" / "data")}
    for _ in range(2):
        ended = run([shell, ROOT / "install.sh"], environ, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        words = ["tool", "install", "--upgrade", "--no-index", "--find-links", str(index), WANTED]
        announced = f"running: {shlex.join([str(programs / 'uv'), *words])}"
        assert ended.stdout.splitlines()[0] == f"freeride: {announced}"
        [folder] = re.findall(rf"freeride {re.escape(__version__)} is installed in (.+)", ended.stdout)
        assert f'export PATH="{folder}:$PATH"' in ended.stdout
    command = Path(folder) / "freeride"
    assert command.is_relative_to(tmp_path)
    listed = run([command, "plugins"], environ)
    assert [name for name in (*PROVIDERS, *BINDERS) if f" {name} " not in listed.stdout] == []
    hinted = run([shell, ROOT / "install.sh"], environ | {"PATH": f"{programs}:{folder}"}, cwd=tmp_path)
    assert "export PATH" not in hinted.stdout


@posix
def test_a_dry_run_and_the_help_do_nothing(shell: str, environ: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "bin" / "curl", "#!/bin/sh\nexit 9\n")
    shown = run([shell, ROOT / "install.sh", "--dry-run"], environ, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert [line.partition(": ")[2] for line in shown.stdout.splitlines()][
        -1
    ] == f"running: uv tool install --upgrade '{WANTED}'"
    helped = run([shell, ROOT / "install.sh", "--help"], environ)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "FREERIDE_INDEX" in helped.stdout
    refused = run([shell, ROOT / "install.sh", "--nope"], environ)
    assert refused.returncode == 2
    assert "no option --nope" in refused.stderr
    assert not list((tmp_path / "user").iterdir())


@posix
def test_a_missing_uv_comes_from_its_makers(shell: str, environ: dict[str, str], programs: Path) -> None:
    installer = "mkdir -p ~/.local/bin\ncat >~/.local/bin/uv <<'EOF'\n" + FAKE_UV + "EOF\nchmod +x ~/.local/bin/uv\n"
    write(programs / "curl", f'#!/bin/sh\n[ "$3" = -o ] || exit 1\ncat >"$4" <<\'END\'\n{installer}END\n')
    ended = run([shell, ROOT / "install.sh"], environ)
    assert ended.returncode == 0, ended.stderr
    assert asked(environ) == [f"tool install --upgrade {WANTED}", "tool dir --bin"]
    assert "uv is missing; its makers' installer puts it into" in ended.stdout.splitlines()[0]


@posix
def test_half_of_its_makers_installer_is_never_run(shell: str, environ: dict[str, str], programs: Path) -> None:
    write(programs / "curl", '#!/bin/sh\necho "touch $HOME/ran" >"$4"\nexit 18\n')
    ended = run([shell, ROOT / "install.sh"], environ)
    assert ended.returncode == 1
    assert "uv cannot be had" in ended.stderr
    assert not (Path(environ["HOME"]) / "ran").exists()


@posix
@pytest.mark.parametrize("place", ["folder", "address"])
def test_with_an_index_of_one_s_own_a_missing_uv_comes_from_there(
    shell: str, environ: dict[str, str], programs: Path, tmp_path: Path, place: str
) -> None:
    pip = (
        '#!/bin/sh\necho "$@" >>"$HOME/pip-was-asked"\ncat >"${0%/*}/uv" <<\'EOF\'\n'
        + FAKE_UV
        + 'EOF\nchmod +x "${0%/*}/uv"\n'
    )
    write(
        programs / "python3",
        f'#!/bin/sh\nmkdir -p "$4/bin"\ncat >"$4/bin/python" <<\'END\'\n{pip}END\nchmod +x "$4/bin/python"\n',
    )
    write(programs / "curl", "#!/bin/sh\ntouch $HOME/curl-was-asked\nexit 9\n")
    index = str(tmp_path) if place == "folder" else "http://127.0.0.1:9/simple"
    ended = run([shell, ROOT / "install.sh"], environ | {"FREERIDE_INDEX": index})
    assert ended.returncode == 0, ended.stderr
    home = Path(environ["HOME"])
    options = f"--no-index --find-links {index}" if place == "folder" else f"--index-url {index}"
    assert (home / "pip-was-asked").read_text() == f"-I -m pip install --quiet {options} uv\n"
    options = f"--no-index --find-links {index}" if place == "folder" else f"--index {index}"
    assert asked(environ)[0] == f"tool install --upgrade {options} {WANTED}"
    assert not (home / "curl-was-asked").exists()


@posix
@pytest.mark.parametrize("entries", [":.:{own}", "{own}:", "./:bin:{own}"])
def test_nothing_of_the_folder_that_it_runs_in_is_started_or_imported(
    shell: str, environ: dict[str, str], programs: Path, tmp_path: Path, entries: str
) -> None:
    """By a real Python, which finds no uv in an index that is empty."""
    cloned, log = tmp_path / "cloned", tmp_path / "what-ran.txt"
    for name in ("uv", "curl", "wget", "python3", *TOOLS):
        for folder in (cloned, cloned / "bin"):
            write(folder / name, f"#!/bin/sh\necho {name} >>'{log}'\n")
    for name in ("venv", "pip", "ensurepip", "argparse", "typing"):
        write(cloned / f"{name}.py", f"with open({str(log)!r}, 'a') as file: file.write({name!r})\n")
    (programs / "python3").symlink_to(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]
    (tmp_path / "empty").mkdir()
    environ |= {"PATH": entries.format(own=programs), "PYTHONPATH": "", "FREERIDE_INDEX": str(tmp_path / "empty")}
    ended = run([shell, ROOT / "install.sh"], environ, cwd=cloned)
    assert not log.exists(), log.read_text("utf-8")
    assert ended.returncode == 1
    assert (Path(environ["HOME"]) / ".local" / "share" / "freeride-uv" / "bin" / "python").exists()
    write(programs / "uv", FAKE_UV)
    (Path(environ["HOME"]) / ".local" / "bin").mkdir(parents=True)
    ended = run([shell, ROOT / "install.sh"], environ, cwd=cloned)
    assert ended.returncode == 0, ended.stderr
    assert not log.exists(), log.read_text("utf-8")


def printed_command(output: str) -> str:
    """The last one that was announced."""
    return [line for line in output.splitlines() if line.startswith("freeride: running: ")][-1].partition("running: ")[
        2
    ]


@posix
@pytest.mark.parametrize("secret", ["s3cret", "s3/cr@et", "s3cr'et"])
def test_the_password_of_an_index_is_used_and_not_printed(
    shell: str, environ: dict[str, str], programs: Path, secret: str
) -> None:
    write(programs / "uv", FAKE_UV)
    (Path(environ["HOME"]) / ".local" / "bin").mkdir(parents=True)
    index = f"http://user:{secret}@127.0.0.1:9/simple"
    ended = run([shell, ROOT / "install.sh"], environ | {"FREERIDE_INDEX": index})
    assert ended.returncode == 0, ended.stderr
    assert asked(environ)[0] == f"tool install --upgrade --index {index} {WANTED}"
    _, options = printed_command(ended.stdout).rsplit(" tool install ", 1)
    assert options == f"--upgrade --index 'http://***@127.0.0.1:9/simple' '{WANTED}'"


@posix
def test_what_is_printed_can_be_run(shell: str, environ: dict[str, str], programs: Path, tmp_path: Path) -> None:
    write(programs / "uv", FAKE_UV)
    (Path(environ["HOME"]) / ".local" / "bin").mkdir(parents=True)
    index = tmp_path / "it's $HOME; two words"
    index.mkdir()
    ended = run([shell, ROOT / "install.sh"], environ | {"FREERIDE_INDEX": str(index)})
    assert ended.returncode == 0, ended.stderr
    first = asked(environ)[0]
    assert run([shell, "-c", printed_command(ended.stdout)], environ, cwd=tmp_path).returncode == 0
    assert asked(environ)[-1] == first == f"tool install --upgrade --no-index --find-links {index} {WANTED}"


@posix
@pytest.mark.parametrize(("name", "code"), [("HUP", 129), ("INT", 130), ("TERM", 143)])
def test_a_signal_leaves_no_half_of_an_installer_behind(
    shell: str, environ: dict[str, str], programs: Path, tmp_path: Path, name: str, code: int
) -> None:
    (tmp_path / "tmp").mkdir()
    write(programs / "curl", f'#!/bin/sh\necho "touch $HOME/ran" >"$4"\nkill -{name} "$PPID"\n')
    ended = run([shell, ROOT / "install.sh"], environ | {"TMPDIR": str(tmp_path / "tmp")})
    assert ended.returncode == code
    assert not list((tmp_path / "tmp").iterdir())
    assert not (Path(environ["HOME"]) / "ran").exists()


@posix
def test_without_any_way_to_get_uv_it_says_what_it_takes(shell: str, environ: dict[str, str]) -> None:
    ended = run([shell, ROOT / "install.sh"], environ)
    assert ended.returncode == 1
    assert "it takes curl, wget or a Python with venv" in ended.stderr


def test_both_install_what_this_is_and_nothing_older() -> None:
    least = ".".join(__version__.split(".")[:2])
    assert WANTED.endswith(f">={least}")
    for name in ("install.sh", "install.ps1"):
        assert WANTED in (ROOT / name).read_text("utf-8")


@pytest.fixture
def pwsh() -> str:
    found = shutil.which("pwsh") or shutil.which("powershell")
    if found is None:
        pytest.skip("there is no PowerShell here, so install.ps1 was not read by one")
    return str(found)


def test_the_one_for_windows_prints_no_password_either(pwsh: str, tmp_path: Path) -> None:
    index = {"FREERIDE_INDEX": "http://user:s3/cr@et@127.0.0.1:9/simple"}
    ended = run([pwsh, "-NoProfile", "-File", ROOT / "install.ps1", "-DryRun"], clean_environ(tmp_path, index))
    assert ended.returncode == 0, ended.stderr
    assert printed_command(ended.stdout).endswith(f"--index 'http://***@127.0.0.1:9/simple' '{WANTED}'")


def test_the_one_for_windows_takes_no_program_of_its_folder(pwsh: str, tmp_path: Path) -> None:
    name = "uv.bat" if sys.platform == "win32" else "uv"
    write(tmp_path / "cloned" / name, "")
    (tmp_path / "user").mkdir()
    environ = clean_environ(tmp_path / "user")
    environ["PATH"] = os.pathsep.join((".", "", environ["PATH"]))
    ended = run([pwsh, "-NoProfile", "-File", ROOT / "install.ps1", "-DryRun"], environ, cwd=tmp_path / "cloned")
    assert ended.returncode == 0, ended.stderr
    assert "cloned" not in ended.stdout


def test_the_one_for_windows_can_be_parsed(pwsh: str) -> None:
    script = (
        "$errors = $null; [void][Management.Automation.Language.Parser]::ParseFile("
        f"'{ROOT / 'install.ps1'}', [ref]$null, [ref]$errors); $errors | ForEach-Object {{ $_.Message }}"
    )
    ended = run([pwsh, "-NoProfile", "-Command", script], clean_environ(Path.home()))
    assert (ended.returncode, ended.stdout.strip()) == (0, "")
