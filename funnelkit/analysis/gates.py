"""Review: gates between stages. An unmet aim never lets a deal advance."""

import pandas as pd

from funnelkit.language import DataError, label, nearest, say

VERDICTS = ("advance", "stay", "move_back")
_NEEDED = ("deal_id", "stage", "gate", "met")


def check_gates(evidence, model):
    """Return for each deal whether it may advance, stays where it is, or moves back.

    Takes one row for each marker that was looked at: deal_id, stage (where the deal stands), gate (the stage whose
    marker it is), met (True, False, or missing: not known). Stages may be given by id, name or alias. Returns deal_id,
    stage, verdict (advance, stay, move_back), to_stage, gate (the one that decided), n_met, n_gates (markers met, of
    those up to the present stage), in the order of the evidence.

    A marker of an earlier stage that no longer holds moves the deal back to the earliest such stage. Otherwise the
    deal advances if the marker of its own stage is met, and stays if it is not met or not known: no evidence is no
    advance. After the last stage `to_stage` is missing. Markers of later stages open no gate. Raises CatalogError for
    a stage that the model does not have, DataError for a missing column, a value that is no yes or no, a deal in two
    stages, or a marker judged both ways.

    >>> from funnelkit.models import custom
    >>> evidence = pd.DataFrame({"deal_id": ["a", "b", "b"], "stage": ["Lead", "Offer", "Offer"],
    ...                          "gate": ["Lead", "Lead", "Offer"], "met": [True, False, True]})
    >>> check_gates(evidence, custom(["Lead", "Offer"]))[["deal_id", "verdict", "to_stage"]]
      deal_id    verdict to_stage
    0       a    advance    Offer
    1       b  move_back     Lead
    """
    known = _read_evidence(evidence, model)
    rows = [_verdict(deal, group, model) for deal, group in known.groupby("deal_id", sort=False)]
    table = pd.DataFrame(rows, columns=["deal_id", "stage", "verdict", "to_stage", "gate", "n_met", "n_gates"])
    for name in ("stage", "to_stage", "gate"):
        table[name] = pd.Categorical(table[name], categories=model.stage_ids, ordered=True)
    return table.assign(verdict=pd.Categorical(table["verdict"], categories=VERDICTS))


def _verdict(deal, group, model):
    ids = model.stage_ids
    here = ids.index(group["stage"].iloc[0])
    met = {ids.index(gate): value for gate, value in zip(group["gate"], group["met"], strict=True)}
    broken = [place for place in range(here) if met.get(place) is False]
    if broken:
        verdict, target, gate = "move_back", ids[broken[0]], broken[0]
    elif met.get(here) is True:
        verdict, target, gate = "advance", ids[here + 1] if here + 1 < len(ids) else None, here
    else:
        verdict, target, gate = "stay", ids[here], here
    n_met = sum(met.get(place) is True for place in range(here + 1))
    return deal, ids[here], verdict, target, ids[gate], n_met, here + 1


def _read_evidence(evidence, model):
    """Return the evidence with stage ids and plain True, False or None, each deal and gate once."""
    for name in _NEEDED:
        if name not in evidence:
            raise DataError("no_such_column", name=name, nearest=nearest(name, evidence.columns))
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


def _refuse_two(rows, keys, error, column):
    twice = rows[rows.duplicated(keys, keep=False)]
    if len(twice):
        row = twice.iloc[0]
        found = ", ".join(dict.fromkeys(twice.loc[twice["deal_id"] == row["deal_id"], column]))
        raise DataError(error, deal=row["deal_id"], found=found)


def _yes_or_no(value, deal):
    if pd.isna(value):
        return None
    if value in (True, False):
        return bool(value)
    raise DataError("bad_evidence", value=repr(value), deal=deal)


def describe_gates(table, model):
    """Return one sentence for each deal: the verdict, and the marker that decided it."""
    return [_sentence(row, model) for row in table.to_dict("records")]


def _sentence(row, model):
    gate = model.stage(row["gate"])
    values = {"deal": row["deal_id"], "stage": str(model.stage(row["stage"]).name), "gate": str(gate.name)}
    marker = str(gate.marker) if gate.marker else label("marker")
    last = row["verdict"] == "advance" and pd.isna(row["to_stage"])
    to_stage = "" if pd.isna(row["to_stage"]) else str(model.stage(row["to_stage"]).name)
    return say(f"analysis.gates.{'last' if last else row['verdict']}", **values, marker=marker, to_stage=to_stage)
