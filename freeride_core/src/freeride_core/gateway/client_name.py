"""How a client names itself: the products of its User-Agent, and no other words of it."""

from __future__ import annotations

import re

USER_AGENT_MOST = 512
"""Bytes of the header that are looked at."""
_MOST = 4
_COMMENT = re.compile(r"\([^()]*\)")
_PRODUCT = re.compile(r"[A-Za-z@][A-Za-z0-9@._-]{0,39}(?:/[A-Za-z0-9._+-]{1,40}){0,2}")


def client_name(user_agent: bytes) -> str:
    """Return the first four products with their versions, such as `acme/1.2 node/24`. A word without a version counts only at the
    beginning: further on it may be anything."""
    words = _COMMENT.sub(" ", user_agent.decode("latin-1")).split()
    products = [
        word for index, word in enumerate(words) if (index == 0 or "/" in word) and _PRODUCT.fullmatch(word) is not None
    ]
    return " ".join(products[:_MOST])
