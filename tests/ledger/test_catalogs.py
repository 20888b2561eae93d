import asyncio
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.answer import UpstreamRequest
from freeride_core.call import Operation
from freeride_core.ledger import catalogs as catalog_module
from freeride_core.ledger.catalogs import Catalogs
from freeride_core.ledger.store.store import Entry
from freeride_core.model import Model
from freeride_core.provider import Key
from listed_catalogs import NOON, World, ids, key, model, provider, refreshed, world

HOUR_S = 3600.0
CHAT = frozenset({Operation.CHAT})
EMBEDDINGS = frozenset({Operation.EMBEDDINGS})


# What the effective list is.


def test_without_a_live_list_the_dated_one_counts() -> None:
    catalogs = world(provider("acme", model("a"), model("b"))).catalogs()
    assert ids(catalogs) == ["a", "b"]
    assert not catalogs.is_known("acme")


def test_the_live_list_replaces_the_dated_one() -> None:
    here = world(provider("acme", model("ghost"), model("a")), answers={"acme": ["new", "a"]})
    catalogs, is_good = refreshed(here)
    assert is_good
    assert ids(catalogs) == ["a", "new"]
    assert catalogs.is_known("acme")


def test_models_come_in_the_packages_order_then_in_the_upstreams() -> None:
    here = world(provider("acme", model("best"), model("good")), answers={"acme": ["z", "good", "y", "best"]})
    catalogs, _ = refreshed(here)
    assert ids(catalogs) == ["best", "good", "z", "y"]


def test_dated_models_stand_in_for_operations_that_the_live_list_does_not_cover() -> None:
    dated = (model("chat-only"), model("embedder", operations=EMBEDDINGS), model("both", operations=CHAT | EMBEDDINGS))
    here = world(provider("acme", *dated), answers={"acme": ["live"]})
    catalogs, _ = refreshed(here)
    assert {it.id: it.operations for it in catalogs.models("acme")} == {
        "embedder": EMBEDDINGS,
        "both": EMBEDDINGS,
        "live": CHAT,
    }


def test_retired_models_are_gone_on_their_day() -> None:
    async def scenario() -> None:
        dated = (model("a", retires="2026-09-21"), model("b", retires="2026-09-22"), model("c"))
        here = world(provider("acme", *dated, has_live=False))
        catalogs = here.catalogs()
        assert ids(catalogs) == ["b", "c"]
        async with here.running(catalogs):
            before = catalogs.version
            await here.pass_time(catalogs, 24 * HOUR_S)
            assert ids(catalogs) == ["c"]
            assert catalogs.version > before

    asyncio.run(scenario())


def is_promoted(catalogs: Catalogs) -> bool:
    return any(each.promoted or each.price == 0 for each in catalogs.models("acme"))


def promoting(*live: Model) -> World:
    here = world(provider("acme"), answers={"acme": []})
    here.providers["acme"].catalog.parse = lambda answer: live  # type: ignore[method-assign]
    return here


@pytest.mark.parametrize(("fresh_s", "proof_s"), [(None, 7 * 3600), (900.0, 900 + 3600)])
def test_a_promotion_counts_while_the_list_is_fresh_and_no_longer(fresh_s: float | None, proof_s: float) -> None:
    here = promoting(model("gift", promoted=True), model("bargain", price=0.0))
    here.providers["acme"].catalog.fresh_s = fresh_s
    catalogs, _ = refreshed(here)
    assert is_promoted(catalogs)
    here.now += proof_s - 60
    catalogs.expect({"acme": [key("k1")]})
    assert is_promoted(catalogs)
    here.now += 120
    catalogs.expect({"acme": [key("k1")]})
    assert not is_promoted(catalogs)
    assert ids(catalogs) == ["gift", "bargain"]


def test_a_stored_promotion_counts_only_where_it_was_made() -> None:
    here = promoting(model("gift", promoted=True))
    refreshed(here)
    again = here.catalogs(here.stored)
    assert not is_promoted(again), "nobody knows yet where this process asks"
    again.expect({"acme": [key("k1", base_url="https://elsewhere.test/v1")]})
    assert not is_promoted(again)
    again.expect({"acme": [key("k1")]})
    assert is_promoted(again)


def test_an_unknown_provider_has_no_models() -> None:
    catalogs = world(provider("acme")).catalogs([Entry("catalog", "gone", {"models": []})])
    assert catalogs.models("gone") == ()
    assert not catalogs.is_known("gone")


def test_the_version_changes_with_the_list_and_only_then() -> None:
    here = world(provider("acme"), answers={"acme": ["a"]})
    catalogs, _ = refreshed(here)
    first = catalogs.version
    asyncio.run(catalogs.refresh("acme", [key("k1")]))
    assert catalogs.version == first
    here.answers["acme"] = ["a", "b"]
    asyncio.run(catalogs.refresh("acme", [key("k1")]))
    assert catalogs.version > first


# What a failure is.


@pytest.mark.parametrize("answer", [500, 401, [], {"data": 1}, "text", ConnectionError("down"), RuntimeError("bug")])
def test_a_failing_catalog_keeps_its_last_good_list(answer: Any) -> None:
    here = world(provider("acme", model("dated")), answers={"acme": ["a"]})
    catalogs, _ = refreshed(here)
    here.answers["acme"] = answer
    version, stored = catalogs.version, list(here.stored)
    assert not asyncio.run(catalogs.refresh("acme", [key("k1")]))
    assert ids(catalogs) == ["a"]
    assert catalogs.is_known("acme")
    assert (catalogs.version, here.stored) == (version, stored)


@pytest.mark.parametrize("garbage", [(1, 2), ("a",), 7, object()])
def test_a_package_that_parses_into_something_else_is_a_failure(garbage: Any) -> None:
    here = world(provider("acme", model("dated")), answers={"acme": ["a"]})
    here.providers["acme"].catalog.parse = lambda answer: garbage  # type: ignore[method-assign]
    catalogs, is_good = refreshed(here)
    assert not is_good
    assert ids(catalogs) == ["dated"]
    assert here.stored == []


@pytest.mark.parametrize("name", ["echo/sk-7hG4kkQ9zLm2X", "sk-7hG4kkQ9zLm2XX", "echo/wn%2B9zLm2XXpQ7r"])
def test_a_model_whose_name_holds_a_piece_of_a_key_is_left_out(name: str) -> None:
    here = world(provider("acme"), answers={"acme": [name, "vendor/sk-7hG4kk", "good"]})
    catalogs, is_good = refreshed(here, key("sk-7hG4kkQ9zLm2XX"), key("sk-wn+9zLm2XXpQ7r"))
    assert is_good
    assert ids(catalogs) == ["vendor/sk-7hG4kk", "good"]
    assert name not in str(here.stored)


def test_a_package_that_cannot_say_what_to_ask_is_a_failure() -> None:
    def broken(key: Key) -> UpstreamRequest | None:
        raise AssertionError("bug")

    here = world(provider("acme", model("dated")))
    here.providers["acme"].catalog.request = broken  # type: ignore[method-assign]
    catalogs, is_good = refreshed(here)
    assert not is_good
    assert not catalogs.is_known("acme")


def test_an_upstream_that_never_answers_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_module, "_FETCH_TIMEOUT_S", 0.01)

    async def scenario() -> None:
        here = world(provider("acme"), gate=asyncio.Event())
        assert not await here.catalogs().refresh("acme", [key("k1")])

    asyncio.run(scenario())


def test_each_key_is_tried_until_one_answers() -> None:
    here = world(provider("acme"), answers={"acme/dead": 401, "acme/lost": ConnectionError(), "acme/good": ["a"]})
    catalogs, is_good = refreshed(here, key("dead"), key("lost"), key("good"), key("spare"))
    assert is_good
    assert here.asked == ["acme/dead", "acme/lost", "acme/good"]
    assert ids(catalogs) == ["a"]


def test_without_a_key_nothing_is_fetched() -> None:
    here = world(provider("acme"))
    assert not asyncio.run(here.catalogs().refresh("acme", []))
    assert here.asked == []


def test_a_package_without_a_live_list_is_known_once_that_is_clear() -> None:
    here = world(provider("acme", model("dated"), has_live=False))
    catalogs, is_good = refreshed(here)
    assert is_good
    assert catalogs.is_known("acme")
    assert ids(catalogs) == ["dated"]


# When a list is fetched.


def test_at_the_start_all_providers_with_a_key_are_asked_in_parallel() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), provider("brand"), provider("keyless"), gate=asyncio.Event())
        here.answers = {"acme": ["a"], "brand": ["b"]}
        here.keys = {"acme": [key("k1")], "brand": [key("k2")], "keyless": [], "unknown": [key("k3")]}
        catalogs = here.catalogs()
        async with here.running(catalogs):
            assert here.asked == ["acme/k1", "brand/k2"]
            assert here.gate is not None
            here.gate.set()
            here.gate = None
            await here.settle(catalogs)
            assert ids(catalogs) == ["a"]
            assert ids(catalogs, "brand") == ["b"]

    asyncio.run(scenario())


def test_a_good_list_is_fetched_again_after_six_hours() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), answers={"acme": ["a"]}, keys={"acme": [key("k1")]})
        catalogs = here.catalogs()
        async with here.running(catalogs):
            await here.pass_time(catalogs, 6 * HOUR_S - 1)
            assert len(here.asked) == 1
            here.answers["acme"] = ["b"]
            await here.pass_time(catalogs, 1)
            assert len(here.asked) == 2
            assert ids(catalogs) == ["b"]

    asyncio.run(scenario())


def test_a_package_may_want_its_list_fetched_more_often_also_after_failures() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), answers={"acme": ["a"]}, keys={"acme": [key("k1")]})
        here.providers["acme"].catalog.fresh_s = 30
        catalogs = here.catalogs()
        async with here.running(catalogs):
            await here.pass_time(catalogs, 29)
            assert len(here.asked) == 1
            here.answers["acme"] = 500
            await here.pass_time(catalogs, 1)
            assert len(here.asked) == 2
            for wait_s in (5, 10, 20, 30, 30):  # it doubles up to what the package says
                await here.pass_time(catalogs, wait_s)
            assert len(here.asked) == 7

    asyncio.run(scenario())


def test_a_failing_one_is_retried_after_5_s_and_then_ever_later_up_to_5_min() -> None:
    async def scenario() -> list[float]:
        here = world(provider("acme"), answers={"acme": 500}, keys={"acme": [key("k1")]})
        catalogs = here.catalogs()
        asked_at: list[float] = []
        async with here.running(catalogs):
            for _ in range(1300):
                if len(here.asked) > len(asked_at):
                    asked_at.append(here.now)
                await here.pass_time(catalogs, 1)
            here.answers["acme"] = ["a"]
            await here.pass_time(catalogs, 300)
            assert ids(catalogs) == ["a"]
            here.answers["acme"] = 500
            await here.pass_time(catalogs, 6 * HOUR_S)
            count = len(here.asked)
            await here.pass_time(catalogs, 5)
            assert len(here.asked) == count + 1  # success has forgotten the earlier failures
        return [later - earlier for earlier, later in pairwise(asked_at)]

    assert asyncio.run(scenario()) == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_one_failing_provider_does_not_hold_up_another() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), provider("brand"), answers={"acme": 500, "brand": ["b"]})
        here.keys = {"acme": [key("k1")], "brand": [key("k2")]}
        catalogs = here.catalogs()
        async with here.running(catalogs):
            assert ids(catalogs, "brand") == ["b"]
            await here.pass_time(catalogs, 5)
            assert here.asked == ["acme/k1", "brand/k2", "acme/k1"]

    asyncio.run(scenario())


def test_a_new_key_ends_the_wait_after_a_failure() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), answers={"acme/wrong": 401, "acme/right": ["a"]}, keys={"acme": [key("wrong")]})
        catalogs = here.catalogs()
        async with here.running(catalogs):
            here.keys = {"acme": [key("right")]}
            await here.pass_time(catalogs, 1)
            assert ids(catalogs) == ["a"]

    asyncio.run(scenario())


def test_a_key_that_comes_later_is_seen() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), answers={"acme": ["a"]})
        catalogs = here.catalogs()
        async with here.running(catalogs):
            assert here.asked == []
            here.keys = {"acme": [key("k1")]}
            await here.pass_time(catalogs, 1)
            assert here.asked == ["acme/k1"]

    asyncio.run(scenario())


def test_refreshes_of_one_provider_share_one_fetch() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), answers={"acme": ["a"]}, gate=asyncio.Event())
        catalogs = here.catalogs()
        callers = [asyncio.create_task(catalogs.refresh("acme", [key("k1")])) for _ in range(20)]
        await asyncio.sleep(0)
        callers[0].cancel()  # a caller that leaves takes nothing from the others
        await asyncio.sleep(0)
        assert here.gate is not None
        here.gate.set()
        assert await asyncio.gather(*callers[1:]) == [True] * 19
        assert here.asked == ["acme/k1"]

    asyncio.run(scenario())


def test_the_end_of_the_background_work_ends_what_is_under_way() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), gate=asyncio.Event(), keys={"acme": [key("k1")]})
        catalogs = here.catalogs()
        async with here.running(catalogs):
            joined = asyncio.create_task(catalogs.refresh("acme", [key("k1")]))
            await asyncio.sleep(0)
        assert here.closed == 1
        assert await joined is False

    asyncio.run(scenario())


# What outlives the process.


def test_a_stored_list_younger_than_six_hours_is_used_and_not_fetched_again() -> None:
    async def scenario() -> None:
        first = world(provider("acme"), answers={"acme": ["a"]}, keys={"acme": [key("k1")]})
        await first.catalogs().refresh("acme", [key("k1")])
        here = world(provider("acme"), now=NOON + 5 * HOUR_S, answers={"acme": ["b"]}, keys={"acme": [key("k2")]})
        catalogs = here.catalogs(first.stored)
        assert ids(catalogs) == ["a"]
        assert catalogs.is_known("acme")
        async with here.running(catalogs):
            assert here.asked == []
            await here.pass_time(catalogs, HOUR_S)
            assert ids(catalogs) == ["b"]

    asyncio.run(scenario())


def test_an_old_stored_list_is_used_until_the_fetch_and_kept_when_that_fails() -> None:
    async def scenario() -> None:
        first = world(provider("acme"), answers={"acme": ["a"]})
        await first.catalogs().refresh("acme", [key("k1")])
        here = world(provider("acme"), now=NOON + 900 * HOUR_S, answers={"acme": 500}, keys={"acme": [key("k1")]})
        catalogs = here.catalogs(first.stored)
        async with here.running(catalogs):
            assert here.asked == ["acme/k1"]
            assert ids(catalogs) == ["a"]
            assert catalogs.is_known("acme")

    asyncio.run(scenario())


@pytest.mark.parametrize("change", ["base URL", "dated list", "clock"])
def test_a_stored_list_is_fetched_again_when_it_is_not_this_processes_own(change: str) -> None:
    async def scenario() -> None:
        first = world(provider("acme"), answers={"acme": ["a"]})
        await first.catalogs().refresh("acme", [key("k1")])
        base_url = "https://mirror.test/v1" if change == "base URL" else "https://acme.test/v1"
        here = world(provider("acme"), answers={"acme": ["b"]}, keys={"acme": [key("k1", base_url=base_url)]})
        if change == "dated list":
            here.providers["acme"].catalog.checked = "2026-10-01"
        if change == "clock":
            here.now -= HOUR_S  # the list is from the future
        catalogs = here.catalogs(first.stored)
        async with here.running(catalogs):
            assert here.asked == ["acme/k1"]
            assert ids(catalogs) == ["b"]

    asyncio.run(scenario())


def test_a_list_from_another_process_is_taken_over_and_spares_the_fetch() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), answers={"acme": ["a"]}, keys={"acme": [key("k1")]})
        catalogs = here.catalogs()
        other = world(provider("acme"), now=NOON + 6 * HOUR_S - 1, answers={"acme": ["b"]})
        await other.catalogs().refresh("acme", [key("k2")])
        async with here.running(catalogs):
            await here.pass_time(catalogs, 6 * HOUR_S - 1)
            version = catalogs.version
            catalogs.apply(other.stored)
            assert ids(catalogs) == ["b"]
            assert catalogs.version > version
            await here.pass_time(catalogs, 60)
            assert here.asked == ["acme/k1"]
            assert len(here.stored) == 1  # nothing that came from the store goes back there

    asyncio.run(scenario())


def test_a_process_that_asks_elsewhere_does_not_change_our_list() -> None:
    here = world(provider("acme"), answers={"acme": ["a"]})
    catalogs, _ = refreshed(here)
    other = world(provider("acme"), answers={"acme": ["simulated"]})
    refreshed(other, key("k1", base_url="http://127.0.0.1:9001/v1"))
    catalogs.apply(other.stored)
    assert ids(catalogs) == ["a"]


def test_the_state_holds_neither_keys_nor_account_ids() -> None:
    here = world(provider("acme"), answers={"acme": ["a"]})
    refreshed(here, key("very-secret-key", base_url="https://acme.test/accounts/0123456789abcdef/v1"))
    (entry,) = here.stored
    assert (entry.section, entry.name) == ("catalog", "acme")
    for secret in ("very-secret-key"[:8], "01234567", "acme.test"):
        assert secret not in json.dumps(entry.value)


def test_other_sections_and_deleted_or_spoilt_lists_change_nothing() -> None:
    here = world(provider("acme"), answers={"acme": ["a"]})
    catalogs, _ = refreshed(here)
    good = here.stored[0].value
    spoilt: list[Any] = [None, 7, "x", [], {}, {**good, "models": 3}, {**good, "models": []}, {**good, "fetched": "x"}]
    spoilt.append({**good, "fetched": 10**400})
    other = {**good, "models": [{"id": "b", "canonical": "b", "operations": ["embeddings"]}]}
    catalogs.apply([Entry("cooldown", "acme", other), *(Entry("catalog", "acme", value) for value in spoilt)])
    assert ids(catalogs) == ["a"]


def stored_rows(rows: list[Any]) -> tuple[Model, ...]:
    here = world(provider("acme"))
    return here.catalogs([Entry("catalog", "acme", {"fetched": 1, "origin": "o", "models": rows})]).models("acme")


def test_rows_of_a_newer_or_an_older_version_are_read_as_far_as_they_go() -> None:
    rows = [
        {"id": "newer", "canonical": "newer", "operations": ["chat.completions", "video"], "smell": "roses"},
        {"id": "older", "canonical": "older", "operations": ["embeddings"]},
        {"id": "not for us", "canonical": "x", "operations": ["video"]},
        {"id": "no operations", "canonical": "x"},
        {"canonical": "no id", "operations": ["embeddings"]},
        {"id": "odd type", "canonical": "x", "operations": ["embeddings"], "context": "large"},
        {"id": "unhashable", "canonical": "x", "operations": [["embeddings"], {}]},
        None,
        17,
    ]
    assert stored_rows(rows) == (model("newer"), model("older", operations=EMBEDDINGS))


model_names = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=256)
models = st.builds(
    Model,
    id=model_names,
    canonical=model_names,
    operations=st.frozensets(st.sampled_from(Operation), min_size=1),
    tier=st.integers(1, 4),
    context=st.none() | st.integers(0, 2_000_000),
    max_output=st.none() | st.integers(0, 2_000_000),
    tools=st.none() | st.booleans(),
    vision=st.none() | st.booleans(),
    json_schema=st.none() | st.booleans(),
    reasoning=st.none() | st.booleans(),
    price=st.none() | st.floats(allow_nan=False),
    promoted=st.booleans(),
    router=st.booleans(),
    retires=st.none() | st.just("2999-01-01"),
)


@given(st.lists(models, min_size=1))
def test_a_list_comes_back_from_the_state_as_it_went_in(live: list[Model]) -> None:
    here = world(provider("acme"), answers={"acme": []})
    here.providers["acme"].catalog.parse = lambda answer: tuple(live)  # type: ignore[method-assign]
    catalogs, is_good = refreshed(here)
    assert is_good
    text = json.dumps([(entry.section, entry.name, entry.value) for entry in here.stored])
    again = here.catalogs([Entry(*row) for row in json.loads(text)])
    again.expect({"acme": [key("k1")]})
    assert again.models("acme") == catalogs.models("acme") == tuple(live)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["fetched", "origin", "models"]), json_values) | json_values)
def test_no_stored_value_is_a_stumbling_block(value: Any) -> None:
    catalogs = world(provider("acme", model("dated"))).catalogs([Entry("catalog", "acme", value)])
    assert ids(catalogs) == ["dated"]


# What a request waits for.


async def waits(here: World, catalogs: Catalogs, names: Sequence[str], timeout_s: float = 60.0) -> asyncio.Task[None]:
    task = asyncio.create_task(catalogs.wait(names, timeout_s))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


def open_gate(here: World) -> None:
    assert here.gate is not None
    here.gate.set()
    here.gate = None


def test_waiting_ends_when_the_list_is_there() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), answers={"acme": ["a"]}, gate=asyncio.Event(), keys={"acme": [key("k1")]})
        catalogs = here.catalogs()
        waiting = await waits(here, catalogs, ["acme"])  # even before the background work has begun
        async with here.running(catalogs):
            assert not waiting.done()
            open_gate(here)
            await asyncio.wait_for(waiting, 5)
            assert ids(catalogs) == ["a"]

    asyncio.run(scenario())


def test_waiting_ends_when_the_fetch_fails() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), answers={"acme": 500}, gate=asyncio.Event(), keys={"acme": [key("k1")]})
        catalogs = here.catalogs()
        async with here.running(catalogs):
            waiting = await waits(here, catalogs, ["acme"])
            assert not waiting.done()
            open_gate(here)
            await asyncio.wait_for(waiting, 5)
            await asyncio.wait_for(catalogs.wait(["acme"], 60), 5)  # not worth it until the next try
            assert not catalogs.is_known("acme")
            here.gate = asyncio.Event()
            here.answers["acme"] = ["a"]
            await here.pass_time(catalogs, 5)
            waiting = await waits(here, catalogs, ["acme"])
            assert not waiting.done()
            open_gate(here)
            await asyncio.wait_for(waiting, 5)
            assert catalogs.is_known("acme")

    asyncio.run(scenario())


def test_waiting_is_for_all_that_were_named_and_nobody_else() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), provider("brand"), provider("idle"), answers={"acme": ["a"], "brand": ["b"]})
        catalogs = here.catalogs()
        await catalogs.refresh("acme", [key("k1")])
        await catalogs.wait(["acme", "never heard of"])
        here.gate = asyncio.Event()
        fetching = asyncio.create_task(catalogs.refresh("brand", [key("k2")]))
        waiting = await waits(here, catalogs, ["acme", "brand"])
        assert not waiting.done()
        open_gate(here)
        await asyncio.wait_for(waiting, 5)
        assert await fetching
        assert catalogs.is_known("brand")

    asyncio.run(scenario())


def test_waiting_ends_at_its_timeout() -> None:
    async def scenario() -> None:
        here = world(provider("acme"), gate=asyncio.Event(), keys={"acme": [key("k1")]})
        catalogs = here.catalogs()
        async with here.running(catalogs):
            await catalogs.wait(["acme"], timeout_s=0.01)
            assert not catalogs.is_known("acme")

    asyncio.run(scenario())
