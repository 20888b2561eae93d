"""Plugins: from entry points of installed distributions to checked objects.

In reading order:

- `discovery`: finds, imports and registers plugins; a broken one becomes a row of `freeride plugins`
- `entry_point`: loads one entry point
- `validation`: what a provider or binder must have, checked once when it is loaded
- `adapters`: plugins for an older version of the contract

Imports `settings`, `privacy`, the front room and `system`.
"""
