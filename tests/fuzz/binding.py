"""An agent's configuration: what every binder that is installed makes of it."""

from __future__ import annotations

from freeride_core.binder import Binder, Endpoint, Unreadable
from freeride_core.plugins.discovery import load_plugins
from fuzz.target import Bytes, Target

_BINDERS = tuple(load_plugins(("binder",)).binders.values())
_HERE = Endpoint("http://127.0.0.1:11343")
_THERE = Endpoint("http://127.0.0.1:4711", model="freeride/coding")


def _edited(binder: Binder, text: str, endpoint: Endpoint) -> str | None:
    try:
        return binder.edit(text, endpoint)
    except Unreadable as error:
        assert str(error).isprintable(), "a refusal is one line for people"
        return None


def check(data: bytes) -> None:
    """Any text is refused as unreadable, or edited; and what is edited is not edited again."""
    source = Bytes(data)
    binder = source.pick(_BINDERS)
    text = source.rest().decode("utf-8", "replace")
    once = _edited(binder, text, _HERE)
    try:
        binder.models(text, _HERE)
    except Unreadable:
        assert once is None, "it edits what it cannot read"
    if once is None:
        return
    assert binder.edit(once, _HERE) == once, "the second time it changes its own work"
    assert _HERE.model in binder.models(once, _HERE)
    moved = binder.edit(once, _THERE)
    assert _THERE.model in binder.models(moved, _THERE)
    assert binder.edit(moved, _THERE) == moved


TARGET = Target(
    check,
    seeds=tuple(
        bytes([index]) + text
        for index in range(len(_BINDERS))
        for text in (
            b"",
            b"# mine\r\nmodel: gpt-4o # old\r\nopenai-api-base: 'x'\r\n",
            b'name: Local\nschema: v1\nmodels:\n  - name: FreeRide\n    model: old\n    apiBase: "x"\n  - {name: other}\n',
            b"---\nmodels: []\nrules: |\n  a\n  b\n...\n",
            b"{models: [{name: FreeRide, model: a}], model: &a b}\n",
            b'{"models": [{"name": "x"}]}',
            b"# mine\n- model_id: freeride\n  model_name: old\n  headers: {X-Mine: a}\n- {model_id: other}\n",
            b'a = 1\n\n[[providers]]\nname = "freeride"\nextra_headers = {}\n\n[[models]]\nalias = "x" # mine\n[tools.bash]\n',
        )
    ),
    words=(
        b"models:",
        b"model: ",
        b"name: FreeRide",
        b"openai-api-base: ",
        b"openai-api-key: ",
        b"show-model-warnings: ",
        b"apiBase: ",
        b"- model_id: freeride\n",
        b"  headers:\n    ",
        b"[[providers]]\n",
        b"[[models]]\n",
        b'alias = "freeride"\n',
        b"  - ",
        b"\r\n",
        b"\xef\xbb\xbf",
        b"---\n",
        b"...\n",
        b"&a ",
        b"*a",
        b"!!str ",
        b"? ",
        b"<<: ",
        b"|\n",
        b">-\n",
        b"# ",
        b"\t",
        b"'",
        b'"',
        b"\xe2\x80\xa8",
        b"\xc2\x85",
        b"%YAML 1.1\n",
    ),
)
