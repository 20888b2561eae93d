"""Runs the gateway under uvicorn: in the foreground for `freeride serve`, in a thread for demos and tests."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import gc
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from types import FrameType, TracebackType
from typing import Self, cast

import uvicorn

from freeride_core.gateway.app import App
from freeride_core.gateway.http.connection_limit import ConnectionLimit
from freeride_core.gateway.http.listener import ClientConnection
from freeride_core.gateway.protocols import registry
from freeride_core.gateway.protocols.keep_alive import KEEP_ALIVE_S
from freeride_core.gateway.runtime import Gateway, tell
from freeride_core.plugins.discovery import Plugins, load_plugins
from freeride_core.privacy.redaction import guard_output
from freeride_core.settings.resolver import Settings
from freeride_core.system.line_printer import LinePrinter
from freeride_core.telemetry.beacon import Beacon

_log = logging.getLogger(__name__)
GRACE_S = 10.0
"""How long requests in flight may take once the gateway is told to stop."""
_AFTERWARDS_S = 2
_FILES_MOST = 10_240
"""macOS gives no process more, whatever its limit says."""


class GatewayServer(uvicorn.Server):
    """uvicorn, with a stop that lets streams end in an error event instead of silence."""

    def __init__(self, gateway: Gateway, on_ready: Callable[[str], None], grace_s: float) -> None:
        super().__init__(_config(gateway, grace_s))
        self._gateway = gateway
        self._on_ready = on_ready
        self._grace_s = grace_s
        self._preparation: asyncio.Task[None] | None = None
        """Kept, since the event loop does not keep it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.servers:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
            self._preparation = asyncio.create_task(asyncio.to_thread(registry.prepare))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Replaces uvicorn's, which raises the signal once more when it is done: nothing would be flushed after that."""
        if self._gateway.is_stopping and sig == signal.SIGINT:  # the second Ctrl-C: its user will not wait
            self._gateway.abort()
            self.force_exit = True
        self.stop()

    def stop(self) -> None:
        """No new requests; what is in flight has the time of grace."""
        if not self._gateway.is_stopping:
            self._gateway.is_stopping = True
            asyncio.get_running_loop().call_later(self._grace_s, self._gateway.abort)
        self.should_exit = True


def _config(gateway: Gateway, grace_s: float) -> uvicorn.Config:
    return uvicorn.Config(
        App(gateway),
        loop="auto",
        http=_protocol(gateway),
        interface="asgi3",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="critical",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(grace_s) + _AFTERWARDS_S,
    )


def _protocol(gateway: Gateway) -> type[asyncio.Protocol]:
    limit = ConnectionLimit(lambda: gateway.settings.max_connections, gateway.budget.expel, tell)
    return cast("type[asyncio.Protocol]", functools.partial(ClientConnection, limit=limit))  # uvicorn only calls it


@contextlib.asynccontextmanager
async def _background(gateway: Gateway) -> AsyncIterator[None]:
    work = asyncio.create_task(gateway.run())
    work.add_done_callback(_report)
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait({work})
        await gateway.close()


def _report(work: asyncio.Task[None]) -> None:
    """Background work that ends by itself is a bug; the requests go on."""
    if not work.cancelled() and (error := work.exception()) is not None:
        _log.error("background work has failed: %s", type(error).__name__)


async def _serve(gateway: Gateway, listener: socket.socket, on_ready: Callable[[str], None], grace_s: float) -> None:
    server = GatewayServer(gateway, on_ready, grace_s)
    _start_plugins(gateway)
    async with _background(gateway):
        await server.serve(sockets=[listener])


def _start_plugins(gateway: Gateway) -> None:
    """Tells each plugin of the start, alone: none can keep it from another, or from the gateway."""
    hooks = gateway.plugins.hooks
    for implementation in hooks.hook.freeride_startup.get_hookimpls():
        plugin = implementation.plugin
        others = [other for other in hooks.get_plugins() if other is not plugin]
        try:
            hooks.subset_hook_caller("freeride_startup", others)(settings=gateway.settings)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too; without its words, which may hold a key
            _log.warning("plugin %s failed at the start: %s", hooks.get_name(plugin), type(error).__name__)


def listen(host: str, port: int) -> socket.socket:
    """The listening socket. Raises OSError where it cannot be had; no other port is ever taken instead."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def serve(
    settings: Settings,
    plugins: Plugins,
    listener: socket.socket,
    on_ready: Callable[[Gateway, str], None],
    *,
    grace_s: float = GRACE_S,
    is_verbose: bool = False,
) -> None:
    """Serves until a signal says stop. Returns without a traceback. If `is_verbose`, stderr gets a line for each request."""
    _keep_big_blocks()
    _look_for_garbage_less()
    _open_more_files()
    gateway = Gateway(settings, plugins)
    gateway.beacon = Beacon(gateway.post, time.monotonic)
    guard_output(gateway.secrets)
    printer = LinePrinter()
    gateway.talk(printer, is_verbose=is_verbose)
    runner = asyncio.Runner(loop_factory=_loop_factory())
    with runner, contextlib.suppress(KeyboardInterrupt):
        runner.run(_serve(gateway, listener, lambda url: on_ready(gateway, url), grace_s))
    printer.close()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # not on Windows
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _keep_big_blocks() -> None:
    """glibc gives freed blocks of a megabyte back to the kernel at once, and asks for them again with the next request.
    Keeping them makes a copy of 1 MB take 30 us instead of 3 ms (measured 2026-12 on a virtual machine)."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD
        mallopt(-1, 64 << 20)  # M_TRIM_THRESHOLD


def _open_more_files() -> None:
    """Raise the limit of open files: a connection is one, and the usual limit (macOS: 256) would let one client shut out others."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MOST if hard == resource.RLIM_INFINITY else min(hard, _FILES_MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _look_for_garbage_less() -> None:
    """What is here at the start stays; and of what a request makes almost nothing refers to itself, so looking for that after
    every few hundred objects finds nothing. Less of it saves 2,400 instructions a request, 0.5 us (measured 2026-12)."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


class GatewayThread:
    """A gateway in a thread of its own, on a free port of 127.0.0.1: a context manager with `url` and `gateway`."""

    def __init__(
        self,
        settings: Settings,
        plugins: Plugins | None = None,
        *,
        port: int = 0,
        keep_alive_s: float = KEEP_ALIVE_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._settings = settings
        self._plugins = plugins or load_plugins(("provider",))
        self._port = port
        self._keep_alive_s = keep_alive_s
        self._grace_s = grace_s
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: GatewayServer | None = None
        self._error: BaseException | None = None
        self.url = ""
        self.gateway: Gateway

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()
        if not self._ready.wait(20) or self._error is not None:
            raise RuntimeError("the gateway did not start") from self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stops as on a signal, and waits for the end."""
        if self._loop is not None and self._server is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(self._grace_s + 2 * _AFTERWARDS_S)

    def _run(self) -> None:
        try:
            listener = listen("127.0.0.1", self._port)
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._main(listener))
        except BaseException as error:
            self._error = error
            self._ready.set()
            raise

    async def _main(self, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self.gateway = Gateway(self._settings, self._plugins, keep_alive_s=self._keep_alive_s)
        self._server = GatewayServer(self.gateway, self._on_ready, self._grace_s)
        async with _background(self.gateway):
            await self._server.serve(sockets=[listener])

    def _on_ready(self, url: str) -> None:
        self.url = url
        self._ready.set()
