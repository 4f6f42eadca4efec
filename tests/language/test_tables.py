"""What people read: numbers, rates, tables; nothing of the data becomes markup."""

import pandas as pd
import pytest

from funnelkit.analysis.rates import rate_table
from funnelkit.language import formats, in_words, tables
from funnelkit.language.terminal import width
from funnelkit.language.texts import say
from funnelkit.models.funnel import funnel
from funnelkit.stats.rates import rate_columns
from tests.support.speech import spoken


@pytest.mark.parametrize(
    ("rate", "text"), [(0.6315, "63.2%"), (0.63149, "63.1%"), (1.0, "100.0%"), (0.0005, "0.1%"), (0.00049, "0.0%")]
)
def test_percent_rounds_halves_up(rate, text):
    assert formats.percent(rate) == text


def test_rate_text_in_both_languages():
    row = {name: values.item() for name, values in rate_columns(4238, 6711).items()}
    assert formats.rate_text(row) == "63.2% [62.0, 64.3] (n = 6,711)"
    assert spoken("zh", lambda: formats.rate_text(row)) == "63.2% [62.0, 64.3]（n = 6,711）"


def test_unknown_rates_are_words_not_numbers():
    nobody = {"k": 0, "n": 0, "rate": float("nan"), "low": float("nan"), "high": float("nan"), "n_open": 0}
    assert formats.rate_text(nobody) == "n/a (0 entered)"
    assert spoken("zh", lambda: formats.rate_text(nobody)) == "不适用（进入 0）"
    assert formats.rate_text({**nobody, "n_open": 5}) == "not yet known (all 5 open)"


def test_show_names_stages_and_joins_the_rate():
    model = funnel("industrial-8")
    counts = pd.DataFrame(
        {
            "stage": model.stage_ids[:2],
            "n_entered": [1000, 4],
            "n_advanced": [4, 0],
            "n_lost": [996, 0],
            "n_open": [0, 4],
        }
    )
    shown = spoken(
        "zh", lambda: tables.show(counts.join(rate_table(counts).table[["k", "n", "rate", "low", "high"]]), model=model)
    )
    head, first, second = shown.text.splitlines()
    assert head.split() == ["阶段", "进入数", "升迁数", "流失数", "进行中", "阶段升迁率"]
    assert first.split()[:2] == ["项目立项", "1,000"]
    assert second.endswith("尚未可知（4 个均在进行中）")
    assert width(head) == width(first) == width(second), "columns align by display width"


HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "$$", "_hidden", "a & b"]


def test_nothing_of_the_data_becomes_markup():
    table = pd.DataFrame({"account<b>": HOSTILE, "n_entered": range(5)})
    html = tables.show(table, caption="<i>caption</i>").html
    for raw in ("<script", "<img", "<b>", "<i>"):
        assert raw not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html and "a &amp; b" in html
    assert "<script" not in tables.note(HOSTILE[0]).html
    assert "<script" not in tables.bullets(HOSTILE).html


def test_money_is_whole_and_dates_are_written_out():
    table = pd.DataFrame({"amount": [1234.56, None], "closed_at": [pd.Timestamp("2026-03-01 10:00"), pd.NaT]})
    assert tables.show(table).text.splitlines()[1:] == [" 1,235  1 March 2026", "     –  –"]


@pytest.mark.parametrize(
    ("column", "texts"),
    [([39.9999999, 9.999999975], ["40", "10"]), ([39.9, 10.0], ["39.90", "10.00"]), ([1e-9, 0.5], ["0.00", "0.50"])],
)
def test_whole_numbers_have_no_decimals_whatever_a_product_of_rates_made_of_them(column, texts):
    shown = tables.show(pd.DataFrame({"stage": ["a", "b"], "n_entered": column})).text
    assert [line.split()[-1] for line in shown.splitlines()[1:]] == texts


def test_show_does_not_mutate():
    table = pd.DataFrame({"stage": ["a"], "n_entered": [3]})
    before = table.copy()
    tables.show(table)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize(
    ("texts", "number"),
    [
        (["5.8% [2.3, 14.0] (n = 69)", "–"], True),
        (["63.2% [62.0, 64.3]（n = 6,711）"], True),
        (["7 – 16"], True),
        (["CN¥1,200", "¥1.2亿"], True),
        (["D0001"], False),
        (["2025-12", "2025-12-30 - 2026-03-31"], False),
        (["30 December 2025"], False),
        (["–"], False),
    ],
)
def test_numbers_stand_right_and_texts_left(texts, number):
    html = tables.show(pd.DataFrame({"mine": texts})).html
    assert html.count("text-align:right") == (len(texts) + 1) * number
    assert html.count("text-align:left") == (len(texts) + 1) * (not number)


def test_dates_and_amounts_are_written_out_in_sentences():
    text = {"value": "2025-12-30 16:04:00"}
    assert "30 December 2025, their latest date" in say("reading.findings.as_of_derived", "en", **text)
    assert "数据截至 2025 年 12 月 30 日，" in say("reading.findings.as_of_derived", "zh", **text)
    bulk = {"n": 40, "most": 30, "at": "2025-03-03 09:05:07"}
    assert "30 of them on 3 March 2025, 09:05:07:" in say("reading.limits.bulk_edits", "en", **bulk)
    assert "发生在 2025 年 3 月 3 日 09:05:07：" in say("reading.limits.bulk_edits", "zh", **bulk)
    assert spoken("zh", lambda: in_words.amount_in_words(573_956_280, "CNY")) == "5.7 亿元"
    assert spoken("zh", lambda: in_words.amount_in_words(-44_700, "EUR")) == "−4.5 万欧元"
    assert in_words.amount_in_words(573_956_280, "CNY") == formats.money(573_956_280, "CNY")
    assert in_words.amount_in_words(None) == in_words.moment(None) == "–"


@pytest.mark.parametrize(("rows", "shown"), [(20, 20), (24, 24), (25, 25), (26, 20), (100, 20)])
def test_a_few_rows_too_many_are_shown_all_the_same(rows, shown):
    text = tables.show(pd.DataFrame({"n": range(rows)}), most=20).text.splitlines()
    assert len(text) == 1 + shown + (rows > shown)
    assert (f"{rows - shown} more" in text[-1]) == (rows > shown)
