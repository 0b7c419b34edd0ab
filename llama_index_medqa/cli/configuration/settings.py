"""Settings of ``medqa`` from ``medqa.toml`` and the environment.

An option wins over the environment, the environment over ``medqa.toml`` of the current folder, and that over the one in
the user's configuration folder. Keys of servers are never read from a file.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

from llama_index_medqa.errors import UsageError
from llama_index_medqa.profiles import MOST_CHUNKS, PROFILES, LlmKind, Policy, RetrievalMode
from llama_index_medqa.verification.verdicts import Strictness

FILE_NAME: Final = "medqa.toml"
# Addresses that are sent a key of the environment.
_SENT_KEYS: Mapping[str, str] = MappingProxyType({"api_base": "MEDQA_API_KEY", "base_url": "NCBI_API_KEY"})
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_SECRET = re.compile(r"(?:^|_)(?:api_?key|key|token|secret|passw(?:or)?d|credentials?)$")
# Between the entries of a list in the environment.
_BETWEEN = ";"


@dataclass(frozen=True)
class Key:
    """A key that may be set.

    Attributes:
        kind: of its value.
        help: what it is, in a few words.
        choices: the only values that there are; empty where any will do.
        least: smallest number.
        most: largest number.
        variable: environment variable, where it is not ``MEDQA_`` and the name.
    """

    kind: Literal["text", "whole number", "true or false", "list of texts"]
    help: str
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    variable: str = ""


KEYS: Final[Mapping[str, Key]] = MappingProxyType(
    {
        "index": Key("text", "folder of the index, or address of a Chroma or Milvus server"),
        "profile": Key("text", "named set of values", tuple(PROFILES)),
        "embedder": Key("text", "model that makes vectors"),
        "llm": Key("text", "what drafts the answers", get_args(LlmKind)),
        "weights": Key("text", "GGUF file for llm = local"),
        "weights_sha256": Key("text", "its expected hash"),
        "api_base": Key("text", "address of an OpenAI-compatible server, with /v1"),
        "model": Key("text", "name under which that server lists the model"),
        "adapter": Key("text", "LoRA adapter: its name on that server, or its folder for llm = local"),
        "manifest": Key("text", "the adapter's manifest"),
        "top_k": Key("whole number", "chunks to retrieve", least=1, most=MOST_CHUNKS),
        "retrieval": Key("text", "way of searching", get_args(RetrievalMode)),
        "include_retracted": Key("true or false", "whether retracted papers may be used"),
        "policy": Key("text", "sentences that nothing supports", get_args(Policy)),
        "strictness": Key("text", "how sure the verifier must be", get_args(Strictness)),
        "from_year": Key("whole number", "papers of this year or later", least=1000, most=9999),
        "to_year": Key("whole number", "papers of this year or earlier", least=1000, most=9999),
        "type": Key("list of texts", "publication types"),
        "journal": Key("list of texts", "journals"),
        "chunk_size": Key("whole number", "most tokens in a chunk of a new index", least=1),
        "chunk_overlap": Key("whole number", "tokens that neighbouring chunks share", least=0),
        "email": Key("text", "where NCBI can reach you"),
        "base_url": Key("text", "address of the E-utilities", variable="MEDQA_ENTREZ_URL"),
        "wait": Key("true or false", "whether to wait for another process that writes to the index"),
        "history": Key("true or false", "whether medqa chat keeps what is typed"),
        "host": Key("text", "address on which medqa app listens"),
        "port": Key("whole number", "port on which it listens", least=0, most=65_535),
        "token_file": Key("text", "file with the token that its requests carry"),
        "allow_host": Key("list of texts", "other names under which it is asked"),
        "trusted_proxy": Key("list of texts", "addresses of proxies whose X-Forwarded-For it believes"),
        "requests_a_minute": Key("whole number", "most requests of one client", least=0),
        "most_waiting": Key("whole number", "questions that may wait for its model", least=0),
        "log_requests": Key("true or false", "whether it writes a line for each request"),
        "quiet": Key("true or false", "whether to show no progress"),
        "verbose": Key("true or false", "whether to say what is done"),
    }
)
"""What may be set, by the name of the option without dashes in front, ``_`` between words."""

# Whose options of the same name mean something else, or whose purpose is to show what there is by default.
UNTOUCHED_COMMANDS: Final = frozenset({"config", "demo", "gate", "serve"})


@dataclass(frozen=True)
class Setting:
    """A value with its origin.

    Attributes:
        value: as the option takes it.
        origin: the file, or the environment variable.
        is_local: whether it comes from the file of the current folder, which may be somebody else's.
    """

    value: Any
    origin: str
    is_local: bool = False


def user_file() -> Path:
    """Return the path of the user's own file, which may not exist."""
    import platformdirs

    return Path(platformdirs.user_config_dir("llama-index-medqa")) / FILE_NAME


def read_settings(
    environment: Mapping[str, str] = os.environ, files: Sequence[tuple[Path, bool]] | None = None
) -> dict[str, Setting]:
    """Return the settings in force without options, by key.

    Args:
        environment: variables by name.
        files: in falling order of precedence, each with whether it is that of the current folder; None for
            ``medqa.toml`` of the current folder and of the user.

    Raises:
        UsageError: a file cannot be read, a key does not exist, or a value is not one of its kind.
    """
    found: dict[str, Setting] = {}
    for path, is_local in reversed(files if files is not None else [(Path(FILE_NAME), True), (user_file(), False)]):
        if path.is_file():
            found |= {key: Setting(value, str(path), is_local) for key, value in _of_file(path)}
    for key, known in KEYS.items():
        if text := environment.get(variable_of(key), ""):
            found[key] = Setting(_of_text(known, text, variable_of(key)), variable_of(key))
    return found


def variable_of(key: str) -> str:
    """Return the environment variable of a key."""
    return KEYS[key].variable or f"MEDQA_{key.upper()}"


def defaults_of_commands(
    settings: Mapping[str, Setting], commands: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> dict[str, dict[str, Any]]:
    """Return the settings for Typer: per command, the value of each parameter.

    Args:
        settings: see :func:`read_settings`.
        commands: Typer's commands by name.
        environment: may hold the key of a server.
    """
    wanted = {name: command for name, command in commands.items() if name not in UNTOUCHED_COMMANDS}
    return {
        name: {
            parameter.name: _guarded(key, settings[key], environment)
            for parameter in command.params
            if parameter.param_type_name == "option" and (key := key_of(parameter)) in settings
        }
        for name, command in wanted.items()
    }


def key_of(parameter: Any) -> str:
    """Return the key of an option: its long name with ``_`` between words."""
    return str(max(parameter.opts, key=len)).lstrip("-").replace("-", "_")


def misspelt_variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return misspelt variables, each with the one probably meant."""
    from difflib import get_close_matches

    known = [variable_of(key) for key in KEYS]
    near = {
        name: get_close_matches(name, known, n=1, cutoff=0.85)
        for name in environment
        if name.startswith("MEDQA_") and name not in known
    }
    return {name: meant[0] for name, meant in near.items() if meant}


def _guarded(key: str, setting: Setting, environment: Mapping[str, str]) -> Any:
    """Return the value, guarding an address that would get a key.

    The error is raised only where the address would be used.
    """
    variable = _SENT_KEYS.get(key, "")
    if not (setting.is_local and environment.get(variable)) or urlsplit(setting.value).hostname in _LOOPBACK:
        return setting.value
    return _refuse(key, setting, variable)


def _refuse(key: str, setting: Setting, variable: str) -> Callable[[], Any]:
    def refused() -> Any:
        raise UsageError(
            f"{setting.origin} of this folder names another machine as {key}, and it would be sent {variable}. Give "
            f"--{key.replace('_', '-')} yourself, or set it in {user_file()}."
        )

    return refused


def _of_file(path: Path) -> Iterator[tuple[str, Any]]:
    import tomllib

    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}. Correct or remove it.") from error
    for key, value in content.items():
        if key not in KEYS:
            raise UsageError(_unknown(path, key, is_table=isinstance(value, dict)))
        yield key, _of_toml(KEYS[key], value, f"{path}: {key}")


def _unknown(path: Path, key: str, *, is_table: bool) -> str:
    if _SECRET.search(key.lower()):
        return f"{path}: {key} does not belong in a file: set {' or '.join(_SENT_KEYS.values())} in the environment."
    if is_table:
        return f"{path}: there is no table [{key}]: keys stand at the top, before any line in brackets."
    from difflib import get_close_matches

    near = get_close_matches(key.lower().replace("-", "_"), KEYS, n=1)
    meant = f"did you mean {near[0]}?" if near else "`medqa config` lists the keys."
    return f"{path}: there is no key {key!r}: {meant}"


def _of_toml(known: Key, value: Any, name: str) -> Any:
    kinds = {"text": str, "whole number": int, "true or false": bool, "list of texts": list}
    if known.kind == "list of texts" and isinstance(value, str):
        value = [value]
    is_right = isinstance(value, kinds[known.kind]) and (known.kind == "true or false" or not isinstance(value, bool))
    if not is_right or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
        raise UsageError(f"{name} must be a {known.kind}, got {value!r}.")
    if isinstance(value, str) and "://" in value and "@" in urlsplit(value).netloc:
        raise UsageError(f"{name} holds a password in its address: give the address as an option or a variable.")
    return _checked(known, value, name)


def _of_text(known: Key, text: str, name: str) -> Any:
    if known.kind == "list of texts":
        return [part.strip() for part in text.split(_BETWEEN) if part.strip()]
    if known.kind == "true or false":
        if text.lower() not in (*_TRUE, *_FALSE):
            raise UsageError(f"{name} must be true or false, got {text!r}.")
        return text.lower() in _TRUE
    if known.kind == "whole number":
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", text.strip()):
            raise UsageError(f"{name} must be a whole number, got {text!r}.")
        return _checked(known, int(text), name)
    return _checked(known, text, name)


def _checked(known: Key, value: Any, name: str) -> Any:
    if known.choices and value not in known.choices:
        raise UsageError(f"{name} cannot be {value!r}: choose {', '.join(known.choices)}.")
    if isinstance(value, int) and not isinstance(value, bool):
        if known.least is not None and value < known.least:
            raise UsageError(f"{name} must be at least {known.least}, not {value}.")
        if known.most is not None and value > known.most:
            raise UsageError(f"{name} must be at most {known.most}, not {value}.")
    return value
