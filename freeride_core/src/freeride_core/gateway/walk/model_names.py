"""The model that is probably meant where none has the name that a client sent."""

from __future__ import annotations

from collections.abc import Iterable

from freeride_core.system.spelling import nearest

_SHORTEST = 4
"""Letters that the beginning of a name needs to say anything."""
_ALIKE = 0.5
"""Names of one family can differ in half of their letters, such as `acme-4o` and `acme-oss-120b`."""


def nearest_model(wanted: str, ids: Iterable[str]) -> str | None:
    """Return the id that is probably meant, or None: the same name of another maker or at another place, one that begins so, or
    one that is spelled like it. The first of `ids` wins."""
    names: dict[str, str] = {}
    for model_id in ids:
        names.setdefault(_bare(model_id), model_id)
    name = _bare(wanted)
    if name in names:
        return names[name]
    if len(name) >= _SHORTEST:
        for other, model_id in names.items():
            if other.startswith(name) or (len(other) >= _SHORTEST and name.startswith(other)):
                return model_id
    near = nearest(name, names, at_least=_ALIKE)
    return None if near is None else names[near]


def _bare(model_id: str) -> str:
    """Without the maker in front and the variant behind: `oss-120b` of `acme/oss-120b:free`."""
    return model_id.lower().rpartition("/")[2].partition(":")[0]
