"""Which encoding a file is in: declared, or proved by its bytes; never guessed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from funnelkit.language import DataError
from funnelkit.pipeline import Finding

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


_BEYOND = re.compile("[^\\x00-\\x7f]+")
_CANDIDATES = ("gb18030", "big5", "shift_jis", "cp949", "cp1252", "cp1254", "cp1250", "cp1251")


def decode(data: bytes, name: str, declared: str | None = None) -> tuple[str, tuple[Finding, ...]]:
    """Return (text, findings) of bytes: by a byte order mark, as declared, as UTF-8, or detected beyond doubt."""
    marked = next((encoding for mark, encoding in _BOMS if data.startswith(mark)), None)
    if declared is not None:
        encoding = known_encoding(declared, name)
        if marked and codecs.lookup(encoding).name == "utf-8":
            encoding = "utf-8-sig"
        text = _strict(data, encoding, name)
        return without_nul(text.removeprefix("\ufeff"), name), ()
    if marked:
        return without_nul(_strict(data, marked, name), name), (
            said_encoding(name, marked.removesuffix("-sig"), "bom"),
        )
    wide = _wide(data)
    if wide:
        return without_nul(_strict(data, wide, name), name), (said_encoding(name, wide, "pattern"),)
    try:
        return without_nul(data.decode("utf-8"), name), (said_encoding(name, "utf-8", "valid"),)
    except UnicodeDecodeError as error:
        return _detect(data, name, error)


def said_encoding(name: str, encoding: str, how: str) -> Finding:
    return Finding("encoding_found", "note", name, value=encoding, values={"how": how})


# Codecs of the standard library that are no character sets of files.
_NO_CHARSETS = {"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"}


def known_encoding(encoding: str, name: str) -> str:
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError):
        codec = None
    if codec is None or not codec._is_text_encoding or codec.name.replace("_", "-") in _NO_CHARSETS:
        raise DataError("encoding_unknown", file=name, value=encoding)
    return codec.name


def _strict(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError("encoding_wrong", **_place(data, error, name), encoding=encoding) from None
    except UnicodeError:  # utf-16 that begins with neither mark
        raise DataError("encoding_wrong", file=name, line=1, value=f"0x{data[0]:02X}", encoding=encoding) from None


def _place(data: bytes, error: UnicodeDecodeError, name: str) -> dict[str, Any]:
    """Return where a byte is that does not decode."""
    before = data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return {"file": name, "line": before.count(b"\n") + 1, "value": f"0x{data[error.start]:02X}"}


def without_nul(text: str, name: str) -> str:
    """Return the text; refuse it where it holds a zero character, as only binary files do."""
    at = text.find("\0")
    if at >= 0:
        raise DataError("binary_file", file=name, line=text.count("\n", 0, at) + 1)
    return text


def _wide(data: bytes) -> str | None:
    """Return the UTF-16 that a file without a mark is in: zero bytes stand at one side of the pairs."""
    pairs = np.frombuffer(data[:4000], np.uint8, len(data[:4000]) // 2 * 2).reshape(-1, 2)
    high, low = (pairs == 0).mean(axis=0) if len(pairs) else (0, 0)
    if len(data) % 2 or max(high, low) < 0.05 or min(high, low) > max(high, low) / 10:
        return None
    if max(high, low) < 0.5 and _try(data, "utf-8") is not None:  # a stray zero byte in plain text
        return None
    encoding = "utf-16-le" if low > high else "utf-16-be"
    return encoding if "\n" in data[:4000].decode(encoding, "ignore") else None


def _detect(data: bytes, name: str, error: UnicodeDecodeError) -> tuple[str, tuple[Finding, ...]]:
    """Decode what is not UTF-8 where one reading is beyond doubt; else refuse and quote the readings."""
    place = _place(data, error, name)
    lenient = data.decode("utf-8", "replace")
    broken = lenient.count("\ufffd")
    if _foreign_signs(lenient) > 2 * broken:
        raise DataError("encoding_broken", **place)
    readings = {encoding: text for encoding in _CANDIDATES if (text := _try(data, encoding)) is not None}
    scores = _scores(readings)
    best, second = sorted(scores, key=lambda encoding: scores[encoding], reverse=True)[:2]
    if _foreign_signs(lenient) >= 20 and scores[best] >= 0.9 and scores[best] - scores[second] >= 0.25:
        return without_nul(readings[best], name), (said_encoding(name, best, "frequency"),)
    line, likely = place["line"] - 1, _likeliest(readings)
    order = sorted(readings, key=lambda encoding: encoding != likely)[:_QUOTED]
    quoted = (f"{encoding}: {_line(readings[encoding], line)!r}" for encoding in order)
    raise DataError("encoding_unclear", **place, readings="; ".join(quoted) or "-", likely=likely)


def _scores(readings: Mapping[str, str]) -> dict[str, float]:
    """Return how likely each double-byte reading is, by its share of everyday signs.

    Korean bytes are everyday Chinese ones too, but Chinese text is never all Hangul when read as Korean.
    """
    scores = {encoding: _common_share(readings.get(encoding), codec) for encoding, codec in _COMMON.items()}
    scores.pop("gb18030" if scores["cp949"] >= _ALL_HANGUL else "cp949")
    return scores


def _likeliest(readings: Mapping[str, str]) -> str | None:
    """Return the encoding to propose: Western where the signs beyond ASCII are letters within words of Latin letters,
    else the one with the most everyday signs; None where nothing speaks for one."""
    for encoding, letters in (("cp1252", ""), ("cp1250", _CENTRAL)):
        signs = [match[0] for match in _BEYOND.finditer(readings.get(encoding, "")[:200_000]) if match[0].strip()]
        latin = sum(len(text) <= 2 and all(_is_latin(sign, letters) for sign in text) for text in signs)
        if signs and latin >= 0.9 * len(signs):
            central = encoding == "cp1252" and "cp1250" in readings and _is_central(signs)
            return "cp1250" if central else "cp1254" if encoding == "cp1252" and _is_turkish(signs) else encoding
    scores = _scores(readings)
    best = max(scores, key=lambda encoding: scores[encoding])
    if scores[best] >= 0.7:
        return best
    cyrillic = [sign for sign in readings.get("cp1251", "")[:200_000] if sign > "\x7f"]
    if cyrillic and sum("\u0400" <= sign <= "\u045f" or sign in "№«»–—\xa0" for sign in cyrillic) >= 0.9 * len(
        cyrillic
    ):
        return "cp1251"
    return next(iter(readings)) if len(readings) == 1 else None


def _is_turkish(signs: Sequence[str]) -> bool:
    """Return True where Western letters hold those that stand in for Turkish ones, but no other Icelandic ones."""
    letters = set("".join(signs))
    return bool(letters & set("ÐÝÞðýþ")) and not letters & set("áéíóúæÁÉÍÓÚÆ")


def _is_central(signs: Sequence[str]) -> bool:
    """Return True where Western letters stand together that no Western language has, but that stand in for Czech (řě),
    Hungarian (őű) or Romanian ones (ăţ)."""
    letters = set("".join(signs).casefold())
    czech = "ø" in letters and letters & set("ìèùò") and not letters & set("åæ")
    hungarian = "õ" in letters and letters & set("öüû") and not letters & set("ãçñ")
    romanian = "ã" in letters and letters & set("þº") and not letters & set("õç")
    return bool(czech or hungarian or romanian)


def _is_latin(sign: str, letters: str) -> bool:
    """Return True for a letter (one of these, where there are any), and for signs of Western text."""
    return (sign in letters if letters else sign.isalpha()) or sign in "€°º²–’«»\xa0"


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _line(text: str, number: int) -> str:
    """Return the part of a line around its first sign beyond ASCII, which the readings differ in."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", number + 1)
    line = lines[number] if number < len(lines) else ""
    first = next((place for place, sign in enumerate(line) if not sign.isascii()), 0)
    start = first - 20 if first > 40 else 0
    return ("..." if start else "") + line[start : start + 60]


def _foreign_signs(text: str) -> int:
    return sum(1 for sign in text if sign > "\x7f")


_QUOTED = 4  # readings that a refusal shows
_ALL_HANGUL = 0.98
_CENTRAL = "ąćęłńóśźżáčďéěíňřšťúůýžäöüßőűâăîșțđ" + "ąćęłńóśźżáčďéěíňřšťúůýžäöüőűâăîșțđ".upper()

# The everyday half of each double-byte set: lead bytes of its first level, and of its punctuation.
_COMMON = {
    "gb18030": ("gb2312", 0xA1, 0xA3, 0xB0, 0xD7), "big5": ("big5", 0xA1, 0xA3, 0xA4, 0xC6),
    "shift_jis": ("shift_jis", 0x81, 0x83, 0x88, 0x97), "cp949": ("euc_kr", 0xA1, 0xA3, 0xB0, 0xC8),
}  # fmt: skip


def _common_share(text: str | None, codec: tuple[str, int, int, int, int]) -> float:
    """Return the share of the signs beyond ASCII that are everyday ones in this character set."""
    if not text:
        return 0.0
    name, mark_low, mark_high, low, high = codec
    signs = [sign for sign in text[:200_000] if sign > "\x7f"]
    leads = (sign.encode(name, "ignore")[:1] for sign in signs)
    common = sum(1 for lead in leads if lead and (mark_low <= lead[0] <= mark_high or low <= lead[0] <= high))
    return common / max(len(signs), 1)
