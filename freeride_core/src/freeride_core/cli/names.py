"""Names that people type: what completes them in a shell, and what is said of one that is not known."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from freeride_core.system.spelling import suggestion


def complete_providers(incomplete: str) -> list[str]:
    """Return the installed providers whose names begin so, for the shell."""
    return _begun("provider", incomplete)


def complete_agents(incomplete: str) -> list[str]:
    """Return the agents that can be bound and whose names begin so, for the shell."""
    return _begun("binder", incomplete)


def _begun(kind: Literal["provider", "binder"], incomplete: str) -> list[str]:
    from freeride_core.plugins.discovery import offered_names

    return [name for name in offered_names(kind) if name.startswith(incomplete)]


def unknown_provider(name: str, installed: Collection[str]) -> str:
    """Return what to say of a provider that is not installed."""
    return f"there is no provider {name!r}; {suggestion(name, installed)}installed: {', '.join(installed) or 'none'}"
