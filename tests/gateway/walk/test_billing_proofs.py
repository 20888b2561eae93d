"""Proofs of what an account can be billed for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_upstream import GatewayBench, provider
from freeride_core import Account, Answer, Key, Probe, Proof, Provider, UnbillableAccount, UpstreamRequest
from freeride_core.gateway.walk.billing_proofs import BillingProofs
from freeride_core.gateway.walk.enabled import EnabledProvider, enabled_providers

HOUR = 3600.0


class Asked(Probe):
    """Says what `found` says."""

    def __init__(self, found: Callable[[], Proof]) -> None:
        self._found = found

    def request(self, key: Key) -> UpstreamRequest | None:
        return UpstreamRequest("GET", f"{key.base_url}/whoami", ())

    def read(self, answer: Answer) -> Proof:
        return self._found()


def member(tmp_path: Path, found: Callable[[], Proof]) -> EnabledProvider:
    alpha = provider("alpha")
    alpha.free = UnbillableAccount()
    alpha.probe = Asked(found)
    bench = GatewayBench(tmp_path)
    bench.add("alpha", "http://127.0.0.1:9/v1")
    return enabled_providers(bench.settings(), {"alpha": alpha}).members[0]


def look(proofs: BillingProofs, about: EnabledProvider) -> Account:
    """What is known after one look round."""

    async def once() -> None:
        task = asyncio.ensure_future(proofs.run(lambda: [about]))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not task.done(), "the looking round has ended"
        task.cancel()

    asyncio.run(once())
    return proofs.account(about)


async def fetch(of: Provider, request: UpstreamRequest) -> Answer:
    return Answer(200, {}, b"{}", 0.0)


def test_a_proof_counts_for_some_hours_and_no_longer(tmp_path: Path) -> None:
    now = [1_000_000.0]
    answers = [Proof(True, Account(can_be_billed=False))]
    about = member(tmp_path, lambda: answers.pop())
    proofs = BillingProofs(fetch, lambda: now[0])
    assert look(proofs, about) == Account(can_be_billed=False)
    now[0] += 5 * HOUR
    assert look(proofs, about) == Account(can_be_billed=False)
    now[0] += 3 * HOUR  # asked again meanwhile, and the probe has nothing more to say
    assert look(proofs, about) == Account(can_be_billed=None)


def test_after_the_clock_was_set_back_a_proof_is_asked_for_at_once(tmp_path: Path) -> None:
    now = [1_000_000.0]
    about = member(tmp_path, lambda: Proof(True, Account(can_be_billed=False)))
    proofs = BillingProofs(fetch, lambda: now[0])
    look(proofs, about)
    now[0] -= 24 * HOUR
    assert look(proofs, about) == Account(can_be_billed=False)


@pytest.mark.parametrize("error", [OSError, KeyError, ImportError, ZeroDivisionError])
def test_whatever_a_probe_raises_proves_nothing_and_ends_nothing(tmp_path: Path, error: type[Exception]) -> None:
    def fail() -> Proof:
        raise error

    assert look(BillingProofs(fetch, lambda: 1_000_000.0), member(tmp_path, fail)) == Account(can_be_billed=None)


@pytest.mark.parametrize(
    ("facts", "together"),
    [
        ((False, False), False),
        ((False, None), None),
        ((None, None), None),
        ((True, False), True),
        ((True, None), True),
        ((None, True), True),
    ],
)
def test_one_account_that_can_be_billed_is_enough(
    facts: tuple[bool | None, ...], together: bool | None, tmp_path: Path
) -> None:
    waiting = list(facts)
    alpha = provider("alpha")
    alpha.free = UnbillableAccount()
    alpha.probe = Asked(lambda: Proof(True, Account(can_be_billed=waiting.pop(0))))
    bench = GatewayBench(tmp_path)
    bench.add("alpha", "http://127.0.0.1:9/v1", *(f"alpha-key-{index:016}" for index, _ in enumerate(facts)))
    about = enabled_providers(bench.settings(), {"alpha": alpha}).members[0]
    assert len(about.keys) == len(facts)
    assert look(BillingProofs(fetch, lambda: 1_000_000.0), about) == Account(can_be_billed=together)
