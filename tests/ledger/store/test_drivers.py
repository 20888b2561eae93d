"""Every driver of the state keeps what the contract of a store promises."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples import examples
from freeride_core.ledger.store.drivers import STORE_GROUP, is_there, open_store
from freeride_core.ledger.store.store import Entry, Store
from freeride_core.settings.resolver import SettingsError

URLS: dict[str, Callable[[Path], str]] = {
    "memory": lambda folder: "memory:",
    "sqlite": lambda folder: f"sqlite://{(folder / 'own' / 'state.db').as_posix()}",
}
SHARED = ("sqlite",)

Open = Callable[[], Store]


@pytest.fixture(params=URLS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    yield from opener(URLS[request.param](tmp_path), tmp_path)


@pytest.fixture(params=SHARED)
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    yield from opener(URLS[request.param](tmp_path), tmp_path)


def opener(url: str, home: Path) -> Iterator[Open]:
    stores: list[Store] = []

    def open_another() -> Store:
        stores.append(open_store(url, home))
        return stores[-1]

    yield open_another
    for store in stores:
        store.close()


def test_every_driver_that_is_installed_is_tried() -> None:
    assert {offer.name for offer in entry_points(group=STORE_GROUP)} == set(URLS)


def test_a_store_reads_what_it_wrote(opened: Open) -> None:
    store = opened()
    entries = [Entry("cooldown", "a", {"until": 12.5, "kind": "auth"}), Entry("latency", "é", ["\ud800", None])]
    store.write(entries)
    assert store.read_all() == entries
    assert store.notice is None
    assert store.location


def test_the_last_value_of_a_name_counts(opened: Open) -> None:
    store = opened()
    store.write([Entry("s", "n", 1), Entry("s", "n", 2)])
    store.write([Entry("s", "n", 3), Entry("other", "n", 4)])
    assert sorted((entry.section, entry.value) for entry in store.read_all()) == [("other", 4), ("s", 3)]


def test_a_deleted_entry_is_gone(opened: Open) -> None:
    store = opened()
    store.write([Entry("s", "n", 1), Entry("s", "kept", 1)])
    store.write([Entry("s", "n", None), Entry("s", "never", None)])
    assert store.read_all() == [Entry("s", "kept", 1)]


def test_a_store_never_reads_its_own_writes_as_changes(opened: Open) -> None:
    store = opened()
    store.read_all()
    store.write([Entry("s", "n", 1)])
    assert store.read_changes() == []


def test_what_json_cannot_hold_is_refused_as_a_whole(opened: Open) -> None:
    store = opened()
    with pytest.raises(TypeError):
        store.write([Entry("s", "good", 1), Entry("s", "odd", object())])
    assert store.read_all() == []


def test_a_value_that_changes_after_it_was_written_does_not_change_there(opened: Open) -> None:
    store, value = opened(), {"kind": "auth"}
    store.write([Entry("s", "n", value)])
    value["kind"] = "changed"
    assert store.read_all() == [Entry("s", "n", {"kind": "auth"})]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(20), deadline=None)
@given(
    values=st.dictionaries(st.text(), st.recursive(st.integers() | st.text() | st.booleans(), st.lists, max_leaves=5))
)
def test_whatever_json_can_hold_survives(opened: Open, values: dict[str, Any]) -> None:
    store = opened()
    store.write([Entry("any", entry.name, None) for entry in store.read_all()])
    store.write([Entry("any", name, value) for name, value in values.items()])
    assert {entry.name: entry.value for entry in store.read_all()} == values


def test_the_next_store_reads_what_one_wrote(shared: Open) -> None:
    with closing(shared()) as store:
        store.write([Entry("s", "n", 1)])
    assert shared().read_all() == [Entry("s", "n", 1)]


def test_a_deleted_entry_is_a_change_elsewhere(shared: Open) -> None:
    ours, theirs = shared(), shared()
    ours.write([Entry("s", "n", 1)])
    assert theirs.read_changes() == [Entry("s", "n", 1)]
    ours.write([Entry("s", "n", None)])
    assert theirs.read_changes() == [Entry("s", "n", None)]


def test_changes_of_others_come_once_and_in_order(shared: Open) -> None:
    ours, theirs = shared(), shared()
    ours.write([Entry("s", "mine", 0)])
    theirs.write([Entry("s", "b", 1)])
    theirs.write([Entry("s", "a", 2)])
    assert ours.read_changes() == [Entry("s", "b", 1), Entry("s", "a", 2)]
    assert ours.read_changes() == []
    assert theirs.read_changes() == [Entry("s", "mine", 0)]


def test_what_was_read_at_the_start_is_no_change(shared: Open) -> None:
    ours, theirs = shared(), shared()
    theirs.write([Entry("s", "n", 1)])
    assert ours.read_all() == [Entry("s", "n", 1)]
    assert ours.read_changes() == []


# Which driver


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("", "begins with memory: or sqlite:"),
        ("state.db", "begins with memory: or sqlite:"),
        ("redis://:secret@localhost/0", "begins with memory: or sqlite:"),
        ("memory://here", "memory: and nothing else"),
        ("sqlite:state.db", "the path of a file from the root on"),
        ("sqlite://host/state.db", "the path of a file from the root on"),
        ("sqlite:///", "the path of a file from the root on"),
        ("sqlite:///tmp/a\0b", "the path of a file from the root on"),
    ],
)
def test_an_url_that_names_no_store_is_a_setting_that_cannot_be_used(tmp_path: Path, url: str, hint: str) -> None:
    for act in (open_store, is_there):
        with pytest.raises(SettingsError, match=f"^FREERIDE_STATE is not the URL of a store: .*{hint}") as caught:
            act(url, tmp_path)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("raise RuntimeError('sk-secret')", r"its driver cannot be loaded \(RuntimeError\)"),
        ("driver = 7", "the driver of acme: is no subclass of Store"),
    ],
)
def test_a_broken_driver_is_named_without_its_words(install: Any, tmp_path: Path, source: str, hint: str) -> None:
    install("acme-state", {STORE_GROUP: {"acme": "acme_state:driver"}}, acme_state=source)
    with pytest.raises(SettingsError, match=hint) as caught:
        open_store("acme:", tmp_path)
    assert "sk-secret" not in str(caught.value)


def test_a_driver_of_another_distribution_keeps_the_state(install: Any, tmp_path: Path) -> None:
    source = "from freeride_core.ledger.store.memory import MemoryStore\nclass AcmeStore(MemoryStore):\n    pass\n"
    source += "AcmeStore.open = classmethod(lambda cls, url, home: cls())\n"
    install("acme-state", {STORE_GROUP: {"acme": "acme_state:AcmeStore"}}, acme_state=source)
    with closing(open_store("acme://anything", tmp_path)) as store:
        store.write([Entry("s", "n", 1)])
        assert type(store).__name__ == "AcmeStore"
        assert store.read_all() == [Entry("s", "n", 1)]


def test_a_file_elsewhere_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "x.db"
    url = f"sqlite://{path.as_posix()}"
    assert not is_there(url, tmp_path / "home")
    with closing(open_store(url, tmp_path / "home")) as store:
        assert (store.notice, store.location) == (None, str(path))
    assert is_there(url, tmp_path / "home")
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="modes and links are POSIX's here")
def test_a_file_that_others_could_reach_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(SettingsError, match="choose a folder that only you can change"):
        open_store(f"sqlite://{folder}/x.db", tmp_path)
    folder.chmod(0o700)
    (folder / "x.db").symlink_to(tmp_path / "target.db")
    with pytest.raises(SettingsError, match="its file is a symbolic link"):
        open_store(f"sqlite://{folder}/x.db", tmp_path)
    assert not (tmp_path / "target.db").exists()
