"""Every rule, in the order of the documentation."""

from freeride_conformance.rule import Rule
from freeride_conformance.rules import (
    answers,
    binding,
    cases,
    catalog,
    facts,
    failover,
    freedom,
    identity,
    provider_loading,
    purity,
    requests,
    streams,
    tools,
)
from freeride_conformance.subject import BinderSubject, ProviderSubject

PROVIDER_RULES: tuple[Rule[ProviderSubject], ...] = (
    *identity.RULES,
    *provider_loading.RULES,
    *purity.RULES,
    *freedom.RULES,
    *catalog.RULES,
    *requests.RULES,
    *answers.RULES,
    *streams.RULES,
    *tools.RULES,
    *cases.RULES,
    *failover.RULES,
    *facts.RULES,
)
BINDER_RULES: tuple[Rule[BinderSubject], ...] = tuple(binding.RULES)
