"""A candidate: one provider, one of its models and one of its keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from freeride_core.model import Model
from freeride_core.provider import Key, Provider


@dataclass(frozen=True, slots=True)
class Candidate:
    """Made once with its route, so that no request works it out again."""

    provider: Provider
    model: Model
    key: Key
    pair: tuple[str, str] = field(init=False)
    """Provider and model by name."""
    name: tuple[str, str, str] = field(init=False)
    """The same with the key's fingerprint: what is never tried twice in a request."""
    headers: Sequence[tuple[bytes, bytes]] = field(init=False, repr=False, compare=False)
    """What an answer says of who gave it."""
    is_redirected: bool = field(init=False, repr=False, compare=False)
    """The user has set another address than the package's: there may be a gateway at it, and even this one."""

    def __post_init__(self) -> None:
        provider, model = self.provider.name, self.model.id
        object.__setattr__(self, "pair", (provider, model))
        object.__setattr__(self, "name", (provider, model, self.key.fingerprint))
        headers = (
            (b"x-freeride-provider", provider.encode()),
            (b"x-freeride-model", model.encode("latin-1", "replace")),
        )
        object.__setattr__(self, "headers", headers)
        usual = self.provider.base_url.replace("{account}", self.key.account_id or "")
        object.__setattr__(self, "is_redirected", self.key.base_url != usual)
