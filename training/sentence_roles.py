"""Fit the weights of sentence roles on abstracts with headings: findings, background and the study itself."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.verification.role_chances import RoleChances, features
from training.verifier.abstracts import kept_out_pmids
from training.verifier.rows import read_rows

_FINDING = r"results?|(?:principal )?findings|conclusions?|interpretation|discussion"
_BACKGROUND = r"background|introduction|context|rationale"
_STUDY = (
    r"aims?|objectives?|purpose|hypothesis|methods?|(?:materials?|patients|subjects) and methods|methods and design|"
    r"(?:study )?design|setting|participants|interventions?|(?:main )?outcome measures|measurements"
)
# What stands under these is neither.
_NEITHER = r"(?:clinical )?trial registration[^:]{0,20}|methods and findings|funding"
_HEADING = re.compile(
    rf"(?:^|(?<=[.?!\s]))(?:(?P<finding>{_FINDING})|(?P<background>{_BACKGROUND})|(?P<study>{_STUDY})|{_NEITHER})\s*:\s",
    re.IGNORECASE,
)
_LEAST_HEADINGS = 3
_LEAST_WORDS = 4
_LEAST_ABSTRACTS = 8
_MOST_WEIGHTS = 2_000
_INVERSE_REGULARISATION = 0.1
_PUBMEDQA_HEADINGS = {
    "finding": re.compile(r"RESULT|FINDING|CONCLUSION"),
    "background": re.compile(r"BACKGROUND|INTRODUCTION"),
    "study": re.compile(r"METHOD|DESIGN|SETTING|AIM|OBJECTIVE|PURPOSE|PARTICIPANTS|PATIENTS"),
}


class RoleSentence(NamedTuple):
    """A sentence under a heading.

    Attributes:
        pmid: of its abstract.
        text: without the heading.
        role: what the heading announces: a field of ``RoleChances``.
    """

    pmid: str
    text: str
    role: str


@dataclass(frozen=True)
class _Weights:
    """Of the regression, rounded: for each role a constant, and a weight of each feature."""

    constants: list[float]
    weights: dict[str, list[float]]

    def quality(self, unseen: Sequence[RoleSentence]) -> dict[str, Any]:
        """Return the share of right roles, and the AUROC of each, on sentences that were not fitted."""
        import numpy as np
        from sklearn.metrics import roc_auc_score

        scores = np.array([self._scores(one.text) for one in unseen])
        chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        right = [RoleChances._fields[best] == one.role for best, one in zip(scores.argmax(axis=1), unseen, strict=True)]
        auroc = {
            role: round(float(roc_auc_score([one.role == role for one in unseen], chances[:, number])), 3)
            for number, role in enumerate(RoleChances._fields)
        }
        return {"sentences": len(unseen), "auroc": auroc, "right": round(sum(right) / len(right), 3)}

    def _scores(self, text: str) -> Any:
        import numpy as np

        return np.sum(
            [self.constants, *(self.weights[feature] for feature in features(text) if feature in self.weights)], axis=0
        )


def make_weights(data: Path, out: Path, seed: int = 24) -> dict[str, Any]:
    """Fit the regression, write its weights, and return its quality.

    On sentences that were not fitted.

    Args:
        data: the folder with ``sft``, ``qa`` and ``claims``.
        out: file of the weights.
        seed: decides which tenth of the abstracts is kept back.
    """
    sentences = list(_under_headings(data))
    pmids = sorted({one.pmid for one in sentences})
    random.Random(seed).shuffle(pmids)  # noqa: S311
    kept_back = set(pmids[: len(pmids) // 10])
    seen = [one for one in sentences if one.pmid not in kept_back]
    fitted = _fit(seen)
    out.write_text(json.dumps(asdict(fitted)) + "\n", encoding="utf-8")
    return {
        "fitted_on": len(seen),
        "kept_back": fitted.quality([one for one in sentences if one.pmid in kept_back]),
        "PubMedQA training questions": fitted.quality(list(_of_pubmedqa(data / "qa"))),
    }


def _fit(seen: Sequence[RoleSentence]) -> _Weights:
    """Fit the regression, and keep the weights that matter most."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    counts = Counter(feature for one in seen for feature in features(one.text))
    vectorizer = DictVectorizer()
    matrix = vectorizer.fit_transform(
        [{feature: 1 for feature in features(one.text) if counts[feature] >= _LEAST_ABSTRACTS} for one in seen]
    )
    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=1_000).fit(matrix, [one.role for one in seen])
    rows = [list(model.classes_).index(role) for role in RoleChances._fields]
    worth = dict(zip(vectorizer.get_feature_names_out(), model.coef_[rows].T, strict=True))
    chosen = sorted(worth, key=lambda name: -max(abs(worth[name])) * counts[name] ** 0.5)[:_MOST_WEIGHTS]
    return _Weights(
        [round(float(constant), 3) for constant in model.intercept_[rows]],
        {name: [round(float(weight), 2) for weight in worth[name]] for name in sorted(chosen)},
    )


def _under_headings(data: Path) -> Iterator[RoleSentence]:
    """Yield the sentences of open abstracts with headings.

    Without those that are kept out.
    """
    questions = data / "qa"
    without = kept_out_pmids(
        questions / "split.json", questions / "bioasq" / "questions.jsonl", data / "claims" / "claims.jsonl.gz"
    )
    for row in read_rows(data / "sft" / "pmcoa_ccby_cc0.jsonl"):
        headings = list(_HEADING.finditer(row["abstract"]))
        if row["pmid"] in without or len(headings) < _LEAST_HEADINGS:
            continue
        ends = [*(heading.start() for heading in headings[1:]), len(row["abstract"])]
        for heading, end in zip(headings, ends, strict=True):
            for role in (role for role, found in heading.groupdict().items() if found):
                for text in _sentences(row["abstract"][heading.end() : end]):
                    yield RoleSentence(row["pmid"], text, role)


def _of_pubmedqa(questions: Path) -> Iterator[RoleSentence]:
    training = set(json.loads((questions / "split.json").read_text(encoding="utf-8"))["PubMedQA"]["training"])
    for row in read_rows(questions / "pubmedqa_dev.jsonl"):
        for label, text in zip(row["labels"], row["contexts"], strict=True):
            roles = [role for role, heading in _PUBMEDQA_HEADINGS.items() if heading.search(label.upper())]
            if row["pmid"] in training and len(roles) == 1:
                yield from (RoleSentence(row["pmid"], one, roles[0]) for one in _sentences(text))


def _sentences(text: str) -> Iterator[str]:
    for start, end in split_sentences(text):
        if len(text[start:end].split()) >= _LEAST_WORDS:
            yield text[start:end]
