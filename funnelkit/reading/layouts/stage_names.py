"""Stages: names met in the data -> the stages of a model; and the model itself, where none is given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

import pandas as pd

from funnelkit.language import DataError, Text, both, fold, label, say
from funnelkit.models import Funnel, Stage, custom, funnel, model_names
from funnelkit.pipeline import Finding
from funnelkit.reading.containers.options import refuse_type
from funnelkit.reading.layouts.evidence import holds, likely, sample_texts
from funnelkit.reading.layouts.outcomes import ENDS, bare, status_word
from funnelkit.reading.layouts.presets import key, preset_data, preset_names
from funnelkit.reading.layouts.stage_dates import wide_names
from funnelkit.reading.layouts.stage_order import order_stages, order_unknown, stated, usual_order
from funnelkit.reading.sheet import Sheet, flag

ONE_STEP = "one-step"  # the model of a source that tells outcomes only
MOST_NAMES = 60  # more different names than this are no stages
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Naming:
    """For each name met: the stage it means (None for a mere outcome) and the status it ends in (None: goes on)."""

    stage: dict[str, str | None]
    status: dict[str, str | None]
    unknown: tuple[str, ...] = ()


def name_stages(
    names: Iterable[str], model: Funnel, ends: Mapping[str, str] | None = None, declared: Mapping[str, str] = _NOTHING
) -> Naming:
    """Return the Naming of the names met, under a model; `ends` holds the status of names known to be ends."""
    stage, status, unknown = {}, {}, []
    for name in names:
        found, word = _stage_of(model, name), status_word(name, ends)
        if declared.get(key(name)) or found is None:
            found = model.won_stage if word == "won" else None
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


_APART = frozenset(("status", "is_won", "is_lost", "is_closed", "won_at", "lost_at"))  # tell outcomes beside the stage


def chance_ends(sheets: Sequence[Sheet], names: Sequence[str], ends: Mapping[str, str]) -> dict[str, str]:
    """Return {key of a stage name: won or lost} of names that no word explains and whose deals are all certain to be
    won, or to be lost, by their chance; both are said loudly.

    One name without a chance beside a certain win is lost, unless pipelines usually begin so.
    """
    if any(_APART & set(sheet.frame) or sheet.mapping.layout != "deals" for sheet in sheets):
        return {}
    chances = stated(sheets, [name.strip() for name in names], "chance")
    words = {name.strip(): status_word(name, ends) for name in names}
    certain = 100.0 if max(chances.values(), default=0.0) > 1 else 1.0
    sure = [name for name, chance in chances.items() if chance == certain and words[name] is None]
    none = [name for name, chance in chances.items() if chance == 0 and words[name] is None]
    found = dict.fromkeys(map(key, sure), "won") if "won" not in words.values() else {}
    if len(none) == 1 and "lost" not in words.values() and (found or "won" in words.values()):
        begins = [name for name in chances if name == none[0] or 0 < chances[name] < certain]
        found |= {} if usual_order(begins)[:1] == (none[0],) or len(begins) < 2 else {key(none[0]): "lost"}
    for kind in ("won", "lost"):
        said = [name for name in (*sure, *none) if found.get(key(name)) == kind]
        if said:
            file, column = sheets[0].table.name, sheets[0].mapping.columns["stage"]
            names_told = ", ".join(map(repr, said))
            sheets[0].journal.add("outcomes_by_chance", "warn", file=file, column=column, value=said[0], kind=kind,
                                  names=names_told, option=",".join(said))  # fmt: skip
    return found


def _stage_of(model: Funnel, name: str) -> str | None:
    """Return the id of the stage that a name means, None where it means none."""
    index = _stage_index(model)
    return index.get(fold(name)) or index.get(key(name)) or index.get(key(bare(name)))


@cache
def _stage_index(model: Funnel) -> dict[str, str]:
    texts = [(text, stage.id) for stage in model.stages for text in (stage.id, *stage.name, *stage.aliases)]
    loose = {key(text): stage for text, stage in reversed(texts)}
    return loose | {fold(text): stage for text, stage in reversed(texts)}


def merged_names(naming: Naming, declared: Mapping[str, str]) -> dict[str | None, list[str]]:
    """Return {label: spellings} of stages and outcomes that several spellings of the data mean, none declared."""
    groups: dict[str | None, list[str]] = {}
    for name, stage in naming.stage.items():
        if name not in naming.unknown and key(name) not in declared:
            groups.setdefault(stage or naming.status[name], []).append(name)
    return {label: spellings for label, spellings in groups.items() if len(spellings) > 1}


# --- the model -------------------------------------------------------------------------------------------------------


def given_model(
    model: Any, stages: Any, declared: Mapping[str, str] = _NOTHING, won: Sequence[str] = ()
) -> tuple[Funnel | None, tuple[Finding, ...]]:
    """Return (model or None, findings) of what is asked for: a Funnel, a catalogue id or path, or stage names.

    `declared` holds the outcomes by key, `won` the names declared as won: the first of them that is a stage is the
    won stage; where none is, stages given by name end with the first.
    """
    if isinstance(stages, str) and "," not in stages:
        return _with_won(funnel(stages.strip()), won), ()
    if stages is not None:
        if not isinstance(stages, Iterable):
            refuse_type("stages", stages, "stages")
        names = [str(name).strip() for name in (stages.split(",") if isinstance(stages, str) else stages)]
        kept = [name for name in names if status_word(name, declared) in (None, "won", "open")]
        dropped = [name for name in names if name not in kept]
        notes = (Finding("stages_are_outcomes", "note", value=", ".join(dropped)),) if dropped else ()
        return _custom(kept, declared, won), notes
    if model is None or isinstance(model, Funnel):
        return model and _with_won(model, won), ()
    if not isinstance(model, (str, os.PathLike)):
        refuse_type("model", model, "model")
    return _with_won(funnel(str(model)), won), ()


def _with_won(model: Funnel, won: Sequence[str]) -> Funnel:
    """Return the model; one without a won stage has the first declared one."""
    found = next(filter(None, (_stage_of(model, name) for name in won)), None)
    return model if model.won_stage or found is None else replace(model, won_stage=found)


def _custom(names: Sequence[str], declared: Mapping[str, str], won: Sequence[str]) -> Funnel:
    twice = next((name for i, name in enumerate(names) if key(name) in map(key, names[:i])), None)
    if twice is not None or not names:
        raise DataError("stages_bad", value=twice or "")
    ends = [name for name in names if declared.get(key(name)) == "won"]
    ends = ends or ([] if won else [name for name in names if status_word(name) == "won"])
    if won and not ends:
        names, ends = [*names, won[0]], [won[0]]
    return custom(names, won_stage=ends[0] if ends else None)


def find_model(
    sheets: Sequence[Sheet], preset_name: str | None, ends: Mapping[str, str]
) -> tuple[Funnel, tuple[Finding, ...]]:
    """Return (model, findings): a known model that has all names of the data, else the names in the order they show.

    Where there are no stages but outcomes, the model has one step. Raises DataError where the data show no order.
    """
    names = _spellings(sheets)
    words = {label: status_word(label, ends) for label in names}
    kept = [label for label in names if words[label] not in ENDS]
    if len(kept) > MOST_NAMES:
        raise DataError("too_many_stages", file=sheets[0].table.name, n=len(kept), known=", ".join(kept[:10]))
    won = [label for label in names if words[label] == "won"][:1] or _won_beside(sheets)
    if all(words[label] for label in kept):
        return _one_step(sheets, kept, won)
    known = _known_model(kept, preset_name)
    if known:
        return known, (Finding("model_found", "note", value=str(known.name), values={"names": ", ".join(kept)}),)
    stages, why = order_stages(sheets, kept, won)
    model = custom(stages, won_stage=won[0] if won else None)
    return model, (Finding(f"stage_order_{why}", "note", value=" > ".join(stages)),)


def _one_step(sheets: Sequence[Sheet], kept: Sequence[str], won: Sequence[str]) -> tuple[Funnel, tuple[Finding, ...]]:
    """Return the model of a source that tells outcomes only: in progress, then won."""
    if len(kept) > 1:
        raise order_unknown(sheets[0].table.name, kept, kept[0], kept[1])
    names = [both(lambda: label("open")), both(lambda: label("won"))]
    stages = [Stage(id="open", name=Text(kept[0], kept[0]) if kept else names[0]),
              Stage(id="won", name=Text(won[0], won[0]) if won else names[1])]  # fmt: skip
    model = replace(custom(["open", "won"], model_id=ONE_STEP, won_stage="won"), stages=tuple(stages))
    shown = both(lambda: " > ".join(str(stage.name) for stage in stages))
    maybe = ", ".join(map(repr, _maybe_stages(sheets)))
    told = both(lambda: say("errors.maybe_column", maybe=maybe)) if maybe else ""
    values = {"stages": shown, "maybe": told}
    return model, (Finding("one_step", "warn" if maybe else "note", sheets[0].table.name, values=values),)


def _maybe_stages(sheets: Sequence[Sheet]) -> list[str]:
    """Return the columns that may hold stages: a word of their name says so, and few names recur in them."""
    found = []
    for sheet in sheets:
        for header in likely(sheet.table, sheet.mapping.extra, "stage"):
            texts = sample_texts(sheet.table.cells[header])
            if not holds("entered_at", texts) and 1 < texts.nunique() <= min(MOST_NAMES, len(texts) / 2):
                found.append(header)
    return found


def is_one_step(model: Funnel) -> bool:
    """Return True for a model of two stages, the second of which is the win."""
    return len(model.stages) == 2 and model.won_stage == model.stage_ids[1]


def _won_beside(sheets: Sequence[Sheet]) -> list[str]:
    """Return the name of the won stage, as the source words it, where the outcome stands apart from the stage."""
    for sheet in sheets:
        if "status" in sheet.frame:
            for name in sheet.frame["status"][sheet.good].dropna().unique():
                if status_word(name, sheet.declared) == "won":
                    return [name.strip()]
        if sheet.mapping.layout == "deals" and "won_at" in sheet.frame and sheet.frame["won_at"].notna().any():
            return ["Won"]
        if "is_won" in sheet.frame and flag(sheet.frame["is_won"], sheet.frame.index)[sheet.good].any():
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
    if preset_name:
        lists = preset_data(preset_name).get("own_stages", ())
        models += [custom(stages, model_id=preset_name, won_stage=stages[-1]) for stages in lists]
    fits = {}
    for model in models:
        found = {_stage_of(model, name) for name in names}
        own = model.id == preset_name
        enough = own or (len(names) > 1 and 2 * len(found | {model.won_stage}) >= len(model.stages))
        if None not in found and len(found) == len(names) and enough:
            fits[model] = (own, len(found) / len(model.stages), model)
    ranked = sorted(fits.values(), key=lambda fit: fit[:2], reverse=True)
    if not ranked or (len(ranked) > 1 and ranked[0][:2] == ranked[1][:2]):
        return None
    return ranked[0][2]


def _preset_model(name: str) -> Funnel:
    raw = preset_data(name)
    return custom(raw["stages"], model_id=name, won_stage=raw.get("won_stage"))
