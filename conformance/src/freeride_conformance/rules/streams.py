"""Streams: whole, in order, however they are cut; and honest about how they end."""

from __future__ import annotations

import json
from typing import Any

from freeride_conformance import second_provider
from freeride_conformance.direct import send
from freeride_conformance.evidence import EVIDENCE
from freeride_conformance.rig import ANSWER, PROMPT, GatewayResponse, Rig, chat
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import OWN_FORMAT, TOOL, TOOL_PROMPT, TOOLS, ProviderSubject
from freeride_core.call import Operation
from freeride_core.provider import Decoder
from freeride_core.simulator.behaviour import POLYGLOT, SEPARATED

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Streams"


def _stream(subject: ProviderSubject, **more: Any) -> dict[str, Any]:
    return chat(subject.profile.default_model, stream=True, **more)


@rule(RULES, SECTION, fix="let the bytes pass, or give the wire a decoder that speaks OpenAI's stream", needs="chat")
def streams(subject: ProviderSubject) -> None:
    """A stream arrives in the client's format: its text, one finish reason, its usage if requested, and `[DONE]`."""
    with Rig(subject) as rig:
        reply = rig.ask(_stream(subject, stream_options={"include_usage": True}))
        assert reply.status == 200, f"the client got {reply.status}"
        assert reply.headers["content-type"].startswith("text/event-stream"), "it is no event stream"
        assert reply.events[-1:] == [b"[DONE]"], "it does not end with [DONE]"
        assert reply.events.count(b"[DONE]") == 1, "it says [DONE] more than once"
        assert reply.text == ANSWER, f"its text is {reply.text!r}"
        assert _finishes(reply) == ["stop"], f"its finish reasons are {_finishes(reply)}"
        assert any(chunk.get("usage") for chunk in reply.chunks), "usage was asked for and did not arrive"
        for chunk in reply.chunks:
            assert isinstance(chunk.get("choices"), list), f"a chunk has no `choices`: {json.dumps(chunk)[:200]}"


def _finishes(reply: GatewayResponse) -> list[str]:
    choices = [choice for chunk in reply.chunks for choice in chunk.get("choices") or []]
    return [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]


_CUTS = {
    "split-everywhere": ANSWER,
    "all-at-once": ANSWER,
    "crlf": ANSWER,
    "many-lines": ANSWER,
    "split-utf8": POLYGLOT,
    "line-separators": SEPARATED,
}


@rule(
    RULES,
    SECTION,
    fix="buffer up to a blank line, and end lines at CR, LF or CRLF only",
    needs="chat",
    variants=lambda _: _CUTS,
)
def streams_however_it_is_cut(subject: ProviderSubject, cut: str) -> None:
    """The client gets the same words however the stream arrives: in tiny writes, in one, with CR LF, or with events over
    several lines. Characters may be split across writes, and the text may hold U+2028."""
    with Rig(subject) as rig:
        rig.simulator.script(cut)
        reply = rig.ask(_stream(subject))
        assert reply.status == 200, f"the client got {reply.status}"
        assert reply.text == _CUTS[cut], f"its text is {reply.text!r}, and should be {_CUTS[cut]!r}"
        assert reply.events[-1] == b"[DONE]", "it does not end with [DONE]"


def _bodies(subject: ProviderSubject) -> tuple[str, ...]:
    forms = ("stream", "whole")
    return (*forms, *(f"{form}, tool call" for form in forms)) if TOOLS in subject.capabilities else forms


@rule(
    RULES,
    SECTION,
    fix="keep what is not a whole event yet for the next `decode`, and give the rest in `flush`",
    needs=OWN_FORMAT,
    variants=_bodies,
)
def decodes_however_it_is_cut(subject: ProviderSubject, form: str) -> None:
    """The output of a decoder does not depend on where the body was cut: at each byte in turn, and at every one."""
    wire = subject.provider.wires[Operation.CHAT]
    is_stream, is_tool_call = form.startswith("stream"), form.endswith("tool call")
    asked = chat("auto", TOOL_PROMPT, tools=[TOOL]) if is_tool_call else chat("auto", PROMPT)
    body = json.dumps({**asked, "stream": is_stream}).encode()
    call = subject.call(Operation.CHAT, body)
    with Rig(subject) as rig:
        key = subject.key(rig.simulator.base_url, subject.profile.good_key)
        raw = send(wire.prepare(call, subject.model(), key)).body

    def decoded(*pieces: bytes) -> bytes:
        decoder = wire.decoder(call, subject.model())
        return raw if decoder is None else _run(decoder, pieces)

    whole = decoded(raw)
    EVIDENCE.note(raw.decode("utf-8", "replace"), whole.decode("utf-8", "replace"))
    assert whole, "nothing comes out of the decoder"
    for at in range(1, len(raw)):
        assert decoded(raw[:at], raw[at:]) == whole, f"cut after {at} bytes, the decoder gives something else"
    assert decoded(*(raw[at : at + 1] for at in range(len(raw)))) == whole, (
        "byte by byte the decoder gives something else"
    )


def _run(decoder: Decoder, pieces: tuple[bytes, ...]) -> bytes:
    return b"".join([*(decoder.decode(piece) for piece in pieces), decoder.flush()])


_ENDS = ("error-mid-stream", "cut-mid-stream", "eof-mid-stream", "reset-mid-stream")


@rule(
    RULES,
    SECTION,
    fix="let errors pass the decoder, read them in Phase.EVENT, and end a stream only where the upstream did",
    needs="chat",
    variants=lambda _: _ENDS,
)
def ends_as_its_upstream_did(subject: ProviderSubject, end: str) -> None:
    """A stream that breaks off, or that reports a failure in the middle, ends in an error event, without `[DONE]` and without
    an invented finish reason."""
    with Rig(subject) as rig:
        rig.simulator.script(end)
        reply = rig.ask(_stream(subject))
        assert reply.status == 200, f"the client got {reply.status}"
        assert b"[DONE]" not in reply.events, "it says [DONE]"
        assert not _finishes(reply), f"it has the finish reason {_finishes(reply)}"
        assert reply.chunks, "nothing of what the upstream had said arrived"
        assert "error" in reply.chunks[-1], "its last event is not an error"


_NO_ANSWERS = {
    "error-first-event": True,
    "html-200": False,
    "html-200, streamed": True,
    "truncated-json": False,
}
"""What upstreams send with a 200 that is a failure, and whether a stream was requested."""


@rule(
    RULES,
    SECTION,
    fix="read errors in Phase.BODY and Phase.EVENT too, and do not make an answer of an error",
    needs="chat",
    variants=lambda _: _NO_ANSWERS,
)
def passes_over_what_is_no_answer(subject: ProviderSubject, form: str) -> None:
    """A stream that begins with an error, a page of HTML or half a JSON text does not serve, whatever its status. Another
    provider answers the same request."""
    is_stream = _NO_ANSWERS[form]
    with Rig(subject, with_partner=True) as rig:
        rig.simulator.always(form.partition(",")[0])
        reply = rig.ask(chat("auto", stream=is_stream))
        assert reply.status == 200, f"the client got {reply.status}"
        assert reply.headers["x-freeride-provider"] == second_provider.NAME, "it was taken for an answer"
        text = reply.text if is_stream else reply.json["choices"][0]["message"]["content"]
        assert text == ANSWER, f"the text is {text!r}"
