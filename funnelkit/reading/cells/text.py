"""Values: columns of cells -> text and numbers. Nothing is guessed: a mark that could mean two things is an error."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

MANY = 500_000  # texts
_EDGED = r"^[^!-~]|[^!-~]$"  # begins or ends with a sign that may be invisible
INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\u00ad"


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


def cell_text(cells):
    """Return cells as text, blank ones as NaN, the rest unchanged; whole numbers lose the `.0` of a workbook."""
    if isinstance(cells.dtype, pd.StringDtype):
        blank = _blank(cells)
        return cells.mask(blank) if blank.any() else cells
    if is_text_categories(cells):
        names = cell_text(pd.Series(cells.cat.categories))
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
    text = cell_text(cells)
    edged = pc.match_substring_regex(pa.array(text, pa.large_string(), from_pandas=True), _EDGED)
    if not pc.any(edged).as_py():
        return text
    text = text.str.strip().str.strip(INVISIBLE).str.strip()
    nothing = text == ""  # of invisible signs alone
    return text.mask(nothing) if nothing.any() else text


# --- numbers --------------------------------------------------------------------------------------------------------
