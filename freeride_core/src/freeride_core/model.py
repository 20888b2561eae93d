"""A model, as one provider serves it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from freeride_core.call import Feature, Operation

_NAME = re.compile(r"[!-~]{1,256}")


def is_model_name(text: object) -> bool:
    """Return whether a text can name a model: 1 to 256 printable ASCII characters without spaces.

    A name becomes a header, a comment of a stream, a key of the state and a cell of a table, and an upstream's list can hold
    anything."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model as one provider serves it.

    A capability that is None is unknown: `auto` does not rely on it, but a request that names the model does.

    Tiers:

    - 1: the best open models of the day, about 100B parameters and more, made for agents
    - 2: strong general models, about 20-100B, or smaller with reasoning
    - 3: small but useful, about 7-20B
    - 4: all others, and unrated models
    """

    id: str
    """The provider's own spelling."""
    canonical: str
    """The same model at two providers has the same canonical name. Quantisations share it, variants that behave differently
    do not."""
    operations: frozenset[Operation] = frozenset({Operation.CHAT})
    tier: int = 4
    context: int | None = None
    """Tokens of prompt and response together."""
    max_output: int | None = None
    """The most tokens that may be requested for a response; a higher value is clamped."""
    tools: bool | None = None
    vision: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None
    efforts: tuple[str, ...] = ()
    """Values of `reasoning_effort` that the upstream takes for this model. A client of another protocol that asks for one of
    them gets it; what a client of chat completions sends goes to the upstream as it is."""
    price: float | None = None
    """The highest of the model's published prices, in USD per token. Negative if the price is published but not fixed, None
    if it is unknown. Only 0 is free."""
    promoted: bool = False
    """The catalog itself marks this entry as free of charge."""
    router: bool = False
    """Whether it is the upstream's own router over several models. A request for it is treated as `auto`."""
    costs: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)
    """What a token of the prompt and one of the response take of a unit that a `Limit` counts, such as `neurons`."""
    retires: str | None = None
    """The ISO date from which it is no longer chosen."""

    def supports(self, feature: str, *, assume: bool) -> bool:
        """Return whether the model supports `feature`. `assume` is used if tools or vision are unknown."""
        if feature == Feature.TOOLS:
            return assume if self.tools is None else self.tools
        if feature == Feature.IMAGES:
            return assume if self.vision is None else self.vision
        return not (feature == Feature.JSON_SCHEMA and self.json_schema is False)
