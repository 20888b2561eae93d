"""Ownership: who can change a file that a user's settings and keys depend on."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path


def risk_of(path: Path) -> str | None:
    """Return why a file or folder may hold another user's work, or None if only this user and root can change it.

    A missing one holds nothing. On Windows, where modes say nothing, there is no answer but None.
    """
    if sys.platform == "win32":
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    if found.st_uid not in _own_ids():
        return f"it belongs to another user ({_user_name(found.st_uid)})"
    is_shared = found.st_mode & stat.S_IWGRP and not _is_own_group(found.st_gid)
    return "other users can write to it" if is_shared or found.st_mode & stat.S_IWOTH else None


if sys.platform != "win32":
    import grp
    import pwd

    def _own_ids() -> set[int]:
        own = os.geteuid()
        behind_sudo = os.environ.get("SUDO_UID", "") if own == 0 else ""
        return {own, 0, *([int(behind_sudo)] if behind_sudo.isdecimal() else [])}

    def _is_own_group(number: int) -> bool:
        """Whether the group is this user's alone, as many systems make one for each user, or root's.

        In a container, a group may have no name: then it is one that the container was given."""
        try:
            group = grp.getgrgid(number)
        except KeyError:
            return number in (os.getegid(), *os.getgroups())
        own = _user_name(os.geteuid())
        return number == 0 or (group.gr_name == own and {*group.gr_mem} <= {own})

    def _user_name(number: int) -> str:
        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:
            return str(number)
