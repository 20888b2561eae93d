"""What `freeride-watcher` does at each look.

What costs nothing is asked often: whether the primary is still listed, and what is left of the day. The primary itself is
asked seldom: so that half of the share for probes is left for finding another one.
"""

from __future__ import annotations

from collections.abc import Callable

from freeride_binder_openclaw.memory import DAY_S
from freeride_binder_openclaw.openrouter import OpenRouter
from freeride_binder_openclaw.rotate_once import explain, turn
from freeride_binder_openclaw.rotation import Trials, list_models
from freeride_binder_openclaw.selection import ROUTER
from freeride_binder_openclaw.workspace import Workspace
from freeride_core import Model
from freeride_core.cli import find_fault

ALLOWANCE_S = 900.0
"""How often a key's quota is asked for."""
_FALLBACKS = 5


class Watcher:
    """Looks at one scene after the other. `say` tells people what has changed; the same thing only once."""

    def __init__(
        self, scene_now: Callable[[], Workspace], now: Callable[[], float], say: Callable[[str], None]
    ) -> None:
        self._scene_now = scene_now
        self._now = now
        self._say = say
        self._said = ""
        self._openrouter: OpenRouter | None = None
        self._asked_with: object = None
        self._allowance_at: float | None = None
        self._is_spent = False

    def close(self) -> None:
        if self._openrouter is not None:
            self._openrouter.close()

    def look(self) -> None:
        """Looks once, and rotates if that helps.

        Raises `UnreachableUpstream` or `Unusable`, and what reading and writing the configuration raises.
        """
        scene = self._scene_now()
        selection = scene.selection
        if selection.via_gateway:
            fault = find_fault(selection.endpoint.root, scene.settings)
            self.tell(fault or "OpenClaw asks the gateway, which fails over by itself: there is nothing to watch")
        elif selection.direct_id is None:
            self.tell(f"OpenClaw asks {selection.primary or 'its own default'}, not OpenRouter: it is left alone")
        else:
            self._look_at(scene, selection.direct_id)

    def _look_at(self, scene: Workspace, model_id: str) -> None:
        openrouter = self._open(scene)
        models = list_models(openrouter, scene.memory, self._now())
        trials = Trials(openrouter, scene.memory, self._now)
        listed = {model.id for model in models}
        if model_id not in {ROUTER, *listed}:
            unlisted = Model(id=model_id, canonical=model_id)
            if not (scene.is_own_choice or openrouter.is_free(unlisted)):
                self.tell(f"OpenClaw asks {model_id}, which is not a free model: it is left alone")
                return
            self._turn(scene, trials, "OpenRouter does not list it as free any more")
            return
        if self._is_exhausted(scene, openrouter):
            self.tell("the account's free requests of the day are spent; another model would not help")
            return
        if self._is_due(scene, openrouter, model_id):
            verdict = trials.try_model(model_id)
            if verdict is None or verdict.is_ok:
                self.tell(f"{model_id} answers" if verdict else f"{model_id} is listed as free")
            elif verdict.is_models_fault:
                self._turn(scene, trials, f"it does not answer ({verdict.kind})")
            else:
                self.tell(explain(verdict, self._now()))
        elif not self._said:
            self.tell(f"{model_id} is listed as free")

    def _turn(self, scene: Workspace, trials: Trials, reason: str) -> None:
        former = scene.selection.primary
        models = list_models(self._open(scene), scene.memory, self._now())
        turned = turn(scene, trials, models, reason, _FALLBACKS, self._now())
        proof = "" if turned.is_proven else ", which was not asked: the share of free requests for that is spent"
        self.tell(f"{former}: {reason}; OpenClaw asks {turned.primary} from its next start{proof}")

    def _is_exhausted(self, scene: Workspace, openrouter: OpenRouter) -> bool:
        if self._allowance_at is None or not 0 <= self._now() - self._allowance_at < ALLOWANCE_S:
            allowances = [openrouter.read_allowance(key) for key in openrouter.keys]
            known = [allowance for allowance in allowances if allowance is not None]
            if known:
                # One share for all keys: they may be of one account.
                scene.memory.keep_daily_limit(min(allowance.limit for allowance in known))
            self._is_spent = len(known) == len(allowances) and all(allowance.remaining <= 0 for allowance in known)
            self._allowance_at = self._now()
        return self._is_spent

    def _is_due(self, scene: Workspace, openrouter: OpenRouter, model_id: str) -> bool:
        """Half of the day's probes are for this, evenly; the other half finds another model when one is needed."""
        probes = openrouter.ceiling(scene.memory.daily_limit()).day // 2
        last = scene.memory.last_probe(model_id)
        return probes > 0 and (last is None or not 0 <= self._now() - last < DAY_S / probes)

    def _open(self, scene: Workspace) -> OpenRouter:
        keys = scene.find_keys(self._now)
        asked_with = (keys.openrouter.keys, scene.settings.connect_timeout)
        if self._openrouter is None or asked_with != self._asked_with:
            self.close()
            self._openrouter = keys.openrouter
            self._asked_with, self._allowance_at = asked_with, None
        else:
            keys.openrouter.close()
        return self._openrouter

    def tell(self, line: str) -> None:
        """To people, unless it was the last thing that they were told."""
        if line != self._said:
            self._said = line
            self._say(line)
