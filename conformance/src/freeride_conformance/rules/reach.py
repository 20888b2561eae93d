"""Whether the package reaches its upstream at all, before anything is asked about how."""

from __future__ import annotations

from collections.abc import Iterator

from freeride_conformance.direct import send
from freeride_conformance.rig import Rig, chat
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import ProviderSubject
from freeride_core.answer import UpstreamRequest
from freeride_core.call import Operation

RULES: list[ConformanceRule[ProviderSubject]] = []


@rule(
    RULES,
    "Reach",
    fix="compare `variable` and `key_header` of the Credential, `base_url` and each `path` with what simulator.toml says of them",
    is_gate=True,
)
def reaches_its_upstream(subject: ProviderSubject) -> None:
    """Its requests show the key where the upstream looks for it, which simulator.toml names, and a plain question is answered.
    Where this is broken, no later rule is checked: they would fail for the same reason."""
    profile = subject.profile
    first = next((credential.variable for credential in subject.provider.credentials), "")
    assert profile.key_variable == first, (
        f"simulator.toml gives a key in {profile.key_variable or 'no variable'}, and the package reads {first or 'none'}"
    )
    with Rig(subject) as rig:
        for purpose, request in _requests(subject, rig.simulator.base_url):
            send(request)
            key = rig.simulator.requests[-1].key
            place = profile.key_header or "authorization, as a bearer token"
            assert key == profile.good_key, (
                f"the {purpose} request shows no key where the upstream looks for it ({place})"
            )
        if Operation.CHAT in subject.provider.wires:
            reply = rig.ask(chat(profile.default_model))
            assert reply.status == 200, f"a plain question got {reply.status}"


def _requests(subject: ProviderSubject, base_url: str) -> Iterator[tuple[str, UpstreamRequest]]:
    """What goes to the simulator and needs a key there, with what it is for."""
    provider, profile = subject.provider, subject.profile
    if not profile.good_key:
        return
    key = subject.key(base_url, profile.good_key)
    probe = provider.probe.request(key) if provider.probe is not None else None
    found = {"catalog": provider.catalog.request(key), "probe": probe}
    found |= {
        operation.value: wire.prepare(subject.call(operation), subject.model(operation), key)
        for operation, wire in provider.wires.items()
    }
    public = {page.path for page in profile.pages if page.public} | (
        {profile.catalog.path} if profile.catalog.public else set()
    )
    host = base_url.removesuffix(profile.base_path)
    for purpose, request in found.items():
        if request is None or not request.url.startswith(f"{host}/"):
            continue
        if request.url.removeprefix(host).partition("?")[0] not in public:
            yield purpose, request
