"""What a running gateway says that it serves."""

from __future__ import annotations

from freeride_binder_openclaw.workspace import Unusable
from freeride_core.cli import GatewayClient, Settings


def listed_ids(root: str, settings: Settings) -> list[str]:
    """The ids of the gateway's `GET /v1/models`. Raises `Unusable` if no gateway of the user's answers there."""
    with GatewayClient(root, settings) as gateway:
        if (fault := gateway.fault()) is not None:
            raise Unusable(fault)
        _, content = gateway.get("/v1/models")
    try:
        return [row["id"] for row in content["data"]]
    except (LookupError, TypeError):
        raise Unusable(f"what answers at {root} lists no models") from None
