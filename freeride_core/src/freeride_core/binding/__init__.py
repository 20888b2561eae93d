"""Binding: a binder's edit applied to the files of an agent, shown before, and undone after.

In reading order:

- `change`: applies and undoes edits: the only file I/O for binders
- `agent_files`: where an agent keeps its files
- `project`: what must hold of a project's files
- `record`: what an undo has to know of one file
- `masked_diff`: the difference for people, without secrets

Imports `privacy`, the front room and `system`.
"""
