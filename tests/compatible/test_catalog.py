"""What a model does of which an id is all that is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.call import Operation
from freeride_core.compatible.catalog import operations_of

EMBEDDERS = [
    "snowflake/arctic-embed-l",
    "nvidia/nv-embedqa-e5-v5",
    "baai/bge-m3",
    "@cf/baai/bge-large-en-v1.5",
    "BAAI/bge-multilingual-gemma2",
    "intfloat/multilingual-e5-large",
    "thenlper/gte-large",
    "sentence-transformers/all-MiniLM-L6-v2",
    "text-embedding-3-small",
    "nomic-embed-text:latest",
    "nvidia/rerank-qa-mistral-4b",
    "all-minilm:33m",
]
OTHERS = [
    "meta/llama-3.3-70b-instruct",
    "openai/gpt-oss-120b",
    "google/gemma-4-e4b-it",
    "acme/e50",
    "acme/bgeneral",
    "acme/sgte",
    "qwen3:8b",
    "",
]


@pytest.mark.parametrize("model_id", EMBEDDERS)
def test_a_name_that_says_that_it_embeds_is_not_asked_to_chat(model_id: str) -> None:
    assert operations_of(model_id) == {Operation.EMBEDDINGS}


@pytest.mark.parametrize("model_id", OTHERS)
def test_any_other_name_may_be_asked_for_either(model_id: str) -> None:
    assert operations_of(model_id) == {Operation.CHAT, Operation.EMBEDDINGS}


@given(st.text(max_size=300))
def test_every_name_may_be_asked_for_something(model_id: str) -> None:
    assert operations_of(model_id)
