"""The `freeride` command: lists all commands without importing one, and imports the one that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperArgument, TyperGroup

from freeride_core import __version__
from freeride_core.settings.home import SettingsError
from freeride_core.system.spelling import suggestion

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter
    from typer._click.shell_completion import CompletionItem

PLUGIN_GROUP = "freeride.commands"

# Where each command is and what it does: `module:function`, the function's parameters being the command's.
BUILT_IN: Mapping[str, tuple[str, str]] = {
    "init": ("freeride_core.cli.init:init", "Get a free key, check it, and save it."),
    "serve": ("freeride_core.cli.serve:serve", "Run the gateway."),
    "status": ("freeride_core.cli.status:status", "Show what runs, who serves, and what is left today."),
    "stop": ("freeride_core.cli.stop:stop", "Stop the gateway."),
    "demo": ("freeride_core.cli.demo:demo", "Watch a failover on simulated providers. Needs no key."),
    "bind": ("freeride_core.cli.bind:bind", "Point an agent at the gateway."),
    "run": ("freeride_core.cli.run:app", "Run an agent through the gateway without changing its config."),
    "doctor": ("freeride_core.cli.doctor:doctor", "Find what is wrong, and say what to do."),
    "keys": ("freeride_core.cli.keys:keys", "Show your keys, and whether each can be used now."),
    "quota": ("freeride_core.cli.quota:quota", "Show what is left of each free tier, and when there is more."),
    "models": ("freeride_core.cli.models:models", "Show the free models that you can use now."),
    "watch": ("freeride_core.cli.watch:watch", "Follow requests and failovers as they happen."),
    "providers": ("freeride_core.cli.providers:app", "Add upstreams of your own, and choose who is asked."),
    "plugins": ("freeride_core.cli.plugins:plugins", "Show the installed providers and binders."),
    "simulate": ("freeride_core.cli.simulate:simulate", "Play one provider on a local port."),
    "telemetry": ("freeride_core.cli.telemetry:telemetry", "Show what is counted and sent, or turn it off."),
    "upgrade": ("freeride_core.cli.upgrade:upgrade", "Upgrade FreeRide."),
    "completion": ("freeride_core.cli.completion:completion", "Complete commands and names in your shell."),
    "uninstall": ("freeride_core.cli.uninstall:uninstall", "Undo every binding, and say what else to remove."),
    "version": ("freeride_core.cli.version:version", "Show the version."),
}
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Start": ("demo", "init", "serve", "stop", "run"),
    "Set up": ("bind", "providers", "telemetry", "completion", "upgrade", "uninstall"),
    "Look": ("status", "quota", "keys", "models", "watch", "doctor", "version"),
    "Plugins": ("plugins", "simulate"),
}
"""The built-in commands as `--help` groups them. The last section also has those of plugins."""
ALIASES: Mapping[str, str] = {"list": "models"}
ELSEWHERE: Mapping[str, str] = {"new": "freeride-conformance", "certify": "freeride-conformance"}
"""Commands that people have read about, and the distribution that each comes with."""

HELP_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""Of all commands. Help is as wide as the terminal, at most this many columns."""


class CommandGroup(TyperGroup):
    """Knows every command by name; a plugin's command also by its distribution."""

    @cached_property
    def _offers(self) -> dict[str, list[EntryPoint]]:
        """The plugins' commands by name. A built-in name cannot be taken over."""
        offers: dict[str, list[EntryPoint]] = {}
        for entry_point in entry_points(group=PLUGIN_GROUP):
            if entry_point.name not in BUILT_IN and entry_point.name not in ALIASES:
                offers.setdefault(entry_point.name, []).append(entry_point)
        return offers

    @cached_property
    def older_names(self) -> dict[str, dict[str, list[EntryPoint]]]:
        """Return the older commands of each app that its distribution is named after, by the name of the app.

        They are the other commands of that distribution: its commands had these names before they were in the app."""
        older: dict[str, dict[str, list[EntryPoint]]] = {}
        apps = {name: _distributions(offers) for name, offers in self._offers.items()}
        for app, origins in apps.items():
            if any(origin.endswith(f"-{app}") for origin in origins):
                older[app] = {name: self._offers[name] for name in apps if apps[name] == origins and name != app}
        return older

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - the signature is the base class's
        return [*BUILT_IN, *sorted(self._offers)]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002 - likewise
        name = ALIASES.get(cmd_name, cmd_name)
        if name in BUILT_IN:
            return _make_command(name, EntryPoint(name, BUILT_IN[name][0], PLUGIN_GROUP).load())
        offers = self._offers.get(name)
        return None if offers is None else _load_plugin_command(name, offers)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - likewise
        apart = {name for app, older in self.older_names.items() for name in (app, *older)}
        others = [(name, _origins(offers)) for name, offers in sorted(self._offers.items()) if name not in apart]
        *_, last = SECTIONS
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([*((name, BUILT_IN[name][1]) for name in names), *(others if title == last else ())])
        for app, older in sorted(self.older_names.items()):
            with formatter.section(app):
                rows = [(name, f"older name of `freeride {app} {name}`") for name in sorted(older)]
                formatter.write_dl([(app, _origins(self._offers[app])), *rows])

    def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin so, and import none of the commands."""
        from typer._click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        summaries = {name: summary for name, (_, summary) in BUILT_IN.items()}
        return [
            CompletionItem(name, help=summaries.get(name))
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        command = None if args[0].startswith("-") else self.get_command(ctx, args[0])
        if command is None:
            origin = ELSEWHERE.get(args[0])
            known = [*self.list_commands(ctx), *ALIASES]
            guess = f"{suggestion(args[0], known)}`freeride --help` lists them"
            where = f"it comes with: pip install {origin}" if origin else guess
            _stop(f"there is no command {args[0]!r}; {where}", 2)
        return args[0], command, args[1:]

    def invoke(self, ctx: Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            _stop(str(error), 1)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # click's own wording
            raise


def _distributions(offers: list[EntryPoint]) -> tuple[str, ...]:
    return tuple(sorted(offer.dist.name if offer.dist else "unknown" for offer in offers))


def _origins(offers: list[EntryPoint]) -> str:
    return "from " + ", ".join(_distributions(offers))


def _load_plugin_command(name: str, offers: list[EntryPoint]) -> Command:
    if len(offers) > 1:
        _stop(f"the command {name!r} comes {_origins(offers)}: uninstall all but one of them", 1)
    try:
        return _make_command(name, offers[0].load())
    except KeyboardInterrupt:
        raise
    except BaseException as fault:  # SystemExit too: an error at import is the plugin's fault
        _stop(f"the command {name!r} {_origins(offers)} cannot be loaded: {type(fault).__name__}: {fault}", 1)


def _make_command(name: str, target: typer.Typer | Callable[..., Any]) -> Command:
    app = target
    if not isinstance(app, typer.Typer):
        app = make_app()
        app.command(name)(target)
    command = typer.main.get_command(app)
    command.name = name
    _hide_types(command)
    return command


def _hide_types(command: Command) -> None:
    """Leave the type out of the help of arguments: their names say what they are, and `<list[str]>` says nothing."""
    for parameter in command.params:
        if isinstance(parameter, TyperArgument):
            parameter.display_type_rich = lambda ctx: None  # type: ignore[method-assign] # noqa: ARG005 - typer's hook
    for member in command.commands.values() if isinstance(command, TyperGroup) else ():
        _hide_types(member)


def _stop(message: str, code: int) -> NoReturn:
    from freeride_core.cli.terminal import complain

    complain(message)
    raise typer.Exit(code)


def make_app(**settings: Any) -> typer.Typer:
    """A Typer app in the house's style: plain help, plain errors, nothing to install into a shell."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings)


app = make_app(
    cls=CommandGroup,
    no_args_is_help=True,
    context_settings=HELP_SETTINGS,
)


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", "-V", help="Show the version and exit.")] = False,
) -> None:
    """One local OpenAI-compatible endpoint over every free LLM tier you have a key for."""
    if version:
        typer.echo(f"freeride {__version__}")
        raise typer.Exit


freeride = typer.main.get_command(app)
