"""What outranks a bound file, by the agent's own precedence: other files, other settings of the same file, variables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from freeride_core.binder import Binder, Endpoint, OtherModel, Place, Unreadable
from freeride_core.binding.agent_files import moved_paths, paths_of
from freeride_core.binding.files import BindingError, read_configuration, resolve
from freeride_core.binding.prompts import models_in


@dataclass(frozen=True, slots=True)
class Detour:
    """One way on which the agent's requests miss the gateway."""

    where: str
    """A setting, or a variable."""
    model: str
    """What is asked instead, or empty if that is not known."""
    path: Path | None
    """The file with the setting, or None for the environment."""
    outranks: bool
    """Whether it outranks all or a part of the bound file. Otherwise it is beside it, for other agents, modes or jobs."""

    def sentence(self, title: str) -> str:
        """For people: what happens, then what to do."""
        if self.path is None:
            return f"the variable {self.where} is set and outranks the file: unset it where {title} is started"
        asks = f"asks {self.model}, past the gateway" if self.model else "goes past the gateway"
        rank = ", and that file outranks the bound one" if self.outranks else ""
        return f"`{self.where}` in {self.path} {asks}{rank}: change or remove it there"


def find_detours(
    binder: Binder,
    endpoint: Endpoint,
    scope: Place,
    path: Path,
    text: str,
    *,
    home: Path,
    folders: Iterable[Path],
    environ: Mapping[str, str],
) -> list[Detour]:
    """All that sends requests past the gateway although `path` holds `text`. `folders`: those of the project that the user is in,
    the strongest first. What cannot be read is left out: the agent cannot read it either."""
    folders = list(folders)
    found = [Detour(each.where, each.model, path, outranks=False) for each in _ask(binder, text, endpoint)]
    for weaker in _merged(binder, scope, path, home, environ):
        others = _ask(binder, _edited(binder, weaker, endpoint), endpoint)
        found += [Detour(each.where, each.model, weaker, outranks=False) for each in others]
    for stronger in _stronger(binder, scope, path, home, folders, environ):
        others = _ask(binder, _read(stronger), endpoint)
        found += [Detour(each.where, each.model, stronger, outranks=True) for each in others]
    found += _prompts(binder, home, folders, environ)
    found += [Detour(name, "", None, outranks=True) for name in overruling_variables(binder, endpoint, environ)]
    return found


def overruling_variables(binder: Binder, endpoint: Endpoint, environ: Mapping[str, str]) -> list[str]:
    """The agent's variables that outrank its file and are set to something else than a start by `freeride run` sets."""
    launch = binder.launch(endpoint)
    wanted = launch.environment if launch else {}
    return [name for name in binder.overruled_by if name in environ and environ[name] != wanted.get(name)]


def _merged(binder: Binder, scope: Place, path: Path, home: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """The weaker files of the same place, which the agent reads too."""
    if binder.merges and scope is Place.HOME:
        yield from (each for each in paths_of(binder, scope, home, home, environ) if each != path)


def _stronger(
    binder: Binder, scope: Place, path: Path, home: Path, folders: list[Path], environ: Mapping[str, str]
) -> Iterator[Path]:
    seen = {resolve(path)}
    for folder in [*folders] or [home]:
        paths: tuple[Path, ...] = ()
        for each in binder.outranking_paths(scope, home, folder):
            is_projects = folder != home and each.is_relative_to(folder)
            paths += (each,) if is_projects else moved_paths(binder, (each,), home, environ)
        if scope is Place.HOME and Place.PROJECT in binder.scopes and folder != home:
            paths = (*paths, binder.path(Place.PROJECT, home, folder), *binder.other_paths(Place.PROJECT, home, folder))
        for each in paths:
            if (target := resolve(each)) not in seen:
                seen.add(target)
                yield each


def _prompts(binder: Binder, home: Path, folders: list[Path], environ: Mapping[str, str]) -> Iterator[Detour]:
    """Agents, modes and commands in files of their own that ask another model."""
    of_home = moved_paths(binder, binder.prompt_folders(Place.HOME, home, home), home, environ)
    of_projects = [each for cwd in folders for each in binder.prompt_folders(Place.PROJECT, home, cwd) if cwd != home]
    for folder in dict.fromkeys((*of_home, *of_projects)):
        for file, model in models_in(folder):
            if not binder.is_own(model):
                yield Detour("model", model, file, outranks=False)


def _edited(binder: Binder, path: Path, endpoint: Endpoint) -> str | None:
    """The text as it would be if it were bound: what the stronger file says already is not told again."""
    text = _read(path)
    try:
        return None if text is None else binder.edit(text, endpoint)
    except Unreadable:
        return None


def _ask(binder: Binder, text: str | None, endpoint: Endpoint) -> tuple[OtherModel, ...]:
    try:
        return () if text is None else binder.other_models(text, endpoint)
    except Unreadable:
        return ()


def _read(path: Path) -> str | None:
    try:
        content = read_configuration(path)
        return None if content is None else content.decode()
    except (BindingError, UnicodeDecodeError):
        return None
