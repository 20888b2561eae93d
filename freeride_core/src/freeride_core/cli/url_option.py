"""The option `--url`: where the gateway listens."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

import typer

UrlOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the gateway listens. [default: FREERIDE_HOST and FREERIDE_PORT, http://127.0.0.1:11343]",
    ),
]


def gateway_root(url: str | None) -> str:
    """Return the gateway's root; a `/v1`, as agents write it, is cut off. None stands for the settings' address.

    Raises `BadParameter` for what is no such address, and `SettingsError`."""
    if url is None:
        from freeride_core.settings.resolver import load_settings

        return load_settings().root_url
    try:
        parts = urlsplit(url)
        is_plain = re.fullmatch(r"[!-~]+", url) and not set("?#@") & set(url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and is_plain:
            return url.rstrip("/").removesuffix("/v1").rstrip("/")
    except ValueError:
        pass
    raise typer.BadParameter("expected scheme, host and port, such as http://127.0.0.1:11343", param_hint="--url")
