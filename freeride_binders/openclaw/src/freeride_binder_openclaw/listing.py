"""What a running gateway says that it serves."""

from __future__ import annotations

import json

import httpx

from freeride_binder_openclaw.body import read_body
from freeride_binder_openclaw.scene import Unusable
from freeride_core import Endpoint
from freeride_core.gateway.encoding import EncodingFault

_PATIENCE_S = 10.0


def listed_ids(endpoint: Endpoint) -> list[str]:
    """The ids of `GET /v1/models`. Raises `Unusable`: nobody answers there, or no gateway."""
    try:
        with httpx.stream(
            "GET",
            f"{endpoint.openai}/models",
            headers={"authorization": f"Bearer {endpoint.key}"},
            timeout=_PATIENCE_S,
            trust_env=False,
        ) as answer:
            return [row["id"] for row in json.loads(read_body(answer))["data"]]
    except httpx.HTTPError:
        raise Unusable(
            f"nothing answers at {endpoint.root}, so nobody knows its models; start it with: freeride serve"
        ) from None
    except (EncodingFault, ValueError, LookupError, TypeError):
        raise Unusable(f"what answers at {endpoint.root} lists no models") from None
