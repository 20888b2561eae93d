"""Every rule, in the order of the documentation."""

from freeride_conformance.rule import ConformanceRule
from freeride_conformance.rules import (
    answers,
    binding,
    cases,
    catalog,
    facts,
    failover,
    free_only,
    history,
    identity,
    messages,
    precedence,
    provider_loading,
    purity,
    reach,
    requests,
    streams,
    tools,
)
from freeride_conformance.subject import BinderSubject, ProviderSubject

PROVIDER_RULES: tuple[ConformanceRule[ProviderSubject], ...] = (
    *identity.RULES,
    *provider_loading.RULES,
    *purity.RULES,
    *reach.RULES,
    *free_only.RULES,
    *catalog.RULES,
    *requests.RULES,
    *history.RULES,
    *messages.RULES,
    *answers.RULES,
    *streams.RULES,
    *tools.RULES,
    *cases.RULES,
    *failover.RULES,
    *facts.RULES,
)
BINDER_RULES: tuple[ConformanceRule[BinderSubject], ...] = (*binding.RULES, *precedence.RULES)
