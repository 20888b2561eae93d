"""Certifies the provider: every rule of the suite, and every case of its `simulator.toml`, is a test here."""

from freeride_conformance.test_plugins import *  # noqa: F403

FREERIDE_PROVIDER = "ollama"
