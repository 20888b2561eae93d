"""`freeride openclaw rotate`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from freeride_binder_openclaw.cli.options import AsJson, Count
from freeride_binder_openclaw.cli.output import find_keys, show_written, told
from freeride_core.cli import tell

if TYPE_CHECKING:
    from freeride_binder_openclaw.rotation import Trials
    from freeride_binder_openclaw.workspace import Workspace
    from freeride_core.cli import ProbeVerdict


def rotate(
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Change it even if it answers; it is not asked.")
    ] = False,
    fallback_count: Count = 5,
    as_json: AsJson = False,
) -> None:
    """Let OpenClaw ask another free model if its first choice does not answer.

    Each model that is asked costs one free request. At most a tenth of a day's requests, and a quarter of a minute's, are used
    for that and for freeride-watcher. When they are spent, the next in rank is taken without asking. Behind the gateway there is
    nothing to rotate: it does so within each request.

    \b
    Example:
      freeride openclaw rotate
      freeride openclaw rotate --force
    """
    with told():
        from freeride_binder_openclaw.rotate_once import turn
        from freeride_binder_openclaw.rotation import Trials, list_models
        from freeride_binder_openclaw.workspace import read_installed_workspace

        scene = read_installed_workspace()
        if scene.selection.via_gateway:
            _say_unchanged(scene, "OpenClaw asks the gateway, which rotates within each request.", as_json=as_json)
            return
        openrouter = find_keys(scene).openrouter
        try:
            trials = Trials(openrouter, scene.memory, time.time)
            reason = "it was asked for" if force else _fault(scene, trials)
            if not reason:
                _say_unchanged(scene, f"{scene.selection.primary} answers.", as_json=as_json)
                return
            models = list_models(openrouter, scene.memory, time.time())
            turned = turn(scene, trials, models, reason, fallback_count, time.time())
        finally:
            openrouter.close()
    for model, kind in turned.tried:
        tell(f"{model} does not answer ({kind}).")
    if not turned.is_proven:
        tell(f"{turned.primary} was not asked: the share of free requests for that is spent.")
    show_written(
        turned.written,
        (turned.primary, turned.fallbacks),
        dry_run=False,
        as_json=as_json,
        reason=reason,
        proven=turned.is_proven,
        tried=dict(turned.tried),
    )


def _fault(scene: Workspace, trials: Trials) -> str:
    """Return what is wrong with the primary, or an empty text if it answers."""
    from freeride_binder_openclaw.workspace import Unusable

    model = scene.selection.direct_id
    if model is None:
        raise Unusable(
            f"OpenClaw asks {scene.selection.primary or 'its own default'}, which is not a model of OpenRouter; "
            "to change that all the same: freeride openclaw rotate --force, or freeride openclaw auto"
        )
    verdict = trials.try_model(model)
    if verdict is None:
        raise Unusable(
            "the share of free requests for probes is spent for now; "
            "without a probe: freeride openclaw rotate --force, or freeride openclaw switch MODEL"
        )
    if not verdict.is_ok and not verdict.is_models_fault:
        _refuse(verdict)
    return f"it does not answer ({verdict.kind})" if verdict.kind else ""


def _refuse(verdict: ProbeVerdict) -> NoReturn:
    from freeride_binder_openclaw.rotate_once import explain
    from freeride_binder_openclaw.workspace import Unusable

    raise Unusable(explain(verdict, time.time()))


def _say_unchanged(scene: Workspace, why: str, *, as_json: bool) -> None:
    import json

    if as_json:
        shown = {
            "path": str(scene.path),
            "primary": scene.selection.primary,
            "fallbacks": list(scene.selection.fallbacks),
            "changed": False,
            "reason": why,
        }
        typer.echo(json.dumps(shown, indent=2))
    else:
        tell(f"{why} Nothing was changed.")
