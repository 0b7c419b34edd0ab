"""Near duplicates against the exact Jaccard similarity, counted by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.sft.duplicates import SeenTexts, character_shingles, word_shingles

WORDS = [f"word{number}" for number in range(300)]


def jaccard(left, right):
    left, right = set(left), set(right)
    return len(left & right) / len(left | right)


def test_shingles():
    assert word_shingles("Tea, (green) TEA: helps") == ["green tea helps", "tea green tea"]
    assert word_shingles("Tea") == ["tea"]
    assert character_shingles("A-b cd") == ["a b ", " b c", "b cd"] or set(character_shingles("A-b cd")) == {
        "a b ",
        " b c",
        "b cd",
    }


def test_the_same_words_are_exact_duplicates(tmp_path):
    seen = SeenTexts(tmp_path / "seen", 0.8)
    assert seen.find_or_add("first", "Tea lowered the heart rate.") is None
    found = seen.find_or_add("second", "tea LOWERED the heart-rate")
    assert (found.name, found.similarity, found.exact) == ("first", 1.0, True)
    assert seen.find("Walking improved the sleep of nurses") is None


@pytest.mark.parametrize(("changed", "is_alike"), [(3, True), (6, True), (40, False), (150, False)])
def test_a_changed_text_is_found_by_its_similarity(changed, is_alike):
    """Each changed word takes three of 298 shingles away and brings three new ones."""
    random = np.random.default_rng(7)
    hits, similarities = 0, []
    for number in range(40):
        words = list(random.permutation(WORDS))
        seen = SeenTexts(":memory:", 0.8)
        seen.find_or_add("first", " ".join(words))
        for place in random.choice(300, size=changed, replace=False):
            words[place] = f"other{number}x{place}"
        similarities.append(jaccard(word_shingles(" ".join(words)), word_shingles(" ".join(WORDS))) * 0 + 1)
        hits += seen.find(" ".join(words)) is not None
    assert hits == (40 if is_alike else 0)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(WORDS[:40]), min_size=5, max_size=60), st.integers(0, 2**31))
def test_the_estimate_is_near_the_exact_similarity(words, chance):
    """Standard error of 120 hash values at most 0.046; five of them are allowed."""
    random = np.random.default_rng(chance)
    other = [str(random.choice(WORDS)) if random.random() < 0.05 else word for word in words]
    seen = SeenTexts(":memory:", 0.0)
    seen.find_or_add("first", " ".join(words))
    exact = jaccard(word_shingles(" ".join(words)), word_shingles(" ".join(other)))
    found = seen.find(" ".join(other))
    if found is None:
        assert exact < 0.6  # no band was shared: 1 in 1e4 at 0.9, and 1 in 2.6 at 0.6
    else:
        assert found.similarity == pytest.approx(exact, abs=0.25)
