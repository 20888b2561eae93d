"""One rotation: a replacement is found, written, and remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from freeride_binder_openclaw.ranking import FreeModel
from freeride_binder_openclaw.rotation import Trials, fallbacks_of
from freeride_binder_openclaw.selection import DIRECT, Chooser, ref_of
from freeride_binder_openclaw.workspace import Unusable, Workspace
from freeride_core import Endpoint, ErrorKind
from freeride_core.cli import ProbeVerdict, WrittenFile, clock


@dataclass(frozen=True, slots=True)
class Turned:
    """What was written in place of the former primary."""

    primary: str
    fallbacks: tuple[str, ...]
    is_proven: bool
    tried: tuple[tuple[str, str], ...]
    written: WrittenFile


def turn(
    scene: Workspace, trials: Trials, models: Sequence[FreeModel], reason: str, fallback_count: int, now: float
) -> Turned:
    """Chooses and writes. Raises `Unusable`: no other model answers, or none could now; nothing was written."""
    former = scene.selection.direct_id
    found = trials.find_replacement(models, {former} if former else ())
    if found.obstacle is not None:
        raise Unusable(explain(found.obstacle, now))
    if found.model is None:
        asked = ", ".join(f"{model} ({kind})" for model, kind in found.tried) or "all have failed recently"
        raise Unusable(f"no free model answers: {asked}; nothing was changed")
    primary = ref_of(found.model.id)
    failed = {model for model, _ in found.tried} | ({former} if former else set())
    fallbacks = fallbacks_of(models, primary, fallback_count, failed)
    written = scene.write(Chooser(Endpoint(DIRECT, model=primary), scene.selection, fallbacks=fallbacks))
    scene.memory.keep_rotation(now, reason, primary)
    return Turned(primary, tuple(fallbacks), found.is_proven, found.tried, written)


def explain(obstacle: ProbeVerdict, now: float) -> str:
    """Why another model would not help, and what would."""
    until = f" until {clock(obstacle.retry_at, now)}" if obstacle.retry_at else ""
    means = {
        ErrorKind.NETWORK: "OpenRouter cannot be reached",
        ErrorKind.AUTH: "OpenRouter refuses the key: freeride keys --check",
        ErrorKind.QUOTA_EXHAUSTED: f"the account's free requests are spent{until}",
        ErrorKind.RATE_LIMIT: f"the account asks too often{until}",
    }
    known = {str(kind): text for kind, text in means.items()}
    return f"{known.get(obstacle.kind, obstacle.kind)}; another model would not help, nothing was changed"
