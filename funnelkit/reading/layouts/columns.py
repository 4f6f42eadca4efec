"""Columns: headers of a source -> canonical columns, and which layout the table has. The aliases are presets/*.toml."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from funnelkit.language import DataError, nearest
from funnelkit.pipeline import Finding
from funnelkit.reading.cells.text import cell_text
from funnelkit.reading.containers.options import ReadOptions, Table
from funnelkit.reading.layouts.evidence import unit_of
from funnelkit.reading.layouts.guesses import fit_of, guessed, id_without_blanks, stage_by_cells, tells_outcome
from funnelkit.reading.layouts.presets import Form, find_form, key, preset_data
from funnelkit.reading.sheet import Sheet

LAYOUTS = ("deals", "events", "counts")
_MEMBER = re.compile(r"'?[\w ]{1,40}'?\[(?P<name>[^\[\]]+)\]")  # Deals[Amount], as Power BI writes a column
_RESULTS = ("result", "结果", "résultat", "resultado", "ergebnis", "wynik")  # of an event
_ONE_ROW_EACH = 0.95  # share of different ids in a list of deals, some of which stand twice
REQUIRED = {"deals": ("deal_id", "stage"), "events": ("deal_id", "stage", "entered_at"), "counts": ("stage",)}


@dataclass(frozen=True)
class ColumnMapping:
    """`columns`: canonical name -> header; `extra`: headers carried along; `form`: what export it is."""

    layout: str
    columns: dict[str, str]
    extra: tuple[str, ...]
    notes: tuple[Finding, ...] = ()
    form: Form | None = None


def map_columns(
    table: Table, options: ReadOptions, layout: str | None = None, preset_name: str | None = None, beside: bool = False
) -> ColumnMapping:
    """Return which column of a table means what.

    Parameters
    ----------
    table : Table
        A source as found.
    options : ReadOptions
        Its `map` names columns.
    layout, preset_name : str, optional
        As in `read`.
    beside : bool
        True for a table of deals that stands beside others: it needs no stage, for a history may tell it.

    Returns
    -------
    ColumnMapping
        The layout, {canonical column: header}, and the headers carried along.

    Raises
    ------
    DataError
        Where a required column is missing.

    Examples
    --------
    >>> from funnelkit.reading import ReadOptions, open_source
    >>> map_columns(open_source({"Deal ID": ["a"], "Phase": ["Won"]}), ReadOptions(map={"stage": "Phase"})).columns
    {'stage': 'Phase', 'deal_id': 'Deal ID'}
    """
    if layout not in (None, *LAYOUTS):
        raise DataError("no_such_layout", value=layout, known=", ".join(LAYOUTS))
    return _map_columns(table, options, layout, preset_name, beside)


def _map_columns(
    table: Table, options: ReadOptions, layout: str | None, preset_name: str | None, beside: bool
) -> ColumnMapping:
    headers = list(table.cells.columns)
    declared = _declared(options.map, headers, table.name)
    layout = layout or ("events" if "entered_at" in declared else None)
    form = find_form(headers, preset_name, layout)
    found = layout or (form.layout if form else _layout(table, declared, preset_name))
    aliases = _aliases(found, form.preset, form.name) if form else _aliases(found, preset_name)
    columns, notes = _assign(table, declared, aliases, REQUIRED[found])
    if found == "events" and "deal_id" not in declared:
        notes += id_without_blanks(table, columns, aliases["deal_id"])
    if found == "deals":
        notes += guessed(table, columns, aliases)
        notes += [] if beside or "stage" in columns else stage_by_cells(table, columns, declared)
    _need_columns(columns, table, found, beside)
    if layout is None:
        notes = [Finding("layout_found", "note", table.name, value=found), *notes]
    if form and preset_name is None:
        notes = [Finding("form_found", "note", table.name, value=form.title), *notes]
    sorted_out = set(map(key, form.only)) if form else set()  # the same in every row that counts
    used = {*columns.values(), *(header for header in headers if _is_unnamed(header, table.cells[header]))}
    used |= {header for header in headers if key(header) in sorted_out}
    return ColumnMapping(found, columns, tuple(header for header in headers if header not in used), tuple(notes), form)


def _need_columns(columns: Mapping[str, str], table: Table, layout: str, beside: bool) -> None:
    """Refuse a table that lacks a column of its layout."""
    missing = [name for name in REQUIRED[layout] if name not in columns]
    if layout == "deals" and (beside or tells_outcome(columns, table)):
        missing = [name for name in missing if name != "stage"]
    if "deal_id" in missing and layout == "deals" and not beside and _are_deals(columns, table):
        missing.remove("deal_id")  # the rows are numbered
    if layout == "counts" and not {"n_entered", "rate"} & set(columns):
        missing.append("count")
    if missing:
        known = _listed(list(table.cells.columns))
        place = {"file": table.name, "line": 1, "layout": layout, "known": known, "found": dict(columns), "maybe": ""}
        errors = tuple(DataError("no_column", column=name, **place) for name in missing)
        raise DataError("no_column", column=missing[0], **place, problems=errors)


def lists_deals(table: Table, options: ReadOptions, preset_name: str | None = None) -> bool:
    """Return True where each row is a deal with its present stage, and no column was declared to date entries."""
    headers = list(table.cells.columns)
    declared = _declared(options.map, headers, table.name)
    form = find_form(headers, preset_name)
    layout = form.layout if form else _layout(table, declared, preset_name)
    if layout != "deals" or "entered_at" in declared:
        return False
    try:
        columns = _map_columns(table, options, layout, preset_name, False).columns
    except DataError:
        return False
    ids = table.cells[columns["deal_id"]] if "deal_id" in columns else None
    return ids is None or ids.nunique() >= _ONE_ROW_EACH * len(ids)


def _are_deals(columns: Mapping[str, str], table: Table) -> bool:
    """Return True where rows without an id are deals: columns about deals, none that dates entries into stages."""
    signs = set(map(key, preset_data("generic")["signs"]["events"]))
    about = {"name", "account", "owner", "amount", "closed_at", "expected_close", "lost_reason", "status"} & set(
        columns
    )
    return bool(about) and not any(key(header) in signs for header in table.cells.columns)


def need_stages(sheets: Sequence[Sheet], one_step: bool) -> None:
    """Refuse tables of deals without a stage where no table of stage entries stands beside them.

    `one_step` is True where the model has, or may have, one step only, for which outcomes are enough.
    """
    if not any(sheet.mapping.layout == "events" for sheet in sheets):
        for sheet in sheets:
            if not sheet.has("stage") and not (one_step and tells_outcome(sheet.mapping.columns, sheet.table)):
                known = _listed(list(sheet.table.cells.columns))
                place = {"file": sheet.table.name, "line": 1, "column": "stage"}
                raise DataError("no_column", **place, layout=sheet.mapping.layout, known=known, maybe="")


def _is_unnamed(header: str, cells: pd.Series) -> bool:
    """A column without a name and without a value comes of separators at the end of the lines."""
    return re.fullmatch(r"column \d+", header) is not None and cell_text(cells).isna().all()


def _listed(headers: Sequence[str]) -> list[str]:
    return [header[:40] for header in headers[:20]] + ["..."] * (len(headers) > 20)


def _declared(
    wanted: Mapping[str, str | Mapping[str, str]] | None, headers: Sequence[str], name: str
) -> dict[str, str]:
    """Return the columns mapped by the user, each checked against the headers there are."""
    by_key = {key(header): header for header in reversed(headers)}
    result = {}
    for canonical, header in (wanted or {}).items():
        if not isinstance(header, str):
            raise DataError("map_of_file", value=canonical)
        found = header if header in headers else by_key.get(key(header))
        if found is None:
            raise DataError(
                "no_mapped_column",
                file=name,
                line=1,
                column=header,
                canonical=canonical,
                nearest=nearest(header, headers),
            )
        result[canonical] = found
    return result


@cache
def _aliases(layout: str, preset_name: str | None, form_name: str | None = None) -> dict[str, list[str]]:
    """Return {canonical: alias keys, most telling first} for a layout: of the form, its preset, then generic."""
    sources = [preset_data(name) for name in dict.fromkeys((preset_name or "generic", "generic"))]
    parts = {"deals": ("columns",), "events": ("events", "columns"), "counts": ("counts", "columns")}[layout]
    own = sources[0]["forms"][form_name].get("columns", {}) if form_name else {}
    merged = {canonical: list(map(key, names)) for canonical, names in own.items()}
    for part in parts:
        for source in sources:
            for canonical, names in source.get(part, {}).items():
                merged.setdefault(canonical, []).extend(map(key, names))
    if layout == "events":  # what an event resulted in is not what became of the deal
        merged["status"] = [name for name in merged.get("status", ()) if name not in _RESULTS]
    if layout == "counts":
        merged = {name: merged[name] for name in preset_data("generic")["counts"]}
    return merged


def _assign(
    table: Table, declared: Mapping[str, str], aliases: Mapping[str, Sequence[str]], first: Sequence[str] = ()
) -> tuple[dict[str, str], list[Finding]]:
    """Give each canonical column the header that its first alias meets, those of `first` before the others.

    A header whose cells cannot be what is wanted comes last; one of flags is no date, and one of other texts no flag.
    """
    headers, name = list(table.cells.columns), table.name
    by_key = _keyed(headers, declared, aliases, name)
    columns, notes = dict(declared), []
    taken = set(declared.values())
    ranked = []
    for number, (canonical, names) in enumerate(aliases.items()):
        for rank, alias in enumerate(names):
            if alias in by_key and (fits := fit_of(canonical, table, by_key[alias])) is not None:
                ranked.append((canonical not in first, fits, rank, number, canonical, by_key[alias]))
    for *_, canonical, header in sorted(ranked):
        if canonical in columns and header not in taken and columns[canonical] != header:
            notes.append((canonical, header))
        elif canonical not in columns and header not in taken:
            columns[canonical] = header
            taken.add(header)
    passed_over = [(canonical, header) for canonical, header in notes if header not in columns.values()]
    return columns, [
        Finding("column_passed_over", "note", name, 1, header, columns[canonical], {"canonical": canonical})
        for canonical, header in dict.fromkeys(passed_over)
    ]


def _keyed(
    headers: Sequence[str], declared: Mapping[str, str], aliases: Mapping[str, Sequence[str]], name: str
) -> dict[str, str]:
    """Return {key: header}, of columns with a unit in their header also by what stands before it, of `Deals[Stage]` by
    what stands inside."""
    by_key: dict[str, str] = {}
    for header in headers:
        by_key.setdefault(key(header), header)
    known = {alias for names in aliases.values() for alias in names}
    twice = next((h for h in headers if by_key[key(h)] != h and key(h) in known and h not in declared.values()), None)
    if twice is not None:
        raise DataError("header_twice", file=name, line=1, column=twice)
    for header in headers:
        unit, member = unit_of(header), _MEMBER.fullmatch(header)
        if unit is not None or member:
            by_key.setdefault(key(member["name"] if member else unit.bare), header)  # type: ignore[union-attr]
    return by_key


def assigned(table: Table, options: ReadOptions, preset_name: str | None = None) -> dict[str, str]:
    """Return {canonical: header} of a table read as deals."""
    headers = list(table.cells.columns)
    form = find_form(headers, preset_name)
    if form and form.layout != "deals":
        return {"deal_id": "", "stage": ""}
    aliases = _aliases("deals", form.preset, form.name) if form else _aliases("deals", preset_name)
    declared = _declared(options.map, headers, table.name)
    return _assign(table, declared, aliases, REQUIRED["deals"])[0]


def _layout(table: Table, declared: Mapping[str, str], preset_name: str | None) -> str:
    """Tell the layout from the headers; where they leave it open, repeated ids make it a list of stage entries."""
    deals, _ = _assign(table, declared, _aliases("deals", preset_name))
    events, _ = _assign(table, declared, _aliases("events", preset_name), REQUIRED["events"])
    counts, _ = _assign(table, declared, _aliases("counts", preset_name))
    if "deal_id" not in deals and "stage" in counts and {"n_entered", "rate"} & set(counts):
        return "counts"
    if not {"deal_id", "stage", "entered_at"} <= set(events):
        return "deals"
    signs = set(map(key, preset_data("generic")["signs"]["events"]))
    if "entered_at" in declared or key(events["entered_at"]) in signs:
        return "events"
    if {"status", "closed_at", "expected_close"} & set(deals):
        return "deals"
    about_deals = {"name", "owner", "amount"} & set(deals) and deals.get("deal_id") != events["deal_id"]
    if about_deals and table.cells[deals["deal_id"]].is_unique:  # one row a deal, beside the customer's id
        return "deals"
    repeated = table.cells[events["deal_id"]].duplicated()
    same = table.cells[[events["deal_id"], events["stage"]]].duplicated()
    return "events" if (repeated & ~same).mean() > 0.2 else "deals"


# --- stage dates -----------------------------------------------------------------------------------------------------

_DATE_WORDS = {
    "date", "time", "datetime", "timestamp", "at", "on", "entered", "enter", "entry", "into", "hs", "v2", "stage",
    "when",
}  # fmt: skip
_DATE_SIGNS = {"date", "time", "datetime", "timestamp", "at", "on", "entered"}
_CHINESE_DATE = re.compile(r"(?:进入)?(?P<stem>.+?)(?:阶段)?的?(?:进入)?(?:日期|时间)$")


def stem(name: object) -> str:
    """Return the stem of a stage name, for comparing with `date_stem`.

    >>> stem("Engaging") == date_stem("engage_date")
    True
    """
    plain = key(name)
    for ending in ("ing", "ion", "ed", "es", "e", "s"):
        if plain.endswith(ending) and len(plain) - len(ending) >= 4:
            return plain[: -len(ending)]
    return plain


def date_stem(header: str) -> str | None:
    """Return the stem of what a date column dates.

    Parameters
    ----------
    header : str
        The name of a column.

    Returns
    -------
    str or None
        None where it is no date's name.

    Examples
    --------
    >>> date_stem("Date entered Offer"), date_stem("Owner")
    ('offer', None)
    """
    plain = unicodedata.normalize("NFKC", header).strip()
    chinese = _CHINESE_DATE.fullmatch(plain)
    if chinese:
        return stem(chinese["stem"])
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain).lower()
    words = [word for word in re.split(r"[\s_\-./():]+", spaced) if word]
    if not _DATE_SIGNS & set(words):
        return None
    rest = [word for word in words if word not in _DATE_WORDS]
    return stem("".join(rest)) if rest else None
