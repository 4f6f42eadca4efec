"""Numbers and money of any export: thousands, decimal marks, currency signs, units, percent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.cells.text import INVISIBLE, Parsed, Place, cell_text, is_text_categories

_Parts: TypeAlias = dict[str, Any]
_CURRENCY = (
    r"(?:[A-Z]{3}|(?:US|R|A|AU|C|CA|HK|NT|NZ|S|MX|AR)\$|zł|Kč|[Kk]r\.?|Ft|Fr\.|Rs\.?|TL|руб\.?|грн\.?|"
    r"ر\.س\.?|د\.إ\.?|ج\.م\.?|\\|[$€£¥￥₩₹₽₺₴₪฿₫₱元円圆원])"
)


_NUMBER = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[+-])?\s*(?P<before>{_CURRENCY})?\s*(?P<sign2>[+-])?\s*"
    rf"(?P<core>\d[\d.,' ]*|\.\d+)(?P<exponent>[eE][+-]?\d+)?\s*(?P<percent>%)?\s*(?P<after>{_CURRENCY})?\s*"
    r"(?P<close>\))?(?P<trail>-)?"
)


_UNIT = re.compile(
    rf"(?:{_CURRENCY})?\s*[\d.,' ]+\s*(?:[kKmMbB]n?|tsd|mio|mln|mrd|тыс|млн|млрд)\.?\s*(?:{_CURRENCY})?", re.IGNORECASE
)
_NAMED_UNIT = re.compile(
    r"(?P<rest>.*[\d.,])\s*(?P<unit>lakhs?|lacs?|crores?|crs?)"
    rf"\b\.?\s*(?P<money>{_CURRENCY})?",
    re.IGNORECASE,
)
_MYRIAD = re.compile(r"(?P<rest>.*[\d.,])\s*(?P<unit>百万|千万|[万亿千萬億])\s*(?P<money>元|人民币|美元|欧元)?")
_NO_CENTS = re.compile(r"(?<=\d)\s?(?:/[-–—=]|:[-–—]|[.,][-–—]{1,2})(?=$|\s?[^\d\s])")  # 1.200,- and Rs. 48,000/-
_TIMES = {
    "lakh": 1e5,
    "lac": 1e5,
    "crore": 1e7,
    "cr": 1e7,
    "千": 1e3,
    "万": 1e4,
    "百万": 1e6,
    "千万": 1e7,
    "亿": 1e8,
    "萬": 1e4,
    "億": 1e8,
}
_NAMED_MONEY = {"元": "元", "人民币": "元", "美元": "US$", "欧元": "€"}


# Arabic and Persian digits and marks; of other scripts digits alone.
_ARABIC = str.maketrans(
    {"٫": ".", "٬": ",", **{chr(zero + n): str(n) for zero in (0x660, 0x6F0, 0x966, 0xE50) for n in range(10)}}
)


_SIMPLE = r"^[+-]?[0-9]+(\.[0-9]*)?$"


_TRIPLE = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"


_SYMBOLS = {
    "RMB": "CNY",
    "TL": "TRY",
    "грн": "UAH",
    "грн.": "UAH",
    "ر.س": "SAR",
    "ر.س.": "SAR",
    "د.إ": "AED",
    "د.إ.": "AED",
    "ج.م": "EGP",
    "ج.م.": "EGP",
    "€": "EUR",
    "£": "GBP",
    "₩": "KRW",
    "₹": "INR",
    "₽": "RUB",
    "元": "CNY",
    "圆": "CNY",
    "円": "JPY",
    "원": "KRW",
    "US$": "USD",
    "R$": "BRL",
    "A$": "AUD",
    "AU$": "AUD",
    "C$": "CAD",
    "CA$": "CAD",
    "HK$": "HKD",
    "NT$": "TWD",
    "NZ$": "NZD",
    "S$": "SGD",
    "MX$": "MXN",
    "AR$": "ARS",
    "zł": "PLN",
    "Kč": "CZK",
    "Ft": "HUF",
    "Fr.": "CHF",
    "Rs": "INR",
    "Rs.": "INR",
    "руб": "RUB",
    "руб.": "RUB",
    "₺": "TRY",
    "₴": "UAH",
    "₪": "ILS",
    "฿": "THB",
    "₫": "VND",
    "₱": "PHP",
}


_GROUPED = {mark: re.compile(rf"\d{{1,3}}(?:[{mark}]\d{{3}})+") for mark in (".", "'", " ")}
_GROUPED[","] = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}")  # also lakhs and crores: 48,87,000


def as_number(
    cells: pd.Series, place: Place, decimal: str | None = None, percent: bool = False, money: str | None = None
) -> Parsed:
    """Return a column of numbers. Blank is NaN; what is no finite number is a fault of its row.

    `money` is the currency that the header names; `found["currency"]` has the currency each cell names. Raises
    DataError where `1,234` stays undecided.
    """
    if pd.api.types.is_bool_dtype(cells.dtype) or not pd.api.types.is_numeric_dtype(cells.dtype):
        return _mixed_number(cells, place, decimal, percent, money)
    values = cells.astype("float64")
    return Parsed(values.mask(np.isinf(values)), {"not_finite": np.isinf(values).to_numpy()})


def _mixed_number(cells: pd.Series, place: Place, decimal: str | None, percent: bool, money: str | None) -> Parsed:
    """Parse text, or the cells of a workbook column in which text and numbers are mixed."""
    if is_text_categories(cells):
        cells = cell_text(cells)
    if isinstance(cells.dtype, pd.StringDtype):
        return _text_number(cells, place, decimal, percent, money)
    typed = cells.map(
        lambda cell: isinstance(cell, (int, float, np.number, Decimal)) and not isinstance(cell, bool)
    ).to_numpy(bool)
    parsed = _text_number(cell_text(cells.mask(typed)), place, decimal, percent, money)
    numbers = pd.to_numeric(cells.where(typed), errors="coerce").astype("float64")
    parsed.faults["not_finite"] = parsed.faults.get("not_finite", False) | np.isinf(numbers).to_numpy()
    parsed.values = parsed.values.where(~typed, numbers.mask(np.isinf(numbers)))
    return parsed


def _text_number(cells: pd.Series, place: Place, decimal: str | None, percent: bool, money: str | None) -> Parsed:
    text = pc.utf8_trim_whitespace(pa.array(cells, pa.large_string(), from_pandas=True))
    blank = np.asarray(pc.fill_null(pc.equal(text, ""), True))
    simple = np.asarray(pc.fill_null(pc.match_substring_regex(text, _SIMPLE), False))
    dotted = np.asarray(pc.fill_null(pc.match_substring(text, "."), False))
    triple = np.asarray(pc.fill_null(pc.match_substring_regex(text, _TRIPLE), False))
    plain = decimal in (None, ".") and (simple | blank).all()
    if plain and not (decimal is None and dotted.any() and (triple | ~dotted).all()):
        values = pc.cast(pc.if_else(pa.array(blank), None, text), pa.float64()).to_pandas().to_numpy(dtype="float64")
        endless = np.isinf(values)  # more digits than a number of the machine can hold
        faults = {"not_finite": endless} if endless.any() else {}
        return Parsed(pd.Series(values, cells.index).mask(endless), faults)
    codes, uniques = pd.factorize(pd.Series(text.to_numpy(zero_copy_only=False)).mask(blank))
    parts = [_split_number(value, percent) for value in uniques]
    shown = [{**part, "currency": part.get("currency") or money} for part in parts]
    mark, notes = _decimal_mark(shown, uniques, codes, place, decimal)
    results = [_join_number(part, mark) for part in parts]
    units = {part["unit"]: str(text) for part, text in zip(parts, uniques, strict=True) if part.get("unit")}
    for unit, example in units.items():
        values = {"unit": unit, "times": _TIMES[unit]}
        notes.append(Finding("unit_in_cells", "note", place.file, None, place.column, example, values))
    return _spread(results, parts, codes, cells.index, notes)


def _spread(
    results: Sequence[float | str],
    parts: Sequence[_Parts],
    codes: NDArray[np.intp],
    index: pd.Index,
    notes: list[Finding],
) -> Parsed:
    """Bring the result of each different text back to its rows."""
    number = np.array([result if isinstance(result, float) else np.nan for result in results] + [np.nan])
    rule = np.array([result if isinstance(result, str) else "" for result in results] + [""], dtype=object)
    currency = np.array([part.get("currency") for part in parts] + [None], dtype=object)
    faults = {name: rule[codes] == name for name in set(rule) - {""}}
    found = {"currency": pd.Series(currency[codes], index)} if any(currency) else {}
    return Parsed(pd.Series(number[codes], index), faults, notes, found)


def _split_number(text: str, percent: bool) -> _Parts:
    """Return the parts of a number's text, or {"rule": why it is none}."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKC", text) if sign not in INVISIBLE).strip()
    plain = plain.replace("−", "-").replace("’", "'").replace("\u202f", " ")
    if re.fullmatch(r"[+-]?(?:inf(?:inity)?|nan)", plain, re.IGNORECASE):
        return {"rule": "not_finite"}
    plain = _NO_CENTS.sub("", plain)
    if _UNIT.fullmatch(plain):
        return {"rule": "number_unit"}
    plain = plain.translate(_ARABIC)
    unit = None
    if myriad := _MYRIAD.fullmatch(plain):
        plain, unit = myriad["rest"] + _NAMED_MONEY.get(myriad["money"], ""), myriad["unit"]
    elif named := _NAMED_UNIT.fullmatch(plain):
        plain, unit = named["rest"] + (named["money"] or ""), named["unit"].lower().removesuffix("s")
    match = _NUMBER.fullmatch(plain)
    if (
        not match
        or (match["sign"] and match["sign2"])
        or bool(match["open"]) != bool(match["close"])
        or (match["percent"] and not percent)
    ):
        return {"rule": "not_a_number"}
    negative = sum(bool(match[part]) for part in ("open", "trail")) + (match["sign"] == "-") + (match["sign2"] == "-")
    symbol = match["before"] or match["after"]
    return {
        "core": match["core"].strip(), "exponent": match["exponent"] or "", "negative": negative % 2 == 1,
        "percent": bool(match["percent"]), "currency": None if symbol == "\\" else _SYMBOLS.get(symbol, symbol),
        "times": _TIMES[unit] if unit else 1.0, "unit": unit,
    }  # fmt: skip


def is_number(text: str) -> bool:
    """Return True where a text may be a number, also one with a unit."""
    part = _split_number(text, percent=True)
    return "core" in part or part.get("rule") == "number_unit"


def _mark_evidence(core: str) -> str | None:
    """Return the decimal mark that this number proves: "." or ",", "?" where it could be either, None without any."""
    commas, dots = core.count(","), core.count(".")
    if commas and dots:
        return "," if core.rfind(",") > core.rfind(".") else "."
    if commas + dots == 0:
        return None
    mark, other = (",", ".") if commas else (".", ",")
    if commas + dots > 1:  # groups of thousands prove the other mark; anything else is no number and proves nothing
        return other if _GROUPED[mark].fullmatch(core) else None
    before, after = core.replace(" ", "").replace("'", "").split(mark)
    undecided = len(after) == 3 and 1 <= len(before) <= 3 and before[0] != "0"
    return "?" if undecided and before == core.split(mark)[0] else mark


def _money_mark(part: _Parts) -> str | None:
    """Return what a number proves; money, beside its currency, has no three decimals (but in a few Arab currencies)."""
    found = _mark_evidence(part["core"])
    if found == "?" and part["currency"] and part["currency"] not in ("KWD", "BHD", "OMR", "TND", "JOD", "IQD", "LYD"):
        return "." if "," in part["core"] else ","
    return found


_EAST_ASIAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # where a comma only groups digits


def _decimal_mark(
    parts: Sequence[_Parts], uniques: NDArray[np.object_], codes: NDArray[np.intp], place: Place, decimal: str | None
) -> tuple[str, list[Finding]]:
    """Return (decimal mark, notes): as declared, as the column proves, or as the script of its header has it."""
    if decimal:
        return decimal, []
    first: dict[str | None, int] = {}
    for number, part in enumerate(parts):
        if "core" in part:
            first.setdefault(_money_mark(part), number)
    if "." in first and "," in first:
        one, other = first["."], first[","]
        raise DataError(
            "decimal_conflict", **place.at(codes == max(one, other)), value=str(uniques[max(one, other)]),
            other=str(uniques[min(one, other)]),
        )  # fmt: skip
    if "?" in first and "." not in first and "," not in first:
        text, shown = parts[first["?"]]["core"], str(uniques[first["?"]])
        if _EAST_ASIAN.search(str(place.column)):
            return ".", [Finding("decimal_by_script", "note", place.file, None, place.column, shown, {"mark": "."})]
        joined, split = (re.sub(r"[.,]", "", text), text.replace(",", "."))
        raise DataError("decimal_ambiguous", **place.at(codes == first["?"]), value=shown, one=joined, other=split)
    mark = "," if "," in first else "."
    proof = first.get(mark)
    if proof is None:
        return mark, []
    return mark, [Finding("decimal_found", "note", place.file, None, place.column, str(uniques[proof]), {"mark": mark})]


def _join_number(part: _Parts, mark: str) -> float | str:
    """Return the number, or the rule it breaks."""
    if "rule" in part:
        return str(part["rule"])
    whole, _, rest = part["core"].partition(mark)
    for thousands in {",", ".", "'", " "} - {mark}:
        if _GROUPED[thousands].fullmatch(whole):
            whole = whole.replace(thousands, "")
    if not re.fullmatch(r"\d*", whole) or not re.fullmatch(r"\d*", rest) or not (whole or rest):
        return "not_a_number"
    value = float(f"{whole or 0}.{rest or 0}{part['exponent']}")
    if part["unit"]:
        value = float(Decimal(f"{whole or 0}.{rest or 0}{part['exponent']}") * Decimal(part["times"]))
    if not np.isfinite(value):
        return "not_finite"
    return (-value if part["negative"] else value) / (100 if part["percent"] else 1)
