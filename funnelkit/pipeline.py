"""Pipeline: the one thing handed around. Deals, their stage events, and what the source cannot tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.language import DataError, Lang, bullets, day, nearest, note, number, paragraph, say, speaking
from funnelkit.models import Funnel

STATUSES = ("open", "won", "lost", "void")
DEAL_COLUMNS = (
    "deal_id", "name", "account", "owner", "team", "amount", "currency",
    "created_at", "status", "closed_at", "expected_close", "lost_reason",
)  # fmt: skip
EVENT_COLUMNS = ("deal_id", "stage", "entered_at", "source")
SOURCES = ("history", "wide", "inferred", "backfilled")
MOST_FINDINGS = 5  # kinds of findings that a Pipeline shows
_LOUDEST_FIRST = ("error", "warn", "note")


@dataclass(frozen=True, repr=False)
class Finding:
    """One thing noticed while reading.

    Attributes
    ----------
    rule : str
        What it is: a key of reading.findings.
    severity : str
        note, warn or error.
    file, column, value : str, optional
        Where it is, and the text that stands there.
    line : int, optional
        Physical line of the file, the header being line 1.
    values : Mapping
        What further fills its message.

    Examples
    --------
    >>> Finding("no_rows", "warn", "deals.csv")
    deals.csv: has a header but no rows. Check the filter of the export.
    """

    rule: str
    severity: str
    file: str | None = None
    line: int | None = None
    column: str | None = None
    value: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def message(self, lang: Lang | None = None) -> str:
        """Return the sentence for people, in the language in force or `lang`."""
        place = {"file": self.file, "line": self.line, "column": self.column, "value": self.value}
        return say(f"reading.findings.{self.rule}", lang, **{**place, **self.values})

    def __str__(self) -> str:
        return self.message()

    def __repr__(self) -> str:
        return self.message()

    def _repr_html_(self) -> str:
        return note(self.message(), "note" if self.severity == "note" else "warn").html

    def as_dict(self) -> dict[str, Any]:
        """Return the keys that `funnelkit check --json` prints."""
        row = asdict(self)
        values = row.pop("values")
        counted = {"of": values["rule"], "n": values["n"]} if self.rule == "more" else {}
        return {**row, **counted, "message": self.message()}


@dataclass(frozen=True, repr=False)
class Limit:
    """One thing that the source cannot tell. Analyses refuse by it.

    Attributes
    ----------
    code : str
        What it is: a key of reading.limits.
    values : Mapping
        What fills its message.

    Examples
    --------
    >>> Limit("no_amount").code
    'no_amount'
    """

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def message(self, lang: Lang | None = None) -> str:
        """Return the sentence for people, in the language in force or `lang`."""
        with speaking(lang):
            told = [say(f"reading.limits.{self.code}", **self.values)]
            return paragraph([*told, say("reading.mapping.missed", **self.values)] if "maybe" in self.values else told)

    def __str__(self) -> str:
        return self.message()

    def __repr__(self) -> str:
        return self.message()

    def _repr_html_(self) -> str:
        return note(self.message()).html

    def as_dict(self) -> dict[str, Any]:
        """Return code and message, as JSON holds them."""
        return {"code": self.code, "message": self.message()}


@dataclass(frozen=True)
class RowCounts:
    """Conservation of rows: `rows_in` = `good` + `quarantined` + `ignored` always.

    Attributes
    ----------
    rows_in, good, quarantined, ignored : int
        Rows read, kept, quarantined as faulty, and left out as being about something else.
    """

    rows_in: int = 0
    good: int = 0
    quarantined: int = 0
    ignored: int = 0


@dataclass(frozen=True, repr=False)
class Pipeline:
    """A funnel's data as known at a date. In a notebook it shows itself in a few lines.

    Attributes
    ----------
    model : Funnel
        The stages, in order.
    deals : DataFrame
        DEAL_COLUMNS and any further columns of the source (segments), one row per deal.
    events : DataFrame
        EVENT_COLUMNS, one row per entry into a stage: `stage` is an ordered categorical of the model's stage ids,
        `entered_at` is NaT where the source gives no time.
    as_of : Timestamp
        The date as of which the data are known.
    as_of_given : bool
        False where that date was derived from the data.
    limits, findings : tuple
        What the source cannot tell, and what was noticed while reading.
    rows : RowCounts
        Rows read, good, quarantined and ignored.
    layout : str
        deals, events or counts.
    counts : DataFrame, optional
        The table of a source of counts.
    amount_total : float, optional
        Sum over the good rows read; None without amounts or across currencies.
    sample : tuple of dict
        The first good rows as read.
    mapping : tuple of dict
        Of each column of the source: file, column, first values, meaning, how sure that is.
    """

    model: Funnel
    deals: pd.DataFrame
    events: pd.DataFrame
    as_of: pd.Timestamp
    as_of_given: bool = True
    limits: tuple[Limit, ...] = ()
    findings: tuple[Finding, ...] = ()
    rows: RowCounts = RowCounts()
    layout: str = "deals"
    counts: pd.DataFrame | None = None
    amount_total: float | None = None
    sample: tuple[dict[str, Any], ...] = ()
    mapping: tuple[dict[str, Any], ...] = ()

    def at(self, date: Any) -> Pipeline:
        """Return what was known on a day: no later event, close or deal; deals without any time are left out.

        Parameters
        ----------
        date : date or str
            The day, or a time of it.

        Returns
        -------
        Pipeline
            Its amounts are those of the export, for a source holds no history of them.
        """
        date = pd.Timestamp(date)
        if date >= self.as_of:
            return replace(self, as_of=date)
        events = self.events[self.events["entered_at"] <= date]
        started = self.deals["created_at"] <= date
        # As objects: of Arrow strings, isin unpacks the values one by one.
        noted = self.deals["deal_id"].astype(object).isin(events["deal_id"].astype(object))
        deals = self.deals[started | noted].copy()
        later = deals["closed_at"] > date
        deals.loc[later, ["closed_at", "lost_reason"]] = [pd.NaT, None]
        deals.loc[later, "status"] = "open"
        return replace(self, deals=deals, events=events.copy(), as_of=date)

    def reached(self, by: str = "stage") -> pd.DataFrame:
        """List which stages or states every deal reached, and when; what a deal skipped counts as reached.

        Parameters
        ----------
        by : {"stage", "state"}
            A state is reached with the first of its stages.

        Returns
        -------
        DataFrame
            One row a deal and stage (or state) that it reached: deal_id, `by` (ordered categorical), reached_at (NaT
            where the source has no time), days_seen (from then to `as_of`), days_to_win (from then to the win, NaN
            for what is not won).

        Raises
        ------
        DataError
            For another `by`, or states of a model that has none.

        Notes
        -----
        The first stage is reached when the deal is created, a skipped one with the next that was entered, the won one
        at the close. Void deals are left out.

        Examples
        --------
        >>> from funnelkit import sample
        >>> sample().reached("state").groupby("state", observed=False).size().tolist()
        [1981, 983, 214]
        """
        if by not in ("stage", "state"):
            raise DataError("no_such_column", name=by, nearest=nearest(by, ["stage", "state"]))
        if by == "state" and not self.model.states:
            raise DataError("model_without_states", model=self.model.id)
        return self._reached(by)

    def _reached(self, by: str) -> pd.DataFrame:
        model, kept = self.model, self.deals[self.deals["status"] != "void"]
        times, furthest = _entry_times(model, kept, self.events)
        parts: list[str] = list(model.stage_ids) if by == "stage" else [state.id for state in model.states]
        of_stage = list(model.stage_ids) if by == "stage" else [stage.state for stage in model.stages]
        first = np.array([of_stage.index(part) for part in parts])
        deal, part = np.nonzero(furthest[:, None] >= first)
        at = pd.Series(times[deal, first[part]])
        closed = kept["closed_at"].where(kept["status"] == "won").iloc[deal].reset_index(drop=True)
        table = pd.DataFrame({"deal_id": kept["deal_id"].to_numpy()[deal]})
        table[by] = pd.Categorical.from_codes(part.tolist(), parts, ordered=True)
        seen, took = (self.as_of - at) / pd.Timedelta(days=1), (closed - at) / pd.Timedelta(days=1)
        return table.assign(reached_at=at, days_seen=seen, days_to_win=took.clip(lower=0.0))

    @property
    def currency(self) -> str | None:
        """Return the one currency of the amounts, or None where there is none or more than one."""
        known: Any = self.deals["currency"].dropna().unique() if "currency" in self.deals else ()
        return str(known[0]) if len(known) == 1 else None

    def limit(self, code: str) -> Limit | None:
        """Return the limit of this code, or None."""
        return next((limit for limit in self.limits if limit.code == code), None)

    def __repr__(self) -> str:
        return "\n".join(part for title, lines in self._parts() for part in (title, bullets(lines).text) if part)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        html = ((f'<p class="fk">{escape(title)}</p>' if title else "") + bullets(x).html for title, x in self._parts())
        return {"text/html": "\n".join(html), "text/plain": repr(self)}

    def _parts(self) -> Iterator[tuple[str, list[str]]]:
        """Yield (title, sentences) of what the pipeline is, cannot tell, and what was noticed."""
        yield "", [*self._summary(), say("pipeline.shown.rows", **{n: number(k) for n, k in asdict(self.rows).items()})]
        if self.limits:
            yield say("reading.check.limits_title"), [limit.message() for limit in self.limits]
        if self.findings:
            yield say("pipeline.shown.noticed"), list(self._noticed())

    def _summary(self) -> Iterator[str]:
        if self.counts is not None:
            yield say("pipeline.shown.counts", model=self.model.name, n=number(len(self.counts)))
            return
        status = self.deals["status"]
        counts = {f"n_{name}": number(int((status == name).sum())) for name in STATUSES}
        as_of, n = day(self.as_of), number(len(status))
        yield say("pipeline.shown.deals", model=self.model.name, n=n, as_of=as_of, **counts)
        created = self.deals["created_at"].dropna()
        if len(created):
            yield say("pipeline.shown.period", first=day(created.min()), last=day(created.max()))

    def _noticed(self) -> Iterator[str]:
        """Yield the findings by kind, the loudest first: the first of a kind, with how many there are."""
        listed = [finding for finding in self.findings if finding.rule != "more"]
        rest = {finding.values["rule"]: finding.values["n"] for finding in self.findings if finding.rule == "more"}
        n = Counter(finding.rule for finding in listed)
        kinds = {finding.rule: finding for finding in reversed(listed)}
        loud = sorted(kinds.values(), key=lambda kind: (_LOUDEST_FIRST.index(kind.severity), listed.index(kind)))
        for kind in loud[:MOST_FINDINGS]:
            more = n[kind.rule] + rest.get(kind.rule, 0) - 1
            text = kind.message()
            yield say("pipeline.shown.alike", message=text, n=number(more)) if more else text
        hidden = sum(n[kind.rule] for kind in loud[MOST_FINDINGS:])
        if hidden:
            yield say("pipeline.shown.further", n=number(hidden))


def _entry_times(model: Funnel, deals: pd.DataFrame, events: pd.DataFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return when each deal reached each stage (NaT where unknown), and the position of its furthest stage."""
    size, rows, unknown = len(model.stages), pd.Index(deals["deal_id"]), np.iinfo("int64").max
    events = events[events["deal_id"].isin(rows)]
    place = (rows.get_indexer(events["deal_id"]), events["stage"].cat.codes.to_numpy().astype("int64"))
    entered = events["entered_at"].mask(events["source"] == "backfilled").to_numpy("datetime64[ns]")
    timed = ~np.isnat(entered)
    first = np.full((len(deals), size), unknown)
    np.minimum.at(first, (place[0][timed], place[1][timed]), entered[timed].astype("int64"))
    untimed = np.zeros(first.shape, dtype=bool)
    untimed[place[0][~timed], place[1][~timed]] = True
    won_place = model.stage_ids.index(model.won_stage) if model.won_stage else size - 1
    furthest = np.zeros(len(deals), dtype="int64")
    np.maximum.at(furthest, *place)
    won = (deals["status"] == "won").to_numpy()
    furthest = np.where(won, np.maximum(furthest, won_place), furthest)
    for column, at in (("created_at", 0), ("closed_at", won_place)):
        day_of = deals[column].to_numpy("datetime64[ns]")
        known = ~np.isnat(day_of) & (won | (at == 0))
        first[known, at] = np.minimum(first[known, at], day_of[known].astype("int64"))
        untimed[known, at] = False
    reached = np.minimum.accumulate(first[:, ::-1], axis=1)[:, ::-1]  # what was skipped is reached with the next
    times = np.where((reached == unknown) | untimed, np.datetime64("NaT", "ns"), reached.astype("datetime64[ns]"))
    return times, furthest
