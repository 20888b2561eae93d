"""Everything that upstreams were seen to refuse with: read by the usual rules alone, and by the rules of their package."""

from __future__ import annotations

import math

import pytest

from freeride_conformance.subject import installed_provider
from freeride_core.answer import ErrorKind, Failure, Scope
from freeride_core.call import Operation
from freeride_core.compatible.wire import CompatibleWire
from freeride_core.gateway.walk.reaction import reaction_to
from freeride_core.plugins.discovery import load_plugins
from upstream_errors import ROWS, UpstreamErrorRow

UNKNOWN = CompatibleWire(path="/chat/completions")
"""An upstream that no package knows."""
OF_ONE_REQUEST = frozenset({"unsupported", "context_length", "too_large", "bad_request", "content_filter"})
METERED = frozenset({ErrorKind.RATE_LIMIT, ErrorKind.QUOTA_EXHAUSTED})
WITHIN = {
    "key": {Scope.KEY},
    "account": {Scope.KEY, Scope.ACCOUNT, Scope.ACCOUNT_MODEL},
    "model": {Scope.MODEL, Scope.ACCOUNT_MODEL},
    "provider": set(Scope),
}
"""What can be cooled without a loss, by what the answer is really about."""
PLUGINS = load_plugins(("provider",))
PACKAGES = {row.upstream for row in ROWS} & {
    "cloudflare",
    "gemini",
    "groq",
    "huggingface",
    "nvidia",
    "ollama",
    "openrouter",
}


def harm(row: UpstreamErrorRow, failure: Failure | None) -> str | None:
    """What a reading would cost other requests; None: nothing."""
    if failure is None:
        return None
    reaction = reaction_to(failure)
    if failure.feature is not None and failure.feature != row.feature:
        return f"remembers that {failure.feature} is lacking"
    if reaction.remembers_size and row.kind not in ("context_length", "too_large"):
        return "remembers a size"
    if not reaction.cools:
        return None
    if row.kind is None or row.kind in OF_ONE_REQUEST:
        return f"cools for {failure.kind}, and the answer is about one request"
    if failure.scope is None and failure.kind in METERED:
        # What nothing narrows is what the upstream meters; only what lasts as briefly may be taken for it.
        return None if row.kind in (*METERED, "unavailable", "model_not_found") else f"cools all for {failure.kind}"
    scope = failure.scope or reaction.scope
    return None if scope in WITHIN[row.scope] else f"cools {scope} for {failure.kind}, and it is about {row.scope}"


def test_the_rows_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len(ROWS) > 200
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert len(PACKAGES) == 7


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_answer_of_an_unknown_upstream_costs_no_other_request(row: UpstreamErrorRow) -> None:
    assert harm(row, UNKNOWN.read(row.answer).failure) is None


@pytest.mark.parametrize("row", [row for row in ROWS if row.upstream in PACKAGES], ids=lambda row: row.name)
def test_an_answer_is_read_by_its_package_as_what_it_means(row: UpstreamErrorRow) -> None:
    wire = installed_provider(PLUGINS, row.upstream).provider.wires[Operation.CHAT]
    failure = wire.read(row.answer).failure
    assert (failure.kind if failure else None) == row.kind
    if failure is None:
        return
    assert failure.feature == row.feature
    assert failure.scope is None or failure.scope in WITHIN[row.scope]
    assert (None if failure.retry_at is None else math.ceil(failure.retry_at - row.now)) == row.wait
