"""`freeride openclaw switch`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from freeride_binder_openclaw.cli.options import AsJson, DryRun, FallbackOnly, SetupAuth, ViaOption
from freeride_binder_openclaw.cli.output import Via, told, via_of
from freeride_core.cli import tell

if TYPE_CHECKING:
    from freeride_binder_openclaw.workspace import Workspace
    from freeride_core import Endpoint

_COUNT = 5


def switch(
    model: Annotated[str, typer.Argument(help="A free model's id, or a part of it; or the gateway's `freeride/auto`.")],
    fallback_only: FallbackOnly = False,
    no_fallbacks: Annotated[bool, typer.Option("--no-fallbacks", help="Leave the fallbacks as they are.")] = False,
    setup_auth: SetupAuth = False,
    via: ViaOption = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let OpenClaw ask one free model first.

    A name that begins with `freeride/` is the gateway's: `freeride/auto`, `freeride/coding`. With --via gateway any id that it
    lists will do, and the gateway asks a provider that serves it.

    \b
    Example:
      freeride openclaw switch nemotron-3-super
      freeride openclaw switch freeride/auto
    """
    with told():
        from freeride_binder_openclaw.cli.apply import choose, ranked_models
        from freeride_binder_openclaw.rotation import fallbacks_of
        from freeride_binder_openclaw.selection import DIRECT, ROUTER, id_of, ref_of
        from freeride_binder_openclaw.workspace import read_installed_workspace
        from freeride_core import Endpoint

        scene = read_installed_workspace()
        is_gateways = model.startswith("freeride/") and via is None
        if is_gateways or via_of(scene, via) is Via.GATEWAY:
            endpoint = _at_gateway(scene, model)
            choose(scene, endpoint, None, with_profile=setup_auth, dry_run=dry_run, as_json=as_json)
            return
        models = ranked_models(scene)
        ids = [each.id for each in models]
        wanted = id_of(model) if model not in (*ids, ROUTER) else model
        ref = ref_of(_match(wanted or model, [*ids, ROUTER], "OpenRouter's free models"))
        refs: Sequence[str] | None = fallbacks_of(models, ref, _COUNT, ())
        if fallback_only:
            router, kept = ref_of(ROUTER), scene.selection.fallbacks
            refs = list(dict.fromkeys([router, ref, *kept]))
        elif no_fallbacks:
            refs = None
        direct = None if fallback_only else Endpoint(DIRECT, model=ref)
        choose(scene, direct, refs, with_profile=setup_auth, dry_run=dry_run, as_json=as_json)


def _at_gateway(scene: Workspace, model: str) -> Endpoint:
    from freeride_binder_openclaw.cli.apply import gateway_endpoint
    from freeride_binder_openclaw.listing import listed_ids

    endpoint = gateway_endpoint(scene, "auto")
    if model in ("auto", "freeride/auto"):
        return endpoint
    return gateway_endpoint(scene, _match(model, listed_ids(endpoint.root, scene.settings), "the gateway's models"))


def _match(wanted: str, ids: Sequence[str], where: str) -> str:
    """The id itself, else the first that it is a part of."""
    from freeride_binder_openclaw.workspace import Unusable

    if wanted in ids:
        return wanted
    found = [each for each in ids if wanted.lower() in each.lower()]
    if not found:
        raise Unusable(f"none of {where} is called {wanted!r} or the like; `freeride models` shows what there is")
    if found[1:]:
        tell(f"{wanted!r} is also a part of {', '.join(found[1:4])}; the best of them is taken.")
    return found[0]
