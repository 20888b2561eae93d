"""What the binder makes of Acme Code's settings."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from freeride_binder_acmecode import freeride_register_binder
from freeride_core import Endpoint, Unreadable
from freeride_core.binder import Place

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")
SAMPLES: dict[str, Any] = tomllib.loads(
    (resources.files("freeride_binder_acmecode") / "samples.toml").read_text("utf-8")
)


@pytest.mark.parametrize("sample", SAMPLES["sample"], ids=lambda sample: sample["name"])
def test_a_sample_is_bound_and_binding_it_again_changes_nothing(sample: dict[str, str]) -> None:
    bound = BINDER.edit(sample.get("before"), ENDPOINT)
    assert bound == sample["after"]
    assert BINDER.edit(bound, ENDPOINT) == bound
    assert BINDER.models(bound, ENDPOINT) == ("auto",)


@pytest.mark.parametrize("refused", SAMPLES["refused"], ids=lambda refused: refused["name"])
def test_what_cannot_be_read_is_refused(refused: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        BINDER.edit(refused["text"], ENDPOINT)


def test_the_ends_of_lines_stay() -> None:
    assert BINDER.edit("theme = dark\r\n", ENDPOINT).count("\r\n") == 4


def test_an_agent_that_is_not_bound_asks_the_gateway_for_nothing() -> None:
    assert BINDER.models("model = acme/anvil-70b\n", ENDPOINT) == ()
    assert BINDER.models("base_url = https://api.acme.example/v1\nmodel = acme/anvil-70b\n", ENDPOINT) == ()


def test_each_scope_has_its_own_file() -> None:
    home, cwd = Path("/home/me"), Path("/work")
    assert BINDER.path(Place.HOME, home, cwd) == home / ".acmecode" / "settings.conf"
    assert BINDER.path(Place.PROJECT, home, cwd) == cwd / ".acmecode" / "settings.conf"
