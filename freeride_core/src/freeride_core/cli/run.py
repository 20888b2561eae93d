"""`freeride run`: one process of an agent, bound for as long as it lives."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from freeride_core.cli.bind import check_model
from freeride_core.cli.binders import fault_of_protocol, load_installed
from freeride_core.cli.group import make_app
from freeride_core.cli.names import complete_agents
from freeride_core.cli.terminal import complain, fail
from freeride_core.cli.url_option import UrlOption, gateway_root

if TYPE_CHECKING:
    from freeride_core.binder import Launch
    from freeride_core.cli.lease import Lease
    from freeride_core.settings.resolver import Settings

_START_S = 30.0
_STOP_S = 15.0
_LOOK_EVERY_S = 0.05
_NOT_FOUND = 127
_ENDS = ("SIGTERM", "SIGHUP", "SIGQUIT")
_PASSED_ON = (*_ENDS, "SIGINT", "SIGUSR1", "SIGUSR2")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_FROM_KEYBOARD = ("SIGINT", "SIGQUIT")

app = make_app()


# Whatever follows the agent's name is the agent's, options too.
@app.command("run", context_settings={"allow_interspersed_args": False})
def run(
    agent: Annotated[
        str,
        typer.Argument(metavar="AGENT", help="The agent, as `freeride bind` lists it.", autocompletion=complete_agents),
    ],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="ARGS", help="Arguments for the agent.")] = None,
    url: UrlOption = None,
    model: Annotated[str, typer.Option(metavar="MODEL", help="The model that the agent asks for.")] = "auto",
) -> None:
    """Run an agent through the gateway without changing its config. If no gateway is running, one is started for as long as an
    agent needs it.

    Exit code: the agent's."""
    from freeride_core.binder import Endpoint
    from freeride_core.plugins.discovery import PluginError
    from freeride_core.settings.resolver import load_settings
    from freeride_core.system.programs import find_program

    root = gateway_root(url)
    check_model(model)
    settings = load_settings()
    endpoint = Endpoint(root, settings.token or Endpoint(root).key, model)
    try:
        binder = load_installed(agent)
    except PluginError as error:
        fail(str(error))
    if fault := fault_of_protocol(binder):
        fail(fault)
    launch = binder.launch(endpoint)
    if launch is None:
        fail(f"freeride run can't start {binder.title}: it reads only its config file. Use freeride bind {binder.name}")
    program = find_program(launch.program)
    if program is None:
        complain(f"{launch.program} is not installed, or not on PATH. Get {binder.title} at {binder.homepage}")
        raise typer.Exit(_NOT_FOUND)
    if _is_misplaced("--url", arguments or ()):
        complain(
            f"{binder.title} gets --url, like everything after its name. To give it to FreeRide: freeride run --url URL {agent}"
        )
    for path in _outranking(launch):
        complain(f"{binder.title} runs the programs in {path}, and they can send its requests elsewhere")
    # While there is no agent yet to pass these on to, a gateway that was started is stopped all the same.
    for number in _heeded(_ENDS):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    with _gateway(settings, endpoint.root), _written(launch) as started:
        direct = direct_to(urlsplit(endpoint.root).hostname or "", os.environ)
        code = _run([program, *started.arguments, *(arguments or ())], {**direct, **started.environment})
    raise typer.Exit(code)


def _is_misplaced(option: str, arguments: Sequence[str]) -> bool:
    """Whether an option of `run` comes after the agent's name, and not after a `--`, where it is certainly the agent's."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return any(argument == option or argument.startswith(f"{option}=") for argument in own)


@contextlib.contextmanager
def _gateway(settings: Settings, root: str) -> Iterator[None]:
    """A gateway at this address until the end: the one that is there, else one that ends with the last run that needs it."""
    from freeride_core.cli.gateway_client import GatewayClient, Listener
    from freeride_core.system.loopback import is_loopback
    from freeride_core.system.programs import python_command

    parts = urlsplit(root)
    host, port = parts.hostname or "", parts.port or 80
    with contextlib.ExitStack() as held:
        lease = _lease(settings.home / f"run-{port}.lock")  # before the question: what answers from now on stays
        if lease:
            held.callback(lease.close)
        with GatewayClient(root, settings) as found:
            pass
        if found.is_usable:
            yield
            return
        if found.listener is not Listener.NOTHING:
            fail(found.fault() or "")
        if not is_loopback(host) or parts.scheme != "http" or parts.path:
            fail(f"no gateway answers at {root}, and one can be started on this machine only")
        _disclose(settings)
        log = settings.home / f"run-{port}.log"
        command = python_command("freeride_core", "serve", "--host", host, "--port", str(port))
        process = _start(settings, [*command, *(("--lease", str(lease.path)) if lease else ())], log)
        try:
            due = time.monotonic() + _START_S
            while True:
                # Another run may have been quicker: then ours has ended, and theirs answers.
                is_over = process.poll() is not None or time.monotonic() > due
                with GatewayClient(root, settings) as found:
                    if found.is_usable:
                        break
                if is_over:
                    fail(f"the gateway does not start:\n{log.read_text('utf-8', 'replace').strip()}")
                time.sleep(_LOOK_EVERY_S)
            complain(f"a gateway runs at {root} until the agent ends; what it says is in {log}")
            yield
        finally:
            if lease is None or lease.is_last():
                process.terminate()
                try:
                    process.wait(_STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _outranking(launch: Launch) -> list[Path]:
    """Return what outranks the launch in the folder that the agent works in, or in its repository."""
    from freeride_core.cli.scope_option import git_root, working_folder

    folder = working_folder()
    if folder is None:
        return []
    root = git_root(folder) or folder
    folders = [each for each in (folder, *folder.parents) if each.is_relative_to(root)]
    return [path for name in launch.outranked_by for each in folders if (path := each / name).exists()]


def direct_to(host: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what keeps an agent from asking the gateway through a proxy that a `.env` of its folder names.

    A gateway on another machine stays behind the proxy of the user's own environment.
    """
    from freeride_core.system.loopback import is_loopback

    if not is_loopback(host) and any(environ.get(each) for name in _PROXIES for each in (name, name.lower())):
        return {}
    exempt = dict.fromkeys(filter(None, (environ.get("no_proxy"), environ.get("NO_PROXY"), host)))
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(exempt))


def _lease(path: Path) -> Lease | None:
    """Return a share of the gateway that a run has started, or None if locks do not work and each run ends its own."""
    from freeride_core.cli.lease import Lease

    try:
        lease = Lease(path)
        lease.share(_STOP_S)
    except OSError:
        return None
    return lease


def _start(settings: Settings, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the gateway in its home, which is the user's own, and in a session or a group of its own: Ctrl-C is for the agent."""
    from freeride_core.system.programs import python_environ

    paths = {"FREERIDE_HOME": str(settings.home)}
    if settings.above_files.get("FREERIDE_EVENTS_PATH", "").strip():
        paths["FREERIDE_EVENTS_PATH"] = str(
            settings.events_path
        )  # it may be relative to the folder that the user is in
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    except OSError as error:
        fail(f"{log}: {error.strerror}")
    with os.fdopen(descriptor, "wb") as output:
        return subprocess.Popen(  # noqa: S603 - ourselves
            command,
            cwd=settings.home,
            env=python_environ() | paths,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )


@contextlib.contextmanager
def _written(launch: Launch) -> Iterator[Launch]:
    """The launch with its files where it says they are, until the end."""
    from freeride_core.binder import FILES

    if not launch.files:
        yield launch
        return
    # Only this user may enter it. On Windows a file that the agent still holds open is no reason to fail.
    with tempfile.TemporaryDirectory(prefix="freeride-run-", ignore_cleanup_errors=True) as folder:
        for name, text in launch.files.items():
            descriptor = os.open(Path(folder) / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        yield replace(
            launch,
            environment={name: value.replace(FILES, folder) for name, value in launch.environment.items()},
            arguments=tuple(argument.replace(FILES, folder) for argument in launch.arguments),
        )


def _disclose(settings: Settings) -> None:
    """Here, as what the gateway itself shows goes to a file."""
    from freeride_core.gateway.walk.enabled import enabled_providers
    from freeride_core.plugins.discovery import load_plugins
    from freeride_core.settings.own_providers import with_own_providers
    from freeride_core.telemetry.beacon import disclose, public_names

    if settings.telemetry:
        plugins = load_plugins(("provider",))
        enabled = enabled_providers(settings, with_own_providers(settings, plugins.providers))
        disclose(settings, public_names(plugins, enabled.by_name))


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """The program's exit code, with 128 and the signal's number where one has ended it."""
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    running: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of handlers
        # A terminal gives its Ctrl-C to all that run in it.
        if running and not (is_terminal and signal.Signals(number).name in _FROM_KEYBOARD):
            running[0].send_signal(number)

    former = {number: signal.signal(number, pass_on) for number in _heeded(_PASSED_ON)}
    try:
        running.append(subprocess.Popen(command, env={**os.environ, **environment}))  # noqa: S603 - what the user asks for
        code = running[0].wait()
    except OSError as error:
        complain(f"{command[0]} cannot be started: {error.strerror}")
        return _NOT_FOUND - 1
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


def _heeded(names: Sequence[str]) -> list[signal.Signals]:
    """Return the signals that this platform has and this process does not ignore. An agent under nohup ignores the rest too."""
    numbers = [signal.Signals[name] for name in names if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
