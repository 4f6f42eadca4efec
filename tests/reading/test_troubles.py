"""One file with thirty kinds of trouble: each row is counted once, each kind is told with its true number, briefly."""

import json
import re
from collections import Counter

import pytest

from funnelkit.cli import main
from funnelkit.reading.read import read
from funnelkit.report import data_quality

HEAD = "Deal ID,Name,Stage,Status,Amount,Created,Closed,Owner,Region"
GOOD = "{id},Deal {n},Offer,open,100.50,2026-01-05,,Ann,North"
# (kind, its row, rule that sets it aside or warns; None: fine as it is; "blank": no row).
TROUBLES = [
    ("no id", ",Deal,Offer,open,5,2026-01-05,,Ann,N", "required"),
    ("id of invisible signs", "\u200b,Deal,Offer,open,5,2026-01-05,,Ann,N", "required"),
    ("no stage", "{id},Deal,,open,5,2026-01-05,,Ann,N", "required"),
    ("stage misspelt", "{id},Deal,Offre,open,5,2026-01-05,,Ann,N", "stage_unknown"),
    ("stage of another model", "{id},Deal,Beyond {n},open,5,2026-01-05,,Ann,N", "stage_unknown"),
    ("status misspelt", "{id},Deal,Offer,w{n}n,5,2026-01-05,,Ann,N", "status_unknown"),
    ("day that no month has", "{id},Deal,Offer,open,5,2026-02-30,,Ann,N", "not_a_date"),
    ("words for a date", "{id},Deal,Offer,open,5,next week,,Ann,N", "not_a_date"),
    ("thirteenth month", "{id},Deal,Offer,open,5,2026-13-01,,Ann,N", "not_a_date"),
    ("year 1066", "{id},Deal,Offer,open,5,1066-10-14,,Ann,N", "date_range"),
    ("closed before created", "{id},Deal,Offer,lost,5,2026-01-05,2025-12-01,Ann,N", "close_before_create"),
    ("words for an amount", "{id},Deal,Offer,open,a lot,2026-01-05,,Ann,N", "not_a_number"),
    ("two amounts", "{id},Deal,Offer,open,5 or 6,2026-01-05,,Ann,N", "not_a_number"),
    ("endless amount", "{id},Deal,Offer,open,inf,2026-01-05,,Ann,N", "not_finite"),
    ("a percentage", "{id},Deal,Offer,open,5%,2026-01-05,,Ann,N", "not_a_number"),
    ("spreadsheet error", "{id},Deal,Offer,open,#REF!,2026-01-05,,Ann,N", "not_a_number"),
    ("a cell too many", "{id},Deal,Offer,open,5,2026-01-05,,Ann,N,more", "row_width"),
    ("cells missing", "{id},Deal,Offer", "row_width"),
    ("total", "Total,,,,999,,,,", "totals_row"),
    ("subtotal", "Subtotal,,,,500,,,,", "totals_row"),
    ("amount below zero", "{id},Deal,Offer,open,-7,2026-01-05,,Ann,N", "negative_amount"),
    ("stage and status at odds", "{id},Deal,Won,lost,5,2026-01-05,2026-01-09,Ann,N", "status_contradicts"),
    ("empty line", "", "blank"),
    ("separators alone", ",,,,,,,,", "blank"),
    ("header again", HEAD, "blank"),
    ("stage in full width", "{id},Deal,Ｏｆｆｅｒ,open,5,2026-01-05,,Ann,N", None),
    ("spaces around", "  {id} , Deal ,Offer , open,5 ,2026-01-05 ,, Ann ,N", None),
    ("formula in a name", "{id},=1+1,Offer,open,5,2026-01-05,,Ann,N", None),
    ("markup in a name", "{id},<script>x</script>,Offer,open,5,2026-01-05,,Ann,N", None),
    ("quotes and a comma", '{id},"Deal ""A"", new",Offer,open,5,2026-01-05,,Ann,N', None),
]
TIMES = 14  # rows of each kind
ASIDE = {rule for _, _, rule in TROUBLES} - {None, "blank", "negative_amount", "status_contradicts"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    lines = [GOOD.format(id=f"G{n:03}", n=n) for n in range(200)]
    for place, (_, row, _) in enumerate(TROUBLES):
        for n in range(TIMES):
            lines.insert(7 * n + place, row.format(id=f"T{place:02}-{n:02}", n=n))
    lines += [GOOD.format(id="G007", n=7)]  # a row once more
    lines += [GOOD.format(id="X1", n=1), GOOD.format(id="X1", n=2)]  # one id, two deals
    found = tmp_path_factory.mktemp("troubles") / "troubles.csv"
    found.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return found


def counted(findings):
    """Return how many findings there are of each rule, those that are only counted among them."""
    told = Counter(finding.rule for finding in findings if finding.rule != "more")
    return told + Counter({f.values["rule"]: f.values["n"] for f in findings if f.rule == "more"})


def test_no_row_is_lost_and_each_kind_is_counted_true(path):
    pipeline = read(path, stages="Lead,Offer,Won")
    wanted = Counter({rule: 0 for _, _, rule in TROUBLES})
    for _, _, rule in TROUBLES:
        wanted[rule] += TIMES
    found, rows = counted(pipeline.findings), pipeline.rows
    assert {rule: found[rule] for rule in ASIDE} == {rule: wanted[rule] for rule in ASIDE}
    assert found["negative_amount"] == found["status_contradicts"] == TIMES
    assert (found["duplicate_row"], found["duplicate_id"]) == (1, 2)
    assert rows.quarantined == sum(wanted[rule] for rule in ASIDE) + 3
    assert rows.ignored == wanted["blank"] and rows.good + rows.quarantined + rows.ignored == rows.rows_in
    assert rows.rows_in == 200 + TIMES * len(TROUBLES) + 3 and len(pipeline.deals) == rows.good


def test_screen_and_page_show_ten_lines_a_kind_and_say_how_many_more(path, capsys, tmp_path):
    aside = tmp_path / "aside.csv"
    options = ["--stages", "Lead,Offer,Won", "--lang", "en", "--quarantine", str(aside)]
    assert main(["check", str(path), *options]) == 1
    told = capsys.readouterr().out
    faults = told.partition("Faults:")[2].partition("\n\n")[0].strip().splitlines()
    kinds = Counter(re.sub(r".*?line \d+(?:, column [^:]+)?: |'[^']*'|[\d,]+", "", line)[:40] for line in faults)
    assert max(kinds.values()) <= 10 and len(faults) < 60
    assert main(["check", str(path), *options[:4], "--json"]) == 1
    whole = json.loads(capsys.readouterr().out)
    assert whole["rows_quarantined"] == aside.read_text("utf-8-sig").count("\n") - 1
    shown = data_quality(read(path, stages="Lead,Offer,Won")).text.splitlines()
    assert len(shown) < 100 and "<script>" not in data_quality(read(path, stages="Lead,Offer,Won")).html
