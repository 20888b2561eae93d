"""`[providers.NAME]`: upstreams of the user's own, what may not be one, and what may be said of an installed provider."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_upstream import key_of, provider
from freeride_core import Model, Operation, Provider
from freeride_core.gateway.walk.enabled import EnabledProviders, enabled_providers
from freeride_core.provider import Account
from freeride_core.settings.advice import check_settings
from freeride_core.settings.own_providers import notices_of, with_own_providers
from freeride_core.settings.resolver import Settings, SettingsError, load_settings

INSTALLED = {"alpha": provider("alpha"), "my_x": provider("my_x")}
LAB = '[providers.lab]\nbase_url = "http://127.0.0.1:1234/v1"\n'
AWAY = '[providers.lab]\nbase_url = "https://llm.company.example/v1"\n'
Load = Callable[..., Settings]


@pytest.fixture
def load(freeride_home: Path) -> Load:
    """The settings of a `config.toml`."""

    def load(config: str, **environ: str) -> Settings:
        (freeride_home / "config.toml").write_text(config)
        return load_settings({"FREERIDE_HOME": str(freeride_home), **environ})

    return load


def enabled_of(settings: Settings) -> EnabledProviders:
    return enabled_providers(settings, with_own_providers(settings, INSTALLED))


def models_of(found: Provider, *rows: object) -> list[Model]:
    catalog = found.catalog
    return [model for row in rows for model in catalog.parse_entry(row, {})]  # type: ignore[attr-defined]


def test_an_address_is_all_that_a_server_of_ones_own_needs(load: Load) -> None:
    settings = load(LAB)
    [member] = enabled_of(settings).members
    assert (member.provider.name, member.keys[0].secret, member.keys[0].base_url) == (
        "lab",
        "",
        "http://127.0.0.1:1234/v1",
    )
    assert member.is_free(Model(id="x", canonical="x"), Account())
    assert check_settings(settings, with_own_providers(settings, INSTALLED)) == ()
    assert list(notices_of(settings, INSTALLED)) == [
        "lab at http://127.0.0.1:1234/v1 counts as free, as config.toml says."
    ]


@pytest.mark.parametrize(
    ("row", "canonical", "context"),
    [
        ({"id": "openai/gpt-oss-20b", "max_model_len": 32768}, "openai/gpt-oss-20b", 32768),
        ({"id": "Qwen2.5-7B-Instruct-Q4_K_M", "meta": {"n_ctx": 8192}}, "lab/qwen2.5-7b-instruct", 8192),
        ({"id": "local", "max_context_length": True, "meta": "x"}, "lab/local", None),
    ],
)
def test_the_lists_of_usual_servers_are_read(load: Load, row: object, canonical: str, context: int | None) -> None:
    [member] = enabled_of(load(f"{LAB}tier = 2\n")).members
    [model] = models_of(member.provider, row)
    assert (model.canonical, model.context, model.tier, model.tools, model.vision) == (
        canonical,
        context,
        2,
        True,
        True,
    )


def test_a_list_of_models_stands_for_the_servers_own(load: Load) -> None:
    [member] = enabled_of(load(f'{LAB}models = ["a", "nomic-embed-text"]\n')).members
    assert [model.id for model in member.provider.catalog.models] == ["a", "nomic-embed-text"]
    assert member.provider.catalog.models[1].operations == {Operation.EMBEDDINGS}
    assert member.provider.catalog.request(member.keys[0]) is None


def test_a_key_comes_from_its_variable_and_is_told_with_its_host(load: Load) -> None:
    settings = load(f'{AWAY}key_variable = "COMPANY_KEY"\n', COMPANY_KEY=key_of("lab"))
    [member] = enabled_of(settings).members
    assert member.keys[0].secret == key_of("lab")
    [notice] = notices_of(settings, INSTALLED)
    assert notice.endswith(
        "https://llm.company.example/v1 counts as free, as config.toml says. It is sent the key in COMPANY_KEY."
    )
    assert key_of("lab") not in notice


def test_another_machine_that_needs_no_key_is_asked_only_after_a_yes(load: Load) -> None:
    found = enabled_of(load(AWAY))
    assert found.members == ()
    assert "lab is not asked: llm.company.example is another machine" in found.warnings[0]
    assert found.warnings[0].endswith("freeride providers enable lab")
    assert [member.provider.name for member in enabled_of(load(f"{AWAY}enabled = true\n")).members] == ["lab"]


def test_a_disabled_provider_is_not_asked(load: Load) -> None:
    config = f"[providers.alpha]\nenabled = false\n{LAB}enabled = false\n"
    settings = load(config, ALPHA_KEY=key_of("alpha"))
    assert enabled_of(settings).members == ()
    assert list(notices_of(settings, INSTALLED)) == []


def test_models_of_an_installed_provider_can_be_left_out_and_its_address_replaced(load: Load) -> None:
    config = '[providers.alpha]\nexclude_models = ["a", "b/*"]\nbase_url = "http://127.0.0.1:7/v1"\n'
    [member] = enabled_of(load(config, ALPHA_KEY=key_of("alpha"))).members
    assert member.keys[0].base_url == "http://127.0.0.1:7/v1"
    free = [name for name in ("a", "aa", "b/1", "c") if member.is_free(Model(id=name, canonical=name), Account())]
    assert free == ["aa", "c"]


def test_the_environment_outranks_the_address_in_the_file(load: Load) -> None:
    settings = load(
        '[providers.my-lab]\nbase_url = "http://127.0.0.1:1/v1"\n', FREERIDE_MY_LAB_BASE_URL="http://127.0.0.1:2"
    )
    [member] = enabled_of(settings).members
    assert member.keys[0].base_url == "http://127.0.0.1:2"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("[providers.lab]\n", r"providers\.lab\.base_url is not set"),
        ("[providers.my-x]\nbase_url = 'http://127.0.0.1:1'\n", r"would be those of my_x"),
        *(
            (f"[providers.{name}]\nbase_url = 'http://127.0.0.1:1'\n", "is not a name of a provider")
            for name in ("auto", "free", "coding", "Lab", "la_b", "0lab", "x" * 32, '"la b"')
        ),
        (LAB.replace("127.0.0.1:1234", "169.254.169.254"), "it is link-local"),
        (LAB.replace("127.0.0.1:1234", "[fe80::1]"), "it is link-local"),
        (LAB.replace("127.0.0.1:1234", "[::ffff:169.254.1.1]"), "it is link-local"),
        (LAB.replace("http", "ftp"), "is not a base URL"),
        (LAB.replace("127", "u:p@127"), "is not a base URL"),
        *(
            (f"{LAB}key_variable = '{name}'\n", "is not a variable for its key")
            for name in (
                "FREERIDE_TOKEN",
                "AWS_SECRET_ACCESS_KEY",
                "PATH",
                "company_key",
                "SSH_AUTH_SOCK",
                "_KEY",
                "X_KEY_2",
            )
        ),
        (f"{LAB}key_variable = 'ALPHA_KEY'\n", "ALPHA_KEY holds a key of alpha, which must go nowhere else"),
        (
            f"{LAB}key_variable = 'A_KEY'\n[providers.b]\nbase_url = 'http://127.0.0.1:1'\nkey_variable = 'A_KEY'\n",
            "b has that variable",
        ),
        ("[providers.alpha]\ntier = 1\n", r"providers\.alpha\.tier is not a setting of an installed provider"),
        (
            "[providers.alpha]\nkey_variable = 'B_KEY'\n",
            r"providers\.alpha\.key_variable is not a setting of an installed",
        ),
    ],
)
def test_what_cannot_be_used_ends_with_one_line_that_says_why(load: Load, config: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        enabled_of(load(config))
    assert re.search(says, str(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "member"),
    [
        ("base_url = 1", "base_url"),
        ("enabled = 'yes'", "enabled"),
        ("tier = 5", "tier"),
        ("tier = true", "tier"),
        ("models = 'a'", "models"),
        ("models = ['a b']", "models"),
        ("exclude_models = [1]", "exclude_models"),
        ("key_variable = 1", "key_variable"),
        ("training = 'maybe'", "training"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_file(load: Load, line: str, member: str) -> None:
    with pytest.raises(SettingsError, match=rf"config\.toml: providers\.lab\.{member} is not"):
        load(f"[providers.lab]\n{line}\n")


def test_a_list_beside_tables_is_told_where_it_can_be(load: Load) -> None:
    with pytest.raises(SettingsError, match=r"write the list as FREERIDE_PROVIDERS in \.env"):
        load(f'providers = ["alpha"]\n{LAB}')
