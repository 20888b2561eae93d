"""`freeride init`: a key for each provider, asked for where nobody looks on, checked, and kept in `.env`."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freeride_core.cli.terminal import NO_PROVIDER, fail, show

if TYPE_CHECKING:
    from freeride_core.provider import Credential, Key, Provider
    from freeride_core.settings.resolver import Settings

_TRIES = 5


def init(
    check: Annotated[bool, typer.Option(help="Ask the provider whether it takes the key. Spends nothing.")] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Ask nothing: show what would be asked, as one JSON array on stdout.")
    ] = False,
) -> None:
    """Set up your keys: shows for each provider what it gives and takes, asks for a key and checks it. Can be run again."""
    from freeride_core.plugins.discovery import load_plugins
    from freeride_core.settings.resolver import load_settings

    settings = load_settings()
    found = load_plugins(("provider",)).providers.values()
    providers = sorted(found, key=lambda provider: (provider.rank, provider.name))
    path = settings.home / ".env"
    if as_json:
        typer.echo(json.dumps([_facts(settings, provider) for provider in providers], indent=2))
        return
    if not providers:
        fail(NO_PROVIDER)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail(
            f"this asks questions and needs a terminal; without one write NAME=key into {path}, names: freeride init --json"
        )
    show(
        f"Keys are kept in {path}, for you only. Enter leaves things as they are; Ctrl-C ends, and keeps what was said."
    )
    for number, provider in enumerate(providers, 1):
        show(f"\n{provider.about.title}  ({number} of {len(providers)})\n{_introduce(provider)}")
        _Question(provider, path, is_checked=check).ask()
    usable = [provider.about.title for provider in providers if _keys(load_settings(), provider)]
    if not usable:
        fail("there is no key yet; `freeride demo` shows what one would give you")
    show(f"\nUsable: {', '.join(usable)}. Next: freeride serve")


def _facts(settings: Settings, provider: Provider) -> dict[str, Any]:
    from freeride_core.settings.keys import key_variable

    about = provider.about
    return {
        "name": provider.name,
        "title": about.title,
        "variable": key_variable(provider),
        "account_variable": provider.credentials[0].account_variable if provider.credentials else None,
        "keys": len(_keys(settings, provider)),
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


def _introduce(provider: Provider) -> str:
    about = provider.about
    rows = [("a free day", about.free_day)]
    if about.sign_up:
        needs = ", ".join(f"{'a' if word in about.sign_up else 'no'} {word}" for word in ("card", "phone"))
        rows.append(("sign-up", f"{about.sign_up} ({needs})"))
    rows.append(("your prompts", about.data_use))
    if about.keys_url:
        rows.append(("make a key", about.keys_url))
    rows.append(("as of", f"{about.checked}, {about.source}"))
    return "\n".join(f"  {title:<13} {text}" for title, text in rows)


def _keys(settings: Settings, provider: Provider) -> tuple[Key, ...]:
    from freeride_core.settings.keys import read_keys

    return read_keys(provider, settings)[0]


class _Question:
    """What is asked about one provider."""

    def __init__(self, provider: Provider, path: Path, *, is_checked: bool) -> None:
        self._provider = provider
        self._path = path
        self._is_checked = is_checked

    def ask(self) -> None:
        from freeride_core.settings.resolver import load_settings

        settings = load_settings()
        if not self._provider.credentials:
            self._ask_address(settings)
            return
        credential = self._provider.credentials[0]
        if credential.variable in settings.above_files:
            show(f"  {credential.variable} is set in your environment, which outranks the file.")
            return
        self._ask_key(settings, credential)

    def _ask_address(self, settings: Settings) -> None:
        from freeride_core.settings.dotenv import set_variables
        from freeride_core.settings.resolver import SettingsError, base_url_variable, load_settings

        name = base_url_variable(self._provider)
        at = settings.base_url(self._provider)
        show(f"  It wants no key, only its address, usually {self._provider.base_url}")
        for _ in range(_TRIES):
            address = input(f"  {name} [{at or 'not used'}]: ").strip()
            if not address:
                return
            try:
                load_settings({**settings.above_files, name: address})
            except SettingsError as error:
                show(f"  {error}")
                continue
            set_variables(self._path, {name: address})
            return

    def _ask_key(self, settings: Settings, credential: Credential) -> None:
        present = _keys(settings, self._provider)
        kept = f"keep {_counted(present)}" if present else "leave it out"
        for _ in range(_TRIES):
            secret = getpass.getpass(f"  {credential.variable} (hidden; Enter: {kept}): ").strip()
            if not secret:
                return
            values = {credential.variable: secret}
            if credential.account_variable:
                values |= self._ask_account(settings, credential.account_variable)
            if self._takes(settings, values):
                return
        show("  Enough of that; run `freeride init` again when you have another key.")

    def _ask_account(self, settings: Settings, name: str) -> dict[str, str]:
        at = settings.environ.get(name, "")
        account = input(f"  {name} [{at or 'needed'}]: ").strip()
        return {name: account} if account else {}

    def _takes(self, settings: Settings, values: dict[str, str]) -> bool:
        """Whether the values were kept; why not is told."""
        from freeride_core.privacy.redaction import Redactor
        from freeride_core.settings.dotenv import set_variables
        from freeride_core.settings.keys import read_keys
        from freeride_core.settings.resolver import load_settings

        tried = load_settings({**settings.above_files, **values})
        keys, warnings = read_keys(self._provider, tried)
        new = [key for key in keys if key.variable in values]
        if not new:
            for warning in warnings or ("that is no key",):
                show(f"  {warning}")
            return False
        if self._is_checked:
            from freeride_core.cli.key_check import check_keys

            redact = Redactor(key.secret for key in new)
            verdicts = check_keys(tried, [(self._provider, new)])
            for key, verdict in zip(new, verdicts, strict=True):
                note = f": {redact(verdict.note)}" if verdict.note else ""
                show(
                    f"  {key.fingerprint} is {'not known to be valid' if verdict.valid is None else verdict.word}{note}"
                )
            if all(verdict.valid is False for verdict in verdicts):
                return False
        set_variables(self._path, values)
        show("  kept")
        return True


def _counted(keys: Sequence[Key]) -> str:
    return keys[0].fingerprint if len(keys) == 1 else f"the {len(keys)} that are there"
