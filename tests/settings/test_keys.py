"""Keys in all documented forms."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freeride_core import Credential, Key, Provider
from freeride_core.settings.key_shapes import is_placeholder
from freeride_core.settings.keys import fingerprint, read_keys
from freeride_core.settings.resolver import Settings
from freeride_core.settings.unquoted import bare_key

PLAIN = Credential(variable="ACME_API_KEY", aliases=("ACME_KEY", "OLD_KEY"))
WITH_ACCOUNT = Credential(variable="ACME_TOKEN", account_variable="ACME_ACCOUNT", account_aliases=("OLD_ACCOUNT",))
BASE_URL = "https://acme.example/v1"
ACCOUNT_URL = "https://acme.example/accounts/{account}/v1"
LETTERS = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
SECRETS = st.text(LETTERS, min_size=1).filter(
    lambda text: not text.startswith("[") and bare_key(text) == text and not is_placeholder(text)
)


def read(
    environ: dict[str, str], credential: Credential = PLAIN, *, base_url: str = BASE_URL
) -> tuple[tuple[Key, ...], tuple[str, ...]]:
    provider = SimpleNamespace(name="acme", credentials=(credential,), base_url=base_url, free_models_variables=())
    settings = cast("Any", SimpleNamespace(environ=environ))
    settings.base_url = lambda provider: Settings.base_url(settings, provider)
    return read_keys(cast("Provider", provider), settings)


def secrets(environ: dict[str, str]) -> list[str]:
    keys, warnings = read(environ)
    assert warnings == ()
    return [key.secret for key in keys]


def test_a_key_is_known_by_its_fingerprint() -> None:
    (key,), _ = read({"ACME_API_KEY": "secret-of-acme"})
    assert key.fingerprint == fingerprint("secret-of-acme") == "a350aa34bafe"
    assert (key.provider, key.index, key.variable, key.base_url) == ("acme", 0, "ACME_API_KEY", BASE_URL)
    assert "secret-of" not in repr(key)


def test_suffixes_are_read_in_numeric_order_with_gaps() -> None:
    environ = {"ACME_API_KEY_10": "d", "ACME_API_KEY_2": "b", "ACME_API_KEY": "a", "ACME_API_KEY_4": "c"}
    keys, _ = read(environ)
    assert [(key.index, key.variable, key.secret) for key in keys] == [
        (0, "ACME_API_KEY", "a"),
        (1, "ACME_API_KEY_2", "b"),
        (2, "ACME_API_KEY_4", "c"),
        (3, "ACME_API_KEY_10", "d"),
    ]


def test_the_base_name_may_be_missing() -> None:
    assert secrets({"ACME_API_KEY_3": "c", "ACME_API_KEY": ""}) == ["c"]


@pytest.mark.parametrize(
    "name", ["ACME_API_KEY_1", "ACME_API_KEY_0", "ACME_API_KEY_02", "ACME_API_KEY_X", "ACME_API_KEY_2_OLD"]
)
def test_other_suffixes_are_other_variables(name: str) -> None:
    assert secrets({name: "a"}) == []


def test_arrays_may_stand_in_any_variable_of_the_family() -> None:
    assert secrets({"ACME_API_KEY": '["a", "b"]', "ACME_API_KEY_2": ' ["c"]', "ACME_API_KEY_3": "d"}) == [
        "a",
        "b",
        "c",
        "d",
    ]


def test_the_same_key_counts_once() -> None:
    assert secrets({"ACME_API_KEY": '["a","a","b"]', "ACME_API_KEY_2": "b"}) == ["a", "b"]


def test_an_alias_counts_only_where_the_name_before_it_gave_nothing() -> None:
    assert secrets({"ACME_API_KEY": "a", "ACME_KEY": "b"}) == ["a"]
    assert secrets({"ACME_API_KEY": " ", "ACME_KEY_2": "b", "OLD_KEY": "c"}) == ["b"]


def test_an_alias_counts_where_the_name_before_it_holds_only_rubbish() -> None:
    keys, warnings = read({"ACME_API_KEY": "two words", "ACME_KEY": "b"})
    assert [key.secret for key in keys] == ["b"]
    assert len(warnings) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("gsk secret", "white space"),
        ("gsk_secret\nSECOND=line", "white space"),
        ("gsk\u00a0secret", "white space"),
        ("gsk_\x00secret", "a control character"),
        ("gsk_\x7fsecret", "a control character"),
        ("gsk_sécret", "outside ASCII"),
    ],
)
def test_a_key_that_no_header_can_hold_is_left_out_and_the_others_serve(bad: str, reason: str) -> None:
    keys, warnings = read({"ACME_API_KEY": json.dumps(["good", bad]), "ACME_API_KEY_2": bad, "ACME_API_KEY_3": "fine"})
    assert [(key.secret, key.index) for key in keys] == [("good", 0), ("fine", 1)]
    assert [warning.partition(" is not used: it holds ")[0] for warning in warnings] == [
        "ACME_API_KEY[1]",
        "ACME_API_KEY_2[0]",
    ]
    assert all(warning.endswith(reason) for warning in warnings)
    assert "cret" not in "".join(warnings)


@pytest.mark.parametrize(
    "left",
    [
        *('"{}"', "'{}'", "`{}`", "“{}”", "‘{}’", "«{}»"),
        *(' "{}" ', '"{}"\n', "{}\r\n", "\t{}", "\u00a0{}", '" {} "'),
        *("{},", "{};", '"{}",', "'{}' ,", '"{},"', ",{}"),
        *(
            '["{}"]',
            '"[\\"{}\\"]"'.replace("\\", ""),
            "'[\"{}\"]'",
            ' ["{}"] ',
            '["\\"{}\\""]',
            '["{} "]',
            "[\"'{}'\"]",
        ),
    ],
)
def test_what_was_copied_with_a_key_is_cut_off(left: str) -> None:
    secret = "gsk_0123456789abcdef0123"
    text = left.replace("{}", secret)
    assert secrets({"ACME_API_KEY": text}) == [secret]
    assert secrets({"ACME_API_KEY": "other", "ACME_API_KEY_2": text}) == ["other", secret]
    keys, _ = read({"ACME_TOKEN": text, "ACME_ACCOUNT": left.replace("{}", "a1")}, WITH_ACCOUNT, base_url=ACCOUNT_URL)
    assert [(key.secret, key.account_id) for key in keys] == [(secret, "a1")]


@pytest.mark.parametrize("text", ['"', "''", '""', '" "', ",", '"",', "[]", '[""]', "[\"''\"]"])
def test_quotes_around_nothing_are_no_key(text: str) -> None:
    keys, _ = read({"ACME_API_KEY": text, "ACME_KEY": "b"})
    assert [key.secret for key in keys] in (["b"], ['"'])


@pytest.mark.parametrize("text", ['a"b', "'ab", 'ab"', "'a\"", "a,b", '""a""'])
def test_quotes_that_do_not_hold_the_whole_stay(text: str) -> None:
    assert secrets({"ACME_API_KEY": text}) == ['"a"' if text == '""a""' else text]


def test_an_array_that_is_none_is_never_taken_for_a_key() -> None:
    keys, warnings = read({"ACME_API_KEY": '["secret-1", "secret-2"', "ACME_API_KEY_2": "b"})
    assert [key.secret for key in keys] == ["b"]
    assert warnings == ("ACME_API_KEY is not used: it begins like a JSON array, but is not one",)


def test_what_is_no_text_in_an_array_is_left_out() -> None:
    keys, warnings = read({"ACME_API_KEY": '["a", 7, null, "", " ", "b"]'})
    assert [key.secret for key in keys] == ["a", "b"]
    assert warnings == (
        "ACME_API_KEY[1] is not used: it is not a text",
        "ACME_API_KEY[2] is not used: it is not a text",
    )


def test_the_first_credential_that_gives_keys_wins() -> None:
    first, second = Credential(variable="FIRST_KEY"), Credential(variable="SECOND_KEY")
    provider = cast("Provider", SimpleNamespace(name="acme", credentials=(first, second), base_url=BASE_URL))
    for environ, expected in (({"SECOND_KEY": "b"}, "b"), ({"FIRST_KEY": "a", "SECOND_KEY": "b"}, "a")):
        settings = cast("Any", SimpleNamespace(environ=environ, base_url=lambda _: None))
        assert [key.secret for key in read_keys(provider, settings)[0]] == [expected]


def test_a_base_url_of_the_user_replaces_the_package_s() -> None:
    (key,), _ = read({"ACME_API_KEY": "a", "FREERIDE_ACME_BASE_URL": "http://127.0.0.1:1/x/"})
    assert key.base_url == "http://127.0.0.1:1/x"


class TestAccounts:
    @pytest.mark.parametrize(
        ("environ", "pairs"),
        [
            ({"ACME_TOKEN": "t1", "ACME_ACCOUNT": "a1"}, {"t1": "a1"}),
            ({"ACME_TOKEN": '["t1","t2"]', "ACME_ACCOUNT": "a1"}, {"t1": "a1", "t2": "a1"}),
            ({"ACME_TOKEN": '["t1","t2"]', "ACME_ACCOUNT": '["a1","a2"]'}, {"t1": "a1", "t2": "a2"}),
            ({"ACME_TOKEN": '["","t2"]', "ACME_ACCOUNT": '["a1","a2"]'}, {"t2": "a2"}),
            ({"ACME_TOKEN": "t1", "ACME_TOKEN_2": "t2", "ACME_ACCOUNT": '["a1","a2"]'}, {"t1": "a1", "t2": "a2"}),
            ({"ACME_TOKEN": '["t1","t2"]', "ACME_ACCOUNT": "a1", "ACME_ACCOUNT_2": "a2"}, {"t1": "a1", "t2": "a2"}),
            (
                {"ACME_TOKEN": "t1", "ACME_TOKEN_2": "t2", "ACME_TOKEN_3": "t3", "ACME_ACCOUNT": "a1", "ACME_ACCOUNT_3": "a3"},
                {"t1": "a1", "t2": "a1", "t3": "a3"},
            ),
            ({"ACME_TOKEN": "t1", "ACME_TOKEN_2": '["t2","t3"]', "ACME_ACCOUNT": "a1", "ACME_ACCOUNT_2": '["a2","a3"]'},
             {"t1": "a1", "t2": "a2", "t3": "a3"}),
            ({"ACME_TOKEN_2": "t2", "ACME_ACCOUNT_2": "a2"}, {"t2": "a2"}),
            ({"ACME_TOKEN": "t1", "OLD_ACCOUNT": "a1"}, {"t1": "a1"}),
        ],
    )  # fmt: skip
    def test_an_account_pairs_by_index_or_suffix_else_the_base_one_serves_all(
        self, environ: dict[str, str], pairs: dict[str, str]
    ) -> None:
        keys, warnings = read(environ, WITH_ACCOUNT, base_url=ACCOUNT_URL)
        assert {key.secret: key.account_id for key in keys} == pairs
        assert all(key.base_url == f"https://acme.example/accounts/{key.account_id}/v1" for key in keys)
        assert warnings == ()

    def test_a_key_without_its_account_is_left_out(self) -> None:
        environ = {"ACME_TOKEN": '["t1","t2","t3"]', "ACME_ACCOUNT": '["a1","a2"]'}
        keys, warnings = read(environ, WITH_ACCOUNT, base_url=ACCOUNT_URL)
        assert [key.secret for key in keys] == ["t1", "t2"]
        assert warnings == ("ACME_TOKEN[2] is not used: it needs an account id in ACME_ACCOUNT",)

    def test_a_base_url_that_holds_the_account_needs_no_other(self) -> None:
        environ = {"ACME_TOKEN": "t1", "FREERIDE_ACME_BASE_URL": "http://127.0.0.1:1/accounts/x/v1"}
        (key,), warnings = read(environ, WITH_ACCOUNT, base_url=ACCOUNT_URL)
        assert (key.base_url, key.account_id, warnings) == ("http://127.0.0.1:1/accounts/x/v1", None, ())

    @pytest.mark.parametrize("account", ["a/../b", "a b", "a?x=1", "ä"])
    def test_an_account_id_cannot_change_the_path(self, account: str) -> None:
        keys, warnings = read({"ACME_TOKEN": "t1", "ACME_ACCOUNT": account}, WITH_ACCOUNT, base_url=ACCOUNT_URL)
        assert keys == ()
        assert len(warnings) == 2
        assert account not in "".join(warnings)


@given(st.lists(SECRETS, max_size=6))
def test_an_array_gives_its_keys_in_order(values: list[str]) -> None:
    keys, warnings = read({"ACME_API_KEY": json.dumps(values)})
    assert [key.secret for key in keys] == list(dict.fromkeys(values))
    assert [key.index for key in keys] == list(range(len(keys)))
    assert warnings == ()


@given(
    st.dictionaries(
        st.sampled_from(["ACME_API_KEY", *(f"ACME_API_KEY_{n}" for n in range(2, 12)), "ACME_KEY", "ACME_KEY_2"]),
        st.text(),
    )
)
@example({"ACME_API_KEY": ",["})
def test_whatever_stands_in_the_variables_only_clean_keys_come_out(environ: dict[str, str]) -> None:
    keys, warnings = read(environ)
    assert len({key.secret for key in keys}) == len(keys)
    for key in keys:
        assert key.secret.isascii()
        assert key.secret.isprintable()
        assert " " not in key.secret
        assert not key.secret.startswith("[") or environ[key.variable].lstrip().startswith("[")
    assert all(warning.startswith("ACME_") and warning.isascii() for warning in warnings)


@given(SECRETS, SECRETS)
def test_fingerprints_tell_keys_apart_and_show_nothing(one: str, other: str) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (one == other)
    assert len(fingerprint(one)) == 12


def test_the_real_resolver_serves_keys_from_every_source(freeride_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from freeride_core.settings.resolver import load_settings

    monkeypatch.setenv("ACME_API_KEY", "from-os")
    (freeride_home / ".env").write_text("ACME_API_KEY=hidden\nACME_API_KEY_2=from-dotenv\n")
    (freeride_home / "config.toml").write_text('[keys]\nACME_API_KEY_3 = ["from-toml-1", "from-toml-2"]\n')
    provider = cast("Provider", SimpleNamespace(name="acme", credentials=(PLAIN,), base_url=BASE_URL))
    keys, warnings = read_keys(provider, load_settings())
    assert [key.secret for key in keys] == ["from-os", "from-dotenv", "from-toml-1", "from-toml-2"]
    assert warnings == ()
