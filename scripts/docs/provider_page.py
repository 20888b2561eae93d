"""docs/providers/: what a person needs who wants a key of one provider, from what its package states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from freeride_conformance.readme import provider_head
from freeride_core import Model, Operation, Provider
from freeride_core.settings.resolver import base_url_variable
from page_parts import ROOT, WRITTEN, by_hand, table


def provider_page(provider: Provider) -> str:
    """All of it, in Markdown."""
    facts = provider_head(provider, "").partition("\n\n")[2]
    parts = (
        f"{WRITTEN}# {provider.about.title}\n",
        facts.strip() + "\n",
        "## Start\n",
        _start(provider),
        *_models(provider),
        "## Worth knowing\n",
        by_hand(ROOT / "freeride_providers" / provider.name).replace("Worth knowing:\n\n", "") + "\n",
    )
    return "\n".join(parts)


def provider_rows(providers: Iterable[Provider]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the README's table: name, variables, free tier, and where to get a key."""
    for provider in providers:
        about = provider.about
        yield (
            f"[{about.title}](docs/providers/{provider.name}.md)",
            _variables(provider),
            about.free_day,
            f"[get a key]({about.keys_url}) ({about.sign_up})" if about.keys_url else "none",
        )


def data_use_rows(providers: Iterable[Provider]) -> Iterator[tuple[str, ...]]:
    """Yield what each provider does with prompts."""
    for provider in providers:
        yield f"[{provider.about.title}](providers/{provider.name}.md)", provider.about.data_use


def _variables(provider: Provider) -> str:
    if not provider.credentials:
        return f"`{base_url_variable(provider)}`"
    first = provider.credentials[0]
    return ", ".join(f"`{name}`" for name in (first.variable, first.account_variable) if name)


def _start(provider: Provider) -> str:
    home = "`~/.freeride/.env`"
    if not provider.credentials:
        name = base_url_variable(provider)
        return f"It needs no key. Put `{name}={provider.base_url}`, or your server's address, into {home}.\n"
    about, first = provider.about, provider.credentials[0]
    names = [name for name in (first.variable, first.account_variable) if name]
    lines = [f"1. Create a key at <{about.keys_url}>. Sign-up needs: {about.sign_up}."]
    pronoun = "it" if len(names) == 1 else "them"
    lines.append(f"2. Put {' and '.join(f'`{name}=…`' for name in names)} into {home}, or export {pronoun}.")
    lines[-1] += " `freeride init` does it for you."
    lines.append(
        "3. `freeride keys --check` verifies the key, and `freeride models` lists the models that you can use now."
    )
    return "\n".join(lines) + "\n"


def _models(provider: Provider) -> Iterator[str]:
    models = [model for model in provider.catalog.models if not model.router]
    if not models:
        return
    yield "## Models\n"
    yield (
        f"The package's list, checked {provider.catalog.checked}, best first. The live list decides what is available today,"
        " and only what is free by the rule above is ever used.\n"
    )
    rows = (_row(model) for model in sorted(models, key=lambda model: (model.tier, model.id)))
    yield table(("model", "tier", "context", "tools", "images", "remarks"), rows)


def _row(model: Model) -> tuple[str, ...]:
    context = f"{model.context:,}" if model.context else "?"
    remarks = ["embeddings"] if Operation.EMBEDDINGS in model.operations else []
    if model.retires:
        remarks.append(f"until {model.retires}")
    return f"`{model.id}`", str(model.tier), context, _sign(model.tools), _sign(model.vision), ", ".join(remarks)


def _sign(ability: bool | None) -> str:
    return {True: "yes", False: "no", None: "?"}[ability]
