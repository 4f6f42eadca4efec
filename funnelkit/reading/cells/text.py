"""Values: columns of cells -> text and numbers. Nothing is guessed: a mark that could mean two things is an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnelkit.pipeline import Finding

MANY = 500_000  # texts
_EDGED = r"^[^!-~]|[^!-~]$"  # begins or ends with a sign that may be invisible
INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\u00ad"


@dataclass
class Parsed:
    """A column of values; `faults` maps a rule to the mask of rows that break it, `notes` say what was detected."""

    values: pd.Series
    faults: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    notes: list[Finding] = field(default_factory=list)
    found: dict[str, pd.Series] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a column stands, for messages: file, header, and the physical line of each of its rows."""

    file: str
    column: str
    lines: NDArray[np.signedinteger]

    def at(self, mask: NDArray[np.bool_]) -> dict[str, Any]:
        """Return file, line and column of the first row of `mask`, for an error."""
        return {"file": self.file, "line": int(self.lines[int(np.argmax(mask))]), "column": self.column}


def among(ids: pd.Series, others: pd.Series) -> NDArray[np.bool_]:
    """Return which of `ids` are among `others`: by codes, for `isin` on text grows with the square of their number."""
    codes = pd.factorize(pd.concat([ids, others], ignore_index=True), use_na_sentinel=False)[0]
    known = np.zeros(codes.max(initial=-1) + 1, dtype=bool)
    known[codes[len(ids) :]] = True
    found: NDArray[np.bool_] = known[codes[: len(ids)]]
    return found


def repeated(texts: pd.Series) -> NDArray[np.bool_]:
    """Return which texts stand more than once: of many, by hashes first, for a table of all texts takes much memory."""
    found: NDArray[np.bool_]
    if len(texts) < MANY:
        found = texts.duplicated(keep=False).to_numpy()
        return found
    import duckdb

    with duckdb.connect() as db:
        relation = db.from_arrow(pa.table({"text": arrow_text(texts)}))
        hashes = relation.project("hash(text) AS hash").fetchnumpy()["hash"]
    ranked = np.sort(hashes)
    doubtful = np.flatnonzero(np.isin(hashes, ranked[1:][ranked[1:] == ranked[:-1]]))
    found = np.zeros(len(texts), dtype=bool)
    found[doubtful] = texts.iloc[doubtful].duplicated(keep=False)
    return found


def by_text(texts: pd.Series, meaning: Mapping[str, Any], missing: Any = None) -> NDArray[Any]:
    """Return the meaning of each text, looked up once for each different one; `missing` where it has none."""
    coded = arrow_text(texts).dictionary_encode()
    found = [meaning.get(name) for name in coded.dictionary.to_pylist()]
    found = [missing if value is None else value for value in found]
    kind = "int64" if isinstance(missing, int) else object
    places: NDArray[np.int64] = coded.indices.fill_null(len(found)).to_numpy(zero_copy_only=False)
    return np.array([*found, missing], dtype=kind)[places]


def arrow_text(texts: pd.Series) -> Any:
    """Return a column of text as one array of arrow."""
    found = pa.array(texts, pa.large_string(), from_pandas=True)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def same_text(value: str | None, n: int) -> pd.Series:
    """Return a column of one text n times; None is missing."""
    texts = pa.repeat(pa.scalar(value, pa.large_string()), n)
    return pd.Series(pd.array(texts, dtype=pd.StringDtype(na_value=np.nan)))


def cell_text(cells: pd.Series) -> pd.Series:
    """Return cells as text.

    Parameters
    ----------
    cells : Series
        Cells of any type.

    Returns
    -------
    Series
        Texts; empty cells are NaN, whole numbers lose the `.0` of a workbook.

    Examples
    --------
    >>> cell_text(pd.Series([7.0, " ", "x"], dtype=object)).tolist()
    ['7', nan, 'x']
    """
    if isinstance(cells.dtype, pd.StringDtype):
        blank = _blank(cells)
        return cells.mask(blank) if blank.any() else cells
    if is_text_categories(cells):
        names = cell_text(pd.Series(cells.cat.categories))
        return pd.Series(names.array.take(cells.cat.codes.to_numpy(), allow_fill=True), cells.index, dtype="str")
    if isinstance(cells.dtype, pd.CategoricalDtype):
        cells = cells.astype("object")
    return cells.map(_text_of, na_action="ignore").astype("str").pipe(lambda text: text.mask(_blank(text)))


def is_text_categories(cells: pd.Series) -> bool:
    """Return True for a column of few different texts, as a large file is read."""
    return isinstance(cells.dtype, pd.CategoricalDtype) and isinstance(cells.cat.categories.dtype, pd.StringDtype)


def _text_of(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, (float, np.floating)):
        return str(int(cell)) if float(cell).is_integer() and abs(float(cell)) < 2**63 else str(cell)
    if hasattr(cell, "isoformat"):
        whole = hasattr(cell, "hour") and hasattr(cell, "year")  # neither a day nor a time of day alone
        return str(cell.isoformat(sep=" ")).removesuffix(" 00:00:00") if whole else str(cell.isoformat())
    return str(cell)


def _blank(text: pd.Series) -> NDArray[np.bool_]:
    trimmed = pc.utf8_trim_whitespace(pa.array(text, pa.large_string(), from_pandas=True))
    return np.asarray(pc.fill_null(pc.equal(trimmed, ""), True))


def as_id(cells: pd.Series) -> pd.Series:
    """Return ids as text: blanks around them and invisible signs go, everything else stays (`007` is not `7`)."""
    text = cell_text(cells)
    edged = pc.match_substring_regex(pa.array(text, pa.large_string(), from_pandas=True), _EDGED)
    if not pc.any(edged).as_py():
        return text
    text = text.str.strip().str.strip(INVISIBLE).str.strip()
    nothing = text == ""  # of invisible signs alone
    return text.mask(nothing) if nothing.any() else text


# --- numbers --------------------------------------------------------------------------------------------------------
