"""A broken plugin is a row and never a crash. Every plugin here is a real distribution that is installed for one test."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from freeride_core import __version__
from freeride_core.plugins.discovery import (
    PluginError,
    PluginRow,
    Plugins,
    load_binder,
    load_plugins,
    load_provider,
    offered_names,
)
from freeride_core.system.upgrade import upgrade_command

PROVIDER = """
from freeride_core import *
from freeride_core import Provider

class Acme(CompatibleProvider):
    pass

def make():
    return Acme(
        api_version={api}, name={name!r}, rank={rank},
        about=About(title="Acme", homepage="h", keys_url="k", free_day="f", sign_up="s",
        data_use="d", source="s", checked="2026-11-23"), credentials=(Credential(variable="ACME_API_KEY"),),
        base_url="https://acme.example/v1", free=WholeCatalog(),
        catalog=CompatibleCatalog(checked="2026-11-23", models=(Model(id="m", canonical="m"),)),
        chat=CompatibleWire(path="/chat/completions"),
    )

@hookimpl
def freeride_register_provider():
    return make()
"""
BINDER = """
from freeride_core import Binder, hookimpl

class Acme(Binder):
    api_version = 1
    name = {name!r}
    title = "Acme"
    homepage = "h"
    def path(self, scope, home, cwd): return home / "acme"
    def edit(self, text, endpoint): return ""

@hookimpl
def freeride_register_binder():
    return Acme()
"""


def provider_source(name: str = "acme", *, api: Any = 1, rank: int = 100, **changes: str) -> str:
    source = PROVIDER.format(name=name, api=api, rank=rank)
    for old, new in changes.items():
        source = source.replace(old, new)
    return source


def with_change(statement: str) -> str:
    """A provider on which one thing is changed after it was made."""
    return provider_source().replace("    return make()", f"    plugin = make()\n    {statement}\n    return plugin")


def row_of(plugins: Plugins, name: str = "acme") -> PluginRow:
    (row,) = [row for row in plugins.rows if row.name == name]
    return row


@pytest.fixture
def broken(install: Any) -> Any:
    """Installs a provider module and gives the reason why it does not load."""

    def load(source: str, value: str = "acme_plugin") -> str:
        install("acme-dist", {"freeride.providers": {"acme": value}}, acme_plugin=source)
        plugins = load_plugins(("provider",))
        row = row_of(plugins)
        assert (row.kind, row.distribution, row.version, row.status) == ("provider", "acme-dist", "1.2.3", "broken")
        assert "acme" not in plugins.providers
        assert "acme" not in plugins.modules
        assert not plugins.hooks.has_plugin("provider:acme")
        with pytest.raises(PluginError) as caught:
            load_provider("acme")
        assert row.reason in str(caught.value)
        return row.reason

    return load


def test_a_good_provider_and_a_good_binder_load(install: Any) -> None:
    install("acme-provider", {"freeride.providers": {"acme": "acme_provider"}}, acme_provider=provider_source())
    install("acme-binder", {"freeride.binders": {"tool": "acme_binder"}}, acme_binder=BINDER.format(name="tool"))
    plugins = load_plugins()
    assert row_of(plugins) == PluginRow("provider", "acme", "acme-provider", "1.2.3", 1, "ok", "")
    assert row_of(plugins, "tool") == PluginRow("binder", "tool", "acme-binder", "1.2.3", 1, "ok", "")
    assert plugins.providers["acme"].about.title == "Acme"
    assert plugins.binders["tool"].title == "Acme"
    assert plugins.modules["acme"].__name__ == "acme_provider"
    assert plugins.hooks.has_plugin("binder:tool")


def test_only_the_wanted_kind_is_imported(install: Any) -> None:
    install("acme-binder", {"freeride.binders": {"tool": "acme_binder"}}, acme_binder="raise SystemExit")
    assert {row.kind for row in load_plugins(("provider",)).rows} <= {"provider"}


def test_one_is_loaded_without_importing_the_others(install: Any) -> None:
    install(
        "acme-dist",
        {
            "freeride.providers": {"acme": "acme_good", "other": "acme_other"},
            "freeride.binders": {"tool": "acme_binder"},
        },
        acme_good=provider_source(),
        acme_other="raise AssertionError",
        acme_binder=BINDER.format(name="tool"),
    )
    assert load_provider("acme").name == "acme"
    assert load_binder("tool").name == "tool"
    assert "acme_other" not in sys.modules


def test_providers_come_by_rank_and_name(install: Any) -> None:
    for name, rank in (("zulu", 1), ("mike", 100), ("lima", 100)):
        source = provider_source(name, rank=rank)
        install(f"{name}-dist", {"freeride.providers": {name: f"{name}_plugin"}}, **{f"{name}_plugin": source})
    names = [name for name in load_plugins(("provider",)).providers if name in {"zulu", "mike", "lima"}]
    assert names == ["zulu", "lima", "mike"]


def test_an_unknown_name_is_answered_with_the_known_ones(install: Any) -> None:
    install("acme-binder", {"freeride.binders": {"tool": "acme_binder"}}, acme_binder="raise SystemExit")
    with pytest.raises(PluginError, match=r"no binder 'nope' is installed; installed: .*tool"):
        load_binder("nope")
    assert "tool" in offered_names("binder")
    assert "acme_binder" not in sys.modules


def test_new_distributions_are_seen_at_once(install: Any) -> None:
    before = offered_names("provider")
    install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=provider_source())
    assert set(offered_names("provider")) - set(before) == {"acme"}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("from freeride_core import Nothing", "ImportError: cannot import name 'Nothing'"),
        ("assert False, 'not today'", "AssertionError: not today"),
        ("assert False", "AssertionError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import sys; sys.exit()", "SystemExit"),
        ("def (", "SyntaxError:"),
        ("raise BaseException('odd')", "BaseException: odd"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
    ],
)
def test_a_module_that_does_not_import_is_a_row(broken: Any, source: str, reason: str) -> None:
    assert broken(source).startswith(reason)


def test_a_module_that_is_not_there_is_a_row(broken: Any) -> None:
    assert broken("", "acme_elsewhere") == "ModuleNotFoundError: No module named 'acme_elsewhere'"


def test_an_entry_point_must_name_a_module(broken: Any) -> None:
    reason = broken(provider_source(), "acme_plugin:freeride_register_provider")
    assert reason == "its entry point names a function, not a module"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "its module has no freeride_register_provider"),
        (BINDER.format(name="acme"), "its module has no freeride_register_provider"),
        (
            provider_source().replace("freeride_register_provider()", "freeride_register_provider(config)"),
            "wrong signature: .*freeride_register_provider.*'config'",
        ),
        (
            provider_source() + "\n@hookimpl\ndef freeride_startup(setings): pass\n",
            "wrong signature: .*freeride_startup.*'setings'",
        ),
        (
            provider_source().replace("register_provider", "register_providr"),
            "freeride_register_providr is no hook; there are",
        ),
        (provider_source() + "\n@hookimpl\ndef on_event(event): pass\n", "on_event is no hook; there are"),
        (provider_source().replace("@hookimpl", ""), "freeride_register_provider lacks @hookimpl"),
        (provider_source() + "\ndef freeride_evnt(event): pass\n", "freeride_evnt is no hook"),
        (provider_source() + "\ndef freeride_event(event): pass\n", "freeride_event lacks @hookimpl"),
    ],
)
def test_a_module_that_breaks_the_contract_is_a_row(broken: Any, source: str, reason: str) -> None:
    assert re.match(reason, broken(source))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise OSError('no network')", "OSError: no network"),
        ("raise SystemExit", "SystemExit"),
        ("assert None", "AssertionError"),
        ("return None", "freeride_register_provider returned a NoneType, not a Provider"),
        ("return {}", "freeride_register_provider returned a dict, not a Provider"),
        ("return Acme", "freeride_register_provider returned a type, not a Provider"),
        ("yield make()", "freeride_register_provider returned a generator, not a Provider"),
    ],
)
def test_a_hook_that_gives_no_provider_is_a_row(broken: Any, body: str, reason: str) -> None:
    assert broken(provider_source().replace("return make()", body)) == reason


@pytest.mark.parametrize(
    ("api", "reason"),
    [
        (2, "it speaks plugin API 2, and this core speaks 1; run: <upgrade>"),
        (0, "it speaks plugin API 0, and this core speaks 1; get a newer acme-dist"),
        ("'1'", "it does not say for which version of the contract it was written, such as api_version = 1"),
        (True, "it does not say for which version of the contract it was written, such as api_version = 1"),
    ],
)
def test_another_api_version_is_a_row_that_says_what_to_upgrade(install: Any, api: Any, reason: str) -> None:
    install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=provider_source(api=api))
    row = row_of(load_plugins(("provider",)))
    assert (row.status, row.reason.replace(upgrade_command(), "<upgrade>")) == ("broken", reason)
    assert row.api == (api if type(api) is int else None)


def test_a_version_is_stated_and_never_inherited(broken: Any) -> None:
    assert "does not say" in broken(with_change("del plugin.api_version"))


def test_what_needs_a_newer_core_says_how_to_get_it(install: Any) -> None:
    source = "from freeride_core import NotThereYet"
    install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=source)
    reason = row_of(load_plugins(("provider",))).reason
    assert "cannot import name 'NotThereYet'" in reason
    assert reason.endswith(f"and this is {__version__}; run: {upgrade_command()}")


def test_another_name_than_the_entry_point_s_is_a_row(broken: Any) -> None:
    assert broken(provider_source("acne")) == "its entry point is named 'acme', and it names itself 'acne'"


def test_a_name_that_no_variable_can_hold_is_a_row(install: Any) -> None:
    install("acme-dist", {"freeride.providers": {"Ac-me": "acme_plugin"}}, acme_plugin=provider_source("Ac-me"))
    assert "lower-case letters" in row_of(load_plugins(("provider",)), "Ac-me").reason


@pytest.mark.parametrize("member", ["about", "credentials", "base_url", "free", "catalog", "wires"])
def test_a_missing_member_is_a_row(broken: Any, member: str) -> None:
    assert broken(with_change(f"del plugin.{member}")) == f"`{member}` is missing"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("plugin.about = {}", "`about` is a dict, not an About"),
        ("plugin.credentials = [Credential(variable='A')]", "`credentials` is a list, not a tuple"),
        ("plugin.credentials = ('ACME_API_KEY',)", "`credentials` holds a str, not a Credential"),
        ("plugin.credentials = (Credential(variable='A', pattern='('),)", "error: "),
        ("plugin.base_url = 'https://acme.example/v1/'", "`base_url` ends with '/'"),
        ("plugin.free = None", "`free` has no `allows`"),
        ("plugin.wires = {}", "`wires` does not map"),
        ("plugin.wires = {'chat': plugin.wires}", "`wires` does not map"),
        ("plugin.catalog = ()", "`catalog` is a tuple, not a Catalog"),
        ("object.__setattr__(plugin.catalog, 'models', ('m',))", "`models` holds a str, not a Model"),
        ("plugin.limits = None", "`limits` is a NoneType, not a tuple"),
        ("plugin.probe = 1", "`probe` is an int, not a Probe"),
        ("plugin.first_byte_timeout = '30'", "`first_byte_timeout` is a str, not an int"),
        ("plugin.missing_models_most = '3'", "`missing_models_most` is a str, not an int"),
        ("plugin.rank = 'first'", "`rank` is a str, not an int"),
        (
            "plugin.__class__ = type('Odd', (Acme,), {'about': property(lambda self: 1 / 0)})",
            "ZeroDivisionError: division by zero",
        ),
    ],
)
def test_a_member_of_another_type_is_a_row(broken: Any, statement: str, reason: str) -> None:
    assert broken(with_change(statement)).startswith(reason)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('    title = "Acme"\n', "", "`title` is missing"),
        ('    homepage = "h"\n', "    homepage = 3\n", "`homepage` is an int, not a str"),
        ('    def edit(self, text, endpoint): return ""\n', "", "TypeError: Can't instantiate abstract class Acme"),
        ('    title = "Acme"\n', '    title = "Acme"\n    scopes = ()\n', "`scopes` is empty"),
        ('    title = "Acme"\n', '    title = "Acme"\n    scopes = ("home",)\n', "`scopes` holds a str, not a Place"),
    ],
)
def test_a_binder_is_held_to_its_contract_too(install: Any, old: str, new: str, reason: str) -> None:
    source = BINDER.format(name="tool")
    assert old in source
    install("acme-binder", {"freeride.binders": {"tool": "acme_binder"}}, acme_binder=source.replace(old, new))
    row = row_of(load_plugins(("binder",)), "tool")
    assert row.status == "broken"
    assert row.reason.startswith(reason)


def test_two_distributions_with_one_name_are_both_left_out(install: Any) -> None:
    install("acme-one", {"freeride.providers": {"acme": "acme_one"}}, acme_one=provider_source())
    install("acme-two", {"freeride.providers": {"acme": "acme_two"}}, acme_two=provider_source())
    plugins = load_plugins(("provider",))
    rows = [row for row in plugins.rows if row.name == "acme"]
    assert {(row.distribution, row.status) for row in rows} == {("acme-one", "conflict"), ("acme-two", "conflict")}
    assert {row.reason for row in rows} == {"acme-one and acme-two offer the same name: uninstall all but one of them"}
    assert "acme" not in plugins.providers
    assert not {"acme_one", "acme_two"} & set(sys.modules)
    with pytest.raises(PluginError, match="uninstall"):
        load_provider("acme")


def test_a_provider_and_a_binder_may_share_a_name(install: Any) -> None:
    install("acme-one", {"freeride.providers": {"acme": "acme_one"}}, acme_one=provider_source())
    install("acme-two", {"freeride.binders": {"acme": "acme_two"}}, acme_two=BINDER.format(name="acme"))
    plugins = load_plugins()
    assert {row.status for row in plugins.rows if row.name == "acme"} == {"ok"}
    assert plugins.modules["acme"].__name__ == "acme_one"


def test_two_plugins_in_one_module_are_told_apart_by_the_row(install: Any) -> None:
    install(
        "acme-dist",
        {"freeride.providers": {"acme": "acme_plugin", "bcme": "acme_plugin"}},
        acme_plugin=provider_source(),
    )
    plugins = load_plugins(("provider",))
    assert row_of(plugins).status == "ok"
    assert (
        row_of(plugins, "bcme").reason
        == "its module is that of provider:acme already; each plugin needs one of its own"
    )
    assert plugins.hooks.has_plugin("provider:acme")


def test_a_broken_plugin_leaves_the_others_and_their_hooks_alone(install: Any) -> None:
    seen = "\nseen = []\n@hookimpl\ndef freeride_startup(settings): seen.append(settings)\n"
    install("acme-good", {"freeride.providers": {"acme": "acme_good"}}, acme_good=provider_source() + seen)
    install("bcme-bad", {"freeride.providers": {"bcme": "bcme_bad"}}, bcme_bad=provider_source("bcme", api=9) + seen)
    plugins = load_plugins(("provider",))
    plugins.hooks.hook.freeride_startup(settings="settings")
    assert vars(plugins.modules["acme"])["seen"] == ["settings"]
    assert vars(sys.modules["bcme_bad"])["seen"] == []


def test_damaged_metadata_is_no_crash(install: Any) -> None:
    folder: Path = install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=provider_source())
    (folder / "acme_dist-1.2.3.dist-info" / "METADATA").unlink()
    row = row_of(load_plugins(("provider",)))
    assert row.status == "ok"


def test_ctrl_c_passes(install: Any) -> None:
    install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_plugins(("provider",))


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("plugin.free = type('Own', (), {'allows': lambda *_: True})()", "`asks_account` is missing"),
        (
            "plugin.catalog = CompatibleCatalog(checked='x', models=(Model(id='m', canonical='m', context='8192'),))",
            "context",
        ),
        ("plugin.catalog = CompatibleCatalog(checked='x', models=(Model(id=7, canonical='m'),))", "`id` is an int"),
        (
            "plugin.catalog = CompatibleCatalog(checked='x', models=(Model(id='m', canonical='m', retires=20270101),))",
            "retires",
        ),
    ],
)
def test_a_member_of_the_wrong_type_deep_down_is_a_row(broken: Any, statement: str, reason: str) -> None:
    assert reason in broken(with_change(statement))


def test_distributions_without_metadata_are_rows_all_the_same(install: Any) -> None:
    for name in ("acme-one", "acme-two"):
        folder = install(name, {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=provider_source())
        [metadata] = folder.glob("*.dist-info/METADATA")
        metadata.unlink()
    rows = [row for row in load_plugins(("provider",)).rows if row.name == "acme"]
    assert {row.status for row in rows} == {"conflict"}
