"""Proposals by what the cells hold, where no header says it."""

import pytest

from funnelkit import read
from funnelkit.language import DataError
from funnelkit.reading import mapping_text

DEALS = {
    "Enquiry No.": [f"ENQ/{at:05}" for at in range(12)],
    "Position": ["Enquiry", "Quote out", "Declined by buyer"] * 4,
    "Branch": ["Pune", "Chennai"] * 6,
    "Party": [f"Buyer {at}" for at in range(12)],
}


def test_the_column_that_names_an_exit_is_proposed_as_the_stage():
    with pytest.raises(DataError) as refused:
        read(DEALS)
    assert "no column for 'stage'" in str(refused.value) and "It may be 'Position'." in str(refused.value)
    draft = mapping_text(refused.value)
    assert 'stage = "Position"  # perhaps: Enquiry, Quote out, Declined by buyer' in draft
    assert 'lost = ["Declined by buyer"]' in draft and '# "Branch"  # kept as it is' in draft


def test_without_an_exit_no_column_is_proposed():
    with pytest.raises(DataError) as refused:
        read(DEALS | {"Position": ["Enquiry", "Quote out", "Dispatch"] * 4})
    assert "Position'." not in str(refused.value)


def test_dates_that_are_of_no_stage_and_columns_that_are_no_id_are_kept():
    days = [f"2026-03-{day:02}" for day in range(1, 13)]
    rows = {"商机编号": [f"S{at}" for at in range(12)], "商机阶段": ["甲", "乙", "丙", "赢单"] * 3, "创建时间": days,
            "最后修改时间": days, "Updated at": days, "乙日期": days}  # fmt: skip
    with pytest.raises(DataError) as refused:
        read(rows)
    draft = mapping_text(refused.value)
    assert "entered_at" not in draft and '# "最后修改时间"  # kept as it is' in draft
    assert '# "乙日期"  # likely the date of a stage' in draft and '# "Updated at"  # kept as it is' in draft
    with pytest.raises(DataError, match=r"It may be 'messageNo'\."):
        read({"appId": [1] * 4, "messageNo": [5, 6, 7, 8], "Stage": ["A", "Won"] * 2, "Changed at": days[:4]})
