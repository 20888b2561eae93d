"""What the pages say of commands, providers, agents and failover is what the code says; and the picture is of today's demo."""

from __future__ import annotations

import html
import re

import pytest

from agent_programs import AGENTS
from agent_trial import CASES
from freeride_core.demo.format import opening
from freeride_core.demo.screen import invitation
from installation import CLIENTS
from page_parts import ROOT, by_hand, installed, table, with_block
from pages import FOLDERS, pages
from trial_records import read_record

AGAIN = "run: python scripts/docs"


def test_every_page_is_as_it_would_be_written() -> None:
    differing = [
        str(path.relative_to(ROOT))
        for path, text in pages().items()
        if not path.is_file() or path.read_text("utf-8") != text
    ]
    assert not differing, AGAIN


def test_no_page_is_of_something_that_is_gone() -> None:
    wanted = set(pages())
    assert [path for folder in FOLDERS for path in sorted(folder.iterdir()) if path not in wanted] == [], AGAIN


def test_each_provider_and_each_agent_has_a_page() -> None:
    plugins = installed()
    assert plugins.providers
    assert plugins.binders
    for folder, names in zip(FOLDERS, (plugins.providers, plugins.binders), strict=True):
        assert {path.stem for path in folder.iterdir()} == set(names)


def test_no_agent_s_page_contradicts_what_its_head_says_of_variables() -> None:
    wrong = [
        f"{name}: {sentence}"
        for name, binder in installed().binders.items()
        for sentence in re.split(r"(?<=[.;])\s", by_hand(ROOT / "freeride_binders" / name))
        for variable, _ in binder.moved_by
        if variable in sentence and "not looked at" in sentence
    ]
    assert not wrong


@pytest.mark.parametrize("agent", AGENTS)
def test_the_page_of_agents_is_of_the_versions_that_are_installed(agent: str) -> None:
    record = read_record(agent)
    assert record["package"] == CLIENTS[agent].package, "run: scripts/clients --all"
    assert set(record["cases"]) <= set(CASES), "run: scripts/clients --all"


def test_a_table_has_a_line_for_its_head_and_no_cell_that_ends_early() -> None:
    assert table(("a", "b"), [("1", "x|y")]) == "| a | b |\n|---|---|\n| 1 | x\\|y |\n"


def test_a_block_is_replaced_between_its_comments_and_nowhere_else() -> None:
    assert with_block("a\n<!-- x -->\nold\n<!-- /x -->\nb\n", "x", "new\n") == "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"
    with pytest.raises(AssertionError):
        with_block("a\n", "x", "new\n")


def test_the_picture_is_of_the_demo_that_is_there() -> None:
    """Its times are of one day. What frames the story, and who plays, is the same on each."""
    picture = (ROOT / "docs" / "failover.svg").read_text("utf-8")
    drawn = {html.unescape(text) for text in re.findall(r"<text[^>]*>(.*?)</text>", picture)}
    hosted = [name for name, provider in installed().providers.items() if provider.credentials]
    missing = {*opening(len(hosted)), *invitation(None), *hosted} - drawn
    assert not missing, "run: python -m uv run --with pyte python scripts/docs/record_demo.py"
    [end] = [text for text in drawn if text.endswith("failures you never saw.")]
    asks, answers, failures = map(int, re.findall(r"\d+", end))
    assert asks == answers
    assert failures > 2
    assert picture.count('class="is"') > asks


def test_the_first_frame_of_the_picture_is_the_finished_story() -> None:
    """What is there at the end is hidden only later; what was there in between is shown only later."""
    picture = (ROOT / "docs" / "failover.svg").read_text("utf-8")
    groups = re.findall(r'<g class="(is|was)" style="animation-duration:[\d.]+s;animation-delay:([\d.]+)s">', picture)
    assert len(groups) == picture.count('<g class="')
    assert {kind for kind, _ in groups} == {"is", "was"}
    assert min(float(delay) for _, delay in groups) >= 2


def test_the_picture_needs_nothing_but_itself() -> None:
    picture = (ROOT / "docs" / "failover.svg").read_text("utf-8")
    assert set(re.findall(r"https?://[^\"' )]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"<script|<image|<foreignObject|@import|url\(", picture)
