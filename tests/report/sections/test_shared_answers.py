"""Shared answers: a table that was written to is another one, one that was not is hashed once."""

import pandas as pd
import pytest

from funnelkit.report.sections import shared_answers

WRITES = {
    "text": lambda table: table.loc.__setitem__((0, "owner"), "Zhou"),
    "number": lambda table: table.at.__setitem__((0, "amount"), 5.0),
    "day": lambda table: table.iloc.__setitem__((0, 2), pd.Timestamp("2020-01-01")),
    "stage": lambda table: table.loc.__setitem__((0, "stage"), "won"),
    "column": lambda table: table.__setitem__("amount", [7.0, 8.0]),
    "new column": lambda table: table.insert(0, "q", 1),
    "fewer": lambda table: table.pop("owner"),
    "name": lambda table: setattr(table, "columns", ["who", "amount", "created_at", "stage"]),
    "index": lambda table: setattr(table, "index", [1, 2]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_table_that_was_written_to_is_another(write, monkeypatch):
    days = pd.to_datetime(["2024-01-01", "2024-02-01"])
    stages = pd.Categorical(["lead", "won"], categories=["lead", "won"])
    table = pd.DataFrame({"owner": ["Li", "Wang"], "amount": [1.0, 2.0], "created_at": days, "stage": stages})
    first, again = shared_answers._digest(table), table.copy()
    with monkeypatch.context() as patch:
        patch.setattr(pd.util, "hash_pandas_object", lambda *_: pytest.fail("read again"))
        assert shared_answers._digest(table) == first
    assert shared_answers._digest(again) == first, "what it holds counts, not which object it is"
    write(table)
    assert shared_answers._digest(table) != first
