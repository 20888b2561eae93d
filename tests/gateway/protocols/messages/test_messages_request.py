"""Requests of the Messages API, as calls of chat completions that strict upstreams take."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freeride_core.call import Operation
from freeride_core.gateway.protocols.messages.request import MessagesCall, parse_messages
from freeride_core.gateway.protocols.request import BadRequest, parse_call
from strict_chat import faults_in

PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
EMPTY = {"type": "object", "properties": {}}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": blocks[0] if len(blocks) == 1 and isinstance(blocks[0], str) else list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def use(call_id: str = "c1", name: str = "Read", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(content: Any, call_id: str = "c1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def called(call_id: str = "c1", name: str = "Read", arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def turn(*calls: dict[str, Any], content: str | None = None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {}), **more}


def tool(content: str, call_id: str = "c1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def said(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def told(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


def parse(**fields: Any) -> MessagesCall:
    return parse_messages(json.dumps({"model": "auto", "messages": [user("Hi")], **fields}).encode(), 0.0)


def chat(**fields: Any) -> dict[str, Any]:
    """The body of the call."""
    body: dict[str, Any] = json.loads(parse(**fields).call.body)
    return body


CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "texts": (
        [user("Hi"), {"role": "assistant", "content": "Yes"}, user(text("A"), text(""), text("B"))],
        [said("Hi"), turn(content="Yes"), said("A\n\nB")],
    ),
    "a prefill": ([user("Hi"), assistant(text("{"))], [said("Hi"), turn(content="{")]),
    "images": (
        [user(text("See"), PNG, {"type": "image", "source": {"type": "url", "url": "https://a.invalid/b.png"}})],
        [said([text("See"), PNG_PART, {"type": "image_url", "image_url": {"url": "https://a.invalid/b.png"}}])],
    ),
    "documents": (
        [
            user(
                {
                    "type": "document",
                    "title": "T",
                    "context": "C",
                    "source": {"type": "text", "media_type": "text/plain", "data": "D"},
                },
                {"type": "document", "source": {"type": "content", "content": [text("E")]}},
            )
        ],
        [said("[document: T]\nC\n\nD\n\n[document]\n\nE")],
    ),
    "search results": (
        [user({"type": "search_result", "source": "s", "title": "T", "content": [text("A"), text("B")]})],
        [said("[search result] T s\nA\nB")],
    ),
    "a result that is an error": (
        [assistant(use()), user(result("No", is_error=True))],
        [turn(called()), tool("[tool error] No")],
    ),
    "an error without words": (
        [assistant(use()), user(result([], is_error=True))],
        [turn(called()), tool("[tool error]")],
    ),
    "a result of nothing": ([assistant(use()), user(result(None))], [turn(called()), tool("(no output)")]),
    "arguments as they were written": (
        [assistant(use(city="Zürich", n=[1.5])), user(result("R"))],
        [turn(called(arguments='{"city": "Z\\u00fcrich", "n": [1.5]}')), tool("R")],
    ),
    "the work of a vendor's servers": (
        [
            assistant(
                text("So"),
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s",
                    "content": [{"type": "web_search_result", "title": "T", "url": "u"}],
                },
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s",
                    "content": {"type": "web_search_tool_result_error"},
                },
            ),
            user("Go"),
        ],
        [
            turn(
                content='So\n\n[used web_search: {"query": "q"}]\n\n[web_search result: T]\n\n'
                '[web_search result: {"type":"web_search_tool_result_error"}]'
            ),
            said("Go"),
        ],
    ),
    "a cache": ([user(text("Hi", cache_control={"type": "ephemeral"}, citations=None))], [said("Hi")]),
    "trap 19: a system message amid the conversation": (
        [
            user("Hi"),
            {"role": "system", "content": [text("S")]},
            assistant(use()),
            {"role": "system", "content": "Z"},
            user(result("R")),
        ],
        [said("Hi"), told("S"), turn(called()), tool("R"), told("Z")],
    ),
    "trap 20: another vendor's thinking": (
        [assistant({"type": "thinking", "thinking": "Hm", "signature": "RXJqYWRh"}, text("So")), user("Go")],
        [turn(content="So", reasoning_content="Hm"), said("Go")],
    ),
    "trap 23: an image in a result": (
        [assistant(use()), user(result([text("Seen"), PNG]))],
        [turn(called()), tool("Seen"), said([text("[image from tool Read, call c1]"), PNG_PART])],
    ),
    "trap 24: text beside a result": (
        [assistant(use()), user(result("R"), text("And?"))],
        [turn(called()), tool("R"), said("And?")],
    ),
    "trap 25: text before a result": (
        [assistant(use()), user(text("And?"), result("R"))],
        [turn(called()), tool("R"), said("And?")],
    ),
    "trap 26: redacted thinking": (
        [assistant(use(), {"type": "redacted_thinking", "data": "x"}), user(result("R"))],
        [turn(called()), tool("R")],
    ),
    "trap 27: a reference to a tool": (
        [assistant(use()), user(result([{"type": "tool_reference", "tool_name": "Edit"}]))],
        [turn(called()), tool("Tool Edit is available now.")],
    ),
    "trap 32: reasoning beside a call": (
        [assistant({"type": "thinking", "thinking": "Hm", "signature": ""}, use()), user(result("R"))],
        [turn(called(), reasoning_content="Hm"), tool("R")],
    ),
    "lone surrogates": ([user("a\ud800b")], [said("a?b")]),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_becomes_one_of_chat_completions(name: str) -> None:
    conversation, expected = CONVERSATIONS[name]
    messages = chat(messages=conversation)["messages"]
    assert messages == expected
    assert faults_in(messages) == []


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("S", "S"),
        ([text("S"), text("T", cache_control={"type": "ephemeral"})], "S\n\nT"),
        ([text("x-anthropic-billing-header: cch=1;"), text("S")], "S"),
        ("", None),
        ([], None),
    ],
)
def test_the_system_prompt_comes_first(system: Any, expected: str | None) -> None:
    assert chat(system=system)["messages"] == [*([told(expected)] if expected else []), said("Hi")]


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "D", "input_schema": EMPTY, **more}


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "D", "parameters": EMPTY, **more}}


SEARCHED = [
    user("Hi"),
    assistant(use(name="ToolSearch")),
    user(result([{"type": "tool_reference", "tool_name": "Edit"}])),
]
FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "limits": (
        {"max_tokens": 32000, "temperature": 0.25, "top_p": 1, "top_k": 5},
        {"max_tokens": 32000, "temperature": 0.25, "top_p": 1},
    ),
    "nulls": (
        {"temperature": None, "tools": None, "system": None, "stop_sequences": None, "thinking": None, "stream": None},
        {},
    ),
    "a stream": ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
    "no stream": ({"stream": False}, {}),
    "a form of the answer": (
        {"output_config": {"effort": "high", "format": {"type": "json_schema", "schema": EMPTY}}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "output", "schema": EMPTY, "strict": True},
            }
        },
    ),
    "its older spelling": (
        {"output_format": {"type": "json_schema", "schema": EMPTY}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "output", "schema": EMPTY, "strict": True},
            }
        },
    ),
    "what only the vendor has": (
        {
            "metadata": {"user_id": "u"},
            "service_tier": "auto",
            "context_management": {"edits": []},
            "betas": ["b"],
            "speed": "fast",
            "mcp_servers": [],
            "container": None,
            "inference_geo": "eu",
        },
        {},
    ),
    "tools": (
        {
            "tools": [
                named("Read", type="custom", strict=True, cache_control={}),
                named("Bash", type=None, input_examples=[]),
            ]
        },
        {"tools": [function("Read", strict=True), function("Bash")]},
    ),
    "tools of the client that the vendor's models know": (
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "bash",
                        "description": "Run a command in a persistent bash session.",
                        "parameters": {
                            "type": "object",
                            "properties": {"command": {"type": "string"}, "restart": {"type": "boolean"}},
                            "required": [],
                        },
                    },
                }
            ]
        },
    ),
    "a choice": (
        {"tools": [named("Read")], "tool_choice": {"type": "any"}},
        {"tools": [function("Read")], "tool_choice": "required"},
    ),
    "a choice of one": (
        {"tools": [named("Read")], "tool_choice": {"type": "tool", "name": "Read"}},
        {"tools": [function("Read")], "tool_choice": {"type": "function", "function": {"name": "Read"}}},
    ),
    "a choice without tools": ({"tool_choice": {"type": "auto"}}, {}),
    "a tool of the vendor's servers": (
        {"tools": [named("Read"), {"type": "web_search_20260318", "name": "web_search"}]},
        {"tools": [function("Read")]},
    ),
    "trap 27: deferred tools": (
        {
            "messages": SEARCHED,
            "tools": [named("ToolSearch"), named("Edit", defer_loading=True), named("No", defer_loading=True)],
        },
        {"tools": [function("ToolSearch"), function("Edit")]},
    ),
    "deferred tools that only a server can search": (
        {
            "tools": [
                named("Edit", defer_loading=True),
                {"type": "tool_search_tool_bm25_20251119", "name": "tool_search"},
            ]
        },
        {"tools": [function("Edit")]},
    ),
    "trap 28: tools that come and go": (
        {
            "messages": [
                user("Hi"),
                {
                    "role": "system",
                    "content": [
                        {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "Edit"}},
                        {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": named("New")}},
                        {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "Read"}},
                    ],
                },
            ],
            "tools": [named("Read"), named("Edit", defer_loading=True)],
        },
        {"tools": [function("Edit"), function("New")]},
    ),
    "trap 29: `required: null` in a schema": (
        {
            "tools": [
                named(
                    "Read",
                    input_schema={
                        "type": "object",
                        "required": None,
                        "properties": {"a": {"type": "object", "required": None}},
                    },
                )
            ]
        },
        {"tools": [function("Read", parameters={"type": "object", "properties": {"a": {"type": "object"}}})]},
    ),
    "no schema": ({"tools": [named("Read", input_schema={})]}, {"tools": [function("Read", parameters=EMPTY)]}),
    "trap 30: thinking disabled together with effort": (
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}},
        {},
    ),
    "trap 31: adaptive thinking": ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}, {}),
    "trap 34: parallel calls": (
        {"tools": [named("Read")], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"tools": [function("Read")], "tool_choice": "auto", "parallel_tool_calls": False},
    ),
    "trap 34: parallel calls, not forbidden": (
        {"tools": [named("Read")], "tool_choice": {"type": "auto", "disable_parallel_tool_use": False}},
        {"tools": [function("Read")], "tool_choice": "auto"},
    ),
    "trap 38: one stop sequence": ({"stop_sequences": ["END"]}, {"stop": ["END"]}),
    "no stop sequences": ({"stop_sequences": []}, {}),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_become_those_of_chat_completions(name: str) -> None:
    fields, expected = FIELDS[name]
    body = chat(**fields)
    assert {key: value for key, value in body.items() if key not in ("model", "messages")} == expected


@pytest.mark.parametrize("name", [*CONVERSATIONS, *FIELDS])
def test_a_call_knows_what_it_needs_as_if_a_client_had_sent_it(name: str) -> None:
    call = parse(**(FIELDS[name][0] if name in FIELDS else {"messages": CONVERSATIONS[name][0]})).call
    sent = parse_call(Operation.CHAT, call.body)
    same = ("model", "stream", "abilities", "features", "prompt_tokens", "output_tokens", "body")
    assert [getattr(call, member) for member in same] == [getattr(sent, member) for member in same]
    assert call.body_with({"model": b'"another"'}) == sent.body_with({"model": b'"another"'})


def test_numbers_and_schemas_reach_the_upstream_as_they_were_written() -> None:
    schema = b'{"type":"object", "properties":{"n":{"maximum":1e400,"minimum":1.50}}}'
    tools = b'[{"name":"a","input_schema":%b}]' % schema
    body = b'{"model":"auto","temperature":0.70,"messages":[{"role":"user","content":"Hi"}],"tools":%b}' % tools
    sent = parse_messages(body, 0.0).call.body
    assert schema in sent
    assert b'"temperature":0.70' in sent


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("auto", "auto"),
        ("a/b:free", "a/b:free"),
        ("claude-freeride-auto", "auto"),
        ("claude-freeride-coding[1m]", "freeride/coding"),
        ("freeride-fast", "freeride/fast"),
        ("freeride/quality", "freeride/quality"),
        ("claude-opus-5-5", "claude-opus-5-5"),
    ],
)
def test_a_model_is_named_as_agents_name_it(model: str, expected: str) -> None:
    assert parse(model=model).call.model == expected


EFFORTS: list[tuple[dict[str, Any], tuple[str, str] | None]] = [
    ({}, None),
    ({"thinking": {"type": "adaptive"}}, None),
    ({"thinking": {"type": "disabled"}}, ("none", "thinking")),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, ("low", "thinking.budget_tokens")),
    ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, ("medium", "thinking.budget_tokens")),
    ({"thinking": {"type": "enabled", "budget_tokens": 16383}}, ("medium", "thinking.budget_tokens")),
    ({"thinking": {"type": "enabled", "budget_tokens": 16384}}, ("high", "thinking.budget_tokens")),
    ({"output_config": {"effort": "low"}}, ("low", "output_config.effort")),
    ({"output_config": {"effort": "xhigh"}}, ("high", "output_config.effort")),
    (
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
        ("high", "output_config.effort"),
    ),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "medium"}},
        ("medium", "output_config.effort"),
    ),
    ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, ("none", "thinking")),  # trap 30
]


@pytest.mark.parametrize(("fields", "effort"), EFFORTS)
def test_thinking_is_asked_for_by_a_word_or_by_tokens(fields: dict[str, Any], effort: tuple[str, str] | None) -> None:
    call = parse(**fields).call
    assert call.effort == effort
    assert "reasoning_effort" not in call.fields


LONG = "mcp__" + "server" * 12


def test_trap_33_a_long_name_is_written_short_and_comes_back() -> None:
    request = parse(
        tools=[named(LONG), named("a.b")],
        messages=[user("Hi"), assistant(use(name=LONG)), user(result("R"))],
        tool_choice={"type": "tool", "name": LONG},
    )
    body = json.loads(request.call.body)
    written = [each["function"]["name"] for each in body["tools"]]
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == written[0]
    assert body["tool_choice"]["function"]["name"] == written[0]
    assert [len(name) for name in written] == [64, 12]
    assert [request.names.client_name(name) for name in written] == [LONG, "a.b"]
    assert request.names.client_name("never offered") == "never offered"


def test_a_name_in_the_wrong_case_is_the_only_one_that_can_be_meant() -> None:
    names = parse(tools=[named("Bash"), named("look"), named("Look")]).names
    assert [names.client_name(name) for name in ("bash", "look", "LOOK")] == ["Bash", "look", "LOOK"]


@pytest.mark.parametrize(
    ("fields", "dropped"),
    [
        ({}, ()),
        ({"top_k": 5}, ("top_k",)),
        ({"tools": [named("Read"), {"type": "web_search_20260318", "name": "web_search"},
                    {"type": "code_execution_20260521", "name": "code_execution"}]}, ("tools.code_execution", "tools.web_search")),
        ({"messages": [assistant(use()), user(result("1"), result("2"))]}, ("messages.tool_result",)),
        ({"messages": [user("Hi"), assistant({"type": "thinking", "thinking": "Hm", "signature": ""})]}, ("messages.thinking",)),
    ],
)  # fmt: skip
def test_what_is_left_out_is_named(fields: dict[str, Any], dropped: tuple[str, ...]) -> None:
    assert parse(**fields).dropped == dropped


def deep(levels: int) -> dict[str, Any]:
    """Search results in search results: of the inner ones nothing is read."""
    block = text("x")
    for _ in range(levels):
        block = {"type": "search_result", "source": "s", "title": "T", "content": [block]}
    return block


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": ({"messages": []}, "messages: at least one message is required."),
    "messages that are no list": ({"messages": "Hi"}, "messages: expected `array`, got `str`."),
    "a role": (
        {"messages": [{"role": "tool", "content": "x"}]},
        "messages.0.role: expected user, assistant or system.",
    ),
    "no content": ({"messages": [{"role": "user"}]}, "messages.0: object missing required field `content`."),
    "a block without a type": (
        {"messages": [user({"text": "x"})]},
        "messages.0.content.0: object missing required field `type`.",
    ),
    "a text that is none": (
        {"messages": [user(text("x"), {"type": "text", "text": 3})]},
        "messages.0.content.1.text: expected `str`, got `int`.",
    ),
    "an unknown block": (
        {"messages": [user({"type": "hologram"})]},
        "messages.0.content.0: a block of 'hologram' is not understood here.",
    ),
    "a block whose type may be a prompt": (
        {"messages": [user({"type": "tell me"})]},
        "messages.0.content.0: a block of this type is not understood here.",
    ),
    "an unknown block in a result": (
        {"messages": [user("Hi"), assistant(use()), user(text("A"), result([text("B"), {"type": "hologram"}]))]},
        "messages.2.content.1.content.1: a block of 'hologram' is not understood here.",
    ),
    "a document in a document": (
        {
            "messages": [
                user({"type": "document", "source": {"type": "content", "content": [text("A"), {"type": "document"}]}})
            ]
        },
        "messages.0.content.0.source.content.1: a block of 'document' is not understood here.",
    ),
    "an unknown block among the deepest of blocks": (
        {"messages": [user(deep(200)), user({"type": "hologram"})]},
        "messages.1.content.0: a block of 'hologram' is not understood here.",
    ),
    "an added tool without a name": (
        {
            "messages": [
                user("Hi"),
                {"role": "system", "content": [{"type": "tool_addition", "tool": {"definition": {}}}]},
            ]
        },
        "messages.1.content.0: the tool has no name.",
    ),
    "a call in a user's message": (
        {"messages": [user(use())]},
        "messages.0.content.0: a block of 'tool_use' is not understood here.",
    ),
    "a call without an object": (
        {"messages": [assistant({**use(), "input": []})]},
        "messages.0.content.0: expected a name, and an object as input.",
    ),
    "a file": (
        {"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]},
        "messages.0.content.0.source: expected a JPEG, PNG, GIF or WebP as base64, or a URL: FreeRide keeps no files.",
    ),
    "a PDF": (
        {
            "messages": [
                user({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "x"}})
            ]
        },
        "messages.0.content.0.source: the free models here read documents as text only. Send the document's text.",
    ),
    "a PDF by URL, in a result": (
        {
            "messages": [
                user(result([{"type": "document", "source": {"type": "url", "url": "https://a.invalid/b.pdf"}}]))
            ]
        },
        "messages.0.content.0.content.0.source: the free models here read documents as text only. Send the document's text.",
    ),
    "a tool of the vendor's servers alone": (
        {"tools": [{"type": "web_search_20260318", "name": "web_search"}]},
        "FreeRide has no server tools: it cannot serve web_search.",
    ),
    "such a tool as the choice": (
        {
            "tools": [named("Read"), {"type": "web_search_20260318", "name": "web_search"}],
            "tool_choice": {"type": "tool", "name": "web_search"},
        },
        "tool_choice: FreeRide offers the model no tool of this name.",
    ),
    "a computer": (
        {"tools": [{"type": "computer_20250124", "name": "computer"}]},
        "tools.0: FreeRide does not serve tools of this type.",
    ),
    "a tool without a name": ({"tools": [{"input_schema": {}}]}, "tools.0: the tool has no name."),
    "two tools of one name": ({"tools": [named("Read"), named("Read")]}, "tools.1: another tool has the same name."),
    "a choice of no known type": (
        {"tools": [named("Read")], "tool_choice": {"type": "many"}},
        "tool_choice: unknown type.",
    ),
    "a container": ({"container": "c_1"}, "container: FreeRide has no containers."),
    "MCP servers": ({"mcp_servers": [{"url": "x"}]}, "mcp_servers: FreeRide has no MCP servers."),
    "a limit that is none": ({"max_tokens": "many"}, "max_tokens: expected `int`, got `str`."),
    "no model": ({"model": None}, "The field 'model' is missing. Use 'auto' to let FreeRide choose."),
    "a model that is no text": ({"model": 3}, "model: expected `str`, got `int`."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused_with_its_place(name: str) -> None:
    fields, message = REFUSED[name]
    with pytest.raises(BadRequest) as caught:
        parse(**fields)
    assert caught.value.message == message


@pytest.mark.parametrize("more", ['"x":1', '"x":"\\ud800"'], ids=["plain JSON", "a lone surrogate"])
@pytest.mark.parametrize(
    "fields",
    [
        '"model":"auto"',
        '"model":null',
        '"mod\\u0065l":"auto"',
        '"stream":false,"stream":true',
        '"stream":null,"stre\\u0061m":true',
    ],
)
def test_what_decides_where_to_go_stands_once(fields: str, more: str) -> None:
    with pytest.raises(BadRequest, match=r"^The field '(model|stream)' is in the request twice.$") as caught:
        parse_messages(
            f'{{"model":"auto",{more},"messages":[{{"role":"user","content":"Hi"}}],{fields}}}'.encode(), 0.0
        )
    assert caught.value.param in ("model", "stream")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":"a","messages":[NaN]}'])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_messages(body, 0.0)
