"""`freeride init`: a menu of providers; for each that is chosen a key is asked for, checked, and saved in `.env`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freeride_core.cli.names import complete_providers
from freeride_core.cli.terminal import NO_PROVIDER, fail, show, show_wrapped, with_tilde

if TYPE_CHECKING:
    from freeride_core.cli.key_prompt import KeyPrompt
    from freeride_core.provider import Provider
    from freeride_core.settings.resolver import Settings

_INTERRUPTED = 130


def init(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROVIDER", help="Ask only for these providers.", autocompletion=complete_providers),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Ask the provider whether it accepts the key. Uses no quota.")
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the questions as one JSON array instead of asking them.")
    ] = False,
) -> None:
    """Get a free key, paste it, and FreeRide verifies and saves it. Run it again to add more.

    Without a name it shows a menu of all providers, the easiest first."""
    from freeride_core.cli.key_prompt import KeyPrompt
    from freeride_core.cli.recommendation import recommended
    from freeride_core.plugins.discovery import load_plugins
    from freeride_core.settings.resolver import load_settings

    settings = load_settings()
    providers = recommended(load_plugins(("provider",)).providers.values())
    chosen = _named(names or (), providers)
    if as_json:
        typer.echo(json.dumps([_facts(settings, provider) for provider in chosen or providers], indent=2))
        return
    if not providers:
        fail(NO_PROVIDER)
    path = with_tilde(settings.home / ".env")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail(
            f"init asks questions and needs a terminal. Without one, write NAME=key into {path}; names: freeride init --json"
        )
    show_wrapped(f"Keys are saved in {path}, readable only by you. Press Enter to skip, Ctrl-C to stop.")
    prompt = KeyPrompt(settings.home / ".env", providers, is_checked=check)
    is_interrupted = False
    try:
        if chosen:
            for provider in chosen:
                prompt.ask(provider)
        else:
            _run_menu(prompt, providers)
    except KeyboardInterrupt:
        is_interrupted = True
        show("")
    except EOFError:
        show("")
    _sum_up(prompt, providers, is_interrupted=is_interrupted)


def _named(names: Sequence[str], providers: Sequence[Provider]) -> list[Provider]:
    from freeride_core.cli.names import unknown_provider

    by_name = {provider.name: provider for provider in providers}
    for name in names:
        if name.lower() not in by_name:
            fail(unknown_provider(name, by_name))
    return [by_name[name.lower()] for name in dict.fromkeys(names)]


def _run_menu(prompt: KeyPrompt, providers: Sequence[Provider]) -> None:
    """Ask for one provider after the other until the user has enough."""
    seen: set[str] = set()
    while True:
        _show_menu(prompt, providers)
        rest = [provider for provider in providers if provider.name not in seen and provider.credentials]
        suggested = rest[0] if rest and not any(map(prompt.keys, providers)) else None
        default = f"Enter for {suggested.about.title}" if suggested else "Enter to finish"
        answer = input(f"Which one? Number or name, {default}: ").replace(",", " ").split()
        if not answer and suggested is None:
            return
        picked = _picked(answer, providers) if answer else [suggested]
        for provider in filter(None, picked):
            seen.add(provider.name)
            prompt.ask(provider)


def _show_menu(prompt: KeyPrompt, providers: Sequence[Provider]) -> None:
    from freeride_core.cli.table import show_table

    show("")
    rows = [
        (
            str(number),
            provider.about.title,
            _saved(len(prompt.keys(provider))),
            provider.about.sign_up or "none",
            provider.about.free_day,
        )
        for number, provider in enumerate(providers, 1)
    ]
    show_table(("", "PROVIDER", "KEYS", "SIGN-UP", "FREE PER DAY"), rows, droppable=("SIGN-UP",))
    show("")


def _saved(count: int) -> str:
    return str(count) if count else "-"


def _picked(words: Sequence[str], providers: Sequence[Provider]) -> list[Provider]:
    """The providers of these numbers and names; what is neither is told."""
    from freeride_core.cli.names import unknown_provider

    names = {provider.name: provider for provider in providers}
    titles = {provider.about.title.lower(): provider for provider in providers}
    numbers = {str(number): provider for number, provider in enumerate(providers, 1)}
    known = {**titles, **names, **numbers}
    for word in words:
        if word.lower() not in known:
            show_wrapped(f"{unknown_provider(word, names)}.")
    return [known[word.lower()] for word in words if word.lower() in known]


def _sum_up(prompt: KeyPrompt, providers: Sequence[Provider], *, is_interrupted: bool) -> None:
    """Say what was saved, however it ended."""
    show_wrapped(f"Saved: {', '.join(prompt.saved)}." if prompt.saved else "Nothing was saved.")
    usable = [provider.about.title for provider in providers if prompt.keys(provider)]
    if is_interrupted:
        raise typer.Exit(_INTERRUPTED)
    if not usable:
        fail("There is no API key yet. To see what one would give you: freeride demo")
    show_wrapped(f"Ready: {', '.join(usable)}. Next: freeride serve")


def _facts(settings: Settings, provider: Provider) -> dict[str, Any]:
    from freeride_core.settings.keys import key_variable, read_keys

    about = provider.about
    return {
        "name": provider.name,
        "title": about.title,
        "variable": key_variable(provider),
        "account_variable": provider.credentials[0].account_variable if provider.credentials else None,
        "keys": len(read_keys(provider, settings)[0]),
        "keys_url": about.keys_url or None,
        "free_day": about.free_day,
        "sign_up": about.sign_up or None,
        "needs_card": "card" in about.sign_up,
        "needs_phone": "phone" in about.sign_up,
        "data_use": about.data_use,
        "source": about.source,
        "checked": about.checked,
        "env_file": str(settings.home / ".env"),
    }
