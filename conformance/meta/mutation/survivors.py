"""Mutants that no rule can kill, each with the reason: the first pattern that fits a mutant's name explains it."""

from __future__ import annotations

import re

_DATED = (
    r"(cloudflare: catalog\.models\[@cf/nvidia"
    r"|(nvidia|openrouter|huggingface): catalog\.models\[(?!.*embed)).*\]"
)
_UNCHECKED = (
    r"(groq: catalog\.models\[qwen|cloudflare: catalog\.models\[@cf/(nvidia|baai)|nvidia: catalog\.models\[).*\]"
)
_OTHERS = r".*: catalog\.models\[(qwen/|nvidia/nemotron-3-ultra|@cf/nvidia).*[^e]\]"
"""Models of which the profile checks no facts; of them, those that are not the default."""

SURVIVORS: dict[str, str] = {
    # What people decide.
    r".*: rank plus one": "where a provider stands among others is a matter of taste",
    r".*: credentials\[0\]\.(account_)?aliases\[.\] removed": "other names of a variable are known to its users only",
    r".*: (free_models_variables|former_names)\[.\] removed": "historic names are known to those who set them",
    r".*: credentials\[0\]\.pattern -> None": "a pattern is optional: it only hints",
    r".*: missing_models_most .*": "that an account gets no model at all shows after several requests",
    r".*: first_byte_timeout removed": "how patient one must be shows in minutes that no test waits for",
    # What only the real upstream knows.
    r"(?!huggingface).*: base_url with another host": "every simulator answers at another host, so none can tell",
    r"openrouter: catalog\.path altered": "only the query changes, and a simulator does not filter",
    r"groq: probe removed": "a probe is optional",
    r"(?!huggingface).*: probe\.describe raises": "what cannot be described counts as valid, as the status says",
    r"(groq|cloudflare|openrouter): probe\.describe finds an account that cannot be billed": "the free policy asks for no account",
    r"openrouter: probe\.refusals\[403\] removed": "that a 403 proves a bad key no case tells",
    r"(openrouter|groq): meter -> .*": "every 429 that was seen says itself whom it limits",
    r"huggingface: limits\[0\]\.(unit|amount|window|scope|kind|zone|operations) .*": "no simulator plays money, nor a month",
    r".*: limits\[\d\]\.kind -> rolling": "it admits no more than another way of counting does",
    r"(groq: limits\[0\]|nvidia: limits\[0\]|cloudflare: limits\[[12]\])\.kind -> fixed": (
        "it differs from a rolling minute at the turn of the clock only"
    ),
    r"groq: limits\[3\]\.kind -> leaky": "so the simulator counts, and the package is more careful",
    r".*: limits\[\d\]\.refusals_count -> True": "no simulator counts what it refuses",
    r".*: limits\[\d\]\.counts_cached -> .*|groq: __init__\.py: _limit: 'False' -> True": "no simulator caches",
    r"groq: limits\[\d\]\.reserve (doubled|plus one)": "how much is reserved is known roughly, and more is more careful",
    r"cloudflare: limits\[0\]\.operations -> .*CHAT.*": "no price of an embedding is stated",
    r"cloudflare: catalog\.models\[@cf/(?!openai).*\]\.costs.*": "the simulator has the price of one model",
    r"huggingface: probe\.path (emptied|altered)": "the Hub is another host, which no simulator of the router plays",
    r"huggingface: __init__\.py: request: \"'GET'\" -> .*": "likewise",
    # Facts of models.
    r".*: catalog\.models\[.*\]\.tier off by one": "a rating is a judgement",
    r".*: catalog\.models\[.*\]\.canonical altered": "which models are the same at two providers is a judgement",
    rf"{_DATED}(\.id altered| removed)": "nobody must date a model that the live list brings",
    r"(?!cloudflare: catalog\.models\[@cf/openai).*: catalog\.models\[.*\]\.(context|max_output) -> None": (
        "what is not known is not stated"
    ),
    rf"{_UNCHECKED}\.(vision|json_schema|reasoning) -> .*": "the live list does not say, or is not believed",
    r"(nvidia: |cloudflare: (?!.*@cf/openai))catalog\.models\[.*\]\.context (halved|doubled)": "likewise",
    rf"{_OTHERS}\.(tools -> False|router -> True)": "likewise, and only the default model is asked",
    rf"({_UNCHECKED}|huggingface: catalog\.models\[.*\])\.price -> 1": "no policy looks at it, or the live list corrects it",
    r"(?!huggingface).*: catalog\.models\[.*\]\.promoted -> True": "the free policy does not look at it",
    r"huggingface: catalog\.models\[.*\]\.router -> True": "only the default model is asked",
    r"openrouter: catalog\.models\[(nvidia/nemotron-3-ultra.*|openrouter/free)\]\.router -> .*": "the package says what routes",
    r"openrouter: catalog\.models\[openrouter/free\]\.price -> 1": "its name makes it free, whatever a dated price says",
    r"(openrouter|nvidia): catalog\.models\[.*embed.*\] removed|cloudflare: catalog\.models\[@cf/baai/bge-m3\] removed": (
        "the live list brings it"
    ),
    r".*: free\.(policies\[.\]\.)?checked emptied": "a date for people, which the catalog has too",
    r"huggingface: catalog\.fresh_s .*": "how often a list is looked at is a judgement",
    r"huggingface: free\.policies\[1\] removed": "it adds what an account that cannot be billed may use, and none is simulated",
    # Wires and rules.
    r".*: embeddings takes every first event for good": "embeddings are not streamed",
    r"nvidia: catalog\.parse_entry -> None": "what it reads besides costs money, unless a user's own list says otherwise",
    r"cloudflare: credentials\[0\]\.account_help emptied": "where an account's id is shown is told to people only",
    r"nvidia: embeddings\.defaults\[input_type\] emptied": "which value the upstream takes is its own word",
    r"(groq: chat\.rules\[[0234]|nvidia: chat\.rules\[[0125]"
    r"|openrouter: chat\.rules\[([456]|1[0456]))\]\.status -> None": ("the words have no other status"),
    r"groq: chat\.rules\[[012]\] after the next": "no answer was seen that fits both",
    r"huggingface: chat\.rules\[0\](\.status -> 418| removed)": "as an unknown 402 is read; it keeps words from being read",
    r"cloudflare: chat\.rules\[[02-9]\] after the next": "no answer was seen that fits both",
    r"cloudflare: chat\.rules\[1\]\.code -> None": "these words were never seen with another code",
    r"cloudflare: chat\.rules\[3\]\.(wait|overrules_hint) -> .*": "the answer as it was seen says itself how long",
    r"cloudflare: chat\.rules\[10\]\.overrules_hint -> .*": "it is said of the list of models, which nobody waits for",
    r"cloudflare: chat\.rules\[[89]\](\.code -> other| removed)": "the guessed words tell what the documented code does",
    r"cloudflare: chat\.defaults\[max_tokens\] (doubled|plus one)": (
        "how long an answer may be where nobody asks is a judgement"
    ),
    r"openrouter: chat\.rules\[([0-3]|14)\](\.code -> other|\.status -> 418| removed)": "such answers say it in words too",
    r"openrouter: chat\.rules\[([01258]|1[123])\] after the next": "no answer was seen that the order changes",
    r"openrouter: chat\.rules\[16\](\.status -> 418|\.text -> other| removed)": "the usual rules read such words alike",
    r"openrouter: chat\.rules\[8\]\.overrules_hint -> True": "one with a hint falls under the rule before",
    r"openrouter: __init__\.py: (read|_has_wish): .*": "no case has a routing wish; a test of the package sends some",
    r"openrouter: chat\.rules\[(6|11)\]( removed|\.(kind|scope|feature|overrules_hint|limit).*|\.status -> 418|\.text -> other)": (
        "an older shape, of which no example is known"
    ),
    r"openrouter: free\.policies\[2\] with google/gemini-3\.5-flash-image|cloudflare: free with openai/gpt-5\.2": (
        "it is `unfit`, so nothing reads it as a model"
    ),
    r"openrouter: free\.policies\[2\] with acme/over:free|cloudflare: free with @cf/meta/llama-3\.2-3b-instruct": (
        "it is retired, and gone from the list for that"
    ),
    # Code.
    r".*\.py: parse_entry: 'return \(\)' gives None.*": "a catalog takes that for an odd entry",
    r"groq: models\.py: parse_entry: (\"'max_completion_tokens'\"|'min\(most, MAX_OUTPUT\) if).*": (
        "all say more than the limit"
    ),
    r"cloudflare: models\.py: parse_entry: \"'@hf/'\" -> .*": "the listed model with that prefix is not free either way",
    r"cloudflare: models\.py: parse_entry: '2' -> 3": "no listed model has a context between twice and thrice the default answer",
    r"cloudflare: stream\.py: flush: \"b''\" -> .*": (
        "no stream ends within such an event, and none goes on after its end"
    ),
    r"openrouter: __init__\.py: _describe: \"'\w+'\" -> .*": "without a note for people a good key is still a good key",
    r"openrouter: __init__\.py: changes: ('model\.price == 0' negated|'not model\.router'|'0'|\"'(provider|max_price)'|"
    r"\"\{\*\*preferences).*": (
        "requests are sent for the default model, which is free by its name; a test of the package sends others"
    ),
    r"openrouter: models\.py: parse_entry: \"'(output_modalities|modality)'\" -> .*": "entries say it twice",
    r"openrouter: models\.py: dearest_price: (\"'discount'\" -> |'all\(|\"'overrides'\" -> .*\(2\)).*": (
        "no listed entry has that beside prices of zero"
    ),
    r"openrouter: models\.py: _whole: '0' -> 1": "no size is one token",
    r"huggingface: models\.py: _as_offered: \"all\(\(offer.get\('supports_tools.* turned round": (
        "no listed model's offers differ in it"
    ),
    r"huggingface: models\.py: parse_entry: \"'text'\" -> 'textx'": "every listed entry says what it answers in",
}
"""Regular expressions over whole names."""


def explanation_of(name: str) -> str:
    """The pattern that explains why a mutant survives; empty: none does."""
    return next((pattern for pattern in SURVIVORS if re.fullmatch(pattern, name)), "")
