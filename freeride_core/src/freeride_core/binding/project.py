"""The files of a project: others may have written them, and a commit may publish them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from freeride_core.binder import Binder, Endpoint
from freeride_core.binding.files import BindingError, resolve
from freeride_core.system.ownership import risk_of

_VARIABLE = "FREERIDE_TOKEN"


def check_project(folder: Path, path: Path) -> None:
    """Raise `BindingError` if a project's file leads out of its folder, or if another user may have written it.

    As git does with a repository, the folder and its `.git` must be the user's own too.
    """
    inside, target = resolve(folder), resolve(path)
    if not target.is_relative_to(inside):
        raise BindingError(
            f"{path} leads out of the project, to {target}: remove the link, or bind that file where it belongs"
        )
    between = [each for each in target.parents if each.is_relative_to(inside)]
    for each in (*reversed(between), folder / ".git", target):
        if risk := risk_of(each):
            raise BindingError(
                f"{each}: {risk}, so {path.name} stays as it is; make it yours alone (chown, chmod go-w), or use --scope home"
            )


def reference_to_token(binder: Binder, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint as a project's file names it: a token of the gateway gives way to a variable.

    Raise `BindingError` if the agent's configuration cannot name a variable.
    """
    if endpoint.key == Endpoint("").key:
        return endpoint
    if not binder.key_reference:
        other = f", or start it with `freeride run {binder.name}`" if binder.launch(endpoint) else ""
        raise BindingError(
            f"{_VARIABLE} would be written into the project, and {binder.title} cannot read it from a variable: "
            f"use --scope home{other}"
        )
    return replace(endpoint, key=binder.key_reference.replace("NAME", _VARIABLE))
