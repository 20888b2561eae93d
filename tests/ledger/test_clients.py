"""The last request of each client is remembered by the name that it gives itself, and found by its binder's."""

from __future__ import annotations

from typing import Any

import pytest

from freeride_core.events.records import RequestStart
from freeride_core.gateway.client_name import client_name
from freeride_core.ledger.clients import SECTION, ClientLedger, Visit, is_named
from freeride_core.ledger.store.store import Entry


def request(client: str, at: float, model: str = "auto") -> RequestStart:
    return RequestStart(at, "r", model, stream=True, operation="chat", client=client)


def ledger(entries: list[Entry] | None = None) -> ClientLedger:
    return ClientLedger((entries if entries is not None else []).append)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (
            b"opencode/1.18.33 ai-sdk/provider-utils/4.0.23 runtime/bun/1.3.14",
            "opencode/1.18.33 ai-sdk/provider-utils/4.0.23 runtime/bun/1.3.14",
        ),
        (b"QwenCode/0.24.4 (linux; x64)", "QwenCode/0.24.4"),
        (b"OpenAI/JS 6.26.0", "OpenAI/JS"),
        (b"Mozilla/5.0 (X11; a (nested) one) Zed/1.2", "Mozilla/5.0 Zed/1.2"),
        (b"acme please write me a poem about (private) things", "acme"),
        (b"write/me a/poem about/my bank/account number/7", "write/me a/poem about/my bank/account"),
        (b"acme/1\xff\x1b[2J node/24", "node/24"),
        (b"", ""),
        (b"7 (x", ""),
        (b"a" * 41, ""),
    ],
)
def test_a_name_is_made_of_products_only(header: bytes, name: str) -> None:
    assert client_name(header) == name


@pytest.mark.parametrize(
    ("client", "name", "found"),
    [
        ("opencode/1.18", "opencode", True),
        ("opencode", "OpenCode", True),
        ("opencode-next/1.0", "opencode", False),
        ("ai-sdk/openai-compatible/3.0", "ai-sdk/openai-compatible", True),
        ("opencode/1 ai-sdk/provider-utils/4", "ai-sdk/openai-compatible", False),
        ("OpenAI/JS", "OpenAI/Python", False),
        ("pip/24 pi/1.6", "pi", True),
        ("pip/24", "pi", False),
    ],
)
def test_a_client_is_found_by_a_product_without_its_version(client: str, name: str, found: bool) -> None:
    assert is_named(client, [name]) is found


def test_the_last_request_of_a_client_counts_across_processes() -> None:
    entries: list[Entry] = []
    first = ledger(entries)
    first.note([request("acme/1", 10), request("acme/2", 20, "m"), request("", 30), {"type": "events_dropped"}])
    first.note([request("acme/1", 15)])
    assert first.last(["acme"]) == Visit(20, "m")
    assert first.last([]) is None
    later = ledger()
    later.apply(entries)
    assert later.last(["acme"]) == Visit(20, "m")
    later.apply([Entry(SECTION, "acme/2", None)])
    assert later.last(["acme"]) == Visit(15, "auto")


def test_those_that_asked_last_are_remembered_and_no_more() -> None:
    entries: list[Entry] = []
    clients = ledger(entries)
    for number in range(70):
        clients.note([request("first/1", number), request(f"c{number}/1", number)])
    gone = [entry.name for entry in entries if entry.value is None]
    assert gone == [f"c{number}/1" for number in range(7)]
    assert clients.last(["first"]) == Visit(69, "auto")


@pytest.mark.parametrize("value", [7, {}, {"at": "now", "model": "m"}, {"at": 1.0}, {"at": float("inf"), "model": "m"}])
def test_what_is_no_visit_is_passed_over(value: Any) -> None:
    clients = ledger()
    clients.apply([Entry(SECTION, "acme/1", value), Entry("other", "acme/1", {"at": 1.0, "model": "m"})])
    assert clients.last(["acme"]) is None
