"""Editors that change one value of an agent's configuration and keep every other byte, comments included.

In reading order:

- `document`: the one interface of the editors
- `json`: JSON, JSON with comments and JSON5
- `json_syntax`: the positions that the JSON editor works by
- `yaml`: YAML; needs the extra `freeride-core[yaml]`
- `yaml_syntax`: the positions that the YAML editor works by
- `toml`: TOML; needs the extra `freeride-core[toml]`

Each editor is imported when it is first used.

Imports the front room.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from freeride_core.editing.document import Document, Path, Value

if TYPE_CHECKING:
    from freeride_core.editing.json import JsonDocument
    from freeride_core.editing.toml import TomlDocument
    from freeride_core.editing.yaml import YamlDocument

__all__ = ["Document", "JsonDocument", "Path", "TomlDocument", "Value", "YamlDocument"]

_EDITORS = {"JsonDocument": "json", "TomlDocument": "toml", "YamlDocument": "yaml"}


def __getattr__(name: str) -> Any:
    if name not in _EDITORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _EDITORS[name]
    try:
        editor = getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{name} needs {error.name}: pip install 'freeride-core[{module}]'", name=error.name
        ) from None
    globals()[name] = editor
    return editor
