"""`freeride keys`: which keys there are, what each can do now, and whether its provider takes it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from freeride_core.cli.group import app
from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.ledger.store.store import Entry
from freeride_core.settings.keys import fingerprint

SOURCE = """
from freeride_core import *

class QuotaProbe(Probe):
    def request(self, key):
        return UpstreamRequest("GET", key.base_url + "/quota", (("authorization", f"Bearer {key.secret}"),))
    def read(self, answer):
        if answer.status == 200 and answer.json:
            return Proof(valid=True, note=answer.json["note"])
        return Proof(valid=False if answer.status == 401 else None, note=answer.json["note"])

@hookimpl
def freeride_register_provider():
    return CompatibleProvider(
        api_version=1,
        name="acme", rank=1, about=About(title="Acme Cloud", homepage="h", keys_url="https://acme.example/keys", free_day="f",
        sign_up="s", data_use="d", source="s", checked="2026-11-23"),
        credentials=(Credential(variable="ACME_API_KEY", pattern="ak_[a-z0-9]+", account_variable="ACME_ACCOUNT"),),
        base_url="https://acme.example/v1", free=FreeSuffix(":free"),
        catalog=CompatibleCatalog(
            checked="2026-11-23", models=(Model(id="m:free", canonical="m"), Model(id="n:free", canonical="n")), path=CATALOG
        ),
        chat=CompatibleWire(path="/chat/completions"), probe=PROBE, limits=(LIMITS),
    )
"""
GOOD, BAD, ODD = "ak_goodgoodgood1", "ak_refusedrefused2", "NOT-LIKE-THE-OTHERS"
Command = Callable[..., Result]


@pytest.fixture
def command(install: Any, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`freeride keys` with one provider."""

    def run(
        *arguments: str, probe: str = "None", catalog: str = "'/models'", limits: str = "", **environ: str
    ) -> Result:
        source = SOURCE.replace("CATALOG", catalog).replace("PROBE", probe).replace("(LIMITS)", f"({limits})")
        install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=source)
        monkeypatch.setenv("FREERIDE_PROVIDERS", "acme")
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        result = CliRunner().invoke(app, ["keys", *arguments])
        for secret in (GOOD, BAD, ODD):
            assert not [at for at in range(len(secret) - 7) if secret[at : at + 8] in result.output]
        return result

    return run


class Upstream(BaseHTTPRequestHandler):
    """Takes one key, refuses another, and shows its list to everybody where it is told to."""

    def do_GET(self) -> None:
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        status = 200 if key == GOOD or self.path.startswith("/public") else 401
        note = "38 of 50 left" if status == 200 else f"no such key {key}"
        body = b"<html>" if key == ODD else json.dumps({"note": note, "data": [], "error": {"message": "no"}}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silence."""


@pytest.fixture
def upstream() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def checks(result: Result) -> list[tuple[str, str]]:
    return [(row["check"], row["note"]) for row in json.loads(result.stdout)]


def test_without_a_key_it_says_where_to_get_one(command: Command) -> None:
    result = command("--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, [])
    assert "Acme Cloud" in result.stderr
    assert "https://acme.example/keys  ->  ACME_API_KEY and ACME_ACCOUNT" in result.stderr


KEYLESS = "base_url='http://127.0.0.1:9/v1', credentials=(),"


@pytest.fixture
def keyless_too(install: Any) -> None:
    """Another provider, that wants no key."""
    before, _, after = (
        SOURCE.replace("CATALOG", "None")
        .replace("PROBE", "None")
        .replace("LIMITS", "")
        .partition("        credentials=")
    )
    source = f"{before}        {KEYLESS}\n        free=FreeSuffix{after.partition('free=FreeSuffix')[2]}"
    source = source.replace('"acme", rank=1', '"home", rank=2').replace("Acme Cloud", "Home")
    install("home-dist", {"freeride.providers": {"home": "home_plugin"}}, home_plugin=source)


@pytest.mark.usefixtures("keyless_too")
def test_without_a_key_it_names_the_address_of_what_wants_none(command: Command) -> None:
    *keyed, last = command().stderr.splitlines()
    at = keyed.index("No key needed, just the server URL:")
    assert ["Home", "FREERIDE_HOME_BASE_URL=http://127.0.0.1:9/v1"] in [line.split() for line in keyed[at + 1 :]]
    assert "ACME_API_KEY" in "".join(keyed[:at])
    assert last.startswith("Save it with `freeride init`")


@pytest.mark.parametrize(("folder", "shown"), [("user/.freeride", "~/.freeride/.env"), ("else", "{}/else/.env")])
def test_the_file_for_keys_is_named_as_it_can_be_opened(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str, shown: str
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "user")
    last = command(FREERIDE_HOME=str(tmp_path / folder)).stderr.splitlines()[-1]
    assert f"or add it to {Path(shown.format(tmp_path))}." in last


@pytest.mark.usefixtures("keyless_too")
def test_what_wants_no_key_is_a_line_with_the_variable_of_its_address(command: Command) -> None:
    result = command(FREERIDE_PROVIDERS="acme,home", FREERIDE_HOME_BASE_URL="http://127.0.0.1:9/v1")
    assert result.exit_code == 0
    [_, line] = [line.split() for line in result.stdout.splitlines()]
    assert line == ["home", "k0", "FREERIDE_HOME_BASE_URL", fingerprint("http://127.0.0.1:9/v1"), "usable"]


def test_each_key_is_a_line(command: Command) -> None:
    result = command(ACME_API_KEY=json.dumps([GOOD, BAD]), ACME_API_KEY_3=ODD)
    assert result.exit_code == 0
    titles, *lines = [line.split() for line in result.stdout.splitlines()]
    assert titles == ["PROVIDER", "KEY", "VARIABLE", "FINGERPRINT", "STATE"]
    assert lines == [
        ["acme", "k0", "ACME_API_KEY", fingerprint(GOOD), "usable"],
        ["acme", "k1", "ACME_API_KEY", fingerprint(BAD), "usable"],
        ["acme", "k2", "ACME_API_KEY_3", fingerprint(ODD), "usable"],
    ]
    advice = "(expected ak_…): copy it again from https://acme.example/keys"
    assert f"freeride: ACME_API_KEY_3 doesn't look like a key of Acme Cloud {advice}\n" in result.stderr
    assert result.stderr.count("doesn't look like") == 1


def test_a_key_that_is_left_out_is_told(command: Command) -> None:
    result = command(ACME_API_KEY=json.dumps([GOOD, "two words"]))
    assert "ACME_API_KEY[1] is not used: it holds white space" in result.stderr
    assert len(result.stdout.splitlines()) == 2


def test_cooldowns_come_from_the_state(command: Command, freeride_home: Path) -> None:
    def cooldown(subject: str, model: str, until: float, kind: str = "rate_limit") -> Entry:
        value = {"kind": kind, "until": until, "strikes": 1, "noted": 0.0}
        return Entry("cooldown", json.dumps(["acme", subject, model]), value)

    later = 4_000_000_000.0
    store = SqliteStore(freeride_home / "state.db")
    store.write(
        [
            cooldown(f"key:{fingerprint(GOOD)}", "*", later, "auth"),
            cooldown(f"account:{fingerprint('account-2')}", "m:free", later),
            cooldown(f"key:{fingerprint(BAD)}", "*", 1.0),
            cooldown("account:somebody-else", "*", later),
        ]
    )
    store.close()
    variables = {"ACME_API_KEY": GOOD, "ACME_API_KEY_2": BAD, "ACME_ACCOUNT_2": "account-2"}
    cooling, usable = json.loads(command("--json", **variables).stdout)
    assert (cooling["state"], cooling["kind"], cooling["until"], cooling["cooling_models"]) == (
        "cooling",
        "auth",
        later,
        {},
    )
    assert (usable["state"], usable["kind"], usable["until"]) == ("usable", None, None)
    assert usable["cooling_models"] == {"m:free": {"kind": "rate_limit", "until": later}}


DAY = "Limit(unit='requests', amount=50, window='day', scope=Scope.ACCOUNT, source='s', checked='2026-11-23'),"
EACH = "Limit(unit='tokens', amount=9, window='minute', scope=Scope.ACCOUNT_MODEL, source='s', checked='2026-11-23'),"


@pytest.mark.parametrize(
    ("limits", "spent", "left"),
    [
        (DAY, ("rpd", "*"), ["36 of 50 ? rpd", "50 of 50 ? rpd"]),
        (EACH + DAY, ("rpd", "*"), ["36 of 50 ? rpd", "50 of 50 ? rpd"]),
        (EACH + DAY, ("tpm", "n:free"), ["0 of 9 ? tpm, n:free", "50 of 50 ? rpd"]),
    ],
)
def test_what_each_key_has_least_of_is_shown(
    command: Command, freeride_home: Path, limits: str, spent: tuple[str, str], left: list[str]
) -> None:
    name, model = spent
    value = {"used": [[time.time(), 14.0]], "source": "published", "changed_at": 0, "shut_until": 0, "told_until": 0}
    subject = json.dumps([name, "acme", f"account:{fingerprint(GOOD)}", model])
    with closing(SqliteStore(freeride_home / "state.db")) as store:
        store.write([Entry("quota", subject, value)])
    keys = json.dumps([GOOD, BAD])
    titles, *lines = command(limits=limits, ACME_API_KEY=keys).stdout.splitlines()
    assert titles.split()[-1] == "LEFT"
    assert [line.split("usable")[1].strip() for line in lines] == left


def test_scripts_get_every_limit_of_each_key(command: Command) -> None:
    found = json.loads(command("--json", limits=EACH + DAY, ACME_API_KEY=json.dumps([GOOD, BAD])).stdout)
    assert [[limit["name"] for limit in row["limits"]] for row in found] == [["rpd", "tpm"], ["rpd", "tpm"]]
    assert [row["limits"][0]["keys"][0]["index"] for row in found] == [0, 1]


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_what_each_provider_did_today_is_shown(
    command: Command, freeride_home: Path, arguments: tuple[str, ...]
) -> None:
    with closing(SqliteStore(freeride_home / "state.db")) as store:
        for writer in ("a", "b"):
            counted = {"requests": 1200, "served": 1199, "failed": 1, "tokens_in": 5, "tokens_out": 7}
            store.write([Entry("usage", json.dumps([time.strftime("%Y-%m-%d"), "acme", writer]), counted)])
    shown = command(*arguments, ACME_API_KEY=GOOD).stdout
    if arguments:
        (row,) = json.loads(shown)
        assert row["provider_today"] == {
            "requests": 2400,
            "served": 2398,
            "failed": 2,
            "tokens_in": 10,
            "tokens_out": 14,
        }
    else:
        assert "acme today: 2,400 requests, 2 failed, 10 tokens in, 14 out" in shown


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("quota_exhausted", r"cooling until 2096-10-0.* \(quota_exhausted\)"),
        ("auth", "rejected, retrying at 2096-10-0"),
    ],
)
def test_the_table_says_until_when_and_why(command: Command, freeride_home: Path, kind: str, state: str) -> None:
    store = SqliteStore(freeride_home / "state.db")
    value = {"kind": kind, "until": 4_000_000_000.0, "strikes": 1, "noted": 0.0}
    store.write([Entry("cooldown", json.dumps(["acme", "*", "*"]), value)])
    store.close()
    assert re.search(state, command(ACME_API_KEY=GOOD).stdout)


class TestCheck:
    def test_a_probe_tells_and_its_note_is_shown_without_the_key(self, command: Command, upstream: str) -> None:
        result = command(
            "--check",
            "--json",
            probe="QuotaProbe()",
            ACME_API_KEY=json.dumps([GOOD, BAD]),
            FREERIDE_ACME_BASE_URL=upstream,
        )
        assert checks(result) == [("valid", "38 of 50 left"), ("rejected", "no such key ‹key›")]
        assert result.exit_code == 1
        assert result.stderr == "checking 2 keys ...\n"

    def test_the_table_gets_a_column(self, command: Command, upstream: str) -> None:
        result = command("--check", probe="QuotaProbe()", ACME_API_KEY=GOOD, FREERIDE_ACME_BASE_URL=upstream)
        titles, line = result.stdout.splitlines()
        assert titles.split()[-1] == "CHECK"
        assert line.endswith("valid: 38 of 50 left")
        assert result.exit_code == 0

    def test_without_a_probe_the_catalog_tells_if_it_is_not_public(self, command: Command, upstream: str) -> None:
        result = command("--check", "--json", ACME_API_KEY=json.dumps([GOOD, BAD]), FREERIDE_ACME_BASE_URL=upstream)
        assert checks(result) == [("valid", ""), ("rejected", "")]

    def test_a_public_catalog_tells_nothing(self, command: Command, upstream: str) -> None:
        result = command("--check", "--json", ACME_API_KEY=BAD, FREERIDE_ACME_BASE_URL=f"{upstream}/public")
        assert checks(result) == [("unknown", "its model list is public")]

    def test_where_nothing_can_be_asked_nothing_is_known(self, command: Command, upstream: str) -> None:
        result = command("--check", "--json", catalog="None", ACME_API_KEY=GOOD, FREERIDE_ACME_BASE_URL=upstream)
        assert checks(result) == [("unknown", "the provider has nothing that can be asked for free")]

    def test_an_upstream_that_is_not_there_is_unknown(self, command: Command) -> None:
        result = command("--check", "--json", ACME_API_KEY=GOOD, FREERIDE_ACME_BASE_URL="http://127.0.0.1:1")
        assert (result.exit_code, checks(result)) == (0, [("unknown", "it cannot be reached")])

    def test_a_plugin_that_fails_is_unknown_and_the_others_are_asked(self, command: Command, upstream: str) -> None:
        result = command(
            "--check",
            "--json",
            probe="QuotaProbe()",
            ACME_API_KEY=json.dumps([ODD, GOOD]),
            FREERIDE_ACME_BASE_URL=upstream,
        )
        assert checks(result) == [("unknown", "the provider's plugin failed: TypeError"), ("valid", "38 of 50 left")]
