"""Names and words that steer: nothing that another party wrote reaches a header, a stream, a terminal or the state as it came."""

from __future__ import annotations

import ast
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_upstream import (
    GatewayStage,
    ReceivedRequest,
    chunk,
    completion,
    good,
    provider,
    question,
    reply,
    stream,
    until,
)
from freeride_core import Answer, CompatibleCatalog, Model
from freeride_core.ledger.catalogs import Catalogs
from freeride_core.ledger.store.store import Entry
from freeride_core.model import is_model_name
from freeride_core.plugins.validation import Faulty, check_model
from freeride_core.system.plain_text import printable, printable_lines, without_controls
from programs import clean_environ, run
from repository import ROOT
from served_gateway import FREERIDE

STEERING = "\x1b[2J\x1b]0;PWN\x07\u202e\u200b\u2028\x9b\x00\r"
BAD_NAMES = {
    "escape": "evil/\x1b]0;PWN\x07\x1b[2J",
    "header": "evil/a\r\nX-Evil: 1",
    "event": 'evil/a\n\ndata: {"x":1}\n\n',
    "nul": "evil/\x00",
    "long": "evil/" + "a" * 100_000,
    "reversed": "evil/\u202egpj.exe",
    "invisible": "evil/\u200ba",
    "surrogate": "evil/\ud800",
    "blank": "evil/a b",
    "tab": "evil/a\tb",
    "letter": "evil/modél",
    "empty": "",
}


def is_clean(text: str, allowed: str = "\n\t") -> bool:
    """Whether nothing in it steers a terminal or breaks an encoder."""
    return all(letter in allowed or unicodedata.category(letter)[0] != "C" for letter in text) and not (
        set(text) & {"\u2028", "\u2029"}
    )


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_text_that_is_made_safe_holds_nothing_that_steers(text: str) -> None:
    assert is_clean(printable(text), "")
    assert is_clean(printable_lines(text))
    assert is_clean(without_controls(text))
    assert len(printable(text)) == len(printable_lines(text)) == len(text)
    without_controls(text).encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=40))
def test_ordinary_text_of_any_language_stays(text: str) -> None:
    assert without_controls(text) == text


# Names


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_a_model_s_name_is_what_a_header_can_carry(name: str) -> None:
    is_plain = name.isascii() and name.isprintable() and " " not in name and 0 < len(name) <= 256
    assert is_model_name(name) is is_plain


@pytest.mark.parametrize("field", ["id", "canonical"])
@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_package_cannot_bring_such_a_name(field: str, name: str) -> None:
    changed: dict[str, Any] = {field: name}
    with pytest.raises(Faulty) as fault:
        check_model(replace(Model(id="good", canonical="good"), **changed))
    assert is_clean(str(fault.value), "")
    assert len(str(fault.value)) < 400


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayStage]:
    """A gateway whose upstream lists such names among good ones, and answers to all of them."""

    def answer(seen: ReceivedRequest) -> Any:
        if seen.method == "GET":
            rows = [{"id": name} for name in ("good/first", *BAD_NAMES.values(), "good/last")]
            return reply(200, {"data": rows})
        return good(seen)

    with GatewayStage(tmp_path_factory.mktemp("listed"), provider("alpha", models=(), lists=True)) as stage:
        stage["alpha"].answer = answer
        until(lambda: "good/last" in ids_of(stage))
        yield stage


def ids_of(stage: GatewayStage) -> list[str]:
    return [entry["id"] for entry in stage.get("/v1/models").json()["data"]]


def test_one_odd_entry_breaks_no_listing(listed: GatewayStage) -> None:
    assert {name for name in ids_of(listed) if "/" in name and not name.startswith("freeride/")} == {
        "good/first",
        "good/last",
    }


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_such_a_name_is_never_asked_for(name: str, is_stream: bool, listed: GatewayStage) -> None:
    before = len(listed["alpha"].posts)
    body = json.dumps(question(name, stream=is_stream)).encode()
    answer = httpx.post(
        f"{listed.url}/v1/chat/completions",
        content=body,
        headers={"content-type": "application/json"},
        trust_env=False,
        timeout=20,
    )
    if name:  # the empty one is `auto`
        assert answer.status_code in (400, 404)
        assert len(listed["alpha"].posts) == before
    assert answer.headers["x-freeride-request-id"]
    assert all(is_clean(value, "") for value in answer.headers.values())


def test_what_an_older_version_stored_is_cleaned_on_reading() -> None:
    rows = [
        {"id": name, "canonical": name, "operations": ["chat.completions"]} for name in (*BAD_NAMES.values(), "good")
    ]
    alpha = provider("alpha", models=(), lists=True)
    catalogs = Catalogs({"alpha": alpha}, lambda: 1000.0, lambda _: None, None)  # type: ignore[arg-type]
    catalogs.apply([Entry("catalog", "alpha", {"fetched": 999.0, "origin": "x", "models": rows})])
    assert [model.id for model in catalogs.models("alpha")] == ["good"]


def test_a_list_of_nothing_but_such_names_is_no_list() -> None:
    catalog = CompatibleCatalog(checked="2026-12-01", parse_entry=lambda row, _: [Model(id=row["id"], canonical="x")])
    body = json.dumps({"data": [{"id": name} for name in BAD_NAMES.values()]}).encode()
    assert catalog.parse(Answer(200, {}, body, 0.0)) == ()


# Words of upstreams


@pytest.mark.parametrize("kind", ["whole", "stream", "event"])
def test_an_upstream_s_words_reach_the_client_without_what_steers(kind: str, tmp_path: Path) -> None:
    words = {"code": "context_length_exceeded", "message": f"too{STEERING} long\tby\nfar", "param": f"x{STEERING}"}
    event = b"data: " + json.dumps({"error": words}).encode() + b"\n\n"
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        whole = reply(400, {"error": words})
        stage["alpha"].answer = lambda _: stream(chunk({"content": "Hello"}), event) if kind == "event" else whole
        text = stage.ask(stream=kind != "whole").text
        stage.thread.stop()
        assert all(is_clean(json.dumps(each, ensure_ascii=False)) for each in stage.events())
    bodies = [line.removeprefix("data: ") for line in text.splitlines() if '"error"' in line]
    assert len(bodies) == 1
    told = json.loads(bodies[0])["error"]
    assert all(is_clean(str(value)) for value in told.values())
    if kind != "event":
        assert told["message"] == "too[2J]0;PWN long\tby\nfar"


def test_a_header_of_an_upstream_is_relayed_only_if_it_is_plain(tmp_path: Path) -> None:
    headers = {"x-ratelimit-limit-requests": "1000", "x-ratelimit-evil": "\x9b2J", "x-request-id": "r\x9d0;PWN"}
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = lambda _: reply(200, completion(), headers)
        answer = stage.ask()
    assert answer.headers["x-ratelimit-limit-requests"] == "1000"
    assert "x-ratelimit-evil" not in answer.headers
    assert all(is_clean(value, "") for value in answer.headers.values())


# Words of packages and of folders, on the terminal

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"
COMMANDS = (
    ["plugins"],
    ["plugins", "--json"],
    ["keys"],
    ["models"],
    ["doctor"],
    ["doctor", "--json"],
    ["serve", "--port", "0"],
)


@pytest.mark.parametrize("where", ["environment", "file"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_package_s_words_hold_no_key_and_steer_nothing(
    command: list[str], where: str, install: Callable[..., Path], tmp_path: Path
) -> None:
    """An exception that quotes a setting is the ordinary way in which a key gets into a report."""
    source = f'raise RuntimeError("bad settings: {KEY} " + {STEERING!r})'
    folder = install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=source)
    environ = clean_environ(tmp_path / "user", {"PYTHONPATH": str(folder)})
    home = Path(environ["FREERIDE_HOME"])
    home.mkdir(mode=0o700)
    if where == "file":
        (home / ".env").write_text(f"ACME_API_KEY={KEY}\n", "utf-8")
        (home / ".env").chmod(0o600)
    else:
        environ["ACME_API_KEY"] = KEY
    ended = run([*FREERIDE, *command], environ)
    shown = ended.stdout + ended.stderr
    assert "RuntimeError: bad settings: ‹key›" in shown or "RuntimeError: bad settings: \\u2039key\\u203a" in shown
    assert not [start for start in range(len(KEY) - 8) if KEY[start : start + 8] in shown]
    assert is_clean(shown)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names")
@pytest.mark.parametrize(
    "command", [["bind", "opencode", "--dry-run"], ["bind", "opencode"], ["doctor"], ["bind"]], ids=" ".join
)
def test_a_project_s_words_and_name_steer_nothing(command: list[str], tmp_path: Path) -> None:
    project = tmp_path / "proj\x1b]0;PWN\x07\u202e"
    project.mkdir()
    (project / "opencode.json").write_text(
        f'{{"theme": "x", // {STEERING.translate({0: None, 13: None})}\n"a": 1}}', "utf-8"
    )
    environ = clean_environ(tmp_path / "user")
    scope = ["--scope", "cwd"] if len(command) > 1 else []
    ended = run([*FREERIDE, *command, *scope], environ, cwd=project)
    assert "Traceback" not in ended.stderr
    assert is_clean(ended.stdout + ended.stderr), (ended.stdout, ended.stderr)


def test_only_one_module_writes_what_others_wrote_to_a_terminal() -> None:
    """`terminal.tell`, `show`, `complain` and the tables clean what they write; everything else writes JSON or its own words."""
    paths = [*(ROOT / "freeride_core" / "src").rglob("*.py"), *ROOT.glob("freeride_*ers/*/src/**/*.py")]
    assert len(paths) > 150
    calls = [
        (path.name, node)
        for path in paths
        if path.name != "terminal.py" and "demo" not in path.parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.echo"
    ]
    assert len(calls) > 5
    assert [f"{name}: {ast.unparse(node)}" for name, node in calls if not _is_safe(node.args[0])] == []


_OWN = (
    "json.dumps(",
    "b''.join(",
    "''.join((render(",
    "f'freeride {__version__}'",
    "f'freeride-watcher {__version__}'",
    "get_completion_script(",
)


def _is_safe(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Constant) or ast.unparse(argument).startswith(_OWN)
