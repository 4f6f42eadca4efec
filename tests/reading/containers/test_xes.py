"""XES: traces and events come back as rows, plain and packed; nothing in the markup grows or reaches out."""

import gzip
import io

import pytest

from funnelkit.language.errors import DataError
from funnelkit.reading.containers.detect import open_source
from funnelkit.reading.containers.options import Bounds, ReadOptions
from funnelkit.reading.read import read

HEAD = '<?xml version="1.0" encoding="UTF-8" ?>\n<!-- made by hand -->\n'
LOG = """<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<global scope="event"><string key="concept:name" value="UNKNOWN"/></global>
<classifier name="Activity" keys="concept:name"/>
<string key="concept:name" value="the log itself"/>
<trace>
<string key="concept:name" value="173688"/><int key="amount" value="20000"/>
<event><string key="concept:name" value="Applied"/><date key="time:timestamp" value="2026-01-05T00:38:44.546+02:00"/>
</event>
<event><string key="org:resource" value="Zoë"><string key="inner" value="unseen"/></string>
<string key="concept:name" value="Offered &amp; sent"/><date key="time:timestamp" value="2026-01-06T08:00:00+02:00"/>
</event>
</trace>
<trace>
<string key="concept:name" value="173691"/>
<event><string key="concept:name" value="Applied"/><date key="time:timestamp" value="2026-01-07T08:00:00+02:00"/>
</event>
</trace>
</log>
"""


def opened(text, **options):
    return open_source(io.BytesIO(text if isinstance(text, bytes) else text.encode()), ReadOptions(**options))


def refused(text, **options):
    with pytest.raises(DataError) as caught:
        opened(text, **options)
    return caught.value


@pytest.mark.parametrize("form", ["plain", "gzip", "path"])
def test_events_are_rows_with_what_their_trace_says(form, tmp_path):
    if form == "path":
        path = tmp_path / "log.xes.gz"
        path.write_bytes(gzip.compress((HEAD + LOG).encode()))
        table = open_source(path)
    else:
        data = (HEAD + LOG).encode()
        table = opened(gzip.compress(data) if form == "gzip" else data)
    assert table.lines.tolist() == [10, 12, 18]
    assert table.cells.columns.tolist() == [
        "case:concept:name", "case:amount", "concept:name", "time:timestamp", "org:resource",
    ]  # fmt: skip
    assert table.cells["case:concept:name"].tolist() == ["173688", "173688", "173691"]
    assert table.cells["concept:name"].tolist() == ["Applied", "Offered & sent", "Applied"]
    assert table.cells["org:resource"].fillna("").tolist() == ["", "Zoë", ""]


def test_a_log_is_read_to_its_funnel(tmp_path):
    path = tmp_path / "log.xes"
    path.write_text(HEAD + LOG, encoding="utf-8")
    pipeline = read(path, timezone="Europe/Berlin")
    assert pipeline.layout == "events"
    assert [str(stage.name) for stage in pipeline.model.stages] == ["Applied", "Offered & sent"]
    assert pipeline.deals["deal_id"].tolist() == ["173688", "173691"]
    assert str(pipeline.events["entered_at"].iloc[0]) == "2026-01-04 23:38:44.546000"


LAUGHS = "<!DOCTYPE log [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {new} '{f'&{old};' * 10}'>" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


OUTSIDE = "<!DOCTYPE log [<!ENTITY i SYSTEM 'file:///etc/passwd'>]>"


@pytest.mark.parametrize("doctype", [LAUGHS + "]>", OUTSIDE, "<!DOCTYPE log SYSTEM 'x.dtd'>"])
def test_a_document_type_is_refused(doctype):
    text = HEAD + doctype + LOG.replace("Applied", "&i;")
    for data in (text.encode(), gzip.compress(text.encode())):
        error = refused(data)
        assert error.key == "markup_doctype" and error.values["line"] == 3 and "DOCTYPE" in error.say("zh")


def test_a_log_cut_off_without_events_or_too_large_is_refused():
    error = refused(HEAD + LOG[:900])
    assert error.key == "markup_broken" and error.values["line"] > 10
    assert refused(HEAD + LOG.replace("Zoë", "&undeclared;")).key == "markup_broken"
    assert refused("<log></log>").key == "empty_file"
    assert refused(gzip.compress((HEAD + LOG).encode())[:-9]).key == "archive_broken"
    assert refused(LOG, bounds=Bounds(table_rows=2)).key == "too_many_rows"
    assert refused(LOG, bounds=Bounds(cell_characters=10)).key == "cell_too_long"
    assert refused(LOG, bounds=Bounds(columns=3)).key == "too_many_columns"
    big = LOG.replace("</trace>", "<event/>" * 200_000 + "</trace>")
    assert refused(gzip.compress(big.encode())).key == "archive_too_large"
    assert refused('<?xml version="1.0"?><catalog></catalog>').key == "foreign_format"
