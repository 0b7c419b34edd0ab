"""Checks that training and serving give the model the same tokens.

The same token ids, and an end that stops it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llama_index_medqa.errors import InputError, MissingExtraError
from llama_index_medqa.prompts import CHAT, PROMPT_FORMATS
from training.dataset import Item
from training.recipe import single_process
from training.torchaudio_stub import make_torchaudio_importable

SAMPLES: Final = 50


@dataclass(frozen=True, slots=True)
class Encoded:
    """An item as LLaMA-Factory trains on it, before it is cut.

    Attributes:
        prompt: token ids on which no loss is taken.
        answer: token ids that are learnt.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def length(self) -> int:
        """Return the number of tokens of both."""
        return len(self.prompt) + len(self.answer)


class Encoder:
    """Encodes with LLaMA-Factory's tokenizer and template for a recipe.

    Args:
        arguments: all of LLaMA-Factory's, which are checked by it.

    Raises:
        MissingExtraError: LLaMA-Factory is not installed.
        InputError: it does not accept the arguments, or cannot load the tokenizer.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        parser, data, model = _llamafactory()
        try:
            model_arguments, data_arguments, *_ = parser.get_train_args(single_process(arguments))
            self.tokenizer = model.load_tokenizer(model_arguments)["tokenizer"]
            self._template = data.get_template_and_fix_tokenizer(self.tokenizer, data_arguments)
        except (ValueError, OSError, ImportError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"LLaMA-Factory does not accept the recipe: {reason}. Correct it.") from error

    def encode(self, item: Item) -> Encoded:
        """Return the token ids of an item."""
        turns = [{"role": "user", "content": item.prompt}, {"role": "assistant", "content": item.answer}]
        prompt, answer = self._template.encode_oneturn(self.tokenizer, turns)
        return Encoded(tuple(prompt), tuple(answer))


def _llamafactory() -> tuple[Any, Any, Any]:
    """Return LLaMA-Factory's modules of arguments, templates and tokenizers."""
    make_torchaudio_importable()
    # Read when it is imported; it has transformers print every configuration that it loads.
    os.environ.setdefault("LLAMAFACTORY_VERBOSITY", "WARNING")
    try:
        from llamafactory import data, model
        from llamafactory.hparams import parser
    except ImportError as error:
        if error.name and error.name.partition(".")[0] != "llamafactory":
            raise
        raise MissingExtraError("python -m training", "train") from error
    return parser, data, model


class ServedPrompts:
    """Encodes prompts with the tokenizer that the server loads.

    Args:
        base: folder or hub id of the base model.
        prompt_format: what stands around prompts.

    Raises:
        InputError: ``chat``, and the model has no chat template.
    """

    def __init__(self, base: str, prompt_format: str) -> None:
        from transformers import AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(base)
        self._format = prompt_format
        if prompt_format == CHAT and self._tokenizer.chat_template is None:
            raise InputError(f"{base} has no chat template. Choose another prompt_format, such as 'mistral'.")

    def encode(self, prompt: str) -> tuple[int, ...]:
        """Return the token ids of a prompt, as vLLM makes them."""
        if self._format == CHAT:
            turn = [{"role": "user", "content": prompt}]
            text = self._tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
            return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        return tuple(self._tokenizer(PROMPT_FORMATS[self._format].render(prompt))["input_ids"])

    @property
    def stop(self) -> int:
        """Return the token at which the server ends an answer."""
        return int(self._tokenizer.eos_token_id)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of some tokens, special ones as such."""
        return str(self._tokenizer.decode(list(tokens)))


def check_parity(encoder: Encoder, served: ServedPrompts, items: Sequence[Item], template: str) -> int:
    """Compare what is trained with what is served, item by item.

    Args:
        encoder: of training.
        served: of the server.
        items: samples.
        template: name of LLaMA-Factory's template, for messages.

    Returns:
        How many items were compared.

    Raises:
        InputError: other tokens, or an answer that does not end where the server stops.
    """
    for item in items:
        encoded, seen = encoder.encode(item), served.encode(item.prompt)
        if encoded.prompt != seen:
            raise InputError(
                f"The template {template!r} gives LLaMA-Factory other tokens than the server sees: "
                f"{_first_difference(encoded.prompt, seen, served)}. Choose a template and a prompt_format that agree: "
                "'mistral' with 'mistral', or the model's own template with 'chat'."
            )
        if served.stop not in encoded.answer:
            raise InputError(
                f"The template {template!r} ends answers with {served.decode(encoded.answer[-3:])!r}, and the server "
                f"stops at {served.decode([served.stop])!r}: it would not stop. Choose another template."
            )
        end = encoded.answer.index(served.stop)
        if served.decode(encoded.answer[:end]).strip() != item.answer.strip():
            raise InputError(
                f"The template {template!r} changes an answer: {served.decode(encoded.answer[:end])[:60]!r} instead of "
                f"{item.answer[:60]!r}. Choose another template, or clean the data."
            )
    return len(items)


def _first_difference(trained: Sequence[int], seen: Sequence[int], served: ServedPrompts) -> str:
    """Return where two sequences differ, with a few tokens of each."""
    shared = next(
        (position for position, pair in enumerate(zip(trained, seen, strict=False)) if pair[0] != pair[1]), None
    )
    position = min(len(trained), len(seen)) if shared is None else shared
    pieces = [served.decode(tokens[position : position + 4]) for tokens in (trained, seen)]
    return f"from token {position} on {pieces[0]!r}, and the server {pieces[1]!r}"
