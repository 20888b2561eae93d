"""An upstream's list of models: what every provider that is installed makes of it, and what of that is free."""

from __future__ import annotations

import json
import struct

from freeride_core import Account, Answer, Model
from freeride_core.free import Allowlist, AnyOf
from freeride_core.ledger.catalogs import Catalogs
from freeride_core.ledger.store.store import Entry
from freeride_core.model import is_model_name
from freeride_core.plugins.discovery import load_plugins
from freeride_core.provider import FreePolicy, Provider
from freeride_core.simulator import catalog_of
from freeride_core.simulator.installed import installed_profile
from fuzz.target import Bytes, Target

NOW = 1_795_406_400.0
_PLUGINS = load_plugins(("provider",))
_PROVIDERS = tuple(_PLUGINS.providers.values())
_BODIES = tuple(catalog_of(installed_profile(_PLUGINS, provider.name), NOW).body for provider in _PROVIDERS)
_UNKNOWN, _BILLED = Account(), Account(can_be_billed=True)


def _listed_ids(policy: FreePolicy) -> frozenset[str]:
    """The ids that a package calls free by name."""
    policies = policy.policies if isinstance(policy, AnyOf) else (policy,)
    return frozenset().union(*(each.ids for each in policies if isinstance(each, Allowlist)))


def _check_free(provider: Provider, model: Model) -> None:
    """Nothing is free without a reason that the list itself gives, or the package's own list."""
    if not provider.free.allows(model, _UNKNOWN):
        assert not provider.free.allows(model, _BILLED), "an account that can be billed is given more"
        return
    is_named = model.id in _listed_ids(provider.free)
    assert is_named or model.promoted or model.price == 0 or (model.price is None and ":free" in model.id), model
    assert is_named or model.promoted or not model.price, model


def _check_stored(provider: Provider, models: tuple[Model, ...]) -> None:
    """What is kept is read again as it was, and nothing else."""
    kept: list[Entry] = []
    catalogs = Catalogs({provider.name: provider}, lambda: NOW, kept.append, None)  # type: ignore[arg-type]
    rows = [{"id": model.id, "canonical": model.canonical, "operations": list(model.operations)} for model in models]
    value = json.loads(json.dumps({"fetched": NOW, "origin": "x", "models": rows}))
    catalogs.apply([Entry("catalog", provider.name, value)])
    assert all(is_model_name(model.id) and is_model_name(model.canonical) for model in catalogs.models(provider.name))


def check(data: bytes) -> None:
    """No list makes a package fail, no name steers anything, and what is free is so for a reason."""
    source = Bytes(data)
    index = source.byte() % len(_PROVIDERS)
    provider, body = _PROVIDERS[index], _BODIES[index]
    for _ in range(source.byte() % 4):
        at = (source.byte() << 8 | source.byte()) % (len(body) + 1)
        length = source.byte()
        body = body[:at] + source.line() + body[at + length :]
    if rest := source.rest():
        body = rest
    try:
        models = provider.catalog.parse(Answer(200, {}, body, NOW))
    except ValueError:
        return
    assert len({model.id for model in models}) == len(models)
    for model in models:
        assert is_model_name(model.id)
        assert is_model_name(model.canonical)
        _check_free(provider, model)
    _check_stored(provider, models)


def _splice(provider: int, at: int, length: int, text: bytes) -> bytes:
    return struct.pack("2B", provider, 1) + struct.pack(">HB", at, length) + text + b"\n"


TARGET = Target(
    check,
    seeds=(
        *(bytes([provider, 0]) for provider in range(len(_PROVIDERS))),
        *(_splice(provider, 40, 4, b'":1') for provider in range(len(_PROVIDERS))),
        *(bytes([provider, 0]) + body[:2000] for provider, body in enumerate(_BODIES)),
        *(
            bytes([provider, 0]) + body
            for provider in range(len(_PROVIDERS))
            for body in (
                b'{"data":[{"id":"a/b:free","pricing":{"prompt":"-1","completion":"0"}}],"result":[],"models":[]}',
                b'{"data":[{"id":"\\u001b[2J:free","pricing":{"prompt":"0","completion":"0"}}]}',
                b'{"data":[{"id":"a:free","pricing":{"prompt":"0","completion":"0"}},{"id":"a:free","pricing":{}}]}',
                b'{"models":[{"name":"m","model":"m:cloud","remote_host":"x"}],"data":[{"id":"x","providers":[{"provider":"auto"}]}]}',
            )
        ),
    ),
    words=(
        b'"id":"',
        b'"name":"',
        b'"model":"',
        b'"pricing":{"prompt":"0","completion":"0"}',
        b'"is_free":true',
        b'"remote_host":""',
        b'"alias_target":{}',
        b'"overrides":[1]',
        b'"expiration_date":"2020-01-01"',
        b":free",
        b"\\u0000",
        b"\\u202e",
        b"\\ud800",
        b"NaN",
        b"-1",
        b"1e400",
        b"null",
    ),
)
