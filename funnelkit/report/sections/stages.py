"""How long does each stage take, which deals need a call now, which stage would help most, which deals may advance?"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from funnelkit.analysis import check_gates, count_stages, rate_table
from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.planning import sensitivity
from funnelkit.report.sections.section import Section
from funnelkit.result import STAGE_LIMITS, Result, refuse_limits

MOST_DEALS = 20
_MET = {"yes": True, "true": True, "1": True, "是": True, "no": False, "false": False, "0": False, "否": False}


def _seen(found: Result) -> pd.DataFrame:
    return found.table[found.table["n"] > 0]


def _urgent(found: Result) -> pd.DataFrame:
    return found.table[found.table["state"].isin(["stuck", "late", "soon"])].head(MOST_DEALS)


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
    LimitError, DataError
        Where the source does not tell the rate of a stage, or nobody has left it yet.

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
    if len(rates) < 2:
        raise DataError("one_stage_only", stage=", ".join(pipeline.model.label(stage) for stage in rates["stage"]))
    unknown = rates.loc[rates["rate"].isna(), "stage"]
    if len(unknown):
        refuse_limits(pipeline, "find_bottleneck", *STAGE_LIMITS)
        raise DataError("stage_rate_unknown", stage=", ".join(pipeline.model.label(stage) for stage in unknown))
    return sensitivity(rates, volume=int(counts.table["n_entered"].iloc[0]), model=pipeline.model)


def judge_gates(pipeline: Pipeline, evidence: str) -> Result:
    """Judge the stage gates from a file of evidence.

    Parameters
    ----------
    pipeline : Pipeline
    evidence : str
        A CSV of deal_id, stage, gate and met (yes, no or empty), one marker a row.

    Returns
    -------
    Result
        Table: deal_id, stage, verdict (advance, stay, move_back), to_stage, gate, n_met, n_gates.

    Raises
    ------
    DataError
        Where no file is given, or it cannot be read for what it should be.

    Examples
    --------
    >>> from funnelkit.language import sample_files
    >>> from funnelkit.reading import read
    >>> from tempfile import NamedTemporaryFile
    >>> with NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("deal_id,stage,gate,met\\nA,first-contact,first-contact,yes\\n")
    ...     file.flush()
    ...     found = judge_gates(read(*sample_files(), model="industrial-8"), file.name)
    >>> found
    On the evidence given, 1 deal may advance, 0 stay and 0 move back.
    """
    if not evidence:
        raise DataError("no_evidence")
    markers = pd.read_csv(evidence, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if "met" in markers:
        markers["met"] = markers["met"].str.strip().str.lower().map(_MET)
    return replace(check_gates(markers, pipeline.model), notes=())  # not a sentence for every deal


SECTIONS = (
    Section("stays", "time_in_stage", "stage n n_open median_days low_days high_days", answers=0, rows=_seen),
    Section("cycle", "promotion_cycle", "outcome n n_closed median_days low_days high_days"),
    Section(
        "stuck", "stuck_deals", "deal_id account owner amount stage age_days usual_days act_by state", answers=0,
        rows=_urgent,
    ),
    Section(
        "bottleneck", "find_bottleneck", "stage n rate gain_points gain_points_low gain_points_high p_best", answers=2,
    ),
    Section("gates", "judge_gates", "deal_id stage verdict to_stage gate"),
)  # fmt: skip
