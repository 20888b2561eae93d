"""Which proxy leads to an upstream, by the variables that other tools read too."""

from __future__ import annotations

import fnmatch
import ipaddress
import urllib.request

from freeride_core.system.loopback import is_loopback

_SOCKS = {"socks": "socks5"}
"""A scheme that desktops write."""


def proxy_for(scheme: str, host: str, port: int) -> str | None:
    """Return the proxy's URL, or None if the upstream is asked directly. This machine always is."""
    proxies = urllib.request.getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address or is_loopback(host) or _is_exempt(host, port, proxies.get("no", "")):
        return None
    kind, separator, rest = address.rpartition("://")
    if not separator:
        return f"http://{address}"
    return f"{_SOCKS.get(kind.lower(), kind.lower())}://{rest}"


def _is_exempt(host: str, port: int, exempt: str) -> bool:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if urllib.request.proxy_bypass(authority) or urllib.request.proxy_bypass(host):
        return True
    return any(_covers(entry.strip().lower(), host, authority) for entry in exempt.split(","))


def _covers(entry: str, host: str, authority: str) -> bool:
    """Whether an entry of `NO_PROXY` is a range with this address, or a pattern of this name."""
    if entry in (host, authority, f"[{host}]"):
        return True
    if "*" in entry:
        return fnmatch.fnmatchcase(host, entry) or fnmatch.fnmatchcase(authority, entry)
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
