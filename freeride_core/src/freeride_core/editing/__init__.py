"""Editors that change a configuration in place: every byte that is not replaced stays as its owner wrote it.

In reading order:

- `json`: JSON, JSON with comments and JSON5
- `json_syntax`: the positions that the JSON editor works by
- `yaml`: YAML; needs the extra `freeride-core[yaml]`
- `toml`: TOML; needs the extra `freeride-core[toml]`

Imports the front room.
"""
