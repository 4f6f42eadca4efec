"""Gates between stages. An unmet aim never lets a deal advance."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.analysis.shared import insight, require_columns
from funnelkit.language import DataError, both, label, number
from funnelkit.models import Funnel
from funnelkit.result import Insight, Result, table_of

VERDICTS = ("advance", "stay", "move_back")
MOST_SENTENCES = 20
_NEEDED = ("deal_id", "stage", "gate", "met")
_SHOWN = ("deal_id", "stage", "verdict", "to_stage", "gate")


def check_gates(evidence: Result | pd.DataFrame, model: Funnel) -> Result:
    """Say for each deal whether it may advance, stays where it is, or moves back.

    Parameters
    ----------
    evidence : Result or DataFrame
        One row for each marker that was looked at: deal_id, stage (where the deal stands), gate (the stage whose marker
        it is), met (True, False, or missing: not known). Stages may be given by id, name or alias.
    model : Funnel

    Returns
    -------
    Result
        Table, in the order of the evidence: deal_id, stage, verdict (advance, stay, move_back), to_stage (missing after
        the last stage), gate (the one that decided), n_met, n_gates (markers met, of those up to the present stage).

    Raises
    ------
    CatalogError, DataError
        For a stage that the model does not have; for a missing column, a value that is no yes or no, a deal in two
        stages, or a marker judged both ways.

    Notes
    -----
    A marker of an earlier stage that no longer holds moves the deal back to the earliest such stage. Otherwise the
    deal advances if the marker of its own stage is met: no evidence is no advance. Later markers open no gate. What a
    missed one of its own does is the model's (`Stage.missed`): the deal stays, or moves back one stage.

    Examples
    --------
    >>> from funnelkit.models import custom
    >>> evidence = pd.DataFrame({"deal_id": ["a", "b", "b"], "stage": ["Lead", "Offer", "Offer"],
    ...                          "gate": ["Lead", "Lead", "Offer"], "met": [True, False, True]})
    >>> check_gates(evidence, custom(["Lead", "Offer"])).table[["deal_id", "verdict", "to_stage"]].values.tolist()
    [['a', 'advance', 'Offer'], ['b', 'move_back', 'Lead']]
    """
    return _check(table_of(evidence), model)


def _check(evidence: pd.DataFrame, model: Funnel) -> Result:
    known = _read_evidence(evidence, model)
    rows = [_verdict(deal, group, model) for deal, group in known.groupby("deal_id", sort=False)]
    table = pd.DataFrame(rows, columns=["deal_id", "stage", "verdict", "to_stage", "gate", "n_met", "n_gates", "known"])
    for name in ("stage", "to_stage", "gate"):
        table[name] = pd.Categorical(table[name], categories=model.stage_ids, ordered=True)
    table = table.assign(verdict=pd.Categorical(table["verdict"], categories=VERDICTS))
    counts = table["verdict"].value_counts()
    told = [_sentence(row, model) for row in table.head(MOST_SENTENCES).to_dict("records")]
    back = table[table["verdict"] == "move_back"].to_dict("records")
    return Result(
        table.drop(columns="known"), "analysis.gates.verdicts", {name: number(counts[name]) for name in VERDICTS},
        tuple(told), model=model, shown=_SHOWN, findings=tuple(_insight(row, model) for row in back),
    )  # fmt: skip


def _insight(row: dict[str, Any], model: Funnel) -> Insight:
    return insight("moves_back", row["deal_id"], *_sentence(row, model), n_deals=1)


def _verdict(deal: Any, group: pd.DataFrame, model: Funnel) -> tuple[Any, ...]:
    ids: tuple[str | None, ...] = model.stage_ids
    here = ids.index(group["stage"].iloc[0])
    met = {ids.index(gate): value for gate, value in zip(group["gate"], group["met"], strict=True)}
    broken = [place for place in range(here) if met.get(place) is False]
    if broken:
        verdict, target, gate = "move_back", ids[broken[0]], broken[0]
    elif met.get(here) is True:
        verdict, target, gate = "advance", ids[here + 1] if here + 1 < len(ids) else None, here
    elif met.get(here) is False and here and model.stages[here].missed == "back":
        verdict, target, gate = "move_back", ids[here - 1], here
    else:
        verdict, target, gate = "stay", ids[here], here
    n_met = sum(met.get(place) is True for place in range(here + 1))
    return deal, ids[here], verdict, target, ids[gate], n_met, here + 1, met.get(gate) is not None


def _read_evidence(evidence: pd.DataFrame, model: Funnel) -> pd.DataFrame:
    """Return the evidence with stage ids and plain True, False or None, each deal and gate once."""
    require_columns(evidence, _NEEDED)
    known = pd.DataFrame({"deal_id": evidence["deal_id"]})
    for name in ("stage", "gate"):
        ids = {value: model.stage(value).id for value in evidence[name].unique()}
        known[name] = evidence[name].astype(object).map(ids)
    pairs = zip(evidence["met"], evidence["deal_id"], strict=True)
    known["met"] = pd.Series([_yes_or_no(*pair) for pair in pairs], index=evidence.index, dtype=object)
    known = known.drop_duplicates()
    _refuse_two(known.drop_duplicates(["deal_id", "stage"]), ["deal_id"], "deal_in_two_stages", "stage")
    _refuse_two(known[known["met"].notna()], ["deal_id", "gate"], "gate_judged_twice", "gate")
    return known[known["met"].notna() | ~known.duplicated(["deal_id", "gate"], keep=False)]


def _refuse_two(rows: pd.DataFrame, keys: list[str], error: str, column: str) -> None:
    twice = rows[rows.duplicated(keys, keep=False)]
    if len(twice):
        row = twice.iloc[0]
        found = ", ".join(dict.fromkeys(twice.loc[twice["deal_id"] == row["deal_id"], column]))
        raise DataError(error, deal=row["deal_id"], found=found)


def _yes_or_no(value: Any, deal: Any) -> bool | None:
    if pd.isna(value):
        return None
    if value in (True, False):
        return bool(value)
    raise DataError("bad_evidence", value=repr(value), deal=deal)


def _sentence(row: dict[str, Any], model: Funnel) -> tuple[str, dict[str, Any]]:
    """Return the sentence for one deal: the verdict, and the marker that decided it or has not been looked at."""
    gate = model.stage(row["gate"])
    last = row["verdict"] == "advance" and pd.isna(row["to_stage"])
    values: dict[str, Any] = {"deal": row["deal_id"], "stage": model.stage(row["stage"]).name, "gate": gate.name}
    values["marker"] = gate.marker or both(lambda: label("marker"))
    values["to_stage"] = "" if pd.isna(row["to_stage"]) else model.stage(row["to_stage"]).name
    missed = row["verdict"] == "move_back" and row["gate"] == row["stage"]
    found = "last" if last else "missed" if missed else row["verdict"] if row["known"] else "unchecked"
    return f"analysis.gates.{found}", values
