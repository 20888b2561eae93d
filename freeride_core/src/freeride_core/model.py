"""What a provider serves."""

from __future__ import annotations

import re
from dataclasses import dataclass

from freeride_core.call import Feature, Operation

_NAME = re.compile(r"[!-~]{1,256}")


def is_model_name(text: object) -> bool:
    """Whether it can name a model: 1 to 256 printable ASCII characters without blanks. A name becomes a header, a comment of a
    stream, a key of the state and a cell of a table, and an upstream's list can hold anything."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model as one provider serves it.

    `tier`, the rubric: 1 the best open models of the day (about 100B parameters and more, made for agents);
    2 strong all-rounders (about 20-100B, or smaller with reasoning); 3 small but useful (about 7-20B); 4 the rest and the
    unrated. A capability that is None is unknown: `auto` does not count on it, a request that names the model does.
    """

    id: str
    """The provider's own spelling."""
    canonical: str
    """The same model at two providers has the same canonical name. Quantisations merge, behaviour variants never."""
    operations: frozenset[Operation] = frozenset({Operation.CHAT})
    tier: int = 4
    context: int | None = None
    """Tokens of prompt and answer together."""
    max_output: int | None = None
    """Most tokens of answer that may be asked for; more is clamped."""
    tools: bool | None = None
    vision: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None
    price: float | None = None
    """The dearest of the model's published prices, USD per token. Negative: published, but not as a fixed number. None: unknown.
    Only 0 is free."""
    promoted: bool = False
    """The catalog itself marks this entry as free of charge."""
    router: bool = False
    """The upstream's own router over several models: a request for it goes on as `auto`."""
    retires: str | None = None
    """ISO date from which it is not chosen any more."""

    def supports(self, feature: str, *, assume: bool) -> bool:
        """Whether the model can do `feature`; `assume` stands in where nobody has said whether it can use tools or see."""
        if feature == Feature.TOOLS:
            return assume if self.tools is None else self.tools
        if feature == Feature.IMAGES:
            return assume if self.vision is None else self.vision
        return not (feature == Feature.JSON_SCHEMA and self.json_schema is False)
