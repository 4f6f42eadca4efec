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
