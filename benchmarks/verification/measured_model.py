"""The entailment model under measurement, asked once about each pair."""

import argparse
import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_index_medqa.verification.entailment import Entailment, EntailmentEncoder, EntailmentModel


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, the folder of another encoder than the packaged one."""
    parser.add_argument(
        "--model", type=Path, help="folder with model.onnx, tokenizer.json and card.json; by default the packaged one"
    )


class KeptJudgements:
    """A model with kept judgements.

    Several measurements of the same pairs cost one.

    Args:
        model: judges each pair the first time.
        journal: keeps them for later runs too: each of the same model, by its identity, is read back.
    """

    def __init__(self, model: EntailmentModel | None = None, journal: Path | None = None) -> None:
        self._model: EntailmentModel = model or EntailmentEncoder()
        self._journal = journal
        self._kept: dict[tuple[str, str], Entailment] = {}
        for line in journal.read_text(encoding="utf-8").split("\n") if journal and journal.exists() else ():
            with contextlib.suppress(json.JSONDecodeError):  # a line that was broken off
                row = json.loads(line)
                if row["model"] == dict(self._model.identity):
                    self._kept[row["premise"], row["claim"]] = Entailment(*row["chances"])

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return the model's identity."""
        return self._model.identity

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Return the model's thresholds."""
        return self._model.thresholds

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Entailment]:
        """Judge pairs (premise, claim), in order.

        What was judged before stays as it was.
        """
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._kept]
        if new:
            judged = dict(zip(new, self._model.judge(new), strict=True))
            self._kept.update(judged)
            self._write(judged)
        return [self._kept[pair] for pair in pairs]

    def _write(self, judged: Mapping[tuple[str, str], Entailment]) -> None:
        if self._journal is None:
            return
        identity = dict(self._model.identity)
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        with self._journal.open("a", encoding="utf-8") as stream:
            for (premise, claim), chances in judged.items():
                row = {"model": identity, "premise": premise, "claim": claim, "chances": chances}
                stream.write(json.dumps(row) + "\n")
