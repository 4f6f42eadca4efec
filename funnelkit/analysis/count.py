"""Count deals by the furthest stage that each reached."""

import numpy as np
import pandas as pd

from funnelkit.language import DataError, nearest


def furthest_stage(pipeline):
    """Return the position of the furthest stage that each deal reached, aligned with `pipeline.deals`.

    A won deal has reached at least the model's won stage, or the last stage where it names none. A deal without any
    event is in the first stage: it entered the funnel, and nothing shows more.
    """
    events, deals, model = pipeline.events, pipeline.deals, pipeline.model
    reached = events["stage"].cat.codes.groupby(events["deal_id"]).max()
    furthest = deals["deal_id"].map(reached).fillna(0).astype("int64")
    won = model.stage_ids.index(model.won_stage) if model.won_stage else len(model.stages) - 1
    return furthest.where(deals["status"] != "won", furthest.clip(lower=won))


def count_stages(pipeline, by=None):
    """Return how many deals entered each stage, and of these advanced, were lost there, or are still open.

    Returns [by], stage (ordered categorical), n_entered, n_advanced, n_lost, n_open, value (sum of the amounts of
    those who entered; NaN where no amount is known). A deal counts in every stage up to the furthest it reached, so a
    skipped stage counts as entered; n_entered = n_advanced + n_lost + n_open. A won deal has advanced from the last
    stage that it entered unless later stages follow (customer care), where it is still open. Void deals are left out.
    Stages that nobody reached are rows of zeros. A counts source returns its own table.

    >>> from funnelkit.models import custom
    >>> from funnelkit.pipeline import Pipeline
    >>> model = custom(["Lead", "Offer"])
    >>> deals = pd.DataFrame({"deal_id": ["a", "b", "c"], "status": ["won", "lost", "open"], "amount": [5.0, 3.0, 2.0]})
    >>> stage = pd.Categorical(["Lead", "Offer", "Lead"], categories=model.stage_ids, ordered=True)
    >>> events = pd.DataFrame({"deal_id": ["a", "b", "c"], "stage": stage})
    >>> count_stages(Pipeline(model, deals, events, pd.Timestamp("2026-01-01")))
       stage  n_entered  n_advanced  n_lost  n_open  value
    0   Lead          3           2       0       1   10.0
    1  Offer          2           1       1       0    8.0
    """
    if pipeline.counts is not None:
        return pipeline.counts.copy()
    kept = pipeline.deals["status"] != "void"
    deals = pipeline.deals[kept].assign(_furthest=furthest_stage(pipeline)[kept])
    if by is None:
        return _count_one(deals, pipeline.model)
    if by not in deals.columns:
        raise DataError("no_such_column", name=by, nearest=nearest(by, pipeline.deals.columns))
    groups = deals.groupby(by, dropna=False, observed=True, sort=True)
    parts = [_count_one(group, pipeline.model).assign(**{by: value}) for value, group in groups]
    columns = [by, *_count_one(deals.iloc[:0], pipeline.model).columns]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _count_one(deals, model):
    """Count one group of deals whose `_furthest` is known."""
    size = len(model.stages)
    furthest, status = deals["_furthest"].to_numpy(), deals["status"].to_numpy()
    at_stage = np.bincount(furthest, minlength=size)
    entered = at_stage[::-1].cumsum()[::-1]
    lost = np.bincount(furthest[status == "lost"], minlength=size)
    stays = (status == "open") | ((status == "won") & (furthest < size - 1))
    still_open = np.bincount(furthest[stays], minlength=size)
    amount = deals["amount"].to_numpy(dtype=float)
    value = np.bincount(furthest, weights=np.nan_to_num(amount), minlength=size)[::-1].cumsum()[::-1]
    known = np.bincount(furthest[~np.isnan(amount)], minlength=size)[::-1].cumsum()[::-1]
    return pd.DataFrame(
        {
            "stage": pd.Categorical(model.stage_ids, categories=model.stage_ids, ordered=True),
            "n_entered": entered,
            "n_advanced": entered - lost - still_open,
            "n_lost": lost,
            "n_open": still_open,
            "value": np.where((known > 0) | (entered == 0), value, np.nan),
        }
    )
