"""The store: the state that outlives a process, shared by every gateway and command of this home.

In reading order:

- `sqlite`: one SQLite file
- `sync`: changes out soon, changes of others in

Imports `system`.
"""
