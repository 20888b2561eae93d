"""What reads text of strangers takes time in proportion to its length: a project's files, upstreams' errors, names of models."""

from __future__ import annotations

import contextlib
import gc
import json
import time
from collections.abc import Callable

import pytest

from freeride_core.answer import Answer
from freeride_core.binder import Endpoint, Unreadable
from freeride_core.binding.masked_diff import show_difference
from freeride_core.call import Call, Operation
from freeride_core.compatible import retry_after
from freeride_core.compatible.catalog import without_quantisation
from freeride_core.compatible.errors import UpstreamErrorBody
from freeride_core.compatible.usual_rules import USUAL
from freeride_core.editing import JsonDocument, YamlDocument
from freeride_core.gateway.http import sse
from freeride_core.gateway.origins import _parsed
from freeride_core.gateway.protocols.request import parse_call
from freeride_core.plugins.discovery import load_plugins
from freeride_core.privacy.prompt_redaction import without_echo
from freeride_core.privacy.redaction import Redactor
from freeride_core.settings.dotenv import _ASSIGNMENT

ENDPOINT = Endpoint("http://127.0.0.1:11343")
PLUGINS = load_plugins()
NOW = 1_795_406_400.0
TIMES = 8
"""How many times as long the second text is. With the square of its length, the work would be 64 times as much."""
SLACK = 3
LEAST_S = 0.002
SHORTEST, LONGEST = 256, 1 << 16


def spent(act: Callable[[str], object], text: str) -> float:
    """Processor seconds of this thread, whatever else the machine does."""
    best = float("inf")
    for _ in range(3):
        started = time.thread_time()
        with contextlib.suppress(Unreadable, ValueError):
            act(text)
        best = min(best, time.thread_time() - started)
    return best


def check_growth(act: Callable[[str], object], make: Callable[[int], str]) -> None:
    gc.collect()
    gc.disable()
    try:
        size = SHORTEST
        while (short := spent(act, make(size))) < LEAST_S and size < LONGEST:
            size *= 2
        long = spent(act, make(size * TIMES))
    finally:
        gc.enable()
    assert long <= max(short, LEAST_S) * TIMES * SLACK, (
        f"{size} of it take {short:.4f} s, {TIMES} times as many {long:.4f} s"
    )


def numbered(template: str) -> Callable[[int], str]:
    """The template again and again, with numbers for `#`."""
    return lambda size: "".join(template.replace("#", str(number)) for number in range(size))


DIFFERENCES: dict[str, Callable[[int], str]] = {
    "apostrophes": lambda size: '{"theme": "' + "'" * size + '"}',
    "escaped quotes": lambda size: '{"theme": "' + '\\"' * size + '"}',
    "quotes, apostrophes and escapes": lambda size: "\"'\\" * size,
    "strings that end at blanks": lambda size: "'a'" * size + " " * size,
    "blanks after a secret": lambda size: "key: abc" + " " * size + "x",
    "anchors": lambda size: "key: " + "&" * size + " x y",
    "anchors with names": lambda size: "&key= " * size + "x",
    "anchors with commas": lambda size: "key=&," * size + " x",
    "secrets on one line": lambda size: "{" + ",".join(f'"key":"x{number}"' for number in range(size)) + "}",
    "lists of secrets": lambda size: "{" + ",".join('"key":["x"]' for _ in range(size)) + "}",
    "brackets": lambda size: "key: " + "[{" * size,
    "lines of which many are equal": lambda size: "".join(f"line {number % 150}\n" for number in range(size)),
    "addresses": lambda size: "://a:b" * size,
    "an address": lambda size: "://a:" + "b" * size,
    "words with dashes": lambda size: "a1-" * size,
    "a word": lambda size: "a1" * size,
    "dashes": lambda size: "- " * size,
    "triple quotes": lambda size: 'key="""' * size,
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_takes_time_in_proportion(name: str) -> None:
    make = DIFFERENCES[name]
    check_growth(lambda text: show_difference(text.encode(), f"{text}\nz: 1\n".encode(), "p"), make)
    check_growth(lambda text: show_difference(f"a: 1\n{text}\n".encode(), f"a: 2\n{text}\nz: 1\n".encode(), "p"), make)


def test_a_megabyte_of_equal_lines_is_shown_from_its_first_change_to_its_last() -> None:
    text = "".join(f"line {number % 150}\n" for number in range(100_000))
    shown = show_difference(f"a: 1\n{text}b: 1\n".encode(), f"a: 2\n{text}b: 2\n".encode(), "p")
    assert (shown.count("\n-"), shown.count("\n+")) == (100_002, 100_003), "with the head's `+++`"


def edit_json(text: str) -> None:
    document = JsonDocument(text)
    document.set(["model"], "x")
    document.set(["provider", "own"], {"a": "b"})
    document.append(["list"], {"a": "b"})
    document.remove(["model"])


def edit_yaml(text: str) -> None:
    document = YamlDocument(text)
    document.set(["model"], "x")
    document.append(["models"], {"a": "b"})
    document.remove(["model"])


def bind(name: str) -> Callable[[str], object]:
    return lambda text: PLUGINS.binders[name].edit(text, ENDPOINT)


EDITS: dict[str, tuple[Callable[[str], object], Callable[[int], str]]] = {
    "JSON: members on a line": (edit_json, lambda size: "{" + ",".join(f'"a{n}":1' for n in range(size)) + "}"),
    "JSON: a line for each": (edit_json, lambda size: "{\n" + ",\n".join(f' "a{n}": 1' for n in range(size)) + "\n}"),
    "JSON: items": (edit_json, lambda size: '{"list": [\n' + ",\n".join('{"a":1}' for _ in range(size)) + "\n]}"),
    "JSON: depth": (edit_json, lambda size: '{"a":' + "[" * size + "]" * size + "}"),
    "JSON: blanks": (edit_json, lambda size: "{" + " " * size + "}"),
    "JSON: comments": (edit_json, lambda size: "{" + "/* a */ " * size + "/*"),
    "JSON: escapes": (edit_json, lambda size: '{"a":"' + '\\"' * size),
    "YAML: keys": (edit_yaml, numbered("a#: 1\n")),
    "YAML: items": (edit_yaml, lambda size: "models:\n" + "- a: 1\n" * size),
    "YAML: open lists": (edit_yaml, lambda size: "a: " + "[" * size * 8),
    "YAML: open mappings": (edit_yaml, lambda size: "a: " + "{" * size * 8),
    "YAML: dashes": (edit_yaml, lambda size: "- " * size),
    "YAML: anchors": (edit_yaml, numbered("a#: &b# 1\n")),
    "YAML: comments": (edit_yaml, lambda size: "a: 1\n" + "# x\n" * size),
    "YAML: words": (edit_yaml, lambda size: "a: " + "x " * size),
    ".env: blanks": (_ASSIGNMENT.fullmatch, lambda size: "A=b" + " " * size + "c"),
    ".env: apostrophes": (_ASSIGNMENT.fullmatch, lambda size: "A='" + "\\'" * size + " x"),
    "an agent's .env: blanks": (bind("gemini"), lambda size: "GEMINI_API_KEY=b" + " " * size + "c\n"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_takes_time_in_proportion(name: str) -> None:
    check_growth(*EDITS[name])


def asked(text: str) -> Call:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return parse_call(Operation.CHAT, json.dumps(body).encode())


CALL = asked("Hello?")


def read_by_all(text: str) -> None:
    """As every installed provider does, whatever it looks for in an error."""
    for provider in PLUGINS.providers.values():
        for wire in provider.wires.values():
            for status in (400, 403, 429):
                wire.read(Answer(status=status, headers={}, body=text.encode(), now=NOW, call=CALL))


def complain(text: str) -> None:
    answer = Answer(status=400, headers={}, body=json.dumps({"error": {"message": text}}).encode(), now=NOW)
    complaint = UpstreamErrorBody.of(answer)
    for rule in USUAL:
        rule.fits(400, complaint, answer)
    retry_after.of(answer, complaint.message)


def echo(text: str) -> None:
    without_echo(text, asked(text))


def understand(text: str) -> None:
    """What a request is asked for: whether it has images, tools, and how long it is. No more values than a request may hold."""
    call = parse_call(Operation.CHAT, text.encode())
    assert call.features is not None
    assert call.prompt_tokens >= 0


WORDS: dict[str, tuple[Callable[[str], object], Callable[[int], str]]] = {
    "quotas": (read_by_all, lambda size: "InputTokensPerMinute" * size),
    "half a name of a quota": (read_by_all, lambda size: "InputTokens" * size),
    "quota ids": (read_by_all, lambda size: '"quotaId":"' * size),
    "properties": (read_by_all, lambda size: "property 'x " * size),
    "accounts": (read_by_all, lambda size: "organization `org_a for account 'a " * size),
    "an error of blanks": (read_by_all, lambda size: '{"error":' + " " * size),
    "promises": (complain, lambda size: "try again in " * size),
    "times": (complain, lambda size: "wait " + "1m" * size + "x"),
    "blanks after a promise": (complain, lambda size: "wait" + " " * size),
    "models": (complain, lambda size: "model " * size),
    "flags": (complain, lambda size: "input content prompt " * size),
    "bounds": (complain, lambda size: "temperature max a a a a " * size),
    "a duration": (retry_after.duration, lambda size: "1m" * size + "x"),
    "digits": (retry_after.duration, lambda size: "1" * size),
    "a name of a model": (without_quantisation, lambda size: "a" + "-fp8" * size + "x"),
    "another name of a model": (without_quantisation, lambda size: "a" + "-q4_k" * size + "-"),
    "an echo": (echo, lambda size: "abcdefgh" * size),
    "an echo of different words": (echo, numbered("word# ")),
    "a key": (Redactor(["sk-0123456789abcdef"]), lambda size: "sk-01234" * size),
    "events": (lambda text: sse.split(text.encode()), lambda size: "data: x\r\n\r\n" * size),
    "breaks": (lambda text: sse.split(text.encode()), lambda size: "\r\n\r" * size),
    "images": (understand, lambda size: '{"model":"m","messages":[' + '{"image_url" :1},' * (size // 5) + "1]}"),
    "almost images": (understand, lambda size: '{"model":"m","messages":["' + "_url_image" * size + '"]}'),
    "inline data": (understand, lambda size: '{"model":"m","messages":[' + '"data:a",' * size + '"data:"]}'),
    "contents": (understand, lambda size: '{"model":"m","messages":[' + '{"content" : [1]},' * (size // 8) + "1]}"),
    "escapes": (understand, lambda size: '{"model":"m","messages":["' + "\\u0061" * size + '"]}'),
    "a host": (_parsed.__wrapped__, lambda size: "a" * size + ":" + "1" * size + "x"),
}


@pytest.mark.parametrize("name", WORDS)
def test_words_of_strangers_take_time_in_proportion(name: str) -> None:
    check_growth(*WORDS[name])


@pytest.mark.parametrize("text", ['{"messages": [' + "1," * 9, '"image_url"' + " " * 9])
def test_what_growth_is_measured_with_can_fail(text: str) -> None:
    """A square is told from a line."""
    with pytest.raises(AssertionError, match="times as many"):
        check_growth(lambda each: [each[start:].count("x") for start in range(len(each))], lambda size: text * size)
