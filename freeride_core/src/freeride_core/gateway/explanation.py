"""Explanations: what the client is told when no provider answered, and what its user can do."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

from freeride_core.answer import ErrorKind, Failure
from freeride_core.call import Call, Operation
from freeride_core.gateway.http.budget import NoRoom
from freeride_core.gateway.http.encoding import DecodedTooLarge, EncodingFault, UnknownCoding
from freeride_core.gateway.http.errors import PROXY_LOGIN, PROXY_REFUSAL, UNTRUSTED, UNUSABLE_PROXY, BodyTooLarge
from freeride_core.gateway.protocols.errors import ClientError, bad_request
from freeride_core.gateway.walk.candidate import Candidate
from freeride_core.gateway.walk.enabled import EnabledProviders
from freeride_core.gateway.walk.model_names import nearest_model
from freeride_core.gateway.walk.outcome import Exhausted, Faulted, Outcome, Served, Tried
from freeride_core.gateway.walk.routing import PRESET_IDS, RoutingPlan, Wanted
from freeride_core.privacy.prompt_redaction import without_echo
from freeride_core.settings.keys import key_variable
from freeride_core.system.plain_text import without_controls
from freeride_core.system.spelling import nearest

_LONGEST_MESSAGE = 2000
_LONGEST_NAME = 256
_BUSY_S = 5
"""Seconds in which some of what fills the budget has been answered."""
_BREAKS = frozenset({ErrorKind.NETWORK, ErrorKind.TIMEOUT})
_CLIENTS_FAULTS = frozenset({ErrorKind.BAD_REQUEST, ErrorKind.CONTENT_FILTER})
_LOGIN_HELP = (
    "The proxy on the way wants a user name and a password: add them to its address in HTTP_PROXY or HTTPS_PROXY,"
    " as in http://USER:PASSWORD@HOST:PORT."
)
_CONNECTION_HELP = {
    PROXY_LOGIN: _LOGIN_HELP,
    PROXY_REFUSAL: "Ask who runs the proxy to let this machine reach the upstreams, or correct HTTPS_PROXY.",
    UNTRUSTED: "Set SSL_CERT_FILE to a file with the certificate of the proxy or the antivirus program that reads the traffic.",
    UNUSABLE_PROXY: "Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY: write scheme, host and port, such as http://host:3128.",
}
_CODES = {
    ErrorKind.CONTEXT_LENGTH: "context_length_exceeded",
    ErrorKind.TOO_LARGE: "request_too_large",
    ErrorKind.CONTENT_FILTER: "content_filter",
    ErrorKind.UNSUPPORTED: "unsupported",
    ErrorKind.MODEL_NOT_FOUND: "model_not_found",
}


def outcome(ended: Outcome, call: Call, enabled: EnabledProviders, now: float) -> ClientError:
    """Return the error for a walk in which no candidate answered."""
    assert not isinstance(ended, Served)
    return _fault(ended, call, enabled) if isinstance(ended, Faulted) else _exhausted(ended, enabled, now)


def _fault(ended: Faulted, call: Call, enabled: EnabledProviders) -> ClientError:
    failure, name = ended.failure, ended.candidate.provider.name
    return bad_request(
        _discreet(failure.message, call, enabled) or f"The request was refused ({failure.kind}).",
        param=None if failure.param is None else _discreet(failure.param, call, enabled),
        code=_CODES.get(ErrorKind(failure.kind)) if failure.kind in _CODES else str(failure.kind),
        status=ended.status,
        more={"provider": name, "model": ended.candidate.model.id},
    )


def _discreet(words: str, call: Call, enabled: EnabledProviders) -> str:
    """An upstream's words without keys, controls, and what they quote of the request."""
    return without_echo(enabled.redact(without_controls(words[:_LONGEST_MESSAGE])), call)


def _unsupported(missing: Iterable[str]) -> ClientError:
    return bad_request(
        f"No free model here supports what the request needs: {', '.join(sorted(missing))}.", code="unsupported"
    )


def _exhausted(ended: Exhausted, enabled: EnabledProviders, now: float) -> ClientError:
    kinds = {entry.last_error for entry in ended.tried}
    code = kinds.pop() if len(kinds) == 1 else "mixed"
    wait_s = 1 if ended.retry_at is None else max(1, math.ceil(ended.retry_at - now))
    return ClientError(
        status=503,
        message=_summary(ended.tried, wait_s),
        type="all_upstreams_failed",
        code=code,
        more={
            "tried": [_entry(entry, now) for entry in ended.tried],
            "suggestion": _suggestion(ended.tried, enabled, now),
        },
        retry_after_s=wait_s,
    )


def _entry(entry: Tried, now: float) -> dict[str, object]:
    return {
        "provider": entry.provider,
        "model": entry.model,
        "keys_tried": entry.keys_tried,
        "last_error": entry.last_error,
        "status": entry.status,
        "retry_after_s": None if entry.retry_at is None else max(0, math.ceil(entry.retry_at - now)),
    }


def _summary(tried: Sequence[Tried], wait_s: int) -> str:
    if not tried:
        return "No free upstream could answer in time."
    asked = ", ".join(dict.fromkeys(_told(entry) for entry in tried))
    if any(entry.keys_tried for entry in tried):
        return f"No free upstream could answer ({asked}). The soonest can be asked again in {wait_s} s."
    return f"All free upstreams are cooling down ({asked}). The soonest can be asked again in {wait_s} s."


def _told(entry: Tried) -> str:
    """One provider's failure in a few words; why there was no connection, where the user can change that."""
    is_telling = entry.reason.startswith(tuple(_CONNECTION_HELP))
    return f"{entry.provider}: {entry.last_error}{f', {entry.reason}' if is_telling else ''}"


def _suggestion(tried: Sequence[Tried], enabled: EnabledProviders, now: float) -> str:
    """One sentence, about what helps soonest."""
    kinds = {entry.last_error for entry in tried}
    back = min((entry.retry_at for entry in tried if entry.retry_at is not None), default=None)
    if kinds == {ErrorKind.AUTH}:
        names = dict.fromkeys(entry.provider for entry in tried)
        if all(entry.is_of_account for entry in tried):
            return (
                f"The account behind {_variables(enabled, names)} is restricted: sign in at {', '.join(names)} to see why, or set"
                " the key of another account."
            )
        return f"Replace the refused keys: {_variables(enabled, names)}; `freeride keys --check` shows which."
    reasons = [entry.reason for entry in tried]
    for reason, help_ in _CONNECTION_HELP.items():
        if all(each.startswith(reason) for each in reasons):
            return help_
    if {entry.status for entry in tried} == {407}:
        return _LOGIN_HELP
    if kinds and kinds <= {ErrorKind.NETWORK, ErrorKind.TIMEOUT}:
        return "Check this machine's network connection, or wait a moment."
    if kinds == {ErrorKind.MODEL_NOT_FOUND}:
        return "Ask for 'auto' or for a model that `freeride models` lists."
    idle = [name for name in enabled.registered if name not in enabled.by_name]
    more = f", or add a key of another provider ({_variables(enabled, idle)})" if idle else ""
    if back is not None:
        return f"Wait until {_clock(back, now)}{more}."
    return f"Try again in a moment{more}."


def _clock(moment: float, now: float) -> str:
    """Local time, with the date where it is not today."""
    local = time.localtime(moment)
    is_today = time.strftime("%F", local) == time.strftime("%F", time.localtime(now))
    return time.strftime("%H:%M:%S" if is_today else "%F %H:%M", local)


def _variables(enabled: EnabledProviders, names: Iterable[str]) -> str:
    return ", ".join(key_variable(enabled.registered[name]) for name in names)


def no_usable_keys(enabled: EnabledProviders, name: str | None = None) -> ClientError:
    """No key at all, or none of one provider."""
    names = [name] if name is not None else list(enabled.registered)
    variables = _variables(enabled, names)
    if not enabled.registered:
        message, suggestion = "No provider is installed.", "Install the usual ones: pip install freeride-gateway."
    else:
        message = f"There is no usable key{f' for {name}' if name else ''}."
        suggestion = f"Set {variables}; `freeride keys` says where a free key is made."
    return ClientError(
        status=503,
        message=f"{message} {suggestion}",
        type="no_usable_keys",
        code="no_usable_keys",
        more={"tried": [], "suggestion": suggestion},
        is_hopeless=True,
    )


def force_provider_unknown(enabled: EnabledProviders, name: str) -> ClientError:
    names = ", ".join(enabled.registered) or "none"
    near = nearest(name, enabled.registered)
    return bad_request(
        f"X-FreeRide-Force-Provider names no installed provider.{_guess(near)} Installed: {names}.",
        param="X-FreeRide-Force-Provider",
        code="force_provider_unknown",
    )


def unknown_preset(name: str) -> ClientError:
    return bad_request(
        f"There is no such preset.{_guess(nearest(name, PRESET_IDS))} Presets: {', '.join(PRESET_IDS)}.",
        param="model",
        code="unknown_preset",
    )


def _guess(near: str | None) -> str:
    return "" if near is None else f" Did you mean '{near}'?"


def embedding_model_needed(names: Sequence[str]) -> ClientError:
    return bad_request(
        f"Embeddings of different models cannot be mixed, so name one model. {_usable(names)}",
        param="model",
        code="model_required",
    )


def _usable(names: Sequence[str]) -> str:
    return (
        f"Free embedding models usable now: {', '.join(names)}." if names else "No free embedding model is usable now."
    )


def catalog_unavailable(names: Sequence[str]) -> ClientError:
    return ClientError(
        status=503,
        message=f"Whether this model exists cannot be told yet: no model list from {', '.join(names)}.",
        type="catalog_unavailable",
        code="catalog_unavailable",
        more={"tried": [], "suggestion": "Try again in a few seconds, or ask for 'auto'."},
        retry_after_s=5,
    )


def no_route(
    call: Call,
    route: RoutingPlan,
    enabled: EnabledProviders,
    wanted: Wanted,
    embedding_models: Sequence[str],
    chat_models: Sequence[str],
) -> ClientError:
    """Return the error for a request that no provider could answer at any time. The models are those that can be used now."""
    if route.largest_context:
        # Many agents look for these words, rather than for a code, before they compact a conversation.
        return bad_request(
            f"This model's maximum context length is {route.largest_context} tokens. However, the prompt has about "
            f"{call.prompt_tokens}, and no free model here takes more.",
            param="input" if call.operation is Operation.EMBEDDINGS else "messages",
            code="context_length_exceeded",
        )
    if route.missing:
        return _unsupported(route.missing)
    if call.operation is Operation.EMBEDDINGS:
        return _model_not_found(f"No free embedding model has this name. {_usable(embedding_models)}")
    if not wanted.canonical.isdisjoint(embedding_models):
        return _model_not_found("This model makes embeddings and does not chat: ask for it at /v1/embeddings.")
    without_key = [name for name in route.listed_at if name not in enabled.by_name]
    if route.listed_at and len(without_key) == len(route.listed_at):
        return no_usable_keys(enabled, without_key[0])
    if route.listed_at:
        return _model_not_found(
            f"This model is not free at {', '.join(route.listed_at)}. `freeride models` lists what is."
        )
    near = nearest_model(call.model, chat_models)
    return _model_not_found(
        f"{_named(call.model, enabled)} is not available for free.{_guess(near)} Use 'auto' to let FreeRide choose;"
        " `freeride models` lists what is free."
    )


def _named(model: str, enabled: EnabledProviders) -> str:
    """The model as the client named it, if that may be a name. Without any key that it may hold."""
    is_name = len(model) <= _LONGEST_NAME and model.isascii() and model.isprintable()
    return f"Model '{enabled.redact(model)}'" if is_name else "This model"


def _model_not_found(message: str) -> ClientError:
    return bad_request(message, param="model", code="model_not_found", status=404)


def broken_stream(candidate: Candidate, failure: Failure, call: Call, enabled: EnabledProviders) -> ClientError:
    """An answer that broke off after its first words. Agents decide by these words and by the type whether to try again."""
    name = candidate.provider.name
    if failure.kind in _BREAKS:
        message = f"Network error: {name} broke off in the middle of the answer ({failure.kind})."
    else:
        words = _discreet(failure.message, call, enabled).rstrip(".") or f"it reported {failure.kind}"
        message = f"{name} ended in the middle of the answer: {words}."
        if failure.kind not in _CLIENTS_FAULTS:
            message = f"Server error: {message}"
    return ClientError(
        status=502,
        message=f"{message} What came is incomplete.",
        type="server_error",
        code=str(failure.kind),
        more={"provider": name, "model": candidate.model.id},
    )


def loop_detected() -> ClientError:
    return ClientError(
        status=508,
        message="The request has come back to the gateway that sent it. One of FREERIDE_<PROVIDER>_BASE_URL leads to this"
        " gateway: set it to the provider's address.",
        type="invalid_request_error",
        code="loop_detected",
        is_hopeless=True,
    )


def stopping() -> ClientError:
    return ClientError(
        status=503,
        message="The gateway is stopping.",
        type="gateway_stopping",
        code="gateway_stopping",
        retry_after_s=2,
    )


def no_room() -> ClientError:
    return ClientError(
        status=503,
        message="The gateway holds as many bytes of requests and answers as FREERIDE_MAX_BUFFERED allows. Try again in a moment.",
        type="gateway_busy",
        code="gateway_busy",
        retry_after_s=_BUSY_S,
    )


def unread(fault: BodyTooLarge | EncodingFault | NoRoom) -> ClientError:
    """Of a request whose body is not read to its end."""
    if isinstance(fault, NoRoom):
        return no_room()
    if isinstance(fault, UnknownCoding):
        return bad_request(
            "The request body has a Content-Encoding that is not understood: send it as gzip, as deflate, or as it is.",
            code="unsupported_encoding",
            status=415,
        )
    if isinstance(fault, EncodingFault) and not isinstance(fault, DecodedTooLarge):
        return bad_request(f"The request body is {fault}.")
    return bad_request("The request body is larger than FREERIDE_MAX_BODY.", code="request_too_large", status=413)


def internal_error() -> ClientError:
    return ClientError(
        status=500,
        message="The gateway itself failed; its terminal says where.",
        type="internal_error",
        code="internal_error",
    )
