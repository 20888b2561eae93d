"""What upstreams do wrong, and what comes of it: one table, for the tests at the sockets and for docs/faults.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fake_upstream import CLOSE, DONE, HANG, RESET, SSE_HEAD, Step, chunk, completion, framed, reply, stream
from fault_cases.model import (
    BEGUN,
    COMMENT,
    COMMENTS,
    FINISHED,
    HALF,
    HTML,
    JSON,
    LARGE,
    ROLE,
    SAID,
    STOP,
    WHOLE,
    WORDS,
    Cooled,
    Fault,
    Outcome,
    after,
    answer,
    before,
    begun,
    cut,
    cut_after_each,
    error_event,
    labelled,
    own,
    redirects,
    sound,
    spelled,
    torn,
    zipped,
)
from fault_cases.refusals import REFUSALS

MARK = b"\xef\xbb\xbf"
MODEL_30_S = Cooled("model", 30)
ACCOUNT_120_S = Cooled("account", 120)
SOON = {"first_byte_timeout": 0.5, "idle_timeout": 0.5, "answer_timeout": 0.5}
SHORT = spelled(delta={"content": "Hi"}) + spelled(delta={}, finish_reason="stop") + DONE
ROLES_AND_NOTHING: list[Step] = [ROLE, 0.1, chunk({}), 0.1]
SHORT_CRLF = SHORT.replace(b"\n", b"\r\n")
OTHER_JSON: tuple[Any, ...] = ([], "words", 1, {}, {"choices": None}, {"choices": {}})
JSON_LABELS = ("application/json", "text/event-stream")
PASSED_OVER: dict[str, Any] = {"kind": "protocol", "alone": Outcome.REFUSED, "beside": Outcome.SECOND}
LOST: dict[str, Any] = PASSED_OVER | {"kind": "network", "cooled": MODEL_30_S}
SILENT: dict[str, Any] = PASSED_OVER | {"kind": "timeout", "cooled": MODEL_30_S, "patience": SOON}
BROKEN: dict[str, Any] = {"alone": Outcome.BROKEN_OFF, "beside": Outcome.BROKEN_OFF}
COMPLETED: dict[str, Any] = {"alone": Outcome.COMPLETED, "beside": Outcome.COMPLETED}
ITS_OWN: dict[str, Any] = {"alone": Outcome.ITS_OWN, "beside": Outcome.ITS_OWN}
EMPTY: dict[str, Any] = {"alone": Outcome.ITS_OWN, "beside": Outcome.SECOND}
NO_TOKENS = {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}

FAULTS: Mapping[str, tuple[Fault, ...]] = {
    "A stream that fails before its first word": (
        Fault(
            name="is cut off, at its head or after its role",
            trials=before(
                [RESET], [CLOSE], [SSE_HEAD[:20], CLOSE], *cut(), *cut(ROLE), *cut(ROLE, HALF), *cut(COMMENT)
            ),
            **LOST,
        ),
        Fault(
            name="ends without a word",
            trials=before(stream(), stream(ROLE), stream(COMMENT), stream(ROLE, HALF)),
            **PASSED_OVER,
        ),
        Fault(name="has an empty body", trials=before(labelled(b"", "text/event-stream")), **PASSED_OVER),
        Fault(name="sends nothing for ever", trials=before([HANG], [SSE_HEAD, HANG], stream(ROLE, HANG)), **SILENT),
        Fault(
            name="sends nothing but comments, roles or empty deltas for ever",
            trials=before(stream(*COMMENTS * 300), stream(ROLE, *COMMENTS * 300), stream(*ROLES_AND_NOTHING * 150)),
            **SILENT,
        ),
        Fault(
            name="says that it is a rate limit",
            trials=before(
                stream(error_event(429)),
                stream(MARK + error_event(429)),
                stream(b'event: error\ndata: {"message": "secret words", "code": 429}\n\n'),
                stream(COMMENT, ROLE, ROLE, chunk({}, "error", error={"message": "secret words", "code": 429})),
                stream(
                    ROLE,
                    chunk({"content": ""}),
                    chunk({"content": None}),
                    b'data: {"error": {"code": "429"}}\n\n',
                    DONE,
                ),
            ),
            **PASSED_OVER | {"kind": "rate_limit", "cooled": ACCOUNT_120_S},
        ),
        Fault(
            name="says that it fails, without a status",
            trials=before(
                stream(b'data: {"error": {"message": "secret words"}}\n\n'),
                stream(ROLE, b"event: error\ndata: secret words\n\n"),
                stream(ROLE, chunk({}, "error")),
            ),
            **PASSED_OVER | {"kind": "unavailable", "cooled": MODEL_30_S},
        ),
        Fault(
            name="sends an event that is no JSON",
            trials=before(stream(b"data: {not JSON\n\n", *SAID), stream(ROLE, HALF + b"\n\n"), stream(b"data: 1\n\n")),
            **PASSED_OVER,
        ),
        Fault(name="is `[DONE]` and nothing else", trials=after(DONE, stream(DONE), stream(DONE + DONE)), **EMPTY),
        Fault(
            name="finishes without a word",
            trials=after(ROLE + STOP + DONE, stream(ROLE, STOP, DONE)),
            **EMPTY,
        ),
        Fault(
            name="finishes without a word, and counts tokens",
            trials=sound([ROLE, chunk({}, "stop", usage={"completion_tokens": 4}), DONE]),
            **ITS_OWN,
        ),
    ),
    "A stream that fails after its first word": (
        Fault(
            name="is cut off, after any event or within one",
            trials=(
                *cut_after_each(2, 4),
                *after(BEGUN, *cut(*SAID[:4], HALF), *cut(BEGUN + HALF)),
            ),
            **BROKEN | {"kind": "network", "cooled": MODEL_30_S},
        ),
        Fault(
            name="ends without a finish reason or `[DONE]`",
            trials=after(
                BEGUN,
                stream(BEGUN),
                stream(*SAID[:4], HALF),
                [SSE_HEAD.replace(b"transfer-encoding: chunked", b"connection: close"), BEGUN, CLOSE],
            ),
            **BROKEN | {"kind": "network", "cooled": MODEL_30_S},
        ),
        Fault(
            name="sends nothing for ever",
            trials=(
                *after(BEGUN, stream(*SAID[:4], HANG), stream(*SAID[:4], HALF, HANG)),
                *after(BEGUN + COMMENT, stream(*SAID[:4], COMMENT, HANG)),
            ),
            patience=SOON,
            **BROKEN | {"kind": "timeout", "cooled": MODEL_30_S},
        ),
        Fault(
            name="says that it is a rate limit",
            trials=after(
                BEGUN, stream(*SAID[:4], error_event(429), DONE), stream(BEGUN + error_event(429) + STOP + DONE)
            ),
            **BROKEN | {"kind": "rate_limit", "cooled": ACCOUNT_120_S},
        ),
        Fault(
            name="says that it fails, without a status",
            trials=after(
                BEGUN,
                stream(*SAID[:4], b'data: {"error": {"message": "secret words"}}\n\n', DONE),
                stream(*SAID[:4], b"event: error\ndata: secret words\n\n"),
                stream(*SAID[:4], b'event: error\ndata: {"message": "secret words", "code": 502}\n\n'),
                stream(*SAID[:4], chunk({}, "error", error={"message": "secret words"}), DONE),
            ),
            **BROKEN | {"kind": "unavailable", "cooled": MODEL_30_S},
        ),
        Fault(
            name="is compressed, unasked, and breaks off",
            trials=after(BEGUN, [*zipped(BEGUN), CLOSE], [*zipped(BEGUN), framed(b"\0"), b"0\r\n\r\n"]),
            **BROKEN | {"kind": "network", "cooled": MODEL_30_S},
        ),
        Fault(
            name="is compressed, unasked, and then is no longer",
            trials=after(BEGUN, [*zipped(BEGUN), 0.3, framed(b"\xff" * 40), b"0\r\n\r\n"]),
            **BROKEN | {"kind": "protocol"},
        ),
        Fault(
            name="sends an event that is no JSON, and goes on",
            trials=sound([*SAID[:3], HALF + b"\n\n", *SAID[3:]], [*SAID[:3], b"data: {not JSON}\n\n", *SAID[3:]]),
            is_garbled=True,
            **ITS_OWN,
        ),
    ),
    "A stream that fails after its finish": (
        Fault(
            name="is cut off, or ends, without `[DONE]`",
            trials=after(
                FINISHED,
                stream(FINISHED),
                *cut(*SAID[:5]),
                stream(*SAID[:4], STOP.rstrip()),
                stream(*SAID[:5], DONE.rstrip()),
                stream(*SAID[:5], DONE[:9]),
                *cut(FINISHED, HALF),
            ),
            **COMPLETED,
        ),
        Fault(
            name="sends nothing more for ever, without `[DONE]`",
            trials=after(FINISHED, stream(*SAID[:5], HANG)),
            patience=SOON,
            **COMPLETED,
        ),
        Fault(
            name="is cut off, hangs or goes on after `[DONE]`",
            trials=after(
                WHOLE, *cut(*SAID), stream(*SAID, HANG), stream(WHOLE + WORDS[0]), stream(*SAID, error_event(429))
            ),
            **ITS_OWN,
        ),
        Fault(
            name="says `[DONE]` more than once",
            trials=after(WHOLE, stream(*SAID, DONE), stream(WHOLE + DONE + DONE)),
            **ITS_OWN,
        ),
        Fault(
            name="says `[DONE]` and had no finish reason", trials=after(BEGUN + DONE, stream(BEGUN, DONE)), **ITS_OWN
        ),
    ),
    "A stream that is odd, and sound": (
        Fault(
            name="comes with several events, or half of one, in a read",
            trials=sound(
                [WHOLE],
                [BEGUN, STOP + DONE],
                [ROLE + HALF, WHOLE[len(ROLE + HALF) :]],
                [bytes([byte]) for byte in WHOLE],
            ),
            **ITS_OWN,
        ),
        Fault(
            name="comes in two reads, cut at any byte",
            trials=(
                *torn(SHORT, range(1, len(SHORT))),
                *torn(SHORT_CRLF, range(1, len(SHORT_CRLF) - 1)),
                # A line may end with CR, so nobody waits for the LF behind the last one.
                *after(SHORT_CRLF[:-1], stream(SHORT_CRLF[:-1], 0.3, b"\n")),
            ),
            **ITS_OWN,
        ),
        Fault(
            name="ends its lines with CRLF or CR",
            trials=sound(
                [event.replace(b"\n", b"\r\n") for event in SAID], [event.replace(b"\n", b"\r") for event in SAID]
            ),
            **ITS_OWN,
        ),
        Fault(
            name="begins with a byte order mark",
            trials=sound([MARK + ROLE, *SAID[1:]], [MARK, *SAID], [MARK[:1], 0.01, MARK[1:] + ROLE, *SAID[1:]]),
            **ITS_OWN,
        ),
        Fault(
            name="has an event of several `data:` lines",
            trials=sound([ROLE, WORDS[0].replace(b', "', b',\ndata: "'), STOP, DONE]),
            **ITS_OWN,
        ),
        Fault(
            name="has line ends of Unicode (U+2028, U+2029, U+0085) within its words",
            trials=sound(
                [ROLE, spelled(delta={"content": "a?b"}).replace(b"?", "\u2028\u2029\x85".encode()), STOP, DONE]
            ),
            **ITS_OWN,
        ),
        Fault(
            name="has an event of 8 MiB",
            trials=sound(
                [ROLE, chunk({"content": LARGE}), STOP, DONE], [*SAID[:2], chunk({"content": LARGE}), STOP + DONE]
            ),
            **ITS_OWN,
        ),
        Fault(
            name="begins with comments, or counts its tokens at the end without being asked to",
            trials=(
                *sound([COMMENT, *SAID]),
                *after(WHOLE, stream(*SAID[:5], chunk({}, choices=[], usage={"completion_tokens": 2}), DONE)),
            ),
            **ITS_OWN,
        ),
        Fault(
            name="sends comments between its words for longer than silence may last",
            trials=sound([*SAID[:2], *COMMENTS * 12, *SAID[2:]]),
            patience={"idle_timeout": 1.0},
            **ITS_OWN,
        ),
        Fault(name="is compressed, unasked", trials=after(WHOLE, [*zipped(WHOLE), b"0\r\n\r\n"]), **ITS_OWN),
        Fault(
            name="is labelled as text, as bytes, or not at all",
            trials=after(WHOLE, *(labelled(WHOLE, label) for label in ("text/plain", "application/octet-stream", ""))),
            **ITS_OWN,
        ),
        Fault(
            name="names another model than it was asked for",
            trials=sound([event.replace(b"some-model", b"another-model") for event in SAID]),
            **ITS_OWN,
        ),
    ),
    "An answer that is no stream": (
        Fault(
            name="is a page of HTML, however labelled",
            trials=before(*(labelled(HTML, label) for label in ("text/html", "text/event-stream", "application/json"))),
            **PASSED_OVER,
        ),
        Fault(
            name="is a whole answer in JSON, or the half of one",
            trials=before(*(labelled(body, label) for body in (JSON, JSON[:60]) for label in JSON_LABELS)),
            **PASSED_OVER,
        ),
        Fault(
            name="is an error in JSON, with a 200",
            trials=before(
                *(labelled({"error": {"message": "slow down", "code": 429}}, label) for label in JSON_LABELS)
            ),
            **PASSED_OVER | {"kind": "rate_limit", "cooled": ACCOUNT_120_S},
        ),
        Fault(
            name="is a stream that is labelled as JSON", trials=before(labelled(WHOLE, JSON_LABELS[0])), **PASSED_OVER
        ),
        Fault(name="is a redirect, which is not followed", trials=redirects(), **PASSED_OVER),
    ),
    "An answer that refuses": REFUSALS,
    "A whole answer": (
        Fault(
            is_stream=False,
            name="is a page of HTML, however labelled",
            trials=before(labelled(HTML, "text/html"), reply(200, HTML)),
            **PASSED_OVER,
        ),
        Fault(
            is_stream=False,
            name="is JSON that breaks off, or nothing",
            trials=before(reply(200, JSON[:60]), reply(200, b"")),
            **PASSED_OVER,
        ),
        Fault(
            is_stream=False,
            name="is JSON of another kind",
            trials=before(*(reply(200, body) for body in OTHER_JSON)),
            **PASSED_OVER,
        ),
        Fault(
            is_stream=False,
            name="is a stream",
            trials=before(stream(*SAID), labelled(WHOLE, "application/json")),
            **PASSED_OVER,
        ),
        Fault(is_stream=False, name="is a redirect, which is not followed", trials=redirects(), **PASSED_OVER),
        Fault(
            is_stream=False,
            name="has a status that says nothing",
            trials=before(reply(204, b""), reply(202, JSON)),
            **PASSED_OVER,
        ),
        Fault(
            is_stream=False,
            name="is an error with a 200, of a rate limit",
            trials=before(reply(200, {"error": {"message": "slow down", "code": 429}})),
            **PASSED_OVER | {"kind": "rate_limit", "cooled": ACCOUNT_120_S},
        ),
        Fault(
            is_stream=False,
            name="is an error with a 200, without a status",
            trials=before(
                *(reply(200, {"error": error}) for error in ("words", {"message": "words"}, {"code": "odd"}))
            ),
            **PASSED_OVER | {"kind": "unavailable", "cooled": MODEL_30_S},
        ),
        Fault(
            is_stream=False,
            name="is cut off",
            trials=before(begun(CLOSE), begun(RESET)),
            **LOST,
        ),
        Fault(is_stream=False, name="sends nothing for ever", trials=before([HANG], begun(HANG)), **SILENT),
        Fault(
            is_stream=False,
            name="has no choices, or says nothing",
            trials=own(
                json.dumps(completion(choices=[], usage=NO_TOKENS)).encode(),
                answer({"content": ""}, usage=NO_TOKENS),
                answer({"content": None, "tool_calls": []}, usage=None),
            ),
            **EMPTY,
        ),
        Fault(
            is_stream=False,
            name="has no choices, or says nothing, and counts tokens",
            trials=own(json.dumps(completion(choices=[])).encode(), answer({"content": ""})),
            **ITS_OWN,
        ),
        Fault(
            is_stream=False,
            name="calls a tool and says nothing",
            trials=own(answer({"content": None, "tool_calls": [{"id": "c", "type": "function"}]}, usage=NO_TOKENS)),
            **ITS_OWN,
        ),
        Fault(
            is_stream=False,
            name="is labelled as text, as bytes, or not at all",
            trials=after(JSON, *(labelled(JSON, label) for label in ("text/plain", "application/octet-stream", ""))),
            **ITS_OWN,
        ),
        Fault(
            is_stream=False,
            name="names another model than it was asked for",
            trials=own(answer({"content": "Hi"}, model="another-model")),
            **ITS_OWN,
        ),
        Fault(is_stream=False, name="is 8 MiB long", trials=own(answer({"content": LARGE})), **ITS_OWN),
    ),
}
