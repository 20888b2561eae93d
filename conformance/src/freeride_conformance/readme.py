"""The head of a plugin's README: what the plugin itself states, in words, so that the two cannot disagree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from freeride_conformance.questions import answer_table
from freeride_conformance.samples import Answers
from freeride_core import (
    Allowlist,
    AnyOf,
    Binder,
    Credential,
    Endpoint,
    FreePolicy,
    FreeSuffix,
    Limit,
    Operation,
    Promoted,
    Provider,
    Scope,
    UnbillableAccount,
    WholeCatalog,
    ZeroPrice,
)
from freeride_core.binder import Place as BinderScope
from freeride_core.gateway.protocols.registry import SERVED

MARKER = "<!-- Above this line: rendered from the package by `python -m freeride_conformance.render`. Below it: by hand. -->\n"

_GATEWAY = "[FreeRide](https://free-ride.xyz) gateway"
_FEW = 5
_HERE = Endpoint("http://127.0.0.1:11343")
"""So many ids are listed; of the others, only the number."""
_SCOPES = {
    Scope.KEY: "the key: another key has its own quota",
    Scope.ACCOUNT: "the account: more keys of one account do not help",
    Scope.ACCOUNT_MODEL: "account and model: another model has its own quota, another key of the account has not",
    Scope.MODEL: "the model, for all accounts together",
    Scope.PROVIDER: "all accounts together",
}
_LANGUAGES = {".yml": "yaml", ".yaml": "yaml", ".json": "json", ".json5": "json5", ".toml": "toml"}


def provider_head(provider: Provider, distribution: str) -> str:
    """Return the title, one sentence and the table of facts."""
    about = provider.about
    rows = {
        "Key": _key(provider),
        "Variable": "; else ".join(_variable(credential) for credential in provider.credentials) or "none",
        "Other address": _address(provider),
        "Counts as free": f"{_free(provider.free)}. {_own_list(provider)}",
        "Free per day": about.free_day,
        "Limits": "<br>".join(_limit(limit, provider.meter) for limit in provider.limits) or "none are published",
        "Scope": _SCOPES[provider.meter],
        "Data use": about.data_use,
        "Sources": "; ".join(_sources(provider)),
    }
    table = "".join(f"| {name} | {_cell(text)} |\n" for name, text in rows.items())
    operations = " and ".join(_operations(provider))
    return f"# {distribution}\n\n[{about.title}]({about.homepage}) for the {_GATEWAY}: {operations}.\n\n| | |\n|---|---|\n{table}\n"


def binder_head(binder: Binder, distribution: str, answers: Answers | None) -> str:
    """Return the title, one sentence, the commands with the files that they edit, what is written into a new file, and what the
    agent goes by."""
    title = f"# {distribution}\n\nBinds [{binder.title}]({binder.homepage}) to the {_GATEWAY}.\n\n"
    table = answer_table(answers) if answers else ""
    if not binder.scopes:
        return f"{title}    freeride run {binder.name}    # starts it through the gateway; it has no file to edit\n\n{table}"
    commands = [f"freeride bind {binder.name}"]
    remarks = [_place(binder, binder.scopes[0])]
    for scope in binder.scopes[1:]:
        word = "home" if scope is BinderScope.HOME else "cwd"
        commands.append(f"freeride bind {binder.name} --scope {word}")
        remarks.append(_place(binder, scope))
    commands += [f"freeride bind {binder.name} --dry-run", f"freeride bind --undo {binder.name}"]
    remarks += [
        "shows the change, writes nothing",
        "reverts it: the same bytes if nothing else has changed",
    ]
    if binder.launch(_HERE) is not None:
        commands.append(f"freeride run {binder.name}")
        remarks.append("starts it through the gateway without changing its files")
    width = max(map(len, commands))
    lines = "".join(
        f"    {command:<{width}}    # {remark}\n" for command, remark in zip(commands, remarks, strict=True)
    )
    language = _LANGUAGES.get(binder.path(binder.scopes[0], Path("~"), Path()).suffix, "")
    text = binder.edit(None, _HERE)
    is_served = binder.needs in SERVED
    after = (
        f"Next: {binder.advice(_HERE) or 'nothing. The agent picks up the change by itself.'}\n\n" if is_served else ""
    )
    return (
        f"{title}{_unserved(binder)}{lines}\n"
        f"{_moved(binder)}{after}"
        f"If there is no file yet, it {'writes' if is_served else 'will write'}:\n\n```{language}\n{text}```\n\n{table}"
    )


def _moved(binder: Binder) -> str:
    if not binder.moved_by:
        return ""
    each = [f"`{variable}` in place of `{(Path('~') / place).as_posix()}`" for variable, place in binder.moved_by]
    return f"Variables that move its files are followed: {', otherwise '.join(each)}.\n\n"


def _unserved(binder: Binder) -> str:
    if binder.needs in SERVED:
        return ""
    return (
        f"**{binder.title} does not work with FreeRide yet.** It needs `{binder.needs}`, which the gateway does not serve.\n"
        "The command says so and writes nothing.\n\n"
    )


def _place(binder: Binder, scope: BinderScope) -> str:
    path = binder.path(scope, Path("~"), Path()).as_posix()
    return path if scope is BinderScope.HOME else f"{path} of the current folder"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(name: str) -> str:
    return f"`{name}`"


def _operations(provider: Provider) -> Iterator[str]:
    for operation, word in ((Operation.CHAT, "chat"), (Operation.EMBEDDINGS, "embeddings")):
        if operation in provider.wires:
            yield word


def _key(provider: Provider) -> str:
    about = provider.about
    return f"{about.keys_url} (sign-up: {about.sign_up})" if provider.credentials else "none is needed"


def _variable(credential: Credential) -> str:
    words = _with_others(credential.variable, credential.aliases)
    more = _code(f"{credential.variable}_2")
    if not credential.account_variable:
        return f"{words}; more keys as {more}, ... or as a JSON array"
    account = _with_others(credential.account_variable, credential.account_aliases)
    return (
        f"{words} **and** {account}; more keys as {more}, which pairs with {_code(f'{credential.account_variable}_2')}"
    )


def _with_others(name: str, others: tuple[str, ...]) -> str:
    return _code(name) + (f" (or {', '.join(map(_code, others))})" if others else "")


def _address(provider: Provider) -> str:
    variable = f"FREERIDE_{provider.name.upper()}_BASE_URL"
    words = f"{_code(variable)} in place of {_code(provider.base_url.replace('{account}', '<id>'))}"
    if provider.credentials:
        return words
    return f"{words}. It is used only if this is set, or if `FREERIDE_PROVIDERS` names it"


def _own_list(provider: Provider) -> str:
    own = _with_others(f"FREERIDE_{provider.name.upper()}_FREE_MODELS", provider.free_models_variables)
    return f"{own} replaces that with your own list"


def _free(policy: FreePolicy) -> str:
    match policy:
        case AnyOf():
            return "; ".join(map(_free, policy.policies))
        case Allowlist() if len(policy.ids) <= _FEW:
            return _ids(policy.ids)
        case Allowlist():
            return f"the {len(policy.ids)} models of the package's list of {policy.checked}"
        case FreeSuffix():
            return f"ids that end in {_code(policy.suffix)}, unless the list gives one a price other than 0"
        case ZeroPrice():
            return "models whose every price in the live list is 0"
        case Promoted():
            return "models that the live list marks as free of charge, unless the account can be billed"
        case UnbillableAccount():
            return "every model, for an account that provably cannot be billed"
        case WholeCatalog():
            return "every model that is listed"
        case _:
            return (type(policy).__doc__ or "see below").strip().splitlines()[0].rstrip(".")


def _ids(ids: frozenset[str]) -> str:
    return ", ".join(_code(each) for each in sorted(ids))


def _listed(patterns: tuple[str, ...]) -> str:
    return ", ".join(_code(pattern) for pattern in patterns)


def _limit(limit: Limit, meter: Scope) -> str:
    unit = {"usd": "USD", "tokens_in": "prompt tokens", "concurrency": "at the same time"}.get(limit.unit, limit.unit)
    words = (
        f"{limit.amount:,.10g} {unit}"
        if limit.unit == "concurrency"
        else f"{limit.amount:,.10g} {unit} a {limit.window}"
    )
    if limit.operations == {Operation.EMBEDDINGS}:
        words += " for embeddings"
    if limit.models:
        words += f" with {_listed(limit.models)}"
    if limit.scope is not meter:
        words += f" for each {limit.scope.value.replace('_', ' and ')}"
    return f"{words} ({limit.note})" if limit.note else words


def _sources(provider: Provider) -> Iterator[str]:
    facts = [(limit.source, limit.checked) for limit in provider.limits]
    for source, checked in dict.fromkeys([(provider.about.source, provider.about.checked), *facts]):
        yield f"{source}, checked {checked}"
    yield f"models checked {provider.catalog.checked}"
