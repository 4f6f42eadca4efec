"""Values: columns of cells -> text and numbers. Nothing is guessed: a mark that could mean two things is an error."""

import re
import unicodedata
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from funnelkit.errors import DataError
from funnelkit.pipeline import Finding

MANY = 500_000  # texts
_EDGED = r"^[^!-~]|[^!-~]$"  # begins or ends with a sign that may be invisible
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\u00ad"


@dataclass
class Parsed:
    """A column of values; `faults` maps a rule to the mask of rows that break it, `notes` say what was detected."""

    values: pd.Series
    faults: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    found: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a column stands, for messages: file, header, and the physical line of each of its rows."""

    file: str
    column: str
    lines: np.ndarray

    def at(self, mask):
        """Return file, line and column of the first row of `mask`, for an error."""
        return {"file": self.file, "line": int(self.lines[int(np.argmax(mask))]), "column": self.column}


def among(ids, others):
    """Return which of `ids` are among `others`: by codes, for `isin` on text grows with the square of their number."""
    codes = pd.factorize(pd.concat([ids, others], ignore_index=True), use_na_sentinel=False)[0]
    known = np.zeros(codes.max(initial=-1) + 1, dtype=bool)
    known[codes[len(ids) :]] = True
    return known[codes[: len(ids)]]


def repeated(texts):
    """Return which texts stand more than once: of many, by hashes first, for a table of all texts takes much memory."""
    if len(texts) < MANY:
        return texts.duplicated(keep=False).to_numpy()
    import duckdb

    with duckdb.connect() as db:
        relation = db.from_arrow(pa.table({"text": arrow_text(texts)}))
        hashes = relation.query("texts", "SELECT hash(text) AS hash FROM texts").fetchnumpy()["hash"]
    ranked = np.sort(hashes)
    doubtful = np.flatnonzero(np.isin(hashes, ranked[1:][ranked[1:] == ranked[:-1]]))
    found = np.zeros(len(texts), dtype=bool)
    found[doubtful] = texts.iloc[doubtful].duplicated(keep=False)
    return found


def by_text(texts, meaning, missing=None):
    """Return the meaning of each text, looked up once for each different one; `missing` where it has none."""
    coded = arrow_text(texts).dictionary_encode()
    found = [meaning.get(name) for name in coded.dictionary.to_pylist()]
    found = [missing if value is None else value for value in found]
    kind = "int64" if isinstance(missing, int) else object
    return np.array([*found, missing], dtype=kind)[coded.indices.fill_null(len(found)).to_numpy(zero_copy_only=False)]


def arrow_text(texts):
    """Return a column of text as one array of arrow."""
    found = pa.array(texts, pa.large_string(), from_pandas=True)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def same_text(value, n):
    """Return a column of one text n times; None is missing."""
    texts = pa.repeat(pa.scalar(value, pa.large_string()), n)
    return pd.Series(pd.array(texts, dtype=pd.StringDtype(na_value=np.nan)))


def as_text(cells):
    """Return cells as text, blank ones as NaN, the rest unchanged; whole numbers lose the `.0` of a workbook."""
    if isinstance(cells.dtype, pd.StringDtype):
        blank = _blank(cells)
        return cells.mask(blank) if blank.any() else cells
    if is_text_categories(cells):
        names = as_text(pd.Series(cells.cat.categories))
        return pd.Series(names.array.take(cells.cat.codes.to_numpy(), allow_fill=True), cells.index, dtype="str")
    if isinstance(cells.dtype, pd.CategoricalDtype):
        cells = cells.astype("object")
    return cells.map(_text_of, na_action="ignore").astype("str").pipe(lambda text: text.mask(_blank(text)))


def is_text_categories(cells):
    """Return True for a column of few different texts, as a large file is read."""
    return isinstance(cells.dtype, pd.CategoricalDtype) and isinstance(cells.cat.categories.dtype, pd.StringDtype)


def _text_of(cell):
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer() and abs(cell) < 2**63:
        return str(int(cell))
    if hasattr(cell, "isoformat"):
        return cell.isoformat(sep=" ").removesuffix(" 00:00:00") if hasattr(cell, "hour") else cell.isoformat()
    return str(cell)


def _blank(text):
    trimmed = pc.utf8_trim_whitespace(pa.array(text, pa.large_string(), from_pandas=True))
    return np.asarray(pc.fill_null(pc.equal(trimmed, ""), True))


def as_id(cells):
    """Return ids as text: blanks around them and invisible signs go, everything else stays (`007` is not `7`)."""
    text = as_text(cells)
    edged = pc.match_substring_regex(pa.array(text, pa.large_string(), from_pandas=True), _EDGED)
    if not pc.any(edged).as_py():
        return text
    text = text.str.strip().str.strip(_INVISIBLE).str.strip()
    nothing = text == ""  # of invisible signs alone
    return text.mask(nothing) if nothing.any() else text


# --- numbers --------------------------------------------------------------------------------------------------------

_CURRENCY = r"(?:[A-Z]{3}|US\$|[$€£¥￥₩₹₽元円圆])"
_NUMBER = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[+-])?\s*(?P<before>{_CURRENCY})?\s*(?P<sign2>[+-])?\s*"
    rf"(?P<core>\d[\d.,' ]*|\.\d+)(?P<exponent>[eE][+-]?\d+)?\s*(?P<percent>%)?\s*(?P<after>{_CURRENCY})?\s*"
    r"(?P<close>\))?(?P<trail>-)?"
)
_UNIT = re.compile(r"[\d.,' ]+\s*(?:[万亿萬億千百]|[kKmMbB]n?|mio|mln|Mrd)\.?\s*元?")
_SIMPLE = r"^[+-]?[0-9]+(\.[0-9]*)?$"
_TRIPLE = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"
_SYMBOLS = {
    "€": "EUR",
    "£": "GBP",
    "₩": "KRW",
    "₹": "INR",
    "₽": "RUB",
    "元": "CNY",
    "圆": "CNY",
    "円": "JPY",
    "US$": "USD",
}
_GROUPED = {mark: re.compile(rf"\d{{1,3}}(?:[{mark}]\d{{3}})+") for mark in (",", ".", "'", " ")}


def as_number(cells, place, decimal=None, percent=False):
    """Return a column of numbers. Blank is NaN; what is no finite number is a fault of its row.

    `found["currency"]` has the currency each cell names. Raises DataError where `1,234` stays undecided.
    """
    if pd.api.types.is_bool_dtype(cells.dtype) or not pd.api.types.is_numeric_dtype(cells.dtype):
        return _mixed_number(cells, place, decimal, percent)
    values = cells.astype("float64")
    return Parsed(values.mask(np.isinf(values)), {"not_finite": np.isinf(values).to_numpy()})


def _mixed_number(cells, place, decimal, percent):
    """Parse text, or the cells of a workbook column in which text and numbers are mixed."""
    if is_text_categories(cells):
        cells = as_text(cells)
    if isinstance(cells.dtype, pd.StringDtype):
        return _text_number(cells, place, decimal, percent)
    typed = cells.map(
        lambda cell: isinstance(cell, (int, float, np.number, Decimal)) and not isinstance(cell, bool)
    ).to_numpy(bool)
    parsed = _text_number(as_text(cells.mask(typed)), place, decimal, percent)
    numbers = pd.to_numeric(cells.where(typed), errors="coerce").astype("float64")
    parsed.faults["not_finite"] = parsed.faults.get("not_finite", False) | np.isinf(numbers).to_numpy()
    parsed.values = parsed.values.where(~typed, numbers.mask(np.isinf(numbers)))
    return parsed


def _text_number(cells, place, decimal, percent):
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
    mark, notes = _decimal_mark(parts, uniques, codes, place, decimal)
    results = [_join_number(part, mark) for part in parts]
    return _spread(results, parts, codes, cells.index, notes)


def _spread(results, parts, codes, index, notes):
    """Bring the result of each different text back to its rows."""
    number = np.array([result if isinstance(result, float) else np.nan for result in results] + [np.nan])
    rule = np.array([result if isinstance(result, str) else "" for result in results] + [""], dtype=object)
    currency = np.array([part.get("currency") for part in parts] + [None], dtype=object)
    faults = {name: rule[codes] == name for name in set(rule) - {""}}
    found = {"currency": pd.Series(currency[codes], index)} if any(currency) else {}
    return Parsed(pd.Series(number[codes], index), faults, notes, found)


def _split_number(text, percent):
    """Return the parts of a number's text, or {"rule": why it is none}."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKC", text) if sign not in _INVISIBLE).strip()
    plain = plain.replace("−", "-").replace("’", "'").replace("\u202f", " ")
    if re.fullmatch(r"[+-]?(?:inf(?:inity)?|nan)", plain, re.IGNORECASE):
        return {"rule": "not_finite"}
    if _UNIT.fullmatch(plain):
        return {"rule": "number_unit"}
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
        "percent": bool(match["percent"]), "currency": _SYMBOLS.get(symbol, symbol),
    }  # fmt: skip


def _mark_evidence(core):
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


def _decimal_mark(parts, uniques, codes, place, decimal):
    """Return (decimal mark, notes): as declared, or as the column proves."""
    if decimal:
        return decimal, []
    first = {}
    for number, part in enumerate(parts):
        if "core" in part:
            first.setdefault(_mark_evidence(part["core"]), number)
    if "." in first and "," in first:
        one, other = first["."], first[","]
        raise DataError(
            "decimal_conflict", **place.at(codes == max(one, other)), value=str(uniques[max(one, other)]),
            other=str(uniques[min(one, other)]),
        )  # fmt: skip
    if "?" in first and "." not in first and "," not in first:
        text = parts[first["?"]]["core"]
        one, other = (re.sub(r"[.,]", "", text), text.replace(",", "."))
        raise DataError(
            "decimal_ambiguous", **place.at(codes == first["?"]), value=str(uniques[first["?"]]), one=one, other=other
        )
    mark = "," if "," in first else "."
    proof = first.get(mark)
    if proof is None:
        return mark, []
    return mark, [Finding("decimal_found", "note", place.file, None, place.column, str(uniques[proof]), {"mark": mark})]


def _join_number(part, mark):
    """Return the number, or the rule it breaks."""
    if "rule" in part:
        return part["rule"]
    whole, _, rest = part["core"].partition(mark)
    for thousands in {",", ".", "'", " "} - {mark}:
        if _GROUPED[thousands].fullmatch(whole):
            whole = whole.replace(thousands, "")
    if not re.fullmatch(r"\d*", whole) or not re.fullmatch(r"\d*", rest) or not (whole or rest):
        return "not_a_number"
    value = float(f"{whole or 0}.{rest or 0}{part['exponent']}")
    if not np.isfinite(value):
        return "not_finite"
    return (-value if part["negative"] else value) / (100 if part["percent"] else 1)
