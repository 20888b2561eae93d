"""What a binder package must hold to. A rule is a function that takes a binder and raises AssertionError."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from freeride_core.binder import Binder, Endpoint, Scope, Unreadable

Rule = Callable[[Binder], None]

_HERE = Endpoint("http://127.0.0.1:11343")
_THERE = Endpoint("http://127.0.0.1:22468", model="freeride/coding")
_NONSENSE = ("\x00\x01{{{[", "a: [1, 2\nb: }", '"unterminated')


def says_what_it_binds(binder: Binder) -> None:
    """A name, a title, a homepage, and what to do next."""
    for field in ("name", "title", "homepage", "after"):
        assert getattr(binder, field, ""), f"{field} is empty"
    assert binder.scopes, "no scope"


def stays_in_its_place(binder: Binder) -> None:
    """The file is below the home or the folder it is asked about, whichever the scope says."""
    home, cwd = Path("/a/home"), Path("/a/project")
    for scope in binder.scopes:
        path = binder.path(scope, home, cwd)
        root = home if scope is Scope.HOME else cwd
        assert path.is_relative_to(root), f"{path} is not below {root}"
        assert path == binder.path(scope, home, cwd), "the path is not the same twice"


def binds_from_nothing(binder: Binder) -> None:
    """Without a file it writes one, which names the gateway, its key and a model that the gateway resolves."""
    text = binder.edit(None, _HERE)
    for part in (_HERE.root, _HERE.key, _HERE.model):
        assert part in text, f"{part!r} is not in the new configuration"


def binds_once(binder: Binder) -> None:
    """Binding again changes nothing."""
    text = binder.edit(None, _HERE)
    assert binder.edit(text, _HERE) == text


def follows_the_gateway(binder: Binder) -> None:
    """Binding to another address leaves nothing of the old one behind."""
    text = binder.edit(binder.edit(None, _HERE), _THERE)
    assert _THERE.root in text
    assert _THERE.model in text
    assert _HERE.root not in text, "the old address is still there"


def refuses_nonsense(binder: Binder) -> None:
    """What it cannot parse it does not touch."""
    for text in _NONSENSE:
        try:
            edited = binder.edit(text, _HERE)
        except Unreadable:
            continue
        raise AssertionError(f"{text!r} was taken for a configuration and became {edited[:80]!r}")


RULES: tuple[Rule, ...] = (
    says_what_it_binds,
    stays_in_its_place,
    binds_from_nothing,
    binds_once,
    follows_the_gateway,
    refuses_nonsense,
)
