"""Section: how a report shows what a verb found; `attempt`, which runs a verb and never stops the report."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

import pandas as pd

from funnelkit.language import DataError, FunnelkitError, Lang, Shown, label, numbers_of_run, raw, say
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.alerted import alerts_of
from funnelkit.report.sections.shared_answers import ask_once, key_of, known, shown_once
from funnelkit.result import Refusal, Result, table_of


@dataclass(frozen=True)
class Section:
    """How a report shows the Results of one verb. Each module here lists its own in SECTIONS.

    Attributes
    ----------
    name : str
        The table of texts/report.toml whose `ask` is the section's question on the first page.
    verb : str
        Name of the function whose Results are shown.
    exported : str
        Columns of the exported table; `*` is the first one, whatever its name, and an empty text means all.
    answers : int, optional
        Which of the sentences answers the question; None keeps the section from the first page.
    rows : callable
        Result -> the rows that are shown and exported.
    drawn : callable, optional
        Result -> the rows that its chart draws; None shows no picture.
    guard : callable, optional
        Called with the verb's arguments; raises FunnelkitError where there is nothing to ask.
    tests : bool
        Whether the answer is what the verb's findings found; those of a forecast only explain it.
    """

    name: str
    verb: str
    exported: str = ""
    answers: int | None = None
    rows: Callable[[Any], pd.DataFrame] = table_of
    drawn: Callable[[Any], pd.DataFrame] | None = None
    guard: Callable[..., None] | None = None
    tests: bool = True

    def check(self, pipeline: Pipeline, *args: Any, **options: Any) -> None:
        """Raise DataError where the verb need not be asked: a table of counts has no deals."""
        if pipeline.counts is not None:
            raise DataError("counts_only")
        if self.guard is not None:
            self.guard(pipeline, *args, **options)

    def question(self) -> str:
        """Return the question that the section answers."""
        return say(f"report.{self.name}.ask")


@dataclass(frozen=True, eq=False, repr=False)
class Answer(Result):
    """What a verb found as the report shows it: the rows, the picture and the exported columns of its section."""

    found: Result | None = None
    section: Section | None = None

    def show(self, lang: Lang | None = None, most: int | None = None) -> Shown:
        """Return the table alone, all of its rows unless told."""
        return super().show(lang, most)

    def chart(self, **options: Any) -> Any:
        """Return the section's picture of what was found, None where it has none."""
        if self.found is None or self.section is None or self.section.drawn is None:
            return None
        return replace(self.found, table=self.section.drawn(self.found)).chart(**options)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return shown_once(self, self.found, self._as_shown)

    def _as_shown(self) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_()
        name = self.section.name if self.section is not None else ""
        alerts = alerts_of(name, self.found)
        return bundle | numbers_of_run({f"alerts_{name}": alerts} if alerts else {}, {})

    def _numbers(self) -> dict[str, Any]:
        return exported(self.table, self.section.exported if self.section is not None else "", self.model)


class Unanswered(Refusal):
    """A question of the report that the source cannot answer.

    Attributes
    ----------
    section : Section
        Whose question it is.
    """

    section: Section

    def __init__(self, error: FunnelkitError, section: Section) -> None:
        super().__init__(error)
        object.__setattr__(self, "section", section)


def attempt(verb: Callable[..., Any], pipeline: Pipeline, *args: Any, **options: Any) -> Result:
    """Ask a verb; where the source cannot support it, the answer is a Refusal that says why.

    Parameters
    ----------
    verb : callable
        A verb such as `fk.compare_periods`, or a function of one's own that returns a Result.
    pipeline : Pipeline
    *args
        What else the verb takes, by place.
    **options
        What else it takes, by name.

    Returns
    -------
    Result
        Table: that of the verb, or the rows of it that the report shows where it has a section for the verb. A
        Refusal shows its reason; its `.table` raises the error.

    Raises
    ------
    Exception
        Whatever is no FunnelkitError: a mistake of the code, not a limit of the data.

    Notes
    -----
    A report answers many questions, and one that cannot be answered must not stop the others. A file in
    report/sections gives a verb its place there.

    Examples
    --------
    >>> from funnelkit.analysis import time_in_stage
    >>> from funnelkit.reading import read
    >>> counts = pd.DataFrame({"stage": ["Lead", "Won"], "count": [100, 10]})
    >>> attempt(time_in_stage, read(counts, stages=["Lead", "Won"], layout="counts"))
    The source is a table of counts without deals and dates.
    """
    return _attempt(verb, pipeline, args, options)


def _attempt(verb: Callable[..., Any], pipeline: Pipeline, args: tuple[Any, ...], options: dict[str, Any]) -> Result:
    section = _of_verb().get(verb.__name__)
    try:
        if section is not None:
            section.check(pipeline, *args, **options)
        found: Result = ask_once(verb, pipeline, args, options)
    except FunnelkitError as error:
        return Refusal(error) if section is None else Unanswered(error, section)
    return found if section is None else known(_answer(section, found, pipeline.model), key_of(found))


def _answer(section: Section, found: Result, model: Funnel) -> Answer:
    return Answer(
        section.rows(found), found.key, found.values, found.notes, model=found.model or model,
        picture=found.picture if section.drawn else "", shown=found.shown, names=found.names, currency=found.currency,
        findings=found.findings, found=found, section=section,
    )  # fmt: skip


@cache
def _of_verb() -> dict[str, Section]:
    """Return {name of a verb: its section}, of every module here."""
    package = __name__.rpartition(".")[0]
    folder = import_module(package).__path__
    modules = [import_module(f"{package}.{found.name}") for found in pkgutil.iter_modules(folder)]
    return {section.verb: section for module in modules for section in getattr(module, "SECTIONS", ())}


def exported(rows: pd.DataFrame, columns: str, model: Funnel | None) -> dict[str, Any]:
    """Return the columns of a table that are exported, the stage's name beside its id."""
    wanted = [str(rows.columns[0]) if name == "*" else name for name in columns.split()] or list(rows.columns)
    rows = rows[[name for name in wanted if name in rows]].copy()
    if "stage" in rows:
        rows.insert(int(rows.columns.get_indexer(["stage"])[0]) + 1, "stage_name", stage_names(rows["stage"], model))
    return raw(rows)


def stage_names(stages: pd.Series[Any], model: Funnel | None) -> list[str | None]:
    """Return what people call stages; a row of all stages together bears its label, one of no stage nothing."""
    known = {} if model is None else {stage.id: str(stage.name) for stage in model.stages}
    return [None if pd.isna(stage) else known.get(stage) or label(stage) for stage in stages.tolist()]
