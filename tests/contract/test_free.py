"""Free policies deny what they do not know."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freeride_core import Account, Answer, CompatibleCatalog, FreeSuffix, Model, Promoted, ZeroPrice


@pytest.mark.parametrize(
    ("name", "price", "is_free"),
    [
        ("acme/one:free", None, True),
        ("acme/one:free", 0.0, True),
        ("acme/one:free", 0.01, False),
        ("acme/one:free", -1.0, False),
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


@pytest.mark.parametrize(("can_be_billed", "is_free"), [(False, True), (None, True), (True, False)])
def test_a_promotion_is_not_for_an_account_that_can_be_billed(can_be_billed: bool | None, is_free: bool) -> None:
    gift = Model(id="a", canonical="a", promoted=True, price=0.5)
    assert Promoted().asks_account
    assert Promoted().allows(gift, Account(can_be_billed=can_be_billed)) is is_free
    assert not Promoted().allows(Model(id="a", canonical="a", price=0), Account(can_be_billed=can_be_billed))


@pytest.mark.parametrize(
    ("prices", "counts"),
    [
        ((0, 0), 0),
        ((0, 0.1), 0.1),
        ((0.1, 0), 0.1),
        ((0, None), None),
        ((None, 0), None),
        ((0, -1), -1),
        ((-1, 0.1), -1),
        ((0, 0.1, 0), 0.1),
        ((0, None, 0), None),
    ],
)
def test_entries_that_disagree_about_a_price_make_a_model_as_dear_as_the_dearer_says(
    prices: tuple[float | None, ...], counts: float | None
) -> None:
    def parse_entry(row: Any, dated: Any) -> list[Model]:
        return [Model(id="a", canonical="a", price=row["price"], promoted=row["price"] == 0)]

    catalog = CompatibleCatalog(checked="2026-12-01", parse_entry=parse_entry)
    body = json.dumps({"data": [{"price": price} for price in prices]}).encode()
    [model] = catalog.parse(Answer(200, {}, body, 0.0))
    assert model.price == counts
    assert model.promoted is all(price == 0 for price in prices)
