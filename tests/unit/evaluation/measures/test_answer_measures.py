"""Citation and abstention measures beside calculations by hand and scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.measures.abstention import auroc, risk_coverage
from llama_index_medqa.evaluation.measures.citation import CitationPrecision, CitationRecall, VerdictShare


def test_citations_by_hand():
    assert CitationPrecision.score(["PMID:1", "PMID:2", "PMID:1"], ["PMID:1", "PMID:3", "PMID:4"]) == 0.5
    assert CitationRecall.score(["PMID:1", "PMID:2"], ["PMID:1", "PMID:3", "PMID:4"]) == pytest.approx(1 / 3)
    assert CitationPrecision.score([], ["PMID:1"]) is None
    assert CitationRecall.score([], ["PMID:1"]) == 0.0
    assert str(CitationRecall) == "citation recall"
    with pytest.raises(InputError, match="at least one right paper"):
        CitationPrecision.score(["PMID:1"], [])


def test_verdicts_by_hand():
    verdicts = ["supported", "supported", "unsupported", "contradicted"]
    shares = {kind: VerdictShare(kind).score(verdicts) for kind in ("supported", "unsupported", "contradicted")}
    assert shares == {"supported": 0.5, "unsupported": 0.25, "contradicted": 0.25}
    assert VerdictShare("supported").score([]) is None


def test_a_curve_by_hand():
    # From the surest: yes, no, yes, no.
    curve = risk_coverage([0.9, 0.2, 0.8, 0.4], [True, False, False, True])
    assert [tuple(point) for point in curve] == [
        (0.9, 0.25, 0.0, 0.5, 1.0),
        (0.8, 0.5, 0.5, 0.5, 0.5),
        (0.4, 0.75, pytest.approx(1 / 3), 1.0, 0.5),
        (0.2, 1.0, 0.5, 1.0, 0.0),
    ]
    assert auroc([0.9, 0.2, 0.8, 0.4], [True, False, False, True]) == 0.75


@pytest.mark.parametrize(("confidences", "answerable"), [([0.1], [True]), ([0.1, 0.2], [True]), ([], [])])
def test_what_cannot_be_measured_is_refused(confidences, answerable):
    with pytest.raises(InputError):
        risk_coverage(confidences, answerable)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2).filter(lambda x: len({y for _, y in x}) == 2))
def test_auroc_is_the_rank_sum_of_mann_and_whitney(cases):
    from scipy.stats import mannwhitneyu

    confidences, answerable = [value / 5 for value, _ in cases], [able for _, able in cases]
    can = [value for value, able in zip(confidences, answerable, strict=True) if able]
    cannot = [value for value, able in zip(confidences, answerable, strict=True) if not able]
    expected = mannwhitneyu(can, cannot).statistic / (len(can) * len(cannot))
    assert auroc(confidences, answerable) == pytest.approx(expected)
    last = risk_coverage(confidences, answerable)[-1]
    assert (last.coverage, last.answered, last.refused) == (1.0, 1.0, 0.0)
