"""`freeride openclaw auto`."""

from __future__ import annotations

from freeride_binder_openclaw.cli.options import AsJson, Count, DryRun, FallbackOnly, SetupAuth, ViaOption
from freeride_binder_openclaw.cli.output import Via, told, via_of
from freeride_core.cli import tell


def auto(
    fallback_count: Count = 5,
    fallback_only: FallbackOnly = False,
    setup_auth: SetupAuth = False,
    via: ViaOption = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let OpenClaw ask the best free model.

    At OpenRouter it takes the best of its free list, with fallbacks. The list is fetched first, which costs nothing. With
    --via gateway it takes the gateway's `auto`, which fails over within each request, so that nothing here needs to run again.

    \b
    Example:
      freeride openclaw auto --dry-run
      freeride openclaw auto --via gateway
    """
    with told():
        from freeride_binder_openclaw.cli.apply import choose, gateway_endpoint, ranked_models
        from freeride_binder_openclaw.ranking import best_for_agents
        from freeride_binder_openclaw.rotation import fallbacks_of
        from freeride_binder_openclaw.selection import DIRECT, ref_of
        from freeride_binder_openclaw.workspace import read_installed_workspace
        from freeride_core import Endpoint

        scene = read_installed_workspace()
        if via_of(scene, via) is Via.GATEWAY and not fallback_only:
            endpoint = gateway_endpoint(scene, "auto")
            choose(scene, endpoint, None, with_profile=setup_auth, dry_run=dry_run, as_json=as_json)
            return
        models = ranked_models(scene, oldest_s=0)
        best = best_for_agents(models)[0]
        primary = scene.selection.primary if fallback_only else ref_of(best.id)
        fallbacks = fallbacks_of(models, primary, fallback_count, ())
        if not as_json and not fallback_only:
            tell(f"Best free model: {best.id} ({best.context:,} tokens of context, score {best.score:.3f}).")
        direct = None if fallback_only else Endpoint(DIRECT, model=ref_of(best.id))
        choose(scene, direct, fallbacks, with_profile=setup_auth, dry_run=dry_run, as_json=as_json)
