"""Which model OpenClaw asks first, and which then: read from `openclaw.json`, and changed there in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from freeride_binder_openclaw import PROVIDER, OpenClawBinder
from freeride_core import Endpoint, Unreadable
from freeride_core.editing import JsonDocument

DIRECT = "openrouter"
"""OpenClaw's name of OpenRouter, which a record has in place of a gateway's address."""
ROUTER = "openrouter/free"
"""OpenRouter's own id of its router over all free models."""

_DEFAULTS = ["agents", "defaults"]
_MODEL = [*_DEFAULTS, "model"]
_FALLBACKS = [*_MODEL, "fallbacks"]
_ALLOWED = [*_DEFAULTS, "models"]
_PROFILE = ["auth", "profiles", f"{DIRECT}:default"]


@dataclass(frozen=True, slots=True)
class ChosenModels:
    """What a configuration says. Models are named as OpenClaw does: `PROVIDER/ID`."""

    primary: str | None
    fallbacks: tuple[str, ...]
    gateway: str | None
    """The root of the gateway that it knows, whether or not that is asked."""
    gateway_key: str | None = field(repr=False)
    openrouter_key: str | None = field(repr=False)
    """What it gives OpenClaw as OPENROUTER_API_KEY."""
    has_profile: bool
    """OpenClaw is told how to sign in at OpenRouter."""
    others: tuple[tuple[str, str], ...] = ()
    """Settings of single agents and side jobs, each with the model that it names: they outrank the primary."""

    @property
    def via_gateway(self) -> bool:
        return self.gateway is not None and (self.primary or "").startswith(f"{PROVIDER}/")

    @property
    def direct_id(self) -> str | None:
        """OpenRouter's own id of the primary, or None if it is not asked at OpenRouter."""
        return id_of(self.primary) if self.primary else None

    @property
    def endpoint(self) -> Endpoint:
        """What is asked first, as a record of it says."""
        if self.via_gateway and self.gateway and self.primary:
            key = self.gateway_key or Endpoint("").key
            return Endpoint(self.gateway, key, self.primary.removeprefix(f"{PROVIDER}/"))
        return Endpoint(DIRECT, model=self.primary or "")


def ref_of(model_id: str) -> str:
    """OpenClaw's name of a model at OpenRouter: `openrouter/nvidia/x:free`, `openrouter/openrouter/free`."""
    return f"{DIRECT}/{model_id}"


def id_of(ref: str) -> str | None:
    """Return OpenRouter's id of a model that OpenClaw names, or None if it is another provider's."""
    return ref.removeprefix(f"{DIRECT}/") if ref.startswith(f"{DIRECT}/") else None


def read_selection(text: str | None) -> ChosenModels:
    """Return what the configuration says, or None without one. Raise `Unreadable`."""
    document = JsonDocument(text or "")
    chosen = document.get(_MODEL)
    primary = chosen.get("primary") if isinstance(chosen, dict) else chosen
    fallbacks = chosen.get("fallbacks") if isinstance(chosen, dict) else None
    provider = ["models", "providers", PROVIDER]
    base_url = _text(document.get([*provider, "baseUrl"]))
    return ChosenModels(
        primary=_text(primary),
        fallbacks=tuple(ref for ref in fallbacks if isinstance(ref, str)) if isinstance(fallbacks, list) else (),
        gateway=base_url.rstrip("/").removesuffix("/v1") if base_url else None,
        gateway_key=_text(document.get([*provider, "apiKey"])),
        openrouter_key=_text(document.get(["env", "OPENROUTER_API_KEY"])),
        has_profile=document.get(_PROFILE) is not None,
        others=tuple(
            (each.where, each.model)
            for each in OpenClawBinder().other_models(text or "", Endpoint(""))
            if each.where != "agents.defaults.model"
        ),
    )


class Chooser(OpenClawBinder):
    """Writes one choice. `Backups` takes it for the binder, so that `freeride bind --undo openclaw` takes it back."""

    def __init__(
        self,
        endpoint: Endpoint | None,
        current: ChosenModels,
        *,
        fallbacks: Sequence[str] | None = None,
        with_profile: bool = False,
    ) -> None:
        """`endpoint` is what to ask first. For OpenRouter it has `DIRECT` as its root and OpenClaw's name of the model.

        The primary stays if `endpoint` is None, and the fallbacks stay if `fallbacks` is None."""
        self.endpoint = endpoint or current.endpoint
        self._keeps_primary = endpoint is None
        self._fallbacks = fallbacks
        self._with_profile = with_profile

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        is_this = (endpoint.root, endpoint.model) == (self.endpoint.root, self.endpoint.model)
        if not is_this:  # an earlier choice, of which only the primary is known
            return self._with_primary(text, endpoint)
        document = JsonDocument(text or "" if self._keeps_primary else self._with_primary(text, endpoint))
        if self._fallbacks is not None:
            _set_fallbacks(document, self._fallbacks)
        if self._with_profile:
            document.add(_PROFILE, {"provider": DIRECT, "mode": "api_key"})
        return document.text

    def _with_primary(self, text: str | None, endpoint: Endpoint) -> str:
        if endpoint.root != DIRECT:
            return super().edit(text, endpoint)
        document = JsonDocument(text or "")
        is_bare = isinstance(document.get(_MODEL), str)
        document.set(_MODEL if is_bare else [*_MODEL, "primary"], endpoint.model)
        _allow(document, [endpoint.model])
        return document.text


def _set_fallbacks(document: JsonDocument, refs: Sequence[str]) -> None:
    """Item by item: comments in the list stay where they are."""
    if isinstance(document.get(_MODEL), str):  # OpenClaw's short form has no room for fallbacks
        document.wrap(_MODEL, "primary")
    found = document.get(_FALLBACKS)
    if found is not None and not isinstance(found, list):
        raise Unreadable(f"`{'.'.join(_FALLBACKS)}` is not a list")
    kept = len(found or ())
    if not kept:
        document.set(_FALLBACKS, list(refs))
    for at in range(kept - 1, len(refs) - 1, -1):
        document.remove([*_FALLBACKS, at])
    for at, ref in enumerate(refs if kept else ()):
        if at < kept:
            document.set([*_FALLBACKS, at], ref)
        else:
            document.append(_FALLBACKS, ref)
    _allow(document, refs)


def _allow(document: JsonDocument, refs: Sequence[str]) -> None:
    """Where OpenClaw has a list of what may be used, nothing else may: so a list is filled, and never begun."""
    if document.get(_ALLOWED):
        for ref in refs:
            document.add([*_ALLOWED, ref], {})


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
