import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.ledger.cooldowns import Cooldowns
from freeride_core.ledger.legacy import import_cooldowns
from freeride_core.ledger.slots import Slot
from freeride_core.ledger.store.store import Entry
from freeride_core.provider import Key, Provider
from freeride_core.settings.keys import fingerprint

NOW = 1_790_000_000.0
FIRST = "acme-first-0123456789abcdef"
SECOND = "acme-second-0123456789abcdef"
BRAND = "brand-0123456789abcdefghijk"


def provider(name: str, *former_names: str) -> Provider:
    it = Provider()
    it.name = name
    it.former_names = former_names
    return it


def key(provider: str, secret: str, index: int = 0) -> Key:
    return Key(
        provider=provider,
        secret=secret,
        fingerprint=fingerprint(secret),
        index=index,
        variable="ACME_API_KEY",
        base_url="https://acme.test/v1",
    )


PROVIDERS: Mapping[str, Provider] = {"acme": provider("acme", "acme_wai"), "brand": provider("brand")}
KEYS = {"acme": [key("acme", FIRST), key("acme", SECOND, 1)], "brand": [key("brand", BRAND)]}


def imported(home: Path, content: Any) -> tuple[dict[str, Any], list[str]]:
    """The cooldowns by slot name."""
    (home / "cooldown.json").write_text(content if isinstance(content, str) else json.dumps(content))
    entries, lines = import_cooldowns(home, PROVIDERS, KEYS, NOW)
    assert all(entry.section == "cooldown" for entry in entries)
    assert len({entry.name for entry in entries}) == len(entries)
    for part in ("0123456789abcdef", "acme-fir", "acme-sec"):
        assert not any(part in line for line in lines)
        assert part not in repr(entries)
    return {entry.name: entry.value for entry in entries}, lines


def slot(provider: str, secret: str) -> str:
    return json.dumps([provider, f"key:{fingerprint(secret)}", "*"])


def test_without_a_file_nothing_happens(tmp_path: Path) -> None:
    assert import_cooldowns(tmp_path, PROVIDERS, KEYS, NOW) == ([], [])
    assert list(tmp_path.iterdir()) == []


def test_raw_keys_cool_for_120_s_from_their_start_and_the_file_is_deleted(tmp_path: Path) -> None:
    cooldowns, lines = imported(tmp_path, {"acme": {FIRST: NOW - 100, SECOND: NOW - 120}, "brand": {BRAND: NOW}})
    rate_limit = {"kind": "rate_limit", "strikes": 1, "noted": NOW}
    assert cooldowns == {
        slot("acme", FIRST): {**rate_limit, "until": NOW + 20},
        slot("brand", BRAND): {**rate_limit, "until": NOW + 120},
    }
    assert list(tmp_path.iterdir()) == []
    (line,) = lines
    assert str(tmp_path / "cooldown.json") in line
    assert "deleted" in line


def test_hashed_keys_keep_their_end_and_kind_and_the_file_is_renamed(tmp_path: Path) -> None:
    content = {
        "acme": {
            fingerprint(FIRST): {"until": NOW + 900.5, "kind": "quota_exhausted"},
            fingerprint(SECOND): {"until": NOW - 1, "kind": "auth"},
        }
    }
    cooldowns, lines = imported(tmp_path, content)
    assert cooldowns == {
        slot("acme", FIRST): {"kind": "quota_exhausted", "until": NOW + 900.5, "strikes": 1, "noted": NOW}
    }
    assert lines == []
    assert [file.name for file in tmp_path.iterdir()] == ["cooldown.json.imported"]
    assert import_cooldowns(tmp_path, PROVIDERS, KEYS, NOW) == ([], [])


def test_what_comes_out_is_what_the_ledger_reads(tmp_path: Path) -> None:
    (tmp_path / "cooldown.json").write_text(
        json.dumps({"acme": {fingerprint(FIRST): {"until": NOW + 9, "kind": "auth"}}})
    )
    put: list[Entry] = []
    cooldowns = Cooldowns(put.append)
    cooldowns.apply(import_cooldowns(tmp_path, PROVIDERS, KEYS, NOW)[0])
    cooldown = cooldowns.get(Slot("acme", f"key:{fingerprint(FIRST)}", "*"))
    assert cooldown is not None
    assert (cooldown.kind, cooldown.until, cooldown.strikes, cooldown.noted) == ("auth", NOW + 9, 1, NOW)


def test_former_names_of_a_provider_are_understood(tmp_path: Path) -> None:
    cooldowns, _ = imported(tmp_path, {"acme_wai": {fingerprint(FIRST): {"until": NOW + 9, "kind": "auth"}}})
    assert list(cooldowns) == [slot("acme", FIRST)]


def test_the_longest_of_several_cooldowns_of_one_key_counts(tmp_path: Path) -> None:
    content = {
        "acme": {fingerprint(FIRST): {"until": NOW + 900, "kind": "auth"}, FIRST: NOW},
        "acme_wai": {FIRST: NOW - 10},
    }
    cooldowns, lines = imported(tmp_path, content)
    assert {name: value["until"] for name, value in cooldowns.items()} == {slot("acme", FIRST): NOW + 900}
    assert len(lines) == 1
    assert list(tmp_path.iterdir()) == []


def test_keys_and_providers_of_the_past_are_left_behind(tmp_path: Path) -> None:
    cooldowns, _ = imported(
        tmp_path, {"acme": {fingerprint(BRAND): {"until": NOW + 9, "kind": "auth"}}, "gone": {"k": NOW}}
    )
    assert cooldowns == {}
    assert list(tmp_path.iterdir()) == []  # "k" may be a key


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"until": NOW + 10**7, "kind": "auth"}, (NOW + 86400, "auth")),
        ({"until": NOW + 9}, (NOW + 9, "rate_limit")),
        ({"until": NOW + 9, "kind": "of another age"}, (NOW + 9, "rate_limit")),
        ({"until": NOW + 9, "kind": ["auth"]}, (NOW + 9, "rate_limit")),
        ({"kind": "auth"}, None),
        ({"until": None}, None),
        ({"until": float("nan")}, None),
        ({"until": float("inf")}, None),
        ({"until": 10**400}, None),
        (None, None),
        ([NOW], None),
        ("soon", None),
    ],
)
def test_odd_values_are_taken_as_far_as_they_make_sense(
    tmp_path: Path, value: Any, expected: tuple[float, str] | None
) -> None:
    cooldowns, _ = imported(tmp_path, {"acme": {fingerprint(FIRST): value}})
    assert [(it["until"], it["kind"]) for it in cooldowns.values()] == ([expected] if expected else [])


@pytest.mark.parametrize("text", ["", "{", f'{{"acme": {{"{FIRST}": 17', "[]", "null", "[" * 100_000])
def test_a_damaged_file_is_left_alone_with_a_line(tmp_path: Path, text: str) -> None:
    cooldowns, lines = imported(tmp_path, text)
    assert cooldowns == {}
    (line,) = lines
    assert "left alone" in line
    assert (tmp_path / "cooldown.json").read_text() == text


def test_a_file_that_is_no_text_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cooldown.json").write_bytes(b"\xff\xfe\x00\x81")
    entries, lines = import_cooldowns(tmp_path, PROVIDERS, KEYS, NOW)
    assert (entries, len(lines)) == ([], 1)
    assert (tmp_path / "cooldown.json").read_bytes() == b"\xff\xfe\x00\x81"


def test_what_cannot_be_opened_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cooldown.json").mkdir()
    entries, lines = import_cooldowns(tmp_path, PROVIDERS, KEYS, NOW)
    assert (entries, len(lines)) == ([], 1)
    assert (tmp_path / "cooldown.json").is_dir()


def test_a_file_that_cannot_be_put_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    cooldowns, lines = imported(tmp_path, {"acme": {FIRST: NOW}})
    assert list(cooldowns) == [slot("acme", FIRST)]
    (line,) = lines
    assert "please delete it" in line


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


@given(
    content=json_values
    | st.dictionaries(
        st.sampled_from(["acme", "acme_wai", "gone"]),
        st.dictionaries(st.sampled_from([FIRST, SECOND, fingerprint(FIRST), "short"]), json_values) | json_values,
    )
)
def test_no_content_is_a_stumbling_block(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    cooldowns, _ = imported(tmp_path_factory.mktemp("home"), content)
    for value in cooldowns.values():
        assert NOW < value["until"] <= NOW + 86400
