"""Ollama on the user's own machine, for the FreeRide gateway.

It wants no key and has no list of its own: what the user has pulled is what there is, and what runs there is free. Ollama also
passes some models on to its cloud, where they can cost money: those are not local, and not free, whatever they are called here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from freeride_core import (
    About,
    Account,
    CompatibleCatalog,
    CompatibleProvider,
    CompatibleWire,
    ErrorKind,
    Model,
    Operation,
    Provider,
    Rule,
    Scope,
    canonical_of,
    hookimpl,
    operations_of,
)

CHECKED = "2026-08-21"
"""The source of that day."""
ABOUT = About(
    title="Ollama",
    homepage="https://ollama.com",
    free_day="no limit: whatever this machine can do",
    data_use="prompts go to your own server and stay there; models that Ollama passes on to its cloud are left out",
    source="https://github.com/ollama/ollama",
    checked=CHECKED,
)

CHAT = CompatibleWire(
    path="/chat/completions",
    # What the documentation names as unsupported, and `top_logprobs`, which makes no sense without `logprobs`.
    # Members of messages that it does not know are read over, and `reasoning` is known.
    dropped=frozenset({"tool_choice", "logit_bias", "user", "n", "logprobs", "top_logprobs"}),
    rules=(
        # It needs no key: it says this of a cloud model if the user has not signed in, and of that model only.
        Rule(kind=ErrorKind.MODEL_NOT_FOUND, status=401, text=r"^unauthorized$"),
        # And this, of one that the account does not include (autumn 2026).
        Rule(kind=ErrorKind.MODEL_NOT_FOUND, status=(402, 403), text="not in the free plan|requires a subscription"),
    ),
)

_CLOUD = re.compile(r"(?<![a-z0-9])cloud(?![a-z0-9])", re.IGNORECASE)
_SAME_ELSEWHERE = {
    "gpt-oss:20b": "openai/gpt-oss-20b",
    "gpt-oss:120b": "openai/gpt-oss-120b",
}
"""Tags that name one model and no variant of it, with its canonical name. `8b` alone, where an instruct, a thinking and a base
model have that size, says nothing of which it is: such names are not here."""


def is_cloud(name: str) -> bool:
    """Return whether Ollama passes the name on to its cloud: `gpt-oss:120b-cloud`, `some:cloud`. The word counts in any place:
    better to leave out a local model than to ask for one that is billed."""
    return _CLOUD.search(name) is not None


def canonical_name(name: str) -> str:
    """The canonical name of what is pulled under `name`, which is `family:size-variant-quantisation`.

    A model that certainly is one that others serve has the name that it has there. All others are kept apart from those: by
    the colon before their tag, or by `ollama/` in front.
    """
    if is_cloud(name):
        return name.lower()  # another offer under another name, so it shares none
    own = canonical_of(name)
    return _SAME_ELSEWHERE.get(own, own if ":" in own else f"ollama/{own}")


def parse_entry(row: Mapping[str, Any], _dated: Mapping[str, Model]) -> Sequence[Model]:
    """One entry of `GET /api/tags`. What runs on this machine has the price 0; what is passed on to another host has none."""
    name = row["model"] or row["name"]
    if not isinstance(name, str):
        return ()
    able = row.get("capabilities")
    operations = _operations(name, able)
    if not operations:
        return ()
    is_local = not (row.get("remote_host") or row.get("remote_model") or is_cloud(name))
    return (
        Model(
            id=name,
            canonical=canonical_name(name),
            operations=operations,
            tools=_can(able, "tools"),
            vision=_can(able, "vision"),
            reasoning=_can(able, "thinking"),
            price=0 if is_local else None,
        ),
    )


def _can(able: object, capability: str) -> bool | None:
    """None if a server from before the summer of 2026 does not say."""
    return capability in able if isinstance(able, list) else None


def _operations(name: str, able: object) -> frozenset[Operation]:
    """Where the server does not say, the name decides; what cannot, says so when it is asked."""
    if isinstance(able, list):
        known = {"completion": Operation.CHAT, "embedding": Operation.EMBEDDINGS}
        return frozenset(operation for capability, operation in known.items() if capability in able)
    return operations_of(name)


@dataclass(frozen=True)
class Local:
    """every model that you have pulled and that runs on this machine; none that Ollama passes on to its cloud, by whatever name"""

    asks_account: ClassVar[bool] = False

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - the model tells
        return model.price == 0 and not is_cloud(model.id)


@hookimpl
def freeride_register_provider() -> Provider:
    return CompatibleProvider(
        api_version=1,
        name="ollama",
        # Behind every hosted provider. With `auto` the tier counts first, which is why none of its models has a better one than 4.
        rank=1000,
        about=ABOUT,
        credentials=(),
        base_url="http://127.0.0.1:11434/v1",
        free=Local(),
        # What is pulled or removed shows within half a minute.
        # `/v1/models` does not tell a model of the cloud that was copied to another name.
        catalog=CompatibleCatalog(
            checked=CHECKED,
            path="/api/tags",
            base_suffix="/v1",
            rows="models",
            parse_entry=parse_entry,
            fresh_s=30.0,
        ),
        chat=CHAT,
        embeddings=CompatibleWire(path="/embeddings"),
        # It limits no rate. If a 429 comes all the same, it is a cloud model's.
        meter=Scope.MODEL,
        # The first request loads the model, which takes from seconds to minutes.
        first_byte_timeout=300.0,
    )
