"""Dates: columns of cells -> times without zone, in microseconds. An order of day and month is proven or refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import timezone as fixed_zone
from itertools import permutations
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.cells.calendars import CLOCK, ERA, MONTHS, ZONES, era_year, of_our_calendar
from funnelkit.reading.cells.columns_of_times import behind_words, clocks, epochs, in_zone, offsets, parts_of, serials
from funnelkit.reading.cells.text import Parsed, Place, cell_text, is_text_categories

_Parts: TypeAlias = Mapping[str, str]
ORDERS = ("dmy", "mdy", "ymd")
YEARS = (1900, 2199)
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?)?$"
_YEAR_FIRST = re.compile(
    r"(?P<y>\d{4})\s*[-/.年년]\s*(?P<m>\d{1,2})\s*[-/.月월]\s*(?P<d>\d{1,2})"
    r"(?:[日일]|(?<=[.] \d)[.]|(?<=[.] \d\d)[.])?" + CLOCK
)
_COMPACT = re.compile(
    r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:T(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?(?P<zone>Z)?)?"
)
_YEAR_LAST = re.compile(r"(?P<a>\d{1,2})[-/.]\s?(?P<b>\d{1,2})[-/.]\s?(?P<c>\d{4}|\d{2})" + CLOCK)
_DAY_NAME = re.compile(
    r"(?P<d>\d{1,2})(?:er|º|ª)?[-\s./]*(?:de\s+)?(?P<name>[^\W\d_]{3,10})\.?[-\s,./]*(?:de[l]?\s+)?(?P<y>\d{4}|(?<=-)\d\d)"
    + CLOCK
)
_NAME_DAY = re.compile(r"(?P<name>[^\W\d_]{3,10})\.?\s+(?P<d>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<y>\d{4})" + CLOCK)
_EPOCH = re.compile(r"(?P<whole>\d{10}|\d{13}|\d{16}|\d{19})(?P<part>[.]\d{1,9})?")


def as_time(
    cells: pd.Series, place: Place, order: str | None = None, timezone: str | None = None, serial: bool = False
) -> Parsed:
    """Return a column of times. Blank is NaT; what is no date, or lacks a zone among others that have one, is a fault.

    `serial` reads the numbers of a workbook column as day numbers. Raises DataError where `03/04/2022` stays undecided.
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return _typed_time(cells, place, timezone)
    if is_text_categories(cells):
        return _category_times(cells, place, order=order, timezone=timezone)
    if not isinstance(cells.dtype, pd.StringDtype):
        cells = cells.map(_from_serial if serial else _as_cell, na_action="ignore")
    text = pc.utf8_trim_whitespace(pa.array(cell_text(cells), pa.large_string(), from_pandas=True))
    blank = np.asarray(pc.fill_null(pc.equal(text, ""), True))
    clean = _clean_times(text, blank)
    if clean is not None:
        return Parsed(pd.Series(clean, cells.index))
    codes, uniques = pd.factorize(pd.Series(text.to_numpy(zero_copy_only=False)).mask(blank))
    return _times_of(uniques, codes, cells.index, place, order=order, timezone=timezone)


def _clean_times(text: Any, blank: NDArray[np.bool_]) -> NDArray[np.datetime64] | None:
    """Return the times of a column in which every cell is blank or an ISO time of the years allowed, else None."""
    if not (np.asarray(pc.fill_null(pc.match_substring_regex(text, _ISO), False)) | blank).all():
        return None
    try:
        times = pc.cast(pc.if_else(pa.array(blank), None, text), pa.timestamp("us"))
    except pa.ArrowInvalid:  # a day that no month has
        return None
    years = pc.min_max(pc.year(times)).as_py()
    if years["min"] is not None and not YEARS[0] <= years["min"] <= years["max"] <= YEARS[1]:
        return None
    found: NDArray[np.datetime64] = times.to_numpy(zero_copy_only=False)
    return found


def _category_times(cells: pd.Series, place: Place, *, order: str | None, timezone: str | None) -> Parsed:
    """Parse each category that occurs once."""
    cells = cells.cat.remove_unused_categories()
    names = pc.utf8_trim_whitespace(pa.array(cells.cat.categories, pa.large_string()))
    trimmed, uniques = pd.factorize(pd.Series(names.to_numpy(zero_copy_only=False)).replace("", None))
    codes = np.append(trimmed, -1)[cells.cat.codes.to_numpy()]
    return _times_of(uniques, codes, cells.index, place, order=order, timezone=timezone)


def _times_of(
    uniques: NDArray[np.object_],
    codes: NDArray[np.intp],
    index: pd.Index,
    place: Place,
    *,
    order: str | None,
    timezone: str | None,
) -> Parsed:
    uniques, told = of_our_calendar(uniques, codes, place)
    iso = pc.match_substring_regex(pa.array(uniques, pa.large_string()), _ISO)
    if pc.all(iso).as_py() is not False:
        times = pd.to_datetime(pd.Series(uniques, dtype="str"), errors="coerce", format="ISO8601").astype(
            "datetime64[us]"
        )
        return _finish(times, {}, codes, index, told)
    found = _of_numbers(uniques, codes, index, place, timezone)
    when = behind_words(uniques) if found is None else None
    if when is not None:
        found = _slow_times(when, codes, index, place, order=order, timezone=timezone)
        found.notes.append(Finding("date_behind_words", "note", place.file, None, place.column, str(uniques[0])))
    if found is None:
        found = _of_one_form(uniques, codes, index, place, order=order, timezone=timezone)
    if found is None:
        found = _slow_times(uniques, codes, index, place, order=order, timezone=timezone)
    found.notes.extend(told)
    return found


def _of_numbers(
    uniques: NDArray[np.object_], codes: NDArray[np.intp], index: pd.Index, place: Place, timezone: str | None
) -> Parsed | None:
    """Parse texts that are all numbers since 1970, or all day numbers of a spreadsheet; None where some are not."""
    since = epochs(uniques)
    if since is not None:
        notes = [Finding("timezone_found", "note", place.file, None, place.column, timezone or "UTC"),
                 Finding("epoch_found", "note", place.file, None, place.column)]  # fmt: skip
        return _finish(in_zone(since, _zone(timezone, place)), {}, codes, index, notes)
    since = serials(uniques)
    if since is None:
        return None
    told = Finding("serial_found", "note", place.file, None, place.column, str(uniques[0]))
    return _finish(pd.Series(since.astype("datetime64[us]")), {}, codes, index, [told])


def _of_one_form(
    uniques: NDArray[np.object_],
    codes: NDArray[np.intp],
    index: pd.Index,
    place: Place,
    *,
    order: str | None,
    timezone: str | None,
) -> Parsed | None:
    """Parse texts all of one common form at once, with the answer of `_slow_times`; None where some are of another."""
    parts = parts_of(uniques)
    if parts is None:
        return None
    east = offsets(parts["zone"], _offset)
    if east is None and pc.any(pc.not_equal(parts["zone"], "")).as_py():
        return None
    coded = parts["day"].dictionary_encode()
    which = coded.indices.to_numpy(zero_copy_only=False)
    splits = [_split_date(day) for day in coded.dictionary.to_pylist()]
    first = uniques[np.unique(which, return_index=True)[1]]
    order, notes = _date_order(splits, first, np.append(which, -1)[codes], place, order)
    days = [_time_of(split, order) for split in splits]
    none = np.array([isinstance(day, str) for day in days], dtype=bool)
    dates = np.array(["NaT" if isinstance(day, str) else day for day in days], dtype="datetime64[us]")
    micros, wrong = clocks(parts)
    wrong |= none[which]
    total, zone = dates.astype("int64")[which] + micros, _zone(timezone, place)
    times = pd.Series(total.astype("datetime64[us]"))
    if east is not None:
        wrong |= east[1]
        times = in_zone(np.where(wrong, 0, total - east[0]), zone)
        notes.append(Finding("timezone_found", "note", place.file, None, place.column, timezone or "UTC"))
    return _finish(times.mask(wrong), {}, codes, index, notes)


def _typed_time(cells: pd.Series, place: Place, timezone: str | None) -> Parsed:
    notes = []
    if getattr(cells.dtype, "tz", None) is not None:
        cells = cells.dt.tz_convert(timezone or "UTC").dt.tz_localize(None)
        notes = [Finding("timezone_found", "note", place.file, None, place.column, timezone or "UTC")]
    times = cells.astype("datetime64[us]")
    bad = (times.notna() & ~times.dt.year.between(*YEARS)).to_numpy()
    return Parsed(times.mask(bad), {"date_range": bad}, notes)


def _as_cell(cell: Any) -> Any:
    return str(int(cell)) if isinstance(cell, (int, float)) and not isinstance(cell, bool) and cell == cell else cell


def _from_serial(cell: Any) -> Any:
    """A day number of a workbook (1900 system) becomes its date."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool) and 1 <= cell < 110_000:
        return (datetime(1899, 12, 30) + timedelta(seconds=round(cell * 86_400))).isoformat(sep=" ")
    return _as_cell(cell)


def _slow_times(
    uniques: NDArray[np.object_],
    codes: NDArray[np.intp],
    index: pd.Index,
    place: Place,
    *,
    order: str | None,
    timezone: str | None,
) -> Parsed:
    """Parse each different text by itself."""
    plain = [unicodedata.normalize("NFKC", text).strip() for text in uniques]
    splits = [_split_date(text) for text in plain]
    odd = [split is not None and ("era" in split or split.get("zone") in ZONES) for split in splits]
    if not all(odd):  # a slip among dates of another form
        splits = [None if strange else split for split, strange in zip(splits, odd, strict=True)]
    order, notes = _date_order(splits, uniques, codes, place, order)
    zone = _zone(timezone, place)
    results = [_time_of(split, order) for split in splits]
    zoned = np.array([isinstance(result, datetime) and result.tzinfo is not None for result in results], dtype=bool)
    rules = {i: result for i, result in enumerate(results) if isinstance(result, str)}
    if zoned.any():
        notes.append(Finding("timezone_found", "note", place.file, None, place.column, timezone or "UTC"))
        if timezone is None:
            rules |= {i: "timezone_missing" for i, r in enumerate(results) if isinstance(r, datetime) and not zoned[i]}
    if any("epoch" in (split or {}) for split in splits):
        notes.append(Finding("epoch_found", "note", place.file, None, place.column))
    times = [
        _naive(result, zone) if isinstance(result, datetime) and i not in rules else None
        for i, result in enumerate(results)
    ]
    series = (
        pd.Series(pd.to_datetime(times), dtype="datetime64[us]") if times else pd.Series([], dtype="datetime64[us]")
    )
    return _finish(series, rules, codes, index, notes)


def _finish(
    times: pd.Series, rules: Mapping[int, str], codes: NDArray[np.intp], index: pd.Index, notes: list[Finding]
) -> Parsed:
    """Bring the time of each different text back to its rows; a text without a time and rule is no date."""
    outside = times.notna() & ~times.dt.year.between(*YEARS)
    rule = np.array([*("" if known else "not_a_date" for known in times.notna()), ""], dtype=object)
    rule[:-1][outside.to_numpy()] = "date_range"
    for number, name in rules.items():
        rule[number] = name
    faults = {name: rule[codes] == name for name in set(rule) - {""}}
    values = np.append(times.mask(outside).to_numpy(), np.datetime64("NaT", "us"))[codes]
    return Parsed(pd.Series(values, index, dtype="datetime64[us]"), faults, notes)


def _split_date(text: str) -> dict[str, Any] | None:
    """Return the named parts of a date's text, None where it is none."""
    for pattern in (_YEAR_FIRST, _COMPACT, _YEAR_LAST, _DAY_NAME, _NAME_DAY, ERA):
        match = pattern.fullmatch(text)
        if match:
            parts = {key: value for key, value in match.groupdict().items() if value is not None}
            if "era" in parts:
                parts["y"] = era_year(parts)
            if "name" in parts:
                parts["m"] = MONTHS.get(parts["name"].lower(), 0)
            return parts
    return {"epoch": text} if _EPOCH.fullmatch(text) else None


def is_date(text: str) -> bool:
    """Return True where a text may be a date, as far as its form goes."""
    return _split_date(unicodedata.normalize("NFKC", text).strip()) is not None


def _numbers(parts: _Parts, order: str | None) -> tuple[int, int, int]:
    """Return (year, month, day) of a date with the year last, read in `order`."""
    values = dict(zip(order or "", (parts["a"], parts["b"], parts["c"]), strict=True))
    if order == "ymd" and len(parts["c"]) == 4:
        raise ValueError("two years")
    return _year(values["y"]), int(values["m"]), int(values["d"])


def _year(text: str) -> int:
    return int(text) if len(text) > 2 else int(text) + (2000 if int(text) < 70 else 1900)


def _reading(parts: _Parts, order: str) -> date | None:
    """Return the day that these parts mean in `order`, None where they mean none."""
    try:
        return datetime(*_numbers(parts, order)).date()
    except ValueError:
        return None


def _date_order(
    splits: Sequence[_Parts | None],
    uniques: NDArray[np.object_],
    codes: NDArray[np.intp],
    place: Place,
    declared: str | None,
) -> tuple[str | None, list[Finding]]:
    """Return (order of day and month, notes): as declared, or the one order in which all dates exist."""
    dates = [(i, split) for i, split in enumerate(splits) if split and "a" in split]
    if not dates or declared:
        return declared, []
    readings = {i: {order: _reading(split, order) for order in ORDERS} for i, split in dates}
    real = {i: reading for i, reading in readings.items() if any(reading.values())}
    possible = [order for order in ORDERS if all(reading[order] for reading in real.values())]
    if not possible:
        first, second = _contradiction(real)
        place_at = {**place.at(codes == second), "value": str(uniques[second]), "other": str(uniques[first])}
        raise DataError("date_order_conflict", **place_at)
    kept = _by_years(possible, [split for _, split in dates])
    by_years, possible = len(kept) < len(possible), kept
    for one, other in permutations(possible, 2):
        differs = next((i for i, reading in real.items() if reading[one] != reading[other]), None)
        if differs is not None:
            both = {"one": f"{real[differs][one]} ({one})", "other": f"{real[differs][other]} ({other})"}
            raise DataError("date_order_ambiguous", **place.at(codes == differs), value=str(uniques[differs]), **both)
    proof = next((i for i, reading in real.items() if sum(map(bool, reading.values())) == 1), None)
    if proof is None and by_years:
        shown = {"order": possible[0]}
        return possible[0], [Finding("date_order_by_years", "note", place.file, None, place.column, None, shown)]
    if proof is None:
        return possible[0], []
    return possible[0], [
        Finding("date_order_found", "note", place.file, None, place.column, str(uniques[proof]), {"order": possible[0]})
    ]


def _by_years(possible: list[str], splits: Sequence[_Parts]) -> list[str]:
    """Return the orders left where a part of two digits hardly changes as years do, while the other end runs through
    the days of the month: a list of deals spans few years, and not always the same days of each."""
    if len(possible) < 2 or any(len(split["c"]) != 2 for split in splits):
        return possible
    first, last = (len({split[part] for split in splits}) for part in ("a", "c"))
    if last <= 3 and first >= 2 * last + 4:
        return [order for order in possible if order != "ymd"]
    if first <= 3 and last >= 2 * first + 4:
        return [order for order in possible if order == "ymd"] or possible
    return possible


def _contradiction(real: Mapping[int, Mapping[str, date | None]]) -> tuple[int, int]:
    """Return two dates of which each exists only in an order in which the other does not."""
    sets = {i: {order for order, day in reading.items() if day} for i, reading in real.items()}
    narrow = sorted(sets, key=lambda i: (len(sets[i]), i))
    for one in narrow:
        other = next((i for i in narrow if not sets[i] & sets[one]), None)
        if other is not None:
            return min(one, other), max(one, other)
    return narrow[0], narrow[-1]


def _time_of(parts: _Parts | None, order: str | None) -> datetime | str:
    """Return the datetime that the parts mean, or the rule they break."""
    if parts is None:
        return "not_a_date"
    try:
        if "epoch" in parts:
            whole, _, part = parts["epoch"].partition(".")
            digits = (whole + part).ljust(16, "0")[:16]  # microseconds
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(digits))
        year, month, day = (
            _numbers(parts, order) if "a" in parts else (_year(parts["y"]), int(parts["m"]), int(parts["d"]))
        )
        hour, shift = int(parts.get("hour", 0)), _half(parts)
        if shift is not None:
            if not 1 <= hour <= 12:
                return "not_a_date"
            hour = hour % 12 + shift
        fraction = int(parts.get("fraction", "0").ljust(6, "0")[:6])
        time = datetime(year, month, day, hour, int(parts.get("minute", 0)), int(parts.get("second", 0)), fraction)
        return time if "zone" not in parts else time.replace(tzinfo=_offset(parts["zone"]))
    except (ValueError, KeyError, OverflowError):
        return "not_a_date"


def _half(parts: _Parts) -> int | None:
    """Return the hours to add for the half of the day, None where the clock has 24 hours."""
    if "ampm" in parts:
        return 12 if parts["ampm"][0] in "pP" else 0
    if "half" in parts and int(parts["hour"]) <= 12:
        return 12 if parts["half"] == "下午" else 0
    return None


def _offset(zone: str) -> tzinfo:
    if zone in ZONES:
        return fixed_zone(timedelta(hours=ZONES[zone]))
    zone = zone.removeprefix("UTC").removeprefix("GMT")
    if zone[:1] not in ("+", "-"):
        return UTC
    digits = zone[1:].replace(":", "")
    digits = (digits if len(digits) > 1 else f"0{digits}").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return fixed_zone((1 if zone[0] == "+" else -1) * timedelta(minutes=minutes))


def _zone(name: str | None, place: Place) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        raise DataError("timezone_unknown", file=place.file, value=name) from None


def _naive(time: datetime, zone: ZoneInfo) -> datetime:
    return time if time.tzinfo is None else time.astimezone(zone).replace(tzinfo=None)
