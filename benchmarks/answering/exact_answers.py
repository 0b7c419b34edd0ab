"""How good are the names extracted from sentences as exact answers?

    python -m benchmarks.answering.exact_answers [--data DATA] [--write-weights]

No model drafts here, and nothing is retrieved: sentences about BioASQ's questions are taken as if they had been
verified, and what :func:`exact_answer` takes out of them is held against the gold items, by the measures of BioASQ
task B (``evaluation.measures.bioasq``). The sentences are

- ``quotes``: what ``extractive`` quotes from the gold papers;
- ``snippets``: the six sentences of the gold papers that hold most of the question's words;
- ``ideal``: the first ideal answer, as if the gold papers supported it; an item must stand in them word for word.

``--write-weights`` makes the weights of the regression anew, on the ``training`` questions, and writes them into the
package. What is told of ``training`` is of a third of its questions, by weights that were made on the others; the
thresholds were chosen there. Nothing was chosen on ``calibration``. ``final`` is never asked.
"""

import argparse
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core import Document
from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.answering.gold_answers import GoldAnswer, load_gold_answers
from benchmarks.common.answer_sets import AnswerSet, load_answer_set
from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import provenance, write_results
from llama_index_medqa.answering.drafting import ExtractiveDrafter
from llama_index_medqa.answering.questions.keywords import held_share, question_weights
from llama_index_medqa.answering.short_answer import exact_answer as extractor
from llama_index_medqa.answering.short_answer.answer_type import answer_type
from llama_index_medqa.answering.short_answer.exact_answer import exact_answer, mentions
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.measures.bioasq.exact_answers import factoid_scores, list_scores, normalised
from llama_index_medqa.evaluation.statistics.intervals import bootstrap_mean
from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.verification.passages import Passage, passages_of
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation

WEIGHTS = Path(extractor.__file__).with_name("exact_answer_weights.json")
_SNIPPETS = 6
_CHANCES = (0.0, 0.2, 0.4, 0.6, 0.8)
_REGULARISATION = 0.3
_BRACKETED = re.compile(r"\s*\(([^()]*)\)")


@dataclass(frozen=True)
class ExactQuestion:
    """A factoid or list question with sentences that count as verified.

    Attributes:
        text: the question.
        gold: what is right.
        sentences: by their source.
    """

    text: str
    gold: GoldAnswer
    sentences: dict[str, list[AnswerSentence]]


def questions(
    chosen: AnswerSet, cases: Sequence[EvaluationCase], gold: dict[str, GoldAnswer]
) -> Iterator[ExactQuestion]:
    """Yield the factoid and list questions."""
    papers = {document.id_: document for document in chosen.documents}
    for case in cases:
        right = gold[case.case_id]
        if right.kind not in ("factoid", "list"):
            continue
        found = [papers[name] for name in case.gold_documents if name in papers]
        passages = passages_of([_whole(paper) for paper in found])
        quotes = [piece.text.strip() for piece in ExtractiveDrafter().stream(case.question, passages)]
        sentences = {
            "quotes": [_supported(text, _holding(text, passages)) for text in quotes],
            "snippets": _snippets(case.question, passages),
            "ideal": [_supported(text, list(map(_cited, passages))) for text in _sentences(right.ideal[0])],
        }
        yield ExactQuestion(case.question, right, sentences)


def _whole(paper: Document) -> NodeWithScore:
    node = TextNode(text=paper.text, metadata=paper.metadata, start_char_idx=0)
    node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=paper.id_)
    return NodeWithScore(node=node, score=1.0)


def _snippets(question: str, passages: Sequence[Passage]) -> list[AnswerSentence]:
    weights = question_weights(question)
    texts = dict.fromkeys(sentence.text for passage in passages for sentence in passage.sentences)
    best = sorted(texts, key=lambda text: -held_share(weights, text))[:_SNIPPETS]
    return [_supported(text, _holding(text, passages)) for text in best]


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def _supported(text: str, citations: Sequence[Citation]) -> AnswerSentence:
    return AnswerSentence(text, "supported", 1.0, tuple(citations))


def _holding(text: str, passages: Sequence[Passage]) -> list[Citation]:
    return [
        Citation(passage.document_id, passage.pmid, passage.title, sentence.start, sentence.end, sentence.text)
        for passage in passages
        for sentence in passage.sentences
        if sentence.text == text
    ]


def _cited(passage: Passage) -> Citation:
    end = passage.start + len(passage.text)
    return Citation(passage.document_id, passage.pmid, passage.title, passage.start, end, passage.text)


def fit(some: Sequence[ExactQuestion]) -> dict[str, Any]:
    """Return constant and weights of a regression that finds the right names."""
    features, labels = [], []
    for question in some:
        if answer_type(question.text).wanted not in ("one", "list"):
            continue
        right = {form for item in question.gold.items for spelling in item for form in _forms(spelling)}
        for sentences in question.sentences.values():
            for mention in mentions(question.text, [sentence.text for sentence in sentences]):
                features.append(dict(mention.features))
                labels.append(not right.isdisjoint(_forms(mention.candidate.text)))
    vectorizer = DictVectorizer()
    model = LogisticRegression(C=_REGULARISATION, max_iter=1_000).fit(vectorizer.fit_transform(features), labels)
    weights = zip(vectorizer.get_feature_names_out(), model.coef_[0], strict=True)
    return {
        "constant": round(float(model.intercept_[0]), 3),
        "weights": {str(name): round(float(weight), 3) for name, weight in weights},
    }


def _forms(spelling: str) -> set[str]:
    """Return a spelling with and without its brackets, and the bracketed text."""
    inside = [text for text in _BRACKETED.findall(spelling) if len(text) > 1]
    return {normalised(text) for text in (spelling, _BRACKETED.sub("", spelling), *inside)} - {""}


def measure(some: Sequence[ExactQuestion]) -> dict[str, dict[str, Any]]:
    """Return the measures of BioASQ task B for each source of sentences."""
    return {source: _measure(some, source) for source in ("quotes", "snippets", "ideal")}


def _measure(some: Sequence[ExactQuestion], source: str) -> dict[str, Any]:
    strict, lenient, f1, precision, recall, first = ([] for _ in range(6))
    for question in some:
        found = exact_answer(question.text, question.sentences[source], ())
        items = [item.text for item in found.items] if found else []
        if question.gold.kind == "factoid":
            scores = factoid_scores(items, question.gold.items)
            strict.append(scores.strict)
            lenient.append(scores.lenient)
            if found and found.kind == "factoid":
                first.append((found.items[0].chance, scores.strict))
        else:
            listed = list_scores(items, question.gold.items)
            f1.append(listed.f1)
            precision.append(listed.precision)
            recall.append(listed.recall)
    return {
        "factoid questions": len(strict),
        "factoid strict accuracy": _mean(strict),
        "factoid lenient accuracy": _mean(lenient),
        "strict accuracy by the least chance of the first candidate": {
            str(least): _mean([right for likely, right in first if likely >= least]) for least in _CHANCES
        },
        "list questions": len(f1),
        "list precision": _mean(precision),
        "list recall": _mean(recall),
        "list F1": _mean(f1),
    }


def _mean(values: Sequence[float]) -> dict[str, float] | None:
    """Return a mean with its 95 % interval; None of nothing."""
    if not values:
        return None
    found = bootstrap_mean(values)
    return {
        "cases": len(values),
        "mean": round(found.mean, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
    }


def write_weights(made: dict[str, Any]) -> None:
    """Write the weights into the package, where the next question finds them."""
    WEIGHTS.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    extractor._weights.cache_clear()


def main() -> None:
    """Fit where asked to, measure, and write ``results/exact_answers.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write-weights", action="store_true", help="make the weights anew, on the training questions")
    add_data_option(parser)
    options = parser.parse_args()
    require_data(options.data)
    chosen = load_answer_set("BioASQ", options.data)
    gold = load_gold_answers("BioASQ", options.data)
    results: dict[str, Any] = {"provenance": provenance(chosen.files, ["scikit-learn", "numpy"])}
    if options.write_weights:
        training = list(questions(chosen, chosen.training, gold))
        order = np.array(random.Random(0).sample(range(len(training)), len(training)))
        held_out = [training[number] for number in order[::3]]
        write_weights(fit([training[number] for position, number in enumerate(order) if position % 3]))
        results["training, a third held out"] = measure(held_out)
        write_weights(fit(training))
    results["calibration"] = measure(list(questions(chosen, chosen.calibration, gold)))
    print(json.dumps(results, indent=1))
    write_results("exact_answers", results)


if __name__ == "__main__":
    main()
