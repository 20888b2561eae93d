"""`freeride openclaw`: the commands about OpenClaw's own configuration. Each has an older name at the top level too."""

from __future__ import annotations

from freeride_binder_openclaw.cli.auto import auto
from freeride_binder_openclaw.cli.fallbacks import fallbacks
from freeride_binder_openclaw.cli.refresh import refresh
from freeride_binder_openclaw.cli.rotate import rotate
from freeride_binder_openclaw.cli.status import status
from freeride_binder_openclaw.cli.switch import switch
from freeride_core.cli import make_app

app = make_app(
    no_args_is_help=True,
    help="Choose the free model that OpenClaw asks at OpenRouter. Behind the gateway this is seldom needed.",
)
for command in (status, auto, switch, fallbacks, refresh, rotate):
    app.command()(command)
