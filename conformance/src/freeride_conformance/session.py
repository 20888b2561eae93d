"""One run of the suite: what it certifies, and what it has found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from freeride_conformance.guard import GUARD
from freeride_conformance.report import (
    PluginReport,
    Report,
    ReportFinding,
    Result,
    badge_of,
    finding_of,
    today,
    verdict_on,
)
from freeride_conformance.rule import BrokenPromise, Check, ConformanceRule
from freeride_conformance.rules import BINDER_RULES, PROVIDER_RULES
from freeride_conformance.samples import SamplesError
from freeride_conformance.subject import BinderSubject, Kind, ProviderSubject, installed_binder, installed_provider
from freeride_core import __version__
from freeride_core.plugins.discovery import Plugins, load_plugins
from freeride_core.simulator.profile import ProfileError

Subject: TypeAlias = ProviderSubject | BinderSubject


class Session:
    """Certifies installed plugins."""

    def __init__(self) -> None:
        self.fault = ""
        """Why what was wanted cannot be certified; empty if it can."""
        self.findings: dict[tuple[str, str], list[ReportFinding]] = {}
        with GUARD:
            self._plugins = load_plugins()
        if GUARD.escapes:
            self.fault = f"while the plugins were loaded, one went to {', '.join(sorted(GUARD.escapes))}"
        self._subjects: list[Subject] = []
        self._broken: dict[int, BrokenPromise] = {}
        self._gates: dict[tuple[str, str], str] = {}
        """The broken gate of each plugin that has one."""
        self._open: Counter[tuple[str, str]] = Counter()
        """How many of each plugin's checks have not been noted."""

    def checks(self, wanted: Mapping[Kind, Sequence[str]]) -> list[Check[Any]]:
        """What is to be checked of the plugins that are wanted by name, or of all where none is; rules that do not apply are
        noted at once. Empty where `fault` says why."""
        self.fault = self.fault or _fault(self._plugins, wanted)
        if self.fault:
            return []
        try:
            with GUARD:
                subjects = self._chosen(wanted)
                checks = [check for subject in subjects for check in self._checks_of(subject)]
        except (ProfileError, SamplesError) as error:
            self.fault = str(error)
            return []
        self._subjects += subjects
        self._open.update(_name_of(check.subject) for check in checks)
        return checks

    def _chosen(self, wanted: Mapping[Kind, Sequence[str]]) -> list[Subject]:
        plugins = self._plugins
        everything: Mapping[Kind, Sequence[str]] = {
            "provider": list(plugins.providers),
            "binder": list(plugins.binders),
        }
        names = wanted if any(wanted.values()) else everything
        return [
            *(installed_provider(plugins, name) for name in dict.fromkeys(names.get("provider", ()))),
            *(installed_binder(plugins, name) for name in dict.fromkeys(names.get("binder", ()))),
        ]

    def _checks_of(self, subject: Subject) -> Iterator[Check[Any]]:
        rules: Sequence[ConformanceRule[Any]] = PROVIDER_RULES if isinstance(subject, ProviderSubject) else BINDER_RULES
        for rule in rules:
            if rule.needs and rule.needs not in subject.capabilities:
                self._add(Check(rule, subject), "does not apply", reason=f"without {rule.needs}")
            else:
                yield from rule.checks(subject)

    def gate_before(self, check: Check[Any]) -> str:
        """The broken rule because of which this one is not checked; empty if it is."""
        return self._gates.get(_name_of(check.subject), "")

    def keep(self, check: Check[Any], broken: BrokenPromise) -> None:
        """Keeps what a check has found until its outcome is noted."""
        self._broken[id(check)] = broken

    def note(self, check: Check[Any], outcome: str, seconds: float) -> None:
        """What became of a check: pytest's `passed`, `failed` or `skipped`, which an expected failure counts as."""
        broken = self._broken.pop(id(check), None)
        result: Result = "kept" if outcome == "passed" else "broken"
        if outcome == "skipped":
            result = "known divergence" if check.divergence else "short of gold"
        reason = check.divergence if result == "known divergence" else ""
        if gate := self.gate_before(check):
            result, reason = "not checked", f"{gate} is broken"
        elif check.rule.is_gate and result == "broken":
            self._gates[_name_of(check.subject)] = check.rule.name
        self._open[_name_of(check.subject)] -= 1
        self._add(check, result, seconds, broken, reason)

    def _add(
        self,
        check: Check[Any],
        result: Result,
        seconds: float = 0.0,
        broken: BrokenPromise | None = None,
        reason: str = "",
    ) -> None:
        self.findings.setdefault(_name_of(check.subject), []).append(finding_of(check, result, seconds, broken, reason))

    def report(self) -> Report:
        """All of it."""
        plugins = [
            _plugin_report(subject, tuple(self.findings[name]), is_complete=not self._open[name])
            for subject in self._subjects
            if (name := _name_of(subject)) in self.findings
        ]
        return Report(suite=version("freeride-conformance"), core=__version__, date=today(), plugins=tuple(plugins))

    def write(self, path: Path) -> None:
        """The report as a file."""
        text = msgspec.json.format(msgspec.json.encode(self.report()), indent=2)
        path.write_bytes(text + b"\n")


def _name_of(subject: Any) -> tuple[str, str]:
    """What distinguishes a plugin from all others."""
    return subject.origin.kind, subject.origin.entry_point


def _plugin_report(subject: Subject, findings: tuple[ReportFinding, ...], *, is_complete: bool) -> PluginReport:
    plugin = subject.provider if isinstance(subject, ProviderSubject) else subject.binder
    verdict = verdict_on(findings, is_complete=is_complete)
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


def _fault(plugins: Plugins, wanted: Mapping[Kind, Sequence[str]]) -> str:
    """A name that is not there, a broken plugin, or nothing at all."""
    rows = {(row.kind, row.name): row for row in plugins.rows}
    for kind, names in wanted.items():
        for name in names:
            row = rows.get((kind, name))
            if row is None:
                there = ", ".join(sorted(other for its_kind, other in rows if its_kind == kind)) or "none"
                return f"no {kind} {name!r} is installed; installed: {there}"
            if row.status != "ok":
                return f"the {kind} {name!r} cannot be used: {row.reason}"
    if any(wanted.values()):
        return ""
    broken = [f"the {row.kind} {row.name!r} cannot be used: {row.reason}" for row in plugins.rows if row.status != "ok"]
    if broken:
        return "; ".join(broken)
    return "" if plugins.rows else "no FreeRide plugin is installed here, so there is nothing to certify"
