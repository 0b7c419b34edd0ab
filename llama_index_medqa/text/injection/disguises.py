"""Disguised text made readable: look-alike letters, spacing, codes and more."""

import base64
import binascii
import codecs
import re
import unicodedata

# An escape sequence of a terminal: colours and cursor (CSI), the address of a link (OSC 8), the start of any other.
_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)8;[^\x07\x1b\x9c]*|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
# Unicode's tag characters repeat ASCII, invisibly.
_TAGS = {0xE0000 + code: chr(code) for code in range(0x20, 0x7F)}
# Letters that look like Latin ones (Unicode Technical Standard 39 lists them all; these are those of living scripts).
_LOOK_ALIKES = str.maketrans(
    "абвгеіїјкмнорсґтухѕԁԛԝһӏыьчзɑαβγεηικμνορτυχωϲϳաեհոսօցղկզւɡɩʟʀɪɢɴʏʙʜᴀᴄᴅᴇᴊᴋᴌᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱıȷƖøđłħ",
    "abbreiijkmhopcrtyxsdqwhlyb4eaabyenikuvoptuxwcjaehnuogqkqigilrignybhacdejklmoptuvwzfsijlodlh",
)
_DIGITS = str.maketrans("013457@$", "oieastas")
_LETTERS_AS_DIGITS = re.compile(r"(?<!\w)[a-z]*(?:[013457@$]+[a-z]+)+\b")
_SPACED_LETTERS = re.compile(r"(?<!\S)(?:\w[ ._*/-]){3,}\w(?!\w)")
# Words cut by hyphens ("dis-re-gard"), where that is no habit of English: three in a row of words, in short pieces.
_CUT_WORD = r"[a-z]{1,6}(?:-[a-z]{1,6})+"
_CUT_WORDS = re.compile(rf"\b{_CUT_WORD}\b(?:(?: [a-z]+){{0,3}} {_CUT_WORD}\b){{2,}}")
_CODED = re.compile(r"(?<![\w+/])(?:[0-9a-fA-F]{24,}|[A-Za-z0-9+/]{20,}={0,2})(?![\w+/=])")
_NAMED_SHIFT = re.compile(r"\brot ?-?13\b", re.IGNORECASE)
_NAMED_REVERSAL = re.compile(r"\b(?:backwards?|reversed?|right to left)\b", re.IGNORECASE)
_QUOTES = str.maketrans("‘’‚“”„«»‐‑‒–—", '\'\'\'"""""-----')
_ACCENTS = re.compile(r"[\u0300-\u036f]")
_ASCII = re.compile(r"[\x20-\x7e]*\Z")


def undisguised(text: str) -> list[str]:
    """Return the ways to read a text, the plain one first.

    All are in lower case with single spaces.

    Compatibility forms (full-width and mathematical letters), accents, invisible characters and the escape sequences
    of terminals are undone. Where letters look like Latin ones, digits stand for letters, letters stand apart or
    hyphens cut words, a reading without that follows; where escape sequences cut a text, one for each piece; where a
    word is a text in base64 or hexadecimal digits, or the text names ROT13 or says that it is reversed, what it means.
    """
    pieces = [text, *_decoded(text)]
    if _ESCAPE_SEQUENCE.search(text):
        pieces = [_ESCAPE_SEQUENCE.sub("", text), *_ESCAPE_SEQUENCE.split(text), *pieces[1:]]
    readings: dict[str, None] = {}
    for piece in pieces:
        plain = _plain(piece)
        readings[plain] = None
        latin = plain.translate(_LOOK_ALIKES)
        readings[latin] = None
        if _LETTERS_AS_DIGITS.search(latin):
            readings[_LETTERS_AS_DIGITS.sub(lambda word: word.group().translate(_DIGITS), latin)] = None
        if _SPACED_LETTERS.search(latin):
            readings[_SPACED_LETTERS.sub(lambda run: re.sub(r"[\W_]", "", run.group()), latin)] = None
        if _CUT_WORDS.search(latin):
            readings[latin.replace("-", "")] = None
    return list(readings)


def _decoded(text: str) -> list[str]:
    """Decode the codes in a text."""
    found = [plain for coded in _CODED.findall(text) if (plain := _decoded_word(coded))]
    if _NAMED_SHIFT.search(text):
        found += [codecs.encode(sentence, "rot13") for sentence in re.split(r"(?<=[:.!?]) ", text)]
    if _NAMED_REVERSAL.search(text):
        found += [sentence[::-1] for sentence in re.split(r"(?<=[:!?]) ", text)]
    return found


def _decoded_word(word: str) -> str | None:
    """Decode a word of hexadecimal digits or base64.

    None where it does not give a text of several words.
    """
    for decode in (bytes.fromhex, base64.b64decode):
        try:
            plain = decode(word).decode("ascii")
        except (ValueError, binascii.Error):
            continue
        if plain.isprintable() and " " in plain:
            return plain
    return None


def _plain(text: str) -> str:
    if not _ASCII.match(text):
        text = unicodedata.normalize("NFKD", text.translate(_TAGS))
        text = _ACCENTS.sub("", text)
        text = "".join(character for character in text if unicodedata.category(character) not in ("Cf", "Co"))
        text = unicodedata.normalize("NFC", text.translate(_QUOTES))
    return " ".join(text.lower().split())
