"""For every rule a provider that breaks it, and no other."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from freeride_provider_specimen import CHECKED, EMBED, LARGE, RULES, WIRE, SpecimenWire, WholeEvents, parse_entry
from meta.specimens import PROFILE, origin_of, provider, renamed, source_of

from freeride_conformance.subject import PluginOrigin, ProviderSubject
from freeride_core import (
    Account,
    Answer,
    AnyOf,
    Call,
    CompatibleCatalog,
    CompatibleProbe,
    CompatibleWire,
    Credential,
    Decoder,
    ErrorKind,
    Failure,
    Key,
    Model,
    Phase,
    Reading,
    Rule,
    UnbillableAccount,
    UpstreamRequest,
    ZeroPrice,
)

Broken = Callable[[PluginOrigin, Path], ProviderSubject]


def _wire(kind: type[CompatibleWire] = SpecimenWire, **more: Any) -> CompatibleWire:
    return kind(**{"path": "/chat/completions", "rules": RULES, "dropped": frozenset({"store"}), **WIRE, **more})


def _chat(kind: type[CompatibleWire], **more: Any) -> Broken:
    return lambda origin, _: provider(origin, chat=_wire(kind, **more))


def _part(**changes: Any) -> Broken:
    return lambda origin, _: provider(origin, **changes)


def _source(old: str, new: str) -> Broken:
    """The module's text is another; what it makes in this process is not."""
    return lambda _, folder: provider(origin_of("provider", folder, source_of("provider", old, new)))


def _profile(**changes: Any) -> Broken:
    return lambda origin, _: provider(origin, msgspec.structs.replace(PROFILE, **changes))


class RaisingWire(SpecimenWire):
    def read(self, answer: Answer) -> Reading:
        if answer.status == 302:
            raise KeyError("location")
        return super().read(answer)


class FileReadingWire(SpecimenWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        Path(os.devnull).read_bytes()
        return super().prepare(call, model, key)


class UnknownIsFree:
    asks_account = False

    def allows(self, model: Model, account: Account) -> bool:
        return model.price in (0, None) and not model.id.startswith("nobody/")


class StrictCatalog(CompatibleCatalog):
    def parse(self, answer: Answer) -> tuple[Model, ...]:
        body = answer.json
        rows = body.get("data") if isinstance(body, dict) else None
        if isinstance(rows, list) and not all(isinstance(row, dict) for row in rows):
            raise ValueError("a row is no object")
        return super().parse(answer)


class ElsewhereProbe(CompatibleProbe):
    def request(self, key: Key) -> UpstreamRequest | None:
        request = super().request(key)
        return request and dataclasses.replace(request, url="https://specimen.invalid/v1/key")


class TwoHeaders(SpecimenWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request = super().prepare(call, model, key)
        return dataclasses.replace(request, headers=(*request.headers, ("x-api-key", key.secret)))


class Respelling(SpecimenWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request = super().prepare(call, model, key)
        try:
            return dataclasses.replace(request, body=json.dumps(json.loads(request.body)).encode())
        except ValueError:
            return request


class Unclamped(SpecimenWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        return super().prepare(call, dataclasses.replace(model, max_output=None), key)


class Forgetful(SpecimenWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request = super().prepare(call, model, key)
        if b'"tool"' not in request.body:
            return request
        content = json.loads(request.body)
        content["messages"] = [message for message in content["messages"] if message["role"] != "tool"]
        return dataclasses.replace(request, body=json.dumps(content).encode())


class SystemFirst(SpecimenWire):
    def refusal(self, call: Call, model: Model) -> Failure | None:
        if bytes(call.fields.get("messages", b"")).count(b'"system"') > 1:
            return Failure(kind=ErrorKind.UNSUPPORTED, message="a system message comes first")
        return super().refusal(call, model)


class FirstInputOnly(CompatibleWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request = super().prepare(call, model, key)
        content = json.loads(request.body)
        if isinstance(content["input"], list):
            content["input"] = content["input"][:1]
        return dataclasses.replace(request, body=json.dumps(content).encode())


class _Finisher(WholeEvents):
    def flush(self) -> bytes:
        return super().flush().replace(b'"finish_reason":"stop"', b'"finish_reason":"length"')


class _WithoutUsage(WholeEvents):
    def passed(self, event: bytes) -> bytes:
        return b": usage" if b'"usage"' in event else event


class _UnicodeLines(WholeEvents):
    def passed(self, event: bytes) -> bytes:
        return "\n".join(event.decode("utf-8", "replace").splitlines()).encode()


class _Counting(WholeEvents):
    def decode(self, data: bytes) -> bytes:
        whole = super().decode(data)
        return whole + b": so far\n\n" if whole else whole


class _Closing(WholeEvents):
    def __init__(self) -> None:
        super().__init__()
        self.is_done = False
        self.is_stream = False

    def passed(self, event: bytes) -> bytes:
        self.is_stream = True
        self.is_done = self.is_done or event.strip() == b"data: [DONE]"
        return event

    def flush(self) -> bytes:
        rest = super().flush()
        return rest if self.is_done or not self.is_stream else rest + b"data: [DONE]\n\n"


class _Apologetic(WholeEvents):
    def flush(self) -> bytes:
        rest = super().flush()
        if not rest.startswith(b"<"):
            return rest
        choice = {"index": 0, "message": {"role": "assistant", "content": "Sorry."}, "finish_reason": "stop"}
        return json.dumps({"id": "x", "object": "chat.completion", "choices": [choice]}).encode()


class _WithoutCalls(WholeEvents):
    def passed(self, event: bytes) -> bytes:
        return b": a call" if b'"tool_calls":[' in event else event


def _decoding(kind: type[Any]) -> Broken:
    class Decoding(SpecimenWire):
        def decoder(self, call: Call, model: Model) -> Decoder | None:
            decoder: Decoder = kind()
            return decoder

    return _chat(Decoding)


class Trusting(SpecimenWire):
    def read(self, answer: Answer) -> Reading:
        return Reading() if answer.phase is Phase.BODY else super().read(answer)


class NoDates(SpecimenWire):
    def read(self, answer: Answer) -> Reading:
        reading = super().read(answer)
        if reading.failure is not None and "GMT" in answer.headers.get("retry-after", ""):
            return Reading(dataclasses.replace(reading.failure, retry_at=None), reading.account)
        return reading


class BlamesStreams(SpecimenWire):
    def read(self, answer: Answer) -> Reading:
        if answer.phase is Phase.STATUS and answer.call is not None and answer.call.stream and answer.status >= 429:
            return Reading(Failure(kind=ErrorKind.BAD_REQUEST, message="no"))
        return super().read(answer)


class KeepsAuto(SpecimenWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request = super().prepare(call, model, key)
        if call.model != "auto":
            return request
        return dataclasses.replace(request, body=call.body)


class Thoughtless(SpecimenWire):
    def changes(self, call: Call, model: Model) -> dict[str, bytes | None]:
        changes = super().changes(call, model)
        if "reasoning_effort" not in call.fields:
            changes.pop("reasoning_effort", None)
        return changes


_FIRST: dict[str, tuple[tuple[str, str], ...]] = {}


class CachesHeaders(SpecimenWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request = super().prepare(call, model, key)
        first = _FIRST.setdefault(key.base_url, request.headers)
        return dataclasses.replace(request, headers=first)


def _without_case(name: str) -> Broken:
    return _profile(cases=tuple(case for case in PROFILE.cases if case.name != name))


def _with_case(name: str, **changes: Any) -> Broken:
    return _profile(
        cases=tuple(msgspec.structs.replace(case, **changes) if case.name == name else case for case in PROFILE.cases)
    )


ABOUT = provider(PluginOrigin("provider", "", "", "", "", ())).provider.about
LIMITS = provider(PluginOrigin("provider", "", "", "", "", ())).provider.limits


def _without_sizes(row: Mapping[str, Any], dated: Mapping[str, Model]) -> list[Model]:
    return [
        model if model.id in dated else dataclasses.replace(model, max_output=None) for model in parse_entry(row, dated)
    ]


def _catalog(kind: type[CompatibleCatalog] = CompatibleCatalog, **more: Any) -> Broken:
    parts = {"models": (LARGE, EMBED), "checked": CHECKED, "parse_entry": parse_entry}
    return lambda origin, _: provider(origin, catalog=kind(**{**parts, **more}))


BROKEN: Mapping[str, Broken] = {
    "has_one_name": lambda origin, _: provider(renamed(origin, distribution="freeride-provider-other")),
    "introduces_itself": _part(about=dataclasses.replace(ABOUT, data_use="")),
    "has_the_base_that_its_simulator_has": _part(base_url="https://specimen.invalid/v2"),
    "loads_lightly": _source("import dataclasses\n", "import dataclasses\nimport http.client\n"),
    "states_its_version": _source('"api_version": 1', '"api_version": __import__("freeride_core").API_VERSION'),
    "never_raises": _chat(RaisingWire),
    "touches_nothing": _chat(FileReadingWire),
    "reaches_its_upstream": _part(
        credentials=(Credential(variable="SPECIMEN_API_KEY", pattern="specimen-.*", key_header="x-api-key"),)
    ),
    "denies_what_is_not_free": _part(free=UnknownIsFree()),
    "rates_its_models": _catalog(models=(LARGE, dataclasses.replace(EMBED, tier=7))),
    "dates_what_is_listed": _catalog(models=(dataclasses.replace(LARGE, price=None), EMBED)),
    "reads_its_facts": _catalog(parse_entry=_without_sizes),
    "survives_odd_rows": _catalog(StrictCatalog),
    "lists_what_is_there": _catalog(path="/model-list"),
    "stays_below_its_base_url": _part(probe=ElsewhereProbe(path="/key")),
    "shows_its_key_in_one_header": _chat(TwoHeaders),
    "tells_the_upstream_nothing_more": _chat(SpecimenWire, headers={"x-folder": str(Path.cwd())}),
    "sends_what_the_client_wrote": _chat(Respelling),
    "leaves_out_what_is_refused": _chat(SpecimenWire, dropped=frozenset({"store", "seed"})),
    "takes_any_history": _chat(SpecimenWire, messages_drop=frozenset({"provider_specific_fields"})),
    "serves_the_messages_api": _chat(SystemFirst),
    "asks_for_the_effort_that_is_taken": _chat(Thoughtless),
    "asks_for_no_more_than_there_is": _chat(Unclamped),
    "passes_on_no_private_header": _chat(SpecimenWire, response_headers=("set-cookie",)),
    "answers": _decoding(_Finisher),
    "embeds": _part(embeddings=FirstInputOnly(path="/embeddings")),
    "reads_its_proofs": _part(probe=CompatibleProbe(path="/key", refusals={401: ""})),
    "shows_whom_it_trusts": _part(free=AnyOf((ZeroPrice(), UnbillableAccount()))),
    "proves_its_keys": _part(probe=CompatibleProbe(path="/key", refusals={403: ""})),
    "streams": _decoding(_WithoutUsage),
    "streams_however_it_is_cut": _decoding(_UnicodeLines),
    "decodes_however_it_is_cut": _decoding(_Counting),
    "ends_as_its_upstream_did": _decoding(_Closing),
    "passes_over_what_is_no_answer": _decoding(_Apologetic),
    "calls_tools": _decoding(_WithoutCalls),
    "goes_on_after_a_tool_call": _chat(Forgetful),
    "reads_its_cases": _chat(SpecimenWire, rules=(dataclasses.replace(RULES[0], wait=60),)),
    "reads_the_unknown_by_its_status": _chat(SpecimenWire, rules=(*RULES, Rule(kind=ErrorKind.RATE_LIMIT, status=409))),
    "passes_over_an_error_in_a_200": _chat(Trusting),
    "reads_hints": _chat(NoDates),
    "hands_over": _chat(BlamesStreams),
    "takes_over": _chat(KeepsAuto),
    "uses_its_other_key": _chat(CachesHeaders),
    "has_seen_its_upstream": _with_case("server-error", confidence="guess"),
    "plays_what_it_speaks_of": _without_case("context-length"),
    "knows_its_limits": _part(limits=(dataclasses.replace(LIMITS[0], amount=31), LIMITS[1])),
    "reads_amounts": _chat(SpecimenWire, quota_texts=()),
    "reads_what_is_left": _chat(SpecimenWire, quota_headers=()),
}
