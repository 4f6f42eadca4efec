"""Which encoding a file is in: declared, or proved by its bytes; never guessed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from funnelkit.language import DataError
from funnelkit.pipeline import Finding

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


_BEYOND = re.compile("[^\\x00-\\x7f]+")
_CANDIDATES = ("gb18030", "big5", "shift_jis", "cp1252")


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
    scores = {encoding: _common_share(readings.get(encoding), codec) for encoding, codec in _COMMON.items()}
    best, second = sorted(scores, key=lambda encoding: scores[encoding], reverse=True)[:2]
    if _foreign_signs(lenient) >= 20 and scores[best] >= 0.9 and scores[best] - scores[second] >= 0.25:
        return without_nul(readings[best], name), (said_encoding(name, best, "frequency"),)
    line = place["line"] - 1
    quoted = (f"{encoding}: {_line(text, line)!r}" for encoding, text in readings.items())
    raise DataError("encoding_unclear", **place, readings="; ".join(quoted) or "-", likely=_likeliest(readings))


def _likeliest(readings: Mapping[str, str]) -> str | None:
    """Return the encoding to propose: Western where the signs beyond ASCII are letters within words of Latin letters,
    else the one with the most everyday signs; None where nothing speaks for one."""
    western = readings.get("cp1252", "")
    signs = [match for match in _BEYOND.finditer(western[:200_000]) if match[0].strip()]
    latin = sum(len(match[0]) <= 2 and (match[0].isalpha() or match[0] in "€°º²–’«»") for match in signs)
    if signs and latin >= 0.9 * len(signs):
        return "cp1252"
    scores = {encoding: _common_share(readings.get(encoding), codec) for encoding, codec in _COMMON.items()}
    best = max(scores, key=lambda encoding: scores[encoding])
    return best if scores[best] >= 0.7 else next(iter(readings)) if len(readings) == 1 else None


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _line(text: str, number: int) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", number + 1)
    return lines[number][:60] if number < len(lines) else ""


def _foreign_signs(text: str) -> int:
    return sum(1 for sign in text if sign > "\x7f")


# The everyday half of each double-byte set: lead bytes of its first level, and of its punctuation.
_COMMON = {"gb18030": ("gb2312", 0xA1, 0xA3, 0xB0, 0xD7), "big5": ("big5", 0xA1, 0xA3, 0xA4, 0xC6)}


def _common_share(text: str | None, codec: tuple[str, int, int, int, int]) -> float:
    """Return the share of the signs beyond ASCII that are everyday ones in this character set."""
    if not text:
        return 0.0
    name, mark_low, mark_high, low, high = codec
    signs = [sign for sign in text[:200_000] if sign > "\x7f"]
    leads = (sign.encode(name, "ignore")[:1] for sign in signs)
    common = sum(1 for lead in leads if lead and (mark_low <= lead[0] <= mark_high or low <= lead[0] <= high))
    return common / max(len(signs), 1)
