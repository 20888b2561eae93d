"""`freeride completion`: the script by which a shell completes commands, options, agents and providers."""

from __future__ import annotations

import enum
from typing import Annotated

import typer


class Shell(enum.StrEnum):
    """A shell that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def completion(
    shell: Annotated[Shell, typer.Argument(help="bash, zsh, fish or powershell.")],
) -> None:
    """Print the script that completes commands, options, agents and providers in your shell.

    \b
    bash:        echo 'eval "$(freeride completion bash)"' >> ~/.bashrc
    zsh:         echo 'eval "$(freeride completion zsh)"' >> ~/.zshrc
    fish:        freeride completion fish > ~/.config/fish/completions/freeride.fish
    powershell:  freeride completion powershell >> $PROFILE
    """
    from typer._completion_shared import get_completion_script

    from freeride_core.cli import COMPLETION_VARIABLE

    typer.echo(get_completion_script(prog_name="freeride", complete_var=COMPLETION_VARIABLE, shell=shell.value))


def prepare_completion() -> None:
    """Make this process able to answer a shell that asks how a command line could go on."""
    from typer._completion_classes import completion_init

    completion_init()
