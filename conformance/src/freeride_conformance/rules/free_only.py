"""Free only: what costs money, or may cost money, is never asked for."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from freeride_conformance.direct import NOW
from freeride_conformance.rig import Rig, chat
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import ProviderSubject
from freeride_core.answer import Answer, Phase
from freeride_core.free import WholeCatalog
from freeride_core.model import Model
from freeride_core.provider import Account
from freeride_core.simulator.profile import Profile
from freeride_core.simulator.reading import catalog_of

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Free only"
_MISSING = object()
# What an entry may say of its price, or that it is free, without saying that it costs nothing.
_PRICES = {
    "paid": 0.01,
    "unknown": _MISSING,
    "null": None,
    "negative": -1,
    "in-words": "free",
    "listed": [],
    "nested": {},
}
_MARKS: tuple[Any, ...] = (False, _MISSING, None, "yes", 0, [], {})
_STRANGER = Model(id="nobody/has-heard-of-it", canonical="nobody/has-heard-of-it")


@rule(RULES, SECTION, fix="choose the policy of `free` that denies by default; see freeride_core.free")
def denies_what_is_not_free(subject: ProviderSubject) -> None:
    """A model is never listed and never used, not even by name, if it costs money, is unknown, or has an unknown, negative or
    odd price. The same holds for an account that can be billed, if the policy depends on that."""
    policy, profile = subject.provider.free, subject.profile
    is_open = policy.allows(_STRANGER, Account())
    assert profile.catalog.paid or isinstance(policy, WholeCatalog), (
        "simulator.toml's catalog names no entry that costs money (`paid`), so nothing shows that it is left alone; "
        "only WholeCatalog() has none"
    )
    for can_be_billed in (True, None):
        account = Account(can_be_billed=can_be_billed)
        assert is_open or not policy.allows(_STRANGER, account), (
            f"with can_be_billed={can_be_billed} an unknown model is free"
        )
    assert not is_open or isinstance(policy, WholeCatalog) or not subject.provider.credentials, (
        "its policy allows an unknown model; only WholeCatalog(), which says why, may do that"
    )
    is_priced = bool(profile.catalog.prices or profile.catalog.marks) and not isinstance(policy, WholeCatalog)
    odd = dict(_odd_entries(subject)) if is_priced or not is_open else {}
    forbidden = [*profile.catalog.paid, *odd, *([] if is_open else [_STRANGER.id])]
    with Rig(subject, profile=with_entries(profile, list(odd.values()))) as rig:
        listed = [name for entry in rig.get("/v1/models").json["data"] for name in entry["provider_ids"].values()]
        for name in forbidden:
            # An entry may give several models, whose names begin like its own.
            shown = [one for one in listed if one == name or (name in odd and one.startswith(f"{name}:"))]
            assert not shown, f"{name} is not free and is listed"
            reply = rig.ask(chat(name))
            assert name not in [seen.model for seen in rig.asked], f"{name} is not free and was asked for"
            # A paid model's own free variant is the same model, and may answer.
            assert reply.status in (200, 404, 503), f"a request for {name} was answered with {reply.status}"


def _odd_entries(subject: ProviderSubject) -> Iterator[tuple[str, Any]]:
    """Entries made of a free one, by name: with every price that is not zero, and without every mark of being free. Where the
    name ends in a mark after a colon, a price that is said counts more."""
    free = _free_rows(subject)
    if not free:
        return
    listing = subject.profile.catalog
    prices = _PRICES if listing.prices else {"stranger": _MISSING}
    endings = {"": free[0]} | {f":{row['id'].partition(':')[2]}": row for row in free if ":" in str(row.get("id"))}
    for word, price in prices.items():
        for index, mark in enumerate(_MARKS if listing.marks else [None]):
            for ending, row in endings.items():
                if ending and price in (None, _MISSING):
                    continue  # the mark in the name is all that is said
                name = f"conformance/{word}{f'-{index}' if index else ''}{ending}"
                entry = _renamed(row, name)
                for path in listing.prices:
                    _put(entry, path.split("."), price)
                for path in listing.marks:
                    _put(entry, path.split("."), mark)
                yield name, entry


def _free_rows(subject: ProviderSubject) -> list[dict[str, Any]]:
    """The entries that give a free model."""
    body, rows = listing_of(subject.profile)
    free = []
    for row in rows:
        if not isinstance(row, dict):
            continue
        alone = replaced(body, rows, [row])
        answer = Answer(200, {}, json.dumps(alone).encode(), NOW, Phase.BODY)
        try:
            models = subject.provider.catalog.parse(answer)
        except ValueError:
            continue
        if any(subject.provider.free.allows(model, Account()) for model in models):
            free.append(row)
    return free


def listing_of(profile: Profile) -> tuple[Any, list[Any]]:
    """The list of models as JSON, and the entries in it."""
    body = json.loads(catalog_of(profile, NOW).body)
    places = [body, *(body.values() if isinstance(body, dict) else ())]
    return body, next((place for place in places if isinstance(place, list)), [])


def replaced(body: Any, old: list[Any], new: list[Any]) -> Any:
    """The list's JSON with other entries."""
    if body is old:
        return new
    return {name: new if value is old else value for name, value in body.items()} if isinstance(body, dict) else body


def with_entries(profile: Profile, entries: list[Any]) -> Profile:
    """The profile with more entries in its list of models."""
    body, rows = listing_of(profile)
    listing = msgspec.structs.replace(profile.catalog, body=json.dumps(replaced(body, rows, [*rows, *entries])))
    return msgspec.structs.replace(profile, catalog=listing)


def _renamed(row: Any, name: str) -> Any:
    """A copy under another name, wherever the entry says its own."""
    entry = copy.deepcopy(row)
    for field in ("id", "name", "canonical_slug"):
        if isinstance(entry.get(field), str):
            entry[field] = name
    return entry


def _put(place: Any, path: Sequence[str], value: Any) -> None:
    """Sets what a path leads to, everywhere it leads to; a price keeps the type that it had."""
    head, *rest = path
    members: Sequence[Any] = ()
    if isinstance(place, dict):
        members = list(place) if head == "*" else [head] * (head in place)
    elif isinstance(place, list):
        members = range(len(place)) if head == "*" else ()
    for member in members:
        if rest:
            _put(place[member], rest, value)
        elif value is _MISSING:
            del place[member]
        else:
            is_spelled = isinstance(place[member], str) and isinstance(value, (int, float)) and value is not False
            place[member] = str(value) if is_spelled else value
