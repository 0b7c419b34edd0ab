"""The keywords of a question, their weights, and its rare names."""

import math
from functools import lru_cache

from llama_index_medqa.text.abbreviations import acronyms_of, with_other_forms
from llama_index_medqa.text.term_weights import idf, is_rare, terms
from llama_index_medqa.verification.entity_check import missing_names
from llama_index_medqa.verification.entity_names import entity_mentions

# A word that is rare in abstracts and names nothing ("company") tells no more than this.
_MOST_OF_AN_ORDINARY_WORD = 4.0
# A record with less of the rare names of a question is on something else. Chosen on calibration questions of BioASQ.
_LEAST_NAMED = 0.5


def question_weights(question: str) -> dict[str, float]:
    """Return the weight of each meaningful word, by its stem.

    Its rarity in PubMed.

    Words that stand in questions on any subject ("patients", "risk") tell little, and names much, so that a record on
    another disease does not pass for one on this.
    """
    named = frozenset[str]().union(*(terms(mention.text) for mention in entity_mentions(question)))
    return {term: idf(term) if term in named else min(idf(term), _MOST_OF_AN_ORDINARY_WORD) for term in terms(question)}


def held_shares(weights: dict[str, float], text: str, title: str = "", title_share: float = 0.5) -> dict[str, float]:
    """Return the words of a question in a text, with their shares.

    Shares are of the question's weight, 0 to 1.

    Args:
        weights: of :func:`question_weights`.
        text: a sentence, or any other text.
        title: of its record: what stands there alone counts in part.
        title_share: how much of it, 0 to 1.
    """
    total = math.fsum(weights.values())
    in_text, in_title = terms(text), terms(title)
    return {
        term: (weight if term in in_text else title_share * weight) / total
        for term, weight in weights.items()
        if term in in_text or term in in_title
    }


def held_share(weights: dict[str, float], text: str, title: str = "", title_share: float = 0.5) -> float:
    """Return the share of a question that a text holds, 0 to 1.

    Arguments as of :func:`held_shares`.
    """
    return math.fsum(held_shares(weights, text, title, title_share).values())


def spelled_out(text: str, record: str) -> str:
    """Append the other forms of the abbreviations in a sentence.

    So its words can be counted.

    Args:
        text: of a record, such as ``SGA was a risk factor``.
        record: what is known of the record; it defines the abbreviations.
    """
    return with_other_forms(text, acronyms_of(record))


@lru_cache(maxsize=1_000)
def rare_names(question: str) -> frozenset[str]:
    """Return the names in a question that are rare in PubMed.

    A drug, a gene, a syndrome; never "company".
    """
    return frozenset(mention.text for mention in entity_mentions(question) if all(map(is_rare, terms(mention.text))))


def lacks_names(question: str, text: str) -> bool:
    """Return whether a text lacks most rare names of a question.

    A record that does so is on something else; arguments as of :func:`named_share`.
    """
    share = named_share(question, text)
    return share is not None and share < _LEAST_NAMED


def named_share(question: str, text: str) -> float | None:
    """Return the share of a question's rare names in a text, 0 to 1.

    In any form or under another name.

    Args:
        question: what is asked.
        text: of a record, with its title.

    Returns:
        None where the question has no rare name.
    """
    names = rare_names(question)
    if not names:
        return None
    missing = {mention.text for mention in missing_names(question, text, abbreviations=acronyms_of(text))}
    return 1 - len(names & missing) / len(names)
