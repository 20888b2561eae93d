"""Keys: found in the settings, and known by fingerprint."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from freeride_core.provider import Credential, Key, Provider
from freeride_core.settings.key_shapes import begins_as, expected_start, is_placeholder, owner_of
from freeride_core.settings.resolver import Settings, base_url_variable
from freeride_core.settings.unquoted import bare_key, unquoted

_ACCOUNT = "{account}"
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9._-]+")


def fingerprint(secret: str) -> str:
    """The only form in which a key appears in state, events and listings."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def read_keys(
    provider: Provider, settings: Settings, installed: Iterable[Provider] = ()
) -> tuple[tuple[Key, ...], tuple[str, ...]]:
    """Return the provider's usable keys, and one warning for each that is not. No warning holds a key.

    A placeholder, and a key that looks like one of another `installed` provider, are not used. If the user has set the base URL
    they are: a server of the user's own may take any key."""
    if not provider.credentials:
        return _read_keyless(provider, settings), ()
    warnings: list[str] = []
    others = () if settings.base_url(provider) else tuple(other for other in installed if other.name != provider.name)
    for credential in provider.credentials:
        keys = _read_credential(provider, credential, settings, others, warnings)
        if keys:
            return keys, tuple(warnings)
    return (), tuple(warnings)


def key_variable(provider: Provider) -> str:
    """What a user sets to make the provider usable."""
    return provider.credentials[0].variable if provider.credentials else base_url_variable(provider)


def _read_keyless(provider: Provider, settings: Settings) -> tuple[Key, ...]:
    """An upstream that wants no key is used only where the user has asked for it."""
    address = settings.base_url(provider)
    if address is None and provider.name not in (settings.providers or ()):
        return ()
    base_url = address or provider.base_url
    keyless = Key(
        provider=provider.name,
        secret="",
        fingerprint=fingerprint(base_url),
        index=0,
        variable=base_url_variable(provider),
        base_url=base_url,
    )
    return (keyless,)


def _read_credential(
    provider: Provider, credential: Credential, settings: Settings, others: Sequence[Provider], warnings: list[str]
) -> tuple[Key, ...]:
    template = settings.base_url(provider) or provider.base_url
    accounts = _read_accounts(credential, settings.environ, warnings)
    keys: dict[str, Key] = {}
    for name in (credential.variable, *credential.aliases):
        for ordinal, found in enumerate(_find(name, settings.environ, warnings)):
            if found.secret in keys or not found.is_usable(warnings):
                continue
            if settings.base_url(provider) is None and is_placeholder(found.secret):
                warnings.append(f"{found.label} is not used: it is a placeholder, not a key")
                continue
            is_own = credential.pattern is None or begins_as(provider, found.secret)
            if not is_own and (owner := owner_of(found.secret, others)) is not None:
                warnings.append(f"{found.label} is not used: {_looks_like(owner)}")
                continue
            account_id = _pair(accounts, found, ordinal)
            if account_id is None and _ACCOUNT in template:
                wanted = credential.account_variable or "a variable"
                warnings.append(f"{found.label} is not used: it needs an account id in {wanted}")
                continue
            keys[found.secret] = Key(
                provider=provider.name,
                secret=found.secret,
                fingerprint=fingerprint(found.secret),
                index=len(keys),
                variable=found.variable,
                key_header=credential.key_header,
                account_id=account_id,
                base_url=template.replace(_ACCOUNT, account_id or ""),
            )
        if keys:
            break
    return tuple(keys.values())


def _looks_like(owner: Provider) -> str:
    start, variable = expected_start(owner), owner.credentials[0].variable
    return f"it looks like a key of {owner.about.title} ({start}); set {variable} to it"


@dataclass(frozen=True, slots=True)
class _Found:
    """One value of a variable's family: `NAME`, `NAME_2`, ..., or a member of a JSON array in one of them."""

    variable: str
    suffix: int
    """1 for the name without a suffix."""
    position: int
    secret: str

    @property
    def label(self) -> str:
        return f"{self.variable}[{self.position}]"

    def is_usable(self, warnings: list[str]) -> bool:
        if any(letter.isspace() for letter in self.secret):
            reason = "white space"
        elif not self.secret.isprintable():
            reason = "a control character"
        elif not self.secret.isascii():
            reason = "a character outside ASCII"
        else:
            return True
        warnings.append(f"{self.label} is not used: it holds {reason}")
        return False


def _find(name: str, environ: Mapping[str, str], warnings: list[str]) -> Iterator[_Found]:
    """All values of a family, by suffix and position."""
    numbered = re.compile(re.escape(name) + r"_([2-9]|[1-9][0-9]+)")
    suffixes = sorted(int(match[1]) for variable in environ if (match := numbered.fullmatch(variable)))
    for suffix in (1, *suffixes):
        variable = name if suffix == 1 else f"{name}_{suffix}"
        for position, secret in enumerate(_members(variable, environ.get(variable, ""), warnings)):
            if secret:
                yield _Found(variable, suffix, position, secret)


def _members(variable: str, text: str, warnings: list[str]) -> list[str]:
    """The members of a JSON array, or the text itself. What is unusable stays as an empty one: positions count."""
    array_text = unquoted(text)
    if not array_text.startswith("["):
        key = bare_key(text)
        if not key.startswith("["):
            return [key]
    try:
        array = json.loads(array_text)
    except (ValueError, RecursionError):
        warnings.append(f"{variable} is not used: it begins like a JSON array, but is not one")
        return []
    for position, item in enumerate(array):
        if not isinstance(item, str):
            warnings.append(f"{variable}[{position}] is not used: it is not a text")
    return [bare_key(item) if isinstance(item, str) else "" for item in array]


def _read_accounts(
    credential: Credential, environ: Mapping[str, str], warnings: list[str]
) -> dict[int, dict[int, str]]:
    """Account ids by suffix and position."""
    for name in (credential.account_variable, *credential.account_aliases):
        accounts: dict[int, dict[int, str]] = {}
        for found in _find(name, environ, warnings) if name else ():
            if _ACCOUNT_ID.fullmatch(found.secret):
                accounts.setdefault(found.suffix, {})[found.position] = found.secret
            else:
                warnings.append(f"{found.label} is not used: an account id has letters, digits, '-', '_' and '.' only")
        if accounts:
            return accounts
    return {}


def _pair(accounts: Mapping[int, Mapping[int, str]], key: _Found, ordinal: int) -> str | None:
    """The account id of the same suffix, or of the same place in the line; else the base one, if there is but one."""
    base = accounts.get(1, {})
    if key.suffix > 1 and key.suffix in accounts:
        own = accounts[key.suffix]
        return own.get(key.position, own[0] if list(own) == [0] else None)
    if list(base) not in ([], [0]):
        return base.get(key.position if key.suffix == 1 else ordinal)
    if key.suffix == 1 and key.position > 0 and key.position + 1 in accounts:
        return accounts[key.position + 1].get(0)
    return base.get(0)
