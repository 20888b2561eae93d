"""Loading, for providers."""

from __future__ import annotations

from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.rules import loading
from freeride_conformance.rules.loading import LIGHT_FIX, SECTION, VERSION_FIX
from freeride_conformance.subject import ProviderSubject
from freeride_core.plugins.validation import check_version, stated_version

RULES: list[ConformanceRule[ProviderSubject]] = []


@rule(RULES, SECTION, fix=LIGHT_FIX)
def loads_lightly(subject: ProviderSubject) -> None:
    """Loading it imports nothing that connects, serves or computes. It opens no socket, starts no process, writes no file, and
    reads no environment variable."""
    loading.check_weight(subject.origin)


@rule(RULES, SECTION, fix=VERSION_FIX)
def states_its_version(subject: ProviderSubject) -> None:
    """It states the version of the contract that it was written for. An older core refuses it with the upgrade command, and one
    far ahead asks for a newer plugin. Its distribution names the oldest and the newest core that it fits."""
    check_version(stated_version(subject.provider), subject.origin.distribution)
    loading.check_versions(subject.origin)
