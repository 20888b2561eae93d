"""`freeride serve` talks while it runs, knows what uses its port, and `freeride stop` ends it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_upstream import FakeUpstream, ReceivedRequest, Script, good, refusal
from programs import Program, clean_environ, post, run
from served_gateway import FREERIDE

PROMPT = "a most secret prompt"
ASK = {"model": "auto", "messages": [{"role": "user", "content": PROMPT}]}


def answer(seen: ReceivedRequest) -> Script:
    """Takes each key but one."""
    return refusal(401, "no such key") if seen.key.endswith("bad") else good(seen)


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    with FakeUpstream(answer) as upstream:
        own = {"FREERIDE_GROQ_BASE_URL": upstream.url, "GROQ_API_KEY": "gsk_000000000000000000000000"}
        yield clean_environ(tmp_path, own)


def serve(environ: dict[str, str], *options: str) -> Program:
    return Program([*FREERIDE, "serve", "--port", "0", *options], environ)


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


def test_stop_ends_the_gateway_that_listens_and_no_other(environ: dict[str, str]) -> None:
    nothing = run([*FREERIDE, "stop"], environ)
    assert (nothing.returncode, nothing.stderr) == (1, "freeride: No gateway of this home is running.\n")
    with serve(environ) as one, serve(environ) as other:
        urls = [each.wait_for(r"listening on (http://\S+)$") for each in (one, other)]
        missed = run([*FREERIDE, "stop"], environ | {"FREERIDE_PORT": "9"})
        assert missed.returncode == 1
        assert all(url in missed.stderr for url in urls)
        stopped = run([*FREERIDE, "stop", "--url", urls[0]], environ)
        assert (stopped.returncode, stopped.stdout) == (0, f"Stopped the gateway at {urls[0]} (pid {one.pid}).\n")
        status = json.loads(run([*FREERIDE, "status", "--json", "--url", urls[1]], environ).stdout)
        assert (status["gateway"]["running"], status["gateway"]["pid"]) == (True, other.pid)
        assert run([*FREERIDE, "stop", "--all"], environ).returncode == 0
    assert "Traceback" not in one.output + other.output
    home = Path(environ["FREERIDE_HOME"])
    assert not list(home.glob("gateway-*"))


def test_a_port_that_a_gateway_of_this_home_uses_is_told_with_the_way_to_stop_it(environ: dict[str, str]) -> None:
    with serve(environ) as gateway:
        url = gateway.wait_for(r"listening on (http://\S+)$")
        refused = run([*FREERIDE, "serve", "--port", port_of(url)], environ)
        assert refused.returncode == 1
        assert f"FreeRide is already running at {url} (pid {gateway.pid}, since " in refused.stderr
        assert f"Stop it with: freeride stop --url {url}" in refused.stderr
        own = run([*FREERIDE, "serve"], environ | {"FREERIDE_PORT": port_of(url)})
        assert own.stderr.endswith("Stop it with: freeride stop\n")
        foreign = run(
            [*FREERIDE, "serve", "--port", port_of(url)], environ | {"FREERIDE_HOME": f"{environ['HOME']}/other"}
        )
        assert "is used by a FreeRide gateway of another home" in foreign.stderr
        for command in (["demo"], ["simulate", "groq"]):
            other = run([*FREERIDE, *command, "--port", port_of(url)], environ)
            hint = f"Stop it, or use --port {int(port_of(url)) + 1}.\n"
            assert other.stderr.endswith(f"Port {port_of(url)} is used by a FreeRide gateway. {hint}")


def test_a_port_that_another_program_uses_is_told_with_another_port(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.settimeout(0.1)
        port = taken.getsockname()[1]
        refused = run([*FREERIDE, "serve", "--port", str(port)], environ)
    assert refused.returncode == 1
    assert (
        f"Port {port} is used by another program. Stop it, or run freeride serve --port {port + 1}." in refused.stderr
    )


def test_a_rejected_key_is_told_before_any_request(environ: dict[str, str]) -> None:
    with serve(environ | {"GROQ_API_KEY_2": "gsk_000000000000000000000bad"}) as gateway:
        gateway.wait_for(r"groq: (GROQ_API_KEY_2) was rejected\. It is tried again at \d\d:\d\d:\d\d\.$")
    assert "gsk_" not in gateway.output


def test_verbose_tells_each_request_and_nothing_of_its_prompt(environ: dict[str, str]) -> None:
    with serve(environ, "--verbose") as gateway:
        url = gateway.wait_for(r"listening on (http://\S+)$")
        assert post(f"{url}/v1/chat/completions", ASK).status_code == 200
        line = gateway.wait_for(r"(req_\w+  auto -> groq .*)$")
        assert "3 tokens in, 4 out" in line
        # The double's list is empty, so it is not known whether it has that model.
        assert post(f"{url}/v1/chat/completions", ASK | {"model": "unknown/one"}).status_code == 503
        assert "failed: catalog_unavailable" in gateway.wait_for(r"(req_\w+  unknown/one -> .*)$")
    assert PROMPT not in gateway.output


def test_without_verbose_a_request_is_not_told(environ: dict[str, str]) -> None:
    with serve(environ) as gateway:
        url = gateway.wait_for(r"listening on (http://\S+)$")
        assert post(f"{url}/v1/chat/completions", ASK).status_code == 200
    assert "req_" not in gateway.output
