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
    """A route of a gateway, which stands for the protocol that agents speak there."""

    CHAT_COMPLETIONS = "/v1/chat/completions"
    RESPONSES = "/v1/responses"
    MESSAGES = "/v1/messages"
    GENERATE_CONTENT = "/v1beta/models/{model}:generateContent"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the gateway is, in the forms that agents want."""

    root: str
    """`http://127.0.0.1:11343`, without a trailing slash."""
    key: str = "freeride-local"
    model: str = "auto"
    context: int = 128_000
    """Tokens that fit into a prompt and its answer, for agents that ask no list of models."""
    max_output: int = 8192
    """Tokens of one answer, likewise."""

    @property
    def openai(self) -> str:
        """The OpenAI base URL."""
        return f"{self.root}/v1"


FILES = "{files}"
"""In a `Launch`, the folder that its files are in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How one process of an agent is started bound, whatever its files say: for `freeride run`."""

    program: str
    """Found on the user's path: `agent`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the process's own. The place for the key, which an argument would show to everybody on the machine."""
    arguments: tuple[str, ...] = ()
    """Stand before the user's own; for what the environment cannot say, or what files overrule there."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts by plain names, for an agent that takes all this from a file only, whose path it is told. They stand in a folder
    of the user's alone for as long as the process lives; values of the environment and arguments call it `{files}`."""
    outranked_by: tuple[str, ...] = ()
    """Paths below a project's folder, such as `.acme/plugins`, whose content outranks all this. `freeride run` names those that
    are there."""


@dataclass(frozen=True, slots=True)
class OtherModel:
    """A model that an agent asks for past the gateway."""

    where: str
    """The setting that says so, as people find it in the file: `agent.build.model`."""
    model: str
    """As the agent names it; of a setting that sends all requests elsewhere, its value."""


class Unreadable(ValueError):
    """The configuration cannot be parsed; it is left untouched. The message says where and why, in one line: what a parser
    quotes of the file is made fit to print."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class Binder(ABC):
    """Binds one agent."""

    api_version: ClassVar[int]
    """The version of the contract that the package was written for, stated by the package."""

    name: str
    """The one string: entry point, `freeride bind NAME`."""
    title: str
    homepage: str
    scopes: tuple[Place, ...] = (Place.HOME,)
    """First is the default."""
    moved_by: tuple[tuple[str, str], ...] = ()
    """The agent's own variables that say where its files of the user's are, strongest first, each with what it stands in place
    of below the home folder: `(("ACME_CONFIG", ".acme/config.toml"), ("XDG_CONFIG_HOME", ".config"))`. Core reads them."""
    merges: bool = False
    """The agent merges all of `path` and `other_paths` that are there, and the last of them is the strongest: core edits that one.
    False: the agent reads the first that is there."""
    key_reference: str = ""
    """How the agent's configuration names an environment variable in place of a key, with `NAME` for its name: `{env:NAME}`,
    `$NAME`. Core writes it into a project's file, where a token does not belong. Empty: there is no such form."""
    overruled_by: tuple[str, ...] = ()
    """The agent's own variables that outrank its file. `freeride doctor` names those that are set to something else than
    `launch` sets them to."""
    needs: ClientProtocol = ClientProtocol.CHAT_COMPLETIONS
    """The protocol that the agent speaks. Core binds nobody who needs one that the gateway does not serve."""
    programs: tuple[str, ...] = ()
    """By these names the agent is found on `PATH`. None: it is found by the folder that its configuration is in."""
    renewed: tuple[str, ...] = ()
    """Members that the agent itself renews, such as the time of the last change: that does not keep an undo from its work."""
    reloads: bool = False
    """A running agent takes a change in by itself; else core says that it must be restarted."""
    after: str = ""
    """What else the user does once it is bound: `Choose FreeRide in its list of models.` In it `{key}` and `{model}` are the
    gateway's; a binder of an agent that keeps no key in the file that is edited says here where it belongs."""

    def advice(self, endpoint: Endpoint) -> str:
        """What the user does once it is bound to `endpoint`, in words; empty: nothing."""
        restart = "" if self.reloads else f"Restart {self.title} where it runs."
        after = self.after.replace("{key}", endpoint.key).replace("{model}", endpoint.model)
        return " ".join(filter(None, (restart, after)))

    @abstractmethod
    def path(self, scope: Place, home: Path, cwd: Path) -> Path:
        """The file to edit. Pure: whether it exists, and what moves it, is core's business."""

    def other_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - most have one
        """Other names under which the agent reads the file, in its own order. `merges` says which of several is edited."""
        return ()

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - likewise
        """Files in the same format that core does not edit and whose settings outrank those of the file: a project's, or one in
        which the agent keeps the user's choices. Core asks `other_models` what they say."""
        return ()

    def retired_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - likewise
        """Older files that the agent stops reading once the file is there. Core makes no new file while there is one of them."""
        return ()

    @abstractmethod
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        """The new text. None: there is no file yet. Editing twice changes nothing more; comments and everything that is not
        the binder's stay. Raises `Unreadable`."""

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:  # noqa: ARG002 - the base class knows no agent
        """The model ids that the agent will ask the gateway at `endpoint` for when `text` is its configuration; empty where it
        points elsewhere. Raises `Unreadable`."""
        return ()

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:  # noqa: ARG002 - likewise
        """The models that the agent asks for past the gateway at `endpoint` when `text` is its configuration, or a part of that:
        other agents' and modes', those of side jobs, or all of them. Raises `Unreadable`."""
        return ()

    def launch(self, endpoint: Endpoint) -> Launch | None:  # noqa: ARG002 - likewise
        """What starts the agent bound to `endpoint` without a change of any file. None: it can be bound by its file only."""
        return None
