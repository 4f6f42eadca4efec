"""The statement card of a position, and the test of an advantage: written down, short, proven."""

import pandas as pd

from funnelkit.language import DataError, fold, width
from funnelkit.models import funnel
from funnelkit.result import Result

# The longest text of each part, in columns of a terminal (a Chinese sign takes two); this kit's choice.
LIMITS = {"usp": 120, "smp": 100, "cpp": 40, "pc": 60, "csm": 80}
NO_CLAIM = ("pc",)  # a character is no claim, so it needs no evidence
BLANKS = ("", "...", "…", "-", "–", "?", "？", "tbd", "todo", "n/a", "none", "x", "无", "待定", "没有")
TESTS = ("unique", "different", "important", "lasting")


def statement_card(texts, evidence=None, model="pharma"):
    """Check a statement card: each part filled, short enough, its evidence named, none a copy of another.

    `texts` and `evidence` map a part (usp, smp, cpp, pc, csm) to a text; the product character needs no evidence.
    Returns a Result: part, text, width (Chinese signs count two), limit, evidence, ok. The reading says what each
    faulty part needs. Raises DataError for a part that the card does not have.

    >>> card = statement_card({"usp": "For elderly patients: works in one hour", "cpp": "One hour."})
    >>> card.table[["part", "ok"]].head(2)
      part     ok
    0  usp  False
    1  smp  False
    """
    items = funnel(model).topic("statement-card").items
    given = _by_part(texts, items), _by_part(evidence or {}, items)
    rows, notes = [], []
    for item in items:
        text, proof = (side.get(item.id, "").strip() for side in given)
        faults = _faults(item, text, proof, rows)
        notes += [(f"planning.perceptual_map.{key}", {"part": item.name, **values}) for key, values in faults]
        rows.append((item.id, text, width(text), LIMITS[item.id], proof, not faults))
    table = pd.DataFrame(rows, columns=["part", "text", "width", "limit", "evidence", "ok"])
    key = "planning.perceptual_map.card_ok" if table["ok"].all() else "planning.perceptual_map.card_faulty"
    return Result(table, key, {"n": len(table), "bad": int((~table["ok"]).sum())}, tuple(notes))


def _by_part(texts, items):
    known = [item.id for item in items]
    for name in texts:
        if name not in known:
            raise DataError("card_part", name=name, known=", ".join(known))
    return {name: str(text) for name, text in texts.items() if text is not None}


def _is_blank(text):
    return fold(text) in BLANKS


def _faults(item, text, proof, before):
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


def advantage_test(advantages, model="pharma"):
    """Test advantages: unique, different from the class, important to the audience, lasting.

    Takes a table: advantage, unique, different, important, lasting (True or False). Returns a Result: the same with
    n_passed and passes (all four). The reading names those that pass, else the nearest and what it fails. Raises
    DataError for a missing column or an answer that is neither.

    >>> table = pd.DataFrame({"advantage": ["once a day"], "unique": [False], "different": [True],
    ...                       "important": [True], "lasting": [True]})
    >>> advantage_test(table).reading()
    'No advantage passes all 4 tests. Nearest: once a day, which fails: Unique.'
    """
    for name in ("advantage", *TESTS):
        if name not in advantages:
            raise DataError("no_such_column", name=name, nearest=", ".join(("advantage", *TESTS)))
    for _, row in advantages.iterrows():
        for test in TESTS:
            if row[test] not in (True, False):
                raise DataError("advantage_answer", advantage=row["advantage"], test=test, found=row[test])
    table = advantages[["advantage", *TESTS]].reset_index(drop=True).astype(dict.fromkeys(TESTS, bool))
    table["n_passed"] = table[list(TESTS)].sum(axis=1)
    table["passes"] = table["n_passed"] == len(TESTS)
    return Result(table, *_advantage_words(table, funnel(model).topic("advantage-test")))


def _advantage_words(table, topic):
    if table["passes"].any():
        names = tuple(table.loc[table["passes"], "advantage"])
        return "planning.perceptual_map.advantage_pass", {"names": names, "n": len(TESTS)}
    if table.empty:
        return "planning.perceptual_map.advantage_empty", {}
    nearest = table.loc[table["n_passed"].idxmax()]
    failed = tuple(topic.item(test).text for test in TESTS if not nearest[test])
    return "planning.perceptual_map.advantage_none", {"names": nearest["advantage"], "failed": failed, "n": len(TESTS)}
