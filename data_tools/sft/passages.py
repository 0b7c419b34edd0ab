"""Short passages of papers, each around a chosen sentence."""

import random
from collections.abc import Sequence
from itertools import groupby

from llama_index.core.utils import get_tokenizer

from data_tools.sft.questions import states_aim
from llama_index_medqa.text.words import content_words
from llama_index_medqa.verification.passages import Passage


def by_paper(passages: Sequence[Passage]) -> list[list[Passage]]:
    """Group the passages by paper, the best paper first."""
    return [list(own) for _, own in groupby(passages, lambda passage: passage.document_id)]


def stating(passage: Passage) -> list[int]:
    """Return the positions of the whole sentences that state something."""
    return [
        position
        for position, sentence in enumerate(passage.sentences)
        if sentence.complete and sentence.states_something and not states_aim(sentence.text)
    ]


def anchor_of(paper: Sequence[Passage], question: str, finding: str | None) -> tuple[Passage, int] | None:
    """Return the sentence of a paper to show.

    One with a finding, or with most words of the question.
    """
    asked = content_words(question)
    found = [(passage, position) for passage in paper for position in stating(passage)]
    if finding is not None:
        found = [item for item in found if item[0].sentences[item[1]].text.endswith(finding)]
    return max(found, key=lambda at: len(asked & content_words(at[0].sentences[at[1]].text)), default=None)


def window(passage: Passage, position: int, most_tokens: int, chance: random.Random) -> Passage:
    """Return a sentence with random neighbours that fit."""
    first, last = position, position
    while True:
        wider = [(first - 1, last), (first, last + 1)]
        wider = [span for span in wider if _is_within(passage, *span) and _tokens(passage, *span) <= most_tokens]
        if not wider:
            break
        first, last = chance.choice(wider)
    sentences = passage.sentences[first : last + 1]
    text = _text(passage, first, last)
    return Passage(passage.document_id, passage.title, text, sentences[0].start, sentences)


def _is_within(passage: Passage, first: int, last: int) -> bool:
    ends = [passage.sentences[position] for position in (first, last) if 0 <= position < len(passage.sentences)]
    return len(ends) == 2 and all(sentence.complete and sentence.states_something for sentence in ends)


def _tokens(passage: Passage, first: int, last: int) -> int:
    return len(get_tokenizer()(_text(passage, first, last)))


def _text(passage: Passage, first: int, last: int) -> str:
    return passage.text[passage.sentences[first].start - passage.start : passage.sentences[last].end - passage.start]
