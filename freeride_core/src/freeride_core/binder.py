"""What a binder plugin is made of: it turns an agent's configuration into one that points at the gateway.

A binder never touches a file. Core reads the text, shows the difference, backs up, writes and undoes.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from freeride_core.system.plain_text import printable


class Place(enum.StrEnum):
    """Whose configuration is edited."""

    HOME = "home"
    PROJECT = "project"
    """The folder in which `freeride bind` runs."""


class ClientProtocol(enum.StrEnum):
    """The protocol of an agent, named by its route at the gateway."""

    CHAT_COMPLETIONS = "/v1/chat/completions"
    RESPONSES = "/v1/responses"
    MESSAGES = "/v1/messages"
    GENERATE_CONTENT = "/v1beta/models/{model}:generateContent"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The gateway's address, key and model, for an agent's configuration."""

    root: str
    """`http://127.0.0.1:11343`, without a trailing slash."""
    key: str = "freeride-local"
    model: str = "auto"
    context: int = 128_000
    """Tokens of prompt and response together, for agents that never ask for a list of models."""
    max_output: int = 8192
    """Tokens of one response, for the same agents."""

    @property
    def openai(self) -> str:
        """Return the OpenAI base URL."""
        return f"{self.root}/v1"


FILES = "{files}"
"""The placeholder for the folder of a `Launch`'s files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How `freeride run` starts one process of an agent bound to the gateway, whatever its files say."""

    program: str
    """The program's name on the user's `PATH`: `agent`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables added to the environment. Put the key here: an argument would show it to every user of the machine."""
    arguments: tuple[str, ...] = ()
    """Arguments before the user's own, for what the environment cannot express or files would overrule."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts by plain file names, for an agent that takes its configuration from files only. They exist while the process
    lives, in a folder that the user alone can read. Values of the environment and arguments name that folder as `{files}`."""
    outranked_by: tuple[str, ...] = ()
    """Paths below a project's folder, such as `.acme/plugins`, whose content outranks the launch. `freeride run` names those that
    exist."""


@dataclass(frozen=True, slots=True)
class OtherModel:
    """A model that an agent uses without the gateway."""

    where: str
    """The setting that selects it, as people find it in the file: `agent.build.model`."""
    model: str
    """The agent's name for it, or the value of a setting that sends all requests elsewhere."""


class Unreadable(ValueError):
    """Raised for a configuration that cannot be parsed. The file stays untouched.

    The message says where and why, in one line. Anything that a parser quotes from the file is made printable."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class Binder(ABC):
    """Binds one agent."""

    api_version: ClassVar[int]
    """The version of the contract that the package was written for. The package states it."""

    name: str
    """The binder's name everywhere: entry point, `freeride bind NAME`."""
    title: str
    homepage: str
    scopes: tuple[Place, ...] = (Place.HOME,)
    """The first is the default. Empty only for an `EnvironmentBinder`."""
    moved_by: tuple[tuple[str, str], ...] = ()
    """The agent's variables that move the user's files, strongest first. Each names the path below the home folder that it
    replaces: `(("ACME_CONFIG", ".acme/config.toml"), ("XDG_CONFIG_HOME", ".config"))`. Core reads them."""
    merges: bool = False
    """Whether the agent merges all existing files of `path` and `other_paths`. Core then edits the last, which is the strongest.
    Otherwise, the agent reads the first that exists."""
    key_reference: str = ""
    """How the agent's configuration names an environment variable instead of a key, with `NAME` for its name: `{env:NAME}`,
    `$NAME`. Core writes it into a project's file, which must not hold a token. Empty if the agent has no such form."""
    overruled_by: tuple[str, ...] = ()
    """The agent's variables that outrank its file. `freeride doctor` names those whose value differs from the one of
    `launch`."""
    needs: ClientProtocol = ClientProtocol.CHAT_COMPLETIONS
    """The agent's protocol. If the gateway does not serve it, core does not bind the agent."""
    programs: tuple[str, ...] = ()
    """The agent's names on `PATH`. If empty, the agent is found by the folder of its configuration."""
    client_names: tuple[str, ...] = ()
    """How the agent's requests name it: products of their User-Agent without the version, `acme` of `acme/1.2 node/24`. By these
    `freeride doctor` tells when it last asked the gateway."""
    shared_client_names: tuple[str, ...] = ()
    """Products of a library only, which other programs use too. A request with one does not show that the agent asked."""
    renewed: tuple[str, ...] = ()
    """Members that the agent itself updates, such as the time of the last change. An undo ignores their changes."""
    reloads: bool = False
    """Whether a running agent picks up a change by itself. Otherwise, core says that it must be restarted."""
    after: str = ""
    """What else the user must do: `Choose FreeRide in its list of models.` `{key}` and `{model}` are replaced by the gateway's.
    If the edited file holds no key, say here where the key belongs."""

    def advice(self, endpoint: Endpoint) -> str:
        """Return what the user must do after binding to `endpoint`; empty if there is nothing to do."""
        restart = "" if self.reloads else f"Restart {self.title} to apply the change."
        after = self.after.replace("{key}", endpoint.key).replace("{model}", endpoint.model)
        return " ".join(filter(None, (restart, after)))

    @abstractmethod
    def path(self, scope: Place, home: Path, cwd: Path) -> Path:
        """Return the file to edit. Pure: core checks whether it exists and what moves it."""

    def other_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - most have one
        """Return other names under which the agent reads the file, in the agent's order. `merges` says which of several is
        edited."""
        return ()

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - likewise
        """Return files in the same format that outrank the edited one: a project's, or one in which the agent keeps the
        user's choices.

        Core does not edit them, and passes their texts to `other_models`."""
        return ()

    def retired_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - likewise
        """Return older files that the agent stops reading once the file exists. While one exists, core creates no new file."""
        return ()

    def prompt_folders(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - likewise
        """Folders of Markdown files, each for an agent, a mode or a command, that ask the `model` of their front matter in place of
        the chosen one. Core reads them, and asks `is_own`."""
        return ()

    def is_own(self, model: str) -> bool:  # noqa: ARG002 - the base class knows no agent
        """Whether a model of `prompt_folders`, as the agent names it, is asked of the gateway."""
        return False

    @abstractmethod
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        """Return the new text; `text` is None if there is no file yet. Raises `Unreadable`.

        Editing twice changes nothing more. Comments, and everything that is not the binder's, stay."""

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:  # noqa: ARG002 - the base class knows no agent
        """Return the model ids that an agent with this configuration will ask the gateway at `endpoint` for.

        Empty if the configuration points elsewhere. Raises `Unreadable`."""
        return ()

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:  # noqa: ARG002 - likewise
        """Return the models that an agent with this configuration uses without the gateway at `endpoint`. Raises `Unreadable`.

        They are those of other agents, modes and side jobs, or all of them."""
        return ()

    def launch(self, endpoint: Endpoint) -> Launch | None:  # noqa: ARG002 - likewise
        """Return how to start the agent bound to `endpoint` without changing a file, or None if only its file can bind it."""
        return None


class EnvironmentBinder(Binder):
    """Binds an agent that keeps no address in a file: its processes are started bound, by `freeride run`."""

    scopes: tuple[Place, ...] = ()

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - there is none
        raise ValueError(f"{self.title} has no file to edit")

    def edit(self, text: str | None, endpoint: Endpoint) -> str:  # noqa: ARG002 - likewise
        raise Unreadable(f"{self.title} has no file to edit")

    @abstractmethod
    def launch(self, endpoint: Endpoint) -> Launch: ...
