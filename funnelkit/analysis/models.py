"""The catalogue of models and the glossary as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from funnelkit.language import DataError, Text, language, nearest, number, percent, say, share
from funnelkit.models import Funnel, ModelName, Topic, catalog, common, funnel
from funnelkit.result import Result

_OF_STAGE = (
    "level", "input", "layer", "phase", "buyer", "stage", "marker", "role", "count", "rate", "duration_days",
    "win_probability", "push",
)  # fmt: skip
_FIELDS = (
    "definition", "entry", "conditions", "information", "tasks", "tactics", "tools", "marker", "role", "message",
    "audience", "push",
)  # fmt: skip


def models(name: ModelName | str | Funnel | None = None, part: str | None = None) -> Result:
    """List the funnel models of the catalogue, show one of them, or one part of it.

    Parameters
    ----------
    name : str or Funnel, optional
        A model; "common" holds the topics that go with any model.
    part : str, optional
        "states", the id of a topic, or a field of the stages such as "tasks" or "information".

    Returns
    -------
    Result
        Without a name one row a model in teaching order: id (what `funnel` and `read(model=)` take), name, n_stages,
        kind (pipeline, influence: counts may grow, or cascade). Of a model one row a stage: state, step, what it says.
        Of a part one row for each thing it says: state, stage or item, text, remedy, share (fraction).

    Raises
    ------
    CatalogError
        For a model that the catalogue does not hold.
    DataError
        For a part that the model does not have; it names the nearest.

    Examples
    --------
    >>> models().table["id"].tolist()[:3]
    ['purchase-5', 'selling-5', 'simple-5']
    >>> models("industrial-8").table["state"].unique().tolist()
    ['search', 'in-funnel', 'best']
    >>> len(models("common", "principles").table)
    4
    """
    if name is None:
        return _listed()
    if name == "common":
        return _topic_result(_find(common(), part, [topic.id for topic in common()]))
    model = funnel(name)
    return _stages_result(model) if part is None else _part_result(model, part)


def _listed() -> Result:
    rows = [(model.id, model.name, len(model.stages), model.kind) for model in catalog()]
    table = pd.DataFrame(rows, columns=["id", "name", "n_stages", "kind"])
    names = {"id": "model_id", "name": "model_name"}
    return Result(table, "models.catalogue.catalogue_size", {"n": len(table)}, shown=_for_people, names=names)


def _find(rows: Iterable[Any], wanted: str | None, known: Sequence[str]) -> Any:
    found = next((row for row in rows if row.id == wanted), None)
    if found is None:
        raise DataError("no_such_part", name=str(wanted), nearest=nearest(str(wanted), known))
    return found


def _stages_result(model: Funnel) -> Result:
    has = [key for key in _OF_STAGE if any(getattr(stage, key, None) is not None for stage in model.stages)]
    has = [key for key in _OF_STAGE if key in has or key == "stage"]
    rows = [[stage.id if key == "stage" else getattr(stage, key) for key in has] for stage in model.stages]
    table = pd.DataFrame(rows, columns=has)
    table.insert(0, "step", range(1, len(table) + 1))
    if model.states:
        table.insert(0, "state", [stage.state for stage in model.stages])
    values = {"model": model.name, "n": len(table), "summary": model.summary}
    notes = _own_choice(any(model.chose(stage.id, key) for stage in model.stages for key in _told(model, table)))
    return Result(table, "models.catalogue.one_model", values, notes, model=model, shown=partial(_stages_shown, model))


def _own_choice(any_own: bool) -> list[tuple[str, dict[str, Any]]]:
    return [("models.catalogue.own_choice", {})] if any_own else []


def _told(model: Funnel, table: pd.DataFrame) -> list[str]:
    """Return the columns that say anything but this kit's own choice."""
    columns = [key for key in _OF_STAGE if key in table and key != "stage"]
    return [
        key for key in columns
        if any(getattr(stage, key) is not None and not model.chose(stage.id, key) for stage in model.stages)
    ]  # fmt: skip


def _stages_shown(model: Funnel, table: pd.DataFrame) -> pd.DataFrame:
    """Return the stages as people read them: a state named once, a star at what the sources do not say."""
    shown = pd.DataFrame({"step": table["step"]})
    if "state" in table:
        shown.insert(0, "state", _named_once(table["state"], {state.id: str(state.name) for state in model.states}))
    for key in [name for name in _OF_STAGE if name == "stage" or name in _told(model, table)]:
        if key == "stage":
            shown[key] = table[key]
            continue
        stars = ["*" * model.chose(stage.id, key) for stage in model.stages]
        shown[_heading(key)] = [_said(key, value, star) for value, star in zip(table[key], stars, strict=True)]
    return shown


def _named_once(ids: pd.Series[Any], names: Mapping[str, str]) -> list[str]:
    """Return the name of each part, empty where the row above has the same."""
    again = ids.eq(ids.shift())
    return ["" if same else names[part] for part, same in zip(ids, again, strict=True)]


def _heading(key: str) -> str:
    return say(f"models.catalogue.{key}")


def _said(key: str, value: Any, star: str = "") -> str:
    """Return one value of a stage as people read it."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return number(None)
    if key in ("rate", "win_probability"):
        return percent(value, 0) + star
    if key == "input":
        return _heading(f"input_{value}") + star
    return (str(value) if isinstance(value, Text) else number(value)) + star


def _part_result(model: Funnel, part: str) -> Result:
    if part == "states" and model.states:
        rows = [(state.id, text) for state in model.states for text in state.indicators]
        table = pd.DataFrame(rows, columns=["state", "indicators"])
        return Result(table, model=model, shown=partial(_states_shown, model))
    if part in _FIELDS and any(getattr(stage, part) for stage in model.stages):
        rows = [(stage.id, text) for stage in model.stages for text in _texts(getattr(stage, part))]
        notes = _own_choice(any(model.chose(stage.id, part) for stage in model.stages))
        table = pd.DataFrame(rows, columns=["stage", part])
        return Result(table, notes=notes, model=model, shown=partial(_field_shown, model, part))
    known = ["states", *(topic.id for topic in model.topics)]
    known += [name for name in _FIELDS if any(getattr(stage, name) for stage in model.stages)]
    starred = f"topics.{part}" in model.own_choice
    return _topic_result(_find(model.topics, part, known), starred)


def _texts(value: Text | tuple[Text, ...] | None) -> tuple[Text, ...]:
    """Return one text or several as a tuple: a Text is itself a tuple of its two languages."""
    return () if value is None else (value,) if isinstance(value, Text) else value


def _states_shown(model: Funnel, table: pd.DataFrame) -> pd.DataFrame:
    names = {state.id: str(state.name) for state in model.states}
    return table.assign(state=_named_once(table["state"], names), indicators=table["indicators"].map(str))


def _field_shown(model: Funnel, part: str, table: pd.DataFrame) -> pd.DataFrame:
    stars = ["*" * model.chose(stage, part) for stage in table["stage"]]
    texts = [str(text) + star for text, star in zip(table[part], stars, strict=True)]
    names = {stage.id: str(stage.name) for stage in model.stages}
    return pd.DataFrame({"stage": _named_once(table["stage"], names), _heading(part): texts})


def _topic_result(topic: Topic, starred: bool = False) -> Result:
    rows = [(item.name, item.text, item.remedy, item.share) for item in topic.items]
    table = pd.DataFrame(rows, columns=["item", "text", "remedy", "share"]).dropna(axis="columns", how="all")
    said = {"title": topic.title}
    return Result(table, "models.catalogue.one_topic", said, _own_choice(starred), shown=_topic_shown)


def _topic_shown(table: pd.DataFrame) -> pd.DataFrame:
    words = {
        name: table[name].map(lambda value: "" if value is None else str(value)) for name in table if name != "share"
    }
    return table.assign(**words)


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    kinds = [say(f"models.catalogue.kind_{kind}") for kind in table["kind"]]
    return table.assign(name=table["name"].map(str), kind=kinds)


def glossary(*terms: str) -> Result:
    """List terms of the field with their meaning.

    Parameters
    ----------
    *terms : str
        Which, in order; all by default.

    Returns
    -------
    Result
        Table, one row a term: term (its id), en, zh, meaning_en, meaning_zh. The language in force is shown.

    Raises
    ------
    DataError
        For a term that the glossary does not hold; it names the nearest.

    Examples
    --------
    >>> glossary("funnel", "pipeline").table["zh"].tolist()
    ['销售漏斗', '销售管线']
    """
    table = pd.read_csv(share("data") / "glossary.csv")
    for term in terms:
        if term not in set(table["term"]):
            raise DataError("no_such_term", name=term, nearest=nearest(term, table["term"]))
    if terms:
        table = table.set_index("term").loc[list(terms)].reset_index()
    return Result(table, "models.catalogue.glossary_size", {"n": len(table)}, shown=_terms_for_people)


def _terms_for_people(table: pd.DataFrame) -> pd.DataFrame:
    lang = language()
    return pd.DataFrame({"term": table[lang], "meaning": table[f"meaning_{lang}"]})
