"""Near duplicates against the exact Jaccard similarity, counted by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.sft.duplicates import SeenTexts, character_shingles, word_shingles

WORDS = [f"word{number}" for number in range(300)]


def jaccard(left: str, right: str) -> float:
    """Of the runs of three words, counted without the code under test."""
    runs = [set(zip(text.split(), text.split()[1:], text.split()[2:], strict=False)) for text in (left, right)]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


def test_shingles() -> None:
    assert word_shingles("Tea, (green) TEA: helps") == ["green tea helps", "tea green tea"]
    assert word_shingles("Tea") == ["tea"]
    assert character_shingles("A-b cd") == [" b c", "a b ", "b cd"]


def test_the_same_words_are_exact_duplicates(tmp_path) -> None:
    seen = SeenTexts(tmp_path / "seen", 0.8)
    assert seen.find_or_add("first", "Tea lowered the heart rate.") is None
    found = seen.find_or_add("second", "tea LOWERED the heart-rate")
    assert (found.name, found.similarity, found.exact) == ("first", 1.0, True)
    assert seen.find("Walking improved the sleep of nurses") is None


@pytest.mark.parametrize(("changed", "is_alike"), [(3, True), (6, True), (40, False), (150, False)])
def test_a_changed_text_is_found_by_its_similarity(changed, is_alike) -> None:
    """A changed word takes up to three of the 298 runs away and brings as many: 6 give 0.89, 40 about 0.5."""
    random = np.random.default_rng(7)
    for _ in range(20):
        words = [str(word) for word in random.permutation(WORDS)]
        seen = SeenTexts(":memory:", 0.8)
        seen.find_or_add("first", " ".join(words))
        for number in random.choice(300, size=changed, replace=False):
            words[number] = f"other{number}"
        assert (seen.find(" ".join(words)) is not None) is is_alike


@settings(max_examples=60)
@given(st.lists(st.sampled_from(WORDS), min_size=20, max_size=80), st.integers(0, 2**31))
def test_the_estimate_is_near_the_exact_similarity(words, chance) -> None:
    """The standard error of 120 hash values is at most 0.046; five of them are allowed."""
    random = np.random.default_rng(chance)
    other = [str(random.choice(WORDS)) if random.random() < 0.03 else word for word in words]
    seen = SeenTexts(":memory:", 0.0)
    seen.find_or_add("first", " ".join(words))
    exact = jaccard(" ".join(words), " ".join(other))
    found = seen.find(" ".join(other))
    if found is None:
        assert exact < 0.8  # at 0.8 no band is shared once in 430 times, at 0.7 once in 12
    else:
        assert found.similarity == pytest.approx(exact, abs=0.23)


def test_the_most_alike_of_several_is_named() -> None:
    """Of the text asked for, exactly: 0.60 and 0.76; the two are alike by 0.42, so that both are kept."""
    seen = SeenTexts(":memory:", 0.5)
    assert seen.find_or_add("far", " ".join([*WORDS[:64], *(f"other{number}" for number in range(5))])) is None
    assert seen.find_or_add("near", " ".join([*(f"more{number}" for number in range(15)), *WORDS[12:100]])) is None
    assert seen.find(" ".join(WORDS[:100])).name == "near"
