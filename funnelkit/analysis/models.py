"""The catalogue of models as a table."""

from __future__ import annotations

import pandas as pd

from funnelkit.language import say
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
