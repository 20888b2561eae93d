"""Certifies the binder: every rule of the suite is a test here."""

from freeride_conformance.test_plugins import *  # noqa: F403

FREERIDE_BINDER = "copilot"
