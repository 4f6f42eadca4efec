"""The course's pages: links and anchors resolve, editions in step, the same bytes, policies that hold, no request."""

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote

import nbformat
import pytest

from funnelkit.cli import main
from funnelkit.course import lessons, write_site
from funnelkit.course.site.blocks import plain_text
from funnelkit.course.site.lesson import open_lesson
from funnelkit.course.site.pages import path_lessons, places_on_map
from funnelkit.course.site.shell import Course, as_data, course_map
from funnelkit.course.site.terms import Terms, glossary_terms
from funnelkit.language import ReportError, speaking

CHOSEN = ["00_start_here", "05_industrial_eight_step", "07_pharma_target_group"]


class Reader(HTMLParser):
    """Gathers what a page names: ids, links, sources, inline scripts and styles, attributes that would run."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sources, self.inline, self.wrong = [], [], [], [], []
        self._open = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" and "href" in found else []
        self.sources += [found[name] for name in ("src", "srcset", "data", "poster") if name in found]
        self.wrong += [(tag, name) for name in found if name.startswith("on") or name == "style"]
        self.wrong += [tag] if tag in ("iframe", "object", "embed", "link", "base", "form") else []
        if tag in ("script", "style") and found.get("type") != "application/json":
            self._open = [tag, ""]

    def handle_data(self, data):
        if self._open:
            self._open[1] += data

    def handle_endtag(self, tag):
        if self._open and tag == self._open[0]:
            self.inline.append(tuple(self._open))
            self._open = None


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:  # fonts take most of the time; the same bytes below are with them
        patch.setattr("funnelkit.course.site.shell.font_face", lambda text: "")
        made = list(write_site(out, chosen=CHOSEN))
    assert [path.relative_to(out).as_posix() for path in made] == ["en/index.html", "zh/index.html"]
    return out


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}


@pytest.fixture(scope="module")
def read(pages):
    return {name: Reader(text) for name, text in pages.items()}


def test_links_anchors_and_pictures_resolve(site, read):
    for name, found in read.items():
        assert len(set(found.ids)) == len(found.ids), f"{name}: an id stands twice"
        for link in found.links:
            if link.startswith(("https:", "mailto:")):
                continue
            file, _, anchor = link.partition("#")
            target = (site / name).parent.joinpath(unquote(file)).resolve() if file else site / name
            assert target.is_file(), f"{name}: {link}"
            ids = read[target.relative_to(site).as_posix()].ids if target.suffix == ".html" else [anchor]
            assert not anchor or unquote(anchor) in ids, f"{name}: {link}"
        for source in found.sources:
            assert (site / name).parent.joinpath(source).is_file(), f"{name}: {source}"


def test_nothing_runs_or_loads_but_what_the_policy_names(pages, read):
    for name, text in pages.items():
        policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
        assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "http" not in policy
        assert read[name].wrong == [], name
        for tag, inner in read[name].inline:
            digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
            kind = "style" if tag == "style" else "script"
            assert f"'sha256-{digest}'" in re.search(rf"{kind}-src ([^;]*)", policy)[1], f"{name}: {tag}"


def test_editions_are_in_step(site, read):
    files = [
        sorted(path.relative_to(site / lang).as_posix() for path in (site / lang).rglob("*")) for lang in ("en", "zh")
    ]
    assert files[0] == files[1]
    for name in files[0]:
        if name.endswith(".html"):
            assert read[f"en/{name}"].ids == read[f"zh/{name}"].ids, name
            assert f"../zh/{name}" in read[f"en/{name}"].links or ".talk" in name


def test_the_same_lessons_give_the_same_bytes(tmp_path):
    name = CHOSEN[0]
    for out in ("a", "b"):
        list(write_site(tmp_path / out, ["zh"], [name]))
    again = sorted(path for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(again) > 8
    for path in again:
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path.name
    assert 'font-family:"fk-cjk"' in (tmp_path / "a" / "zh" / f"{name}.html").read_text(encoding="utf-8")


def test_learners_get_no_notes_and_no_solutions(site, pages):
    for name in CHOSEN:
        text = (site / "en" / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
        assert '"solution"' not in text and not any(cell.get("outputs") for cell in json.loads(text)["cells"])
    assert not [name for name, text in pages.items() if "<!-- trainer" in text]


def test_exercises_say_where_their_check_runs(pages, read):
    for name in CHOSEN:
        text, checks = pages[f"en/{name}.html"], len(re.findall(r'id="exercise-\d+-check"', pages[f"en/{name}.html"]))
        assert checks and text.count('class="run"') == checks
        solutions = len(set(re.findall(r'id="(exercise-\d+-solution)"', text)))  # of those without a computer too
        assert text.count('<details class="solution">') == solutions >= max(checks, 2)
        assert read[f"en/{name}.html"].links.count(f"notebooks/{name}.ipynb") == checks + 1


def test_the_lesson_number_stands_once(pages):
    for name in CHOSEN:
        for page in (f"en/{name}.html", f"en/{name}.talk.html"):
            top = pages[page].partition("</h1>")[2].partition("</section>")[0]
            assert f"Lesson {name[:2]}" in pages[page].partition("</h1>")[0] and f"<strong>Lesson {name[:2]}" not in top


def test_checks_are_marked_for_paper_and_a_card_has_its_picture(pages):
    text = pages["en/05_industrial_eight_step.html"]
    assert len(re.findall(r'<div class="cell check" id="exercise-\d+-check">', text)) == text.count('class="run"')
    assert re.search(r'<div class="paper"><div class="result">(?:(?!</section>).)*<img ', text, re.DOTALL)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_search_holds_every_term_and_section(pages, lang):
    text = pages[f"{lang}/search.html"]
    index = json.loads(re.search(r'<script type="application/json" id="index">(.*?)</script>', text)[1])
    with speaking(lang):
        terms = {term.address: term for term in glossary_terms()}
    found = {entry["u"]: entry for entry in index}
    assert len(found) == len(index)
    for address, term in terms.items():
        assert term.name in found[address]["t"] and term.meaning == found[address]["x"]
    for name in CHOSEN:
        sections = [section.id for section in open_lesson(name, lang).sections]
        assert [address for address in found if address.startswith(name)] == [f"{name}.html#{one}" for one in sections]
    assert not any("<" in entry["x"] and "</" in entry["x"] for entry in index)


def test_explorables_are_embedded_with_the_bundle_that_the_notebook_carries(tmp_path, monkeypatch):
    from funnelkit.explore import WhatIf
    from funnelkit.explore.base import DATA
    from funnelkit.models import funnel

    monkeypatch.setattr("funnelkit.course.site.shell.font_face", lambda text: "")
    assert lessons.EXPLORABLE == DATA and DATA in lessons.SHOWN
    notebook = lessons.read_lesson(CHOSEN[1], "en")
    card = WhatIf(funnel("industrial-8"), 1000, 50000)
    data = {**card.twin(), DATA: card.bundle()}
    for cell in notebook.cells:
        if cell.id == "effort-explore":
            cell.outputs = [nbformat.v4.new_output("display_data", data)]
    lessons.write_lesson(notebook, tmp_path / "en" / f"{CHOSEN[1]}.ipynb")
    list(write_site(tmp_path / "out", ["en"], folder=tmp_path))
    for name in (f"{CHOSEN[1]}.html", f"{CHOSEN[1]}.talk.html"):
        text = (tmp_path / "out" / "en" / name).read_text(encoding="utf-8")
        found = Reader(text)
        policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
        script = next(inner for tag, inner in found.inline if "boot(shown" in inner)
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
        assert "effort-explore-card" in found.ids and found.wrong == []


def test_terms_are_linked_once_and_never_within_links_or_code():
    html = (
        "<h2>Cohort</h2><p>A cohort, <code>cohort</code>, cohorts; the win probability of a <a href='#x'>stage</a>.</p>"
    )
    with speaking("en"):
        terms = Terms()
        linked = terms.linked(html)
        assert terms.linked("<p>Another cohort.</p>") == "<p>Another cohort.</p>"
    assert linked.count('href="glossary.html#cohort"') == 1 and linked.startswith("<h2>Cohort</h2>")
    assert ">cohort</a>, <code>cohort</code>, cohorts" in linked and "<a href='#x'>stage</a>" in linked
    assert set(terms.met) == {"cohort", "win_probability"}


def test_every_path_holds_what_its_lessons_build_on():
    for number, entry in course_map().items():
        assert all(other in course_map() and other < number for other in entry["after"]), number
        for mark in entry["paths"]:
            assert all(mark in course_map()[other]["paths"] for other in entry["after"]), f"{number} on path {mark}"


def test_the_map_has_every_lesson_at_a_place_of_its_own():
    course = Course([open_lesson(name, "en") for name in lessons.names()], [])
    places, n_rows = places_on_map(course)
    assert set(places) == {lesson.number for lesson in course.lessons} <= set(course_map())
    assert len(set(places.values())) == len(places) and max(row for _, row in places.values()) < n_rows
    assert {lesson.number for mark in "tao" for lesson in path_lessons(course, mark)} == set(places)


def test_data_cannot_end_the_script_that_holds_it():
    hostile = {"name": "</script><script>alert(1)</script><!--"}
    assert "<" not in as_data(hostile) and json.loads(as_data(hostile)) == hostile


def test_words_of_html():
    assert plain_text("<p>A <b>b</b>c</p><ul><li>d</li><li>e &lt;</li></ul>") == "A bc d e <"


def test_slides_need_a_chromium(monkeypatch, tmp_path):
    from funnelkit.course import print_slides

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReportError, match="Install Chromium") as refused:
        print_slides(CHOSEN[0], tmp_path, "en")
    assert refused.value.exit_code == 14


def test_a_lesson_that_is_none_is_refused(tmp_path, capsys):
    assert main(["lessons", "site", "05_industrial", "--out", str(tmp_path / "site")]) == 10
    assert "05_industrial_eight_step" in capsys.readouterr().err
