"""The table of a case, and the same for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from bench.yields.cases import IDEAL
from bench.yields.tally import Tally, mean, merged, percentile

Figures = Mapping[str, float | int | None]

_HEAD = (
    ("answers", "answers", ""),
    ("of_omniscient", "of ideal", "%"),
    ("refused", "refused", "%"),
    ("failures", "failed", ""),
    ("open_failures", "while open", ""),
    ("wait_mean_s", "wait", "s"),
    ("wait_p99_s", "p99", "s"),
    ("home_with_room", "home, room", "%"),
    ("home", "home, all", "%"),
    ("light_on_top", "light on top", "%"),
    ("tools_late_to_early", "late/early", "%"),
    ("cut", "cut", ""),
)


def figures(tallies: Mapping[str, Sequence[Tally]]) -> dict[str, Figures]:
    """Return the figures of each scheduler, over all seeds."""
    ideal = sum(len(tally.served) for tally in tallies[IDEAL])
    return {name: _figures(of, ideal) for name, of in tallies.items()}


def _figures(tallies: Sequence[Tally], ideal: int) -> Figures:
    whole = merged(tallies)
    waits_s = whole.waits_s
    ratios = [ratio for tally in tallies if (ratio := tally.tools_late_to_early) is not None]
    return {
        "answers": len(whole.served),
        "of_omniscient": len(whole.served) / ideal if ideal else None,
        "calls": whole.calls,
        "refused": whole.refused / whole.calls if whole.calls else None,
        "failures": whole.failures,
        "open_failures": whole.open_failures,
        "wait_mean_s": mean(waits_s),
        "wait_p99_s": percentile(waits_s, 0.99),
        "home_with_room": whole.at_home(with_room=True),
        "home": whole.at_home(with_room=False),
        "light_on_top": whole.light_on_top,
        "tools_late_to_early": fmean(ratios) if ratios else None,
        "cut": whole.cut,
    }


def table(title: str, rows: Mapping[str, Figures]) -> str:
    """Return the table of one case."""
    lines = [["", *(head for _, head, _ in _HEAD)]]
    lines += [[name, *(_text(row[key], unit) for key, _, unit in _HEAD)] for name, row in rows.items()]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    text = ["  ".join((line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:]))).rstrip() for line in lines]
    return "\n".join([title, *text, ""])


def _text(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "%":
        return f"{value * 100:.1f} %"
    return f"{value:.1f} s" if unit == "s" else f"{value:,}"
