"""ROUGE recall: ROUGE-2 against the values of rouge-score 0.1.2 (without stemming), ROUGE-SU4 by hand."""

import pytest

from llama_index_medqa.evaluation.measures.bioasq.rouge import rouge_2_recall, rouge_su4_recall


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("The cat sat on the mat.", "the cat was on the mat", 0.6),
        (
            "Empagliflozin reduced heart-failure hospitalisation by 30% (P<0.001).",
            "Empagliflozin reduces hospitalisation for heart failure; heart-failure hospitalisation by 30 %.",
            0.4,
        ),
        ("a b a b a b", "a b a b", 1.0),
        ("one", "two words here", 0.0),
        (
            "IL-17A inhibitors such as secukinumab are approved for psoriasis",
            "Secukinumab, an IL-17A inhibitor, is approved for psoriasis and for psoriatic arthritis",
            0.25,
        ),
    ],
)
def test_rouge_2_agrees_with_rouge_score(text, reference, expected):
    assert rouge_2_recall(text, [reference]) == pytest.approx(expected)


def test_rouge_su4_by_hand():
    # Reference "police killed the gunman" (Lin 2004): 4 words and the 6 pairs of them. The text has the words police,
    # the and gunman, and the pairs police-the, police-gunman and the-gunman.
    assert rouge_su4_recall("police kill the gunman", ["police killed the gunman"]) == pytest.approx(6 / 10)


def test_rouge_su4_skips_no_more_than_four_words():
    # "a" and "f" have four words between them, "a" and "g" five.
    assert rouge_su4_recall("a f", ["a b c d e f"]) == pytest.approx(3 / (6 + 15))
    # 7 words; of their 21 pairs a-g alone is too far apart.
    assert rouge_su4_recall("a g", ["a b c d e f g"]) == pytest.approx(2 / (7 + 20))


def test_the_reference_that_is_held_best_counts():
    assert rouge_2_recall("it is safe", ["it is not safe", "it is safe"]) == 1
    assert rouge_su4_recall("it is safe", ["no", "it is safe"]) == 1


@pytest.mark.parametrize("references", [[], ["!"], ["word"]])
def test_what_has_no_pairs_scores_nothing(references):
    assert rouge_2_recall("word", references) == 0
