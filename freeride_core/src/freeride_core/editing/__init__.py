"""Editors that change one value of an agent's configuration and keep every other byte, comments included.

In reading order:

- `document`: the one interface of the editors
- `json`: JSON, JSON with comments and JSON5
- `json_syntax`: the positions that the JSON editor works by
- `yaml`: YAML; needs the extra `freeride-core[yaml]`
- `yaml_syntax`: the positions that the YAML editor works by
- `toml`: TOML; needs the extra `freeride-core[toml]`
- `env`: `.env` files

Each editor is imported when it is first used.

Imports the front room.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from freeride_core.editing.document import Document, Path, Value

if TYPE_CHECKING:
    from freeride_core.editing.env import EnvDocument
    from freeride_core.editing.json import JsonDocument
    from freeride_core.editing.toml import TomlDocument
    from freeride_core.editing.yaml import YamlDocument

__all__ = ["Document", "EnvDocument", "JsonDocument", "Path", "TomlDocument", "Value", "YamlDocument"]

_EDITORS = {"EnvDocument": "env", "JsonDocument": "json", "TomlDocument": "toml", "YamlDocument": "yaml"}

_FORMATS = {
    ".env": "EnvDocument",
    ".json": "JsonDocument",
    ".jsonc": "JsonDocument",
    ".json5": "JsonDocument",
    ".toml": "TomlDocument",
    ".yaml": "YamlDocument",
    ".yml": "YamlDocument",
}


def open_document(name: str, text: str) -> Document | None:
    """Return the editor for a file of this name, or None if no editor knows its format, or lacks its library."""
    suffix = name if name == ".env" else name[name.rfind(".") :]
    if suffix not in _FORMATS:
        return None
    try:
        editor: type[Document] = __getattr__(_FORMATS[suffix])
    except ImportError:
        return None
    return editor(text)  # type: ignore[call-arg]  # every editor takes the text; the interface leaves that to them


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
