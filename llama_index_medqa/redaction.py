"""Removes keys from all texts that are shown: errors, logs, reports.

One function decides, :func:`redacted`. It knows keys by their position (in an address, a header, a cookie, an
environment variable) and those that were told to :func:`keep_secret`, wherever a server repeats them. Errors of the
package pass through it when they are made, and what its loggers say (:func:`logger_of`) before any handler sees it.
"""

import base64
import logging
import os
import re
import traceback
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

REMOVED: Final = "[removed]"
"""Stands where a key stood."""

# Shorter ones are found in ordinary words, and protect nothing.
_LEAST_CHARACTERS = 4
# Given to servers that need no key, where the protocol wants one.
_PLACEHOLDERS = ("none", "null", "empty", "dummy", "test", "ollama", "lm-studio", "not-needed", "no-key")

_USER_INFO = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^\s/?#\"'<>]+@", re.IGNORECASE)
_NAMES_OF_KEYS = (
    r"[\w.-]*(?:api[_-]?key|access[_-]?key|subscription[_-]?key|secret|token|passw(?:or)?d|credentials?|signature|auth|"
    r"session)[\w.-]*|key|sig|pwd|pass"
)
_PARAMETER = re.compile(rf"(?P<name>[?&;](?:{_NAMES_OF_KEYS})=)[^\s&;#\"'<>)]+", re.IGNORECASE)
_VALUE = r"(?!\[removed\])[^\s\"',;)}&]+"
_NAMED = re.compile(
    r"(?P<name>(?:\b|(?<=[_.]))(?:x-)?(?:api[ _.-]?key|(?:access|subscription|private)[ _-]?key|(?:client[ _-])?secret|"
    r"passw(?:or)?d|(?:access|api|auth|private|refresh|id)[ _-]?token)(?: provided| given)?[\"']?\s*[:=]\s*[\"']?)"
    rf"{_VALUE}",
    re.IGNORECASE,
)
# The kind of a header's key stands before it: "Authorization: Bearer abc".
_HEADER = re.compile(
    rf"(?P<name>\bauthorization[\"']?\s*[:=]\s*[\"']?)(?:[\w-]+ (?=[^\s\"',;)}}&]))?{_VALUE}", re.IGNORECASE
)
_COOKIE = re.compile(r"(?P<name>\b(?:set-)?cookie[\"']?\s*[:=]\s*[\"']?)[^\s\"'=;]+=[^\"'\r\n]*", re.IGNORECASE)
# Words alone are not enough here: "token: 5" and "key = value" stand in papers.
_TOKEN = re.compile(
    r"(?P<name>(?:\b|--)token[\"']?(?:\s*[:=]\s*|(?<=--token) )[\"']?)(?=[^\s\"',;)}&]*[0-9])[\w.~+/=-]{8,}",
    re.IGNORECASE,
)
_VARIABLE = re.compile(
    rf"(?P<name>\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)\s?[:=]\s?[\"']?){_VALUE}"
)
_SCHEME = re.compile(r"(?P<name>\b(?:bearer|basic)\s+)(?=[^\s\d=]*[\d=])[\w.~+/=-]{8,}", re.IGNORECASE)
_KNOWN_SHAPES = re.compile(
    r"\b(?:(?:sk|pk|rk|hf|gsk|nvapi|xai|ghp|github_pat|glpat|xox[abp]|AIza)[-_]?[A-Za-z0-9_-]{16,}|AKIA[A-Z0-9]{16}|"
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
)
_BY_PLACE = (_PARAMETER, _COOKIE, _HEADER, _SCHEME, _NAMED, _VARIABLE, _TOKEN)

_NAMES_OF_VARIABLES = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)$")
# Shorter values of variables are switches and names.
_LEAST_OF_VARIABLE = 8

_secrets: set[str] = set()


def keep_secret(*values: str | None) -> None:
    """Remove keys from all texts from now on.

    In each of the ways in which a server may repeat them.
    """
    for value in values:
        if value and len(value) >= _LEAST_CHARACTERS and value.lower() not in _PLACEHOLDERS:
            encoded = base64.b64encode(value.encode()).decode()
            _secrets.update({value, quote(value, safe=""), quote_plus(value), encoded})


def keep_environment_secret(environment: Mapping[str, str] = os.environ) -> None:
    """Remove the keys in environment variables from all texts from now on.

    Those whose names end as those of keys do, such as ``NCBI_API_KEY``; paths of files are none.
    """
    for name, value in environment.items():
        if _NAMES_OF_VARIABLES.search(name) and len(value) >= _LEAST_OF_VARIABLE and not value.startswith(("/", "~")):
            keep_secret(value)


def keep_address_secret(address: str) -> None:
    """Remove the keys in an address from all texts from now on.

    ``user:password@`` and the values of its parameters.
    """
    parts = _parts(address)
    if parts is None:
        return
    user, separator, password = parts[0].rpartition("@")[0].partition(":")
    keep_secret(*(unquote(text) for text in ((password, f"{user}:{password}") if separator else (user,))))
    keep_secret(*(value for _, value in parse_qsl(parts[1])))


def _parts(address: str) -> tuple[str, str] | None:
    """Return the host part and the parameters of an address.

    None where it is none.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return parts.netloc, parts.query


def redacted(text: str) -> str:
    """Return a text with ``[removed]`` in place of each key."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, REMOVED)
    text = _USER_INFO.sub(rf"\g<scheme>{REMOVED}@", text)
    for pattern in _BY_PLACE:
        text = pattern.sub(rf"\g<name>{REMOVED}", text)
    return _KNOWN_SHAPES.sub(REMOVED, text)


def redacted_data(value: Any) -> Any:
    """Return JSON values with ``[removed]`` in place of each key."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {name: redacted_data(item) for name, item in value.items()}
    return [redacted_data(item) for item in value] if isinstance(value, (list, tuple)) else value


class _KeyFilter(logging.Filter):
    """Removes keys from a log record, its arguments and its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True: every record is passed on."""
        record.msg, record.args = redacted(record.getMessage()), ()
        if record.exc_info and record.exc_info[1] is not None:
            # Formatters show this text in place of the error's own.
            record.exc_text = redacted("".join(traceback.format_exception(record.exc_info[1])).rstrip())
        return True


def logger_of(name: str) -> logging.Logger:
    """Return a module's logger; no handler sees a key in what it says.

    Args:
        name: the module's ``__name__``.
    """
    logger = logging.getLogger(name)
    if not any(isinstance(found, _KeyFilter) for found in logger.filters):
        logger.addFilter(_KeyFilter())
    return logger


def cause(error: BaseException) -> BaseException | None:
    """Return an error as a cause; None where it would show a key.

    A traceback would print its message.
    """
    text = str(error)
    return error if redacted(text) == text else None
