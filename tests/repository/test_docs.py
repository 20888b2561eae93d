"""The documentation names everything that there is, and nothing that there is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from command_page import commands
from freeride_core import hookspecs
from freeride_core.cli.group import ALIASES
from freeride_core.events.records import EventRecord
from page_parts import ROOT
from vocabulary import (
    CORE,
    calls,
    error_codes,
    error_types,
    first_cells,
    literal,
    literal_dicts,
    plugin_names,
    served_routes,
    setting_names,
    told_commands,
)

if TYPE_CHECKING:
    from typer._click import Command

DOCS = ROOT / "docs"
BY_HAND = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / "skills").rglob("*.md")),
    *sorted(ROOT.glob("freeride_*/*/README.md")),
]


@cache
def text_of(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


# Settings


def test_every_setting_is_on_the_page_and_no_other() -> None:
    of_all = {f"FREERIDE_<PROVIDER>_{name}" for name in ("BASE_URL", "FREE_MODELS", "LIMITS")}
    assert first_cells(text_of("settings.md"), "setting") == setting_names() | of_all


def test_every_variable_of_a_provider_is_on_the_page() -> None:
    shown = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", text_of("settings.md")))
    assert {name for name in plugin_names() if not name.endswith(("_BASE_URL", "_LIMITS"))} <= shown


@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_names_a_setting_that_is_not_there(path: Path) -> None:
    named = set(re.findall(r"\bFREERIDE_[A-Z][A-Z_]*[A-Z]\b", path.read_text("utf-8")))
    examples = {name for name in named if re.match(r"FREERIDE_(ACME|ORBIT|BINDER|PROVIDER)(_|$)", name)}
    assert named - setting_names() - plugin_names() - examples - in_sources() == set()


@cache
def in_sources() -> set[str]:
    """Variables that a script or a test of ours reads, or that a binder writes for its agent."""
    binders = ROOT.glob("freeride_binders/*/src/**/*.py")
    own = [path for path in (ROOT / "scripts").iterdir() if path.is_file()]
    scripts = [*ROOT.glob("install.*"), *own, *ROOT.glob("tests/clients/*.py"), *binders]
    return {name for path in scripts for name in re.findall(r"\bFREERIDE_[A-Z_]+", path.read_text("utf-8"))}


def test_what_the_page_says_of_others_variables_is_looked_at_somewhere() -> None:
    [said] = re.findall(r"## Variables of others\n(.*?)\n## ", text_of("settings.md"), flags=re.DOTALL)
    named = set(re.findall(r"`([A-Z_]{2,})`", said))
    proxies = {name for name in named if name.endswith("_PROXY")}
    sources = "".join(path.read_text("utf-8") for path in CORE.rglob("*.py"))
    assert proxies
    assert "getproxies" in sources
    of_openssl = {"SSL_CERT_FILE"}  # tests/gateway/test_network.py sees that it is read
    assert {name for name in named - proxies - of_openssl if f'"{name}"' not in sources} == set()


# HTTP


def test_every_route_is_on_the_page_and_no_other() -> None:
    assert first_cells(text_of("http.md"), "route") == served_routes()


def test_every_header_of_ours_is_on_the_page_and_no_other() -> None:
    sources = "".join(path.read_text("utf-8") for path in CORE.rglob("*.py")).lower()
    ours = set(re.findall(r"\bx-freeride-[a-z-]+[a-z]", sources))
    assert len(ours) > 3
    assert {name.lower() for name in first_cells(text_of("http.md"), "header")} == ours


@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_names_a_header_of_ours_that_is_not_there(path: Path) -> None:
    named = {name.lower() for name in re.findall(r"(?i)\bx-freeride-[a-z-]+[a-z]", path.read_text("utf-8"))}
    assert named <= {name.lower() for name in first_cells(text_of("http.md"), "header")}


def test_every_type_of_error_is_on_the_page_and_no_other() -> None:
    assert first_cells(text_of("http.md"), "type") == error_types()


def test_every_code_of_an_error_is_on_the_page_and_no_other() -> None:
    assert len(error_codes()) > 25
    assert first_cells(text_of("http.md"), "code") == error_codes()


# Events and hooks


def test_every_event_is_on_the_page_with_all_that_it_has_and_no_other() -> None:
    shown = {
        cells[1].strip("` "): set(re.findall(r"`(\w+)`", cells[2]))
        for row in re.findall(r"^\| `\w+` \|.*$", text_of("events.md"), flags=re.MULTILINE)
        if (cells := row.split("|"))
    }
    assert shown == {**emitted(), **recorded(), **written()}


def emitted() -> dict[str, set[str]]:
    made: dict[str, set[str]] = {}
    for name, call in calls(CORE):
        if name in {"_emit", "emit"} and call.args and (word := literal(call.args[0])):
            made.setdefault(word, set()).update(each.arg for each in call.keywords if each.arg)
    assert made
    return made


def written() -> dict[str, set[str]]:
    """Events that are made as they are, without the bus's help."""
    of_all = {"ts", "type", "request_id"}
    return {
        kind: set(members) - of_all
        for members in literal_dicts(CORE)
        if of_all <= set(members) and (kind := literal(members["type"]))
    }


def recorded() -> dict[str, set[str]]:
    kinds = EventRecord.__subclasses__()
    assert kinds
    return {
        str(kind.__struct_config__.tag): set(kind.__struct_fields__) - set(EventRecord.__struct_fields__)
        for kind in kinds
    }


def test_every_hook_is_on_the_page_for_authors_and_no_other() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("freeride_")}
    shown = set(re.findall(r"\bfreeride_(?:register|startup|event|shutdown)\w*", text_of("plugins.md")))
    assert shown == hooks


# Commands


@cache
def known_commands() -> Mapping[str, Command]:
    return dict(commands())


@pytest.mark.parametrize(
    "path", [path for path in BY_HAND if path.name != "commands.md"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_page_tells_to_type_what_there_is_not(path: Path) -> None:
    known = known_commands()
    for first, *rest in told_commands(path):
        if first.startswith("-"):
            assert first in {"--help", "--version"}
            continue
        words = f"{first} {rest[0]}" if rest and f"{first} {rest[0]}" in known else ALIASES.get(first, first)
        assert words in known, f"freeride {first}"
        if words != "run":  # what follows is another program's
            options = {name for each in known[words].params for name in (*each.opts, *each.secondary_opts)}
            wrong = {word.partition("=")[0] for word in rest if word.startswith("-")} - options - {"--help"}
            assert not wrong, f"freeride {words} {' '.join(wrong)}"


def test_the_readme_tells_commands() -> None:
    told = [words[0] for words in told_commands(ROOT / "README.md")]
    assert {"demo", "serve", "bind"} <= set(told)


# Links


@pytest.mark.parametrize("path", [*BY_HAND, *sorted(DOCS.glob("*/*.md"))], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target
