"""Tests of the suite: a good plugin holds to every rule, and each rule rejects a plugin that is broken in just that way."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from freeride_conformance.case_rule import reads_case

from freeride_conformance import binder_rules, provider_rules
from freeride_conformance.rig import Subject
from freeride_core import (
    About,
    Answer,
    Binder,
    Call,
    CompatibleCatalog,
    CompatibleProvider,
    CompatibleWire,
    Credential,
    Decoder,
    Endpoint,
    ErrorKind,
    Key,
    Model,
    Reading,
    Reset,
    Rule,
    Unreadable,
    UpstreamRequest,
    WholeCatalog,
    ZeroPrice,
)
from freeride_core.binder import Scope as BinderScope
from freeride_core.simulator import read_profile

pytest_plugins = ["pytester"]
PROFILE = read_profile(Path(__file__).with_name("acme.toml"))
MODEL = Model(id="acme/large", canonical="acme/large", tier=2, context=32_000, tools=True, price=0.0)
SOLD_OUT = Rule(kind=ErrorKind.QUOTA_EXHAUSTED, text="daily allowance", wait=Reset.NEXT_UTC_MIDNIGHT)
ABOUT = About(
    title="Acme",
    homepage="https://acme.invalid",
    keys_url="https://acme.invalid/keys",
    free_day="enough",
    sign_up="e-mail",
    data_use="none",
    source="made up",
    checked="2026-11-23",
)


def _entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> list[Model]:
    known = dated.get(row["id"]) or Model(id=row["id"], canonical=row["id"])
    return [dataclasses.replace(known, price=row["price"])]


def acme(**changes: Any) -> CompatibleProvider:
    """The good plugin, with something about it changed."""
    parts: dict[str, Any] = {
        "api_version": 1,
        "name": "acme",
        "about": ABOUT,
        "credentials": (Credential(variable="ACME_API_KEY", pattern="acme-.*"),),
        "base_url": "https://acme.invalid/v1",
        "free": ZeroPrice(),
        "catalog": CompatibleCatalog(models=(MODEL,), checked="2026-11-23", parse_entry=_entry),
        "chat": CompatibleWire(path="/chat/completions", rules=(SOLD_OUT,)),
    }
    return CompatibleProvider(**{**parts, **changes})


class ElsewhereWire(CompatibleWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request = super().prepare(call, model, key)
        return UpstreamRequest(request.method, "https://acme.invalid/v1/chat", request.headers, request.body)


class RespellingWire(CompatibleWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request = super().prepare(call, model, key)
        return UpstreamRequest(
            request.method, request.url, request.headers, json.dumps(json.loads(request.body)).encode()
        )


class SwallowingWire(CompatibleWire):
    def decoder(self, call: Call) -> Decoder | None:
        del call
        return _Swallow()


class _Swallow:
    def decode(self, data: bytes) -> bytes:
        return b"".join(block + b"\n\n" for block in data.split(b"\n\n") if block and b'"usage"' not in block)

    def flush(self) -> bytes:
        return b""


class TrustingWire(CompatibleWire):
    def read(self, answer: Answer) -> Reading:
        if answer.status == 418:
            return Reading()
        return super().read(answer) if "error" not in answer.json else Reading()


FP8 = dataclasses.replace(MODEL, canonical="acme/large-fp8")
BLAMES_CLIENT = Rule(kind=ErrorKind.BAD_REQUEST, status=401)

BROKEN: dict[str, Callable[[], CompatibleProvider]] = {
    "names_itself": lambda: acme(about=dataclasses.replace(ABOUT, data_use="")),
    "dates_its_models": lambda: acme(
        catalog=CompatibleCatalog(models=(FP8,), checked="2026-11-23", parse_entry=_entry)
    ),
    "stays_below_its_base_url": lambda: acme(chat=ElsewhereWire(path="/chat/completions")),
    "denies_what_is_not_free": lambda: acme(free=WholeCatalog()),
    "answers": lambda: acme(chat=RespellingWire(path="/chat/completions")),
    "streams": lambda: acme(chat=SwallowingWire(path="/chat/completions")),
    "calls_tools": lambda: acme(chat=CompatibleWire(path="/chat/completions", dropped=frozenset({"tools"}))),
    "embeds": lambda: acme(embeddings=CompatibleWire(path="/embeddings")),
    "uses_its_other_key": lambda: acme(chat=CompatibleWire(path="/chat/completions", rules=(BLAMES_CLIENT,))),
    "never_raises": lambda: acme(chat=TrustingWire(path="/chat/completions")),
}


@pytest.mark.parametrize("rule", provider_rules.RULES, ids=lambda rule: rule.__name__)
def test_a_good_provider_holds_to(rule: provider_rules.Rule) -> None:
    rule(Subject(acme(), PROFILE))


@pytest.mark.parametrize("rule", provider_rules.RULES, ids=lambda rule: rule.__name__)
def test_a_broken_provider_is_rejected_by(rule: provider_rules.Rule) -> None:
    assert rule.__name__ in BROKEN, "a rule that no broken plugin trips does not count"
    with pytest.raises((AssertionError, TypeError, KeyError)):
        rule(Subject(BROKEN[rule.__name__](), PROFILE))


CASES = [case for case in PROFILE.cases if case.expect is not None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_good_provider_reads(case: Any) -> None:
    reads_case(Subject(acme(), PROFILE), case)


MISREADERS: dict[str, tuple[Rule, ...]] = {
    "rate-limited": (Rule(kind=ErrorKind.UNAVAILABLE, status=429),),
    "bad-key": (Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=401),),
    "unknown-model": (Rule(kind=ErrorKind.UNSUPPORTED, status=404),),
    "server-error": (BLAMES_CLIENT, Rule(kind=ErrorKind.BAD_REQUEST, status=500)),
    "sold-out": (Rule(kind=ErrorKind.QUOTA_EXHAUSTED, text="daily allowance"),),
    "error-in-stream": (Rule(kind=ErrorKind.RATE_LIMIT, status=503),),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_provider_that_misreads_is_rejected_at(case: Any) -> None:
    misreader = acme(chat=CompatibleWire(path="/chat/completions", rules=MISREADERS[case.name]))
    with pytest.raises(AssertionError):
        reads_case(Subject(misreader, PROFILE), case)


class GoodBinder(Binder):
    """Binds an agent whose configuration is three lines."""

    api_version = 1
    name = "acme"
    title = "Acme"
    homepage = "https://acme.invalid"
    after = "Restart Acme."

    def path(self, scope: BinderScope, home: Path, cwd: Path) -> Path:
        del scope, cwd
        return home / ".acme"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        kept = []
        for line in (text or "").splitlines():
            name, equals, _ = line.partition("=")
            if not equals and line.strip():
                raise Unreadable("line without =")
            if name not in ("base", "key", "model"):
                kept.append(line)
        return "\n".join([*kept, f"base={endpoint.root}", f"key={endpoint.key}", f"model={endpoint.model}"]) + "\n"


class Nameless(GoodBinder):
    title = ""


class Wanderer(GoodBinder):
    def path(self, scope: BinderScope, home: Path, cwd: Path) -> Path:
        del scope, home, cwd
        return Path("/etc/acme")


class Keyless(GoodBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        return super().edit(text, endpoint).replace(endpoint.key, "")


class Appender(GoodBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        return (text or "") + super().edit(None, endpoint)


class Sticker(GoodBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        return text if text is not None and "base=" in text else super().edit(text, endpoint)


class Overwriter(GoodBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        del text
        return super().edit(None, endpoint)


BROKEN_BINDERS: dict[str, type[Binder]] = {
    "says_what_it_binds": Nameless,
    "stays_in_its_place": Wanderer,
    "binds_from_nothing": Keyless,
    "binds_once": Appender,
    "follows_the_gateway": Sticker,
    "refuses_nonsense": Overwriter,
}


@pytest.mark.parametrize("rule", binder_rules.RULES, ids=lambda rule: rule.__name__)
def test_a_good_binder_holds_to(rule: binder_rules.Rule) -> None:
    rule(GoodBinder())


@pytest.mark.parametrize("rule", binder_rules.RULES, ids=lambda rule: rule.__name__)
def test_a_broken_binder_is_rejected_by(rule: binder_rules.Rule) -> None:
    assert rule.__name__ in BROKEN_BINDERS, "a rule that no broken plugin trips does not count"
    with pytest.raises(AssertionError):
        rule(BROKEN_BINDERS[rule.__name__]())


@pytest.mark.parametrize("option", ["--freeride-provider", "--freeride-binder"])
def test_an_unknown_name_is_a_usage_error(option: str, pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess(
        "--pyargs", "freeride_conformance", option, "nobody", "-p", "no:cacheprovider"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
