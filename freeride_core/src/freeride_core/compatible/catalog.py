"""Catalogs of OpenAI-compatible upstreams: the dated list, the live list, and canonical names."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from freeride_core.answer import Answer, UpstreamRequest
from freeride_core.call import Operation
from freeride_core.compatible.wire import bearer
from freeride_core.model import Model, is_model_name
from freeride_core.provider import Catalog, Key

_QUANTISATION = re.compile(
    r"(?:-(?:fp4|fp8|nvfp4|mxfp4|fp16|bf16|int4|int8|awq|gptq|gguf|q[1-8](?:_[a-z0-9]++)*+)(?:-fast)?)++(?P<end>$)?"
)
"""Such marks, of which those at the end count. Each row of them is taken as a whole: a name may hold thousands."""


_EMBEDDER = re.compile(
    r"embed|(?<![a-z0-9])(?:bge|e5|gte|jina-clip|all-minilm|minilm|all-mpnet|mpnet|colbert|sbert|rerank\w*|retriever\w*)(?![a-z0-9])",
    re.IGNORECASE,
)
"""Families of models that turn texts into vectors or ranks, and do not chat."""
_EMBEDS = frozenset({Operation.EMBEDDINGS})
_EITHER = frozenset({Operation.CHAT, Operation.EMBEDDINGS})


def without_quantisation(name: str) -> str:
    """Return a lower-case name without the end that says how the weights are stored: `-fp8`, `-awq-int4`, `-q4_k_m`.

    The model behaves alike."""
    return _QUANTISATION.sub(lambda found: found[0] if found["end"] is None else "", name)


def canonical_of(model_id: str, makers: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the canonical name of a model without one: lower-case, without quantisation, its maker as `makers` spells it.

    The package first removes the upstream's own marks, such as a suffix for free variants."""
    maker, slash, name = without_quantisation(model_id.lower()).partition("/")
    return makers.get(maker, maker) + slash + name


def operations_of(model_id: str) -> frozenset[Operation]:
    """Return what a model can be asked for if only its id is known.

    A name that says so embeds. Any other chats, and embeds if a request names it, because the upstream knows best. (`auto` never
    embeds.)"""
    return _EMBEDS if _EMBEDDER.search(model_id) else _EITHER


@dataclass(frozen=True, kw_only=True)
class CompatibleCatalog(Catalog):
    """A dated list, and a live one in the shape that `parse_entry` understands."""

    models: tuple[Model, ...] = ()
    checked: str
    fresh_s: float | None = None
    path: str | None = "/models"
    """Appended to the key's base URL, or None without a live list."""
    base_suffix: str = ""
    """What the base URL must end in, and what is cut off before `path`, where the list lives beside the API: `/v1`."""
    rows: str = "data"
    """The member of the answer that holds the entries."""
    parse_entry: Callable[[Mapping[str, Any], Mapping[str, Model]], Sequence[Model]] | None = None
    """One entry, and the dated models by id, into models: usually one, none if it is not one of ours. None for the whole: the
    entries' ids only confirm the dated list."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, key: Key) -> UpstreamRequest | None:
        if self.path is None:
            return None
        return request_beside(key, self.base_suffix, self.path, bearer(key, self.headers))

    def parse(self, answer: Answer) -> tuple[Model, ...]:
        body = answer.json
        rows = body if isinstance(body, list) else body.get(self.rows) if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise ValueError(f"the catalog answer has no list under {self.rows!r}")
        dated = {model.id: model for model in self.models}
        live: dict[str, Model] = {}
        parse_entry = self.parse_entry or _dated_entry
        for row in rows:
            with contextlib.suppress(*MISSHAPED):  # one odd entry drops no other
                for model in parse_entry(row, dated):
                    if not (is_model_name(model.id) and is_model_name(model.canonical)):
                        continue
                    first = live.setdefault(model.id, model)
                    if (first.price, first.promoted) != (model.price, model.promoted):
                        live[model.id] = _dearer(first, model)
        return tuple(live.values())


MISSHAPED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What comes of reading JSON that is not shaped as expected."""


def _dearer(first: Model, other: Model) -> Model:
    """The first of two entries of one id, which disagree on what it costs: it is as dear as the dearer says."""
    prices = [first.price, other.price]
    known = [price for price in prices if price is not None]
    price = None if len(known) < 2 else min(known) if min(known) < 0 else max(known)
    return replace(first, price=price, promoted=first.promoted and other.promoted)


def _dated_entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> Sequence[Model]:
    return (dated[row["id"]],)


def request_beside(
    key: Key, base_suffix: str, path: str, headers: tuple[tuple[str, str], ...]
) -> UpstreamRequest | None:
    """Asks for what lies beside the API; None where the base URL does not end as it must."""
    if not key.base_url.endswith(base_suffix):
        return None
    return UpstreamRequest("GET", key.base_url.removesuffix(base_suffix) + path, headers)
