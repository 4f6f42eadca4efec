"""The statement card of a position, and the test of an advantage: written down, short, proven."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from funnelkit.language import DataError, fold, width
from funnelkit.models import Funnel, funnel
from funnelkit.result import Result, table_of
from funnelkit.stats import leaders

# The longest text of each part, in columns of a terminal (a Chinese sign takes two); this kit's choice.
Texts = Mapping[str, Any]
LIMITS = {"usp": 120, "smp": 100, "cpp": 40, "pc": 60, "csm": 80}
NO_CLAIM = ("pc",)  # a character is no claim, so it needs no evidence
BLANKS = ("", "...", "…", "-", "–", "?", "？", "tbd", "todo", "n/a", "none", "x", "无", "待定", "没有")
TESTS = ("unique", "different", "important", "lasting")


def statement_card(
    texts: Mapping[str, Any], evidence: Mapping[str, Any] | None = None, model: str | Funnel = "pharma"
) -> Result:
    """Check a statement card: each part filled, short enough, its evidence named, none a copy of another.

    Parameters
    ----------
    texts, evidence, model
        A part (usp, smp, cpp, pc, csm) to its text, and to what proves it; the product character needs no evidence.

    Returns
    -------
    Result
        part, text, width (Chinese signs count two), limit, evidence, ok.

    Raises
    ------
    DataError
        For a part that the card does not have.

    Notes
    -----
    The limits of length are this kit's choice.

    Examples
    --------
    >>> card = statement_card({"usp": "For elderly patients: works in one hour", "cpp": "One hour."})
    >>> card.table["ok"].tolist()
    [False, False, False, False, False]
    """
    return _checked(texts, evidence or {}, funnel(model))


def _checked(texts: Texts, evidence: Texts, model: Funnel) -> Result:
    items: Any = model.topic("statement-card").items
    given = _by_part(texts, items), _by_part(evidence, items)
    rows: list[Any] = []
    notes: list[tuple[str, dict[str, Any]]] = []
    for item in items:
        text, proof = (side.get(item.id, "").strip() for side in given)
        faults = _faults(item, text, proof, rows)
        notes += [(f"planning.perceptual_map.{key}", {"part": item.name, **values}) for key, values in faults]
        rows.append((item.id, text, width(text), LIMITS[item.id], proof, not faults))
    table = pd.DataFrame(rows, columns=["part", "text", "width", "limit", "evidence", "ok"])
    key = "planning.perceptual_map.card_ok" if table["ok"].all() else "planning.perceptual_map.card_faulty"
    values = {"n": len(table), "bad": int((~table["ok"]).sum())}
    return Result(table, key, values, tuple(notes), model=model, shown=["part", "text", "evidence", "ok"])


def _by_part(texts: Mapping[str, Any], items: Any) -> dict[str, str]:
    known = [item.id for item in items]
    for name in texts:
        if name not in known:
            raise DataError("card_part", name=name, known=", ".join(known))
    return {name: str(text) for name, text in texts.items() if text is not None}


def _is_blank(text: str) -> bool:
    return fold(text) in BLANKS


def _faults(item: Any, text: str, proof: str, before: list[tuple[Any, ...]]) -> list[tuple[str, dict[str, Any]]]:
    """Return (key, values) of everything wrong with one part; an empty part is only empty."""
    if _is_blank(text):
        return [("card_empty", {"hint": item.text})]
    faults = []
    if width(text) > LIMITS[item.id]:
        faults.append(("card_long", {"length": width(text), "limit": LIMITS[item.id]}))
    if item.id not in NO_CLAIM and _is_blank(proof):
        faults.append(("card_evidence", {}))
    same = next((part for part, other, *_ in before if fold(other) == fold(text)), None)
    return [*faults, ("card_twice", {"other": same.upper()})] if same else faults


def advantage_test(advantages: Result | pd.DataFrame, model: str | Funnel = "pharma") -> Result:
    """Test advantages: unique, different from the class, important to the audience, lasting.

    Parameters
    ----------
    advantages : Result or DataFrame
        advantage, unique, different, important, lasting (True or False).
    model : str or Funnel
        Whose catalogue holds the tests.

    Returns
    -------
    Result
        The same with n_passed and passes (all four).

    Raises
    ------
    DataError
        For a missing column or an answer that is neither.

    Notes
    -----
    The reading names those that pass, else the nearest and what it fails.

    Examples
    --------
    >>> table = pd.DataFrame({"advantage": ["once a day"], "unique": [False], "different": [True],
    ...                       "important": [True], "lasting": [True]})
    >>> advantage_test(table).reading()
    'No advantage passes all 4 tests. Nearest: once a day, which fails on: Unique.'
    """
    return _tested(table_of(advantages), funnel(model))


def _tested(answers: pd.DataFrame, model: Funnel) -> Result:
    for name in ("advantage", *TESTS):
        if name not in answers:
            raise DataError("no_such_column", name=name, nearest=", ".join(("advantage", *TESTS)))
    for _, row in answers.iterrows():
        for test in TESTS:
            if row[test] not in (True, False):
                raise DataError("advantage_answer", advantage=row["advantage"], test=test, found=row[test])
    table = answers[["advantage", *TESTS]].reset_index(drop=True).astype(dict.fromkeys(TESTS, bool))
    table["n_passed"] = table[list(TESTS)].sum(axis=1)
    table["passes"] = table["n_passed"] == len(TESTS)
    return Result(table, *_advantage_words(table, model.topic("advantage-test")), model=model)


def _advantage_words(table: pd.DataFrame, topic: Any) -> tuple[str, dict[str, Any]]:
    if table["passes"].any():
        names = tuple(table.loc[table["passes"], "advantage"])
        return "planning.perceptual_map.advantage_pass", {"names": names, "n": len(TESTS)}
    if table.empty:
        return "planning.perceptual_map.advantage_empty", {}
    near = table.iloc[leaders(table["n_passed"].to_numpy())]
    if len(near) > 1:
        values = {"names": near["advantage"].tolist(), "n_passed": int(near["n_passed"].iloc[0]), "n": len(TESTS)}
        return "planning.perceptual_map.advantage_none_tied", values
    nearest = near.iloc[0]
    failed = tuple(topic.item(test).text for test in TESTS if not nearest[test])
    return "planning.perceptual_map.advantage_none", {"names": nearest["advantage"], "failed": failed, "n": len(TESTS)}
