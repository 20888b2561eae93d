"""What a value can become: by the name of the field that holds it, else by its type."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from freeride_conformance.rules.cases import usual_scope
from freeride_core.answer import ErrorKind, Scope
from freeride_core.call import Feature, Operation
from freeride_core.compatible.rules import Rule
from freeride_core.free import Allowlist, WholeCatalog
from freeride_core.limit import Limit, LimitKind
from freeride_core.model import Model
from freeride_core.provider import Account, Proof, Provider

Change = tuple[str, Any]
"""What is changed, in words, and what stands there then."""

_KINDS = (ErrorKind.RATE_LIMIT, ErrorKind.AUTH, ErrorKind.UNSUPPORTED, ErrorKind.UNAVAILABLE, ErrorKind.BAD_REQUEST)
_DAYS_GONE = "2020-01-01"


def _others(values: Iterator[Any] | tuple[Any, ...], value: Any) -> Iterator[Change]:
    for other in values:
        if other != value:
            yield f" -> {other.value if isinstance(other, enum.Enum) else other}", other


def _flag(value: bool | None) -> Iterator[Change]:
    yield f" -> {not value}", not value


def _size(value: int | None) -> Iterator[Change]:
    if value is not None:
        yield from ((" -> None", None), (" halved", value // 2), (" doubled", value * 2), (" -> 0", 0))


def _raises(*_: Any) -> Any:
    raise KeyError("gone")


# By the field's name.
_BY_FIELD: dict[str, Callable[[Any], Iterator[Change]]] = {
    "kind": lambda value: _others(_KINDS if isinstance(value, ErrorKind) else tuple(LimitKind), value),
    "scope": lambda value: _others(tuple(Scope), value),
    "unit": lambda _: iter(((" -> images", "images"),)),
    "window": lambda _: iter(((" -> year", "year"),)),
    "rank": lambda value: iter(((" plus one", value + 1),)),
    "note": lambda _: iter(()),  # words for people
    "first_byte_timeout": lambda value: iter(((" removed", None),) if value is not None else ()),
    "meter": lambda value: _others(tuple(Scope), value),
    "feature": lambda value: _others((None, Feature.TOOLS, Feature.IMAGES), value),
    "wait": lambda value: _others((None, 7) if value is not None else (), value),
    "status": lambda value: iter(((" -> None", None), (" -> 418", 418)) if value is not None else ()),
    "code": lambda value: iter(((" -> None", None), (" -> other", "no-such-code")) if value is not None else ()),
    "text": lambda value: iter(((" -> None", None), (" -> other", "no such words")) if value is not None else ()),
    "header": lambda value: iter(((" -> None", None), (" -> other", "x-no-such")) if value is not None else ()),
    "tier": lambda value: iter(((" -> 0", 0), (" -> 5", 5), (" off by one", value % 4 + 1))),
    "context": _size,
    "max_output": _size,
    "price": lambda _: iter(((" -> 1", 1.0),)),
    "retires": lambda _: iter(((" -> long ago", _DAYS_GONE),)),
    "operations": lambda value: _others((frozenset({Operation.CHAT}), frozenset({Operation.EMBEDDINGS})), value),
    "api_version": lambda _: iter(((" -> 2", 2), (" -> None", None))),
    "describe": lambda _: iter(
        (
            (" raises", _raises),
            (" proves nothing", lambda _: Proof(valid=None)),
            (" finds an account that cannot be billed", lambda _: Proof(True, Account(can_be_billed=False))),
        )
    ),
    "parse_entry": lambda value: iter(
        ((" -> None", None), (" -> nothing", lambda *_: ())) if value is not None else ()
    ),
    "pattern": lambda value: iter(((" -> None", None), (" -> other", "no-such-key")) if value is not None else ()),
    "account_pattern": lambda value: iter(
        ((" -> None", None), (" -> other", r'"(message|error)"')) if value is not None else ()
    ),
    "base_url": lambda value: iter(
        (
            (" with another host", value.replace("://", "://elsewhere.", 1)),
            (" with another path", f"{value}/more"),
            (" without TLS", value.replace("https://", "http://")),
        )
    ),
    "refusals": lambda value: iter((("emptied", {}),) if value else ()),
    "zone": lambda _: iter(((" -> on the other side", "Pacific/Auckland"),)),
}


# Names of things elsewhere, which can be wrong without being empty.
_NAMING = (
    "id",
    "canonical",
    "name",
    "variable",
    "account_variable",
    "path",
    "base_suffix",
    "rows",
    "headers",
    "renamed",
)


def _by_type(value: Any, field: str) -> Iterator[Change]:
    if isinstance(value, bool):
        yield from _flag(value)
    elif isinstance(value, enum.Enum):
        yield from _others(tuple(type(value)), value)
    elif isinstance(value, (int, float)):
        yield from ((" doubled", value * 2), (" plus one", value + 1))
    elif isinstance(value, str) and value:
        if field not in ("headers", "renamed"):
            yield " emptied", ""
        if field in _NAMING:
            yield " altered", value + "x"


def _of_policy(value: Any, paid: tuple[str, ...]) -> Iterator[Change]:
    """A free policy that allows more."""
    if not hasattr(value, "allows"):
        return
    if value != WholeCatalog():
        yield " -> WholeCatalog", WholeCatalog()
    if isinstance(value, Allowlist):
        yield from ((f" with {name}", replace(value, ids=value.ids | {name})) for name in paid)


def spread(count: int, most: int) -> list[int]:
    """Indexes of some of `count` things: the first, the last, and what lies between."""
    if count <= most:
        return list(range(count))
    return sorted({round(at * (count - 1) / (most - 1)) for at in range(most)})


def _may_both_fit(one: Rule, other: Rule) -> bool:
    """Whether their order can matter: some answer could fit both, and they do not mean the same."""
    statuses = [{*(rule.status if isinstance(rule.status, tuple) else (rule.status,))} for rule in (one, other)]
    meanings = [(rule.kind, rule.scope, rule.wait, rule.feature) for rule in (one, other)]
    return (None in statuses[0] | statuses[1] or bool(statuses[0] & statuses[1])) and meanings[0] != meanings[1]


class Alterations:
    """All that can be changed about a value, one thing at a time."""

    def __init__(self, provider: Provider, paid: tuple[str, ...], most: int, models: Callable[[Model], bool]) -> None:
        """`paid`: ids that cost money; `most` members of a set, and such `models`, are changed one by one."""
        self._provider = provider
        self._paid = paid
        self._most = most
        self._models = models

    def of(self, value: Any, field: str) -> Iterator[Change]:
        """Of a value in a field of that name."""
        yield from _of_policy(value, self._paid)
        if is_dataclass(value) and not isinstance(value, type):
            yield from self._of_members(value)
        elif field in _BY_FIELD:
            yield from _BY_FIELD[field](value)
        elif isinstance(value, tuple):
            yield from self._of_tuple(value, field)
        elif isinstance(value, Mapping):
            yield from self._of_mapping(value, field)
        elif isinstance(value, frozenset):
            ordered = sorted(value)
            for at in spread(len(ordered), self._most):
                yield f" without {ordered[at]}", value - {ordered[at]}
        else:
            yield from _by_type(value, field)
        if field == "refusals":
            yield from self._of_mapping(value, "note")

    def _of_members(self, value: Any) -> Iterator[Change]:
        for field in fields(value):
            for words, new in self.of(getattr(value, field.name), field.name):
                if not self._means_the_same(value, field.name, new):
                    yield f".{field.name}{words}", replace(value, **{field.name: new})
        if (
            isinstance(value, Rule)
            and value.scope is not None
            and usual_scope(value.kind, self._provider) != value.scope
        ):
            yield ".scope removed", replace(value, scope=None)

    def _means_the_same(self, old: Any, field: str, new: Any) -> bool:
        """Whether a scope or a kind is what it is anyway, or a zone is one of no fixed day."""
        if isinstance(old, Rule):
            return field == "scope" and new == (old.scope or usual_scope(old.kind, self._provider))
        if isinstance(old, Limit):
            is_day = old.window in ("day", "month") and old.limit_kind == LimitKind.FIXED
            return (field == "kind" and new == old.limit_kind) or (field == "zone" and not is_day)
        return False

    def _of_tuple(self, value: tuple[Any, ...], field: str) -> Iterator[Change]:
        for at, item in enumerate(value):
            if isinstance(item, Model) and not self._models(item):
                continue
            place = f"[{item.id}]" if isinstance(item, Model) else f"[{at}]"
            yield f"{place} removed", (*value[:at], *value[at + 1 :])
            if not isinstance(item, str):
                for words, new in self.of(item, field):
                    yield f"{place}{words}", (*value[:at], new, *value[at + 1 :])
            if isinstance(item, Rule) and at + 1 < len(value) and _may_both_fit(item, value[at + 1]):
                yield f"{place} after the next", (*value[:at], value[at + 1], item, *value[at + 2 :])

    def _of_mapping(self, value: Mapping[Any, Any], field: str) -> Iterator[Change]:
        for name, item in value.items():
            yield f"[{name}] removed", {other: kept for other, kept in value.items() if other != name}
            for words, new in self.of(item, field):
                yield f"[{name}]{words}", {**value, name: new}
