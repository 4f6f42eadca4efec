"""Which stage would help most? The rates of the stages, each raised by the same points."""

from __future__ import annotations

from funnelkit.analysis import count_stages, rate_table
from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.planning import sensitivity
from funnelkit.report.sections.section import Section
from funnelkit.result import Result


def find_bottleneck(pipeline: Pipeline) -> Result:
    """Tell what a better rate of each stage alone would add to the wins of the deals seen.

    Parameters
    ----------
    pipeline : Pipeline

    Returns
    -------
    Result
        Table: stage, n, rate (a fraction), gain_points (wins) with low and high, p_best, as `sensitivity` has it.

    Raises
    ------
    DataError
        Where nobody has left a stage yet, so that its rate is unknown.

    Examples
    --------
    >>> from funnelkit.language import sample_files
    >>> from funnelkit.reading import read
    >>> len(find_bottleneck(read(*sample_files(), model="industrial-8")).table)
    7
    """
    counts = count_stages(pipeline)
    rates = rate_table(counts).table
    if pipeline.model.won_stage == pipeline.model.stage_ids[-1]:
        rates = rates.iloc[:-1]  # entering the last stage is the win: it promotes to nothing
    unknown = rates.loc[rates["n"] == 0, "stage"]
    if len(unknown):
        raise DataError("stage_rate_unknown", stage=", ".join(pipeline.model.label(stage) for stage in unknown))
    return sensitivity(rates, volume=int(counts.table["n_entered"].iloc[0]), model=pipeline.model)


SECTIONS = (
    Section(
        "bottleneck", "find_bottleneck", "stage n rate gain_points gain_points_low gain_points_high p_best", answers=2,
    ),
)  # fmt: skip
