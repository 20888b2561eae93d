"""What a profile's types cannot say: names that must exist, templates that must fill, JSON that must parse."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from freeride_core.compatible.midnight import Midnight
from freeride_core.simulator.behaviour import BEHAVIOURS
from freeride_core.simulator.profile import GOOD, Case, Profile
from freeride_core.simulator.quota import QuotaStatus
from freeride_core.simulator.render import COMMON, EMBEDDED, SPOKEN, RawText, UnknownPlaceholder, Values

_NUMBERS = frozenset({"created", "prompt_tokens", "completion_tokens", "total_tokens"})
_RAW = {"embeddings": RawText("[]"), "tool_arguments_json": RawText("{}")}
_CASE_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def mistakes_in(profile: Profile) -> Iterator[str]:
    """One sentence for each mistake."""
    yield from _paths(profile)
    yield from _names(profile)
    yield from _quotas(profile)
    yield from _good_answers(profile)
    for case in profile.cases:
        for mistake in _case(case, profile):
            yield f"case {case.name!r}: {mistake}"


def _paths(profile: Profile) -> Iterator[str]:
    places = {"base_path": profile.base_path, "catalog.path": profile.catalog.path}
    places |= {f"route[{index}].path": page.path for index, page in enumerate(profile.pages)}
    if profile.embeddings:
        places["embeddings.path"] = profile.embeddings.path
    for name in ("path", "stream_path"):
        template = getattr(profile.request, name)
        if template is not None:
            places[f"request.{name}"] = template.replace("{model}", "model")
        if template is not None and template.count("{model}") > 1:
            yield f"request.{name}: {{model}} is in {template!r} more than once"
    if not profile.base_path:
        del places["base_path"]  # the API is at the root of its host
    for place, path in places.items():
        if not path.startswith("/") or path.endswith("/") or re.search(r"[?#\s{]", path):
            yield f"{place}: {path!r} must begin with '/', must not end with it, and holds no query or placeholder"
    yield from _key(profile)
    if (profile.account is None) != (profile.account_variable is None):
        yield "account and account_variable: give both or none"


def _key(profile: Profile) -> Iterator[str]:
    if bool(profile.good_key) != bool(profile.key_variable):
        yield "key_variable and good_key: give both, or none where the upstream wants no key"
    if profile.key_header and not profile.good_key:
        yield "key_header: goes with a good_key"
    if not re.fullmatch(r"[A-Za-z0-9-]*", profile.key_header):
        yield f"key_header: {profile.key_header!r} is not a header's name"
    if "bad" in profile.good_key.lower():
        yield "good_key: contains 'bad', which makes every simulator refuse it"


def _names(profile: Profile) -> Iterator[str]:
    counted = Counter(case.name for case in profile.cases)
    for name, count in counted.items():
        if count > 1:
            yield f"case {name!r}: there are {count} of this name"
        if not _CASE_NAME.fullmatch(name):
            yield f"case {name!r}: a name is lower-case words joined by hyphens"
        if name in BEHAVIOURS or name in GOOD:
            yield f"case {name!r}: every simulator has a built-in of this name"
    for name in profile.required_cases:
        if name not in counted:
            yield f"case {name!r} is required and missing"
    for never, why in profile.never.items():
        if never in counted:
            yield f"never.{never}: there is a case of this name"
        if not why.strip():
            yield f"never.{never}: it does not say why"


def _quotas(profile: Profile) -> Iterator[str]:
    seen = set()
    for quota in profile.quotas:
        place = f"quota {quota.name!r}"
        if not re.fullmatch(r"[a-z][a-z_]*", quota.name) or quota.name in seen:
            yield f"{place}: a name is lower-case letters and underscores, and unique"
        seen.add(quota.name)
        for field, name in (("case", quota.case), ("too_large", quota.too_large)):
            if name is not None and profile.case(name) is None:
                yield f"{place}: {field}: there is no case {name!r}"
        if quota.kind == "day" and quota.window != "day":
            yield f"{place}: kind 'day' goes with window 'day'"
        if quota.zone != "UTC" and quota.kind != "day":
            yield f"{place}: zone goes with kind 'day'"
        try:
            Midnight(quota.zone)
        except ValueError as error:
            yield f"{place}: zone: {error}"
        if quota.amount < 0:
            yield f"{place}: amount is negative"


def _good_answers(profile: Profile) -> Iterator[str]:
    chat = _Templates(profile, COMMON | SPOKEN)
    plain = _Templates(profile, COMMON)
    answer, stream = profile.answer, profile.stream
    yield from chat.json("answer.body", answer.body)
    yield from chat.json("answer.tool_call_body", answer.tool_call_body)
    yield from plain.headers("answer.headers", answer.headers)
    for name in ("role", "reasoning", "text", "finish", "usage"):
        yield from chat.event(f"stream.{name}", getattr(stream, name))
    for name in ("tool_call", "after"):
        for index, template in enumerate(getattr(stream, name)):
            yield from chat.event(f"stream.{name}[{index}]", template)
    if answer.tool_call_body is not None and not stream.tool_call:
        yield "stream.tool_call: missing, while answer.tool_call_body is there"
    yield from plain.json("catalog.body", profile.catalog.body)
    yield from plain.headers("catalog.headers", profile.catalog.headers)
    for index, page in enumerate(profile.pages):
        yield from plain.json(f"route[{index}].body", page.body)
        yield from plain.headers(f"route[{index}].headers", page.headers)
    if profile.embeddings:
        yield from _Templates(profile, COMMON | EMBEDDED).json("embeddings.body", profile.embeddings.body)


def _case(case: Case, profile: Profile) -> Iterator[str]:
    given = [name for name in ("body", "sse", "play") if getattr(case, name) is not None]
    if len(given) != 1:
        yield f"exactly one of body, sse, play is needed, not {' and '.join(given) or 'none'}"
    if not 200 <= case.status <= 599:
        yield f"status {case.status} is no final status"
    for name in ("key", "model", "text", "body"):
        pattern = getattr(case.match, name, None)
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                yield f"match.{name}: {error}"
    try:
        if case.expect is not None:
            case.expect.wait_s(0.0)
    except ValueError as error:
        yield f"expect.retry_after: {error}"
    templates = _Templates(profile, COMMON | SPOKEN)
    yield from templates.headers("headers", case.headers)
    if case.body is not None:
        content_type = next((value for name, value in case.headers.items() if name.lower() == "content-type"), "")
        is_json = "json" in content_type or (not content_type and case.body.lstrip()[:1] in {"{", "["})
        yield from templates.json("body", case.body) if is_json and case.body else templates.filled("body", case.body)
    for index, block in enumerate(case.sse or ()):
        yield from templates.filled(f"sse[{index}]", block)


class _Templates:
    """Fills templates with samples: as caused by a quota, and as scripted."""

    def __init__(self, profile: Profile, names: frozenset[str]) -> None:
        texts: Mapping[str, str | int] = {
            name: 1 if name in _NUMBERS else _RAW.get(name, 'a "sample"\\') for name in names
        }
        standings = {quota.name: QuotaStatus(quota.amount, 0.0, 0.0, 1.0, 0.0) for quota in profile.quotas}
        self._values = tuple(Values(texts, 1.8e9, standings, defaults=defaults) for defaults in (False, True))

    def filled(self, place: str, template: str) -> Iterator[str]:
        try:
            for values in self._values:
                values.fill(template)
        except UnknownPlaceholder as error:
            yield f"{place}: {error}"

    def headers(self, place: str, headers: Mapping[str, str]) -> Iterator[str]:
        for name, template in headers.items():
            if not re.fullmatch(r"[A-Za-z0-9-]+", name) or re.search(r"[^\t -~]", template):
                yield f"{place}: {name!r} is no header"
            yield from self.filled(f"{place}.{name}", template)

    def json(self, place: str, template: str | None) -> Iterator[str]:
        if template is None:
            return
        try:
            for values in self._values:
                json.loads(values.fill(template))
        except UnknownPlaceholder as error:
            yield f"{place}: {error}"
        except ValueError as error:
            yield f"{place}: not JSON once it is filled in: {error}"

    def event(self, place: str, template: str | None) -> Iterator[str]:
        if template is not None and "\n" in template.strip():
            yield f"{place}: the data of an event must be on one line"
        yield from self.json(place, template)
