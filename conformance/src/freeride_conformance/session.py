"""One run of the suite: what it certifies, and what it has found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from freeride_conformance.report import (
    Finding,
    PluginReport,
    Report,
    Result,
    badge_of,
    finding_of,
    today,
    verdict_on,
)
from freeride_conformance.rule import Broken, Check, Rule
from freeride_conformance.rules import BINDER_RULES, PROVIDER_RULES
from freeride_conformance.samples import SamplesError
from freeride_conformance.subject import BinderSubject, Kind, ProviderSubject, installed_binder, installed_provider
from freeride_core import __version__
from freeride_core.plugins import Plugins, load_plugins
from freeride_core.simulator.profile import ProfileError

Subject: TypeAlias = ProviderSubject | BinderSubject


class Session:
    """Everything that is installed, or what is `wanted` by name."""

    def __init__(self, wanted: Mapping[str, Sequence[str]]) -> None:
        plugins = load_plugins()
        self.subjects: list[Subject] = []
        self.fault = _fault(plugins, wanted)
        """Why nothing can be certified; empty if something can."""
        self.findings: dict[tuple[str, str], list[Finding]] = {}
        self._broken: dict[tuple[int, str], Broken] = {}
        if not self.fault:
            self._choose(plugins, wanted)

    def _choose(self, plugins: Plugins, wanted: Mapping[str, Sequence[str]]) -> None:
        everything = not any(wanted.values())
        try:
            for name in plugins.providers if everything else wanted["provider"]:
                self.subjects.append(installed_provider(plugins, name))
            for name in plugins.binders if everything else wanted["binder"]:
                self.subjects.append(installed_binder(plugins, name))
        except (ProfileError, SamplesError) as error:
            self.fault = str(error)

    def checks(self) -> dict[str, list[Check[Any]]]:
        """What is to be checked, by plugin; rules that do not apply are noted at once."""
        checks: dict[str, list[Check[Any]]] = {}
        for subject in self.subjects:
            rules: Sequence[Rule[Any]] = PROVIDER_RULES if isinstance(subject, ProviderSubject) else BINDER_RULES
            own = checks.setdefault(subject.origin.entry_point, [])
            for rule in rules:
                if rule.needs and rule.needs not in subject.capabilities:
                    self._add(Check(rule, subject), "does not apply", reason=f"it has not {rule.needs}")
                else:
                    own += rule.checks(subject)
        return checks

    def keep(self, check: Check[Any], broken: Broken) -> None:
        """Keeps what a check has found until its outcome is noted."""
        self._broken[id(check), check.name] = broken

    def note(self, check: Check[Any], outcome: str, seconds: float) -> None:
        """What became of a check: pytest's `passed`, `failed` or `skipped`, which an expected failure counts as."""
        broken = self._broken.pop((id(check), check.name), None)
        result: Result = "kept" if outcome == "passed" else "broken"
        if outcome == "skipped":
            result = "known divergence" if check.divergence else "short of gold"
        self._add(check, result, seconds, broken, check.divergence if result == "known divergence" else "")

    def _add(
        self, check: Check[Any], result: Result, seconds: float = 0.0, broken: Broken | None = None, reason: str = ""
    ) -> None:
        origin = check.subject.origin
        self.findings.setdefault((origin.kind, origin.entry_point), []).append(
            finding_of(check, result, seconds, broken, reason)
        )

    def report(self) -> Report:
        """All of it."""
        plugins = [
            _plugin_report(subject, tuple(self.findings[subject.origin.kind, subject.origin.entry_point]))
            for subject in self.subjects
            if (subject.origin.kind, subject.origin.entry_point) in self.findings
        ]
        return Report(suite=version("freeride-conformance"), core=__version__, date=today(), plugins=tuple(plugins))

    def write(self, path: Path) -> None:
        """The report as a file."""
        text = msgspec.json.format(msgspec.json.encode(self.report()), indent=2)
        path.write_bytes(text + b"\n")


def _plugin_report(subject: Subject, findings: tuple[Finding, ...]) -> PluginReport:
    plugin = subject.provider if isinstance(subject, ProviderSubject) else subject.binder
    verdict = verdict_on(findings)
    return PluginReport(
        kind=subject.origin.kind,
        name=plugin.name,
        distribution=subject.origin.distribution,
        version=subject.origin.version,
        api=plugin.api_version,
        verdict=verdict,
        badge=badge_of(verdict),
        capabilities=tuple(sorted(subject.capabilities)),
        findings=findings,
    )


def _fault(plugins: Plugins, wanted: Mapping[str, Sequence[str]]) -> str:
    """A name that is not there, a broken plugin, or nothing at all."""
    rows = {(row.kind, row.name): row for row in plugins.rows}
    kinds: tuple[Kind, ...] = ("provider", "binder")
    for kind in kinds:
        for name in wanted[kind]:
            row = rows.get((kind, name))
            if row is None:
                return f"no {kind} {name!r} is installed"
            if row.status != "ok":
                return f"the {kind} {name!r} cannot be used: {row.reason}"
    if any(wanted.values()):
        return ""
    broken = [f"the {row.kind} {row.name!r} cannot be used: {row.reason}" for row in plugins.rows if row.status != "ok"]
    if broken:
        return "; ".join(broken)
    return "" if plugins.rows else "no FreeRide plugin is installed here, so there is nothing to certify"
