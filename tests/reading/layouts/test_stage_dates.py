"""Wide: columns that date one stage each tell times, names, the order and, without a stage column, the stage."""

import pandas as pd
import pytest

from funnelkit.reading.layouts.stage_dates import dated_names
from funnelkit.reading.read import read


def read_rows(headers, *rows, **options):
    return read(pd.DataFrame([row.split(",") for row in rows], columns=headers.split(","), dtype="str"), **options)


def entries(pipeline):
    days = pipeline.events["entered_at"].dt.strftime("%m-%d").fillna("-")
    return list(zip(pipeline.events["deal_id"], pipeline.events["stage"].astype(str), days, strict=True))


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("hs_v2_date_entered_contractsent", ("contractsent",)),
        ("hs_date_entered_96431907_abc123_999", ("96431907_abc123_999", "96431907_abc123", "96431907")),
        ('Date entered "Offer made (Sales Pipeline)"', ("Offer made",)),
        ("Entered Offer at", ("Offer",)), ("offer_entered", ("offer",)), ("进入“报价”阶段的时间", ("报价",)),
        ("报价阶段进入日期", ("报价",)), ("Offer", ()), ("entered_at", ()), ("Date entered", ()),
        ("Date entered current stage", ()), ("stage entered", ()), ("进入时间", ()), ("hs_v2_date_exited_x", ()),
        ("entered by", ()),
    ],
)  # fmt: skip
def test_headers_that_can_only_date_a_stage(header, names):
    assert dated_names(header) == names


def test_own_stage_ids_with_a_suffix_are_tied_to_their_stage_and_ordered_by_their_dates():
    pipeline = read_rows(
        "hs_object_id,dealstage,createdate,hs_v2_date_entered_9_x_1,hs_v2_date_entered_5_x_2,hs_v2_date_entered_7_x_3",
        "1,5,2026-01-01,2026-01-01,2026-01-02,", "2,9,2026-01-01,2026-01-01,,",
        "3,7,2026-01-01,2026-01-01,2026-01-03,2026-01-04",
    )  # fmt: skip
    assert pipeline.model.stage_ids == ("9", "5", "7")
    assert entries(pipeline)[:2] == [("1", "9", "01-01"), ("1", "5", "01-02")]
    assert (pipeline.events["source"] == "wide").all() and pipeline.limit("one_date_per_stage")


def test_a_stage_in_which_no_deal_stands_now_is_known_by_its_column():
    pipeline = read_rows(
        "id,stage,created,Entered Lead,Entered Offer,Entered Talk",
        "1,Talk,2026-01-01,2026-01-01,2026-01-03,2026-01-09",
        "2,Lead,2026-01-01,2026-01-01,,", "3,Talk,2026-01-01,2026-01-01,2026-01-04,2026-01-05",
    )  # fmt: skip
    assert pipeline.model.stage_ids == ("Lead", "Offer", "Talk")
    assert len(pipeline.events) == 7 and pipeline.rows.quarantined == 0


def test_dates_of_ends_tell_the_close_and_are_no_stages():
    pipeline = read_rows(
        "id,stage,created,Date entered Lead,Date entered Won,Date entered Lost",
        "1,Won,2026-01-01,2026-01-01,2026-01-05,", "2,Lost,2026-01-01,2026-01-01,,2026-01-06",
        "3,Lead,2026-01-01,2026-01-07,,2026-01-02",
    )  # fmt: skip
    assert pipeline.model.stage_ids == ("Lead", "Won")
    assert pipeline.deals["status"].tolist() == ["won", "lost", "open"]  # lost once, and open again
    assert pipeline.deals["closed_at"].dt.day.tolist()[:2] == [5, 6] and pd.isna(pipeline.deals["closed_at"][2])
    assert not pipeline.limit("untimed_closes") and not pipeline.limit("stage_of_loss_unknown")


def test_without_a_stage_column_the_stage_dated_last_is_the_stage():
    rows = ("1,2026-01-01,,", "2,2026-01-01,2026-01-03,", "3,2026-01-01,2026-01-03,2026-01-04", "4,,,")
    named = read_rows("deal_id,Lead entered,Offer entered,Won entered", *rows)
    bare = read_rows("deal_id,Lead,Offer,Won", *rows, stages=["Lead", "Offer", "Won"])
    for pipeline in (named, bare):
        assert pipeline.model.stage_ids == ("Lead", "Offer", "Won")
        assert pipeline.deals["status"].tolist() == ["open", "open", "won"]
        assert pipeline.rows.quarantined == 1  # a deal without any date stands in no stage
        assert entries(pipeline)[-1] == ("3", "Won", "01-04")


def test_a_column_named_as_a_stage_that_holds_no_dates_is_kept_as_it_is():
    pipeline = read_rows("id,stage,Lead", "1,Lead,yes", "2,Won,no", stages=["Lead", "Won"])
    assert pipeline.deals["Lead"].tolist() == ["yes", "no"] and pipeline.limit("one_date_per_stage") is None


def test_the_newer_of_two_columns_for_a_stage_is_taken():
    pipeline = read_rows(
        "hs_object_id,dealstage,createdate,hs_date_entered_contractsent,hs_v2_date_entered_contractsent",
        "1,contractsent,2026-01-01,2026-01-02,2026-01-03",
    )
    assert entries(pipeline) == [("1", "contractsent", "01-03")]
