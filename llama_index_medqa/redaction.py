"""Removes keys from all texts that are shown: errors, logs, reports.

One function decides, :func:`redacted`. It knows keys by their position (in an address, in a header) and those that were
told to :func:`keep_secret`, wherever a server repeats them.
"""

import base64
import re
from typing import Final
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
_NAMED = re.compile(
    r"(?P<name>\b(?:x-)?(?:api[ _-]?key|access[ _-]?key|secret|passw(?:or)?d|(?:access|api|auth)[ _-]?token|"
    r"authorization)(?: provided| given)?[\"']?\s*[:=]\s*[\"']?)(?!\[removed\])[^\s\"',;)}&]+",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(?P<name>\b(?:bearer|basic)\s+)(?=[^\s\d=]*[\d=])[\w.~+/=-]{8,}", re.IGNORECASE)
_KNOWN_SHAPES = re.compile(r"\b(?:sk|pk|rk|hf|gsk|nvapi|xai|ghp|glpat|AIza)[-_]?[A-Za-z0-9_-]{16,}")

_secrets: set[str] = set()


def keep_secret(*values: str | None) -> None:
    """Remove keys from all texts from now on.

    In each of the ways in which a server may repeat them.
    """
    for value in values:
        if value and len(value) >= _LEAST_CHARACTERS and value.lower() not in _PLACEHOLDERS:
            encoded = base64.b64encode(value.encode()).decode()
            _secrets.update({value, quote(value, safe=""), quote_plus(value), encoded})


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
    for pattern in (_PARAMETER, _SCHEME, _NAMED):
        text = pattern.sub(rf"\g<name>{REMOVED}", text)
    return _KNOWN_SHAPES.sub(REMOVED, text)


def cause(error: BaseException) -> BaseException | None:
    """Return an error as a cause; None where it would show a key.

    A traceback would print its message.
    """
    text = str(error)
    return error if redacted(text) == text else None
