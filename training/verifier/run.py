"""Trains the verifier up to the packaged folder, resuming an earlier run."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from llama_index_medqa.verification.entailment import EntailmentEncoder
from training.verifier.calibrate import calibrated, judge_claims, judge_own_claims, measured
from training.verifier.encoder import new_encoder
from training.verifier.export import export, write_card
from training.verifier.fit import fit
from training.verifier.pairs import TrainingPair
from training.verifier.recipe import VerifierRecipe, stages_of

NAME = "medqa-verifier"
# Another number for each model that is committed.
VERSION = 3
_CARD = MappingProxyType(
    {
        "name": NAME,
        "version": VERSION,
        "temperature": 1.0,
        "thresholds": {"strict": 1.0, "balanced": 1.0, "open": 1.0, "contradicted": 1.0},
    }
)


def train(rounds: Sequence[VerifierRecipe], data: Path, start: Path, work: Path, report: Callable[[str], None]) -> Path:
    """Return the folder with model, tokenizer and card.

    What ``verification/model`` in the package holds.

    Each round starts from the int8 weights of the one before it.

    Args:
        rounds: the data and how the encoder is fitted, round by round.
        data: the folder with ``nli``, ``claims``, ``sft`` and ``qa``.
        start: a folder with ``model.onnx`` and ``tokenizer.json``: the packaged cross-encoder, or a verifier.
        work: folder of the checkpoints and of the result.
        report: takes a line for people.
    """
    trained = []
    for number, recipe in enumerate(rounds, start=1):
        folder = work / f"round-{number}"
        if not (folder / "card.json").exists():
            report(f"round {number} of {len(rounds)}")
            model, card = _round(recipe, data, start, folder, report)
            export(model, start / "tokenizer.json", {**_CARD, "training": [card]}, folder)
        start = folder
        trained += json.loads((folder / "card.json").read_text(encoding="utf-8"))["training"]
    return finish(start, trained, data, work / "model", report)


def _round(
    recipe: VerifierRecipe, data: Path, start: Path, folder: Path, report: Callable[[str], None]
) -> tuple[Any, dict[str, Any]]:
    """Return a round's fitted encoder, and its part of the card."""
    import torch
    from tokenizers import Tokenizer

    torch.manual_seed(recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    stages = stages_of(recipe, data)
    report("; ".join(f"stage {number}: {len(pairs)} pairs" for number, pairs in enumerate(stages, start=1)))
    tokenizer = Tokenizer.from_file(str(start / "tokenizer.json"))
    tokenizer.no_padding()
    model = new_encoder(start / "model.onnx")
    curve = fit(model, tokenizer, stages, recipe.fitting, folder / "checkpoint.pt", report)
    return model, _training_report(recipe, stages, curve)


def finish(
    fitted: Path, training: Sequence[Mapping[str, Any]], data: Path, out: Path, report: Callable[[str], None]
) -> Path:
    """Calibrate a fitted encoder as it will run, and write it with its card.

    Args:
        fitted: the folder that the last round has exported.
        training: what each round says of itself.
        data: the folder with ``claims`` and ``sft``.
        out: the folder of the result.
        report: takes a line for people.
    """
    report("calibrating on the kept-back claims")
    shutil.copytree(fitted, out, ignore=shutil.ignore_patterns("checkpoint*"), dirs_exist_ok=True)
    model = EntailmentEncoder(fitted)
    found = calibrated(judge_claims(data / "claims", model))
    found["measured_on_own"] = measured(judge_own_claims(data, model), found)
    chosen = {name: found[name] for name in ("temperature", "thresholds")}
    write_card(out, {**_CARD, **chosen, "training": list(training), "claims": found})
    return out


def _training_report(
    recipe: VerifierRecipe, stages: Sequence[Sequence[TrainingPair]], curve: Sequence[tuple[int, float]]
) -> dict[str, Any]:
    return {
        "recipe": {**vars(recipe), "public": dict(recipe.public), "fitting": vars(recipe.fitting)},
        "stages": [dict(sorted(Counter(pair.source for pair in pairs).items())) for pairs in stages],
        "loss_curve": [[step, round(loss, 4)] for step, loss in curve],
        "versions": {name: version(name) for name in ("torch", "transformers", "onnxruntime")},
    }
