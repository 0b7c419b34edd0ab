"""Fusion and marginal relevance against the formulas, applied naively."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.retrieval.fusion import maximal_marginal_relevance, reciprocal_rank_fusion, with_firsts

ranking = st.lists(st.sampled_from("abcdefgh"), unique=True)


def test_by_hand():
    scores = reciprocal_rank_fusion([["a", "b"], ["b", "c"]])
    assert list(scores) == ["b", "a", "c"]
    assert scores == pytest.approx({"b": 1 / 62 + 1 / 61, "a": 1 / 61, "c": 1 / 62})


@given(st.lists(st.tuples(ranking, st.floats(0.1, 5)), max_size=4), st.floats(0, 100))
def test_every_score_is_the_sum_over_the_rankings(weighted, k):
    rankings, weights = [one for one, _ in weighted], [weight for _, weight in weighted]
    scores = reciprocal_rank_fusion(rankings, k, weights)
    assert set(scores) == {item for one in rankings for item in one}
    for item, score in scores.items():
        expected = sum(w / (k + one.index(item) + 1) for one, w in zip(rankings, weights, strict=True) if item in one)
        assert score == pytest.approx(expected)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)


def test_what_one_ranking_alone_finds_first_is_kept_by_hand():
    # "rare" has 1/61 = 0.0164; all others have two places, the last of them 2/67 = 0.0299.
    rankings = [list("abcdefg"), ["rare", *"bacdefg"]]
    scores = reciprocal_rank_fusion(rankings)
    assert list(scores)[-1] == "rare"
    kept = with_firsts(scores, rankings, 3)
    assert list(kept) == ["a", "b", "rare", "c", "d", "e", "f", "g"]
    assert kept["rare"] == scores["c"]


def test_the_first_of_one_ranking_never_displaces_the_first_of_another():
    # "b" is in both rankings and first in none.
    rankings = [["a", "b"], ["c", "b"]]
    assert list(with_firsts(reciprocal_rank_fusion(rankings), rankings, 0)) == ["a", "c", "b"]


@given(st.lists(ranking, min_size=1, max_size=3), st.integers(0, 8))
def test_the_first_of_each_ranking_is_among_the_best_and_nothing_is_lost(rankings, within):
    before = reciprocal_rank_fusion(rankings)
    after = with_firsts(before, rankings, within)
    assert set(after) == set(before)
    assert list(after.values()) == sorted(after.values(), reverse=True)
    best = list(after)[: max(within, len(rankings))]
    assert {ranking[0] for ranking in rankings if ranking} <= set(best)
    raised = {ranking[0] for ranking in rankings if ranking}
    assert [name for name in after if name not in raised] == [name for name in before if name not in raised]


def naive_mmr(relevance, vectors, balance, limit):
    picked, left = [], list(range(len(relevance)))
    while left and len(picked) < limit:

        def value(item):
            similarity = max((float(vectors[item] @ vectors[other]) for other in picked), default=0.0)
            return balance * relevance[item] - (1 - balance) * similarity

        best = max(left, key=lambda item: (value(item), -item))
        picked.append(best)
        left.remove(best)
    return picked


@given(st.integers(0, 12), st.integers(0, 12), st.floats(0, 1), st.integers(0, 10**6))
def test_the_picks_are_those_of_the_naive_formula(count, limit, balance, seed):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance = random.uniform(size=count).tolist()
    picked = maximal_marginal_relevance(relevance, vectors, balance, limit)
    assert picked == naive_mmr(relevance, vectors, balance, limit)


def test_a_repeated_item_comes_after_a_different_one():
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    assert maximal_marginal_relevance([1.0, 0.9, 0.5], vectors, 0.5, 3) == [0, 2, 1]
    assert maximal_marginal_relevance([1.0, 0.9, 0.5], vectors, 1.0, 3) == [0, 1, 2]
