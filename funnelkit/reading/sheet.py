"""Sheet: one table while it is being read; its columns typed, its faulty rows quarantined with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.cells.dates import as_time
from funnelkit.reading.cells.numbers import as_number, is_number
from funnelkit.reading.cells.text import Parsed, Place, as_id, cell_text
from funnelkit.reading.layouts.evidence import money_of, unit_of
from funnelkit.reading.layouts.outcomes import declared_ends, flag_texts, status_word
from funnelkit.reading.layouts.presets import key, preset_data, preset_ends, word_keys

if TYPE_CHECKING:
    from funnelkit.pipeline import Limit
    from funnelkit.reading.containers.options import ReadOptions, Table
    from funnelkit.reading.findings import Extra, Journal
    from funnelkit.reading.layouts.columns import ColumnMapping


TEXTS = (
    "name", "account", "owner", "team", "currency", "lost_reason", "status", "is_won", "is_closed", "is_active",
    "is_deleted", "probability", "durations",
)  # fmt: skip
TIMES = (
    "created_at", "closed_at", "won_at", "lost_at", "ended_at", "stage_changed_at", "expected_close", "entered_at",
    "before_at", "left_at",
)  # fmt: skip
_MOST_SUMS = 1000  # rows that may be sums are looked at
_MAY_BE_OPEN = frozenset(("closed_at", "won_at", "lost_at", "void_at", "ended_at", "left_at", "expected_close"))
_NO_VALUE = re.compile(r"\s*(?:[-–—－]+|无|暂无)\s*")
_GROUP = re.compile(r"\S.{0,80}[（(]\d{1,6}[)）]")  # the title of a group and how many it has


class Sheet:
    """A Table with its mapping. `good` marks the rows kept, `left_out` those that are about something else than stages;
    `frame` holds the typed canonical columns, `before_names` the stage that a row says was left, `limits` what reading
    found that the sheet cannot tell."""

    def __init__(self, table: Table, mapping: ColumnMapping, journal: Journal, options: ReadOptions) -> None:
        self.table, self.mapping, self.journal, self.options = table, mapping, journal, options
        codes = preset_ends(mapping.form.preset) if mapping.form else {}
        self.declared = codes | declared_ends(options.won, options.lost, options.void)
        self.good = np.ones(len(table.cells), dtype=bool)
        self.left_out = np.zeros(len(table.cells), dtype=bool)
        self.reasons: list[tuple[NDArray[np.intp], str, str | None, Extra | None]] = []
        self.limits: list[Limit] = []
        self.wide: dict[str, str] = {}  # header of a date column -> the stage that it dates
        self.ends: dict[str, str] = {}  # header of a date column -> the end that it dates
        self.undated: dict[str, NDArray[np.bool_]] = {}  # stage -> rows that were in it at an unknown time
        self.frame: pd.DataFrame = pd.DataFrame(index=table.cells.index)
        self.stage_names = self.before_names = pd.Series(dtype="str")
        self.kept: Any = None  # the good rows of the frame, once all rows are judged
        self.questions: list[DataError] | None = None  # what typing the columns leaves open, while it is collected
        self.joining = False  # whether tables will be joined to this one

    def cells(self, name: str) -> pd.Series:
        """Return the cells of a canonical column."""
        return self.table.cells[self.mapping.columns[name]]

    def has(self, name: str) -> bool:
        """Return True where the source has this canonical column."""
        return name in self.mapping.columns

    def text(self, position: int, header: str) -> str:
        """Return one cell as text, for messages."""
        cell = self.table.cells[header].at[position]
        return "" if cell is None or cell != cell else str(cell)[:200]

    def is_blank(self, header: str) -> NDArray[np.bool_]:
        """Return which cells of a column are blank."""
        blank: NDArray[np.bool_] = cell_text(self.table.cells[header]).isna().to_numpy()
        return blank

    def settle(self, kept: pd.DataFrame) -> None:
        """Keep the good rows of the typed columns and give the rest up, for it holds as much memory as the deals do.

        Of the cells only those of the quarantined rows stay, unless joining further tables will want them.
        """
        self.kept = kept
        self.frame = pd.DataFrame()
        self.stage_names = self.before_names = pd.Series(dtype="str")
        if not self.joining:
            self.table = replace(self.table, cells=self.table.cells[~self.good])

    def good_rows(self) -> pd.DataFrame:
        """Return the typed columns of the good rows."""
        return self.frame[self.good] if self.kept is None else self.kept

    def set_aside(self, mask: Any, rule: str, header: str | None = None, extra: Extra | None = None) -> None:
        """Set rows aside: they are no longer good, and the reason is on record."""
        mask = np.asarray(mask, dtype=bool)
        if mask.any():
            self.journal.rows(rule, "error", self, mask, header, extra=extra)
            self.reasons.append((np.flatnonzero(mask), rule, header, extra))
            self.good &= ~mask

    def warn(self, mask: Any, rule: str, header: str | None = None, extra: Extra | None = None) -> None:
        """Keep rows, but say what is odd about them."""
        self.journal.rows(rule, "warn", self, np.asarray(mask, dtype=bool) & self.good, header, extra=extra)

    def take(self, name: str, parse: Callable[[pd.Series, Place], Parsed]) -> Parsed:
        """Parse a canonical column: its faults set rows aside, its notes are written down."""
        header = self.mapping.columns[name]
        try:
            parsed = self._parsed(header, parse, name in _MAY_BE_OPEN)
        except DataError as error:
            if self.questions is None:
                raise
            self.questions.append(error)
            kind = "float64" if name == "amount" else "datetime64[us]"
            parsed = Parsed(pd.Series(np.nan if name == "amount" else pd.NaT, self.frame.index, dtype=kind))
        self.accept(parsed, header)
        self.frame[name] = parsed.values
        return parsed

    def _parsed(self, header: str, parse: Callable[[pd.Series, Place], Parsed], open_said: bool) -> Parsed:
        """Parse a column; where some cells cannot be read, those that only say that there is no value are empty: signs
        and words for nothing and, of times that open deals do not have, the one text without a digit that recurs."""
        cells, place = self.table.cells[header], Place(self.table.name, header, self.table.lines)
        parsed = parse(cells, place)
        if not any(mask.any() for mask in parsed.faults.values()):
            return parsed
        texts = cell_text(cells)
        none = [text for text in texts.dropna().unique() if _NO_VALUE.fullmatch(text)]
        if open_said:
            words = texts[texts.str.fullmatch(r"\D+", na=False)].value_counts()
            none += [str(word) for word in words.index[:1] if len(words) == 1 and words.iloc[0] > 1]
        empty = texts.isin(none).to_numpy()
        if not empty.any():
            return parsed
        parsed = parse(cells.mask(empty), place)
        told = {"n": int(empty.sum())}
        shown = str(texts[empty].iloc[0]).strip()
        return replace(parsed, notes=[
            *parsed.notes, Finding("placeholders_empty", "note", place.file, None, header, shown, told)
        ])  # fmt: skip

    def accept(self, parsed: Parsed, header: str) -> None:
        """Write down what parsing a column found."""
        for rule, mask in parsed.faults.items():
            self.set_aside(mask & self.good, rule, header)
        self.journal.findings.extend(parsed.notes)


def type_sheet(sheet: Sheet) -> None:
    """Type the canonical columns of a sheet, setting aside totals, rows without id or stage, and unreadable values.

    Raises DataError, the first with the others in `problems`, where several columns stay ambiguous.
    """
    sheet.questions = []
    _type_columns(sheet)
    problems, sheet.questions = tuple(sheet.questions), None
    if problems:
        first = problems[0]
        raise DataError(first.key, **first.values, problems=problems)


def _type_columns(sheet: Sheet) -> None:
    options = sheet.options
    _leave_out(sheet)
    _take_ids(sheet)
    if sheet.has("stage"):
        sheet.stage_names = cell_text(sheet.cells("stage"))
        if sheet.left_out.any():
            sheet.stage_names = sheet.stage_names.mask(sheet.left_out)
    else:  # a history beside this sheet tells the stages
        sheet.stage_names = pd.Series(np.nan, sheet.frame.index, dtype="str")
    if sheet.has("lost_stage"):
        _take_lost_stage(sheet)
    if sheet.has("stage_before"):
        _take_sides(sheet)
    for name, cells in (("deal_id", sheet.frame.get("deal_id")), ("stage", sheet.stage_names)):
        if cells is not None and sheet.has(name):
            sheet.set_aside(cells.isna().to_numpy() & sheet.good, "required", sheet.mapping.columns[name])
    for name in TEXTS:
        if sheet.has(name):
            sheet.frame[name] = cell_text(sheet.cells(name))
    codes = preset_data(sheet.mapping.form.preset).get("codes") if sheet.mapping.form else None
    if codes and "status" in sheet.frame:
        sheet.frame["status"] = sheet.frame["status"].replace(codes)
    if sheet.has("is_lost"):
        sheet.frame["is_lost"] = flag(cell_text(sheet.cells("is_lost")), sheet.frame.index)
    for name in TIMES:
        if sheet.has(name) and name not in sheet.frame:
            sheet.take(name, lambda cells, place: read_time(sheet, cells, place))
    if "left_at" in sheet.frame:
        backwards = (sheet.frame["left_at"] < sheet.frame["entered_at"]).to_numpy() & sheet.good
        sheet.set_aside(backwards, "exit_before_entry", sheet.mapping.columns["left_at"])
    if sheet.has("entered_at"):
        sheet.set_aside(sheet.frame["entered_at"].isna() & sheet.good, "required", sheet.mapping.columns["entered_at"])
    if sheet.has("amount"):
        unit = unit_of(sheet.mapping.columns["amount"])
        money = unit.currency if unit and unit.factor == 1 else None
        parsed = sheet.take("amount", lambda cells, place: as_number(cells, place, options.decimal, money=money))
        _take_unit(sheet)
        _take_currency(sheet, parsed)
        sheet.warn((sheet.frame["amount"] < 0).to_numpy(), "negative_amount", sheet.mapping.columns["amount"])


def _take_ids(sheet: Sheet) -> None:
    """Take the ids; rows that sum others up are no deals."""
    if sheet.has("deal_id"):
        sheet.frame["deal_id"] = as_id(sheet.cells("deal_id"))
        sheet.set_aside(
            _totals(sheet, sheet.frame["deal_id"]) & sheet.good, "totals_row", sheet.mapping.columns["deal_id"]
        )
    elif len(sheet.table.cells.columns):
        first = sheet.table.cells.columns[0]
        sheet.set_aside(_totals(sheet, as_id(sheet.table.cells[first])) & sheet.good, "totals_row", first)
    if sheet.has("stage"):
        sheet.set_aside(_sums_alone(sheet) & sheet.good, "totals_row", sheet.mapping.columns["stage"])


def _leave_out(sheet: Sheet) -> None:
    """Leave out the rows that the form of the table does not count, such as changes of other fields."""
    only = sheet.mapping.form.only if sheet.mapping.form else {}
    headers = {key(header): header for header in reversed(sheet.table.cells.columns)}
    for name, values in only.items():
        header = headers.get(key(name))
        if header is None or not len(sheet.table.cells):
            continue
        cells, wanted = cell_text(sheet.table.cells[header]), " / ".join(values)
        out = ~cells.map(key, na_action="ignore").isin(list(map(key, values))).to_numpy()
        if out.all():
            found = ", ".join(text[:40] for text in cells.dropna().unique()[:10])
            raise DataError("no_row_of_form", file=sheet.table.name, column=header, value=wanted, known=found)
        if out.any():
            sheet.left_out |= out
            sheet.good &= ~out
            sheet.journal.add("rows_left_out", file=sheet.table.name, column=header, value=wanted, n=int(out.sum()))


def _take_lost_stage(sheet: Sheet) -> None:
    """A deal that names the stage in which it was lost stands in that stage, and is lost."""
    lost = cell_text(sheet.cells("lost_stage"))
    lost = lost.mask(lost.isin(["0", "-1"]) | sheet.left_out)
    words = lost.map(lambda name: status_word(name, sheet.declared) is None, na_action="ignore")
    sheet.frame["is_lost"] = lost.notna()
    sheet.stage_names = lost.where(words == True).fillna(sheet.stage_names)  # noqa: E712 - blank is not True


def _take_sides(sheet: Sheet) -> None:
    """Read the side of a change that was left; where a row has no other side, it says where the deal has been since."""
    names = cell_text(sheet.cells("stage_before")).mask(sheet.left_out)
    sheet.before_names = names.mask(names.eq("0") & ~sheet.stage_names.eq("0").any())
    for name in ("entered_at", "before_at"):
        if sheet.has(name):
            sheet.take(name, lambda cells, place: read_time(sheet, cells, place))
    if "before_at" not in sheet.frame:
        sheet.frame["before_at"] = pd.Series(np.datetime64("NaT", "us"), sheet.frame.index)
    since = sheet.frame["before_at"]
    backwards = (sheet.frame["entered_at"] < since).to_numpy() & sheet.good
    sheet.set_aside(backwards, "exit_before_entry", sheet.mapping.columns.get("entered_at"))
    standing = sheet.stage_names.isna() & sheet.frame["entered_at"].isna() & sheet.before_names.notna() & since.notna()
    sheet.stage_names = sheet.stage_names.mask(standing, sheet.before_names)
    sheet.frame["entered_at"] = sheet.frame["entered_at"].mask(standing, since)
    sheet.before_names = sheet.before_names.mask(standing)


def read_time(sheet: Sheet, cells: pd.Series, place: Place) -> Parsed:
    """Parse a column of times as the options say."""
    options = sheet.options
    return as_time(cells, place, options.date_order, options.timezone, serial=sheet.table.kind == "workbook")


def _totals(sheet: Sheet, ids: pd.Series) -> NDArray[np.bool_]:
    """Return which ids are words for a total, such as `Grand total` or 合计; where no stage stands beside, also such
    a word beside what is summed up, and the title of a group with its size."""
    blank = sheet.is_blank(sheet.mapping.columns["stage"]) if sheet.has("stage") else np.zeros(len(ids), dtype=bool)
    wordy = pc.match_substring_regex(pa.array(ids, pa.large_string(), from_pandas=True), r"^[^0-9]{1,20}$")
    words = ids[np.asarray(pc.fill_null(wordy, False))].drop_duplicates()
    plain = [word for word in words if key(word) in word_keys("total")]
    beside = [text for text in ids[blank].dropna().unique() if _sums_up(text)]
    return (ids.isin(plain) | (ids.isin(beside) & blank)).to_numpy() if plain or beside else np.zeros(len(ids), bool)


def _sums_alone(sheet: Sheet) -> NDArray[np.bool_]:
    """Return which rows hold numbers alone, though neither an id nor a stage: sums below a group."""
    known = [sheet.mapping.columns[name] for name in ("deal_id", "stage", "name", "account") if sheet.has(name)]
    alone: NDArray[np.bool_] = np.all([sheet.is_blank(header) for header in known], axis=0)
    places = np.flatnonzero(alone)[:_MOST_SUMS]
    alone[:] = False
    for place in places:
        filled = cell_text(sheet.table.cells.iloc[place]).dropna()
        alone[place] = len(filled) > 0 and all(map(is_number, filled))
    return alone


def _sums_up(text: str) -> bool:
    """Return True for `Summe Nord`, `Ann Lee Total`, `华东小计`, `Nuevo (12)`."""
    words = text.split() or [""]
    named = bool({key(words[0]), key(words[-1])} & word_keys("total"))
    return (
        named or text.strip().rstrip(":：").endswith(("合计", "小计", "总计")) or bool(_GROUP.fullmatch(text.strip()))
    )


def _take_unit(sheet: Sheet) -> None:
    """Multiply amounts by the unit in their header, such as 万元, or in which the system writes them, such as cents."""
    header, form = sheet.mapping.columns["amount"], sheet.mapping.form
    unit = unit_of(header)
    scale = preset_data(form.preset).get("scale", {}).get(header) if form else None
    if unit is not None and unit.factor != 1:
        file = sheet.table.name
        sheet.journal.add("unit_in_header", file=file, column=header, value=unit.text, times=unit.factor)
        sheet.frame["amount"] = (sheet.frame["amount"] * unit.factor).round(4)
    elif form and scale:
        sheet.journal.add("unit_of_system", file=sheet.table.name, column=header, value=form.title, times=scale)
        sheet.frame["amount"] = (sheet.frame["amount"] * scale).round(4)


def _take_currency(sheet: Sheet, parsed: Parsed) -> None:
    """The currency of a cell is its own, else its column's, else that of the header, else the declared one."""
    own = parsed.found.get("currency")
    column = sheet.frame.get("currency")
    if column is not None:
        column = column.map({text: money_of(text) for text in column.dropna().unique()}).astype("str")
    found = own if column is None else (column if own is None else column.fillna(own))
    if found is None:
        found = pd.Series(None, sheet.frame.index, dtype="str")
    unit = unit_of(sheet.mapping.columns["amount"])
    stated = (unit and unit.currency) or sheet.options.currency
    sheet.frame["currency"] = found.astype("str").fillna(stated) if stated else found.astype("str")


def flag(cells: pd.Series | None, index: pd.Index) -> pd.Series:
    """Return which cells say yes; nothing is said where there is no such column."""
    if cells is None:
        return pd.Series(False, index)
    return cells.str.strip().str.casefold().isin(flag_texts()[0])
