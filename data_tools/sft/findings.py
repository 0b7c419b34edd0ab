"""Questions on a record, and the sentences that answer them."""

import re
from dataclasses import dataclass

from data_tools.sft.questions import question_of_objective, question_of_title, states_aim
from data_tools.sft.sections import Part, Stretch, stretches_of, without
from llama_index_medqa.pubmed.record import PubMedRecord
from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.text.words import content_words

_AIMS = frozenset({Part.OBJECTIVE, Part.BACKGROUND, Part.UNLABELLED})
_MOST_WORDS = 60
# In an abstract without labels a finding is told by how it is reported.
_REPORTS = re.compile(
    r"\b(?:significant\w*|increas\w+|decreas\w+|reduc\w+|improv\w+|higher|lower|greater|less|more|differ\w*|"
    r"similar|associated|found|showed|observed|detected|identified|revealed|demonstrated)\b",
    re.IGNORECASE,
)
# Who took part and what was done is no answer, wherever it stands.
_CONDUCT = re.compile(
    r"\b(?:was|were) (?:\w+ )?(?:randomi[sz]ed|randomly|enrolled|recruited|screened|assigned|allocated)\b",
    re.IGNORECASE,
)
_METHODS = re.compile(
    r"\b(?:(?:was|were) (?:then |also |all )?(?:divided|measured|assessed|evaluated|collected|performed|conducted|"
    r"selected|included|examined|analy[sz]ed|calculated|compared|used)|received|"
    r"underwent|(?:has|have) been|hypothesi[sz]\w+)\b",
    re.IGNORECASE,
)
# A sentence that leans on the one before it does not answer alone.
_LEANS = re.compile(
    r"(?:this|these|those|that|such|it|its|they|their|he|she|however|in contrast|conversely|moreover|furthermore|"
    r"in addition|additionally|also|similarly|the (?:former|latter)|respectively|both|neither)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Study:
    """A record as the subject of a question.

    Attributes:
        record_id: its id.
        question: what it set out to find.
        conclusions: what its authors concluded; the evidence no longer holds it.
        findings: the sentences that report results, in order.
    """

    record_id: str
    question: str
    conclusions: str
    findings: tuple[str, ...]


def study_of(record: PubMedRecord) -> tuple[Study, PubMedRecord] | str:
    """Return the study of a record, and the record as evidence.

    The evidence lacks its aim and its conclusions.

    Returns:
        Or the reason why it cannot be asked anything.
    """
    if record.pmid is None:
        return "no PMID to cite"
    stretches = stretches_of(record)
    concluding = [stretch for stretch in stretches if stretch.part is Part.CONCLUSIONS]
    if not concluding:
        return "no conclusions"
    findings = _findings(stretches)
    if not findings:
        return "no findings"
    question, aim = _question(record.title, stretches)
    if question is None:
        return "no question"
    left_out = concluding if aim is None else [*concluding, aim]
    conclusions = " ".join(stretch.text for stretch in concluding)
    return Study(record.document_id, question, conclusions, findings), without(record, left_out)


def shared_weight(sentence: str, conclusions: str) -> float:
    """Return the greatest share of a concluding sentence in a sentence, 0 to 1.

    Only meaningful words count.
    """
    held = content_words(sentence)
    concluding = [content_words(concluded) for concluded in _sentences(conclusions)]
    return max((len(words & held) / len(words) for words in concluding if words), default=0.0)


def _findings(stretches: list[Stretch]) -> tuple[str, ...]:
    labelled = [stretch for stretch in stretches if stretch.part is Part.RESULTS]
    if labelled:
        sentences = [sentence for stretch in labelled for sentence in _sentences(stretch.text)]
    else:
        rest = [stretch for stretch in stretches if stretch.part is Part.UNLABELLED]
        sentences = [sentence for stretch in rest for sentence in _reported(_sentences(stretch.text))]
    return tuple(
        sentence
        for sentence in sentences
        if len(sentence.split()) <= _MOST_WORDS and not _LEANS.match(sentence) and not _CONDUCT.search(sentence)
    )


def _reported(sentences: list[str]) -> list[str]:
    """Return the findings of an abstract without labels.

    Its first third says what was known and sought.
    """
    return [
        sentence
        for sentence in sentences[-(-len(sentences) // 3) :]
        if _REPORTS.search(sentence) and not _METHODS.search(sentence) and not states_aim(sentence)
    ]


def _question(title: str, stretches: list[Stretch]) -> tuple[str | None, Stretch | None]:
    """Return a question, and the sentence of the abstract that it comes from."""
    of_title = question_of_title(title)
    if of_title and title.rstrip("].").endswith("?"):
        return of_title, None
    for stretch in stretches:
        if stretch.part in _AIMS:
            for start, end in split_sentences(stretch.text):
                if question := question_of_objective(stretch.text[start:end]):
                    return question, _within(stretch, start, end)
    return of_title, None


def _within(stretch: Stretch, start: int, end: int) -> Stretch:
    """Return one sentence of a stretch.

    With the label where it is the only one.
    """
    if (start, end) == (0, len(stretch.text)):
        return stretch
    first, last = stretch.text_start + start, stretch.text_start + end
    return Stretch(stretch.part, stretch.text[start:end], stretch.section, first, first, last)


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]
