"""What the binder makes of pi's configuration."""

from __future__ import annotations

import json
import re
from pathlib import Path

from freeride_binder_pi import freeride_register_binder
from freeride_core import Endpoint, Place
from freeride_core.editing import JsonDocument

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Place.HOME, Path("/h"), Path("/p")) == Path("/h/.pi/agent/models.json")
    assert BINDER.scopes == (Place.HOME,)


def test_binding_with_another_model_leaves_the_earlier_one_to_choose_from() -> None:
    endpoint = Endpoint(ENDPOINT.root, model="freeride/coding")
    edited = BINDER.edit(BINDER.edit(None, ENDPOINT), endpoint)
    assert BINDER.models(edited, endpoint) == ("auto", "freeride/coding")


def test_one_process_gets_the_provider_by_an_extension() -> None:
    launch = BINDER.launch(ENDPOINT)
    assert launch is not None
    assert launch.arguments == ("-e", "{files}/freeride.mjs", "--provider", "freeride", "--model", "auto")
    found = re.fullmatch(
        r'export default \(pi\) => pi\.registerProvider\("freeride", (.*)\);\n', launch.files["freeride.mjs"]
    )
    assert found is not None
    assert json.loads(found[1]) == JsonDocument(BINDER.edit(None, ENDPOINT)).get(["providers", "freeride"])
