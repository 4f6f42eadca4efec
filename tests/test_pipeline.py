"""Pipeline, Finding and Limit: what they show of themselves, and what was known on a day."""

import pandas as pd
import pytest

from funnelkit.language import use_language
from funnelkit.pipeline import MOST_FINDINGS, Finding, Limit
from funnelkit.reading import read

STAGES = ["Lead", "Offer", "Won"]
DEALS = {
    "id": ["a", "b", "c", "d"], "stage": ["Lead", "Offer", "Won", "Lost"],
    "created": ["2026-01-05", "2026-01-07", "2026-02-01", "2026-02-03"],
    "closed": [None, None, "2026-03-01", "2026-03-02"], "amount": [1, -2, -3, 4],
}  # fmt: skip


def test_a_pipeline_shows_itself_in_a_few_lines():
    pipeline = read(DEALS, stages=STAGES, currency="EUR")
    text = repr(pipeline)
    assert text.startswith("- custom: 4 deals as of 2 March 2026 (1 won, 1 lost, 2 open and 0 void).\n")
    assert "from 5 January 2026 to 3 February 2026" in text
    assert "Rows read: 4; good: 4; quarantined: 0; ignored: 0." in text
    assert f"What this source cannot answer:\n- {pipeline.limits[0].message()}" in text
    assert "line 2, column amount: amount -2" in text and "There is 1 more note of this kind." in text
    assert len(text.splitlines()) < 20 and len(text) < 3000
    bundle = pipeline._repr_mimebundle_()
    assert bundle["text/plain"] == text and bundle["text/html"].count("<li>") == text.count("- ")


def test_it_speaks_the_language_in_force():
    pipeline = read(DEALS, stages=STAGES)
    use_language("zh")
    assert "商机 4 个，其中赢单 1 单、输单 1 单、进行中 2 个、无效 0 个" in repr(pipeline)
    assert "此数据源的局限：" in repr(pipeline) and "读取时发现：" in repr(pipeline)
    assert repr(pipeline.limits[0]) == pipeline.limits[0].message("zh")


def test_loud_findings_come_first_and_the_rest_is_counted():
    pipeline = read({**DEALS, "id": ["a", "b", None, "d"]}, stages=STAGES)
    noticed = repr(pipeline).partition("Noticed while reading:\n")[2].splitlines()
    assert noticed[0].startswith("- dict, line 3, column id: is empty")
    kinds = {finding.rule for finding in pipeline.findings}
    assert len(noticed) == min(len(kinds), MOST_FINDINGS) + (len(kinds) > MOST_FINDINGS)


def test_findings_beyond_those_listed_are_counted_with_their_kind():
    pipeline = read({"id": list(range(300)), "stage": ["Lead"] * 300, "amount": [-1] * 300}, stages=STAGES)
    assert "There are 299 more notes of this kind." in repr(pipeline)


def test_a_table_of_counts_has_no_deals_to_show():
    text = repr(read({"stage": ["Lead", "Won"], "count": [10, 4]}))
    assert text.startswith("- custom: a table of counts, 2 rows.\n- Rows read: 2;")


def test_finding_and_limit_show_their_sentence_escaped():
    finding = Finding("no_rows", "warn", "<b>.csv")
    assert repr(finding) == str(finding) == "<b>.csv: has a header but no rows. Check the filter of the export."
    assert finding._repr_html_() == f'<p class="fk fk-warn">&lt;b&gt;{finding.message()[3:]}</p>'
    limit = Limit("no_amount")
    assert repr(limit) == str(limit) == limit.message() and limit.message() in limit._repr_html_()


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>"])
def test_what_the_data_hold_is_escaped(hostile):
    html = read({**DEALS, "amount": [hostile, 1, 1, 1]}, stages=STAGES)._repr_mimebundle_()["text/html"]
    assert "&lt;" in html and hostile not in html


def test_at_knows_no_later_event_close_or_deal():
    pipeline = read(DEALS, stages=STAGES).at("2026-02-02")
    assert pipeline.as_of == pd.Timestamp("2026-02-02")
    assert pipeline.deals["deal_id"].tolist() == ["a", "b", "c"]
    assert pipeline.deals["status"].tolist() == ["open"] * 3 and pipeline.deals["closed_at"].isna().all()
