"""The models: the package's own dated list, and the upstream's live one."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from freeride_conformance.direct import NOW
from freeride_conformance.evidence import EVIDENCE
from freeride_conformance.rig import Rig
from freeride_conformance.rule import Rule, rule
from freeride_conformance.rules.freedom import listing_of, replaced, with_entries
from freeride_conformance.subject import ProviderSubject
from freeride_core.compatible import QUANTISATION
from freeride_core.provider import Answer, Model, Phase
from freeride_core.simulator.reading import catalog_of

RULES: list[Rule[ProviderSubject]] = []
SECTION = "Models"
_LIVE = "a list of models"
_ODD_NAMES: tuple[Any, ...] = (None, 7, [], {}, "", "x" * 5000)
_ODD_ROWS: tuple[Any, ...] = (None, 7, "x", [], {}, *({"id": name, "name": name} for name in _ODD_NAMES))


@rule(
    RULES, SECTION, fix="see the rubric at `Model`; cut prices, quantisations and routing prefixes off canonical names"
)
def rates_its_models(subject: ProviderSubject) -> None:
    """Its models have a tier from 1 to 4, a wire for what they do, sane sizes, and a canonical name that is lower-case and
    names neither a price, a quantisation nor a route. No id stands twice."""
    models = subject.provider.catalog.models
    ids = [(model.id, *sorted(model.operations)) for model in models]
    assert len(ids) == len(set(ids)), "an id stands twice in the dated list"
    live: tuple[Model, ...] = ()
    if _LIVE in subject.capabilities:
        live = subject.provider.catalog.parse(catalog_of(subject.profile, NOW))
    for model in (*models, *live):
        assert 1 <= model.tier <= 4, f"{model.id}: tier {model.tier}"
        assert model.operations, f"{model.id}: no operation"
        for operation in model.operations:
            assert operation in subject.provider.wires, f"{model.id}: there is no wire for {operation}"
        for size in (model.context, model.max_output):
            assert size is None or size > 0, f"{model.id}: a size of {size} tokens"
        _check_canonical(model)


def _check_canonical(model: Model) -> None:
    name = model.canonical
    assert name, f"{model.id}: canonical is empty"
    assert name == name.lower(), f"{model.id}: canonical {name!r} is not in lower case"
    assert not name.startswith("@"), f"{model.id}: canonical {name!r} holds a route"
    assert not QUANTISATION.search(name), f"{model.id}: canonical {name!r} names a quantisation"
    assert not name.endswith(":free"), f"{model.id}: canonical {name!r} names a price"


@rule(
    RULES,
    SECTION,
    fix="catch what an odd row raises row by row; ValueError only where there is no list at all",
    needs=_LIVE,
)
def survives_odd_rows(subject: ProviderSubject) -> None:
    """An entry that is odd in any way is left out, and drops no other; an answer that is no list is a `ValueError`."""
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
    """The gateway fetches the live list with the user's key, and offers what in it is free, the profile's default model too; a
    model that the list does not show any more is not offered."""
    profile = subject.profile
    with Rig(subject) as rig:
        fetched = [seen for seen in rig.simulator.requests if seen.operation == "models"]
        assert fetched, "the live list was not fetched"
        assert not profile.good_key or fetched[0].key in (profile.good_key, ""), "it was fetched with another key"
        assert profile.default_model in {model.id for model in rig.models}, "the default model is not in what it read"
        listed = [name for entry in rig.get("/v1/models").json["data"] for name in entry["provider_ids"].values()]
        assert profile.default_model in listed, "the default model is not offered"
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
