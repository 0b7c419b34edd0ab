"""Screening of records for training, with counts by reason."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from data_tools.sft.duplicates import SeenTexts
from data_tools.sft.evaluation_sets import EvaluationSets
from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord
from llama_index_medqa.text.words import FUNCTION_WORDS

# The seed's filters, in characters: a title or abstract of this length is still too short.
SHORT_TITLE = 5
SHORT_ABSTRACT = 50

# Share of "the", "of", "was" and their like among the words of an English abstract, at least.
_LEAST_ENGLISH = 0.12
_WORD = re.compile(r"[^\W\d_]+")
_NAMED_AT_MOST = 10


def abstract_of(record: PubMedRecord) -> str:
    """Return the abstract as one paragraph, without its labels."""
    return " ".join(section.text for section in record.sections if section.text)


def is_english(text: str) -> bool:
    """Return whether a text is English, by its function words.

    The language that a record states is not asked: it is the paper's, and PubMed keeps an English abstract of papers
    in every language.
    """
    words = _WORD.findall(text.lower())
    return sum(word in FUNCTION_WORDS for word in words) >= _LEAST_ENGLISH * max(len(words), 1)


@dataclass
class Screening:
    """Passes fit records one at a time, and counts the others.

    Attributes:
        evaluation_sets: whose papers must not be trained on.
        seen: abstracts that passed.
        drop_evaluation_items: leave such papers out; else they are an error, told when all records were read.
        read: records and deletions seen.
        rejected: how many were left out, by reason.
    """

    evaluation_sets: EvaluationSets
    seen: SeenTexts
    drop_evaluation_items: bool
    read: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    _leaked: list[str] = field(default_factory=list)

    def passing(self, items: Iterable[PubMedRecord | Deletion]) -> Iterator[PubMedRecord]:
        """Yield the records that are fit.

        Raises:
            InputError: at the end, if evaluation sets hold some of the records and those are not to be dropped.
        """
        for item in items:
            self.read += 1
            reason = "deleted" if isinstance(item, Deletion) else self._reason(item)
            if reason:
                self.rejected[reason] += 1
            elif isinstance(item, PubMedRecord):
                yield item
        if self._leaked and not self.drop_evaluation_items:
            more = self.rejected["in an evaluation set"] - len(self._leaked)
            raise InputError(
                f"Evaluation sets hold {more + len(self._leaked)} of the records: {', '.join(self._leaked)}"
                f"{f' and {more} more' if more else ''}. Leave them out with --drop-evaluation-items."
            )

    def _reason(self, record: PubMedRecord) -> str | None:
        abstract = abstract_of(record)
        if record.status in ("retracted", "retraction_notice"):
            return record.status.replace("_", " ")
        if len(record.title) <= SHORT_TITLE:
            return f"title of {SHORT_TITLE} characters or fewer"
        if len(abstract) <= SHORT_ABSTRACT:
            return f"abstract of {SHORT_ABSTRACT} characters or fewer"
        if not is_english(abstract):
            return "not English"
        if file := self.evaluation_sets.find(record):
            if len(self._leaked) < _NAMED_AT_MOST:
                self._leaked.append(f"{record.document_id} ({file})")
            return "in an evaluation set"
        alike = self.seen.find_or_add(record.document_id, abstract)
        return alike and ("duplicate" if alike.exact else "near duplicate")
