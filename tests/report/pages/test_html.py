"""Pages of people's own templates: styles, formulas, static pictures; what runs is left out and said to be."""

import re

import pandas as pd
import pytest

from funnelkit.language import speaking
from funnelkit.report.pages.html import page
from funnelkit.report.pages.outputs import warnings_of
from funnelkit.report.runs.notebooks import import_nbformat

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script><rect width="9"/></svg>'


def notebook(*cells):
    """Return an executed notebook of these cells: Markdown as text, outputs as {kind: content} or (stream, text)."""
    new = import_nbformat().v4
    made = []
    for cell in cells:
        if isinstance(cell, str):
            made.append(new.new_markdown_cell(cell))
        elif isinstance(cell, dict):
            made.append(new.new_code_cell("x", outputs=[new.new_output("display_data", cell)], id=f"c{len(made)}"))
        else:
            stream = new.new_output("stream", name=cell[0], text=cell[1])
            made.append(new.new_code_cell("x", outputs=[stream], id=f"c{len(made)}"))
    return new.new_notebook(cells=made)


def body(*cells):
    return page(notebook(*cells)).partition("<main>")[2]


def styled():
    """Return pandas' Styler as HTML, with a bar, a gradient of its own and a caption."""
    frame = pd.DataFrame({"stage": ["lead", "offer"], "rate": [0.2, 0.7]})
    styler = frame.style.map(lambda value: "color: #b3261e; position: fixed", subset=["rate"])
    return styler.bar(subset=["rate"], color="#a9bccb").set_caption("By stage").set_uuid("fk").to_html()


def test_a_styler_keeps_its_colours_within_its_own_place():
    found = page(notebook("# Own", {"text/html": styled(), "text/plain": "x"}))
    head, _, shown = found.partition("</style>")
    assert "#own-1 #T_fk_row0_col1{color:#b3261e;width:10em;background:linear-gradient(" in head
    assert "position: fixed" not in head.replace("position: absolute", "")
    assert '<div class="own" id="own-1">' in shown and 'id="T_fk_row0_col1"' in shown and "By stage" in shown
    assert "<pre>" not in shown and '<th class="blank' not in shown


@pytest.mark.parametrize(
    "css", ["body{background:url(http://example.org)}", "@import url(http://example.org);", "p{behavior:url(x)}",
            "</style><script>alert(1)</script>", "p{content:'\\3c'}", "h1 ~ p{margin-top:-900px}", "~ p{color:red}"],
)  # fmt: skip
def test_styles_fetch_nothing_and_leave_no_place(css):
    found = page(notebook({"text/html": f"<style>{css}</style><p>kept</p>"}))
    styles = found.partition("<style>")[2].partition("</style>")[0]
    assert "example.org" not in found and "alert(1)" not in found and "-900px" not in found
    assert "kept" in found and "behavior" not in styles and "\\3c" not in styles and "} p{" not in styles


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_script_is_left_out_and_said_to_be(lang):
    with speaking(lang):
        found = body({"text/html": "<p>before</p><script>alert('shown as text')</script>"})
        alone = body({"application/javascript": "alert(1)", "text/plain": "<IPython.core.display.Javascript object>"})
        widget = body({"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "text/plain": "IntSlider()"})
    said = {"en": "What stands here runs a script", "zh": "此处内容依赖脚本"}[lang]
    assert "before" in found and "shown as text" not in found
    assert all(text.count(said) == 1 for text in (found, alone, widget))
    assert "Javascript object" not in alone and "IntSlider" not in widget


@pytest.mark.parametrize("kind", ["image/png", "image/svg+xml"])
def test_an_interactive_chart_is_its_static_picture(kind):
    picture = {"image/png": PNG, "image/svg+xml": SVG}[kind]
    chart = {"application/vnd.plotly.v1+json": {"data": []}, "text/html": "<div><script>Plotly</script></div>"}
    found = body("## Wins by month", {**chart, kind: picture, "text/plain": "Figure()"})
    assert f'src="data:{kind};base64,' in found and 'alt="Picture: Wins by month"' in found
    assert "Plotly" not in found and "runs a script" not in found and "Figure()" not in found


def test_formulas_are_drawn_and_amounts_are_no_formulas():
    markdown = "The rate $\\hat r = \\frac{k}{n}$ of deals from $100 to $200.\n\n$$S(t) = \\prod_i (1 - h_i)$$\n"
    found = body(
        markdown,
        {"text/latex": "$\\displaystyle x^{2} + \\tfrac13$", "text/plain": "x**2"},
        "$\\begin{cases}1\\end{cases}$",
    )
    assert re.findall(r'<img class="formula" alt="([^"]*)"', found) == [
        "\\hat r = \\frac{k}{n}",
        "S(t) = \\prod_i (1 - h_i)",
        "\\displaystyle x^{2} + \\tfrac13",
    ]
    assert "from $100 to $200." in found
    assert '<code class="formula">\\begin{cases}1\\end{cases}</code>' in found
    assert found.count("data:image/svg+xml;base64,") == 3


def test_warnings_are_for_the_log_and_not_for_the_page():
    made = notebook(("stderr", "x.py:1: FutureWarning: old\n"), ("stdout", "42\n"))
    assert "FutureWarning" not in page(made) and "42" in page(made)
    assert warnings_of(made) == "[c0]\nx.py:1: FutureWarning: old\n"


def test_headings_of_every_level_are_kept_and_code_is_no_title():
    found = body("###### Small print", "plain")
    assert '<h6 id="Small-print">Small print</h6>' in found and '<h1 class="unseen">' in found


def test_long_cells_and_steering_signs_are_tamed():
    table = f"<table><tr><td>{'x' * 5_000}</td><td>\u202egpj.exe &#x1b;[31m</td></tr></table>"
    found = body({"text/html": table}, ("stdout", "\x1b[31mred\x1b[0m \x07\n"))
    assert not set("\u202e\x1b\x07") & set(found)
    assert found.count("x") < 1_000 and "…" in found and "�gpj.exe" in found
    assert '<div class="scroll" role="group" tabindex="0"' in found


def test_pictures_drawn_in_a_page_are_kept_without_what_runs():
    drawn = '<svg viewBox="0 0 9 9" role="img" onload="alert(1)"><rect x="10%" width="5" fill="#a9bccb"></rect></svg>'
    fetching = '<svg><use href="http://example.org#a"></use><a href="javascript:1">b</a></svg>'
    found = body({"text/html": drawn + fetching})
    assert '<svg viewBox="0 0 9 9" role="img"><rect x="10%" width="5" fill="#a9bccb"></rect></svg>' in found
    assert "alert" not in found and "javascript" not in found and "example.org" not in found


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_script_in_a_text_is_said_to_be_left_out(lang):
    with speaking(lang):
        found = body("A text.\n\n<script>alert(1)</script>", {"text/markdown": "<iframe src='x'></iframe>kept"})
        shown = body("```html\n<script>alert(1)</script>\n```")
    said = {"en": "What stands here runs a script", "zh": "此处内容依赖脚本"}[lang]
    assert found.count(said) == 2 and "alert" not in found and "kept" in found
    assert said not in shown and "alert" in shown, "code that is shown runs nothing"


def test_columns_of_a_table_from_pandas_are_aligned_as_what_they_hold():
    columns = {"who": ["Ann", None], "rate": ["31%", "5.5%"], "sum": [-1200.5, float("nan")], "on": ["2026-01-05"] * 2}
    columns |= {"no": [None, None], "money": ["CNY 1.2M", "¥3万"], "mixed": ["12", "n/a"], "range": ["1-5", "2"]}
    table = pd.DataFrame(columns)
    styled = table.style.set_table_attributes('class="mine"').hide(axis="index")
    for html in (table.to_html(), styled.to_html(table_uuid="u")):
        found = body({"text/html": html})
        sides = re.findall(r'<th\b[^>]*class="(l|r)\b[^>]*>(\w+)', found)
        expected = dict.fromkeys(columns, "l") | {"rate": "r", "sum": "r", "money": "r"}
        assert {name: side for side, name in sides} == expected
        first = re.findall(r"<tr\b.*?</tr>", found, re.S)[1]
        assert re.findall(r'<td\b[^>]*class="(l|r)\b', first) == [*expected.values()]


def test_tables_with_spans_and_tables_of_others_stay_as_they_are():
    grouped = pd.DataFrame({"a": [1, 1, 2], "b": ["x", "y", "z"], "n": [1, 2, 3]}).set_index(["a", "b"]).to_html()
    other = "<table><tr><th>n</th></tr><tr><td>1</td></tr></table>"
    for html in (grouped, other):
        assert not re.search(r'class="[lr]\b', body({"text/html": html}))
