"""For every rule a binder that breaks it, and no other."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from freeride_binder_specimen import SpecimenBinder
from meta.specimens import SAMPLES, binder, origin_of, renamed, source_of
from msgspec import structs

from freeride_conformance.subject import BinderSubject, PluginOrigin
from freeride_core import Endpoint, Launch, OtherModel, Place, Unreadable

Broken = Callable[[PluginOrigin, Path], BinderSubject]


def _own(kind: type[SpecimenBinder]) -> Broken:
    return lambda origin, _: binder(origin, kind())


def _source(old: str, new: str) -> Broken:
    return lambda _, folder: binder(origin_of("binder", folder, source_of("binder", old, new)))


class SpeechlessBinder(SpecimenBinder):
    title = " "


class Wandering(SpecimenBinder):
    def path(self, scope: Place, home: Path, cwd: Path) -> Path:
        # Below the real home, as long as that is not the one that it is asked about.
        return home / ".specimen" if home.is_relative_to(Path("/tmp")) else Path("/etc/specimen")


class ReadingBinder(SpecimenBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        Path(os.devnull).read_bytes()
        return super().edit(text, endpoint)


class Stubborn(SpecimenBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        if text is None:
            endpoint = Endpoint(endpoint.root, model=endpoint.model)
        return super().edit(text, endpoint)


class Spacious(SpecimenBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        return super().edit(text, endpoint).replace("key=", "key= ")


class CountingBinder(SpecimenBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        mark = "# bound again\n" if text is not None and endpoint.root in text else ""
        return super().edit(text, endpoint) + mark


class Nostalgic(SpecimenBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        old = [line for line in (text or "").splitlines() if line.startswith("base=") and endpoint.root not in line]
        return super().edit(text, endpoint) + "".join(f"# was {line}\n" for line in old)


class UnixOnly(SpecimenBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        return super().edit(text, endpoint).replace("\r\nbase=", "\nbase=")


class Unwritable(SpecimenBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        edited = super().edit(text, endpoint)
        return edited + "# \ud800\r\n" if "\r\n" in edited and endpoint.root not in (text or "") else edited


class Overwriting(SpecimenBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        try:
            return super().edit(text, endpoint)
        except Unreadable:
            return super().edit(None, endpoint)


class Boastful(SpecimenBinder):
    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        found = super().models(text, endpoint)
        return (*found, "gpt-4o") if found else ()


class Indiscreet(SpecimenBinder):
    def launch(self, endpoint: Endpoint) -> Launch | None:
        arguments = (f"--base={endpoint.root}", f"--key={endpoint.key}", f"--model={endpoint.model}")
        return Launch(program=self.name, arguments=arguments)


class FirstOfAll(SpecimenBinder):
    merges = False


class Discreet(SpecimenBinder):
    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:
        return ()


class Modernising(SpecimenBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        return super().edit(None if text is None else text.replace("version=1\n", "version=4\n"), endpoint)


class NothingRetired(SpecimenBinder):
    def retired_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:
        return ()


class Impersonating(SpecimenBinder):
    client_names = ("specimen", "python-httpx")
    shared_client_names = ()


def _stale(origin: PluginOrigin, _: Path) -> BinderSubject:
    samples = [
        structs.replace(each, gone=("colour=blue",) if each.before and "colour" in each.before else each.gone)
        for each in SAMPLES.samples
    ]
    return binder(origin, samples=tuple(samples))


def _unanswered(origin: PluginOrigin, _: Path) -> BinderSubject:
    assert SAMPLES.answers is not None
    return binder(origin, answers=structs.replace(SAMPLES.answers, agents=""))


def _samples(**changes: Any) -> Broken:
    return lambda origin, _: binder(origin, **changes)


BROKEN: Mapping[str, Broken] = {
    "has_one_name": lambda origin, _: binder(renamed(origin, package="freeride_binder_other")),
    "introduces_itself": _own(SpeechlessBinder),
    "loads_lightly": _source("from pathlib import Path\n", "import ssl\nfrom pathlib import Path\n"),
    "states_its_version": lambda origin, _: binder(renamed(origin, requires=("freeride-core",))),
    "stays_in_its_place": _own(Wandering),
    "touches_nothing": _own(ReadingBinder),
    "binds_from_nothing": _own(Stubborn),
    "edits_its_samples": _own(Spacious),
    "shows_what_it_does": _samples(refused=()),
    "binds_once": _own(CountingBinder),
    "follows_the_gateway": _own(Nostalgic),
    "keeps_what_is_not_its_own": _own(UnixOnly),
    "is_undone_to_the_byte": _own(Unwritable),
    "refuses_what_it_cannot_read": _own(Overwriting),
    "names_models_that_resolve": _own(Boastful),
    "starts_it_bound": _own(Indiscreet),
    "answers_every_question": _unanswered,
    "edits_the_file_that_wins": _own(FirstOfAll),
    "names_what_asks_elsewhere": _own(Discreet),
    "leaves_nothing_stale": _stale,
    "stamps_no_version": _own(Modernising),
    "names_what_it_retires": _own(NothingRetired),
    "is_told_from_others": _own(Impersonating),
}
