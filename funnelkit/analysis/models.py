"""The catalogue of models and the glossary as tables."""

from __future__ import annotations

import pandas as pd

from funnelkit.language import DataError, language, nearest, say, share
from funnelkit.models import catalog
from funnelkit.result import Result


def models() -> Result:
    """List the funnel models of the catalogue.

    Returns
    -------
    Result
        Table, one row a model in teaching order: id (what `funnel` and `read(model=)` take), name, n_stages, kind
        (pipeline, influence: counts may grow, or cascade).

    Examples
    --------
    >>> models().table["id"].tolist()[:3]
    ['purchase-5', 'selling-5', 'simple-5']
    """
    rows = [(model.id, model.name, len(model.stages), model.kind) for model in catalog()]
    table = pd.DataFrame(rows, columns=["id", "name", "n_stages", "kind"])
    names = {"id": "model_id", "name": "model_name"}
    return Result(table, "models.catalogue.catalogue_size", {"n": len(table)}, shown=_for_people, names=names)


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
