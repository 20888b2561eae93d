"""Asks a simulator without a gateway in between: the upstream's answer as it is on the wire."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from freeride_conformance.evidence import EVIDENCE
from freeride_core.answer import Answer, Phase, UpstreamRequest

NOW = 1_795_406_400.0
"""What the clock shows in checks that need none."""
_TIMEOUT_S = 10


def send(request: UpstreamRequest) -> Answer:
    """The whole answer to what a package has prepared."""
    where = urlsplit(request.url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=_TIMEOUT_S)
    try:
        target = where.path + (f"?{where.query}" if where.query else "")
        connection.request(request.method, target, request.body or None, dict(request.headers))
        reply = connection.getresponse()
        headers = {name.lower(): value for name, value in reply.getheaders()}
        phase = Phase.BODY if reply.status == 200 else Phase.STATUS
        answer = Answer(reply.status, headers, reply.read(), NOW, phase)
    finally:
        connection.close()
    EVIDENCE.note(f"{request.method} {where.path}", f"{answer.status} {answer.body.decode('utf-8', 'replace')}")
    return answer
