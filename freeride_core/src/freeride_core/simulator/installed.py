"""The profiles that installed provider packages ship."""

from __future__ import annotations

from importlib import resources

from freeride_core.plugins.discovery import Plugins
from freeride_core.simulator.profile import Profile, ProfileError
from freeride_core.simulator.profile_file import parse_profile

FILE = "simulator.toml"


def installed_profile(plugins: Plugins, name: str) -> Profile:
    """The profile of a usable provider. ProfileError: it ships none, a faulty one, or that of another."""
    file = resources.files(plugins.modules[name]) / FILE
    place = f"{plugins.modules[name].__name__}/{FILE}"
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(place, (f"cannot be read: {error}",)) from None
    profile = parse_profile(text, place)
    if profile.provider != name:
        raise ProfileError(place, (f"provider: is {profile.provider!r} and must be {name!r}",))
    return profile
