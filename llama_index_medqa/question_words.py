"""Which words of a question say what it is about."""

from llama_index_medqa.text.words import content_words

_GENERAL_WEIGHT = 0.25
_GENERAL_WORDS = content_words(
    "adult affect aid analysis associated association benefit best cause caused causes child children clinical common "
    "comparison condition decrease diagnose diagnosis difference disease diseases drug drugs effect effective "
    "effectiveness effects elderly evidence factor factors good health help helps high impact improve increase "
    "influence level levels low management medical medication men method methods mortality necessary new newborns "
    "outcome outcomes patient patients people possible predict predictor prevent prevention rate recent recommended "
    "reduce related relationship risk role safe safety severe study symptom symptoms therapy treat treatment use "
    "used useful using value women work"
)


def question_weights(question: str) -> dict[str, float]:
    """How much each meaningful word of a question counts, by its stem.

    Words that stand in questions on any subject ("treat", "children", "risk") count a quarter, so that a record on
    another disease does not pass for one on this.
    """
    return {word: _GENERAL_WEIGHT if word in _GENERAL_WORDS else 1.0 for word in content_words(question)}
