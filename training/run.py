"""Runs a recipe, from its checks to an adapter with a manifest."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from llama_index_medqa.errors import InputError
from llama_index_medqa.llms.adapter_manifest import MANIFEST_NAME, AdapterManifest
from training.dataset import CHOSEN, DataSet, Item, choose, read_dataset, write_chosen
from training.outcome import finish
from training.parity import SAMPLES, Encoder, ServedPrompts, check_parity
from training.recipe import Recipe, resolve_base, trainer_arguments
from training.resources import Memory, check_disk, check_memory, free_memory, memory_needed, shape_of
from training.trainer import Show, start_or_resume, train

DATA: Final = "data"
# transformers' own default.
_BATCH: Final = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recipe will do, after its checks.

    Attributes:
        recipe: the recipe.
        base: folder or hub id of the base model.
        arguments: all of LLaMA-Factory's.
        dataset: the data.
        items: those that are trained on.
        lengths: tokens of each.
        compared: how many were compared with what the server sees.
        steps: of the optimizer; None where packing makes them known to the trainer alone.
        memory: what one device needs.
        disk: bytes of checkpoints and adapter.
        warnings: what may go wrong, a sentence each.
    """

    recipe: Recipe
    base: str
    arguments: dict[str, Any]
    dataset: DataSet
    items: tuple[Item, ...]
    lengths: tuple[int, ...]
    compared: int
    steps: int | None
    memory: Memory
    disk: int
    warnings: tuple[str, ...]


def make_plan(recipe: Recipe, devices: int = 1) -> Plan:
    """Check everything that can be known before training.

    Args:
        recipe: the recipe.
        devices: that train together.

    Raises:
        MissingExtraError: LLaMA-Factory is not installed.
        InputError: the first thing that is wrong.
        StorageError: the disk is too small.
    """
    if (recipe.output_dir / MANIFEST_NAME).exists():
        raise InputError(f"{recipe.output_dir} holds a trained adapter already. Give another output_dir, or delete it.")
    dataset = read_dataset(recipe.dataset_dir, str(recipe.arguments["dataset"]), recipe.template)
    base = resolve_base(str(recipe.arguments["model_name_or_path"]))
    arguments = trainer_arguments(recipe, base, recipe.run_dir / DATA, CHOSEN)
    shape = shape_of(base, int(arguments["lora_rank"]), recipe.lora_target)
    encoder, served = Encoder(arguments), ServedPrompts(base, recipe.prompt_format)
    samples = dataset.items[:: max(1, len(dataset.items) // SAMPLES)]
    compared = check_parity(encoder, served, samples, str(arguments["template"]))
    items, lengths = _chosen(recipe, dataset, encoder)
    memory = memory_needed(shape, arguments, max(lengths), devices if recipe.shares_weights else 1)
    warnings = (_cut_warning(lengths, int(arguments["cutoff_len"])), check_memory(memory, free_memory()))
    return Plan(
        recipe=recipe,
        base=base,
        arguments=arguments,
        dataset=dataset,
        items=items,
        lengths=lengths,
        compared=compared,
        steps=planned_steps(arguments, len(items), devices),
        memory=memory,
        disk=check_disk(recipe.output_dir, shape, _checkpoints(recipe, len(items))),
        warnings=tuple(warning for warning in warnings if warning),
    )


def _chosen(recipe: Recipe, dataset: DataSet, encoder: Encoder) -> tuple[tuple[Item, ...], tuple[int, ...]]:
    lengths = [encoder.encode(item).length for item in dataset.items]
    longest = int(recipe.arguments["cutoff_len"]) if recipe.items_over_cutoff == "leave out" else None
    positions = choose(lengths, longest, recipe.arguments.get("max_samples"), int(recipe.arguments.get("seed", 42)))
    return tuple(dataset.items[position] for position in positions), tuple(lengths[position] for position in positions)


def _cut_warning(lengths: tuple[int, ...], cutoff: int) -> str | None:
    cut = sum(length > cutoff for length in lengths)
    if not cut:
        return None
    return (
        f"{cut} of {len(lengths)} items have more than {cutoff} tokens (the longest {max(lengths)}) and are cut, so "
        "that their end is not learnt. Raise cutoff_len, or say items_over_cutoff: leave out."
    )


def planned_steps(arguments: dict[str, Any], items: int, devices: int = 1) -> int | None:
    """Return the optimizer's steps, as transformers counts them.

    None with packing, which joins items.

    Args:
        arguments: LLaMA-Factory's.
        items: that are trained on.
        devices: that train together, each on items of its own.
    """
    if arguments.get("max_steps", -1) > 0:
        return int(arguments["max_steps"])
    if arguments.get("packing") or arguments.get("neat_packing"):
        return None
    batches = math.ceil(items / (int(arguments.get("per_device_train_batch_size", _BATCH)) * devices))
    an_epoch = math.ceil(batches / int(arguments.get("gradient_accumulation_steps", 1)))
    return math.ceil(an_epoch * float(arguments.get("num_train_epochs", 3.0)))


def _checkpoints(recipe: Recipe, items: int) -> int:
    """Return the most checkpoints on the disk at a time."""
    if limit := recipe.arguments.get("save_total_limit"):
        return int(limit)
    steps = planned_steps(dict(recipe.arguments), items) or items
    return steps // int(recipe.arguments.get("save_steps", 500)) + 1


def run(plan: Plan, show: Show, say: Callable[[str], None]) -> AdapterManifest:
    """Train, from the last checkpoint if any, and make the adapter's folder.

    Args:
        plan: what was checked.
        show: told of every step.
        say: told what comes next.

    Raises:
        InputError: the folder holds a run with other settings.
        StorageError: the disk became full.
        TrainingError: LLaMA-Factory failed in another way.
    """
    recipe = plan.recipe
    start = start_or_resume(recipe.run_dir, plan.arguments, plan.dataset.sha256)
    write_chosen(plan.items, recipe.run_dir / DATA)
    say(f"Going on from step {start}" if start else "Starting LLaMA-Factory")
    begun = train(recipe.run_dir, plan.arguments, start, show)
    say("Computing the canaries of the manifest")
    return finish(
        recipe,
        plan.base,
        data_sha256=plan.dataset.sha256,
        samples=len(plan.items),
        resumed_from=begun,
        rejected=len(plan.dataset.items) - len(plan.items) + sum(plan.dataset.rejected.values()),
    )
