"""Bound agents: whether what they will ask reaches the gateway, by the configuration that they will read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from freeride_core.binder import Binder, Endpoint, Place, Unreadable
from freeride_core.binding.agent_files import paths_of
from freeride_core.binding.backups import Backups
from freeride_core.binding.change import is_bound
from freeride_core.binding.files import BindingError, read_configuration
from freeride_core.binding.precedence import Detour, find_detours
from freeride_core.binding.project import reference_to_token
from freeride_core.cli.agent_requests import AgentRequests
from freeride_core.cli.checks.finding import Finding, broken, ok, warning
from freeride_core.cli.gateway_client import GatewayClient, Listener
from freeride_core.cli.scope_option import project_folders, working_folder
from freeride_core.plugins.discovery import Plugins
from freeride_core.settings.resolver import Settings


def check_agents(
    settings: Settings, plugins: Plugins, requests: AgentRequests, root: str, key: str
) -> Iterator[Finding]:
    """Yield a finding for each configuration that points at a gateway, or that FreeRide has changed."""
    backups = Backups(settings.home)
    findings: list[Finding] = []
    for binder in plugins.binders.values():
        try:
            paths = _paths(binder)
        except BindingError as error:
            findings.append(warning("agents", f"{binder.title}: {error}"))
            continue
        for path, scope in paths.items():
            findings += _check(settings, backups, requests, binder, path, scope, root, key)
    yield from findings or [ok("agents", "no agent is bound; `freeride bind` lists those that can be bound")]


def _paths(binder: Binder) -> dict[Path, Place]:
    """Yield every file that the agent may read from here, with its scope."""
    cwd = working_folder()
    scopes = [scope for scope in binder.scopes if scope is Place.HOME or cwd]
    home = Path.home()
    found = [(path, scope) for scope in scopes for path in paths_of(binder, scope, home, cwd or home, os.environ)]
    return dict(reversed(found))  # in the home folder, its file is the user's


def _check(
    settings: Settings,
    backups: Backups,
    requests: AgentRequests,
    binder: Binder,
    path: Path,
    scope: Place,
    root: str,
    key: str,
) -> Iterator[Finding]:
    try:
        record = backups.record(path)
        text = (read_configuration(path) or b"").decode()
        roots = dict.fromkeys([*([record.root] if record else []), root, root.replace("127.0.0.1", "localhost")])
        at = next((each for each in roots if text and binder.models(text, Endpoint(each, key))), None)
        models = binder.models(text, Endpoint(at, key)) if at else ()
        is_elsewhere = at is None and backups.is_elsewhere(path)
    except UnicodeDecodeError:
        yield warning("agents", f"{binder.title}: {path} cannot be read: it is not UTF-8")
        return
    except Unreadable as error:
        yield warning("agents", f"{binder.title}: {path} cannot be read: {error}")
        return
    except BindingError as error:
        yield warning("agents", f"{binder.title}: {error}")
        return
    except Exception as fault:  # whatever a plugin does; its text might quote the file
        yield broken("agents", f"{binder.title}: its binder failed with {type(fault).__name__}")
        return
    if at is None:
        if is_elsewhere:
            way = f"to the gateway: freeride bind {binder.name}"
            yield ok("agents", f"{binder.title} ({path}): asks another address, which its own commands chose; {way}")
        elif record is not None:
            yield broken(
                "agents", f"{binder.title}: {path} was bound and points elsewhere now: freeride bind {binder.name}"
            )
        return
    asked = requests.sentence(binder, backups.bound_at(path))
    yield from _prove(settings, binder, path, scope, at, key, models, asked)


def _prove(
    settings: Settings,
    binder: Binder,
    path: Path,
    scope: Place,
    root: str,
    key: str,
    models: tuple[str, ...],
    asked: str,
) -> Iterator[Finding]:
    """Ask the gateway at the file's address for each model that the file names."""
    subject = f"{binder.title} ({path})"
    detours = _detours(binder, Endpoint(root, key, models[0]), path, scope)
    for detour in detours:
        yield warning("agents", f"{subject}: {detour.sentence(binder.title)}")
    has_token = settings.token is not None and any(
        is_bound(binder, Endpoint(root, key, model), path) for model in models
    )
    is_project = scope is Place.PROJECT
    if has_token and is_project:
        yield warning(
            "agents",
            f"{subject}: FREERIDE_TOKEN is in a project's file, which a commit takes along: bind it again there",
        )
    elif settings.token and not has_token and not (is_project and _names_token(binder, root, key, models, path)):
        yield broken("agents", f"{subject}: its key is not FREERIDE_TOKEN: freeride bind {binder.name}")
        return
    with GatewayClient(root, settings) as gateway:
        if (fault := gateway.fault()) is not None:
            is_off = gateway.listener is Listener.NOTHING
            yield (warning if is_off else broken)("agents", f"{subject}: bound to {root}. {fault}")
            return
        if gateway.listener is not Listener.OWN_GATEWAY:
            asked = ""  # what another home's gateway was asked is not known here
        unknown = [model for model in models if gateway.get(f"/v1/models/{quote(model)}")[0] != 200]
    if unknown:
        yield broken("agents", f"{subject}: the gateway at {root} does not know {', '.join(unknown)}")
    elif not any(detour.outranks for detour in detours):
        yield ok("agents", f"{subject}: asks your gateway at {root} for {', '.join(models)}{_more(asked)}")
    elif asked:
        yield ok("agents", f"{subject}: {asked}")


def _more(asked: str) -> str:
    return f"; {asked}" if asked else ""


def _names_token(binder: Binder, root: str, key: str, models: tuple[str, ...], path: Path) -> bool:
    """Whether a project's file names the variable that holds the token."""
    try:
        written = [reference_to_token(binder, Endpoint(root, key, model)) for model in models]
    except BindingError:
        return False
    return any(is_bound(binder, endpoint, path) for endpoint in written)


def _detours(binder: Binder, endpoint: Endpoint, path: Path, scope: Place) -> list[Detour]:
    text = (read_configuration(path) or b"").decode()
    folders = project_folders() if scope is Place.HOME else [path.parent]
    return find_detours(binder, endpoint, scope, path, text, home=Path.home(), folders=folders, environ=os.environ)
