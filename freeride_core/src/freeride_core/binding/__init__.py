"""Binding: a binder's edit applied to the files of an agent, shown before, and undone after.

In reading order:

- `change`: what an edit makes of a file, before anything is written
- `hazards`: what a user is told before a file is written
- `backups`: writes an edit and takes it back: the only file I/O for binders
- `files`: the files of agents, as bytes
- `members`: what a binding changes, member by member
- `prompts`: Markdown files that name a model
- `precedence`: what outranks a bound file
- `agent_files`: where an agent keeps its files
- `project`: what must hold of a project's files
- `record`: what an undo has to know of one file
- `masked_diff`: the difference for people, without secrets

Imports `editing`, `privacy`, the front room and `system`.
"""
