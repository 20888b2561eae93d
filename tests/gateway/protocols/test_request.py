"""A client's request, decoded once and shallowly: what is not replaced arrives byte for byte."""

from __future__ import annotations

import json
import math
import sys
import traceback
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freeride_core.call import Call, Feature, Operation
from freeride_core.gateway.http import relayed_headers as relayed_module
from freeride_core.gateway.http.relayed_headers import relayed_headers
from freeride_core.gateway.http.upstream_headers import ResponseHeaders
from freeride_core.gateway.protocols.request import BadRequest, decode, parse_call

CHAT, EMBEDDINGS = Operation.CHAT, Operation.EMBEDDINGS
ONCE = ("model", "stream", "stream_options")
MESSAGES = b'"messages":[{"role":"user","content":"Hi"}]'
SECRET = "do-not-repeat-me"


def chat(*members: bytes) -> Call:
    return parse_call(CHAT, b"{" + b",".join((b'"model":"auto"', *members)) + b"}")


def fault(body: bytes, operation: Operation = CHAT) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parse_call(operation, body)
    return caught.value


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: NaN is NaN, and 1 is not 1.0."""
    return json.dumps(one) == json.dumps(other)


# Requests as odd as JSON lets them be

ANY_TEXT = st.text(
    st.one_of(st.characters(codec=None), st.sampled_from('\ud83d\ude00\udfff\u2028\x85\x7f\x00\\"/')), max_size=8
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**20, max_value=10**60),
    st.floats(),
    ANY_TEXT,
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(
    st.one_of(ANY_TEXT, st.sampled_from(["model", "messages", "stream", "a", ""])), VALUES, max_size=6
)
SPACE = st.text(" \t\r\n", max_size=3)


@st.composite
def texts(draw: st.DrawFn, value: Any) -> str:
    """A JSON text of any value: spaces, escapes and numbers spelled as nobody would."""
    if isinstance(value, dict):
        items = [f"{draw(texts(name))}{draw(SPACE)}:{draw(texts(item))}" for name, item in value.items()]
        text = "{" + (",".join(draw(SPACE) + item for item in items) or draw(SPACE)) + "}"
    elif isinstance(value, list):
        text = "[" + (",".join(draw(texts(item)) for item in value) or draw(SPACE)) + "]"
    elif isinstance(value, str):
        escaped = "".join(
            f"\\u{ord(each):04X}"
            if ord(each) < 0x10000 and draw(st.booleans())
            else json.dumps(each, ensure_ascii=False)[1:-1]
            for each in value
        )
        text = f'"{escaped}"'
    else:
        text = json.dumps(value)
    return draw(SPACE) + text + draw(SPACE)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    value = draw(OBJECTS)
    text = draw(
        st.one_of(
            st.just(json.dumps(value)),
            st.just(json.dumps(value, separators=(",", ":"))),
            st.just(json.dumps(value, indent=2)),
            st.just(json.dumps(value, ensure_ascii=False)),
            texts(value),
        )
    )
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32-le"]))
    return text.encode(encoding, "surrogatepass")


def scanned(body: bytes) -> dict[str, bytes]:
    """Every top-level value as it is written, found in another way: by counting brackets."""
    text = body.decode(json.detect_encoding(body), "surrogatepass").strip(" \t\r\n")
    members: dict[str, bytes] = {}
    depth, start, is_text, is_escaped = 0, 1, False, False
    for at, each in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif is_text:
            is_escaped, is_text = each == "\\", each != '"'
        elif each == '"':
            is_text = True
        elif each in "[{":
            depth += 1
        elif each in "]}":
            depth -= 1
        if not is_text and ((depth == 1 and each == ",") or depth == 0):
            member = text[start:at]
            start = at + 1
            if member.strip():
                name, end = json.JSONDecoder().raw_decode(member.lstrip(" \t\r\n"))
                value = member.lstrip(" \t\r\n")[end:].lstrip(" \t\r\n").removeprefix(":")
                members[name] = value.strip(" \t\r\n").encode("utf-8", "surrogatepass")
    return members


@given(bodies())
@example(b"{}")
@example(b" { } ")
@example(b'{"a":NaN,"b":[Infinity,-Infinity]}')
@example(b'{"\\ud800":"\\udfff"}')
@example(b'{"a":"\xed\xa0\x80"}')
@example(b'{"a":1.50e+02,"b":-0,"c":1E2,"d":0.10}')
def test_every_value_is_kept_byte_for_byte(body: bytes) -> None:
    pairs = decode(body)
    assert {name: bytes(value) for _, name, value in pairs} == scanned(body)
    assert [json.loads(raw_name) for raw_name, _, _ in pairs] == [name for _, name, _ in pairs]


@given(bodies(), OBJECTS)
def test_only_what_is_to_be_changed_changes(body: bytes, new: dict[str, Any]) -> None:
    old = json.loads(body)
    gone = set(list(old)[::2])
    changes: dict[str, bytes | None] = {name: json.dumps(value).encode() for name, value in new.items()}
    changes.update(dict.fromkeys(gone))
    expected = {name: value for name, value in (old | new).items() if name not in gone}
    call = Call(operation=CHAT, model="", stream=False, pairs=decode(body), body=body)
    changed = call.body_with(changes)
    assert same(json.loads(changed), expected) or not changes
    assert {name: value for name, value in scanned(changed).items() if name not in changes} == {
        name: value for name, value in scanned(body).items() if name not in changes
    }


MODELISH = st.sampled_from(["model", '"model":"x"', "x", "stream", "null", ""])


@given(
    st.lists(
        st.tuples(st.sampled_from(["user", "stream", "seed"]), MODELISH), max_size=3, unique_by=lambda each: each[0]
    ),
    st.integers(0, 3),
    st.sampled_from(['"x"', '"model"', "null", r'"\u006dodel"', '""']),
    SPACE,
)
def test_a_value_that_takes_anothers_place_moves_no_other_byte(
    others: list[tuple[str, str]], at: int, model: str, space: str
) -> None:
    members = [f'"{name}"{space}:{space}{json.dumps(value)}{space}' for name, value in others]
    members.insert(at, f'"model"{space}:{space}@{space}')
    text = f'{{{space}"messages":[]{space},{space}' + ",".join(members) + "}"
    call = parse_call(CHAT, text.replace("@", model).encode())
    changed = call.body_with({"model": b'"other"'})
    assert scanned(changed) == scanned(text.replace("@", '"other"').encode())
    assert bytes(call.fields["model"]) == model.encode()


def test_a_name_that_is_only_found_spelled_out_is_replaced_in_its_place() -> None:
    body = b'{"messages":[{"role":"user","content":"null"}],\n "model" :\tnull , "user":null}'
    call = parse_call(CHAT, body)
    assert call.body_with({"model": b'"m"'}) == body.replace(b":\tnull", b':\t"m"')


@given(bodies())
def test_what_is_not_changed_goes_as_it_came(body: bytes) -> None:
    call = Call(operation=CHAT, model="", stream=False, pairs=decode(body), body=body)
    assert call.body_with({}) is body
    assert same(json.loads(call.body_with({"new": b"1"})), json.loads(body) | {"new": 1})


@given(
    st.one_of(
        st.binary(max_size=40), st.text('{}[]":,\\ud8 \n0123456789.eE+-tfnNaIulrsé\x00', max_size=30).map(str.encode)
    )
)
@example(b'{"a":"\xff"}')
@example(b'{"a":01}')
@example(b'{"a":1,}')
@example(b'{"a":[1,]}')
@example(b'{,"a":1}')
@example(b'{"a":1 "b":2}')
@example(b'{"a" 1}')
@example(b'{"a":1}}')
@example(b'{"a":1}\x00')
@example(b'{"a":"\n"}')
@example(b'{"a":"\\x"}')
@example(b"{'a':1}")
@example(b'{"a":NaN')
@example(b'{"a":nan}')
@example(b"{1:2}")
@example(b"\xef\xbb\xbf\xef\xbb\xbf{}")
def test_what_python_accepts_is_accepted_and_nothing_else(body: bytes) -> None:
    try:
        expected = json.loads(body)
    except ValueError:
        with pytest.raises(BadRequest, match="not valid JSON"):
            decode(body)
        return
    if isinstance(expected, dict):
        assert same({name: json.loads(bytes(value)) for _, name, value in decode(body)}, expected)
    else:
        with pytest.raises(BadRequest, match="not a JSON object"):
            decode(body)


@pytest.mark.parametrize(
    "number", [b"9" * 4000, b"9" * 5000, b"-0.0", b"1e999", b"123456789012345678901234567890", b"0.10"]
)
def test_numbers_keep_their_spelling(number: bytes) -> None:
    call = chat(MESSAGES, b'"seed":' + number)
    assert bytes(call.fields["seed"]) == number
    assert call.body_with({"model": b'"x"'}) == b'{"model":"x",' + MESSAGES + b',"seed":' + number + b"}"


@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")], ids=["lists", "objects", "both"]
)
@pytest.mark.parametrize("prefix", [b'{"model":"auto","a":', b'{"model":"auto","nan":NaN,"a":', b'{"model":', b""])
@pytest.mark.parametrize("depth", [sys.getrecursionlimit(), 10_000, 100_000])
def test_a_body_nested_too_deep_is_refused(prefix: bytes, opening: bytes, closing: bytes, depth: int) -> None:
    body = prefix + opening * depth + b"1" + closing * depth + b"}" * prefix.startswith(b"{")
    assert fault(body).message == "The request body is nested too deep."


@pytest.mark.parametrize("depth", range(sys.getrecursionlimit() - 120, sys.getrecursionlimit() + 20))
def test_no_depth_crashes(depth: int) -> None:
    body = b'{"model":' + b"[" * depth + b"]" * depth + b"," + MESSAGES + b"}"
    assert fault(body).message in {
        "The request body is nested too deep.",
        "The field 'model' is neither a string nor null.",
    }


def test_a_truncated_body_is_refused() -> None:
    body = b'{"model":"auto",' + MESSAGES + b',"big":NaN}'
    for end in range(1, len(body)):
        assert fault(body[:end]).message == "The request body is not valid JSON."


# Names that stand twice


@pytest.mark.parametrize("name", ONCE)
@pytest.mark.parametrize(
    "pattern", ["{0}:1,{1},{0}:2", "{0}: 1, {1}, {0}: 2", "{1},{0}:null,{0}:null", "{0}:1,{0}:1,{1}", "{2}:1,{1},{0}:2"]
)
def test_what_decides_where_to_go_stands_once(name: str, pattern: str) -> None:
    escaped = '"' + "".join(f"\\u{ord(each):04x}" for each in name) + '"'
    members = pattern.format(f'"{name}"', MESSAGES.decode(), escaped)
    error = fault(("{" + members + "}").encode())
    assert error.message == f"The field '{name}' is in the request twice."
    assert error.param == name


def test_a_second_model_is_found_whatever_it_hides_behind() -> None:
    # The lengths add up, and what stands where the first value should be looks like the rest of the object.
    for body in (
        b'{"model": "a","":0,"b":1,"c":2,"d":3,"e":4,"f":5,"model":"z"}',
        b'{"model":{"a":0,"x":1},"x":2,"model":"abcd"}',
        b'{"model":"a","x":1,"model":{"m":1,"x":12}}',
        b'{"model":12,"x":3,"model":1}',
    ):
        with pytest.raises(BadRequest, match="is in the request twice"):
            decode(body)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "model"]), VALUES), max_size=6), SPACE)
def test_a_repeated_name_is_never_overlooked(members: list[tuple[str, Any]], space: str) -> None:
    body = ("{" + ",".join(f'{space}"{name}":{space}{json.dumps(value)}' for name, value in members) + "}").encode()
    names = [name for name, _ in members]
    if names.count("model") > 1:
        with pytest.raises(BadRequest, match="is in the request twice"):
            decode(body)
    else:
        pairs = decode(body)
        assert [name for _, name, _ in pairs] == names
        assert same([json.loads(bytes(value)) for _, _, value in pairs], [value for _, value in members])


def test_other_names_may_stand_twice_and_the_last_counts() -> None:
    call = chat(b'"user":"a"', MESSAGES, b'"user":"b"')
    assert call.value("user") == "b"
    assert call.body_with({"model": b'"x"'}) == b'{"model":"x","user":"a",' + MESSAGES + b',"user":"b"}'
    assert json.loads(call.body_with({"user": None})) == {
        "model": "auto",
        "messages": [{"role": "user", "content": "Hi"}],
    }


# What is missing or wrong


@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_a_request_without_a_body_is_refused(body: bytes) -> None:
    assert fault(body).message == "The request has no body."


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1", b" NaN", b"[{}]"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert fault(body).message == "The request body is not a JSON object."


def test_a_request_without_a_model_is_refused() -> None:
    error = fault(b"{" + MESSAGES + b"}")
    assert error.param == "model"
    assert "missing" in error.message


@pytest.mark.parametrize("model", [b"1", b"true", b"[]", b"{}", b'["auto"]', b"NaN", b"-Infinity"])
def test_a_model_that_is_no_text_is_refused(model: bytes) -> None:
    error = fault(b'{"model":' + model + b"," + MESSAGES + b"}")
    assert error.param == "model"
    assert "neither a string nor null" in error.message


@pytest.mark.parametrize(
    ("spelled", "model"),
    [
        (b"null", ""),
        (b'""', ""),
        (b'"auto"', "auto"),
        (b'"a\\/b:free"', "a/b:free"),
        (b'"\\u0061\xc3\xa9"', "aé"),
        (b'"\\ud800"', "\ud800"),
    ],
)
def test_a_model_is_text_or_null(spelled: bytes, model: str) -> None:
    assert parse_call(CHAT, b'{"model" : ' + spelled + b" ," + MESSAGES + b"}").model == model


def test_chat_without_messages_is_refused() -> None:
    error = fault(b'{"model":"auto","input":"x"}')
    assert error.param == "messages"


def test_embeddings_without_input_are_refused() -> None:
    error = fault(b'{"model":"auto",' + MESSAGES + b"}", EMBEDDINGS)
    assert error.param == "input"


def test_messages_and_input_are_not_judged_beyond_being_there() -> None:
    assert chat(b'"messages":null').value("messages") is None
    assert parse_call(EMBEDDINGS, b'{"model":"e","input":[[1,2],[3]]}').value("input") == [[1, 2], [3]]


@pytest.mark.parametrize(
    "body",
    [
        SECRET.encode(),
        b'{"model":"auto","messages":"%s"' % SECRET.encode(),
        b'{"model":["%s"],"messages":[]}' % SECRET.encode(),
        b'{"model":"auto","%s":1}' % SECRET.encode(),
        b'{"model":"%s","model":"%s","messages":[]}' % (SECRET.encode(), SECRET.encode()),
        b'"%s"' % SECRET.encode(),
        b'{"model":"auto","messages":"%s\xff"}' % SECRET.encode(),
        b'{"a":"%s","b":' % SECRET.encode() + b"[" * 10_000,
    ],
)
def test_no_fault_repeats_the_body(body: bytes) -> None:
    error = fault(body)
    told = "".join(traceback.format_exception(error)) + f"{error!r} {error.param} {error.code}"
    assert SECRET not in told


# What a call says of itself


@pytest.mark.parametrize(
    ("value", "stream"), [(b"true", True), (b"false", False), (b"null", False), (b"1", False), (b'"true"', False)]
)
def test_a_stream_is_asked_for_with_true(value: bytes, stream: bool) -> None:
    assert chat(MESSAGES, b'"stream":' + value).stream is stream
    assert not parse_call(EMBEDDINGS, b'{"model":"e","input":"x","stream":' + value + b"}").stream


def test_a_value_is_decoded_on_request() -> None:
    call = chat(MESSAGES, b'"temperature":0.70')
    assert call.value("temperature") == 0.7
    assert call.value("top_p") is None


PART = b'{"type":"text","text":"x"}'


def message(content: bytes, role: bytes = b"user") -> bytes:
    return b'"messages":[{"role":"%s","content":%s}]' % (role, content)


@pytest.mark.parametrize(
    ("members", "features"),
    [
        ([MESSAGES], set()),
        ([MESSAGES, b'"tools":[{"type":"function","function":{"name":"f"}}]'], {Feature.TOOLS}),
        ([MESSAGES, b'"functions":[{"name":"f"}]'], {Feature.TOOLS}),
        ([MESSAGES, b'"tools":[]'], set()),
        ([MESSAGES, b'"tools":[ \n]'], set()),
        ([MESSAGES, b'"tools":null'], set()),
        ([MESSAGES, b'"response_format":{"type": "json_schema","json_schema":{}}'], {Feature.JSON_SCHEMA}),
        ([MESSAGES, b'"response_format":{"type":"json_object"}'], set()),
        ([message(b'"\\"json_schema\\""')], set()),
        ([message(b"[" + PART + b"]")], {Feature.CONTENT_PARTS}),
        ([b'"messages": [{"role": "user", "content" :\n [' + PART + b"]}]"], {Feature.CONTENT_PARTS}),
        ([message(b"null", b"assistant")], {Feature.CONTENT_PARTS}),
        ([message(b'"\\"content\\":[ \\"content\\": null"')], set()),
        ([message(b'"null"')], set()),
        (
            [message(b'[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]')],
            {Feature.IMAGES, Feature.CONTENT_PARTS},
        ),
        ([message(b'[{"type": "input_image", "file_id": "f"}]')], {Feature.IMAGES, Feature.CONTENT_PARTS}),
        ([message(b'"What does \\"image_url\\": mean?"')], set()),
        ([message(b'"image_url"')], set()),
        ([MESSAGES, b'"tools":[{"image_url":{}}]'], {Feature.TOOLS}),
    ],
)
def test_what_a_request_needs_is_found_in_its_structure_and_not_in_its_text(
    members: list[bytes], features: set[str]
) -> None:
    assert chat(*members).features == features


@pytest.mark.parametrize("before", [0, 1, 63, 64, 65, 5000, 4_194_250, 4_194_300, 4_194_310, 9_000_000])
@pytest.mark.parametrize("mark", [b'"image_url":{}', b'"type":"input_image"'])
def test_an_image_is_found_wherever_it_stands(before: int, mark: bytes) -> None:
    text = b"_" * before
    found = chat(message(b'[{"text":"' + text + b'"},{' + mark + b"}]"))
    assert Feature.IMAGES in found.abilities
    assert Feature.IMAGES not in chat(message(b'[{"text":"' + text + b'"}]')).abilities


@pytest.mark.parametrize(
    ("members", "tokens"),
    [
        ([], 0),
        ([b'"max_tokens":100'], 100),
        ([b'"max_completion_tokens":200'], 200),
        ([b'"max_tokens":100', b'"max_completion_tokens":200'], 200),
        ([b'"max_tokens":null'], 0),
        ([b'"max_tokens":-1'], 0),
        ([b'"max_tokens":"100"'], 0),
        ([b'"max_tokens":1e3'], 0),
        ([b'"max_tokens":' + b"9" * 30], 0),
    ],
)
def test_what_the_client_asked_for_at_most(members: list[bytes], tokens: int) -> None:
    assert chat(MESSAGES, *members).output_tokens == tokens


def estimate(content: bytes, *more: bytes) -> int:
    return chat(message(content), *more).prompt_tokens - chat(message(b'""'), *more).prompt_tokens


@pytest.mark.parametrize("count", [40, 4000, 400_000])
def test_four_bytes_are_about_a_token(count: int) -> None:
    assert math.isclose(estimate(b'"' + b"x" * count + b'"'), count / 4, abs_tol=1)


def test_an_escaped_character_is_one_token() -> None:
    assert math.isclose(estimate(b'"' + rb"\u4f60" * 400 + b'"'), 400, abs_tol=1)


def test_tools_count_as_prompt() -> None:
    tools = b'"tools":[' + b'{"x":"%s"}' % (b"y" * 4000) + b"]"
    assert chat(MESSAGES, tools).prompt_tokens > 1000


def test_what_is_to_be_embedded_counts_as_prompt() -> None:
    call = parse_call(EMBEDDINGS, b'{"model":"e","input":"' + b"x" * 4000 + b'"}')
    assert math.isclose(call.prompt_tokens, 1000, abs_tol=1)


def test_inline_files_do_not_count_as_text() -> None:
    image = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}' % (b"iVBORw0KGgo" * 10_000)
    assert estimate(b"[" + image + b"," + image + b"]") < 50
    text = b'{"type":"text","text":"%s"}' % (b"x" * 4000)
    assert 1000 < estimate(b"[" + image + b"," + text + b"]") < 1050


@pytest.mark.parametrize(
    "part",
    [
        b'{"type":"input_audio","input_audio":{"data":"%s","format":"wav"}}',
        b'{"type":"input_audio","input_audio":{"format":"wav", "data" : "%s"}}',
        b'{"type":"image","source":{"type":"base64","data":"%s"}}',
        b'{"type":"file","file":{"file_data":"data:application/pdf;base64,%s"}}',
        b'{"type":"video_url","video_url":{"url":"data:video/mp4;base64,%s"}}',
    ],
)
def test_media_of_every_kind_do_not_count_as_text(part: bytes) -> None:
    assert estimate(b"[" + part % (b"iVBORw0KGgo" * 10_000) + b"]") < 60


def test_a_text_that_is_called_data_counts_as_text() -> None:
    assert estimate(b'[{"type":"text","data":"%s"}]' % (b"some words " * 400)) > 1000


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        (b'"%s"' % (b"x" * 4000), 1000),
        (b'["%s"]' % (b"x" * 4000), 1000),
        (b'["%s", "%s"]' % (b"x" * 4000, b"y" * 8000), 2000),
        (b"[" + b",".join([b'"%s"' % (b"x" * 400)] * 1000) + b"]", 100),
        (b"[" + b",".join([b"7"] * 500) + b"]", 500),
        (b"[[" + b",".join([b"7"] * 500) + b"],[1]]", 500),
        (b'["' + rb"\u4f60" * 400 + b'"]', 400),
        (b'[{"image":"data:image/png;base64,%s"}]' % (b"A" * 8000), 2),
        (b"[]", 0),
        (b"null", 1),
        (b"{}", 0),
        (rb'["\ud800"]', 1),
    ],
)
def test_of_several_inputs_the_longest_counts(given: bytes, tokens: int) -> None:
    call = parse_call(EMBEDDINGS, b'{"model":"e","input":' + given + b"}")
    assert math.isclose(call.prompt_tokens, tokens, abs_tol=2)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=9), st.lists, max_leaves=9))
def test_no_input_is_too_odd_to_be_measured(given: Any) -> None:
    call = parse_call(EMBEDDINGS, b'{"model":"e","input":' + json.dumps(given).encode() + b"}")
    assert 0 <= call.prompt_tokens <= len(call.body)


def test_text_about_inline_files_counts_as_text() -> None:
    assert estimate(b'"the data: %s"' % (b"x" * 4000)) > 1000


# Headers


def test_rate_limits_and_request_ids_pass_through_and_what_a_package_names() -> None:
    headers = {
        "x-ratelimit-limit-requests": "30",
        "x-ratelimit-reset": "1m2s",
        "ratelimit": "q",
        "ratelimit-policy": "p",
        "x-request-id": "r",
        "request-id": "s",
        "x-own": "o",
        "content-type": "text/html",
        "set-cookie": "c",
        "x-powered-by": "x",
        "retry-after": "1",
        "content-length": "12",
        "transfer-encoding": "chunked",
    }
    assert relayed_headers(headers, ("x-own", "x-absent")) == [
        (b"x-ratelimit-limit-requests", b"30"),
        (b"x-ratelimit-reset", b"1m2s"),
        (b"ratelimit", b"q"),
        (b"ratelimit-policy", b"p"),
        (b"x-request-id", b"r"),
        (b"request-id", b"s"),
        (b"x-own", b"o"),
    ]


def test_names_of_headers_are_not_kept_without_end() -> None:
    for number in range(3000):
        relayed_headers(
            ResponseHeaders([(b"x-%d" % number, b"1"), (b"y" * 60_000 + b"%d" % number, b"1")]), ("x-mine",)
        )
    kept = relayed_module._relayed_names["x-mine",]
    assert len(kept) <= 1024
    assert max(map(len, kept)) < 100
    assert relayed_headers(ResponseHeaders([(b"X-Mine", b"1"), (b"x-mine", b"2")]), ("x-mine",)) == [(b"x-mine", b"1")]


def test_a_header_beyond_latin_does_no_harm() -> None:
    assert relayed_headers({"x-request-id": "→"}, ()) == [(b"x-request-id", b"?")]


def test_a_call_says_when_it_came() -> None:
    assert parse_call(CHAT, b'{"model":"auto","messages":[]}', 1_795_406_400.5).received_at == 1_795_406_400.5
