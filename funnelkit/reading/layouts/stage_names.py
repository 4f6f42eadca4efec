"""Stages: names met in the data -> the stages of a model; and the model itself, where none is given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.language import DataError, fold
from funnelkit.models import Funnel, custom, funnel, model_names
from funnelkit.pipeline import Finding
from funnelkit.reading.containers.options import refuse_type
from funnelkit.reading.layouts.columns import date_stem
from funnelkit.reading.layouts.presets import key, preset_data, preset_names, status_word
from funnelkit.reading.layouts.stage_dates import wide_entries, wide_names
from funnelkit.reading.sheet import Sheet, flag

MOST_NAMES = 60  # more different names than this are no stages


@dataclass(frozen=True)
class Naming:
    """For each name met: the stage it means (None for a mere outcome) and the status it ends in (None: goes on)."""

    stage: dict[str, str | None]
    status: dict[str, str | None]
    unknown: tuple[str, ...] = ()


def name_stages(names: Iterable[str], model: Funnel, ends: Mapping[str, str] | None = None) -> Naming:
    """Return the Naming of the names met, under a model; `ends` holds the status of names known to be ends."""
    stage, status, unknown = {}, {}, []
    for name in names:
        found, word = _stage_of(model, name), (ends or {}).get(key(name)) or status_word(name)
        if found is None and word == "won" and model.won_stage:
            found = model.won_stage
        if found is None and word in (None, "open"):
            unknown.append(name)
        stage[name] = found
        status[name] = "won" if found and found == model.won_stage else (word if found is None else None)
    return Naming(stage, status, tuple(unknown))


def flagged_ends(sheets: Sequence[Sheet]) -> dict[str, str]:
    """Return {key of a stage name: won or lost} of names whose deals are all flagged as closed, and all alike as won.

    Only of sources in which the flags belong to the stage (Salesforce, HubSpot), not to the deal.
    """
    ends = {}
    for sheet in sheets:
        form = sheet.mapping.form
        if (
            form is None
            or not preset_data(form.preset).get("flags_by_stage")
            or not {"is_won", "is_closed"} <= set(sheet.frame)
        ):
            continue
        won, closed = (flag(sheet.frame[name], sheet.frame.index) for name in ("is_won", "is_closed"))
        frame = pd.DataFrame({"name": sheet.stage_names.map(key, na_action="ignore"), "won": won, "closed": closed})
        for name, group in frame[sheet.good].groupby("name"):
            if group["closed"].all() and group["won"].nunique() == 1:
                ends[name] = "won" if group["won"].iloc[0] else "lost"
    return ends


def _stage_of(model: Funnel, name: str) -> str | None:
    """Return the id of the stage that a name means, None where it means none."""
    index = _stage_index(model)
    return index.get(fold(name)) or index.get(key(name))


@cache
def _stage_index(model: Funnel) -> dict[str, str]:
    texts = [(text, stage.id) for stage in model.stages for text in (stage.id, *stage.name, *stage.aliases)]
    loose = {key(text): stage for text, stage in reversed(texts)}
    return loose | {fold(text): stage for text, stage in reversed(texts)}


def merged_names(naming: Naming, model: Funnel) -> dict[str | None, list[str]]:
    """Return {label: spellings} of stages and outcomes that more than one spelling of the data means."""
    groups: dict[str | None, list[str]] = {}
    for name, stage in naming.stage.items():
        if name not in naming.unknown:
            groups.setdefault(stage or naming.status[name], []).append(name)
    return {label: spellings for label, spellings in groups.items() if len(spellings) > 1}


# --- the model -------------------------------------------------------------------------------------------------------


def given_model(model: Any, stages: Any) -> tuple[Funnel | None, tuple[Finding, ...]]:
    """Return (model or None, findings) of what is asked for: a Funnel, a catalogue id or path, or stage names."""
    if isinstance(stages, str) and "," not in stages:
        return funnel(stages.strip()), ()
    if stages is not None:
        if not isinstance(stages, Iterable):
            refuse_type("stages", stages, "stages")
        names = [str(name).strip() for name in (stages.split(",") if isinstance(stages, str) else stages)]
        kept = [name for name in names if status_word(name) in (None, "won", "open")]
        dropped = [name for name in names if name not in kept]
        notes = (Finding("stages_are_outcomes", "note", value=", ".join(dropped)),) if dropped else ()
        return _custom(kept), notes
    if model is None or isinstance(model, Funnel):
        return model, ()
    if not isinstance(model, (str, os.PathLike)):
        refuse_type("model", model, "model")
    return funnel(str(model)), ()


def _custom(names: Sequence[str]) -> Funnel:
    twice = next((name for i, name in enumerate(names) if key(name) in map(key, names[:i])), None)
    if twice is not None or not names:
        raise DataError("stages_bad", value=twice or "")
    won = next((name for name in names if status_word(name) == "won"), None)
    return custom(names, won_stage=won)


def find_model(sheets: Sequence[Sheet], preset_name: str | None) -> tuple[Funnel, tuple[Finding, ...]]:
    """Return (model, findings): a known model that has all names of the data, else the names in the order they show.

    Raises DataError where the data do not show an order.
    """
    names, ends = _spellings(sheets), flagged_ends(sheets)
    words = {label: ends.get(key(label)) or status_word(label) for label in names}
    kept = [label for label in names if words[label] is None]
    if len(kept) > MOST_NAMES:
        raise DataError("too_many_stages", file=sheets[0].table.name, n=len(kept), known=", ".join(kept[:10]))
    known = _known_model(kept, preset_name)
    if known:
        return known, (Finding("model_found", "note", value=str(known.name), values={"names": ", ".join(kept)}),)
    order, why = _order(sheets, kept)
    won = [label for label in names if words[label] == "won"][:1] or _won_beside(sheets)
    if not order and not won:
        raise DataError("no_stages", file=sheets[0].table.name, known=", ".join(names))
    model = custom([*order, *won], won_stage=won[0] if won else None)
    return model, (Finding(f"stage_order_{why}", "note", value=" > ".join([*order, *won])),)


def _won_beside(sheets: Sequence[Sheet]) -> list[str]:
    """Return the name of the won stage, as the source words it, where the outcome stands apart from the stage."""
    for sheet in sheets:
        if sheet.mapping.layout == "deals" and "status" in sheet.frame:
            for name in sheet.frame["status"][sheet.good].dropna().unique():
                if status_word(name) == "won":
                    return [name.strip()]
        if sheet.mapping.layout == "deals" and "won_at" in sheet.frame and sheet.frame["won_at"].notna().any():
            return ["Won"]
        if {"ended_at", "probability"} <= set(sheet.frame) and sheet.frame["probability"].str.match(
            "100([.]0*)?%?$"
        ).any():
            return ["Won"]
    return []


def _spellings(sheets: Sequence[Sheet]) -> list[str]:
    """Return the names met, of each the most frequent spelling; those of columns of stage dates too."""
    parts = [names[sheet.good[: len(names)]] for sheet in sheets for names in (sheet.stage_names, sheet.before_names)]
    counted = pd.concat(parts).str.strip().value_counts()
    spelling: dict[str, str] = {}
    for name in counted.index:
        spelling.setdefault(key(name), name)
    for name in wide_names(sheets, list(spelling.values())):
        spelling.setdefault(key(name), name)
    return sorted(spelling.values())


def _known_model(names: Sequence[str], preset_name: str | None) -> Funnel | None:
    """Return the one catalogue model or preset whose stages hold all the names and at least half of which occur.

    The stages of the preset that the source is read by come first.
    """
    if len(names) < (1 if preset_name else 2):
        return None
    models = [funnel(name) for name in model_names()]
    models = [_preset_model(name) for name in preset_names() if "stages" in preset_data(name)] + models
    fits = {}
    for model in models:
        found = {_stage_of(model, name) for name in names}
        own = model.id == preset_name
        enough = own or (len(names) > 1 and 2 * len(found | {model.won_stage}) >= len(model.stages))
        if None not in found and len(found) == len(names) and enough:
            fits[model.id] = (own, len(found) / len(model.stages), model)
    ranked = sorted(fits.values(), key=lambda fit: fit[:2], reverse=True)
    if not ranked or (len(ranked) > 1 and ranked[0][:2] == ranked[1][:2]):
        return None
    return ranked[0][2]


def _preset_model(name: str) -> Funnel:
    raw = preset_data(name)
    return custom(raw["stages"], model_id=name, won_stage=raw.get("won_stage"))


def _order(sheets: Sequence[Sheet], names: Sequence[str]) -> tuple[Sequence[str], str]:
    """Return (names in order, key of the reason): by history where there is one, else by the dates that are filled."""
    if len(names) < 2:
        return names, "single"
    events = [sheet for sheet in sheets if sheet.mapping.layout == "events"]
    entries = _history_entries(events) if events else wide_entries(sheets, names)
    scores = _filled_scores(sheets, names) if entries is None else _history_scores(entries, names)
    ranked = sorted(names, key=lambda name: scores[name])
    tie = next(((one, other) for one, other in pairwise(ranked) if scores[one] == scores[other]), None)
    if tie:
        raise DataError(
            "stage_order_unknown", file=sheets[0].table.name, known=", ".join(names), one=tie[0], other=tie[1]
        )
    return ranked, "history" if events else "dates"


def _filled_scores(sheets: Sequence[Sheet], names: Sequence[str]) -> dict[str, float]:
    """Return for each name how many of the columns with stage dates its rows have filled, on average, to 0.05."""
    totals, rows = dict.fromkeys(map(key, names), 0.0), dict.fromkeys(map(key, names), 0)
    for sheet in sheets:
        dates = [header for header in sheet.mapping.extra if date_stem(header)]
        filled = (
            sum((~sheet.is_blank(header)).astype(float) for header in dates) if dates else np.zeros(len(sheet.good))
        )
        frame = pd.DataFrame({"name": sheet.stage_names.map(key, na_action="ignore").to_numpy(), "filled": filled})
        for name, group in frame[sheet.good].groupby("name")["filled"]:
            if name in totals:
                totals[name] += group.sum()
                rows[name] += len(group)
    return {name: round(totals[key(name)] / max(rows[key(name)], 1) * 20) / 20 for name in names}


def _history_entries(sheets: Sequence[Sheet]) -> pd.DataFrame:
    """Return (deal_id, name, entered_at) of the rows of histories; what a change left comes just before it."""
    parts = []
    for sheet in sheets:
        columns = ["deal_id", "entered_at"]
        parts.append(sheet.frame[columns].assign(name=sheet.stage_names, side=1)[sheet.good])
        if len(sheet.before_names):
            left = sheet.frame["before_at"].fillna(sheet.frame["entered_at"])
            before = sheet.frame[columns].assign(entered_at=left, name=sheet.before_names, side=0)
            parts.append(before[sheet.good & sheet.before_names.notna().to_numpy()])
    return pd.concat(parts).sort_values(["entered_at", "side"], kind="stable")


def _history_scores(entries: pd.DataFrame, names: Sequence[str]) -> dict[str, tuple[int, float]]:
    """Return for each name (how many others it follows in most of the cases that have both, its mean place in a case).

    The first is Copeland's count of pairwise majorities; the place, from 0 to 1, decides where it is level.
    """
    frame = entries.assign(name=entries["name"].map(key)).sort_values("entered_at", kind="stable")
    frame["order"] = np.arange(len(frame))
    first = frame.groupby(["deal_id", "name"])["order"].min().unstack()
    places = first.rank(axis=1).sub(1).div((first.notna().sum(axis=1) - 1).clip(lower=1), axis=0).mean()
    score = dict.fromkeys(names, 0)
    for one, other in combinations(names, 2):
        gap = first[key(one)] - first[key(other)]
        later = int(np.sign((gap > 0).sum() - (gap < 0).sum()))
        score[one] += later
        score[other] -= later
    return {name: (score[name], places[key(name)]) for name in names}
