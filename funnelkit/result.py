"""Result: the one kind of answer. A tidy table, the sentences that read it, its picture; or a refusal that says why."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from funnelkit.language import (
    DataError,
    FunnelkitError,
    Lang,
    Shown,
    Text,
    bullets,
    compared,
    compared_shown,
    is_report,
    label,
    nearest,
    note,
    numbers_of_run,
    paragraph,
    rate_text,
    raw,
    say,
    show,
    speaking,
)
from funnelkit.language import both as both
from funnelkit.language import points as points
from funnelkit.pipeline import Limit, Pipeline
from funnelkit.stats import RATE_COLUMNS, rate_columns, wilson

if TYPE_CHECKING:
    from funnelkit.models import Funnel

# What keeps a source from carrying any win rate; any rate of a stage. `refuse_limits(pipeline, name, *WIN_LIMITS)`.
WIN_LIMITS = ("no_outcome", "no_lost_deals")
STAGE_LIMITS = (*WIN_LIMITS, "stage_of_loss_unknown")
FEW = 0.05  # losses of an unknown stage that are fewer than this share of n only widen its interval
MOST_ROWS = 20  # of a table that is shown; `.table` holds all


class Picture(Protocol):
    """What a chart is to a Result: a picture with its words."""

    @property
    def alt(self) -> str: ...

    def png(self) -> bytes: ...

    def svg(self) -> str: ...


@dataclass(frozen=True)
class Column:
    """One column of a Result's table: its name there, its label, and its unit where it has one."""

    name: str
    label: str
    unit: str = ""


@dataclass(frozen=True)
class Insight:
    """One thing in a Result that deserves attention, with what it takes to rank it against others.

    `kind` is the verb's word for it, `subject` a stage, segment, deal or person, `n_deals` the deals that the sentence
    counts (where it gives rates alone, those that the difference makes), `amount` their money, `evidence` a p-value or
    None where there is no test. `usual` is what the figure would be otherwise: a rate, days or a count, as `found` is.
    `excess` ranks it where not all of `n_deals` are too many or too few.
    """

    kind: str
    subject: str
    sentence: Text
    n_deals: int | None = None
    amount: float | None = None
    evidence: float | None = None
    found: float | None = None
    usual: float | None = None
    excess: float | None = None

    def __str__(self) -> str:
        return str(self.sentence)


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What a verb found: `table`, the sentences that say it, its chart. In a notebook it shows all three.

    `key` names the leading sentence (a key of texts/), `values` fill it: numbers, Text (words in both languages) or
    sequences of these. `notes` are further sentences, (key, values) each, in order. `picture` is the name of the
    chart (`fk.plot.<picture>`), `shown` the columns that people see, in order (None: all), `names` the labels that
    columns bear instead of their own, `model` names the stages, `findings` are what deserves attention.
    """

    table: pd.DataFrame
    key: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[tuple[str, Mapping[str, Any]]] = ()
    _: KW_ONLY
    model: Funnel | None = None
    picture: str = ""
    shown: Sequence[str] | Callable[[pd.DataFrame], pd.DataFrame] | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    currency: str | None = None
    findings: tuple[Insight, ...] = ()

    def sentences(self, lang: Lang | None = None) -> list[str]:
        """Return what the table says, sentence by sentence, in the language in force or `lang`."""
        with speaking(lang):
            leading = [(self.key, self.values)] if self.key else []
            return [say(key, **values) for key, values in (*leading, *self.notes)]

    def reading(self, lang: Lang | None = None) -> str:
        """Return all sentences as one paragraph."""
        with speaking(lang):
            return paragraph(self.sentences())

    @property
    def columns(self) -> list[Column]:
        """Return name, label and unit of each column of the table as shown."""
        table = self._for_people()
        return [Column(str(name), label(self.names.get(name, name)), _unit(str(name))) for name in table.columns]

    def chart(self, **options: Any) -> Any:
        """Return the Chart of this result; raises DataError where it has none."""
        if not self.picture:
            raise DataError("no_chart", analysis=type(self).__name__)
        # The charts' room is below this one: a Result looks its chart up by name, when it is shown.
        draw = getattr(import_module("funnelkit.charts"), self.picture)
        return draw(self, **options)

    def show(self, lang: Lang | None = None, most: int | None = MOST_ROWS) -> Shown:
        """Return the table alone, ready to display; of its rows at most so many, None for all."""
        with speaking(lang):
            return show(self._for_people(), model=self.model, names=self.names, currency=self.currency, most=most)

    def against(self, values: Any, column: str = "rate", name: str = "") -> Result:
        """Put one's own figures beside those of a column and say how far apart they are.

        Parameters
        ----------
        values : Series, array, list or number
            One's own figures, row by row in the order of the table.
        column : str
            The column of the table that they should equal; words in its place are the `name`.
        name : str
            What one's own figures are called, such as "open deals counted as lost"; by hand by default.

        Returns
        -------
        Result
            Table: the columns before `column`, then `column`, by_hand, difference. The sentence says the largest.

        Raises
        ------
        DataError
            Where there is no such column, or not as many figures as rows.
        """
        if column not in self.table and not (column.isascii() and column.isidentifier()):
            column, name = "rate", column
        if column not in self.table:
            raise DataError("no_such_column", name=column, nearest=nearest(column, self.table.columns))
        own = np.atleast_1d(np.asarray(values, dtype=float))
        if len(own) != len(self.table):
            raise DataError("by_hand_rows", n=len(own), expected=len(self.table))
        return self._against(own, column, name)

    def _against(self, own: NDArray[np.float64], column: str, name: str) -> Result:
        theirs = self.table[column].to_numpy(dtype=float)
        lead = self.table.columns[: self.table.columns.get_loc(column)]
        named = [key for key in lead if not pd.api.types.is_numeric_dtype(self.table[key].dtype)]
        table = self.table[[key for key in named if key == named[0] or self.table[key].nunique() > 1]]
        apart = np.round(own - theirs, 12)  # the last bits are the processor's, not the verb's
        apart[np.abs(apart) <= 1e-9 * np.maximum(1.0, np.abs(theirs))] = 0.0
        table = table.assign(**{column: theirs, "by_hand": own, "difference": apart})
        # One's own figures are shown in the format that the column's name stands for.
        names = {**self.names, f"{column}_by_hand": name or "by_hand"}
        said = compared(table, column, name, self.model)
        shown = partial(compared_shown, column)
        return Result(table, *said, model=self.model, names=names, currency=self.currency, shown=shown)

    def _for_people(self) -> pd.DataFrame:
        if callable(self.shown):
            return self.shown(self.table)
        return self.table if self.shown is None else self.table[[name for name in self.shown if name in self.table]]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        picture = self._drawn()
        table = self.show() if len(self.table) else None
        sentences = self.sentences()
        html = (
            [bullets(sentences).html] if len(sentences) > 1 else [f'<p class="fk fk-note">{escape(self.reading())}</p>']
        )
        texts = [*sentences]
        if picture is not None:
            html.append(image(picture))
            texts.append(f"[{picture.alt}]")
        if table is not None:
            html.append(table.html)
            texts.append(table.text)
        bundle: dict[str, Any] = {"text/html": "\n".join(html), "text/plain": "\n".join(texts)}
        return bundle | numbers_of_run({}, self._numbers() if table else {})

    def _numbers(self) -> dict[str, Any]:
        """Return the table as exports hold it: what people read as texts are numbers there."""
        return raw(self.table)

    def _drawn(self) -> Picture | None:
        if not self.picture or not len(self.table):
            return None
        found: Picture = self.chart()
        return found

    def __repr__(self) -> str:
        return self.reading() or f"{type(self).__name__}({len(self.table)} rows)"


class Refusal(Result):
    """An answer that the source cannot give: it shows why and nothing else.

    Attributes
    ----------
    error : FunnelkitError
        The reason; `table` and `chart()` raise it.
    """

    error: FunnelkitError

    def __init__(self, error: FunnelkitError) -> None:
        for name, value in (("error", error), ("values", {}), ("names", {})):
            object.__setattr__(self, name, value)  # a Result is frozen, and there is no table to give to its own

    @property
    def table(self) -> pd.DataFrame:
        raise self.error

    def sentences(self, lang: Lang | None = None) -> list[str]:
        """Return the reason as a sentence, in the language in force or `lang`."""
        reason = self.error.say(lang)
        first = reason.partition(" ")[0]  # a word, not the name of a file or column
        return [reason[0].upper() + reason[1:] if first.isascii() and first.isalpha() and first.islower() else reason]

    def chart(self, **options: Any) -> Any:
        """Raise the reason: there is nothing to draw."""
        raise self.error

    def against(self, values: Any, column: str = "rate", name: str = "") -> Result:
        """Return the refusal itself: there is nothing to compare with."""
        return self

    def show(self, lang: Lang | None = None, most: int | None = MOST_ROWS) -> Shown:
        """Return the reason, ready to display."""
        return note(self.reading(lang))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return self.show()._repr_mimebundle_()


def image(picture: Picture) -> str:
    """Return a picture as an HTML image that carries its words: notebooks ignore an alt text beside the picture.

    A report's page is enlarged, printed and read on dense screens, so there it is lines, not pixels.
    """
    drawn = (picture.svg().encode(), "svg+xml") if is_report() else (picture.png(), "png")
    data = base64.b64encode(drawn[0]).decode("ascii")
    return f'<img class="fk" alt="{escape(picture.alt)}" src="data:image/{drawn[1]};base64,{data}">'


def _unit(name: str) -> str:
    """Return the unit that a column's name carries."""
    for end in ("days", "hours", "weeks"):
        if name == end or name.endswith(f"_{end}"):
            return end
    return "fraction" if name in ("rate", "low", "high", "floor", "ceiling", "share") else ""


def table_of(value: Result | pd.DataFrame) -> pd.DataFrame:
    """Return the table of a Result, or the table itself: verbs and charts take either.

    Raises DataError, which names what was found, for anything else.
    """
    if isinstance(value, Result):
        return value.table
    if isinstance(value, pd.DataFrame):
        return value
    raise DataError("no_table", found=type(value).__name__)


def rate_words(k: float, n: float) -> Text:
    """Return a rate as people read it, with interval and n.

    >>> rate_words(4238, 6711).zh
    '63.2% [62.0, 64.3]（n = 6,711）'
    """
    return row_words({name: value.item() for name, value in rate_columns(k, n).items()})


def row_words(row: Mapping[str, Any]) -> Text:
    """Return a rate row as people read it; on the basis unknown, what is known instead of a rate."""
    return both(lambda: rate_text(row))


class LimitError(DataError):
    """An analysis that the source cannot support; `limit` says why."""

    def __init__(self, analysis: str, limit: Limit) -> None:
        self.analysis, self.limit = analysis, limit
        super().__init__("limit_refuses")

    def say(self, lang: Lang | None = None) -> str:
        """Return the message in the language in force or `lang`."""
        with speaking(lang):
            analysis = say(f"result.{self.analysis}")
            return say(f"errors.{self.key}", analysis=analysis, reason=self.limit.message())

    def __reduce__(self) -> Any:
        return LimitError, (self.analysis, self.limit)


def require_pipeline(value: object) -> None:
    """Raise DataError, which says what is wanted, where `value` is no Pipeline."""
    if not isinstance(value, Pipeline):
        raise DataError("no_pipeline", found=type(value).__name__)


def refuse_limits(pipeline: Pipeline, analysis: str, *codes: str) -> None:
    """Raise LimitError if the source has one of these limits, DataError for what is no Pipeline.

    `analysis` is a key of texts/result.toml.
    """
    require_pipeline(pipeline)
    for code in ("counts_alone", *codes):  # who asks about deals has no answer in a table of counts
        limit = pipeline.limit(code)
        if limit is not None:
            raise LimitError(analysis, limit)


def gate_rates(
    pipeline: Pipeline | None, of: Literal["win", "stage"], rates: Any, n_unknown: ArrayLike = 0
) -> dict[str, Any]:
    """Empty the rates that a source cannot carry: the one gate of verbs, charts and reports.

    A verb that gives rates of deals passes its rate columns through it and shows what comes back,

        table = table.assign(**gate_rates(pipeline, "win", table))

    `rate_text` and `row_words` then say what is known instead, and charts leave the row blank. A verb that has no
    answer without rates calls `refuse_limits(pipeline, name, *WIN_LIMITS)` (or STAGE_LIMITS) instead.

    Parameters
    ----------
    pipeline : Pipeline, or None for counts whose source is not known
    of : "win" for shares of deals that are won, "stage" for shares that advance from a stage
    rates : dict or DataFrame with k, n, n_open, rate, low, high, floor, ceiling, basis, horizon_days
    n_unknown : int or array
        Lost deals of the row's group that may have been lost in this stage or in another (of "stage" alone).

    Returns
    -------
    dict of arrays
        The same columns. Where the source carries no rate its basis is unknown and rate, low, high are NaN: without
        losses it is k of n of all so far, without bounds; without outcomes nothing; where the stage of losses is not
        known floor and ceiling, as if all of these were lost here, or beyond. A few such losses widen the interval.
    """
    found = {name: np.asarray(rates[name]) for name in RATE_COLUMNS}
    if pipeline is not None and of == "win" and pipeline.limit("no_outcome"):
        return rate_columns(0 * found["k"], 0, 0, "unknown", found["horizon_days"])
    if pipeline is not None and any(map(pipeline.limit, WIN_LIMITS)):
        return rates_so_far(found["k"], found["n"], found["n_open"])
    return found if of == "win" else _bounded(found, np.broadcast_to(np.asarray(n_unknown, int), found["k"].shape))


def rates_so_far(k: ArrayLike, n: ArrayLike, n_open: ArrayLike) -> dict[str, Any]:
    """Return the columns of rates that a source without losses carries: k of all so far, no rate and no bounds."""
    so_far = rate_columns(k, np.add(n, n_open), n_open, "unknown")
    return so_far | {name: so_far["rate"].copy() for name in ("floor", "ceiling")}


def _bounded(found: dict[str, Any], n_unknown: NDArray[np.int64]) -> dict[str, Any]:
    """Return the rates of stages in each of which so many deals more may have been lost, or advanced."""
    k, n = found["k"], found["n"]
    ends = rate_columns(k, n, found["n_open"] + n_unknown, "unknown", found["horizon_days"])
    few = n_unknown <= FEW * n
    wider = {**found, "low": np.fmin(found["low"], wilson(k, n + n_unknown)[0])}
    wider["high"] = np.fmax(found["high"], wilson(k + n_unknown, n + n_unknown)[1])
    ends |= {name: found[name] for name in ("k", "n", "n_open")}
    ends |= {name: np.where(few, wider[name], ends[name]) for name in ("rate", "low", "high", "basis")}
    return {name: np.where(n_unknown > 0, ends[name], found[name]) for name in found}
