"""Short passages of retrieved papers, each around a sentence that should be shown."""

import random
from collections.abc import Sequence
from itertools import groupby

from llama_index.core.utils import get_tokenizer

from data_tools.sft.questions import states_aim
from llama_index_medqa.text.words import content_words
from llama_index_medqa.verification.passages import Passage


def by_paper(passages: Sequence[Passage]) -> list[list[Passage]]:
    """The passages of each paper together, the best paper first."""
    return [list(own) for _, own in groupby(passages, lambda passage: passage.document_id)]


def stating(passage: Passage) -> list[int]:
    """Places of the whole sentences that state something."""
    return [
        place
        for place, sentence in enumerate(passage.sentences)
        if sentence.complete and sentence.states_something and not states_aim(sentence.text)
    ]


def anchor_of(paper: Sequence[Passage], question: str, finding: str | None) -> tuple[Passage, int] | None:
    """The sentence of a paper that is to be shown: with a finding, or with most words of the question."""
    asked = content_words(question)
    places = [(passage, place) for passage in paper for place in stating(passage)]
    if finding is not None:
        places = [(passage, place) for passage, place in places if passage.sentences[place].text.endswith(finding)]
    return max(places, key=lambda at: len(asked & content_words(at[0].sentences[at[1]].text)), default=None)


def window(passage: Passage, place: int, most_tokens: int, chance: random.Random) -> Passage:
    """A sentence with as many of its neighbours as fit, added on either side by chance."""
    first, last = place, place
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
    ends = [passage.sentences[place] for place in (first, last) if 0 <= place < len(passage.sentences)]
    return len(ends) == 2 and all(sentence.complete and sentence.states_something for sentence in ends)


def _tokens(passage: Passage, first: int, last: int) -> int:
    return len(get_tokenizer()(_text(passage, first, last)))


def _text(passage: Passage, first: int, last: int) -> str:
    return passage.text[passage.sentences[first].start - passage.start : passage.sentences[last].end - passage.start]
