"""Adapters: a plugin for an older version of the contract goes in, one that the rest of the core understands comes out.

Nothing else in the core knows of older versions. When `API_VERSION` is raised to N, the adapter for N-1 goes in here, and the
one for N-2 goes.
"""

from __future__ import annotations

from collections.abc import Callable

from freeride_core.provider import Provider

PROVIDER_ADAPTERS: dict[int, Callable[[Provider], Provider]] = {}
"""By the version that a provider was written for. Version 1 is the first that was published, so there is no older one yet."""
