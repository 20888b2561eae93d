"""What keys look like: whose a key is, by the patterns of the packages, and which texts are placeholders of a page."""

from __future__ import annotations

import re
from collections.abc import Iterable

from freeride_core.provider import Credential, Provider

_LITERAL = re.compile(r"(?:[\w-]|\\[.-])+(?![*+?{\w-])")
"""What a pattern begins with, as it is written. A quantifier behind the last letter makes that one optional or repeated."""
_PLACEHOLDER = re.compile(
    r"""\.\.\. | … | [<{].*[>}] | \$\{.*\} | \$\w+
    | (?:.*[^a-z0-9])? (?: your | my[-_]?(?:api[-_]?)?key | placeholder | change[-_]?me | replace[-_]?(?:me|with|this)
      | (?:api[-_]?)?(?:key|token)[-_]here | paste | dummy[-_]?key | todo | redacted | example[-_]?key ) (?:[^a-z0-9].*)?
    | (?:.*[-_])? (?: x{3,} | \*{3,} | \.{3,} | •{3,} | …+ )
    | your\w* | (?:the[-_])?(?:api[-_]?)?(?:key|token) | none | null | undefined""",
    re.VERBOSE | re.IGNORECASE,
)


def is_placeholder(text: str) -> bool:
    """Return whether a page or a template has this where the key belongs: `your-key-here`, `<key>`, `sk-xxxx`, `$API_KEY`."""
    return _PLACEHOLDER.fullmatch(text) is not None


def key_starts(provider: Provider) -> tuple[str, ...]:
    """Return what all keys of the provider begin with, one of these: `("sk-",)`. Empty if its pattern does not say."""
    starts: list[str] = []
    for credential in provider.credentials:
        alternatives = [] if credential.pattern is None else credential.pattern.split("|")
        found = [_LITERAL.match(alternative) for alternative in alternatives]
        if not all(found):
            return ()
        starts += [match[0].replace("\\", "") for match in found if match]
    return tuple(starts)


def begins_as(provider: Provider, secret: str) -> bool:
    """Return whether the key begins as the provider's keys do. False if its pattern does not say how they begin."""
    return any(secret.startswith(start) for start in key_starts(provider))


def expected_start(provider: Provider) -> str:
    """Return the starts for people, `sk-…`, or an empty text if the pattern does not say."""
    return " or ".join(f"{start}…" for start in key_starts(provider))


def looks_right(provider: Provider, variable: str, secret: str) -> bool:
    """Return whether a key looks as the provider's keys in this variable do. True if no pattern says."""
    patterns = [credential.pattern for credential in provider.credentials if is_variable_of(credential, variable)]
    return all(pattern is None or re.fullmatch(pattern, secret) for pattern in patterns)


def owner_of(secret: str, providers: Iterable[Provider]) -> Provider | None:
    """Return the provider whose keys begin like this one and look like it, or None if no pattern tells one from the others."""
    for provider in providers:
        if begins_as(provider, secret) and any(
            credential.pattern is not None and re.fullmatch(credential.pattern, secret)
            for credential in provider.credentials
        ):
            return provider
    return None


def is_variable_of(credential: Credential, variable: str) -> bool:
    """Return whether the variable is one of the credential's family: `NAME`, `NAME_2`, an alias."""
    return any(
        re.fullmatch(rf"{re.escape(name)}(_\d+)?", variable) for name in (credential.variable, *credential.aliases)
    )
