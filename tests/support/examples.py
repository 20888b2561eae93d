"""How many examples a test makes up that needs another number than most."""

from __future__ import annotations

from hypothesis import settings


def examples(wanted: int) -> int:
    """This number in the suite; in the quick loop at most the number that every test has there."""
    if settings.get_current_profile_name() == "quick":
        return min(wanted, settings.get_profile("quick").max_examples)
    return wanted
