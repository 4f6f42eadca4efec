"""What holds for every explorable: its state, its words, the call it gives, the page it makes."""

import json
import re
from pathlib import Path

import pytest
import traitlets

import funnelkit
from funnelkit.explore import digest, embed, explorable_page, write_page
from funnelkit.explore.base import DATA, module
from funnelkit.language import LANGUAGES, texts, use_language

from .cases import CASES

FOLDER = Path(funnelkit.__file__).parent / "explore"
each = pytest.mark.parametrize("name", CASES)


@each
@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_text_is_used_and_each_used_text_is_there(name, lang):
    panel = CASES[name].make()
    source = (FOLDER / f"{name}.mjs").read_text(encoding="utf-8") + (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    core = "".join((FOLDER / file).read_text(encoding="utf-8") for file in ("core.mjs", "base.py"))
    own = texts(f"explore.{name}")
    asked = set(re.findall(r'\bt\("(\w+)"', source + core)) | {"title", "controls"}
    assert asked <= set(panel.texts[lang]), "asked for, but not there"
    assert [key for key in own if not re.search(rf"\b{key}\b", source + core)] == []
    assert [key for key in texts("explore.core") if not re.search(rf"\b{key}\b", core)] == []
    assert all(panel.texts[lang].values())


@each
def test_state_is_checked_and_kept(name):
    panel = CASES[name].make()
    before = panel.state
    slider = next(control for control in panel.spec["controls"] if "options" not in control)
    for bad in ("much", None, True, float("nan"), float("inf"), slider["most"] + 1, slider["least"] - 1):
        with pytest.raises(traitlets.TraitError, match=slider["id"]):
            panel.state = {slider["id"]: bad}
        assert panel.state == before
    with pytest.raises(traitlets.TraitError, match="no_such"):
        panel.state = {"no_such": 1}
    panel.state = json.loads(json.dumps({slider["id"]: slider["most"]}))
    assert panel.state == before | {slider["id"]: slider["most"]}, "a part of the state leaves the rest"
    assert isinstance(panel.state[slider["id"]], float)
    panel.reset()
    assert panel.state == panel.spec["baseline"] == before


@each
def test_presets_are_states_and_change_something(name):
    panel = CASES[name].make()
    for preset in panel.spec["presets"][1:]:
        panel.reset()
        table = panel.table.to_json(date_format="iso")
        panel.state = preset["state"]
        assert panel.table.to_json(date_format="iso") != table, preset["name"]


@each
def test_copied_python_gives_the_same_table(name):
    case = CASES[name]
    panel = case.make()
    for change in ({}, case.solution):
        panel.state = change
        code, space = panel.to_python(), case.space()
        assert case.verb in code
        setup, call = code.strip().rsplit("\n", 1)
        exec(setup, space)
        assert eval(call, space).table.equals(panel.table)


@each
def test_the_solution_meets_the_challenge_and_the_start_does_not(name):
    case = CASES[name]
    panel = case.make()
    if "challenge" not in panel.spec:
        pytest.skip("no challenge")
    assert not panel.challenge.met
    panel.state = case.solution
    if hasattr(panel, "submit"):
        assert panel.challenge.status == "not_yet", "a plan counts when it is handed in"
        panel.submit()
    assert panel.challenge.met


@each
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_place_without_a_kernel_sees_question_table_and_picture(name, lang):
    use_language(lang)
    panel = CASES[name].make()
    data, _ = panel._repr_mimebundle_()
    assert panel.texts[lang]["title"] in data["text/plain"] and panel.texts[lang]["title"] in data["text/html"]
    assert re.search(r'<img class="fk" alt="[^"]{20,}" src="data:image/png', data["text/html"])
    assert "<table" in data["text/html"] and "object at" not in data["text/plain"]
    again, _ = CASES[name].make()._repr_mimebundle_()
    assert all(data[kind] == again[kind] for kind in ("text/html", "text/plain", DATA)), "the same bytes twice"
    json.dumps(data[DATA], allow_nan=False)


@pytest.mark.slow
@each
def test_pages_are_the_same_twice_and_their_policy_names_what_stands_there(name, tmp_path):
    panel = CASES[name].make()
    text = explorable_page(panel)
    assert text == explorable_page(CASES[name].make())
    assert write_page(panel, tmp_path / "page.html").read_text(encoding="utf-8") == text
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1].replace("&#x27;", "'")
    scripts = re.findall(r'<script type="module">(.*?)</script>', text, flags=re.S)
    assert [digest(script) in policy for script in scripts] == [True]
    assert digest(re.search(r"<style>(.*?)</style>", text, flags=re.S)[1]) in policy
    assert "http:" not in re.sub(r"http://www\.w3\.org/2000/svg", "", text) and "https:" not in text
    assert " style=" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)


@each
def test_saved_data_make_the_same_part_of_a_page(name):
    panel = CASES[name].make()
    saved = json.loads(json.dumps(panel._repr_mimebundle_()[0][DATA]))
    assert embed(saved, "x", twin=panel.twin()["text/html"]) == embed(panel, "x")


@each
def test_modules_are_joined_without_imports(name):
    joined = module(name)
    assert not re.search(r"^import\b", joined, flags=re.M)
    assert re.findall(r"^export (?:default )?(\w+)", joined, flags=re.M)[-1] == "shown"
    declared = re.findall(r"^(?:export )?(?:async )?(?:const|let|class|function\*?) (\w+)", joined, flags=re.M)
    assert len(declared) == len(set(declared)), "no name twice"
    code = re.sub(r"//.*|`[^`]*`|\"[^\"]*\"", "", joined)
    assert "innerHTML" not in code and "eval(" not in code and "style.cssText" not in code


def test_hostile_names_stay_text():
    import pandas as pd

    from funnelkit.explore import WhatIf

    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    text = explorable_page(WhatIf(pd.DataFrame({"stage": [evil, "b", "c"], "rate": [0.5, 0.5, None]})))
    assert text.count("<script") == 2 and "<img src=x" not in text
