"""The grounded recipe: question and passages in, a cited answer or none out.

The answer is made of sentences that the passages hold, chosen by what the authors concluded: of the findings those that
share most words with the conclusions. The conclusions themselves, and the aim that the question was made of, are taken
out of the evidence. With them in it the answer would always be the end of the passage that repeats the question, and a
model would learn the place instead of reading; and an answer made of conclusions that the evidence no longer holds
would teach it to conclude more than it was shown, which is what the verifier drops.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from llama_index.core import Document
from llama_index.core.base.base_retriever import BaseRetriever

from data_tools.sft.findings import Study, shared_weight, study_of
from data_tools.sft.output import draw
from data_tools.sft.passages import anchor_of, by_paper, stating, window
from data_tools.sft.support import judged, speaks_of
from llama_index_medqa.answering.sentence_selection import as_context
from llama_index_medqa.indexing.index import PubMedIndex
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.prompts import ABSTENTION, GROUNDED_ANSWER
from llama_index_medqa.pubmed.record import PubMedRecord
from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.verification.passages import Passage, passages_of

ANSWERED, WITHHELD = "answered", "withheld"

# What the best finding must hold of the conclusions' words, and a second one of what the best holds.
_LEAST_SHARED = 0.2
_LEAST_SHARED_OF_BEST = 0.8
_MOST_SENTENCES = 2


@dataclass(frozen=True)
class GroundedSettings:
    """Settings of the items.

    Attributes:
        seed: chooses whose evidence is withheld, and the order of passages.
        withheld_share: share of the items whose own paper is withheld, 0 to below a half.
        passages: papers shown with a question.
        passage_tokens: most tokens of each, counted with LlamaIndex's global tokenizer.
        retrieval: how passages are found.
        embedder: its tokenizer cuts the chunks, and ``hybrid`` embeds with it: packaged weights, a folder or a hub id.
    """

    seed: int = 0
    withheld_share: float = 0.2
    passages: int = 3
    passage_tokens: int = 128
    retrieval: Literal["lexical", "hybrid"] = "lexical"
    embedder: str = "multilingual-e5-small"


@dataclass
class GroundedItems:
    """Makes items in two steps: index all records, then ask about each.

    Attributes:
        settings: how.
        studies: file for what is known between the steps.
        rejected: how many records made no item, by reason.
    """

    settings: GroundedSettings
    studies: Path
    rejected: Counter[str] = field(default_factory=Counter)

    def index(self, records: Iterable[PubMedRecord], index: PubMedIndex) -> None:
        """Index the records, and store what can be asked about them."""
        index.ingest(self._documents(records))

    def _documents(self, records: Iterable[PubMedRecord]) -> Iterator[Document]:
        with self.studies.open("w", encoding="utf-8") as file:
            for record in records:
                found = study_of(record)
                if isinstance(found, str):
                    self.rejected[found] += 1
                    yield to_document(record)
                else:
                    study, evidence = found
                    file.write(json.dumps(asdict(study), ensure_ascii=False) + "\n")
                    yield to_document(evidence)

    def rows(self, retriever: BaseRetriever) -> Iterator[tuple[str, dict[str, str], str]]:
        """Yield rows for each record, and for some also without their own paper.

        What is shown decides the answer.

        Yields:
            Record id, row in LLaMA-Factory's alpaca form, and whether it was answered or its evidence withheld.
        """
        share = self.settings.withheld_share
        with self.studies.open(encoding="utf-8") as file:
            for line in file:
                study = _read(line)
                papers = by_paper(passages_of(retriever.retrieve(study.question)))
                kinds = {ANSWERED: self._answered(study, papers)}
                if draw(self.settings.seed, WITHHELD, study.record_id) < share / (1 - share):
                    kinds[WITHHELD] = self._withheld(study, papers)
                for kind, made in kinds.items():
                    if isinstance(made, str):
                        self.rejected[made] += 1
                        break
                    yield study.record_id, _row(study.question, *made), kind

    def _answered(self, study: Study, retrieved: Sequence[list[Passage]]) -> tuple[list[Passage], str] | str:
        papers = retrieved[: self.settings.passages]
        own = next((paper for paper in papers if paper[0].document_id == study.record_id), None)
        if own is None:
            return "own paper not retrieved"
        best = _best_findings(study, own)
        if not best:
            return "no finding tells the conclusions"
        shown = self._shown(study, papers, best[0])
        chosen = _best_findings(study, [passage for passage in shown if passage.document_id == study.record_id])
        sentences = judged(chosen, shown)
        if not all(study.record_id in {citation.document_id for citation in item.citations} for item in sentences):
            return "answer not supported"
        return shown, " ".join(map(str, sentences))

    def _withheld(self, study: Study, retrieved: Sequence[list[Passage]]) -> tuple[list[Passage], str] | str:
        others = [paper for paper in retrieved if paper[0].document_id != study.record_id]
        shown = self._shown(study, others[: self.settings.passages], None)
        if not shown:
            return "no other paper retrieved"
        conclusions = [study.conclusions[start:end] for start, end in split_sentences(study.conclusions)]
        if any(speaks_of(sentence, shown) for sentence in (*study.findings, *conclusions)):
            return "another paper answers"
        return shown, ABSTENTION

    def _shown(self, study: Study, papers: Sequence[Sequence[Passage]], finding: str | None) -> list[Passage]:
        """Return a short passage of each paper, in a random order.

        It holds the finding, and of papers without it the sentence that shares most words with the question, each at
        no fixed position.
        """
        chance = random.Random(f"{self.settings.seed} {study.record_id}")  # noqa: S311  # no secret
        shown = []
        for paper in papers:
            anchor = anchor_of(paper, study.question, finding if paper[0].document_id == study.record_id else None)
            if anchor:
                shown.append(window(*anchor, self.settings.passage_tokens, chance))
        chance.shuffle(shown)
        return shown


def _best_findings(study: Study, own: Sequence[Passage]) -> list[str]:
    """Return the findings nearest to the conclusions.

    The best, and one that is nearly as good.
    """
    stated = [passage.sentences[position].text for passage in own for position in stating(passage)]
    shares = {
        finding: shared_weight(finding, study.conclusions)
        for finding in study.findings
        if any(text.endswith(finding) for text in stated)
    }
    best = max(shares.values(), default=0.0)
    if best < _LEAST_SHARED:
        return []
    near = [finding for finding in shares if shares[finding] >= _LEAST_SHARED_OF_BEST * best]
    return sorted(near, key=lambda finding: -shares[finding])[:_MOST_SENTENCES]


def _row(question: str, shown: Sequence[Passage], answer: str) -> dict[str, str]:
    prompt = GROUNDED_ANSWER.format(context_str=as_context(shown), query_str=question)
    return {"instruction": prompt, "input": "", "output": answer}


def _read(line: str) -> Study:
    values = json.loads(line)
    return Study(**values | {"findings": tuple(values["findings"])})
