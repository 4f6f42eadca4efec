"""Starter: the notebook made from a file says what was found, runs top to bottom, and gives the figures of `read`."""

import ast
import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from funnelkit import cli
from funnelkit.analysis.count import count_stages
from funnelkit.course.starter import write_notebook
from funnelkit.language import use_language
from funnelkit.reading.read import read

DATA = Path(__file__).parents[3] / "shared" / "data"
real_data = pytest.mark.skipif(not DATA.exists(), reason="real data sets are not in this checkout")
MAP = {"deal_id": "Nr", "stage": 'Phase" ); import os #'}
HEADER = 'Nr,"Phase"" ); import os #",Wert\n'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A notebook saves its mapping in the folder where it runs."""
    monkeypatch.chdir(tmp_path)


def parameters(path):
    """Return the parameters of a notebook: every one a literal."""
    cell = next(cell for cell in nbformat.read(path, 4).cells if "parameters" in cell.metadata.get("tags", []))
    return {node.target.id: ast.literal_eval(node.value) for node in ast.parse(cell.source).body}


def run(path):
    """Run the cells in this process; return their names."""
    found = {}
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), found)
    return found


def deals(path):
    path.write_text("id,stage,created,amount\nA,Lead,2026-01-01,5\nB,Won,2026-01-02,6\nC,Lead,2026-01-03,7\n")
    return path


def made(capsys, *arguments):
    code = cli.main(["new", *map(str, arguments)])
    return code, "".join(capsys.readouterr())


@real_data
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_real_export(tmp_path, lang):
    use_language(lang)
    source = DATA / "maven_crm" / "sales_pipeline.csv"
    path = write_notebook(source, tmp_path / "n.ipynb")
    nbformat.validate(nbformat.read(path, 4))
    values = parameters(path)
    assert values["columns"]["stage"] == "deal_stage" and values["layout"] == "deals" and values["lang"] == lang
    assert values["stages"] == ["Prospecting", "Engaging", "Won"]
    found = run(path)
    pd.testing.assert_frame_equal(found["pipeline"].deals, read(source).deals)
    pd.testing.assert_frame_equal(count_stages(found["pipeline"]).table, count_stages(read(source)).table)
    text = found["show_mapping"](values["data"], values["columns"], {}).text
    assert "opportunity_id" in text and "1C1I7A6R" in text


@real_data
def test_an_event_log_and_a_joined_table(tmp_path):
    found = run(write_notebook(DATA / "helpdesk" / "helpdesk.csv", tmp_path / "n.ipynb"))
    assert found["layout"] == "events" and len(found["pipeline"].deals) == 3804
    ends = found["found"]  # the journeys: stages between the first and the last may be left out
    assert len(ends.table) == 3749 and found["rule"].optional == tuple(found["steps"][1:-1])
    folder = DATA / "maven_crm"
    path = write_notebook(folder / "sales_pipeline.csv", tmp_path / "m.ipynb", join=[folder / "products.csv"])
    assert run(path)["pipeline"].deals["series"].notna().all()


def test_a_small_event_log_is_followed(tmp_path):
    log = tmp_path / "log.csv"
    rows = [
        "1,Visit,2026-01-01",
        "1,Basket,2026-01-02",
        "1,Paid,2026-01-03",
        "2,Visit,2026-01-05",
        "3,Visit,2026-05-05",
    ]
    log.write_text("\n".join(["user_id,event,timestamp", *rows]) + "\n")
    stages = ["Visit", "Basket", "Paid"]
    path = write_notebook(log, tmp_path / "n.ipynb", stages=stages, layout="events")
    ids = [cell.id for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert ids[-4:] == ["journeys", "times", "trend", "dropped"] and parameters(path)["window"] == "90d"
    found = run(path)["found"]
    assert found.table[["depth", "is_open"]].to_numpy().tolist() == [[3, False], [1, False], [1, True]]
    one = write_notebook(deals(tmp_path / "d.csv"), tmp_path / "d.ipynb")
    assert "window" not in parameters(one)


def test_what_was_declared_is_kept(tmp_path):
    source = tmp_path / "d.csv"
    source.write_text("Key;Phase;created;Wert\nA;Lead;03/04/2026;1,500\nB;Offer;05/06/2026;2,5\n")
    columns = {"deal_id": "Key", "stage": "Phase", "amount": "Wert"}
    how = {"map": columns, "date_order": "dmy", "decimal": ",", "currency": "EUR"}
    plain = read(source, stages=["Lead", "Offer"], **how, as_of="2026-12-31")
    path = write_notebook(source, tmp_path / "n.ipynb", stages=["Lead", "Offer"], **how, as_of="2026-12-31")
    assert parameters(path)["reading"] == {"decimal": ",", "date_order": "dmy", "currency": "EUR"}
    again = run(path)["pipeline"]
    pd.testing.assert_frame_equal(again.deals, plain.deals)
    assert again.as_of == plain.as_of and again.amount_total == plain.amount_total == 4.0


def test_counts_a_model_and_its_file(tmp_path):
    counts = tmp_path / "c.csv"
    counts.write_text("stage,count\nLead,10\nOffer,4\nWon,2\n")
    found = run(write_notebook(counts, tmp_path / "c.ipynb"))
    assert found["layout"] == "counts" and found["pipeline"].counts["n_entered"].tolist() == [10, 4, 2]
    model = tmp_path / "mine.toml"
    package = Path(__file__).parents[2] / "funnelkit"
    model.write_bytes((package / "models" / "catalogue" / "simple-5.toml").read_bytes().replace(b"simple-5", b"mine"))
    names = [stage.name.en for stage in read(counts, stages="simple-5", layout="counts").model.stages]
    source = tmp_path / "d.csv"
    source.write_text("id,stage\n" + "".join(f"{i},{name}\n" for i, name in enumerate(names)))
    assert parameters(write_notebook(source, tmp_path / "1.ipynb", stages="simple-5"))["model"] == "simple-5"
    assert parameters(write_notebook(source, tmp_path / "2.ipynb", stages=str(model)))["model"] == str(model)


def test_nothing_of_the_data_becomes_code(tmp_path):
    hostile = 'Lead"\n\'""""); import os'
    source = tmp_path / 'x"; 1 + "\n.csv'
    quoted = hostile.replace('"', '""')
    source.write_text(f'{HEADER}A,"{quoted}",1\nB,Won,2\n')
    path = write_notebook(source, tmp_path / "n.ipynb", map=MAP, stages=[hostile, "Won"])
    values = parameters(path)
    assert Path(values["data"][0]) == source and any("import os" in name for name in values["stages"])
    assert run(path)["pipeline"].rows.good == 2


def test_the_password_stays_out(tmp_path, monkeypatch):
    from funnelkit.course import drafts
    from funnelkit.reading.containers import detect

    source = deals(tmp_path / "d.csv")
    monkeypatch.setattr(drafts, "read", lambda _, **settings: read(source, **settings))
    monkeypatch.setattr(drafts, "open_source", lambda _, options: detect.open_source(source, options))
    monkeypatch.chdir(tmp_path)
    path = write_notebook("postgresql://ann:hunter2@127.0.0.1/crm#deals")
    assert "hunter2" not in path.read_text() and "hunter2" not in path.name
    assert parameters(path)["data"] == ["postgresql://ann@127.0.0.1/crm#deals"]


def test_it_never_overwrites_and_bad_input_leaves_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, said = made(capsys, deals(tmp_path / "d.csv"), "--lang", "en")
    assert (code, said.strip()) == (0, "d.ipynb")
    before = (tmp_path / "d.ipynb").read_bytes()
    code, said = made(capsys, "d.csv", "--lang", "en")
    assert code == 2 and "exists already" in said and (tmp_path / "d.ipynb").read_bytes() == before
    for text, words in (
        ("<html><body>login</body></html>", "bad.csv"),
        ("", "bad.csv"),
        ("id,stage\n,\n", "quarantined"),
    ):
        (tmp_path / "bad.csv").write_text(text)
        code, said = made(capsys, "bad.csv", "--lang", "en")
        assert code == 2 and words in said and not (tmp_path / "bad.ipynb").exists()
    code, said = made(capsys, "absent.csv", "--lang", "zh")
    assert code == 2 and "文件不存在" in said
    code, said = made(capsys, "d.csv", "--out", tmp_path / "no" / "x.ipynb", "--lang", "en")
    assert code == 2 and "cannot be written" in said


# --- under papermill, as a user has it ---


def papermill(path, lang):
    import papermill as pm

    out = path.with_name("out.ipynb")
    pm.execute_notebook(str(path), str(out), progress_bar=False)
    notebook = json.loads(out.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code)
    pages = ["".join(output.get("data", {}).get("text/html", "")) for cell in code for output in cell["outputs"]]
    assert any("<table" in page for page in pages)
    assert any('<img class="fk" alt="' in page for page in pages), "the funnel is drawn, and told in words"
    return "".join(str(output.get("data", "")) for cell in code for output in cell["outputs"])


@real_data
@pytest.mark.slow
def test_the_real_export_under_papermill(tmp_path, capsys):
    out = tmp_path / "n.ipynb"
    assert made(capsys, DATA / "maven_crm" / "sales_pipeline.csv", "--lang", "zh", "--out", out)[0] == 0
    said = papermill(out, "zh")
    assert "63.2" in said and "4,238" in said and "赢单率" in said


@real_data
@pytest.mark.slow
def test_the_real_log_under_papermill(tmp_path, capsys):
    out = tmp_path / "n.ipynb"
    assert made(capsys, DATA / "helpdesk" / "helpdesk.csv", "--out", out, "--lang", "en")[0] == 0
    assert "3,804" in papermill(out, "en")


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_sheet_in_a_folder_with_blank_and_chinese_name_under_papermill(tmp_path, capsys, lang):
    folder = tmp_path / "销售 数据"
    folder.mkdir()
    frame = pd.DataFrame({"商机编号": range(40), "销售阶段": ["初步接触", "方案", "赢单", "输单"] * 10})
    with pd.ExcelWriter(folder / "商机 一月.xlsx") as book:
        pd.DataFrame({"note": ["x"]}).to_excel(book, sheet_name="cover", index=False)
        frame.to_excel(book, sheet_name="数据", index=False)
    out = folder / "我的 漏斗.ipynb"
    stages = "初步接触,方案,赢单"
    source = folder / "商机 一月.xlsx"
    assert made(capsys, source, "--sheet", "数据", "--stages", stages, "--out", out, "--lang", lang)[0] == 0
    assert parameters(out)["reading"] == {"sheet": "数据"}
    papermill(out, lang)
