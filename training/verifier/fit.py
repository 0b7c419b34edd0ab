"""Fits the verifier's encoder, and resumes at any step.

It has three labels; some rows lack one of them.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.verifier.encoder import LABELS
from training.verifier.pairs import TrainingPair

_WARMUP = 0.06
_SORTED_TOGETHER = 1_500
_STEPS_BETWEEN_CHECKPOINTS = 100


@dataclass(frozen=True)
class Fitting:
    """Settings of the fit.

    Attributes:
        learning_rate: the highest.
        batch_tokens: of a batch, padding counted in.
        most_tokens: of a pair; longer evidence is cut.
        seed: of the order.
    """

    learning_rate: float = 1e-4
    batch_tokens: int = 2_048
    most_tokens: int = 176
    seed: int = 18


@dataclass(frozen=True)
class _Row:
    tokens: Sequence[int]
    kinds: Sequence[int]
    label: int


Report = Callable[[str], None]


def fit(
    model: Any,
    tokenizer: Any,
    stages: Sequence[Sequence[TrainingPair]],
    fitting: Fitting,
    checkpoint: Path,
    report: Report,
) -> list[tuple[int, float]]:
    """Fit a model on stages of pairs; return the mean loss of each hundred steps.

    Args:
        model: a ``BertForSequenceClassification``; changed in place.
        tokenizer: a ``tokenizers.Tokenizer`` that makes pairs of texts into tokens.
        stages: pairs; those of a stage are shuffled among themselves.
        fitting: how.
        checkpoint: file of the last state, from which it goes on; deleted by whoever wants to begin anew.
        report: takes a line for people.

    """
    import torch

    batches = _all_batches(tokenizer, stages, fitting)
    total = len(batches)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=fitting.learning_rate, weight_decay=0.01, fused=True)
    schedule = _learning_rates(optimizer, total)
    first, curve = _resume(checkpoint, model, optimizer, schedule)
    if first:
        report(f"goes on from step {first}")
    model.train()
    begun, losses, in_bfloat16 = time.monotonic(), list[float](), computes_bfloat16()
    for step in range(first, total):
        losses.append(_step(model, batches[step], trained, optimizer, schedule, in_bfloat16=in_bfloat16))
        if (step + 1) % _STEPS_BETWEEN_CHECKPOINTS == 0 or step + 1 == total:
            curve.append((step + 1, sum(losses) / len(losses)))
            losses.clear()
            report(f"step {step + 1} of {total}, loss {curve[-1][1]:.3f}, {time.monotonic() - begun:.0f} s")
            _save(checkpoint, model, optimizer, schedule, step + 1, curve)
    return curve


def _all_batches(tokenizer: Any, stages: Sequence[Sequence[TrainingPair]], fitting: Fitting) -> list[Any]:
    """Return the batches of all stages, one stage after the other."""
    tokenizer.enable_truncation(fitting.most_tokens, strategy="longest_first")
    return [
        batch
        for number, pairs in enumerate(stages)
        for batch in _batches(_rows(tokenizer, pairs), fitting, random.Random(f"{fitting.seed} {number}"))  # noqa: S311
    ]


def _step(
    model: Any, batch: Sequence[_Row], trained: list[Any], optimizer: Any, schedule: Any, *, in_bfloat16: bool
) -> float:
    """Take a step against the gradient, clipped to a norm of 1, and return the loss before it."""
    import torch

    with torch.autocast("cpu", torch.bfloat16, enabled=in_bfloat16):
        loss = _loss(model, batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    schedule.step()
    return float(loss.detach())


def _learning_rates(optimizer: Any, total: int) -> Any:
    """Return a schedule that rises linearly at first, and falls linearly to the last step."""
    import torch

    warmup = max(1, int(_WARMUP * total))
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (total - step) / (total - warmup + 1))
    )


def _resume(checkpoint: Path, model: Any, optimizer: Any, schedule: Any) -> tuple[int, list[tuple[int, float]]]:
    """Load a checkpoint if there is one, and return its step and loss curve."""
    import torch

    if not checkpoint.exists():
        return 0, []
    state = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return state["step"], [(int(step), float(loss)) for step, loss in state["curve"]]


def computes_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 natively.

    Elsewhere such products are slower than float32.
    """
    import torch

    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


def _rows(tokenizer: Any, pairs: Sequence[TrainingPair]) -> list[_Row]:
    encoded = tokenizer.encode_batch([(pair.premise, pair.hypothesis) for pair in pairs])
    labels = {name: number for number, name in enumerate((*LABELS, "not_entailment"))}
    return [_Row(one.ids, one.type_ids, labels[pair.label]) for one, pair in zip(encoded, pairs, strict=True)]


def _batches(rows: Sequence[_Row], fitting: Fitting, rng: random.Random) -> list[list[_Row]]:
    """Return batches of rows of similar length, in random order."""
    order, batches = list(rows), list[list[_Row]]()
    rng.shuffle(order)
    for start in range(0, len(order), _SORTED_TOGETHER):
        batch: list[_Row] = []
        for row in sorted(order[start : start + _SORTED_TOGETHER], key=lambda row: len(row.tokens)):
            if batch and (len(batch) + 1) * len(row.tokens) > fitting.batch_tokens:
                batches.append(batch)
                batch = []
            batch.append(row)
        batches.append(batch)
    rng.shuffle(batches)
    return batches


def _loss(model: Any, batch: Sequence[_Row]) -> Any:
    """Return the mean loss.

    For a row that is not entailed, the chances of neutral and contradiction are added.
    """
    import torch

    longest = max(len(row.tokens) for row in batch)

    def padded(values: Sequence[Sequence[int]]) -> Any:
        return torch.tensor([[*row, *[0] * (longest - len(row))] for row in values])

    logits = model(
        input_ids=padded([row.tokens for row in batch]),
        token_type_ids=padded([row.kinds for row in batch]),
        attention_mask=padded([[1] * len(row.tokens) for row in batch]),
    ).logits.float()
    chances = logits.log_softmax(-1)
    chances = torch.cat([chances, torch.logsumexp(chances[:, 1:], -1, keepdim=True)], -1)
    return -chances[torch.arange(len(batch)), torch.tensor([row.label for row in batch])].mean()


def _save(file: Path, model: Any, optimizer: Any, schedule: Any, step: int, curve: Sequence[tuple[int, float]]) -> None:
    """Save a state atomically."""
    import torch

    partial = file.with_suffix(".partial")
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "step": step,
            "curve": list(curve),
        },
        partial,
    )
    partial.replace(file)
