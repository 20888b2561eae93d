"""One resolver: flag, OS environment, `.env`, `config.toml`, default."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from freeride_core import Provider
from freeride_core.settings.advice import check_settings
from freeride_core.settings.resolver import Settings, SettingsError, SettingsWatch, load_settings


def provider(name: str = "acme", **members: Any) -> Provider:
    return cast(
        "Provider", SimpleNamespace(**{"name": name, "free_models_variables": (), "credentials": (), **members})
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def load(home: Path, flags: Any = None, **environ: str) -> Settings:
    return load_settings({"FREERIDE_HOME": str(home), **environ}, **(flags or {}))


def test_without_anything_the_defaults_hold(home: Path) -> None:
    settings = load(home)
    assert settings.home == home
    assert settings.providers is None
    assert (settings.connect_timeout, settings.first_byte_timeout, settings.answer_timeout) == (5, None, 300)
    assert (settings.idle_timeout, settings.total_timeout, settings.max_body) == (120, 300, 32 * 1024 * 1024)
    assert (settings.max_buffered, settings.max_connections) == (256 * 1024 * 1024, 2048)
    assert (settings.token, settings.allowed_hosts, settings.allowed_origins) == (None, frozenset(), frozenset())
    assert settings.stamp_body
    assert settings.events
    assert settings.events_path == home / "events.jsonl"
    assert settings.telemetry
    assert settings.telemetry_endpoint == "https://telemetry.free-ride.xyz/v1/beacon"


def test_each_source_gives_way_to_the_one_above_it(home: Path) -> None:
    (home / "config.toml").write_text("connect_timeout = 1\nidle_timeout = 1\ntotal_timeout = 1\nanswer_timeout = 1\n")
    (home / ".env").write_text("FREERIDE_IDLE_TIMEOUT=2\nFREERIDE_TOTAL_TIMEOUT=2\nFREERIDE_ANSWER_TIMEOUT=2\n")
    environ = {"FREERIDE_TOTAL_TIMEOUT": "3", "FREERIDE_ANSWER_TIMEOUT": "3"}
    settings = load(home, {"answer_timeout": 4, "connect_timeout": None}, **environ)
    assert settings.connect_timeout == 1
    assert settings.idle_timeout == 2
    assert settings.total_timeout == 3
    assert settings.answer_timeout == 4


def test_an_empty_value_hides_what_is_below_and_means_the_default(home: Path) -> None:
    (home / ".env").write_text("FREERIDE_CONNECT_TIMEOUT=9\nACME_API_KEY=below\n")
    settings = load(home, FREERIDE_CONNECT_TIMEOUT="", ACME_API_KEY="")
    assert settings.connect_timeout == 5
    assert settings.environ["ACME_API_KEY"] == ""


def test_nothing_is_exported_into_the_process(home: Path) -> None:
    (home / ".env").write_text("ACME_SECRET=x\n")
    (home / "config.toml").write_text('[keys]\nACME_API_KEY = "y"\n')
    before = dict(os.environ)
    assert load(home).environ["ACME_SECRET"] == "x"
    assert dict(os.environ) == before


def test_dotenv_is_read_as_people_write_it(home: Path) -> None:
    text = '\ufeff# keys\r\nexport A=plain # comment\r\nB=\'single $HOME\'\r\nC="double"\r\nD=${A}\r\nE=["k1","k2"]\r\nF\r\n'
    (home / ".env").write_bytes(text.encode())
    environ = load(home).environ
    assert {name: environ.get(name) for name in "ABCDEF"} == {
        "A": "plain", "B": "single $HOME", "C": "double", "D": "${A}", "E": '["k1","k2"]', "F": None,
    }  # fmt: skip


def test_config_toml_has_short_names_full_names_and_keys(home: Path) -> None:
    (home / "config.toml").write_text(
        'providers = ["Acme", "other"]\nstamp_body = false\nmax_body = 1024\nacme_base_url = "http://127.0.0.1:1/v1/"\n'
        'OLD_FREE_MODELS = "a, b"\n[keys]\nACME_API_KEY = ["k1", "k2"]\nOTHER_API_KEY = "k3"\n'
    )
    settings = load(home)
    assert settings.providers == ("acme", "other")
    assert not settings.stamp_body
    assert settings.max_body == 1024
    assert settings.base_url(provider()) == "http://127.0.0.1:1/v1"
    assert settings.free_models(provider(free_models_variables=("OLD_FREE_MODELS",))) == frozenset({"a", "b"})
    assert settings.environ["ACME_API_KEY"] == '["k1", "k2"]'
    assert settings.environ["OTHER_API_KEY"] == "k3"


@pytest.mark.parametrize(("value", "seconds"), [("", None), ("auto", None), (" AUTO ", None), ("0", 0), ("2.5", 2.5)])
def test_a_hedge_is_automatic_or_after_so_many_seconds(home: Path, value: str, seconds: float | None) -> None:
    assert load(home, FREERIDE_HEDGE=value).hedge == seconds


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FREERIDE_CONNECT_TIMEOUT", "soon"),
        ("FREERIDE_CONNECT_TIMEOUT", "0"),
        ("FREERIDE_FIRST_BYTE_TIMEOUT", "nan"),
        ("FREERIDE_IDLE_TIMEOUT", "-1"),
        ("FREERIDE_TOTAL_TIMEOUT", "inf"),
        ("FREERIDE_HEDGE", "soon"),
        ("FREERIDE_HEDGE", "-1"),
        ("FREERIDE_HEDGE", "inf"),
        ("FREERIDE_MAX_BODY", "32 MiB"),
        ("FREERIDE_MAX_BODY", "0"),
        ("FREERIDE_MAX_BODY", "9" * 5000),
        ("FREERIDE_MAX_BUFFERED", "plenty"),
        ("FREERIDE_MAX_CONNECTIONS", "0"),
        ("FREERIDE_MAX_CONNECTIONS", "-1"),
        ("FREERIDE_MAX_CONNECTIONS", "2.5"),
        ("FREERIDE_STAMP_BODY", "maybe"),
        ("FREERIDE_TELEMETRY", "never"),
        ("FREERIDE_TOKEN", "two words"),
        ("FREERIDE_TOKEN", "schlüssel"),
        ("FREERIDE_ACME_BASE_URL", "acme.example/v1"),
        ("FREERIDE_ACME_BASE_URL", "ftp://acme.example"),
        ("FREERIDE_ACME_BASE_URL", "https://user:word@acme.example"),
        ("FREERIDE_ACME_BASE_URL", "https://acme.example/v1?x=1"),
        ("FREERIDE_ACME_BASE_URL", "https://[::1"),
        ("FREERIDE_ACME_BASE_URL", "https://acme.example:99999"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_and_not_shown(home: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(home, **{name: value})
    text = str(caught.value)
    assert caught.value.name == name
    assert text.startswith(f"{name} is not a")
    assert "\n" not in text
    assert len(value) < 4 or value not in text


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.toml", b"connect_timeout = \n"),
        ("config.toml", b"[keys]\nx = {a = 1}\n"),
        ("config.toml", b"[providers]\nx = 1\n"),
        ("config.toml", b"keys = 3\n"),
        ("config.toml", b"providers = [1, 2]\n"),
        (".env", b"A=\xff\xfe\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(home: Path, file: str, content: bytes) -> None:
    (home / file).write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load(home)
    assert caught.value.name.startswith(str(home / file))


@pytest.mark.parametrize("word", ["0", "off", "False", "NO"])
def test_switches_understand_the_usual_words(home: Path, word: str) -> None:
    assert not load(home, FREERIDE_EVENTS=word).events
    assert load(home, FREERIDE_EVENTS={"0": "1", "off": "on", "False": "True", "NO": "YES"}[word]).events


@pytest.mark.parametrize(
    ("environ", "is_on"),
    [
        ({"FREERIDE_TELEMETRY": "off"}, False),
        ({"DO_NOT_TRACK": "1"}, False),
        ({"CI": "true"}, False),
        ({"FREERIDE_TELEMETRY": "on", "CI": "true"}, False),
        ({"CI": "", "DO_NOT_TRACK": "0"}, True),
    ],
)
def test_telemetry_respects_every_way_of_saying_no(home: Path, environ: dict[str, str], is_on: bool) -> None:
    assert load(home, **environ).telemetry is is_on


def test_lists_are_split_and_folded(home: Path) -> None:
    settings = load(
        home,
        FREERIDE_PROVIDERS="b, a,,B ",
        FREERIDE_ALLOWED_HOSTS="Box.local, 10.0.0.1",
        FREERIDE_ALLOWED_ORIGINS="https://App.example/",
    )
    assert settings.providers == ("b", "a")
    assert settings.allowed_hosts == {"box.local", "10.0.0.1"}
    assert settings.allowed_origins == {"https://app.example"}


@pytest.mark.parametrize("quote", ['"', "'", ' "'])
def test_quotes_around_a_setting_are_cut_off(home: Path, quote: str) -> None:
    """`docker run --env-file` and compose lists leave them there."""

    def quoted(text: str) -> str:
        return quote + text + quote.strip()

    settings = load_settings(
        {
            "FREERIDE_HOME": quoted(str(home)),
            "FREERIDE_TOKEN": quoted("hand-made-token-1234567890"),
            "FREERIDE_PROVIDERS": quoted("groq,nvidia"),
            "FREERIDE_IDLE_TIMEOUT": quoted("7"),
            "FREERIDE_STAMP_BODY": quoted("0"),
            "FREERIDE_ACME_BASE_URL": quoted("http://127.0.0.1:1/v1/"),
            "FREERIDE_ACME_FREE_MODELS": quoted("a, b"),
            "FREERIDE_ALLOWED_HOSTS": f"{quoted('box.lan')}, other.lan",
        }
    )
    assert (settings.home, settings.token) == (home, "hand-made-token-1234567890")
    assert (settings.providers, settings.idle_timeout, settings.stamp_body) == (("groq", "nvidia"), 7, False)
    assert settings.base_url(provider()) == "http://127.0.0.1:1/v1"
    assert settings.free_models(provider()) == frozenset({"a", "b"})
    assert settings.allowed_hosts == {"box.lan", "other.lan"}


def test_the_own_list_of_free_models_comes_before_historic_ones(home: Path) -> None:
    historic = provider(free_models_variables=("ACME_OVERRIDE", "ACME_OLDER"))
    assert load(home).free_models(historic) is None
    assert load(home, ACME_OLDER="x", FREERIDE_ACME_FREE_MODELS="").free_models(historic) == frozenset({"x"})
    environ = {"FREERIDE_ACME_FREE_MODELS": "m/1, m/2", "ACME_OVERRIDE": "x"}
    assert load(home, **environ).free_models(historic) == frozenset({"m/1", "m/2"})


def test_the_home_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    load(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_the_default_home_is_closed_and_an_explicit_one_left_as_it_is(tmp_path: Path) -> None:
    default = Path.home() / ".freeride"
    for folder in (default, tmp_path / "shared"):
        folder.mkdir()
        folder.chmod(0o755)
    assert load_settings({}).home == default
    assert stat.S_IMODE(default.stat().st_mode) == 0o700
    load(tmp_path / "shared")
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o755


def test_a_home_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="FREERIDE_HOME is not a folder"):
        load(tmp_path / "file")


def test_secrets_are_not_in_the_repr(home: Path) -> None:
    text = repr(load(home, FREERIDE_TOKEN="token-that-hides", ACME_API_KEY="key-that-hides"))
    assert "that-hides" not in text


def test_what_is_probably_a_mistake_is_told(home: Path) -> None:
    installed = {"acme": provider("acme"), "local": provider("local")}
    settings = load(
        home,
        FREERIDE_PROVIDERS="acme,acne",
        FREERIDE_ACME_BASE_URL="http://acme.example/v1",
        FREERIDE_LOCAL_BASE_URL="http://127.0.0.2:8000",
    )
    unknown, unencrypted = check_settings(settings, installed)
    assert "'acne', which is not installed; did you mean acme? installed:" in unknown
    assert "acme, local" in unknown
    assert unencrypted.startswith("FREERIDE_ACME_BASE_URL is http")
    (never,) = check_settings(load(home, FREERIDE_MAX_BUFFERED="1000"), {})
    assert never.startswith("FREERIDE_MAX_BUFFERED is below FREERIDE_MAX_BODY")


class TestWatch:
    def test_a_change_is_told_once(self, home: Path) -> None:
        watch = SettingsWatch(load(home))
        assert watch.changed() is None
        (home / ".env").write_text("FREERIDE_IDLE_TIMEOUT=7\n")
        changed = watch.changed()
        assert changed is not None
        assert changed.idle_timeout == 7
        assert watch.changed() is None

    def test_a_removed_key_disappears(self, home: Path) -> None:
        (home / ".env").write_text("ACME_API_KEY=one\nACME_API_KEY_2=two\n")
        watch = SettingsWatch(load(home))
        (home / ".env").write_text("ACME_API_KEY=one\n")
        changed = watch.changed()
        assert changed is not None
        assert "ACME_API_KEY_2" not in changed.environ
        (home / ".env").unlink()
        changed = watch.changed()
        assert changed is not None
        assert "ACME_API_KEY" not in changed.environ

    def test_flags_and_the_environment_stay_above(self, home: Path) -> None:
        watch = SettingsWatch(load(home, {"idle_timeout": 1}, ACME_API_KEY="from outside"))
        (home / ".env").write_text("FREERIDE_IDLE_TIMEOUT=7\nACME_API_KEY=from the file\n")
        changed = watch.changed()
        assert changed is not None
        assert changed.idle_timeout == 1
        assert changed.environ["ACME_API_KEY"] == "from outside"

    def test_a_change_between_loading_and_watching_is_seen(self, home: Path) -> None:
        settings = load(home)
        (home / "config.toml").write_text("idle_timeout = 7\n")
        changed = SettingsWatch(settings).changed()
        assert changed is not None
        assert changed.idle_timeout == 7

    def test_a_change_that_cannot_be_used_is_an_error_once(self, home: Path) -> None:
        watch = SettingsWatch(load(home))
        (home / "config.toml").write_text("idle_timeout = 'soon'\n")
        with pytest.raises(SettingsError):
            watch.changed()
        assert watch.changed() is None
        (home / "config.toml").write_text("idle_timeout = 8\n")
        changed = watch.changed()
        assert changed is not None
        assert changed.idle_timeout == 8
