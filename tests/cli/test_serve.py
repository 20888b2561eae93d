"""What `freeride serve` prints, and where it and other commands look for the gateway."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest
import typer

from fake_upstream import key_of, plugins, provider
from freeride_core.cli import serve
from freeride_core.cli.url_option import gateway_root
from freeride_core.gateway.walk.enabled import enabled_providers
from freeride_core.settings.resolver import SettingsError, load_settings


@pytest.fixture
def enabled(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ALPHA_API_KEY", key_of("alpha"))
    return enabled_providers(load_settings(), plugins(provider("alpha")).providers)


@pytest.mark.parametrize(
    ("url", "has_token", "base", "key"),
    [
        ("http://127.0.0.1:11343", False, "http://127.0.0.1:11343", "any"),
        ("http://[::1]:11343", False, "http://[::1]:11343", "any"),
        ("http://127.0.0.1:11343", True, "http://127.0.0.1:11343", "(the value of FREERIDE_TOKEN)"),
        ("http://0.0.0.0:11343", True, "http://10.1.2.3:11343", "(the value of FREERIDE_TOKEN)"),
        ("http://[::]:11343", True, "http://[fd00::7]:11343", "(the value of FREERIDE_TOKEN)"),
        ("http://192.168.1.5:80", True, "http://192.168.1.5:80", "(the value of FREERIDE_TOKEN)"),
    ],
)
def test_the_banner_names_variables_that_work(
    monkeypatch: pytest.MonkeyPatch, enabled: Any, url: str, has_token: bool, base: str, key: str
) -> None:
    found = {socket.AF_INET: "10.1.2.3", socket.AF_INET6: "fd00::7"}
    monkeypatch.setattr(serve, "network_address", found.__getitem__)
    shown = serve.banner(enabled, url, has_token=has_token)
    assert f"freeride gateway listening on {url}\n" in shown
    assert dict(re.findall(r"^    (\w+)=(.*)$", shown, re.MULTILINE)) == {
        "OPENAI_BASE_URL": f"{base}/v1",
        "OPENAI_API_BASE": f"{base}/v1",
        "OPENAI_API_KEY": key,
    }


def test_without_a_network_the_address_is_that_of_loopback(escapes: list[str]) -> None:
    assert serve.network_address(socket.AF_INET) == "127.0.0.1"
    assert escapes == ["192.0.2.1"]  # asked for the way there, and stopped by the guard of the tests


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({}, "http://127.0.0.1:11343"),
        ({"FREERIDE_PORT": "8080"}, "http://127.0.0.1:8080"),
        ({"FREERIDE_HOST": "0.0.0.0", "FREERIDE_PORT": "1"}, "http://127.0.0.1:1"),
        ({"FREERIDE_HOST": "::"}, "http://[::1]:11343"),
        ({"FREERIDE_HOST": "", "FREERIDE_PORT": ""}, "http://127.0.0.1:11343"),
        ({"FREERIDE_HOST": "::1"}, "http://[::1]:11343"),
        ({"FREERIDE_HOST": "mybox.lan"}, "http://mybox.lan:11343"),
    ],
)
def test_commands_look_for_the_gateway_where_it_listens(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], root: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert gateway_root(None) == root
    assert gateway_root("http://elsewhere:7/v1/") == "http://elsewhere:7"


@pytest.mark.parametrize("port", ["-1", "65536", "http", "1e3", "123456"])
def test_a_port_that_is_none_is_a_setting_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("FREERIDE_PORT", port)
    with pytest.raises(SettingsError, match="FREERIDE_PORT is not a port: write a number from 1 to 65535"):
        gateway_root(None)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:11343", "ftp://x", "http://", "http://x:0", "http://u@x", "http://x/?a"]
)
def test_an_address_that_is_none_is_a_usage_error(url: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected scheme, host and port"):
        gateway_root(url)
