"""What an agent goes by: that the binder knows, and that core says what it cannot mend."""

from __future__ import annotations

import datetime
import itertools
import re
import tempfile
from pathlib import Path

from freeride_conformance.questions import BY_RULE, QUESTIONS
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.rules.binding import HERE
from freeride_conformance.samples import Answers
from freeride_conformance.subject import BinderSubject
from freeride_core import Place
from freeride_core.binding.agent_files import path_of
from freeride_core.gateway.client_name import USER_AGENT_MOST, client_name
from freeride_core.ledger.clients import is_named

SECTION = "Precedence"
RULES: list[ConformanceRule[BinderSubject]] = []
_SHORTEST = 10
_CWD = Path("/a/project")
_LIBRARIES = (
    *(
        "OpenAI/JS",
        "OpenAI/Python",
        "ai-sdk/openai-compatible",
        "python-httpx",
        "python-requests",
        "aiohttp",
        "Python-urllib",
    ),
    *("node", "undici", "axios", "Bun", "Go-http-client", "reqwest", "Mozilla", "curl"),
)
"""First products of many programs' requests."""


def _answers(subject: BinderSubject) -> Answers:
    answers = subject.samples.answers
    assert answers is not None, "samples.toml has no [answers]"
    return answers


@rule(RULES, SECTION, fix="answer each question in [answers] of samples.toml, from the agent's own source or program")
def answers_every_question(subject: BinderSubject) -> None:
    """It answers every question about what decides which model the agent asks, with a dated source. An answer that does not
    begin with `None` is proven by a sample, or by what the binder states."""
    answers, samples = _answers(subject), subject.samples
    assert answers.source.strip(), "`source` is empty"
    assert datetime.date.fromisoformat(answers.checked) > datetime.date(2025, 1, 1), "`checked` is too long ago"
    shown = {name for sample in samples.samples for name in sample.shows}
    shown |= {name for refused in samples.refused for name in refused.shows}
    shown |= {name for stronger in samples.stronger for name in ("stronger", *stronger.shows)}
    assert shown <= set(QUESTIONS), f"`shows` names what is no question: {sorted(shown - set(QUESTIONS))}"
    for name in QUESTIONS:
        answer: str = getattr(answers, name)
        assert len(answer) >= _SHORTEST or answer == "None.", f"`{name}` is not answered"
        has_proof = name in shown or name in BY_RULE
        assert answer.startswith("None") or has_proof, f"nothing proves the answer to `{name}`"
    for name in (*subject.binder.client_names, *subject.binder.shared_client_names):
        assert f"`{name}`" in answers.requests, f"the answer to `requests` does not name `{name}`"
    for variable in subject.binder.overruled_by:
        assert variable in answers.variables, f"`overruled_by` names {variable}, the answer does not"


@rule(RULES, SECTION, fix="set `merges` if the agent merges its files, and give `other_paths` in its own order")
def edits_the_file_that_wins(subject: BinderSubject) -> None:
    """Of the files that the agent merges, the strongest existing one is edited."""
    merged = subject.samples.merged
    assert subject.binder.merges == bool(merged) or Place.PROJECT in subject.binder.scopes, (
        f"`merges` is {subject.binder.merges}, samples.toml merges {list(merged)}"
    )
    for count in range(1, len(merged) + 1):
        for there in itertools.combinations(merged, count):
            with tempfile.TemporaryDirectory(prefix="freeride-conformance-") as folder:
                home = Path(folder)
                for name in there:
                    (home / name).parent.mkdir(parents=True, exist_ok=True)
                    (home / name).touch()
                found = path_of(subject.binder, Place.HOME, home, home, {})
                assert found == home / there[-1], f"of {there} it edits {found.relative_to(home)}"


@rule(RULES, SECTION, fix="give in `other_models` every setting that sends requests past the gateway")
def names_what_asks_elsewhere(subject: BinderSubject) -> None:
    """Every setting that still asks past the gateway once a file is bound is named. So is what a file that outranks it chooses.
    If nothing does, nothing is named."""
    binder = subject.binder
    for sample in subject.samples.samples:
        found = {each.where: each.model for each in binder.other_models(sample.after, HERE)}
        assert found == sample.asks_elsewhere, f"of {sample.name!r} it names {found}, not {sample.asks_elsewhere}"
    home, scopes = Path("/a/home"), binder.scopes
    known = [path for scope in scopes for path in binder.outranking_paths(scope, home, _CWD)]
    known += [binder.path(Place.PROJECT, home, _CWD)] if Place.PROJECT in scopes else []
    known += binder.other_paths(Place.PROJECT, home, _CWD) if Place.PROJECT in scopes else ()
    files = {path.relative_to(root).as_posix() for path in known for root in (home, _CWD) if path.is_relative_to(root)}
    for stronger in subject.samples.stronger:
        is_looked_at = any(f"/{each}".endswith(f"/{stronger.file}") for each in files)
        assert is_looked_at, f"{stronger.file} outranks it, and it looks at {sorted(files)}"
        found = {each.where: each.model for each in binder.other_models(stronger.text, HERE)}
        assert found == stronger.asks_elsewhere, f"of {stronger.file} it names {found}, not {stronger.asks_elsewhere}"


@rule(RULES, SECTION, fix="remove or replace what belonged to the former provider, protocol or sign-in")
def leaves_nothing_stale(subject: BinderSubject) -> None:
    """Anything beside the edit that would change its meaning is removed: another protocol, another sign-in, a list that shuts
    the gateway out."""
    for sample in subject.samples.samples:
        for piece in sample.gone:
            assert piece in (sample.before or ""), f"{piece!r} is not in the sample {sample.name!r}"
            edited = subject.binder.edit(sample.before, HERE)
            assert piece not in edited, f"{piece!r} is still there in {sample.name!r}"


@rule(RULES, SECTION, fix="write a version only into a file of which you write all")
def stamps_no_version(subject: BinderSubject) -> None:
    """The version that a file states, or does not state, stays as it is: only a program that writes the whole file knows its
    layout."""
    member = subject.samples.version_member
    if not member:
        return
    line = re.compile(rf".*(?<![\w$]){re.escape(member)}(?![\w$]).*")
    for sample in subject.samples.samples:
        if not (sample.before or "").strip():
            continue
        older = re.sub(line, lambda found: re.sub(r"[0-9]+", "1", found[0]), sample.before or "")
        for text in (sample.before or "", older):
            before, after = line.findall(text), line.findall(subject.binder.edit(text, HERE))
            assert [each.rstrip(",") for each in before] == [each.rstrip(",") for each in after], (
                f"in {sample.name!r} the version was {before} and is {after}"
            )


@rule(RULES, SECTION, fix="give in `retired_paths` the older files that the agent stops reading")
def names_what_it_retires(subject: BinderSubject) -> None:
    """An older file that the agent stops reading once there is a new one is known, so that core creates no new one unasked."""
    home = Path("/a/home")
    retired = subject.binder.retired_paths(Place.HOME, home, home)
    answer = _answers(subject).retired
    assert bool(retired) != answer.startswith("None"), (
        f"it retires {[path.name for path in retired]}, the answer is {answer!r}"
    )
    for path in retired:
        assert path.name in answer, f"the answer does not name {path.name}"


@rule(
    RULES,
    SECTION,
    fix="state in `client_names` the agent's own product of the User-Agent, in `shared_client_names` a library's",
)
def is_told_from_others(subject: BinderSubject) -> None:
    """By the User-Agent that the agent was seen to send, its requests are found among others'. A library's name, which other
    programs have too, does not count as the agent's."""
    binder, seen = (
        subject.binder,
        [client_name(each.encode()[:USER_AGENT_MOST]) for each in subject.samples.user_agents],
    )
    names = (*binder.client_names, *binder.shared_client_names)
    for client in seen:
        assert is_named(client, names), f"a request of {client!r} is not one of {list(names)}"
    for name in names:
        assert any(is_named(client, [name]) for client in seen), f"no header in `user_agents` names {name!r}"
    for library in _LIBRARIES:
        assert not is_named(f"{library}/1.2", binder.client_names), (
            f"requests of other programs are named {library!r} too"
        )
