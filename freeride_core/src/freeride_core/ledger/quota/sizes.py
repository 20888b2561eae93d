"""Sizes: how many tokens a request probably has, and its response. No tokenizer: what models reported before decides."""

from __future__ import annotations

from typing import NamedTuple

from freeride_core.call import Call, Feature, Operation
from freeride_core.events.usage import Usage

_TOKENS_PER_BYTE = 1 / 3.6
"""Before a model has reported anything."""
_OUTPUT_TOKENS = 400.0
_WEIGHT = 0.2
"""Of the newest report in an average."""
_SLOWLY = 0.08
"""The same where fewer tokens than expected were reported: some requests have more than usual, and those are the ones refused."""
_LEAST_BYTES = 512
"""Of a smaller request the members around the messages make too much."""
_KEPT = 1024
Pair = tuple[str, str]


class Estimate(NamedTuple):
    """Tokens of one request at one model."""

    prompt: float
    output: float
    """Of the response, if it is as long as usual."""
    asked: int
    """`max_tokens`; 0: the request has none."""


def size_of(call: Call) -> int:
    """Return the bytes that tokens can be told from, or 0 where an image's make too much of them."""
    return 0 if Feature.IMAGES in call.abilities else len(call.body)


class Sizes:
    """What models reported, as averages by provider and model."""

    def __init__(self) -> None:
        self._learned: dict[Pair, tuple[float, float]] = {}

    def estimate(self, pair: Pair, call: Call) -> Estimate:
        ratio, output = self._learned.get(pair, (_TOKENS_PER_BYTE, _OUTPUT_TOKENS))
        asked = call.output_tokens
        if call.operation is not Operation.CHAT:
            output = 0.0
        elif asked and asked < output:
            output = float(asked)
        if Feature.IMAGES in call.abilities:
            return Estimate(call.prompt_tokens * 4 * ratio, output, asked)  # an image's bytes are not its tokens
        return Estimate(len(call.body) * ratio, output, asked)

    def learn(self, pair: Pair, size: int, usage: Usage) -> None:
        """Take what a response to a request of `size_of` so many bytes reported."""
        if not usage.input or size < _LEAST_BYTES:
            return
        ratio, output = usage.input / size, float(usage.output)
        before = self._learned.get(pair)
        if before is None:
            if len(self._learned) >= _KEPT:
                self._learned.clear()
            # Too few tokens would be refused, too many only wait: what is higher counts at once.
            before = (max(_TOKENS_PER_BYTE, ratio), _OUTPUT_TOKENS)
        if ratio < before[0]:
            ratio = before[0] + _SLOWLY * (ratio - before[0])
        self._learned[pair] = (ratio, before[1] + _WEIGHT * (output - before[1]))
