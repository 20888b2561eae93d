"""What a running gateway says that it serves."""

from __future__ import annotations

import httpx

from freeride_binder_openclaw.scene import Unusable
from freeride_core import Endpoint

_PATIENCE_S = 10.0


def listed_ids(endpoint: Endpoint) -> list[str]:
    """The ids of `GET /v1/models`. Raises `Unusable`: nobody answers there, or no gateway."""
    try:
        answer = httpx.get(
            f"{endpoint.openai}/models",
            headers={"authorization": f"Bearer {endpoint.key}"},
            timeout=_PATIENCE_S,
            trust_env=False,
        )
        return [row["id"] for row in answer.json()["data"]]
    except httpx.HTTPError:
        raise Unusable(
            f"nothing answers at {endpoint.root}, so nobody knows its models; start it with: freeride serve"
        ) from None
    except (ValueError, LookupError, TypeError):
        raise Unusable(f"what answers at {endpoint.root} lists no models") from None
