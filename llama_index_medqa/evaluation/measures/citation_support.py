"""Citations of an answer's sentences, held against what they cite (TREC BioGen: Gupta et al. 2024)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.document_ids import canonical_id
from llama_index_medqa.evaluation.judges import GivesVerdicts, Judge
from llama_index_medqa.evaluation.judges.verifier import NAME as VERIFIER
from llama_index_medqa.evaluation.measures.measure import Measure, without_text
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.verification.citation_marks import sentences_with_marks, take_apart

SUPPORTED = 0.5
_FAMILY = ("CitationCoverage", "CitationSupport", "NuggetRecall")
_CONTRADICTED = "CitationContradiction"


@dataclass(frozen=True)
class CitedSentence:
    """A sentence of an answer and what it cites.

    Attributes:
        text: without marks.
        cited: ids of documents.
    """

    text: str
    cited: tuple[str, ...]


def cited_sentences(answer: Answer) -> list[CitedSentence]:
    """Return an answer's sentences with what their marks cite.

    ``[2]`` cites the second text of the evidence.
    """
    sentences = [take_apart(answer.text[start:end]) for start, end in sentences_with_marks(answer.text)]
    return [
        CitedSentence(sentence.text, tuple(dict.fromkeys(_documents(sentence.claimed, answer))))
        for sentence in sentences
        if sentence.text.strip(" .")
    ]


def _documents(claimed: Sequence[str], answer: Answer) -> list[str]:
    evidence, found = answer.evidence or (), []
    for mark in claimed:
        if not mark.startswith("["):
            found.append(canonical_id(mark))
            continue
        numbers = [int(number) for number in mark.strip("[]").replace(";", ",").split(",")]
        # A number that no text has is a citation all the same, of nothing.
        ids = (evidence[number - 1].document_id if 0 < number <= len(evidence) else mark for number in numbers)
        found += map(canonical_id, ids)
    return found


def names_by(judge: str) -> tuple[str, ...]:
    """Return the names of a judge's measures of citations; only the verifier tells contradictions."""
    names = (*_FAMILY, _CONTRADICTED) if judge == VERIFIER else _FAMILY
    return tuple(f"{name}({judge})" for name in names)


def citation_measures(judge: Judge) -> list[Measure]:
    """Return the measures of citations by a judge.

    ``CitationCoverage`` is the share of an answer's sentences that a text which they cite supports, ``CitationSupport``
    the share of all citations that do, ``CitationContradiction`` the share that say the contrary (of judges that give
    verdicts), and ``NuggetRecall`` the share of the gold answer's sentences that the answer supports.
    """
    by = _CitationJudge(judge)
    functions = (by.coverage, by.support, by.nuggets)
    measures = [
        Measure(f"{name}({judge.name})", function, judge=judge.identity)
        for name, function in zip(_FAMILY, functions, strict=True)
    ]
    if isinstance(judge, GivesVerdicts):
        name, function = f"{_CONTRADICTED}({judge.name})", _contradictions(judge)
        measures.append(Measure(name, function, higher_is_better=False, judge=judge.identity))
    return measures


@dataclass(frozen=True)
class _CitationJudge:
    judge: Judge

    async def coverage(self, case: EvaluationCase, answer: Answer) -> Score:
        """Score the sentences that have a supporting citation."""
        sentences = cited_sentences(answer)
        if missing := _unfit(answer, sentences):
            return missing
        judged = await self._supports(sentences, answer)
        if isinstance(judged, Score):
            return judged
        return Score.of(len({number for number, is_supported in judged if is_supported}) / len(sentences))

    async def support(self, case: EvaluationCase, answer: Answer) -> Score:
        """Score the citations that support their sentence."""
        sentences = cited_sentences(answer)
        if missing := _unfit(answer, sentences, cited=True):
            return missing
        judged = await self._supports(sentences, answer)
        if isinstance(judged, Score):
            return judged
        return Score.of(sum(is_supported for _, is_supported in judged) / len(judged))

    async def nuggets(self, case: EvaluationCase, answer: Answer) -> Score:
        """Score the sentences of the gold answer that the answer supports; the best of several counts."""
        if not any(gold.strip() for gold in case.gold_answers):
            return Score.not_applicable("no gold answer")
        if missing := without_text(answer):
            return missing
        said = [" ".join(sentence.text for sentence in cited_sentences(answer)) or answer.text]
        shares = []
        for gold in filter(str.strip, case.gold_answers):
            judged = await self.judge.score_all([gold[start:end] for start, end in split_sentences(gold)], said)
            failed = next((one for one in judged if one.value is None), None)
            if failed is not None:
                return failed
            shares.append(sum((one.value or 0.0) >= SUPPORTED for one in judged) / len(judged))
        return Score.of(max(shares))

    async def _supports(self, sentences: Sequence[CitedSentence], answer: Answer) -> list[tuple[int, bool]] | Score:
        """Return for each citation the number of its sentence and whether it supports it; or why that is unknown."""
        found: list[tuple[int, bool]] = []
        for number, claim, texts in _pairs(sentences, answer):
            # What was cited and not retrieved supports nothing that a reader could check.
            judged = await self.judge.score_all([claim], texts) if texts else [Score.of(0.0)]
            if judged[0].value is None:
                return judged[0]
            found.append((number, judged[0].value >= SUPPORTED))
        return found


def _contradictions(judge: GivesVerdicts) -> Callable[[EvaluationCase, Answer], Awaitable[Score]]:
    async def score(case: EvaluationCase, answer: Answer) -> Score:
        sentences = cited_sentences(answer)
        if missing := _unfit(answer, sentences, cited=True):
            return missing
        pairs = _pairs(sentences, answer)
        verdicts = [(await judge.verdicts([claim], texts))[0] for _, claim, texts in pairs if texts]
        return Score.of(verdicts.count("contradicted") / len(pairs))

    return score


def _cited(case: EvaluationCase, answer: Answer) -> Score:
    if missing := without_text(answer):
        return missing
    sentences = cited_sentences(answer)
    if not sentences:
        return Score.unscored("empty answer")
    return Score.of(sum(bool(sentence.cited) for sentence in sentences) / len(sentences))


CitedSentences = Measure("CitedSentences", _cited)
"""Share of an answer's sentences that cite a text, right or wrong."""


def _unfit(answer: Answer, sentences: Sequence[CitedSentence], *, cited: bool = False) -> Score | None:
    """Return the score of an answer whose citations cannot be judged; None where they can."""
    if missing := without_text(answer):
        return missing
    if not sentences:
        return Score.unscored("empty answer")
    if not any(piece.text.strip() for piece in answer.evidence or ()):
        return Score.not_applicable("no evidence text")
    nothing = cited and not any(sentence.cited for sentence in sentences)
    return Score.not_applicable("nothing cited") if nothing else None


def _pairs(sentences: Sequence[CitedSentence], answer: Answer) -> list[tuple[int, str, list[str]]]:
    """Return each citation: number and text of its sentence, and the texts that it cites, which may be none."""
    texts = _texts_by_document(answer)
    return [
        (number, sentence.text, texts.get(document, []))
        for number, sentence in enumerate(sentences)
        for document in sentence.cited
    ]


def _texts_by_document(answer: Answer) -> Mapping[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for piece in answer.evidence or ():
        for name in {canonical_id(piece.document_id), f"PMID:{piece.pmid}" if piece.pmid else ""} - {""}:
            texts.setdefault(name, []).append(piece.text)
    return texts
