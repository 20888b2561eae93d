"""The variables of each provider, as its package declares them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from freeride_core import Provider


def key_rows(providers: Iterable[Provider]) -> Iterator[tuple[str, ...]]:
    """For docs/settings.md: the names that count, the first before its aliases."""
    for provider in providers:
        keys = [name for each in provider.credentials for name in (each.variable, *each.aliases)]
        accounts = [
            name
            for each in provider.credentials
            for name in ((each.account_variable,) if each.account_variable else ()) + each.account_aliases
        ]
        own = (f"FREERIDE_{provider.name.upper()}_FREE_MODELS", *provider.free_models_variables)
        yield f"[{provider.name}](providers/{provider.name}.md)", _names(keys), _names(accounts), _names(own)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
