"""The face: one import, one kind of answer, documented so that an editor and a reader need nothing else."""

import inspect
import re
import subprocess
import sys
import types
import typing

import pytest

import funnelkit as fk
from funnelkit.charts import Chart
from funnelkit.result import Result

SECTIONS = ("Parameters", "Returns", "Raises", "Notes", "Examples")
# Not verbs: each with the reason why it answers otherwise than with a Result.
HELPERS = {
    "funnel": "gives a model, which shows itself",
    "custom": "gives a model of bare stage names",
    "case": "gives a teaching case of the catalogue",
    "common": "gives the topics that hold for every model",
    "read": "gives the Pipeline that verbs take",
    "sample": "gives the sample's Pipeline",
    "synthesize": "gives data with their truth",
    "synthesize_losses": "gives data with their truth",
    "rate_products": "gives data with their truth",
    "preset": "gives a Rule",
    "to_xes": "writes a file and gives its path",
    "wilson": "plain numbers in, plain numbers out",
    "newcombe": "plain numbers in, plain numbers out",
    "use": "a setting: shows nothing",
    "show": "a table in, the same table displayed",
    "data_end": "the day after the last of the data",
    "rate_columns": "plain numbers in, plain numbers out",
    "number": "a number in, its text out",
    "percent": "a number in, its text out",
    "points": "a number in, its text out",
    "money": "a number in, its text out",
    "day": "a date in, its text out",
}
MODULES = {"plot", "charts", "checks", "explore", "errors"}


def functions(module, names):
    found = {name: getattr(module, name) for name in names}
    return {name: value for name, value in found.items() if inspect.isfunction(value)}


VERBS = {name: verb for name, verb in functions(fk, fk.__all__).items() if name not in HELPERS}
CHARTS = functions(fk.plot, [name for name in fk.plot.__all__ if name.endswith("_chart")])
PUBLIC = {**functions(fk, fk.__all__), **{f"plot.{name}": chart for name, chart in CHARTS.items()}}


def sections(text):
    """Return {section: body} of a numpydoc docstring."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.cleandoc(text or ""), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def hints(function):
    """Return the annotations of a function, those that only a type checker imports included."""
    module = sys.modules[function.__module__]
    names = dict(vars(module))
    for line in re.findall(r"^    from (funnelkit\S*) import (.+)$", inspect.getsource(module), flags=re.M):
        names |= {
            name.strip(): getattr(__import__(line[0], fromlist=["_"]), name.strip()) for name in line[1].split(",")
        }
    return typing.get_type_hints(function, globalns=names)


def test_helpers_are_on_the_face():
    assert {name for name in HELPERS if name not in fk.__all__} == set()


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_returns_a_result(name):
    answer = hints(VERBS[name])["return"]
    assert isinstance(answer, type) and issubclass(answer, Result), f"{name} returns {answer}"


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_returns_a_chart(name):
    assert hints(CHARTS[name])["return"] is Chart


def test_there_are_21_charts_or_more():
    assert len(CHARTS) >= 21, sorted(CHARTS)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_function_is_annotated_and_documented(name):
    function = PUBLIC[name]
    parameters = inspect.signature(function).parameters
    assert set(function.__annotations__) == {*parameters, "return"}, "every parameter and the answer has a type"
    found = sections(function.__doc__)
    assert set(found) <= set(SECTIONS), set(found) - set(SECTIONS)
    assert list(found) == [section for section in SECTIONS if section in found], "sections in numpydoc's order"
    needed = {"Returns"} | ({"Parameters"} if parameters else set())
    needed |= {"Examples"} if not name.startswith("plot.") else set()
    if function.__annotations__["return"] in ("None", None):
        needed.discard("Returns")
    assert needed <= set(found), needed - set(found)
    if "Examples" in needed:
        assert ">>> " in found["Examples"], "an example that runs"
    named = set(re.findall(r"^\*{0,2}(\w+(?:, \w+)*)(?: :|$)", found.get("Parameters", ""), flags=re.M))
    named = {one for group in named for one in group.split(", ")}
    assert set(parameters) <= named, f"not documented: {set(parameters) - named}"


@pytest.mark.parametrize("name", ["Pipeline", "Result", "Rule", "Calendar", "Funnel"])
def test_classes_are_documented(name):
    found = getattr(fk, name)
    assert inspect.isclass(found) and len(inspect.cleandoc(found.__doc__ or "")) > 60


def test_everything_on_the_face_is_a_function_a_class_or_a_room():
    odd = {name for name in fk.__all__ if not callable(getattr(fk, name)) and name not in MODULES}
    assert odd == set()
    assert all(isinstance(getattr(fk, name), types.ModuleType) for name in MODULES & set(fk.__all__))


def test_tab_completion_and_help_know_the_face():
    assert set(dir(fk)) >= {*VERBS, "plot", "use", "Pipeline"}
    assert "compare_periods" in dir(fk) and "funnel_chart" in dir(fk.plot)
    assert "Examples" in (fk.compare_periods.__doc__ or "")


def test_importing_the_face_is_light():
    code = "import sys, funnelkit; print(len([name for name in sys.modules if name.startswith('funnelkit')]))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) <= 3


OF_A_PIPELINE = sorted(
    name for name, verb in VERBS.items() if next(iter(verb.__annotations__.values())) in ("Pipeline", fk.Pipeline)
)


def test_most_verbs_take_a_pipeline():
    assert len(OF_A_PIPELINE) >= 15


@pytest.mark.parametrize("verb", OF_A_PIPELINE)
@pytest.mark.parametrize("wrong", [None, 3, "deals.csv", [1, 2]], ids=repr)
def test_a_wrong_type_is_refused_with_what_is_wanted(verb, wrong):
    needed = [
        parameter
        for parameter in list(inspect.signature(VERBS[verb]).parameters.values())[1:]
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    others = {parameter.name: "2026-12-31" for parameter in needed}
    with pytest.raises(fk.errors.DataError) as caught:
        VERBS[verb](wrong, **others)
    assert "Pipeline" in str(caught.value) and "read" in str(caught.value)
