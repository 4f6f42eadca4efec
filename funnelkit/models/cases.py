"""Teaching cases and the topics that hold for any model, read from the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from funnelkit.language import CatalogError, Text, nearest
from funnelkit.models.checking import CASE, COMMON, read_model_file, refuse, told
from funnelkit.models.funnel import CATALOG, Topic, build_part, find_topic

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Line:
    """One row of a case's table: a product line with a value for each year."""

    id: str
    name: Text
    values: tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """A teaching case: figures as its source prints them, notes on what they are, topics to work through."""

    id: str
    name: Text
    summary: Text
    measure: str
    years: tuple[int, ...]
    lines: tuple[Line, ...]
    notes: tuple[Text, ...] = ()
    topics: tuple[Topic, ...] = ()

    def topic(self, topic_id: str) -> Topic:
        """Return the topic of this id."""
        return find_topic(self.topics, topic_id)

    def table(self) -> pd.DataFrame:
        """Return the figures, one row a year and product line.

        Columns: year, product_line (ordered categorical of the case's line ids), and the measure (a count).

        >>> case("telecom").table().head(2)
           year product_line  disconnections
        0  2004  residential            1030
        1  2004   enterprise            1290
        """
        import pandas as pd

        ids = [line.id for line in self.lines]
        rows = [(year, line.id, line.values[at]) for at, year in enumerate(self.years) for line in self.lines]
        table = pd.DataFrame(rows, columns=["year", "product_line", self.measure])
        table["product_line"] = pd.Categorical(table["product_line"], categories=ids, ordered=True)
        return table


@cache
def common() -> tuple[Topic, ...]:
    """Return the topics that hold for any model: conditions, comparison, indicators, follow-up, principles, controls.

    Returns
    -------
    tuple of Topic

    Examples
    --------
    >>> [item.id for item in common()[0].items][:2]
    ['large-deals', 'language']
    """
    raw = read_model_file(CATALOG / "common" / "topics.toml", COMMON)
    return tuple(build_part(Topic, row) for row in raw["topics"])


@cache
def case(name: str) -> Case:
    """Return a teaching case of the catalogue.

    Parameters
    ----------
    name : str
        The id of a case: telecom.

    Returns
    -------
    Case
        `table()` gives its figures.

    Raises
    ------
    CatalogError
        With the cases there are, where none has this name.

    Examples
    --------
    >>> case("telecom").measure
    'disconnections'
    """
    path = CATALOG / "cases" / f"{name}.toml"
    known = sorted(file.stem for file in path.parent.glob("*.toml"))
    if name not in known:
        raise CatalogError("no_such_case", name=str(name), nearest=nearest(name, known))
    found: Case = build_part(Case, {"id": path.stem, **read_model_file(path, CASE)}, lines=Line)
    for number, line in enumerate(found.lines, 1):
        if len(line.values) != len(found.years):
            expected = told("expected_length", length=len(found.years))
            refuse(path, f"lines[{number}].values", str(len(line.values)), expected)
    return found
