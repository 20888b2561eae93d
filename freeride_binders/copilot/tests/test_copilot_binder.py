"""What starts GitHub Copilot CLI bound."""

from __future__ import annotations

import pytest

from freeride_binder_copilot import freeride_register_binder
from freeride_core import Endpoint, Unreadable

BINDER = freeride_register_binder()


def test_its_variables_leave_no_stronger_one_to_the_users() -> None:
    launch = BINDER.launch(Endpoint("http://127.0.0.1:11343", key="k", model="freeride/coding"))
    assert launch is not None
    environment = launch.environment
    assert environment["COPILOT_PROVIDER_BASE_URL"] == "http://127.0.0.1:11343/v1"
    assert environment["COPILOT_PROVIDER_BEARER_TOKEN"] == "k"
    models = {environment[f"COPILOT_{name}"] for name in ("MODEL", "PROVIDER_MODEL_ID", "PROVIDER_WIRE_MODEL")}
    assert models == {"freeride/coding"}


def test_it_has_no_file_to_edit() -> None:
    assert BINDER.scopes == ()
    with pytest.raises(Unreadable, match="has no file"):
        BINDER.edit(None, Endpoint("http://127.0.0.1:11343"))
