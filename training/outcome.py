"""Writes a run's adapter, manifest, loss curve and model card."""

import csv
import importlib.metadata
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from llama_index_medqa.llms.adapter_canaries import make_manifest
from llama_index_medqa.llms.adapter_manifest import AdapterManifest, LossPoint, TrainingRun
from training.recipe import Recipe, base_name
from training.trainer import RESULTS, STATE, loss_curve

CARD: Final = "README.md"
CURVE: Final = "loss.csv"
FIGURE: Final = "loss.png"

_CONFIG: Final = "adapter_config.json"
_WEIGHTS: Final = "adapter_model.safetensors"
_LIBRARIES: Final = ("llamafactory", "peft", "transformers", "torch", "trl", "datasets")
_WARNINGS: Final = {
    "grounded-answer": "It answers from passages that it is shown; check what it cites all the same.",
    "title-to-abstract": "It invents abstracts, findings and numbers included: never take what it writes for evidence.",
}
# Steps that one point of the smooth line stands for.
_SMOOTH: Final = 10


def finish(
    recipe: Recipe, base: str, *, data_sha256: str, samples: int, resumed_from: int, rejected: int = 0
) -> AdapterManifest:
    """Make the adapter's folder of a finished run.

    The manifest, which says that all is there, comes last.

    Args:
        recipe: the recipe.
        base: folder or hub id of the base model.
        data_sha256: of the file of training data.
        samples: items that were trained on.
        resumed_from: step at which the last process began.
        rejected: items of the file that were not.
    """
    folder, run = recipe.output_dir, recipe.run_dir
    name = base_name(base)
    _write_weights(run / _WEIGHTS, folder / _WEIGHTS)
    _write_config(run / _CONFIG, folder / _CONFIG, name)
    curve = loss_curve(run)
    _write_curve(curve, folder / CURVE)
    plot_loss(curve, folder / FIGURE, f"{recipe.name} on {name}")
    training = _training_run(recipe, curve, data_sha256=data_sha256, samples=samples, resumed_from=resumed_from)
    (folder / CARD).write_text(model_card(recipe, name, training, rejected), encoding="utf-8")
    return make_manifest(
        folder,
        base,
        prompt_format=recipe.prompt_format,
        template=recipe.template,
        base_name=name,
        training=training,
    )


def _training_run(
    recipe: Recipe, curve: list[tuple[int, float]], *, data_sha256: str, samples: int, resumed_from: int
) -> TrainingRun:
    run = recipe.run_dir
    results, steps = _read(run / RESULTS), int(_read(run / STATE)["global_step"])
    # Of the last process: what an earlier one took is not known.
    seen = samples * results["epoch"] * (steps - resumed_from) / steps
    return TrainingRun(
        recipe=recipe.name,
        data_sha256=data_sha256,
        samples=samples,
        steps=steps,
        epochs=results["epoch"],
        samples_per_second=round(seen / results["train_runtime"], 4),
        loss_curve=tuple(LossPoint(step=step, loss=loss) for step, loss in curve),
    )


def _write_weights(source: Path, target: Path) -> None:
    """Convert float32 weights to half precision.

    An adapter may be trained in float32; the canaries are those of what is kept.
    """
    import torch
    from safetensors.torch import load_file, save_file

    kept = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in load_file(source).items()}
    partial = target.with_suffix(".partial")
    save_file(kept, partial, metadata={"format": "pt"})
    partial.replace(target)


def _write_config(source: Path, target: Path, base: str) -> None:
    """Write the configuration without this machine's path of the base model."""
    config = json.loads(source.read_bytes())
    config["base_model_name_or_path"] = base
    config["target_modules"] = sorted(config["target_modules"])
    target.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def _write_curve(curve: Sequence[tuple[int, float]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("step", "loss"))
        writer.writerows(curve)


def smoothed(losses: Sequence[float]) -> list[float]:
    """Return the mean of the last ten losses at each step.

    Or of as many as there are.
    """
    windows = [losses[max(0, end - _SMOOTH) : end] for end in range(1, len(losses) + 1)]
    return [sum(window) / len(window) for window in windows]


def plot_loss(curve: Sequence[tuple[int, float]], path: Path, title: str) -> None:
    """Draw the loss of every step, and its mean over ten.

    Args:
        curve: step and loss.
        path: PNG.
        title: of the figure.
    """
    from matplotlib.figure import Figure

    steps, losses = [step for step, _ in curve], [loss for _, loss in curve]
    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.plot(steps, losses, color="#9bb7d4", linewidth=1, label="each step")
    axes.plot(steps, smoothed(losses), color="#12395b", linewidth=2, label=f"mean of {_SMOOTH} steps")
    axes.set(title=title, xlabel="step", ylabel="training loss (nats a token)")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    # Without the version and the date, the same curve gives the same file.
    figure.savefig(path, metadata={"Software": None})


def model_card(recipe: Recipe, base: str, training: TrainingRun, rejected: int) -> str:
    """Return the model card of an adapter, in Markdown."""
    losses = smoothed([point.loss for point in training.loss_curve])
    first = losses[min(_SMOOTH, len(losses)) - 1]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    settings = recipe.arguments
    sets = "".join(f" --set {_portable(word)}" for word in recipe.overrides)
    left_out = f", {rejected} more were left out" if rejected else ""
    return f"""---
base_model: {base}
library_name: peft
tags: [lora, medical, pubmed]
---
# {recipe.output_dir.name}

A LoRA adapter for `{base}`, trained to be asked `{recipe.prompt}` in the format `{recipe.prompt_format}`.

```bash
python -m training run {recipe.name}{sets}
```

| | |
|---|---|
| items | {training.samples}{left_out} |
| SHA-256 of the data | `{training.data_sha256}` |
| LoRA | rank {settings.get("lora_rank")}, alpha {settings.get("lora_alpha")}, on {settings.get("lora_target")} |
| steps, epochs | {training.steps}, {training.epochs:g} |
| training loss, mean of {_SMOOTH} steps | {first:.3f} after {min(_SMOOTH, len(losses))}, {losses[-1]:.3f} at the end |
| items a second | {training.samples_per_second:g} |
| trained with | {versions} |

![training loss]({FIGURE})

`adapter_manifest.json` holds its settings, the loss of every step, and canaries by which `VllmLora.verify()` tells
whether a server answers with it. {_WARNINGS[recipe.prompt]}
"""


def _portable(word: str) -> str:
    """Return an override without this machine's folders."""
    key, _, value = word.partition("=")
    return f"{key}={Path(value).name}" if os.sep in value else word
