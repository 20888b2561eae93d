"""Binds Kilo CLI to the FreeRide gateway."""

from __future__ import annotations

from freeride_binder_opencode import OpenCodeBinder
from freeride_core import Binder, hookimpl


class KiloBinder(OpenCodeBinder):
    """Adds a provider with its models to `kilo.json`. A fork of OpenCode. Read in @kilocode/cli 7.7.7, 2026-11-23."""

    api_version = 1
    name = "kilo"
    title = "Kilo CLI"
    homepage = "https://kilo.ai"
    programs = ("kilo",)
    client_names = ("Kilo-Code",)
    key_reference = ""  # it refuses references to variables in a project's file
    overruled_by = ("KILO_CONFIG_CONTENT", "KILO_CONFIG", "KILO_CONFIG_DIR")
    schema = "https://app.kilo.ai/config.json"
    agents = ("code", "plan")


@hookimpl
def freeride_register_binder() -> Binder:
    return KiloBinder()
