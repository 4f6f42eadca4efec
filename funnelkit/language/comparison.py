"""One's own figures next to those of a table: the largest difference as a sentence, the table as people read it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from funnelkit.language.formats import number, percent, points
from funnelkit.language.tables import Model
from funnelkit.language.texts import Text, both, label, say


def compared(table: pd.DataFrame, column: str, name: str, model: Model | None) -> tuple[str, dict[str, Any]]:
    """Return the sentence on the row where one's own figure is furthest from the table's: its key and values.

    Parameters
    ----------
    table : DataFrame
        Columns that name the rows, then `column`, by_hand, difference.
    column, name : str
        The column compared, and what one's own figures are called ("" by hand).
    model : Model, optional
        Names the stages and states of the rows.

    Returns
    -------
    tuple of (str, dict)
        A key of texts/result.toml and what fills it.

    Examples
    --------
    >>> table = pd.DataFrame({"team": ["N"], "rate": [0.2], "by_hand": [0.25], "difference": [0.05]})
    >>> key, values = compared(table, "rate", "the shortcut", None)
    >>> say(key, **values)
    'The shortcut: 25.0% instead of 20.0% for N, 5.0 points too high.'
    """
    apart = np.nan_to_num(table["difference"].abs().to_numpy())
    if not len(apart) or apart.max() < 1e-9:
        if name:
            return "result.same_as", {"name": name[:1].upper() + name[1:]}
        return f"result.same_{'in_some' if (table['by_hand'].isna() & table[column].notna()).any() else 'by_hand'}", {}
    worst, lead = table.iloc[int(apart.argmax())], table.columns[: table.columns.get_loc(column)]
    row = both(lambda: say("result.for_row", row=_part_name(worst[lead[-1]], model)) if len(lead) else "")
    share, by = _is_share(column), abs(worst["difference"])

    def figure(value: float) -> Text:
        return both(lambda: percent(value) if share else number(value, 0 if float(value).is_integer() else 2))

    most = both(lambda: say("result.apart_points", points=number(100 * by, 1))) if share else figure(by)
    named = name[:1].upper() + name[1:] if name else both(lambda: label("by_hand"))
    values = {"own": figure(worst["by_hand"]), "theirs": figure(worst[column]), "row": row, "most": most, "name": named}
    return f"result.too_{'high' if worst['difference'] > 0 else 'low'}", values


def compared_shown(column: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the comparison as people read it: one's own in the format of `column`, a difference of rates in points.

    Parameters
    ----------
    column : str
    table : DataFrame
        As `compared` takes it.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> table = pd.DataFrame({"rate": [0.2], "by_hand": [0.25], "difference": [0.05]})
    >>> compared_shown("rate", table)["difference_points"].tolist()
    ['+5.0']
    """
    shown = table.rename(columns={"by_hand": f"{column}_by_hand"})
    if not _is_share(column):
        return shown
    if column == "change":  # its heading says points
        shown = shown.assign(
            **{name: [points(value) for value in shown[name]] for name in (column, f"{column}_by_hand")}
        )
    return shown.drop(columns="difference").assign(difference_points=[points(value) for value in table["difference"]])


def _is_share(column: str) -> bool:
    return column in ("rate", "share", "change") or column.endswith("_rate") or column.startswith("share_")


def _part_name(value: object, model: Model | None) -> str:
    """Return the name of a stage or state, else the value as it is."""
    parts: tuple[Any, ...] = (*model.stages, *model.states) if model is not None else ()
    return next((str(part.name) for part in parts if part.id == value), str(value))
