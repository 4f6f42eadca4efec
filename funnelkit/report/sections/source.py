"""Where the figures come from: the report's data read, and what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from funnelkit import __version__
from funnelkit.language import DataError, Shown, nearest, note, number, sample_files, say
from funnelkit.pipeline import Pipeline
from funnelkit.reading import READING_OPTIONS, read


def read_source(
    data: Sequence[Any] = (), model: str = "", stages: Sequence[str] = (), *, as_of: str = "",
    reading: Mapping[str, Any] | None = None,
) -> Pipeline:  # fmt: skip
    """Read a report's data; empty parameters mean what they mean to `read`, no data means the sample.

    Parameters
    ----------
    data : list of str
        Paths of the files.
    model, stages, as_of
        As `fk.read` takes them; empty for what it would find.
    reading : dict, optional
        Further keywords of `fk.read`.

    Returns
    -------
    Pipeline

    Raises
    ------
    DataError
        Where `reading` names what is no keyword of `fk.read`, or a file cannot be read for what it is.

    Examples
    --------
    >>> read_source().model.id
    'industrial-8'
    """
    if not data:
        data, model = sample_files(), model or "industrial-8"
    for name in reading or {}:
        if name not in READING_OPTIONS:
            known = ", ".join(READING_OPTIONS)
            raise DataError("no_such_reading", name=name, nearest=nearest(name, READING_OPTIONS), known=known)
    return read(*data, model=model or None, stages=list(stages) or None, as_of=as_of or None, **(reading or {}))


def day_text(pipeline: Pipeline) -> str:
    """Return the day that the data are as of; a table of counts has none."""
    return "-" if pipeline.as_of is pd.NaT else f"{pipeline.as_of:%Y-%m-%d}"


def provenance(data: Sequence[Any], pipeline: Pipeline) -> Shown:
    """Return what the report was made from: files, rows, model, dates, the kit's version."""
    files = [Path(path).name for path in data] or [path.name for path in sample_files()]
    values = {"files": ", ".join(files), "rows": number(pipeline.rows.rows_in), "version": __version__}
    values |= {"model": str(pipeline.model.name), "as_of": day_text(pipeline)}
    return note(say("report.source.made_from", **values))
