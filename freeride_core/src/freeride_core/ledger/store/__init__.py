"""The store: the state that outlives a process, shared by every gateway and command of this home.

In reading order:

- `store`: the contract of a store, and the entries that it keeps
- `drivers`: the store that `FREERIDE_STATE` names
- `sqlite`: one SQLite file
- `memory`: nothing outlives the process
- `sync`: changes out soon, changes of others in

Imports `plugins`, `settings` and `system`.
"""
