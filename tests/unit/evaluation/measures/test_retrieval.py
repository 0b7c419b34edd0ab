"""Measures of retrieval against trec_eval's own code (pytrec_eval) and a calculation by hand."""

import math

import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.measures.retrieval import Recall, nDCG

documents = [f"d{number}" for number in range(30)]
judged = st.dictionaries(st.sampled_from(documents), st.integers(0, 3), min_size=1).filter(
    lambda judgements: any(judgements.values())
)


@settings(max_examples=200)
@given(st.permutations(documents), st.integers(0, 30), judged)
def test_equal_to_trec_eval(order, length, judgements):
    ranking = order[:length]
    cutoffs = (5, 10, 20)
    names = {f"{name}.{','.join(map(str, cutoffs))}" for name in ("ndcg_cut", "recall")}
    evaluator = pytrec_eval.RelevanceEvaluator({"q": judgements}, names)
    run = {document: float(len(ranking) - rank) for rank, document in enumerate(ranking)}
    expected = evaluator.evaluate({"q": run})["q"] if run else {}
    for cutoff in cutoffs:
        assert (nDCG @ cutoff).score(ranking, judgements) == pytest.approx(
            expected.get(f"ndcg_cut_{cutoff}", 0.0), abs=1e-9
        )
        assert (Recall @ cutoff).score(ranking, judgements) == pytest.approx(
            expected.get(f"recall_{cutoff}", 0.0), abs=1e-9
        )


def test_by_hand():
    relevant = {"a": 1, "b": 1, "c": 0}
    assert (nDCG @ 10).score(["x", "a", "c", "b"], relevant) == pytest.approx(
        (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3))
    )
    assert (Recall @ 2).score(["x", "a", "c", "b"], relevant) == 0.5
    assert nDCG.score(["a", "b"], relevant) == 1.0
    assert str(nDCG @ 10) == "nDCG@10"


def test_each_question_has_its_value():
    rankings = {"1": ["a"], "2": [], "3": ["never judged"]}
    assert (Recall @ 5).per_question(rankings, {"1": {"a": 1}, "2": {"a": 1}}) == {"1": 1.0, "2": 0.0}


def test_what_cannot_be_scored_is_an_error():
    with pytest.raises(InputError, match="at least one relevant document"):
        (nDCG @ 10).score(["a"], {"a": 0})
    with pytest.raises(InputError, match="each document once"):
        (nDCG @ 10).score(["a", "a"], {"a": 1})
    with pytest.raises(InputError, match="1 judged questions have no ranking, '2'"):
        (nDCG @ 10).per_question({"1": ["a"]}, {"1": {"a": 1}, "2": {"a": 1}})
    with pytest.raises(InputError, match="rank 0"):
        nDCG @ 0
