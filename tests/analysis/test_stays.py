import pandas as pd
import pytest

from funnelkit.analysis.stays import find_spells
from funnelkit.models.funnel import custom, funnel
from funnelkit.pipeline import Limit, Pipeline
from funnelkit.result import LimitError

DAY = pd.Timestamp("2026-01-01")


def pipeline(deals, events, model=None, limits=()):
    """Build a Pipeline from (id, status, closed day) and (id, stage, day)."""
    model = model or custom(["Lead", "Offer", "Won"], won_stage="Won")
    columns = ["deal_id", "status", "created_at", "closed_at", "team"]
    table = pd.DataFrame([(name, status, DAY, _day(at), "N") for name, status, at in deals], columns=columns)
    log = pd.DataFrame([(name, _day(at)) for name, _, at in events], columns=["deal_id", "entered_at"])
    log["stage"] = pd.Categorical([row[1] for row in events], categories=model.stage_ids, ordered=True)
    return Pipeline(model, table, log.assign(source="history"), DAY + pd.Timedelta(days=100), limits=limits)


def _day(number):
    return pd.NaT if number is None else DAY + pd.Timedelta(days=number)


def rows(found):
    return found.table[["deal_id", "stage", "exit", "days"]].astype({"stage": str, "exit": str}).values.tolist()


def test_every_way_out():
    deals = [("a", "won", 9), ("b", "lost", 20), ("c", "open", None), ("d", "open", None)]
    events = [("a", "Lead", 0), ("a", "Offer", 4), ("a", "Won", 9), ("b", "Lead", 0), ("c", "Lead", 0),
              ("c", "Offer", 3), ("c", "Lead", 5), ("d", "Lead", 0), ("d", "Lead", 50)]  # fmt: skip
    assert rows(find_spells(pipeline(deals, events))) == [
        ["a", "Lead", "advanced", 4.0], ["a", "Offer", "advanced", 5.0], ["b", "Lead", "lost", 20.0],
        ["c", "Lead", "advanced", 3.0], ["c", "Offer", "back", 2.0], ["c", "Lead", "open", 95.0],
        ["d", "Lead", "open", 100.0],
    ]  # fmt: skip


def test_void_untimed_and_endless_deals_are_left_out():
    deals = [("a", "void", 9), ("b", "lost", None), ("c", "open", None), ("d", "lost", 5)]
    events = [("a", "Lead", 0), ("b", "Lead", 0), ("c", "Lead", 0), ("c", "Offer", None), ("d", "Lead", 0)]
    assert rows(find_spells(pipeline(deals, events))) == [["d", "Lead", "lost", 5.0]]


def test_a_win_without_its_event_still_ends_the_stay():
    assert rows(find_spells(pipeline([("a", "won", 7)], [("a", "Lead", 0)]))) == [["a", "Lead", "advanced", 7.0]]


def test_care_after_the_win_goes_on():
    model = custom(["Lead", "Won", "Care"], won_stage="Won")
    found = find_spells(pipeline([("a", "won", 7)], [("a", "Lead", 0), ("a", "Won", 7)], model))
    assert rows(found) == [["a", "Lead", "advanced", 7.0], ["a", "Won", "open", 93.0]]


def test_late_closes_delay_the_entry():
    late = (Limit("closes_start_late", {"first_close": "2026-01-31"}),)
    found = find_spells(pipeline([("a", "open", None)], [("a", "Lead", 10)], limits=late), by="team")
    assert found.table[["entry_days", "team"]].values.tolist() == [[20.0, "N"]]


def test_no_history_is_refused_unless_columns_are_dated():
    none = pipeline([("a", "open", None)], [("a", "Lead", 0)], limits=(Limit("no_history"),))
    with pytest.raises(LimitError, match="no log of stage changes"):
        find_spells(none)
    both = pipeline(
        [("a", "open", None)], [("a", "Lead", 0)], limits=(Limit("no_history"), Limit("one_date_per_stage"))
    )
    assert len(find_spells(both).table) == 1


def test_stages_keep_the_order_of_the_model():
    model = funnel("simple-5")
    found = find_spells(pipeline([("a", "open", None)], [("a", "interested", 1)], model))
    assert tuple(found.table["stage"].cat.categories) == model.stage_ids


def test_a_list_of_stays_reads_and_shows_itself():
    found = find_spells(pipeline([("a", "open", None), ("b", "won", 7)], [("a", "Lead", 10), ("b", "Lead", 0)]), "team")
    assert found.reading().startswith("1 of the 2 stays is still in progress")
    assert found.show("zh").text.splitlines()[0].split() == [
        "商机",
        "团队",
        "阶段",
        "进入时间",
        "离开时间",
        "天数",
        "离开方式",
    ]
