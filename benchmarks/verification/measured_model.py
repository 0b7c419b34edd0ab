"""The entailment model under measurement: which one, and asked once about each pair."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_index_medqa.verification.entailment import Entailment, EntailmentEncoder, EntailmentModel


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--model``: the folder of another encoder than the one in the package."""
    parser.add_argument(
        "--model", type=Path, help="folder with model.onnx, tokenizer.json and card.json; by default the packaged one"
    )


class KeptJudgements:
    """A model whose judgements are kept, so that several measurements of the same pairs cost one.

    Args:
        model: judges each pair the first time.
    """

    def __init__(self, model: EntailmentModel | None = None) -> None:
        self._model: EntailmentModel = model or EntailmentEncoder()
        self._kept: dict[tuple[str, str], Entailment] = {}

    @property
    def identity(self) -> Mapping[str, Any]:
        """The model's."""
        return self._model.identity

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The model's."""
        return self._model.thresholds

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Entailment]:
        """Judges pairs (premise, claim), in order; what was judged before is as it was."""
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._kept]
        if new:
            self._kept.update(zip(new, self._model.judge(new), strict=True))
        return [self._kept[pair] for pair in pairs]
