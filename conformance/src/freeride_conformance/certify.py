"""`freeride certify`: the suite, for one plugin or for all, in any directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_OF_PYTEST = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")
"""What is meant for other runs of pytest."""


def certify(
    names: Annotated[list[str] | None, typer.Argument(metavar="PLUGIN", help="Plugins; none: all installed.")] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write the report as JSON.")] = None,
    gold: Annotated[bool, typer.Option("--gold", help="Fail for what is missing for gold.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="One line a check.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Print all rules as a Markdown table, and exit.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the report, and exit.")] = False,
) -> None:
    """Certify installed plugins against their own simulators. Nothing else is contacted.

    Exit codes: 0 certified; 1 a rule is broken; 4 no such plugin, or it cannot be loaded.
    """
    if schema:
        import json

        from freeride_conformance.report import report_schema

        typer.echo(json.dumps(report_schema(), indent=2))
        return
    if rules:
        from freeride_conformance.rulebook import rulebook

        typer.echo(rulebook(), nl=False)
        return
    import subprocess
    import tempfile

    from freeride_core.system.programs import python_command, python_environ

    arguments = ["--pyargs", "freeride_conformance", "-p", "no:cacheprovider", "--no-header", "-rN"]
    arguments += ["-v"] if verbose else ["-q"]
    arguments += [f"--freeride-{kind}={name}" for name in names or () for kind in _kinds_of(name)]
    arguments += ["--freeride-gold"] if gold else []
    arguments += [f"--freeride-report={report.absolute()}"] if report is not None else []
    with tempfile.TemporaryDirectory(prefix="freeride-certify-") as folder:
        # What pytest finds where it runs, such as a `conftest.py`, is about other tests, or a stranger's.
        config = Path(folder, "pytest.ini")
        config.write_text("[pytest]\n", "utf-8")
        command = python_command("pytest", *arguments, "-c", str(config), f"--rootdir={folder}")
        environ = {name: value for name, value in python_environ().items() if name not in _OF_PYTEST}
        code = subprocess.run(command, env=environ, cwd=folder, check=False).returncode
    raise typer.Exit(code)


def _kinds_of(name: str) -> list[str]:
    """A name may stand for a provider and for a binder: then both are certified. An unknown one is left to the suite."""
    from freeride_core.plugins.discovery import offered_names

    return [kind for kind in ("provider", "binder") if name in offered_names(kind)] or ["provider"]
