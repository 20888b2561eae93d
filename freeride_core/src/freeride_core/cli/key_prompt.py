"""What `freeride init` asks about one provider at a time."""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from freeride_core.cli.browser import can_open, open_page
from freeride_core.cli.terminal import columns_of, show, show_wrapped, wrap
from freeride_core.privacy.redaction import Redactor
from freeride_core.provider import Credential, Key, Provider
from freeride_core.settings.dotenv import set_variables
from freeride_core.settings.key_shapes import (
    begins_as,
    expected_start,
    is_placeholder,
    is_variable_of,
    looks_right,
    owner_of,
)
from freeride_core.settings.keys import read_keys
from freeride_core.settings.resolver import Settings, SettingsError, base_url_variable, load_settings
from freeride_core.settings.unquoted import named_key

_TRIES = 5
_LABEL = 14


class KeyPrompt:
    """Asks for keys where they cannot be seen, and saves those that are good. Ctrl-C and the end of input pass through."""

    def __init__(self, path: Path, providers: Sequence[Provider], *, is_checked: bool) -> None:
        self._path = path
        self._providers = providers
        self._is_checked = is_checked
        self.saved: dict[str, None] = {}
        """The titles of the providers of which something was saved, in that order."""

    def keys(self, provider: Provider) -> tuple[Key, ...]:
        """Return the usable keys that the provider has now."""
        return read_keys(provider, load_settings(), self._providers)[0]

    def ask(self, provider: Provider) -> None:
        """Introduce one provider and ask for its keys, or for its address if it needs no key."""
        show(f"\n{provider.about.title}")
        for label, text in _introduction(provider):
            show_wrapped(f"  {label:<{_LABEL}}{text}", hang=_LABEL)
        settings = load_settings()
        if not provider.credentials:
            self._ask_address(settings, provider)
            return
        credential = provider.credentials[0]
        if credential.variable in settings.above_files:
            show_wrapped(f"  {credential.variable} is set in your environment, which outranks {self._path.name}.")
            return
        if (variable := self._variable(provider)) is None:
            return
        if can_open() and _is_agreed(f"  Open {provider.about.keys_url} in your browser? [Y/n] ", default=True):
            open_page(provider.about.keys_url)
        self._ask_keys(provider, variable)

    def _variable(self, provider: Provider) -> str | None:
        """Where the next key goes, or None if the user keeps what there is."""
        present = self.keys(provider)
        if not present:
            return provider.credentials[0].variable
        held = ", ".join(f"{key.fingerprint} in {key.variable}" for key in present)
        show_wrapped(f"  {provider.about.title} has {_counted(present)}: {held}.")
        if len(present) > 1:
            return self._next_variable(provider) if _is_agreed("  Add another? [y/N] ", default=False) else None
        answer = input("  Add another or replace it? [a/r, Enter to keep it] ").strip().lower()
        if answer.startswith("r"):
            return present[0].variable
        return self._next_variable(provider) if answer.startswith("a") else None

    def _next_variable(self, provider: Provider) -> str:
        """The first free name of the family that counts now: an alias counts only while the names before it are empty."""
        present = self.keys(provider)
        if not present:
            return provider.credentials[0].variable
        base, taken = re.sub(r"_\d+$", "", present[0].variable), load_settings().environ
        return next(
            name for number in range(2, len(taken) + 3) if not taken.get(name := f"{base}_{number}", "").strip()
        )

    def _ask_keys(self, provider: Provider, variable: str) -> None:
        title = provider.about.title
        question, failures = f"  Paste your {title} key (hidden, Enter to skip): ", 0
        while failures < _TRIES:
            pasted = getpass.getpass(question)
            if not pasted.strip():
                return
            if self._take(provider, variable, pasted):
                variable = self._next_variable(provider)
                question, failures = f"  Paste another {title} key (hidden, Enter to go on): ", 0
            else:
                failures += 1
        show_wrapped(f"  That was no key {_TRIES} times. Go on with: freeride init {provider.name}")

    def _take(self, provider: Provider, variable: str, pasted: str) -> bool:
        """Whether a key of this provider was saved; why not is told."""
        name, secret = named_key(pasted)
        if fault := _fault(provider, secret):
            show_wrapped(f"  {fault}")
            return False
        owner = self._owner(provider, name, secret)
        if owner is not None:
            start = expected_start(owner)
            shape = f" ({start})" if start else ""
            show_wrapped(f"  That looks like a key of {owner.about.title}{shape}, not of {provider.about.title}.")
            if _is_agreed(f"  Save it for {owner.about.title}? [Y/n] ", default=True):
                self._save(owner, self._next_variable(owner), secret)
            else:
                show("  Not saved.")
            return False
        if not looks_right(provider, variable, secret):
            start = expected_start(provider)
            shape = f" (expected {start})" if start else ""
            show_wrapped(f"  That doesn't look like a key of {provider.about.title}{shape}.")
            if not _is_agreed("  Use it anyway? [y/N] ", default=False):
                show("  Not saved.")
                return False
        return self._save(provider, variable, secret)

    def _owner(self, provider: Provider, name: str | None, secret: str) -> Provider | None:
        """Another provider, whose key it is by its look, or by the name that was pasted with it."""
        if begins_as(provider, secret):
            return None
        others = [other for other in self._providers if other.name != provider.name]
        if (owner := owner_of(secret, others)) is not None or name is None:
            return owner
        return next((o for o in others if any(is_variable_of(each, name) for each in o.credentials)), None)

    def _save(self, provider: Provider, variable: str, secret: str) -> bool:
        """Whether the key is good, as far as one can tell, and was saved."""
        settings = load_settings()
        if secret in (key.secret for key in self.keys(provider)):
            show("  That key is saved already.")
            return False
        values = {variable: secret}
        credential = provider.credentials[0]
        if credential.account_variable:
            values |= self._ask_account(settings, credential, variable)
        tried = load_settings({**settings.above_files, **values})
        keys, warnings = read_keys(provider, tried, self._providers)
        new = [key for key in keys if key.secret == secret]
        if not new:
            for warning in warnings:
                show_wrapped(f"  {warning}")
            return False
        note = "Saved."
        if self._is_checked:
            verdict = self._check(tried, provider, new)
            if verdict is None:
                return False
            note = verdict
        set_variables(self._path, values)
        self.saved[provider.about.title] = None
        show_wrapped(f"  {note}")
        return True

    def _check(self, settings: Settings, provider: Provider, keys: Sequence[Key]) -> str | None:
        """Return what to say of a saved key, or None if the provider rejects it, which is told."""
        from freeride_core.cli.key_check import check_keys

        title = provider.about.title
        [verdict] = check_keys(settings, [(provider, keys)])
        note = Redactor(key.secret for key in keys)(verdict.note)
        if verdict.valid is False:
            why = f": {note}" if note else ""
            show_wrapped(f"  {title} rejected this key{why}. Try again, or press Enter to skip.")
            return None
        if verdict.valid:
            return f"{title} accepts this key. Saved." if not note else f"{title} accepts this key: {note}. Saved."
        return f"Saved. {title} could not verify it ({note}); the first request will show."

    def _ask_account(self, settings: Settings, credential: Credential, variable: str) -> dict[str, str]:
        assert credential.account_variable is not None
        held = settings.environ.get(credential.account_variable, "").strip()
        if credential.account_help:
            show_wrapped(f"  The account id is {credential.account_help}.")
        account = input(
            f"  {credential.account_variable} [{'Enter for the same as before' if held else 'needed'}]: "
        ).strip()
        if not account:
            return {}
        suffix = re.search(r"_\d+$", variable)
        return {credential.account_variable + (suffix[0] if suffix and held else ""): account}

    def _ask_address(self, settings: Settings, provider: Provider) -> None:
        name = base_url_variable(provider)
        held = settings.base_url(provider)
        show_wrapped(f"  No key needed, just the server URL, usually {provider.base_url}")
        for _ in range(_TRIES):
            address = input(f"  {name} [{held or 'not used'}]: ").strip()
            if not address:
                return
            try:
                load_settings({**settings.above_files, name: address})
            except SettingsError as error:
                show_wrapped(f"  {error}")
                continue
            set_variables(self._path, {name: address})
            self.saved[provider.about.title] = None
            show("  Saved.")
            return


def _introduction(provider: Provider) -> list[tuple[str, str]]:
    about = provider.about
    rows = [("Free per day", about.free_day)]
    if about.sign_up:
        is_free = not any(word in about.sign_up for word in ("card", "phone"))
        rows.append(("Sign-up", about.sign_up + (", no card, no phone" if is_free else "")))
    rows.append(("Your prompts", about.data_use))
    if about.keys_url:
        rows.append(("Get a key", about.keys_url))
    rows.append(("Checked", f"{about.checked}, {about.source}"))
    return rows


def _fault(provider: Provider, secret: str) -> str:
    """Why this cannot be a key of any provider; empty if it can."""
    start = expected_start(provider)
    shape = f" It starts with {start}" if start else ""
    if is_placeholder(secret):
        return f"That is a placeholder, not a key. Paste the key that you created.{shape}"
    if any(letter.isspace() for letter in secret):
        return f"That contains a space. Paste only the key.{shape}"
    if secret.startswith("["):
        return "That is a list. Paste one key at a time."
    if not (secret.isprintable() and secret.isascii()):
        return f"That contains a character that no key has. Copy the key again.{shape}"
    return ""


def _is_agreed(question: str, *, default: bool) -> bool:
    """Ask a question that Enter answers by `default`."""
    answer = input(wrap(question, columns_of(sys.stdout))).strip().lower()
    return default if not answer else answer.startswith("y")


def _counted(keys: Sequence[Key]) -> str:
    return "a key" if len(keys) == 1 else f"{len(keys)} keys"
