"""Embedding models: real HTTP against the local server, with litellm and without; and hashing, which needs neither."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.errors import ModelError
from ramify.planner.models.direct_embeddings import DirectEmbeddings, needs_litellm, open_embeddings
from ramify.planner.models.embeddings import EmbeddingModel, embedding_request, read_vectors
from ramify.planner.models.hashing import HashingEmbeddings, hashed
from ramify.planner.models.litellm_embeddings import LiteLLMEmbeddings
from ramify.planner.models.protocol import Model, ModelReply
from ramify.planner.models.server import Timeouts
from ramify.planner.runtime.background import run_sync

from .openai_server import Chat, Fault, OpenAIServer

SHORT_S = 2.0  # how long to wait for a slow server; litellm, cut off before it has asked, leaves a coroutine behind


def lengths(chat: Chat) -> str:
    return json.dumps([[len(text), 0.5] for text in chat.texts])


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(lengths) as running:
        yield running


def embed(model: EmbeddingModel, *texts: str) -> ModelReply:
    return run_sync(model.complete(embedding_request("0", texts)))


Way = type[LiteLLMEmbeddings] | type[DirectEmbeddings]


@pytest.fixture(params=[LiteLLMEmbeddings, DirectEmbeddings])
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


def at(way: Way, server: OpenAIServer, **options: Any) -> LiteLLMEmbeddings | DirectEmbeddings:
    return way("test-model", base_url=server.base_url, **options)


def test_vectors_come_in_the_order_of_the_texts_with_what_they_cost(way: Way, server: OpenAIServer) -> None:
    reply = embed(at(way, server), "one", "three words more")
    assert read_vectors(reply, 2) == [[3.0, 0.5], [16.0, 0.5]]
    assert (reply.input_tokens, reply.output_tokens, reply.cost_usd, reply.model) == (4, 0, None, "test-model")
    assert reply.usage().calls_without_cost == 1
    body = server.chats[0].body
    assert (body["model"], body["input"], body["encoding_format"]) == (
        "test-model",
        ["one", "three words more"],
        "float",
    )
    assert "dimensions" not in body


def test_the_length_of_vectors_is_asked_for_and_part_of_the_name(way: Way, server: OpenAIServer) -> None:
    model = at(way, server, dimensions=2)
    embed(model, "one")
    assert server.chats[0].body["dimensions"] == 2
    assert model.name == "test-model (2 dimensions)"


def test_a_known_price_is_told(way: Way) -> None:
    with OpenAIServer(lengths) as server:
        model = way("text-embedding-3-small", base_url=server.base_url)
        assert embed(model, "word " * 1000).cost_usd == pytest.approx(2e-05)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("rate_limited", retry_after="7"), "rate_limited"),
        (Fault("overloaded"), "overloaded"),
        (Fault("server_error"), "server_error"),
        (Fault("quota"), "quota_exhausted"),
        (Fault("bad_key"), "bad_key"),
        (Fault("no_model"), "not_found"),
        (Fault("bad_request"), "bad_request"),
        (Fault("drop"), "unreachable"),
        (Fault("slow"), "timeout"),
        (Fault("html"), "malformed"),
        (Fault("cut_json"), "malformed"),
        (Fault("empty"), "malformed"),
    ],
)
def test_faults_mean_what_they_mean_for_language_models(
    way: Way, server: OpenAIServer, fault: Fault, kind: str
) -> None:
    slow = fault.kind == "slow"
    model = at(way, server, timeouts=Timeouts(whole_s=SHORT_S) if slow else None)
    if slow:
        embed(at(way, server), "what the first call loads takes longer than that")
    server.fail_next(fault)
    with pytest.raises(ModelError, match="test-model at http") as caught:
        embed(model, "one", "two")
    assert caught.value.kind == kind
    assert caught.value.retry_after_s == (7.0 if kind == "rate_limited" else None)


@pytest.mark.parametrize(
    "vectors", ["[]", "[[1]]", "[[1], [1, 2]]", "[[], []]", '[["1"], ["2"]]', "[[1], [NaN]]", "{}", ""]
)
def test_what_are_no_vectors_is_malformed(vectors: str) -> None:
    with pytest.raises(ModelError, match="expected: 2 vectors") as caught:
        read_vectors(ModelReply(text=vectors, model="m"), 2)
    assert caught.value.kind == "malformed"


def test_embedding_models_are_models(way: Way) -> None:
    assert isinstance(HashingEmbeddings(), Model)
    assert isinstance(way("x"), Model)
    assert "sk-secret" not in repr(way("x", base_url="http://u:sk-secret1@h/v1", api_key="sk-secret2"))


@given(st.text(), st.integers(1, 50))
def test_a_hashed_vector_has_its_length_and_is_the_same_every_time(text: str, dimensions: int) -> None:
    vector = hashed(text, dimensions)
    assert len(vector) == dimensions
    assert math.sqrt(sum(x * x for x in vector)) == pytest.approx(1, abs=1e-4) or not any(vector)
    assert vector == hashed(text, dimensions)


def test_texts_with_words_in_common_are_closer() -> None:
    vectors = read_vectors(embed(HashingEmbeddings(), "the old tram", "an old tram", "fresh fish"), 3)
    old, other, fish = vectors
    assert sum(map(lambda a, b: a * b, old, other)) > 0.5 > sum(map(lambda a, b: a * b, old, fish))


def test_who_is_asked_follows_from_the_name_and_the_address() -> None:
    address = "http://127.0.0.1:1/v1"
    assert isinstance(open_embeddings("any", base_url=address), DirectEmbeddings)
    assert isinstance(open_embeddings("text-embedding-3-small"), DirectEmbeddings)
    assert isinstance(open_embeddings("voyage/voyage-3", base_url=address), LiteLLMEmbeddings)
    assert isinstance(open_embeddings("voyage/voyage-3"), LiteLLMEmbeddings)
    assert [needs_litellm(name) for name in ("hashing", "any", "voyage/voyage-3")] == [False, False, True]
