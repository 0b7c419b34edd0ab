"""What a question is about: how much each of its words tells, and which of them are rare names."""

from functools import lru_cache

from llama_index_medqa.text.abbreviations import acronyms_of, with_other_forms
from llama_index_medqa.text.term_weights import idf, is_rare, terms
from llama_index_medqa.verification.entity_check import missing_names
from llama_index_medqa.verification.entity_names import entity_mentions

# A word that is rare in abstracts and names nothing ("company") tells no more than this.
_MOST_OF_AN_ORDINARY_WORD = 4.0


def question_weights(question: str) -> dict[str, float]:
    """Return how much each meaningful word of a question tells, by its stem: its rarity in PubMed.

    Words that stand in questions on any subject ("patients", "risk") tell little, and names much, so that a record on
    another disease does not pass for one on this.
    """
    named = frozenset[str]().union(*(terms(mention.text) for mention in entity_mentions(question)))
    return {term: idf(term) if term in named else min(idf(term), _MOST_OF_AN_ORDINARY_WORD) for term in terms(question)}


def held_shares(weights: dict[str, float], text: str, title: str = "", title_share: float = 0.5) -> dict[str, float]:
    """Return the words of a question that a text speaks of, each with its share of the question, 0 to 1.

    Args:
        weights: of :func:`question_weights`.
        text: a sentence, or any other text.
        title: of its record: what stands there alone counts in part.
        title_share: how much of it, 0 to 1.
    """
    total = sum(weights.values())
    in_text, in_title = terms(text), terms(title)
    return {
        term: (weight if term in in_text else title_share * weight) / total
        for term, weight in weights.items()
        if term in in_text or term in in_title
    }


def held_share(weights: dict[str, float], text: str, title: str = "", title_share: float = 0.5) -> float:
    """Return the share of a question that a text speaks of, 0 to 1; arguments as of :func:`held_shares`."""
    return sum(held_shares(weights, text, title, title_share).values())


def spelled_out(text: str, record: str) -> str:
    """Return a sentence with the other forms of its abbreviations behind it, so that its words can be counted.

    Args:
        text: of a record, such as ``SGA was a risk factor``.
        record: what is known of the record; it defines the abbreviations.
    """
    return with_other_forms(text, acronyms_of(record))


@lru_cache(maxsize=1_000)
def rare_names(question: str) -> frozenset[str]:
    """Return the names in a question that are rare in PubMed: a drug, a gene, a syndrome; never "company"."""
    return frozenset(mention.text for mention in entity_mentions(question) if all(map(is_rare, terms(mention.text))))


def named_share(question: str, text: str) -> float | None:
    """Return the share of a question's rare names that a text has, in any form or under another name, 0 to 1.

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
