"""First contact: `funnelkit new` on ten unlike files: each notebook runs to the first funnel, at once or once it is
confirmed, and the mapping it saves reads the file again the same way."""

import json
import re

import nbformat
import pandas as pd
import pytest

from funnelkit.course.starter import write_notebook
from funnelkit.language import speaking, use_language
from funnelkit.language.errors import DataError
from funnelkit.reading.read import read
from tests.reading.test_systems import SIX, retold
from tests.support.writers import crm, day, generic, logs, make_truth
from tests.support.writers.saved import save

FOUR = ("Lead", "Qualified", "Offer", "Won")


def json_lines(truth):
    deals = truth.deals
    table = pd.DataFrame({
        "deal_id": deals["deal_id"], "stage": deals["stage"], "status": deals["status"], "amount": deals["amount"],
        "created": day(deals["created_at"]), "owner": deals["owner"],
    })  # fmt: skip
    return {"deals.jsonl": [{**row, "account": {"name": "x"}} for row in table.to_dict("records")]}


def dashboard(truth):
    """Write a workbook whose first sheet is a dashboard."""
    deals = json_lines(truth)["deals.jsonl"]
    rows = [["id", "Stage", "Status", "Amount", "Created"]]
    rows += [[row["deal_id"], row["stage"], row["status"], row["amount"], row["created"]] for row in deals]
    return {"pipeline.ods": {"Dashboard": [["Sales 2026"], [], ["Open", 12], ["Target", 100.5]], "Deals": rows}}


def spanish(truth):
    deals, won, lost = truth.deals, "Cerrado ganado", "Cerrado perdido"
    stage = crm.stage_or_end(truth, lost).mask(deals["status"] == "won", won)
    table = pd.DataFrame({
        "ID de oportunidad": deals["deal_id"], "Nombre": deals["name"], "Etapa": stage,
        "Importe": deals["amount"].map(lambda value: f"{value:,.2f}".translate(str.maketrans(",.", ".,"))),
        "Fecha de creación": crm.local(deals["created_at"], "%d/%m/%Y"), "Propietario": deals["owner"],
    })  # fmt: skip
    return {"oportunidades.csv": table.replace({"Etapa": {"Qualified": "Calificado", "Offer": "Propuesta"}})}


def numbered(truth):
    deals = truth.deals
    names = {label: f"{number}. {label}" for number, label in enumerate(truth.labels, 1)}
    stage = deals["stage"].map(names).mask(deals["status"] == "lost", "5. Closed Lost")
    table = pd.DataFrame({"Id": deals["deal_id"], "Stage": stage, "Created": day(deals["created_at"])})
    return {"numbered.csv": table}


def snapshot(truth):
    """Write what stands where today: no history, no order of stages, dates that could be read two ways."""
    deals = truth.deals[truth.deals["created_at"].dt.day <= 12]
    table = pd.DataFrame({
        "Opportunity": deals["deal_id"], "Phase": deals["stage"], "Result": deals["status"],
        "Created": crm.local(deals["created_at"], "%d/%m/%Y"), "Worth": deals["amount"],
    })  # fmt: skip
    return {"snapshot.csv": table}


def status_only(truth):
    deals = truth.deals
    return {"outcomes.csv": pd.DataFrame({
        "Deal ID": deals["deal_id"], "Status": deals["status"], "Created": day(deals["created_at"]),
    })}  # fmt: skip


def product_lines(truth):
    deals = truth.deals
    table = pd.DataFrame({
        "deal_id": deals["deal_id"], "stage": deals["stage"], "status": deals["status"],
        "created": day(deals["created_at"]), "product": "A", "amount": deals["amount"],
    })  # fmt: skip
    return {"lines.csv": pd.concat([table, table.iloc[::3].assign(product="B")]).sort_values("deal_id")}


FILES = {
    "JSON lines": json_lines, "dashboard": dashboard, "Spanish": spanish, "numbered": numbered,
    "GA4": logs.ga4, "XES": logs.xes, "snapshot": snapshot, "status only": status_only,
    "product lines": product_lines, "counts": lambda truth: {"counts.csv": generic.counts(truth)},
}  # fmt: skip


def made(kind, folder):
    truth = make_truth(n_deals=80, voids=False) if kind == "counts" else retold(
        SIX["shop"] if kind == "GA4" else FOUR, n_deals=80
    )  # fmt: skip
    return save(FILES[kind](truth), folder)[0]


def cells(path, confirmed=True):
    """Return the code of a notebook, its mapping confirmed."""
    code = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    return [
        (cell.id, re.sub(r"(?m)^confirmed: bool = False", f"confirmed: bool = {confirmed}", cell.source))
        for cell in code
    ]


@pytest.mark.parametrize("kind", FILES)
def test_a_notebook_runs_once_it_is_confirmed_and_its_mapping_reads_the_same(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source = made(kind, tmp_path)
    path = write_notebook(source, tmp_path / "n.ipynb")
    names = {}
    for name, code in cells(path):
        exec(compile(code, name, "exec"), names)
    pipeline = names["pipeline"]
    sure = "at once" if "confirmed: bool = True" in path.read_text() else "once confirmed"
    print(f"{kind}: {len(pipeline.deals)} deals, {len(pipeline.model.stages)} stages, runs {sure}")
    assert pipeline.rows.quarantined == 0 and pipeline.rows.good > 0
    again = read(source, mapping=tmp_path / "n.mapping.toml")
    assert [stage.id for stage in again.model.stages] == [stage.id for stage in pipeline.model.stages]
    pd.testing.assert_frame_equal(again.deals, pipeline.deals)
    assert again.amount_total == pipeline.amount_total


def test_what_is_not_sure_stops_before_reading_and_stands_above(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_notebook(made("snapshot", tmp_path), tmp_path / "n.ipynb")
    head = nbformat.read(path, 4).cells[1].source
    assert "set `confirmed = True`" in head and "(dmy)" in head
    names = {}
    with pytest.raises(DataError) as caught:
        for name, code in cells(path, confirmed=False):
            exec(compile(code, name, "exec"), names)
    assert caught.value.key == "mapping_unconfirmed" and "pipeline" not in names
    assert "confirmed = True" in caught.value.say("zh")
    assert "'Worth' is perhaps: Amount" in head, "a column is proposed for what nothing is named"
    found = {}
    for name, code in cells(path):
        exec(compile(code, name, "exec"), found)
    assert found["columns"]["stage"] == "Phase"


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("kind", FILES)
def test_under_papermill(kind, lang, tmp_path):
    import papermill

    with speaking("en"):  # the files are the same, whatever the notebook speaks
        file = made(kind, tmp_path)
    use_language(lang)
    path = write_notebook(file, tmp_path / "n.ipynb")
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        str(path), str(out), parameters={"confirmed": True}, cwd=str(tmp_path), progress_bar=False
    )
    code = [cell for cell in json.loads(out.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code) and (tmp_path / "n.mapping.toml").exists()
    pages = "".join("".join(output.get("data", {}).get("text/html", "")) for cell in code for output in cell["outputs"])
    assert "<table" in pages
