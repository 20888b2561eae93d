"""Identity: how a gateway proves that it belongs to a home, before anything is handed to it.

Any program can listen at the gateway's address. The proof is an HMAC of a random challenge and of the address that was dialed,
under a secret that lies in the home. The address is part of it so that another listener cannot pass a challenge on to the real
gateway and return its answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import sys
from pathlib import Path

_FILE = "gateway.secret"
_SECRET_BYTES = 32
_CHALLENGE = re.compile(r"[0-9a-f]{32}")


def new_challenge() -> str:
    """A random challenge: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def is_challenge(text: str) -> bool:
    """Whether a gateway answers it. It signs nothing longer, and nothing that could mean something elsewhere."""
    return _CHALLENGE.fullmatch(text) is not None


def prove(secret: bytes, challenge: str, host: str, port: int) -> str:
    """The proof: 64 hexadecimal digits. `host` is an IP address of the gateway's socket, `port` its port."""
    message = f"freeride-gateway {challenge} {_plain(host)} {port}"
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()


def is_proof(proof: object, secret: bytes, challenge: str, host: str, port: int) -> bool:
    """Whether it is the proof for this challenge and address. Compares in constant time."""
    if not isinstance(proof, str) or not proof.isascii():
        return False
    return hmac.compare_digest(proof, prove(secret, challenge, host, port))


def read_secret(home: Path) -> bytes | None:
    """Return the home's secret, or None if it does not exist yet or another user could know it."""
    try:
        descriptor = os.open(home / _FILE, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if sys.platform != "win32":
            found = os.fstat(file.fileno())
            if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                return None
        secret = file.read(_SECRET_BYTES + 1)
    return secret if len(secret) == _SECRET_BYTES else None


def make_secret(home: Path) -> bytes | None:
    """Return the home's secret, and make it if no usable one exists, or None if nothing can be written. Two processes that start
    at once get the same one."""
    path = home / _FILE
    for _ in range(3):
        if (secret := read_secret(home)) is not None:
            return secret
        temporary = home / f"{_FILE}.{secrets.token_hex(4)}"
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_SECRET_BYTES))
            try:
                _put(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError:
            return None
    return read_secret(home)


def lend_secret(home: Path, other: Path) -> None:
    """Lets a gateway with another home prove that it belongs to this one. Without a secret in this home it proves nothing."""
    if (secret := read_secret(home)) is not None:
        descriptor = os.open(other / _FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)


def _put(temporary: Path, path: Path) -> None:
    """Gives the new file its name. One that is there keeps it, unless it cannot be used."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        if read_secret(path.parent) is None:
            temporary.replace(path)
    except OSError:  # a file system without links
        temporary.replace(path)


def _plain(host: str) -> str:
    """One spelling of an address: without a zone, and without the prefix that IPv4 has on an IPv6 socket."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host.partition("%")[0])
        return str(getattr(address, "ipv4_mapped", None) or address)
    return host
