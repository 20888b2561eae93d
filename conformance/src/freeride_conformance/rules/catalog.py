"""The models: the package's own dated list, and the upstream's live one."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from freeride_conformance.direct import NOW
from freeride_conformance.evidence import EVIDENCE
from freeride_conformance.rig import Rig
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.rules.free_only import listing_of, replaced, with_entries
from freeride_conformance.subject import ProviderSubject
from freeride_core.answer import Answer, Phase
from freeride_core.call import Operation
from freeride_core.compatible.catalog import without_quantisation
from freeride_core.model import Model
from freeride_core.provider import Account
from freeride_core.simulator.reading import catalog_of

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Models"
_LIVE = "a list of models"
_ODD_NAMES: tuple[Any, ...] = (None, 7, [], {}, "", "x" * 5000)
_ODD_ROWS: tuple[Any, ...] = (None, 7, "x", [], {}, *({"id": name, "name": name} for name in _ODD_NAMES))


@rule(
    RULES, SECTION, fix="see the rubric at `Model`; cut prices, quantisations and routing prefixes off canonical names"
)
def rates_its_models(subject: ProviderSubject) -> None:
    """Its models have an id, a tier from 1 to 4, a wire for what they do, sane sizes and a canonical name. That name is
    lower-case and has no price, quantisation or route. No id appears twice. Models that simulator.toml embeds with embed, and
    the others chat."""
    models = subject.provider.catalog.models
    ids = [(model.id, *sorted(model.operations)) for model in models]
    assert len(ids) == len(set(ids)), "an id is in the dated list twice"
    gone = [model.id for model in models if (model.retires or "9999") <= subject.provider.catalog.checked]
    assert not gone, f"{gone} were gone when the dated list was checked"
    live: tuple[Model, ...] = ()
    if _LIVE in subject.capabilities:
        live = subject.provider.catalog.parse(catalog_of(subject.profile, NOW))
    for model in (*models, *live):
        assert 1 <= model.tier <= 4, f"{model.id}: tier {model.tier}"
        assert model.operations, f"{model.id}: no operation"
        for operation in model.operations:
            assert operation in subject.provider.wires, f"{model.id}: there is no wire for {operation}"
        assert model.id, "a model has no id"
        for size in (model.context, model.max_output):
            assert size is None or (type(size) is int and size > 0), f"{model.id}: a size of {size} tokens"
        is_embedding = model.id in subject.profile.embedding_models()
        wanted = Operation.EMBEDDINGS if is_embedding else Operation.CHAT
        assert wanted in model.operations, f"{model.id}: simulator.toml has it for {wanted}"
        _check_canonical(model)


_FACTS = (
    "canonical",
    "operations",
    "tier",
    "context",
    "max_output",
    "tools",
    "vision",
    "json_schema",
    "reasoning",
    "router",
)


@rule(
    RULES,
    SECTION,
    fix="copy into the dated list what the live one says; it is what the gateway offers until that has come, and where it fails",
    needs=_LIVE,
)
def dates_what_is_listed(subject: ProviderSubject) -> None:
    """Its dated list and the upstream's live one do not contradict each other. What both know of a model is the same, and what
    is free in one is free in the other. Every listed model is read unless simulator.toml calls it `unfit` or `paid`."""
    policy, listing = subject.provider.free, subject.profile.catalog
    live = {model.id: model for model in subject.provider.catalog.parse(catalog_of(subject.profile, NOW))}
    unfit = sorted(live.keys() & set(listing.unfit))
    assert not unfit, f"{unfit} are `unfit` in simulator.toml, and are read as models"
    for row in listing_of(subject.profile)[1]:
        _check_row(subject, row)
    for model in subject.provider.catalog.models:
        listed = live.get(model.id)
        if listed is None:
            continue
        for field in _FACTS:
            old, new = getattr(model, field), getattr(listed, field)
            assert old == new or None in (old, new), f"{model.id}: {field} is dated as {old} and listed as {new}"
        was, is_now = policy.allows(model, Account()), policy.allows(listed, Account())
        assert was or not is_now, f"{model.id} is free once the live list has come, and is not free before"


@rule(
    RULES,
    SECTION,
    fix="read the fact from the entry, or correct `[catalog.facts]` in simulator.toml if that is wrong",
    needs=_LIVE,
    variants=lambda subject: subject.profile.catalog.facts,
)
def reads_its_facts(subject: ProviderSubject, name: str) -> None:
    """The facts of an entry are read as `[catalog.facts]` in simulator.toml states them: sizes, abilities, price, and the day
    on which the model retires."""
    facts = subject.profile.catalog.facts[name]
    live = {model.id: model for model in subject.provider.catalog.parse(catalog_of(subject.profile, NOW))}
    assert name in live, f"{name} is not read"
    for field, value in msgspec.structs.asdict(facts).items():
        if field != "unknown" and (value is not None or field in facts.unknown):
            read = getattr(live[name], field)
            assert read == value, f"{name}: {field} is read as {read!r}, and should be {value!r}"


def _check_row(subject: ProviderSubject, row: Any) -> None:
    """An entry gives a model, unless it is odd, `unfit` or `paid`: what is never asked for need not be read."""
    names = [row[field] for field in ("id", "name") if field in row] if isinstance(row, dict) else []
    listing = subject.profile.catalog
    if not names or not all(isinstance(name, str) for name in names) or set(names) & {*listing.unfit, *listing.paid}:
        return
    body, rows = listing_of(subject.profile)
    alone = json.dumps(replaced(body, rows, [row])).encode()
    EVIDENCE.note(f"the catalog with nothing but {json.dumps(row)[:300]}", "")
    models = subject.provider.catalog.parse(Answer(200, {}, alone, NOW, Phase.BODY))
    assert models, f"{names[0]} is listed and is not read"


def _check_canonical(model: Model) -> None:
    name = model.canonical
    assert name, f"{model.id}: canonical is empty"
    assert name == name.lower(), f"{model.id}: canonical {name!r} is not in lower case"
    assert not name.startswith("@"), f"{model.id}: canonical {name!r} holds a route"
    assert without_quantisation(name) == name, f"{model.id}: canonical {name!r} names a quantisation"
    assert not name.endswith(":free"), f"{model.id}: canonical {name!r} names a price"


@rule(
    RULES,
    SECTION,
    fix="catch what an odd row raises row by row; ValueError only where there is no list at all",
    needs=_LIVE,
)
def survives_odd_rows(subject: ProviderSubject) -> None:
    """An odd entry is left out, and drops no other. A response that is not a list is a `ValueError`."""
    catalog = subject.provider.catalog
    before = catalog.parse(catalog_of(subject.profile, NOW))
    assert before, "nothing of its own catalog can be read"
    for row in (*_ODD_ROWS, *_damaged(subject)):
        text = with_entries(subject.profile, [row]).catalog.body
        EVIDENCE.note(f"the catalog with the entry {json.dumps(row)[:200]}", "")
        after = catalog.parse(Answer(200, {}, text.encode(), NOW, Phase.BODY))
        assert after[: len(before)] == before, f"with the entry {json.dumps(row)[:200]} others are lost or changed"
        for model in after[len(before) :]:
            assert isinstance(model.id, str), f"a model has the id {model.id!r}"
            assert model.context is None or isinstance(model.context, int), f"{model.id}: context {model.context!r}"
            assert model.retires is None or isinstance(model.retires, str), f"{model.id}: retires {model.retires!r}"
    for body in (b"", b"<html>", b"7", b"{}", b'{"data":7,"models":{},"result":null}'):
        try:
            models = catalog.parse(Answer(200, {}, body, NOW, Phase.BODY))
        except ValueError:
            continue
        raise AssertionError(f"{body!r} is no list, and was read as {len(models)} models")


def _damaged(subject: ProviderSubject) -> list[Any]:
    """Copies of a good entry, each with one member that is not what it should be, under a name of its own."""
    _, rows = listing_of(subject.profile)
    good = next((row for row in rows if isinstance(row, dict)), {})
    odd: tuple[Any, ...] = (None, [], {}, "x", -1)
    damaged = [{**good, field: value} for field in good for value in odd if field not in ("id", "name")]
    return [
        {**row, **{field: f"odd/{at}" for field in ("id", "name") if field in row}} for at, row in enumerate(damaged)
    ]


@rule(RULES, SECTION, fix="state the path of the list in the catalog, and how an entry becomes a model", needs=_LIVE)
def lists_what_is_there(subject: ProviderSubject) -> None:
    """The gateway fetches the live list with the user's key, and offers its free models: all but `paid` in simulator.toml, and
    always the profile's default model. A model that is no longer in the list is not offered."""
    profile = subject.profile
    with Rig(subject) as rig:
        fetched = [seen for seen in rig.simulator.requests if seen.operation == "models"]
        assert fetched, "the live list was not fetched"
        assert not profile.good_key or fetched[0].key in (profile.good_key, ""), "it was fetched with another key"
        assert profile.default_model in {model.id for model in rig.models}, "the default model is not in what it read"
        listed = [name for entry in rig.get("/v1/models").json["data"] for name in entry["provider_ids"].values()]
        assert profile.default_model in listed, "the default model is not offered"
        read = {model.id for model in subject.provider.catalog.parse(catalog_of(profile, NOW))}
        free = read - set(profile.catalog.paid)
        assert free <= set(listed), f"{sorted(free - set(listed))} cost nothing, as `paid` tells, and are not offered"
    body, rows = listing_of(profile)
    kept = [row for row in rows if profile.default_model.partition(":")[0] in json.dumps(row)]
    if len(kept) == len(rows):
        return
    listing = msgspec.structs.replace(profile.catalog, body=json.dumps(replaced(body, rows, kept)))
    short = msgspec.structs.replace(profile, catalog=listing)
    with Rig(subject, profile=short) as rig:
        gone = {model.id for model in subject.provider.catalog.parse(catalog_of(profile, NOW))} - {
            model.id for model in subject.provider.catalog.parse(catalog_of(short, NOW))
        }
        still = gone & {model.id for model in rig.models if "chat.completions" in model.operations}
        assert not still, f"{sorted(still)} are not listed any more and are offered"
