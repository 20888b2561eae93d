"""What answers at the gateway's address: the token and the agent go to this home's gateway only."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_upstream import FakeUpstream, GatewayStage, reply
from freeride_core.cli.gateway_client import GatewayClient, Listener
from freeride_core.settings.identity import is_challenge, is_proof, make_secret, new_challenge, prove, read_secret
from freeride_core.settings.resolver import load_settings
from programs import clean_environ, run, serving, write_script
from served_gateway import FREERIDE

TOKEN = "a-token-of-16-letters"
HEALTHY = {"ok": True, "version": "0.5.0", "providers": ["openrouter"], "proof": "0" * 64}
SECRET = bytes(range(32))


def listener_at(root: str, home: Path) -> tuple[Listener, bool]:
    """What a command finds there, and whether it would use it."""
    with GatewayClient(root, load_settings({"FREERIDE_HOME": str(home), "FREERIDE_TOKEN": TOKEN})) as client:
        return client.listener, client.is_usable


# The secret and the proof


@given(st.text(alphabet="0123456789abcdef", min_size=32, max_size=32), st.integers(1, 65535))
def test_a_proof_is_good_for_its_challenge_and_address_alone(challenge: str, port: int) -> None:
    proof = prove(SECRET, challenge, "127.0.0.1", port)
    assert is_proof(proof, SECRET, challenge, "127.0.0.1", port)
    assert is_proof(proof, SECRET, challenge, "::ffff:127.0.0.1", port)
    assert not is_proof(proof, SECRET, challenge, "127.0.0.1", port + 1)
    assert not is_proof(proof, SECRET, challenge, "127.0.0.2", port)
    assert not is_proof(proof, SECRET, new_challenge(), "127.0.0.1", port)
    assert not is_proof(proof, SECRET[::-1], challenge, "127.0.0.1", port)


@given(st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text()), st.binary()))
def test_nothing_else_is_a_proof(proof: object) -> None:
    assert not is_proof(proof, SECRET, new_challenge(), "127.0.0.1", 1)


@pytest.mark.parametrize(
    "text", ["", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "0" * 32 + "\n", "0 127.0.0.1 9" + "0" * 19]
)
def test_a_gateway_signs_nothing_but_challenges(text: str) -> None:
    assert not is_challenge(text)
    assert is_challenge(new_challenge())


def test_a_home_keeps_one_secret_however_many_make_it_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: make_secret(tmp_path), range(32)))
    assert made == {read_secret(tmp_path)}
    assert [path.name for path in tmp_path.iterdir()] == ["gateway.secret"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_a_secret_that_others_could_have_read_is_replaced(tmp_path: Path) -> None:
    first = make_secret(tmp_path)
    path = tmp_path / "gateway.secret"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    assert read_secret(tmp_path) is None
    assert make_secret(tmp_path) not in (first, None)
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    path.symlink_to("/dev/zero")
    assert read_secret(tmp_path) is None
    assert make_secret(tmp_path) is not None
    assert not path.is_symlink()


def test_a_home_that_cannot_be_written_has_no_secret(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file", "utf-8")
    assert make_secret(tmp_path / "home") is None


# What answers


def test_the_gateway_of_this_home_proves_it_and_another_home_s_does_not(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, token=TOKEN) as stage:
        assert listener_at(stage.url, stage.bench.home) == (Listener.OWN_GATEWAY, True)
        other = tmp_path / "other"
        other.mkdir(mode=0o700)
        make_secret(other)
        assert listener_at(stage.url, other) == (Listener.STRANGER, False)


def test_a_gateway_with_another_token_is_known_and_not_used(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, token="another-token-altogether") as stage:
        assert listener_at(stage.url, stage.bench.home) == (Listener.OWN_GATEWAY, False)


def test_without_the_token_a_challenge_is_answered_and_nothing_else_told(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, token=TOKEN) as stage:
        answer = httpx.get(f"{stage.url}/health?challenge={new_challenge()}", trust_env=False)
        assert set(answer.json()) == {"ok", "proof"}
        for query in ("challenge=x", f"challenge={new_challenge()}&challenge={new_challenge()}", "challenge="):
            assert httpx.get(f"{stage.url}/health?{query}", trust_env=False).json() == {"ok": True}


def test_a_listener_that_passes_the_challenge_on_gains_nothing(tmp_path: Path) -> None:
    """It asks the real gateway, and gives back what that says."""
    with GatewayStage(tmp_path, token=TOKEN) as stage:

        def pass_on(seen: object) -> object:
            answer = httpx.get(stage.url + seen.path, trust_env=False)  # type: ignore[attr-defined]
            assert "proof" in answer.json()
            return reply(200, answer.json())

        with FakeUpstream(pass_on) as relay:  # type: ignore[arg-type]
            assert listener_at(f"http://127.0.0.1:{relay.port}", stage.bench.home) == (Listener.STRANGER, False)
            assert relay.seen
            assert not any("authorization" in seen.headers for seen in relay.seen)


def test_a_listener_that_takes_the_port_after_the_proof_does_not_get_the_token(tmp_path: Path) -> None:
    make_secret(tmp_path)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            for number in range(2):
                connection, _ = server.accept()
                with connection:
                    heard.append(request := connection.recv(65536))
                    if not request:
                        continue
                    [challenge] = parse_qs(urlsplit(request.split()[1].decode()).query).get("challenge", [""])
                    proof = prove(read_secret(tmp_path) or b"", challenge, "127.0.0.1", port) if number == 0 else ""
                    body = json.dumps({"ok": True, "proof": proof}).encode()
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
                    )

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert listener_at(f"http://127.0.0.1:{port}", tmp_path) == (Listener.OWN_GATEWAY, False)
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()  # lets the thread end
        thread.join(10)
    assert not any(b"authorization" in request.lower() for request in heard)
    assert heard[0]


@pytest.mark.parametrize(
    "answer",
    [HEALTHY, {"ok": True}, {"ok": True, "proof": None}, {"ok": True, "proof": ["0" * 64]}, [], "ok", None],
    ids=json.dumps,
)
def test_whatever_else_a_listener_says_proves_nothing(answer: object, tmp_path: Path) -> None:
    make_secret(tmp_path)
    with FakeUpstream(lambda _: reply(200, answer)) as other:
        assert listener_at(f"http://127.0.0.1:{other.port}", tmp_path) == (Listener.STRANGER, False)
        assert not any("authorization" in seen.headers for seen in other.seen)


def test_nothing_answers_where_nothing_listens(tmp_path: Path) -> None:
    assert listener_at("http://127.0.0.1:9", tmp_path) == (Listener.NOTHING, False)


# The commands


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A user's, with an agent and a token, whose gateway has run before."""
    programs = tmp_path / "bin"
    programs.mkdir()
    write_script(programs / "aider", "print('the agent was started')\n")
    environ = clean_environ(tmp_path / "user", {"FREERIDE_TOKEN": TOKEN, "GROQ_API_KEY": f"gsk_{'0' * 40}"})
    environ["PATH"] = os.pathsep.join((str(programs), environ.get("PATH", "")))
    home = Path(environ["FREERIDE_HOME"])
    home.mkdir(mode=0o700)
    make_secret(home)
    return environ


@pytest.fixture
def stranger() -> Iterator[FakeUpstream]:
    """Another user's program at the gateway's address, which says what a gateway says."""
    with FakeUpstream(
        lambda seen: reply(200, HEALTHY if seen.path.startswith("/health") else {"data": []})
    ) as stranger:
        yield stranger


COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "run": lambda url: ["run", "--url", url, "aider"],
    "bind": lambda url: ["bind", "aider", "--url", url],
    "dry-run": lambda url: ["bind", "aider", "--url", url, "--dry-run"],
    "doctor": lambda url: ["doctor", "--url", url],
}


@pytest.mark.skipif(sys.platform == "win32", reason="the agent is a script")
@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_gives_a_stranger_the_token_or_the_agent(
    name: str, environ: dict[str, str], stranger: FakeUpstream
) -> None:
    url = f"http://127.0.0.1:{stranger.port}"
    ended = run([*FREERIDE, *COMMANDS[name](url)], environ)
    assert "is not the gateway of" in ended.stdout + ended.stderr
    assert ended.returncode == (0 if name == "dry-run" else 1)
    assert stranger.seen
    assert not [seen for seen in stranger.seen if TOKEN in str(seen.headers)]
    assert "the agent was started" not in ended.stdout
    assert not (Path(environ["HOME"]) / ".aider.conf.yml").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the agent is a script")
def test_the_own_gateway_gets_both(environ: dict[str, str]) -> None:
    with serving(FREERIDE, environ) as url:
        for name, make in COMMANDS.items():
            ended = run([*FREERIDE, *make(url)], environ)
            assert "is not the gateway of" not in ended.stdout + ended.stderr
            assert (ended.returncode == 0) or name == "doctor", ended.stderr
            assert ("the agent was started" in ended.stdout) is (name == "run")
            assert (f"your gateway answers at {url}" in ended.stdout) is (name == "doctor")
    assert TOKEN in (Path(environ["HOME"]) / ".aider.conf.yml").read_text("utf-8")
