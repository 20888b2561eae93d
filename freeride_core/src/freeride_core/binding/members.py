"""What a binding changes in a configuration, member by member, so that it can be taken back without the work of others."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

from freeride_core.editing.document import Document, dotted

Step: TypeAlias = "str | Mapping[str, Any]"
"""A member's name; or an item of a list, by one of its own members or by its value: places in a list change."""

_IDENTITIES = ("id", "model_id", "alias", "name")


@dataclass(frozen=True, slots=True)
class MemberChange:
    """One member: what it was and what the binding made of it. None stands for a member that does not exist."""

    path: tuple[Step, ...]
    before: Any
    after: Any
    is_made: bool = False
    """A mapping or a list that the binding made, whose members are changes of their own; `after` is empty."""
    is_renewed: bool = False
    """The agent itself renews it."""


def compare(before: Any, after: Any, path: tuple[Step, ...] = ()) -> Iterator[MemberChange]:
    """Yield what is different, containers before their members."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in {**before, **after}:
            yield from compare(before.get(name), after.get(name), (*path, name))
    elif isinstance(before, list) and isinstance(after, list) and (items := _by_identity(before, after)):
        for step, (old, new) in items:
            yield from compare(old, new, (*path, step))
    elif _is_same(before, after):
        return
    elif isinstance(after, Mapping) and not _is_item(path):
        yield MemberChange(path, before, {}, is_made=True)
        yield from compare({}, after, path)
    elif isinstance(after, list) and before is None and _by_identity([], after):
        yield MemberChange(path, before, [], is_made=True)
        yield from compare([], after, path)
    else:
        yield MemberChange(path, before, after)


def merge(earlier: Sequence[MemberChange], later: Sequence[MemberChange]) -> list[MemberChange]:
    """Return the changes of two bindings, one after the other, as one."""
    found = {_key(change): change for change in earlier}
    for change in later:
        known = found.get(_key(change))
        found[_key(change)] = replace(change, before=known.before, is_made=known.is_made) if known else change
    return list(found.values())


def take_back(document: Document, changes: Sequence[MemberChange]) -> list[str]:
    """Give each member its value from before, unless it is not as the binding left it. Return the members, for people, that
    were changed later too: those stay."""
    return [conflict for change in reversed(changes) if (conflict := _take_back(document, change))]


def _take_back(document: Document, change: MemberChange) -> str:
    path = _find(document, change.path)
    if path is None:
        found = _find(document, change.path[:-1])
        if found is None or change.before is None or change.after is not None:
            return ""  # with what it was in, or by another program
        document.append(found, change.before)
        return ""
    now = document.get(path)
    if _is_same(now, change.before):
        return ""
    is_untouched = _is_same(now, change.after) or (change.is_renewed and now is not None)
    is_untouched = is_untouched or (_is_item(change.path) and _contains(now, change.after))
    if not is_untouched:
        is_others = now is None or change.after is None  # removed, or added again
        return "" if is_others or (change.is_made and change.before is None) else dotted(path)
    if now is not None and (change.before is None or _kind(now) is not _kind(change.before)):
        document.remove(path)
    if change.before is not None:
        document.set(path, change.before)
    return ""


def _kind(value: object) -> type:
    """Values of one kind are replaced in place."""
    return Mapping if isinstance(value, Mapping) else list if isinstance(value, list) else str


def _find(document: Document, steps: Sequence[Step]) -> tuple[str | int, ...] | None:
    """The path in the document as it is; None if an item on the way is gone."""
    path: tuple[str | int, ...] = ()
    for step in steps:
        if isinstance(step, str):
            path = (*path, step)
            continue
        items = document.get(path)
        index = (
            next((at for at, item in enumerate(items) if _matches(item, step)), None)
            if isinstance(items, list)
            else None
        )
        if index is None:
            return None
        path = (*path, index)
    return path


def _by_identity(before: list[Any], after: list[Any]) -> list[tuple[Step, tuple[Any, Any]]]:
    """Pairs of items that are the same one, by what tells them apart; none if nothing does."""
    old, new = ([(_identity(item), item) for item in items] for items in (before, after))
    if len(old) != len({_text(step) for step, _ in old}) or len(new) != len({_text(step) for step, _ in new}):
        return []
    steps = {_text(step): step for step, _ in (*old, *new)}.values()
    return [(step, (_item(old, step), _item(new, step))) for step in steps]


def _item(items: Sequence[tuple[Step, Any]], step: Step) -> Any:
    return next((item for each, item in items if _is_same(each, step)), None)


def _identity(item: Any) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        for member in _IDENTITIES:
            if isinstance(item.get(member), str):
                return {"member": member, "is": item[member]}
    return {"item": item}


def _matches(item: Any, step: Mapping[str, Any]) -> bool:
    if "item" in step:
        return _is_same(item, step["item"])
    return isinstance(item, Mapping) and item.get(step["member"]) == step["is"]


def _is_item(path: Sequence[Step]) -> bool:
    return bool(path) and not isinstance(path[-1], str)


def _contains(now: object, after: object) -> bool:
    """Whether an item has all that the binding wrote; the agent may have added to it."""
    if not isinstance(now, Mapping) or not isinstance(after, Mapping):
        return False
    return all(_is_same(now.get(name), value) for name, value in after.items())


def _key(change: MemberChange) -> str:
    return _text(change.path)


def _is_same(one: object, other: object) -> bool:
    """For Python, 0 is False and 1.0 is 1."""
    return _text(one) == _text(other)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def write_changes(changes: Sequence[MemberChange]) -> bytes | None:
    """Return them as they are kept, or None if a value cannot be kept, such as a date."""
    try:
        return json.dumps([asdict(change) for change in changes]).encode()
    except (TypeError, ValueError):
        return None


def parse_changes(content: bytes) -> list[MemberChange]:
    """Return what `write_changes` wrote. ValueError: it is damaged."""
    try:
        return [MemberChange(**{**row, "path": tuple(row["path"])}) for row in json.loads(content)]
    except (TypeError, KeyError) as error:
        raise ValueError(str(error)) from None


def changes_between(before: Document, after: Document, renewed: Collection[str]) -> list[MemberChange]:
    """Return what one edit has changed. `renewed` names members that the agent renews. Raise `Unreadable` as the editors do."""
    new = after.get([])
    empty: list[object] | dict[str, object] = [] if isinstance(new, list) else {}
    found = compare(before.get([]) or empty, new or empty)
    return [replace(change, is_renewed=change.path[-1] in renewed) if change.path else change for change in found]
