"""Carries out what `auto`, `switch` and `fallbacks` have decided."""

from __future__ import annotations

import time
from collections.abc import Sequence

from freeride_binder_openclaw import PROVIDER
from freeride_binder_openclaw.cli.output import find_keys, show_written
from freeride_binder_openclaw.ranking import FreeModel
from freeride_binder_openclaw.rotation import FRESH_S, list_models
from freeride_binder_openclaw.selection import DIRECT, Chooser
from freeride_binder_openclaw.workspace import Unusable, Workspace
from freeride_core import Endpoint
from freeride_core.cli import GatewayClient, Listener, gateway_root, tell


def ranked_models(scene: Workspace, *, oldest_s: float = FRESH_S) -> list[FreeModel]:
    """OpenRouter's free models now, best first."""
    openrouter = find_keys(scene).openrouter
    try:
        return list_models(openrouter, scene.memory, time.time(), oldest_s=oldest_s)
    finally:
        openrouter.close()


def gateway_endpoint(scene: Workspace, model: str) -> Endpoint:
    """The gateway where OpenClaw looks for it, else where it usually is."""
    root = scene.selection.gateway or gateway_root(None)
    return Endpoint(root, scene.settings.token or Endpoint(root).key, model)


def choose(
    scene: Workspace,
    endpoint: Endpoint | None,
    fallbacks: Sequence[str] | None,
    *,
    with_profile: bool = False,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write and tell it. The first model stays if `endpoint` is None, and the fallbacks stay if `fallbacks` is None."""
    chooser = Chooser(endpoint, scene.selection, fallbacks=fallbacks, with_profile=with_profile)
    primary = scene.selection.primary
    warning = None
    if endpoint is not None:
        is_direct = endpoint.root == DIRECT
        primary = endpoint.model if is_direct else f"{PROVIDER}/{endpoint.model}"
        warning = None if is_direct else _fault(scene, endpoint.root, dry_run=dry_run)
    written = scene.write(chooser, dry_run=dry_run)
    after = scene.selection.fallbacks if fallbacks is None else tuple(fallbacks)
    show_written(written, (primary, after), dry_run=dry_run, as_json=as_json, warning=warning)
    if warning:
        tell(f"Warning: {warning}")


def _fault(scene: Workspace, root: str, *, dry_run: bool) -> str | None:
    """What keeps OpenClaw from using the gateway. Raises `Unusable` where something else would get the token."""
    with GatewayClient(root, scene.settings) as gateway:
        fault = gateway.fault()
    if gateway.listener is Listener.STRANGER and not dry_run:
        raise Unusable(f"{fault} Nothing was written.")
    return fault
