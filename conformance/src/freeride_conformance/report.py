"""What the suite found of each plugin: for people, and as JSON."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from freeride_conformance.rule import BrokenPromise, Grade

Verdict = Literal["gold", "certified", "failed", "incomplete"]
Result = Literal["kept", "broken", "short of gold", "known divergence", "does not apply", "not checked"]
_COLOURS = {"gold": "d4af37", "certified": "brightgreen", "failed": "red"}
SCHEMA = "https://free-ride.xyz/schema/conformance-report-1.json"
"""The name of the report's form; nothing is fetched from there. `report_schema` gives what it stands for."""


class ReportFinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check."""

    rule: str
    variant: str = ""
    section: str
    grade: Literal["required", "gold"]
    result: Result
    promise: str
    seconds: float = 0.0
    found: str = ""
    sent: str = ""
    received: str = ""
    fix: str = ""


class PluginReport(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin."""

    kind: Literal["provider", "binder"]
    name: str
    distribution: str
    version: str
    api: int
    verdict: Verdict
    badge: str
    """One line of Markdown."""
    capabilities: tuple[str, ...]
    findings: tuple[ReportFinding, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the suite."""

    schema: str = msgspec.field(default=SCHEMA, name="$schema")
    suite: str
    core: str
    date: str
    """ISO."""
    plugins: tuple[PluginReport, ...]


def report_schema() -> dict[str, Any]:
    """The JSON Schema of a report."""
    return {"$id": SCHEMA, **msgspec.json.schema(Report)}


def verdict_on(findings: Iterable[ReportFinding], *, is_complete: bool) -> Verdict:
    """Gold where every rule is kept; certified where every required one is. A known divergence is not gold. Where not all was
    checked there is no verdict but that something is broken."""
    found = list(findings)
    if any(finding.result == "broken" for finding in found):
        return "failed"
    if not is_complete:
        return "incomplete"
    return "gold" if all(finding.result in ("kept", "does not apply") for finding in found) else "certified"


def badge_of(verdict: Verdict) -> str:
    """The line for a README; empty where there is no verdict."""
    if verdict == "incomplete":
        return ""
    return f"![FreeRide: {verdict}](https://img.shields.io/badge/FreeRide-{verdict}-{_COLOURS[verdict]})"


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def finding_of(
    check: Any, result: Result, seconds: float = 0.0, broken: BrokenPromise | None = None, reason: str = ""
) -> ReportFinding:
    """The finding of a check; `check` has a rule and a variant."""
    rule = check.rule
    exchange = broken.exchange if broken is not None else None
    return ReportFinding(
        rule=rule.name,
        variant=check.variant,
        section=rule.section,
        grade="gold" if rule.grade is Grade.GOLD else "required",
        result=result,
        promise=rule.promise,
        seconds=round(seconds, 3),
        found=reason or (broken.found if broken is not None else ""),
        sent=exchange.sent if exchange is not None else "",
        received=exchange.received if exchange is not None else "",
        fix=rule.fix if broken is not None else "",
    )


def lines_for_people(report: Report) -> list[str]:
    """The end of the run: a paragraph for each plugin."""
    lines = []
    for plugin in report.plugins:
        kept = sum(finding.result == "kept" for finding in plugin.findings)
        title = f"{plugin.kind} {plugin.name} {plugin.version} ({plugin.distribution}, api {plugin.api})"
        lines.append(f"{title}: {plugin.verdict.upper()}, {kept} checks passed")
        for result, words in (
            ("broken", "broken"),
            ("known divergence", "known to differ"),
            ("short of gold", "missing for gold"),
        ):
            lines += [
                f"    {words}: {_name(finding)}: {finding.found.splitlines()[0] if finding.found else ''}"
                for finding in plugin.findings
                if finding.result == result
            ]
        unchecked = [finding for finding in plugin.findings if finding.result == "not checked"]
        if unchecked:
            lines.append(f"    not checked: {len(unchecked)} more, because {unchecked[0].found}")
        idle = [finding for finding in plugin.findings if finding.result == "does not apply"]
        if idle:
            lines.append(f"    do not apply: {', '.join(f'{finding.rule} ({finding.found})' for finding in idle)}")
        if plugin.badge:
            lines.append(f"    badge: {plugin.badge}")
    return lines


def _name(finding: ReportFinding) -> str:
    return f"{finding.rule}[{finding.variant}]" if finding.variant else finding.rule
