"""Recipes: flat YAML with LLaMA-Factory's arguments and four of ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

import yaml
from llama_index.core.prompts import BasePromptTemplate

from llama_index_medqa.errors import InputError, WeightsError
from llama_index_medqa.prompts import CHAT, GROUNDED_ANSWER, PROMPT_FORMATS, TITLE_TO_ABSTRACT, template_hash
from llama_index_medqa.weights import PACKAGED, locate

RECIPES: Final = Path(__file__).parent / "recipes"
RUN: Final = "run"

PROMPTS: Mapping[str, BasePromptTemplate] = MappingProxyType(
    {"grounded-answer": GROUNDED_ANSWER, "title-to-abstract": TITLE_TO_ABSTRACT}
)
"""What an adapter can be trained to be asked, by the name that a recipe gives it."""

OverCutoff = Literal["cut", "leave out"]

_OURS: Final = ("prompt", "prompt_format", "items_over_cutoff")
_REQUIRED: Final = (
    "model_name_or_path", "template", "dataset_dir", "dataset", "output_dir", "cutoff_len", "lora_rank", "lora_target",
)  # fmt: skip
# What we do ourselves, or have no answer to.
_REFUSED: Final = {
    "adapter_name_or_path": "an adapter's canaries compare it with its base model alone",
    "overwrite_output_dir": "an interrupted run goes on; delete the folder to begin anew",
    "resume_from_checkpoint": "the last whole checkpoint is taken",
    "eval_dataset": "measure an adapter with medqa evaluate",
    "val_size": "data_tools sft splits by record",
    "streaming": "the number of steps must be known",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe, its own keys apart from LLaMA-Factory's.

    Attributes:
        name: the file's, without suffix.
        prompt: a name in :data:`PROMPTS`: what the data ask.
        prompt_format: what the server puts around it: a name in ``prompts.PROMPT_FORMATS``, or ``chat``.
        items_over_cutoff: whether items of more than ``cutoff_len`` tokens are cut, so that their end is not learnt,
            or left out.
        arguments: LLaMA-Factory's, as written.
        overrides: the words ``key=value`` that changed it.
    """

    name: str
    prompt: str
    prompt_format: str
    items_over_cutoff: OverCutoff
    arguments: Mapping[str, Any]
    overrides: tuple[str, ...] = ()

    @property
    def output_dir(self) -> Path:
        """Return the adapter's folder."""
        return Path(self.arguments["output_dir"]).expanduser()

    @property
    def run_dir(self) -> Path:
        """LLaMA-Factory's folder in it: checkpoints and logs."""
        return self.output_dir / RUN

    @property
    def dataset_dir(self) -> Path:
        """Return the folder of the data set."""
        return Path(self.arguments["dataset_dir"]).expanduser()

    @property
    def lora_target(self) -> tuple[str, ...]:
        """Return the projections that the adapter changes."""
        return tuple(name.strip() for name in str(self.arguments["lora_target"]).split(","))

    @property
    def shares_weights(self) -> bool:
        """Return whether several GPUs share out the base model's weights."""
        return bool(self.arguments.get("deepspeed") or self.arguments.get("fsdp"))

    @property
    def template(self) -> BasePromptTemplate:
        """Return the template of the data's prompts."""
        return PROMPTS[self.prompt]

    @property
    def prompt_hash(self) -> str:
        """Return the hash of the prompt.

        It goes into the manifest, and clients' prompts are compared with it.
        """
        return template_hash(self.template, self.prompt_format)


def read_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        name_or_path: a file, or the name of one in ``training/recipes``.
        overrides: ``key=value`` each, the value in YAML.

    Raises:
        InputError: no such file, not flat YAML, or a value that cannot be.
    """
    path = Path(name_or_path).expanduser()
    if not path.suffix:
        path = RECIPES / f"{name_or_path}.yaml"
    values = _read_yaml(path)
    for word in overrides:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise InputError(f"--set {word} is not key=value. Write for example: --set learning_rate=1.0e-4")
        values[key] = _yaml(value, f"--set {key}")
    _check(values, path.name)
    ours = {name: values.pop(name, None) for name in _OURS}
    return Recipe(
        name=path.stem,
        prompt=ours["prompt"],
        prompt_format=ours["prompt_format"],
        items_over_cutoff=ours["items_over_cutoff"] or "cut",
        arguments=MappingProxyType(values),
        overrides=tuple(overrides),
    )


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.yaml")))
        raise InputError(
            f"There is no recipe {path} ({error.strerror}). Give the path of one, or a name: {known}."
        ) from error
    values = _yaml(text, str(path))
    if not isinstance(values, dict) or any(isinstance(value, (dict, list)) for value in values.values()):
        raise InputError(f"{path} is no recipe: it must be flat, a line 'key: value' each.")
    return values


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{where} is not YAML ({' '.join(str(error).split())}). Correct it.") from error


def _check(values: Mapping[str, Any], name: str) -> None:
    missing = [key for key in (*_REQUIRED, "prompt", "prompt_format") if not values.get(key)]
    if missing:
        raise InputError(f"{name} does not say {', '.join(missing)}. Add it, or give it with --set.")
    choices = {
        "prompt": tuple(PROMPTS),
        "prompt_format": (*PROMPT_FORMATS, CHAT),
        "items_over_cutoff": (None, *get_args(OverCutoff)),
        "stage": ("sft",),
        "finetuning_type": ("lora",),
        "do_train": (True,),
    }
    for key, allowed in choices.items():
        if values.get(key) not in allowed:
            shown = ", ".join(str(value) for value in allowed if value is not None)
            raise InputError(f"{name} says {key}: {values.get(key)}. Choose {shown}.")
    for key, reason in _REFUSED.items():
        if values.get(key):
            raise InputError(f"{name} says {key}, which is not supported: {reason}. Remove it.")


def resolve_base(name: str) -> str:
    """Return the folder of a base model, or its hub id as it is.

    Args:
        name: packaged weights, a folder, or a hub id.

    Raises:
        InputError: none of these.
    """
    if name in PACKAGED or Path(name).expanduser().exists():
        try:
            return str(locate(name))
        except WeightsError as error:
            raise InputError(f"The base model: {error}.") from error
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise InputError(
            f"The base model {name} is unknown: neither a folder, nor a hub id such as mistralai/Mistral-7B-v0.1, nor "
            f"packaged weights ({', '.join(PACKAGED)})."
        )
    return name


def base_name(folder: str) -> str:
    """Return a base model's name for the manifest.

    Its hub id, or its folder's name without the path on this machine.
    """
    path = Path(folder)
    return path.name if path.is_dir() else folder


def trainer_arguments(recipe: Recipe, base: str, dataset_dir: Path, dataset: str) -> dict[str, Any]:
    """Return LLaMA-Factory's arguments for the chosen items.

    Args:
        recipe: the recipe.
        base: folder or hub id of the base model.
        dataset_dir: folder of the chosen items.
        dataset: their name in its ``dataset_info.json``.
    """
    given = {key: value for key, value in recipe.arguments.items() if key != "max_samples"}
    # The settings of the processes of a distributed run lie beside the recipes.
    beside: dict[str, Any] = {key: str(RECIPES / given[key]) for key in ("deepspeed", "fsdp_config") if key in given}
    return {
        **given,
        **beside,
        "model_name_or_path": base,
        "dataset_dir": str(dataset_dir),
        "dataset": dataset,
        "output_dir": str(recipe.run_dir),
        # Nothing is sent anywhere.
        "report_to": "none",
    }


def single_process(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments without those of distributed runs."""
    return {key: value for key, value in arguments.items() if key not in ("deepspeed", "fsdp", "fsdp_config")}
