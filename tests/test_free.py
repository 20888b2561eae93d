"""Free policies deny what they do not know."""

from __future__ import annotations

import pytest

from freeride_core import Account, FreeSuffix, Model, ZeroPrice


@pytest.mark.parametrize(
    ("name", "price", "is_free"),
    [
        ("acme/one:free", None, True),
        ("acme/one:free", 0.0, True),
        ("acme/one:free", 0.01, False),
        ("acme/one", 0.0, False),
        ("acme/one:freeish", None, False),
    ],
)
def test_a_suffix_says_that_it_is_free_unless_its_price_says_otherwise(
    name: str, price: float | None, is_free: bool
) -> None:
    assert FreeSuffix(":free").allows(Model(id=name, canonical=name, price=price), Account()) is is_free


@pytest.mark.parametrize(("price", "is_free"), [(0.0, True), (None, False), (-1.0, False), (1e-9, False)])
def test_only_zero_is_zero(price: float | None, is_free: bool) -> None:
    assert ZeroPrice().allows(Model(id="a", canonical="a", price=price), Account()) is is_free
