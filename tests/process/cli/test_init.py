"""`freeride init`, at a terminal as a user has one."""

from __future__ import annotations

import json
import re
import shlex
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fake_upstream import until
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import Simulator, SimulatorThread
from freeride_core.simulator.installed import installed_profile
from programs import clean_environ, run, write_script
from served_gateway import FREERIDE
from terminal import Terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals are played the POSIX way")

INIT = (*FREERIDE, "init")
MENU = r"Which one\? Number or name, Enter (?:to finish|for [\w ]+): "
PASTE = r"Paste (?:your|another) Groq key \(hidden, Enter to (?:skip|go on)\): "


@pytest.fixture(scope="module")
def played() -> Iterator[dict[str, str]]:
    """The variables under which three providers are played, keys and all."""
    plugins = load_plugins(("provider",))
    profiles = [installed_profile(plugins, name) for name in ("groq", "cloudflare", "openrouter")]
    with SimulatorThread(*(Simulator(profile) for profile in profiles)) as simulators:
        yield dict(simulators.env)


@pytest.fixture
def environ(played: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """A user's who has no key yet, and a screen without a browser."""
    addresses = {name: value for name, value in played.items() if name.endswith("_BASE_URL")}
    return clean_environ(tmp_path / "user", addresses | {"TERM": "dumb"})


@pytest.fixture
def env_file(environ: Mapping[str, str]) -> Path:
    path = Path(environ["FREERIDE_HOME"]) / ".env"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def own_addresses(environ: dict[str, str]) -> None:
    """Without the played ones, where any key may be right: whose a key is counts."""
    for name in [name for name in environ if name.endswith("_BASE_URL")]:
        del environ[name]


def test_the_menu_leads_to_a_key_that_is_checked_and_saved(
    environ: dict[str, str], played: Mapping[str, str], env_file: Path
) -> None:
    env_file.write_text("# mine\nFREERIDE_EVENTS=1  # so\n\nGROQ_API_KEY=\nLAST=1", encoding="utf-8")
    env_file.chmod(0o644)
    key = played["GROQ_API_KEY"]
    with Terminal(INIT, environ, 120) as terminal:
        terminal.expect(r"1 +Groq +- +e-mail +per model: 30 requests")
        terminal.expect("Enter for Groq: ")
        terminal.type("\n")
        terminal.expect(PASTE)
        about = load_plugins(("provider",)).providers["groq"].about
        for text in (about.free_day, about.keys_url, about.data_use, about.checked, "no card, no phone"):
            assert text in terminal.screen
        terminal.type("gsk_bad_bad_bad_bad_bad_bad\n")
        terminal.expect("doesn't look like a key of Groq .expected gsk_….*\n.*Use it anyway")
        terminal.type("y\n")
        terminal.expect("Groq rejected this key. Try again, or press Enter to skip")
        terminal.expect(PASTE)
        terminal.type("gsk_has a blank\n")
        terminal.expect("That contains a space. Paste only the key. It starts with gsk_…")
        terminal.expect(PASTE)
        terminal.type("gsk_your_key_here\n")
        terminal.expect("That is a placeholder, not a key")
        terminal.expect(PASTE)
        terminal.type(f'export GROQ_API_KEY="{key}"\n')
        terminal.expect("Groq accepts this key. Saved")
        terminal.expect(PASTE)
        terminal.type("\n")
        terminal.expect(r"1 +Groq +1 ")
        terminal.expect("Enter to finish: ")
        terminal.type("\n")
        assert terminal.wait() == 0
        assert "Saved: Groq.\nReady: Groq. Next: freeride serve\n" in terminal.screen
        for secret in (key, "gsk_bad", "has a blank"):
            assert secret not in terminal.screen
    assert env_file.read_text(encoding="utf-8") == f"# mine\nFREERIDE_EVENTS=1  # so\n\nGROQ_API_KEY={key}\nLAST=1"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    again = run([*FREERIDE, "keys", "--json"], environ)
    assert [row["provider"] for row in json.loads(again.stdout)] == ["groq"]


def test_an_account_is_asked_for_where_requests_need_one_and_the_new_file_is_private(
    environ: dict[str, str], played: Mapping[str, str], env_file: Path
) -> None:
    del environ["FREERIDE_CLOUDFLARE_BASE_URL"]
    with Terminal((*INIT, "--no-check", "cloudflare"), environ) as terminal:
        terminal.expect("Paste your Cloudflare[^:]*: ")
        terminal.type(f"{played['CLOUDFLARE_API_TOKEN']}\n")
        terminal.expect("The account id is the 32 hex digits")
        terminal.expect(r"CLOUDFLARE_ACCOUNT_ID \[needed\]: ")
        terminal.type("0123abcd\n")
        terminal.expect("Saved")
        terminal.expect("Paste another Cloudflare[^:]*: ")
        terminal.type("\n")
        assert terminal.wait() == 0
    assert (
        env_file.read_text(encoding="utf-8")
        == f"CLOUDFLARE_API_TOKEN={played['CLOUDFLARE_API_TOKEN']}\nCLOUDFLARE_ACCOUNT_ID=0123abcd\n"
    )
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600


@pytest.mark.usefixtures("own_addresses")
@pytest.mark.parametrize("answer", ["", "n"])
def test_another_provider_s_key_is_offered_to_that_one(
    environ: dict[str, str], played: Mapping[str, str], env_file: Path, answer: str
) -> None:
    environ["FREERIDE_OPENROUTER_BASE_URL"] = played["FREERIDE_OPENROUTER_BASE_URL"]
    with Terminal((*INIT, "groq"), environ) as terminal:
        terminal.expect(PASTE)
        terminal.type(f"{played['OPENROUTER_API_KEY']}\n")
        terminal.expect(r"That looks like a key of OpenRouter \(sk-or-v1-…\), not of Groq")
        terminal.expect(r"Save it for OpenRouter\? \[Y/n\] ")
        terminal.type(f"{answer}\n")
        terminal.expect("OpenRouter accepts this key" if not answer else "Not saved")
        terminal.expect(PASTE)
        terminal.type("\n")
        assert terminal.wait() == (1 if answer else 0)
        assert ("Nothing was saved." if answer else "Saved: OpenRouter.") in terminal.screen
    written = env_file.read_text(encoding="utf-8") if env_file.exists() else ""
    assert written == ("" if answer else f"OPENROUTER_API_KEY={played['OPENROUTER_API_KEY']}\n")


def test_a_second_key_is_added_and_a_key_can_be_replaced(environ: dict[str, str], env_file: Path) -> None:
    first, second, third = (f"gsk_{letter * 40}" for letter in "abc")
    env_file.write_text(f"GROQ_API_KEY={first}\n", encoding="utf-8")
    with Terminal((*INIT, "--no-check", "groq"), environ) as terminal:
        terminal.expect(r"Add another or replace it\? \[a/r, Enter to keep it\] ")
        terminal.type("a\n")
        for key, outcome in ((second, "Saved"), (second, "That key is saved already"), ("", "Saved: Groq")):
            terminal.expect(PASTE)
            terminal.type(f"{key}\n")
            terminal.expect(outcome)
        assert terminal.wait() == 0
    assert env_file.read_text(encoding="utf-8") == f"GROQ_API_KEY={first}\nGROQ_API_KEY_2={second}\n"
    env_file.write_text(f"GROQ_API_KEY={first}\n", encoding="utf-8")
    with Terminal((*INIT, "--no-check", "groq"), environ) as terminal:
        terminal.expect(r"Enter to keep it\] ")
        terminal.type("r\n")
        terminal.expect(PASTE)
        terminal.type(f"{third}\n")
        terminal.expect("Saved")
        terminal.expect(PASTE)
        terminal.type("\n")
        assert terminal.wait() == 0
    assert env_file.read_text(encoding="utf-8") == f"GROQ_API_KEY={third}\n"


@pytest.mark.parametrize(("typed", "code"), [("\x03", 130), ("\x04", 0)], ids=["ctrl-c", "ctrl-d"])
def test_however_it_ends_it_says_what_was_saved(
    environ: dict[str, str], played: Mapping[str, str], env_file: Path, typed: str, code: int
) -> None:
    with Terminal((*INIT, "groq", "gemini"), environ) as terminal:
        terminal.expect(PASTE)
        terminal.type(f"{played['GROQ_API_KEY']}\n")
        terminal.expect("accepts this key")
        terminal.expect(PASTE)
        terminal.type("\n")
        terminal.expect(r"Paste your Google Gemini[^:]*: ")
        terminal.type(typed)
        assert terminal.wait() == code
        assert "\nSaved: Groq.\n" in terminal.screen
        assert "Traceback" not in terminal.screen
    assert env_file.read_text(encoding="utf-8") == f"GROQ_API_KEY={played['GROQ_API_KEY']}\n"


def test_run_again_it_keeps_what_is_there_and_leaves_alone_what_the_environment_says(
    environ: dict[str, str], played: Mapping[str, str], env_file: Path
) -> None:
    text = f'GROQ_API_KEY=\'["{played["GROQ_API_KEY"]}", "gsk_second"]\'\n'
    env_file.write_text(text, encoding="utf-8")
    with Terminal(INIT, environ | {"OPENROUTER_API_KEY": "sk-or-v1-x"}) as terminal:
        terminal.expect(MENU)
        terminal.type("openrouter 1 9\n")
        terminal.expect("there is no provider '9'")
        terminal.expect("OPENROUTER_API_KEY is set in your environment")
        terminal.expect("Groq has 2 keys")
        terminal.expect(r"Add another\? \[y/N\] ")
        terminal.type("\n")
        terminal.expect(MENU)
        terminal.type("\n")
        assert terminal.wait() == 0
        assert (
            "Nothing was saved.\nReady: OpenRouter, Groq." in terminal.screen
            or "Ready: Groq, OpenRouter." in terminal.screen
        )
    assert env_file.read_text(encoding="utf-8") == text


def test_it_opens_the_page_where_keys_are_made_if_the_user_agrees(environ: dict[str, str], tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    write_script(browser, f"import pathlib, sys\npathlib.Path({str(opened)!r}).write_text(sys.argv[1])\n")
    for answer, is_opened in (("n", False), ("", True)):
        with Terminal((*INIT, "groq"), environ | {"BROWSER": f"{shlex.quote(str(browser))} %s"}) as terminal:
            terminal.expect(r"Open https://console.groq.com/keys in your browser\? \[Y/n\] ")
            terminal.type(f"{answer}\n")
            terminal.expect(PASTE)
            terminal.type("\n")
            terminal.wait()
        assert opened.exists() <= is_opened
    until(lambda: opened.exists() and opened.read_text() == "https://console.groq.com/keys")
    with Terminal(
        (*INIT, "groq"), environ | {"BROWSER": f"{shlex.quote(str(browser))} %s", "SSH_CONNECTION": "x"}
    ) as terminal:
        terminal.expect(PASTE)
        assert "in your browser" not in terminal.screen


def test_an_unknown_name_brings_the_nearest_one(environ: dict[str, str]) -> None:
    ended = run((*INIT, "grok"), environ)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.search(r"there is no provider 'grok'; did you mean groq\? installed: .*\bopenrouter\b", ended.stderr)


def test_without_a_terminal_it_says_what_to_do_or_shows_what_it_would_ask(environ: dict[str, str]) -> None:
    ended = run(INIT, environ)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "needs a terminal" in ended.stderr
    shown = run([*INIT, "--json"], environ | {"GROQ_API_KEY": "gsk_mine_mine_mine"})
    rows = {row["name"]: row for row in json.loads(shown.stdout)}
    assert list(rows) == ["groq", "openrouter", "gemini", "cloudflare", "nvidia", "huggingface", "ollama"]
    assert rows["groq"]["variable"] == "GROQ_API_KEY"
    assert (rows["groq"]["keys"], rows["cloudflare"]["keys"]) == (1, 0)
    assert rows["nvidia"]["needs_phone"]
    assert not rows["groq"]["needs_card"]
    assert rows["cloudflare"]["account_variable"] == "CLOUDFLARE_ACCOUNT_ID"
    assert "gsk_mine" not in shown.stdout
