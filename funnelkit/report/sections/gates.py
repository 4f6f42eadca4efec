"""Which deals may advance? The stage gates judged from a file of evidence."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from funnelkit.analysis import check_gates
from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.section import Section
from funnelkit.result import Result

_MET = {"yes": True, "true": True, "1": True, "是": True, "no": False, "false": False, "0": False, "否": False}


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
    Deals by the evidence given: may advance 1, stay 0, move back 0.
    """
    if not evidence:
        raise DataError("no_evidence")
    markers = pd.read_csv(evidence, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if "met" in markers:
        markers["met"] = markers["met"].str.strip().str.lower().map(_MET)
    return replace(check_gates(markers, pipeline.model), notes=())  # not a sentence for every deal


SECTIONS = (Section("gates", "judge_gates", "deal_id stage verdict to_stage gate"),)
