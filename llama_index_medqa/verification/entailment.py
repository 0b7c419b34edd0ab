"""Entailment models: the interface, and the packaged encoder."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from llama_index_medqa.errors import WeightsError

_MOST_TOKENS = 208
# So few words are never more tokens than half of that.
_FEW_WORDS = 20
# Padding costs time: pairs of like length are read together.
_PAIRS_AT_ONCE = 16


class Entailment(NamedTuple):
    """Chances that a premise supports or contradicts a claim; they add up to 1.

    Attributes:
        supported: chance that the premise supports the claim, 0 to 1.
        not_enough: chance that it says too little.
        contradicted: chance that it says the contrary.
    """

    supported: float
    not_enough: float
    contradicted: float


_NOT_READ = Entailment(supported=0.0, not_enough=1.0, contradicted=0.0)


class EntailmentModel(Protocol):
    """Judges pairs of a premise and a claim."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return what decides the judgements, fit for JSON.

        Part of the identity of every answer and score.
        """
        ...

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Return the thresholds by name.

        Least chance of support for ``strict``, ``balanced`` and ``open``, and of contradiction: ``contradicted``.
        """
        ...

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Entailment]:
        """Return the chances of each pair (premise, claim), in order."""
        ...


class EntailmentEncoder:
    """The packaged encoder: a 12-layer BERT in int8 on ONNX Runtime.

    It needs no torch, network or key.

    The model is read at the first use. It may be used from several threads.

    Args:
        folder: a folder with ``model.onnx``, ``tokenizer.json`` and ``card.json``, such as ``python -m training
            verifier`` writes; None takes the one in the package.
        threads: cores for one batch; None lets ONNX Runtime choose.
    """

    def __init__(self, folder: Path | None = None, threads: int | None = None) -> None:
        self._folder = folder
        self._threads = threads
        self._loading = threading.Lock()
        self._session: tuple[Any, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self._folder, "threads": self._threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # the model is read again where it is used

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return the version, and the hash of the model's file."""
        return {"verifier": self.card["name"], "version": self.card["version"], "sha256": self.card["sha256"]}

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Return the thresholds that the model's card states."""
        thresholds: Mapping[str, float] = self.card["thresholds"]
        return thresholds

    @cached_property
    def card(self) -> Mapping[str, Any]:
        """Return the model's card: version, hash, temperature, thresholds."""
        if self._folder is None:
            return packaged_card()
        return _read_card((self._folder / "card.json").read_text(encoding="utf-8"), self._folder / "card.json")

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Entailment]:
        """Return the chances of each pair (premise, claim), in order.

        Of long premises the end is not read. A claim too long to be read whole is never supported.
        """
        logits = self.logits(pairs) / float(self.card["temperature"])
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        return [
            Entailment(*map(float, row)) if self._fits(claim) else _NOT_READ
            for row, (_, claim) in zip(chances, pairs, strict=True)
        ]

    def _fits(self, claim: str) -> bool:
        # Of a pair that is too long the longer text is cut, so a claim of less than half is never cut.
        words = len(claim.split())
        return words <= _FEW_WORDS or len(self._loaded[1].encode(claim).ids) <= _MOST_TOKENS // 2

    def logits(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """Return the model's logits: (n, 3) float32."""
        session, tokenizer = self._loaded
        encoded = tokenizer.encode_batch(list(pairs))
        order = sorted(range(len(encoded)), key=lambda number: len(encoded[number].ids))
        found = np.zeros((len(encoded), 3), dtype=np.float32)
        for start in range(0, len(order), _PAIRS_AT_ONCE):
            chosen = order[start : start + _PAIRS_AT_ONCE]
            found[chosen] = session.run(None, _inputs([encoded[number] for number in chosen]))[0]
        return found

    @property
    def _loaded(self) -> tuple[Any, Any]:
        with self._loading:
            if self._session is None:
                if self._folder is not None:
                    self._session = _load(self._folder, self._threads)
                else:
                    with as_file(files(__package__) / "model") as folder:
                        self._session = _load(folder, self._threads)
            return self._session


def _inputs(encoded: Sequence[Any]) -> dict[str, npt.NDArray[np.int64]]:
    longest = max(len(one.ids) for one in encoded)

    def padded(values: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
        return np.array([[*row, *[0] * (longest - len(row))] for row in values], dtype=np.int64)

    return {
        "input_ids": padded([one.ids for one in encoded]),
        "attention_mask": padded([one.attention_mask for one in encoded]),
        "token_type_ids": padded([one.type_ids for one in encoded]),
    }


def _load(folder: Path, threads: int | None) -> tuple[Any, Any]:
    import onnxruntime
    from tokenizers import Tokenizer

    content, _ = _checked(folder)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    # Waiting threads would keep the processors busy.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads:
        settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MOST_TOKENS, strategy="longest_first")
    return session, tokenizer


def checked_card() -> Mapping[str, Any]:
    """Return the packaged card after checking the hash of the model's file.

    Raises:
        WeightsError: the file is missing or another.
    """
    with as_file(files(__package__) / "model") as folder:
        return _checked(folder)[1]


def _checked(folder: Path) -> tuple[bytes, Mapping[str, Any]]:
    """Return the model's file and its card after checking its hash."""
    model, card_file = folder / "model.onnx", folder / "card.json"
    advice = "Install the package again, or make the model again with: python -m training verifier"
    try:
        content, card = model.read_bytes(), _read_card(card_file.read_text(encoding="utf-8"), card_file)
    except OSError as error:
        raise WeightsError(f"The verifier's model cannot be read: {error}. {advice}") from error
    if (found := hashlib.sha256(content).hexdigest()) != card["sha256"]:
        raise WeightsError(f"{model} has sha256 {found}, but its card says {card['sha256']}. {advice}")
    return content, card


@cache
def packaged_card() -> Mapping[str, Any]:
    """Return the card of the packaged model."""
    card = files(__package__) / "model" / "card.json"
    return _read_card(card.read_text(encoding="utf-8"), card)


def _read_card(text: str, origin: object) -> Mapping[str, Any]:
    card: dict[str, Any] = json.loads(text)
    missing = {"name", "version", "sha256", "temperature", "thresholds"} - card.keys()
    if missing:
        raise WeightsError(f"{origin} lacks {', '.join(sorted(missing))}: it is not the card of a verifier.")
    return card
