"""Times of one form: a column of many different texts parsed at once; days once each, clocks and zones by arithmetic.

The answer is that of `dates`, which parses text by text, or None where some text has another form.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_FORM = (
    r"^(?P<day>[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:[0-9]{4}|[0-9]{2}))"
    r"(?:[T ]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2})(?::(?P<second>[0-9]{1,2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r" *(?P<half>(?:[AaPp]\.?[Mm]\.?)?) *(?P<zone>(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2})?))?$"
)
_EPOCH = r"^(?:[0-9]{10}|[0-9]{13}|[0-9]{16}|[0-9]{19})$"
_SERIAL = r"^[2-7][0-9]{4}(?:\.[0-9]+)?$"  # from 1954 to 2118
_BEHIND = re.compile(
    r"\D*?[^\W\d_]\D*?\s(?P<when>(?:[^\W\d_]{3,9}\.? \d{1,2}, \d{4}|\d{4}[-/]\d{1,2}[-/]\d{1,2}"
    r"|\d{1,2}[./]\d{1,2}[./]\d{4})\b.*)"
)
_LIMITS = {"hour": 23, "minute": 59, "second": 59}
_UNIT = {"hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000, "fraction": 1}


def parts_of(texts: NDArray[np.object_]) -> dict[str, Any] | None:
    """Return the parts of times (day, hour ... zone; "" where one is missing), a list or array each; None where some
    text is of another form."""
    found = pc.extract_regex(pa.array(texts, pa.large_string()), _FORM)
    return None if found.null_count or not len(texts) else dict(zip(_names(found), found.flatten(), strict=True))


def _names(found: Any) -> list[str]:
    return [field.name for field in found.type]


def epochs(texts: NDArray[np.object_]) -> NDArray[np.int64] | None:
    """Return microseconds of a column of times as whole numbers since 1970; None where some text is none."""
    array = pa.array(texts, pa.large_string())
    if not len(texts) or not pc.all(pc.match_substring_regex(array, _EPOCH)).as_py():
        return None
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(array, 16, "0"), 0, 16)
    return np.asarray(pc.cast(digits, pa.int64()))


def serials(texts: NDArray[np.object_]) -> NDArray[np.int64] | None:
    """Return microseconds of a column of day numbers as a spreadsheet has them; None where some text is none."""
    array = pa.array(texts, pa.large_string())
    if not len(texts) or not pc.all(pc.match_substring_regex(array, _SERIAL)).as_py():
        return None
    days = np.asarray(pc.cast(array, pa.float64()))
    seconds = np.round(days * 86_400).astype("int64")
    return (
        (np.datetime64("1899-12-30", "us") + seconds.astype("timedelta64[s]")).astype("datetime64[us]").astype("int64")
    )


def behind_words(texts: NDArray[np.object_]) -> NDArray[np.object_] | None:
    """Return the dates that stand behind other words (who did it), as a log of creation has them; None where not all
    texts are such."""
    if not len(texts) or not texts[0][:1].isalpha():
        return None
    found = [_BEHIND.fullmatch(text) for text in texts]
    return np.array([match["when"] for match in found if match], dtype=object) if all(found) else None


def clocks(parts: dict[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return (microseconds since midnight, which clocks there are none of such as 25:00)."""
    number = {name: _numbers(parts[name]) for name in _LIMITS}
    wrong = np.any([number[name] > limit for name, limit in _LIMITS.items()], axis=0)
    half = np.asarray(pc.utf8_lower(pc.utf8_slice_codeunits(parts["half"], 0, 1)).to_numpy(zero_copy_only=False))
    has, hour = half != "", number["hour"]
    wrong |= has & ((hour < 1) | (hour > 12))
    number["hour"] = np.where(has, hour % 12 + 12 * (half == "p"), hour)
    fraction = pc.utf8_slice_codeunits(pc.utf8_rpad(parts["fraction"], 6, "0"), 0, 6)
    number["fraction"] = _numbers(fraction)
    return sum((number[name] * unit for name, unit in _UNIT.items()), np.zeros(len(hour), "int64")), wrong


def _numbers(texts: Any) -> NDArray[np.int64]:
    return np.asarray(pc.cast(pc.if_else(pc.equal(texts, ""), "0", texts), pa.int64()))


def offsets(zones: Any, offset_of: Callable[[str], Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """Return (microseconds east of Greenwich, which are no such zone) of a column of zones; None where none has one
    or only some have."""
    coded = zones.dictionary_encode()
    names = coded.dictionary.to_pylist()
    if "" in names:
        return None
    found = [_micros(name, offset_of) for name in names]
    east = np.array([0 if micros is None else micros for micros in found], dtype="int64")
    codes = coded.indices.to_numpy(zero_copy_only=False)
    return east[codes], np.array([micros is None for micros in found], dtype=bool)[codes]


def _micros(name: str, offset_of: Callable[[str], Any]) -> int | None:
    try:
        return int(offset_of(name).utcoffset(None).total_seconds() * 1_000_000)
    except ValueError:
        return None


def in_zone(micros: NDArray[np.int64], zone: Any) -> pd.Series:
    """Return times of microseconds since 1970 as a clock in this zone shows them."""
    times = pd.Series(micros.astype("datetime64[us]"))
    return times.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None).astype("datetime64[us]")
