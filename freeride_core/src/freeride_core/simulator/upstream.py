"""Decides what a simulated upstream answers: orders first, then matching cases, keys, models, quotas, and the good answer."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from freeride_core.simulator.behaviour import BEHAVIOURS
from freeride_core.simulator.dialect import PlayedRequest, case_reply, good_chat, good_embeddings, page_reply
from freeride_core.simulator.embedding import inputs_of
from freeride_core.simulator.history import history_fault
from freeride_core.simulator.model import Saying, conversation_of, count_tokens, last_user_text, say
from freeride_core.simulator.orders import Orders
from freeride_core.simulator.profile import CHAT, EMBEDDINGS, GOOD, MODELS, Case, Page, Profile, is_known
from freeride_core.simulator.quota import Demand, PlayedMeter
from freeride_core.simulator.reply import SimulatedResponse, error_reply
from freeride_core.simulator.seen import SeenRequest


class SimulatedUpstream:
    """One simulated upstream, without a socket."""

    def __init__(
        self,
        profile: Profile,
        *,
        quotas: bool = True,
        seed: int = 0,
        now: Callable[[], float] = time.time,
        accounts: Mapping[str, str] | None = None,
        text: str | None = None,
        model: Callable[[Mapping[str, Any]], Saying] | None = None,
        slow_s: float = 2.0,
    ) -> None:
        self.profile = profile
        self.orders = Orders(profile)
        self._quotas = quotas
        self._seed = seed
        self._now = now
        self._accounts = accounts or {}
        self.text = text
        self._model = model
        self._slow_s = slow_s
        self._meter = PlayedMeter(profile.quotas)
        self._serials = itertools.count()
        self._known = {CHAT: profile.chat_models(), EMBEDDINGS: profile.embedding_models()}
        self._pages = {page.path: page for page in profile.pages}
        self._chat_paths = _chat_paths(profile)

    def answer(self, seen: SeenRequest) -> SimulatedResponse:
        """Return the response to a request, and complete what `seen` says about it."""
        request = _decoded(seen.body)
        seen.key = _key(seen.headers, self.profile.key_header)
        model = request.get("model")
        seen.model = model if isinstance(model, str) else ""
        seen.stream = request.get("stream") is True
        seen.operation = self._operation(seen)
        turn = self._turn(seen, request)
        seen.answered, reply = self._decide(seen, turn)
        seen.status = reply.status if reply.head else 0
        return reply

    def use_up(self, window: str, back_in_s: float | None) -> bool:
        """Use up all that chat may use in this window, as other clients would. Return whether a quota counts that."""
        return self._meter.use_up(window, CHAT, self._now(), back_in_s)

    def _operation(self, seen: SeenRequest) -> str:
        """What is asked for. A path that says which model, or whether to stream, is believed."""
        for pattern, streams in self._chat_paths:
            if seen.method == "POST" and (found := pattern.fullmatch(seen.path)):
                seen.model = found.groupdict().get("model", seen.model)
                seen.stream = seen.stream if streams is None else streams
                return CHAT
        places = {("GET", self.profile.catalog.path): MODELS}
        if self.profile.embeddings is not None:
            places["POST", self.profile.embeddings.path] = EMBEDDINGS
        return places.get((seen.method, seen.path), "")

    def _turn(self, seen: SeenRequest, request: Mapping[str, Any]) -> PlayedRequest:
        model = seen.model or self.profile.default_model
        is_chat = seen.operation == CHAT
        prompt = conversation_of(request) if is_chat else request.get("input")
        return PlayedRequest(
            profile=self.profile,
            request=request,
            model=model,
            stream=seen.stream,
            saying=self._say(request, model) if is_chat else Saying(),
            prompt_tokens=count_tokens(prompt if isinstance(prompt, str) else json.dumps(prompt, ensure_ascii=False)),
            serial=f"{self.profile.provider}:{self._seed}:{next(self._serials)}",
            key=seen.key,
            now=self._now(),
            slow_s=self._slow_s,
        )

    def _say(self, request: Mapping[str, Any], model: str) -> Saying:
        return self._model(request) if self._model else say(request, self.profile.provider, model, self.text)

    def _decide(self, seen: SeenRequest, turn: PlayedRequest) -> tuple[str, SimulatedResponse]:
        ordered = None
        if seen.operation:
            ordered = self.orders.take(is_catalog=seen.operation == MODELS, key=seen.key, model=seen.model)
        if ordered is not None and ordered not in GOOD:
            return ordered, self._ordered_reply(ordered, seen, turn)
        if ordered is None:
            case = self._fault(seen, turn)
            if case is not None:
                return case.name, case_reply(case, self._metered(seen, turn), by_quota=False)
        return self._good(seen, turn, is_free=ordered is not None)

    def _ordered_reply(self, name: str, seen: SeenRequest, turn: PlayedRequest) -> SimulatedResponse:
        case = self.profile.case(name)
        if case is None:
            return BEHAVIOURS[name].reply(self._metered(seen, turn))
        return case_reply(case, self._metered(seen, turn), by_quota=False)

    def _fault(self, seen: SeenRequest, turn: PlayedRequest) -> Case | None:
        """What is wrong with the request itself, where a case of the profile says so."""
        text = last_user_text(turn.request)
        body = seen.body.decode("utf-8", "replace")
        for case in self.profile.cases:
            if case.match and case.operation == seen.operation and case.match.fits(seen.key, seen.model, text, body):
                return case
        if self.profile.good_key and not self._is_public(seen) and self._is_bad(seen.key):
            return self.profile.case("bad-key")
        if seen.operation == CHAT and (unwelcome := turn.request.keys() & set(self.profile.request.left_out)):
            return self.profile.case("parameter-refused") or _refusal(min(unwelcome))
        if seen.operation == CHAT and (fault := history_fault(turn.request.get("messages"), self.profile.request)):
            return self.profile.case("message-refused") or _refusal(fault)
        if seen.operation == CHAT and (fault := self._effort_fault(turn)):
            return self.profile.case("parameter-refused") or _refusal(fault)
        known = self._known.get(seen.operation)
        if known is not None and not is_known(turn.model, known):
            return self.profile.case("unknown-model")
        return None

    def _effort_fault(self, turn: PlayedRequest) -> str:
        facts, effort = self.profile.catalog.facts.get(turn.model), turn.request.get("reasoning_effort")
        if facts is None or facts.efforts is None or effort is None or effort in facts.efforts:
            return ""
        return f"this value of reasoning_effort ({', '.join(facts.efforts) or 'none at all'})"

    def _is_public(self, seen: SeenRequest) -> bool:
        place = self.profile.catalog if seen.operation == MODELS else self._pages.get(seen.path)
        return place is not None and place.public

    def _is_bad(self, key: str) -> bool:
        """Return whether the key is missing, says itself that it is bad, or is bad by the profile, even for another operation."""
        if not key or "bad" in key.lower():
            return True
        case = self.profile.case("bad-key")
        match = case.match if case is not None else None
        return match is not None and match.key is not None and match.fits(key, "", "", "")

    def _good(self, seen: SeenRequest, turn: PlayedRequest, *, is_free: bool) -> tuple[str, SimulatedResponse]:
        if seen.operation == MODELS:
            return MODELS, page_reply(self.profile.catalog, turn)
        if not seen.operation:
            page = self._pages.get(seen.path) if seen.method == "GET" else None
            return self._page(page, seen, turn)
        if (seen.operation == CHAT and conversation_of(turn.request) is None) or (
            seen.operation == EMBEDDINGS and not inputs_of(turn.request)
        ):
            case = self.profile.case("invalid-json")
            reply = case_reply(case, turn, by_quota=False) if case else None
            return "invalid-json", reply or error_reply(400, "The body is not a request.", "invalid_request_error")
        if self._quotas and not is_free:
            demand = self._demand(seen, turn)
            refused = self._meter.refusal(demand, turn.now)
            case = self.profile.case(refused) if refused else None
            if case is not None:
                return case.name, case_reply(case, self._metered(seen, turn), by_quota=True)
            self._meter.charge(demand, turn.now)
        metered = self._metered(seen, turn)
        if seen.operation == EMBEDDINGS:
            return EMBEDDINGS, good_embeddings(metered)
        return "chat-stream" if turn.stream else "chat", good_chat(metered)

    def _page(self, page: Page | None, seen: SeenRequest, turn: PlayedRequest) -> tuple[str, SimulatedResponse]:
        if page is not None:
            return page.path, page_reply(page, self._metered(seen, turn))
        case = self.profile.case("unknown-path")
        reply = case_reply(case, self._metered(seen, turn), by_quota=False) if case else None
        return "unknown-path", reply or error_reply(404, "There is nothing at this path.", "not_found_error")

    def _metered(self, seen: SeenRequest, turn: PlayedRequest) -> PlayedRequest:
        return replace(turn, standings=self._meter.standings(self._demand(seen, turn), turn.now))

    def _demand(self, seen: SeenRequest, turn: PlayedRequest) -> Demand:
        asked = turn.request.get("max_completion_tokens", turn.request.get("max_tokens"))
        return Demand(
            key=seen.key,
            account=self._accounts.get(seen.key, seen.key),
            model=turn.model,
            operation=seen.operation,
            prompt_tokens=turn.prompt_tokens,
            answer_tokens=turn.saying.tokens if seen.operation == CHAT else 0,
            asked_tokens=asked if isinstance(asked, int) else 0,
        )


def _chat_paths(profile: Profile) -> list[tuple[re.Pattern[str], bool | None]]:
    """Where chat requests arrive, and whether the place says that they are to be streamed."""
    stream_path = profile.request.stream_path
    if stream_path is None:
        return [(_pattern(profile.chat_path), None)]
    return [(_pattern(stream_path), True), (_pattern(profile.chat_path), False)]


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile("(?P<model>.+)".join(map(re.escape, path.split("{model}"))))


def _key(headers: Mapping[str, str], key_header: str) -> str:
    """Return the key from the place where the upstream looks for it, and from no other."""
    if key_header:
        return headers.get(key_header.lower(), "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _refusal(what: str) -> Case:
    """What is said to what must not arrive, or is missing, where the profile does not say it."""
    body = json.dumps({"error": {"message": f"{what} is unsupported", "type": "invalid_request_error"}})
    return Case(name="parameter-refused", status=400, body=body, source="left_out", confidence="guess")


def _decoded(body: bytes) -> Mapping[str, Any]:
    """The request; empty where the body is no JSON object."""
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
