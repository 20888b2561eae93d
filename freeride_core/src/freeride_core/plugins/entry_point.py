"""Loading one entry point that was found already."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import NoReturn

from stevedore.named import NamedExtensionManager


def load_entry_point(offer: EntryPoint) -> object:
    """Return what the entry point names. Raise whatever its import raises, `SystemExit` too."""
    loaded: object = _KnownEntryPoint(offer)[offer.name].plugin
    return loaded


class _KnownEntryPoint(NamedExtensionManager):  # type: ignore[type-arg,unused-ignore] # stevedore is generic in some versions only
    """stevedore's loading. Its own list of entry points may come from a stale cache on disk, and lacks the distributions."""

    def __init__(self, offer: EntryPoint) -> None:
        self._offer = offer
        super().__init__(
            offer.group, [offer.name], on_load_failure_callback=_raise, on_missing_entrypoints_callback=None
        )

    def list_entry_points(self) -> list[EntryPoint]:
        return [self._offer]


def _raise(manager: object, offer: EntryPoint, fault: BaseException) -> NoReturn:  # noqa: ARG001 - stevedore's signature
    raise fault
