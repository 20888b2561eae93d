"""What the suite makes of subjects at its edges: no key, a list that only the upstream has, a policy of its own."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from freeride_provider_specimen import CHECKED, EMBED, LARGE, WIRE, SpecimenWire, WholeEvents, parse_entry
from meta.specimens import PROFILE, origin_of, provider

from freeride_conformance.readme import provider_head
from freeride_conformance.rig import Rig, wait_until_closed
from freeride_conformance.rule import BrokenPromise
from freeride_conformance.rules import PROVIDER_RULES
from freeride_conformance.subject import OWN_FORMAT, TOOLS, PluginOrigin, ProviderSubject
from freeride_core import (
    Account,
    Answer,
    Call,
    CompatibleCatalog,
    Decoder,
    Key,
    Model,
    Reading,
    UpstreamRequest,
    WholeCatalog,
)

RULES = {rule.name: rule for rule in PROVIDER_RULES}
KEYLESS = msgspec.structs.replace(
    PROFILE,
    key_variable="",
    good_key="",
    pages=(),
    proofs=(),
    cases=tuple(case for case in PROFILE.cases if case.name != "bad-key"),
)
SPECIMEN = provider(PluginOrigin("provider", "", "", "", "", ())).provider
ABOUT = dataclasses.replace(SPECIMEN.about, keys_url="", sign_up="")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PluginOrigin]:
    yield origin_of("provider", tmp_path_factory.mktemp("provider"))
    wait_until_closed()


def keyless(origin: PluginOrigin, **changes: Any) -> ProviderSubject:
    return provider(origin, KEYLESS, **{"credentials": (), "probe": None, "about": ABOUT, **changes})


def found(subject: ProviderSubject, rule: str) -> str:
    """What is found first; empty: the promise is kept."""
    for check in RULES[rule].checks(subject):
        try:
            check.run()
        except BrokenPromise as broken:
            return broken.found
    return ""


def test_a_provider_without_keys_keeps_every_rule_that_applies(origin: PluginOrigin) -> None:
    subject = keyless(origin)
    applying = [rule for rule in PROVIDER_RULES if not rule.needs or rule.needs in subject.capabilities]
    assert {rule.needs for rule in PROVIDER_RULES} - {rule.needs for rule in applying} == {"keys", "a probe"}
    assert {rule.name: said for rule in applying if (said := found(subject, rule.name))} == {}


def test_its_readme_speaks_of_no_key() -> None:
    head = provider_head(keyless(PluginOrigin("provider", "", "", "", "", ())).provider, "freeride-provider-specimen")
    assert "| Key | none is needed |" in head
    assert "sign-up" not in head


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "x-goog-api-key", "cookie"])
def test_an_upstream_that_wants_no_key_gets_no_header_that_could_hold_one(header: str, origin: PluginOrigin) -> None:
    subject = keyless(origin, chat=SpecimenWire(path="/chat/completions", headers={header: "none"}))
    assert found(subject, "tells_the_upstream_nothing_more").startswith(f"{header.lower()} reached the upstream")


def test_nor_does_its_list_of_models(origin: PluginOrigin) -> None:
    catalog = CompatibleCatalog(
        models=(LARGE, EMBED), checked=CHECKED, parse_entry=parse_entry, headers={"authorization": "Bearer none"}
    )
    said = found(keyless(origin, catalog=catalog), "tells_the_upstream_nothing_more")
    assert said.startswith("authorization reached the upstream with /v1/models")


class Open:
    """all but one"""

    asks_account = False

    def allows(self, model: Model, account: Account) -> bool:
        return model.id != "specimen/paid"


_UNSHOWN, _OPEN = "names no entry that costs money", "allows an unknown model"


@pytest.mark.parametrize(
    ("policy", "paid", "words"),
    [
        (WholeCatalog(), (), ""),
        (Open(), (), _UNSHOWN),
        (Open(), ("specimen/paid",), _OPEN),
    ],
)
def test_an_open_policy_is_the_whole_catalog_and_shows_what_it_denies(
    policy: Any, paid: tuple[str, ...], words: str, origin: PluginOrigin
) -> None:
    profile = msgspec.structs.replace(PROFILE, catalog=msgspec.structs.replace(PROFILE.catalog, paid=paid))
    said = found(provider(origin, profile, free=policy), "denies_what_is_not_free")
    assert words in said
    assert bool(said) is bool(words)


class Wordless(SpecimenWire):
    """Fails without a word."""

    def read(self, answer: Answer) -> Reading:
        if answer.status == 302:
            raise AssertionError
        return super().read(answer)


def test_an_assertion_without_a_word_is_no_kept_promise(origin: PluginOrigin) -> None:
    assert found(provider(origin, chat=Wordless(path="/chat/completions")), "never_raises") == "an assertion fails"


def test_what_only_the_live_list_says_of_tools_counts(origin: PluginOrigin) -> None:
    def capable(row: Any, dated: Any) -> list[Model]:
        return [dataclasses.replace(model, tools=True) for model in parse_entry(row, dated)]

    without = provider(origin, catalog=CompatibleCatalog(checked=CHECKED, parse_entry=parse_entry))
    assert TOOLS not in without.capabilities
    assert TOOLS in provider(origin, catalog=CompatibleCatalog(checked=CHECKED, parse_entry=capable)).capabilities


class ToolsOnly(SpecimenWire):
    def decoder(self, call: Call, model: Model) -> Decoder | None:
        return WholeEvents() if call.value("tools") else None


def test_a_wire_that_decodes_only_where_tools_are_is_one_of_its_own(origin: PluginOrigin) -> None:
    subject = provider(origin, chat=ToolsOnly(path="/chat/completions", dropped=frozenset({"store"})))
    assert OWN_FORMAT in subject.capabilities
    variants = [check.variant for check in RULES["decodes_however_it_is_cut"].checks(subject)]
    assert variants == ["stream", "whole", "stream, tool call", "whole, tool call"]
    assert found(subject, "decodes_however_it_is_cut") == ""


def test_a_part_of_a_call_without_an_index_is_told_in_words(origin: PluginOrigin) -> None:
    part = json.dumps({"tool_calls": [{"id": "a", "function": {"name": "get_weather", "arguments": "{}"}}]})
    event = '{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":PART}]}'
    stream = msgspec.structs.replace(PROFILE.stream, tool_call=(event.replace("PART", part),))
    subject = provider(origin, msgspec.structs.replace(PROFILE, stream=stream))
    assert found(subject, "calls_tools").startswith("a part of a call has no index: {")


class Sealing(SpecimenWire):
    """Wants a member of its own back."""

    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request = super().prepare(call, model, key)
        content = json.loads(request.body)
        messages = content.get("messages") or []
        if any(isinstance(row, dict) and row.get("tool_calls") and "seal" not in row for row in messages):
            content["messages"] = messages[:1]
        return dataclasses.replace(request, body=json.dumps(content).encode())


def test_a_wire_that_needs_its_own_member_back_breaks_off_with_clients_that_drop_it(origin: PluginOrigin) -> None:
    body = json.loads((PROFILE.answer.tool_call_body or "").replace("{{created}}", "1").replace(
        '"completion_tokens":{{completion_tokens}}', '"completion_tokens":1'
    ).replace("{{prompt_tokens}}", "1").replace("{{total_tokens}}", "2"))  # fmt: skip
    body["choices"][0]["message"]["seal"] = "unbroken"
    answer = msgspec.structs.replace(PROFILE.answer, tool_call_body=json.dumps(body))
    subject = provider(
        origin, msgspec.structs.replace(PROFILE, answer=answer), chat=Sealing(path="/chat/completions", **WIRE)
    )
    kept, dropped, *_ = RULES["goes_on_after_a_tool_call"].checks(subject)
    kept.run()
    with pytest.raises(BrokenPromise, match="the tool's result did not reach the upstream"):
        dropped.run()


def test_a_provider_that_is_slow_to_take_over_is_told_with_the_answers_it_got(origin: PluginOrigin) -> None:
    first = dataclasses.replace(LARGE, id="specimen/gone", canonical="specimen/gone", tier=1)
    catalog = CompatibleCatalog(models=(first, LARGE, EMBED), checked=CHECKED, path=None)
    said = found(provider(origin, catalog=catalog), "takes_over")
    assert said.startswith("it took 3 attempts, and should take one at each: the other provider was asked 1 times")
    assert "'specimen/gone', 'specimen/large'], with the answers ['unknown-model', 'chat']" in said


def test_a_key_that_the_package_does_not_read_is_told_at_once_and_nothing_stays_open(origin: PluginOrigin) -> None:
    profile = msgspec.structs.replace(PROFILE, key_variable="SPECIMEN_TOKEN")
    wait_until_closed()
    before, threads = time.monotonic(), set(threading.enumerate())
    with (
        pytest.raises(AssertionError, match=r"gives SPECIMEN_TOKEN, and the package reads SPECIMEN_API_KEY$"),
        Rig(provider(origin, profile)),
    ):
        pass
    assert time.monotonic() - before < 4
    assert {thread.name for thread in set(threading.enumerate()) - threads} == set()


def test_leaving_out_what_is_only_heard_of_is_not_rewarded(origin: PluginOrigin) -> None:
    heard = tuple(msgspec.structs.replace(case, confidence="community") for case in PROFILE.cases)
    assert found(provider(origin, msgspec.structs.replace(PROFILE, cases=heard)), "has_seen_its_upstream") == ""
    required = set(PROFILE.required_cases)
    guessed = tuple(
        case if case.name in required else msgspec.structs.replace(case, confidence="guess") for case in heard
    )
    assert found(provider(origin, msgspec.structs.replace(PROFILE, cases=guessed)), "has_seen_its_upstream") == ""
    more = (*guessed, *(msgspec.structs.replace(guessed[1], name=f"more-{at}") for at in range(2)))
    said = found(provider(origin, msgspec.structs.replace(PROFILE, cases=more)), "has_seen_its_upstream")
    assert said.startswith("5 of 9 cases are guessed: [")


def test_a_case_that_cannot_be_need_not_be_played(origin: PluginOrigin) -> None:
    cases = tuple(case for case in PROFILE.cases if case.name != "context-length")
    without = msgspec.structs.replace(PROFILE, cases=cases)
    assert "every model's window has an end" in found(provider(origin, without), "plays_what_it_speaks_of")
    never = msgspec.structs.replace(without, never={"context-length": "a longer prompt is cut"})
    assert found(provider(origin, never), "plays_what_it_speaks_of") == ""
