"""Which driver keeps the state: the one that is installed for the scheme of `FREERIDE_STATE`."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from freeride_core.ledger.store.sqlite import DEFAULT_URL, SqliteStore
from freeride_core.ledger.store.store import Store, StoreUrlError
from freeride_core.plugins.entry_point import load_entry_point
from freeride_core.settings.home import PREFIX, SettingsError

STORE_GROUP = "freeride.state"


def open_store(url: str, home: Path) -> Store:
    """Return the store that `url` names. Raise `SettingsError`."""
    try:
        return _driver_of(url).open(url, home)
    except StoreUrlError as error:
        raise SettingsError(f"{PREFIX}STATE", "the URL of a store", str(error)) from None


def is_there(url: str, home: Path) -> bool:
    """Whether the store that `url` names may hold anything. Raise `SettingsError`."""
    try:
        return _driver_of(url).is_there(url, home)
    except StoreUrlError as error:
        raise SettingsError(f"{PREFIX}STATE", "the URL of a store", str(error)) from None


def _driver_of(url: str) -> type[Store]:
    if url == DEFAULT_URL:
        return SqliteStore  # also where the core has no metadata, and so no entry points
    scheme, _, _ = url.partition(":")
    offers = {offer.name: offer for offer in entry_points(group=STORE_GROUP)}
    if ":" not in url or scheme not in offers:
        raise StoreUrlError(f"write one that begins with {' or '.join(f'{name}:' for name in sorted(offers))}")
    try:
        driver = load_entry_point(offers[scheme])
    except Exception as error:
        raise StoreUrlError(f"its driver cannot be loaded ({type(error).__name__}); install it again") from None
    if not (isinstance(driver, type) and issubclass(driver, Store)):
        raise StoreUrlError(f"the driver of {scheme}: is no subclass of Store; install another one")
    return driver
