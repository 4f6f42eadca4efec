"""Positioning: the perceptual map of a ratings table with the needs' weights, and the SPACE profile against rivals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.language import DataError, fold, nearest
from funnelkit.models import Funnel, funnel
from funnelkit.result import Result, table_of
from funnelkit.stats import leaders

TINY, NAN = 1e-9, np.nan
_LONG = ("product", "attribute", "rating")


@dataclass(frozen=True, eq=False, repr=False)
class PerceptualMap(Result):
    """The map's table with its reading; `explained` are the shares of variance of all components, largest first."""

    explained: tuple[float, ...] = ()


def mean_ratings(ratings: Result | pd.DataFrame) -> pd.DataFrame:
    """Return the mean rating of every product (rows) on every attribute (columns).

    Parameters
    ----------
    ratings : DataFrame
        Long: product, attribute, rating, one row an answer (missing answers are left out). Or wide: a column product,
        or product names as index, and a column of numbers for each attribute.

    Returns
    -------
    DataFrame
        One row a product, one column an attribute.

    Raises
    ------
    DataError
        Where a product has no answer on an attribute, a rating is no number, or fewer than two of either are there.

    Notes
    -----
    A table of plain means, for one's own calculations: its rows are named by product.

    Examples
    --------
    >>> long = pd.DataFrame({"product": list("AAB"), "attribute": "price", "rating": [1, 3, 4]})
    >>> mean_ratings(pd.concat([long, long.assign(attribute="effect")])).loc["A", "price"].item()
    2.0
    """
    wide = _wide(table_of(ratings))
    for product, row in wide.iterrows():
        for attribute, value in row.items():
            if not np.isfinite(value):
                raise DataError("rating_missing", product=product, attribute=attribute)
    if min(wide.shape) < 2:
        raise DataError("ratings_too_few", products=wide.shape[0], attributes=wide.shape[1])
    return wide


def _wide(ratings: pd.DataFrame) -> pd.DataFrame:
    if set(_LONG) <= set(ratings.columns):
        scores = _numbers(ratings["rating"], ratings["product"], ratings["attribute"])
        long = pd.DataFrame({"product": ratings["product"], "attribute": ratings["attribute"], "rating": scores})
        order = [list(dict.fromkeys(long[name])) for name in ("product", "attribute")]
        means = long.groupby(["product", "attribute"], observed=True, sort=False)["rating"].mean().unstack("attribute")
        return means.reindex(index=order[0], columns=order[1])
    wide = ratings.set_index("product") if "product" in ratings else ratings
    if wide.index.has_duplicates:
        raise DataError("rating_twice", product=wide.index[wide.index.duplicated()][0])
    return wide.apply(lambda column: _numbers(column, wide.index, [column.name] * len(column)))


def _numbers(values: Any, products: Any, attributes: Any) -> pd.Series[Any]:
    """Return ratings as floats, missing ones NaN; refuse what is no number, by product and attribute."""
    scores = pd.to_numeric(values, errors="coerce").astype(float)
    for value, score, product, attribute in zip(values, scores, products, attributes, strict=True):
        if not np.isfinite(score) and not pd.isna(value):
            raise DataError("rating_not_number", found=value, product=product, attribute=attribute)
    return scores


def perceptual_map(
    ratings: Result | pd.DataFrame, weights: Mapping[str, float] | None = None, *, ours: str | None = None
) -> PerceptualMap:
    """Place products and attributes on one map, so that near products are seen as alike where the needs count.

    Parameters
    ----------
    ratings : DataFrame
        As `mean_ratings` takes them.
    weights : mapping, optional
        Weight of the need of an attribute (0 or more; 1 each without it).
    ours : str, optional
        Our product's name, drawn in the accent colour.

    Returns
    -------
    PerceptualMap
        kind (product, attribute, needs), name, weight, score (a product's weighted mean rating), x, y, quality (share
        of the row's variance shown).

    Notes
    -----
    A biplot (Gabriel 1971): the singular value decomposition of the centred ratings times the root of the weights,
    products U S, attributes V. Products further along `needs` serve the weighted needs better. Each axis points the way
    in which its attributes' sum grows, whatever the order of rows and columns. DataError refuses a bad rating or
    weight, and products that are all rated alike.

    Examples
    --------
    >>> ratings = pd.DataFrame({"product": ["Ours", "A", "B"], "effect": [9, 5, 4], "price": [3, 4, 8]})
    >>> perceptual_map(ratings).table["score"].head(3).tolist()
    [6.0, 4.5, 6.0]
    """
    wide = mean_ratings(ratings)
    return _mapped(wide, _weights(weights, wide.columns), ours)


def _mapped(wide: pd.DataFrame, weight: Any, ours: str | None) -> PerceptualMap:
    values = wide.to_numpy(float)
    spread = (values - values.mean(axis=0)) * np.sqrt(weight)
    left, size, right = np.linalg.svd(spread, full_matrices=False)
    if size[0] < TINY * max(1.0, np.abs(values).max()):
        raise DataError("ratings_alike")
    signs = _orientation(right, weight, list(wide.columns))
    places, arrows = (left * size * signs)[:, :2], (right * signs[:, None]).T[:, :2]
    explained = tuple(float(share) for share in size**2 / np.sum(size**2))
    score = values @ weight / weight.sum()
    rows = (
        _rows("product", wide.index, places, _quality(places, spread), score=score),
        _rows("attribute", wide.columns, arrows, _attribute_quality(arrows, size, spread), weight=weight),
        _rows("needs", ["needs"], (np.sqrt(weight) @ arrows)[None, :], np.nan),
    )
    table = pd.concat(rows, ignore_index=True)
    key, values, notes = _map_words(table, explained)
    return PerceptualMap(
        table, key, {**values, "ours": ours}, notes, explained, picture="map_chart", shown=_products_by_score
    )


def _products_by_score(table: pd.DataFrame) -> pd.DataFrame:
    products = table[table["kind"] == "product"].sort_values("score", ascending=False, kind="stable")
    return products[["name", "score"]].rename(columns={"name": "product"})


def _weights(weights: Mapping[str, float] | None, attributes: Any) -> Any:
    """Return one weight for each attribute, their mean 1."""
    given = dict(weights or {})
    for name, weight in given.items():
        if name not in attributes:
            raise DataError("weight_unknown", name=name, nearest=nearest(name, attributes))
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < np.inf:
            raise DataError("weight_bad", name=name, found=weight)
    chosen = np.array([float(given.get(name, 1.0)) for name in attributes])
    if chosen.sum() == 0:
        raise DataError("weights_zero")
    return chosen / chosen.mean()


def _orientation(right: Any, weight: Any, names: list[Any]) -> Any:
    """Return +1 or -1 for each component, depending on nothing but the attributes' loadings and names."""
    signs = []
    for loading in right:
        total = float(np.sqrt(weight) @ loading)
        if abs(total) < 1e-6:
            total = max(
                zip(np.round(np.abs(loading), 9), names, loading, strict=True), key=lambda row: (row[0], str(row[1]))
            )[2]
        signs.append(-1.0 if total < 0 else 1.0)
    return np.array(signs)


def _rows(
    kind: str, names: Any, places: Any, quality: Any, *, weight: Any = np.nan, score: Any = np.nan
) -> pd.DataFrame:
    table = pd.DataFrame({"kind": kind, "name": [str(name) for name in names], "weight": weight, "score": score})
    return table.assign(x=places[:, 0], y=places[:, 1], quality=quality)


def _quality(places: Any, spread: Any) -> Any:
    whole = (spread**2).sum(axis=1)
    return np.divide((places**2).sum(axis=1), whole, out=np.ones_like(whole), where=whole > TINY)


def _attribute_quality(arrows: Any, size: Any, spread: Any) -> Any:
    whole = (spread**2).sum(axis=0)
    shown = ((arrows * size[: arrows.shape[1]]) ** 2).sum(axis=1)
    return np.divide(shown, whole, out=np.ones_like(whole), where=whole > TINY)


def _map_words(table: pd.DataFrame, explained: tuple[float, ...]) -> Any:
    """Return the leading sentence and notes: what the map shows, who serves the needs best, who is seen as alike."""
    products = table[table["kind"] == "product"].reset_index(drop=True)
    shown = 100 * sum(explained[:2])
    best = products.iloc[leaders(products["score"].to_numpy())]
    notes = [_one_or_tied("best", {"name": best["name"].iloc[0], "score": best["score"].iloc[0]},
                          {"names": best["name"].tolist()})]  # fmt: skip
    gap = np.hypot(*(products[[axis]].to_numpy() - products[[axis]].to_numpy().T for axis in "xy"))
    np.fill_diagonal(gap, np.inf)
    if len(products) > 2:
        gap[np.tril_indices(len(gap))] = np.inf  # each pair once
        pairs = [(products["name"][at // len(gap)], products["name"][at % len(gap)])
                 for at in leaders(gap.ravel(), least=True)]  # fmt: skip
        one, other = pairs[0]
        tied = {"pairs": [f"{one} – {other}" for one, other in pairs]}
        notes.append(_one_or_tied("near", {"one": one, "other": other}, tied))
    if shown < 70:
        notes.append(("planning.perceptual_map.weak_map", {"shown": shown}))
    first = 100 * explained[0]
    return "planning.perceptual_map.explained", {"shown": shown, "first": first, "second": shown - first}, tuple(notes)


def _one_or_tied(key: str, one: dict[str, Any], tied: dict[str, list[Any]]) -> tuple[str, dict[str, Any]]:
    """Return the note on the one that leads, or the one on all that share its place."""
    many = any(len(names) > 1 for names in tied.values())
    return f"planning.perceptual_map.{key}{'_tied' if many else ''}", {**one, **tied}


def space_profile(ratings: Result | pd.DataFrame, ours: str) -> Result:
    """Compare our product with its rivals on safety, performance, appearance, convenience and economy.

    Parameters
    ----------
    ratings : DataFrame
        As `mean_ratings` takes them, attributes named by id or in either language.
    ours : str
        Our product's name.

    Returns
    -------
    Result
        dimension, ours, rival_mean, best_rival, rival (its name), lead (ours less the best rival).

    Raises
    ------
    DataError
        For a dimension that is missing and for a product that is not there.

    Notes
    -----
    The reading names our strongest and weakest dimension.

    Examples
    --------
    >>> ratings = pd.DataFrame({"product": ["Ours", "A"], "safety": [8, 6], "performance": [7, 7],
    ...                         "appearance": [5, 6], "convenience": [9, 4], "economy": [4, 7]})
    >>> space_profile(ratings, "Ours").table["lead"].tolist()
    [2.0, 0.0, -1.0, 5.0, -3.0]
    """
    model = funnel("pharma")
    return _profile(mean_ratings(ratings), ours, model)


def _profile(wide: pd.DataFrame, ours: str, model: Funnel) -> Result:
    items: Any = model.topic("space").items
    by_fold = {fold(name): name for name in wide.columns}
    columns = {}
    for item in items:
        named = [by_fold[fold(name)] for name in (item.id, *item.name) if fold(name) in by_fold]
        if not named:
            raise DataError("space_missing", dimension=item.name.en, known=", ".join(map(str, wide.columns)))
        columns[item.id] = wide[named[0]]
    space = pd.DataFrame(columns)
    if ours not in space.index:
        raise DataError("no_such_product", name=ours, nearest=nearest(ours, space.index))
    rivals = space.drop(index=ours)
    dimensions = pd.Categorical(list(columns), categories=list(columns), ordered=True)
    table = pd.DataFrame({"dimension": dimensions, "ours": space.loc[ours].to_numpy()})
    table["rival_mean"], table["best_rival"] = rivals.mean().to_numpy(), rivals.max().to_numpy()
    best = [rivals.index[leaders(rivals[name].to_numpy())].tolist() for name in columns]
    table["rival"] = [names[0] for names in best]
    table["lead"] = table["ours"] - table["best_rival"]
    key, values, notes = _space_words(table.assign(rival=[list(map(str, names)) for names in best]), items)
    names = {item.id: item.name for item in items}
    shown = partial(_named, names)
    return Result(table, key, {**values, "ours": ours}, notes, model=model, picture="space_chart", shown=shown)


def _named(names: Mapping[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(dimension=[str(names[dimension]) for dimension in table["dimension"]])


def _space_words(table: pd.DataFrame, items: Any) -> Any:
    names = {item.id: item.name for item in items}
    notes = []
    for kind in ("lead", "gap"):
        rows = table.iloc[leaders(table["lead"].to_numpy(), least=kind == "gap")]
        row = rows.iloc[0]
        there = (row["lead"] > 0) == (kind == "lead") and row["lead"]
        one = {"dimension": names[row["dimension"]], "points": abs(row["lead"]), "rival": row["rival"]}
        tied = {"dimensions": [names[dimension] for dimension in rows["dimension"]]}
        notes.append(_one_or_tied(f"space_{kind}" if there else f"space_no_{kind}", one, tied))
    return "planning.perceptual_map.space", {"ahead": int((table["lead"] > 0).sum()), "n": len(table)}, tuple(notes)
