"""The page of the hooks promises what the core does, and no more."""

from __future__ import annotations

import re

from freeride_core import hookspecs
from freeride_core.cli.group import PLUGIN_GROUP
from freeride_core.cli.status_section import STATUS_GROUP
from freeride_core.ledger.store.drivers import STORE_GROUP
from freeride_core.plugins.discovery import GROUPS


def test_the_hooks_page_names_the_entry_point_groups_that_are_read() -> None:
    (groups,) = re.findall(r"^Entry-point groups:\n\n(.*?)(?=\n\n)", hookspecs.__doc__ or "", re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`(freeride\.\w+)`", groups)) == {*GROUPS.values(), PLUGIN_GROUP, STATUS_GROUP, STORE_GROUP}
