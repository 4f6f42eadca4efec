"""Options of reading: one of the wrong type is told what is wanted."""

import pytest

from funnelkit.language import DataError, use_language
from funnelkit.reading import READING_OPTIONS, read

STAGES = ["Lead", "Offer", "Won"]
COLUMNS = {"deal_id": ["a", "b"], "stage": ["Lead", "Won"], "created": ["2026-01-05", "2026-01-07"]}


WRONG = [
    ({"map": ["stage"]}, "map=['stage']: this takes a dict from the kit's column to yours, such as {'stage': 'Phase'}.",
     "字典，例如 {'stage': 'Phase'}。"),
    ({"on": "account"}, "on='account': this takes a dict", "字典"),
    ({"decimal": ";"}, "decimal=';': this takes the decimal mark, '.' or ','.", "小数点"),
    ({"date_order": "dm"}, "date_order='dm': this takes the order of day, month and year: 'dmy', 'mdy'", "顺序"),
    ({"encoding": 8}, "encoding=8: this takes a text.", "文本"),
    ({"progress": True}, "progress=True: this takes a function, called with the share read.", "函数"),
    ({"collapse": "no"}, "collapse='no': this takes True or False.", "True 或 False"),
    ({"quarantine": 1}, "quarantine=1: this takes the path of a file.", "文件路径"),
    ({"join": "accounts.csv"}, "join='accounts.csv': this takes a list of sources, such as ['accounts.csv'].", "列表"),
    ({"stages": 3}, "stages=3: this takes a list of stage names in order.", "列表"),
    ({"stages": None, "model": 3}, "model=3: this takes a Funnel, the id of a model or the path", "模型文件的路径"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "english", "chinese"), WRONG)
def test_an_option_of_the_wrong_type_is_told_what_is_wanted(wrong, english, chinese):
    with pytest.raises(DataError) as caught:
        read(COLUMNS, **{"stages": STAGES, **wrong})
    assert str(caught.value).startswith(english)
    use_language("zh")
    assert chinese in str(caught.value)


def test_what_a_report_may_say_are_options_of_read():
    assert "decimal" in READING_OPTIONS and not {"progress", "bounds"} & set(READING_OPTIONS)
    read(COLUMNS, stages=STAGES, **dict.fromkeys(set(READING_OPTIONS) - {"collapse"}))
