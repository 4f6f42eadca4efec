"""Parameters: a value that no text can hold is refused with its name, in words that can be printed."""

from datetime import date, timedelta

import pytest

from funnelkit.language.errors import ReportError
from funnelkit.report.runs.parameters import Parameter, check_values


@pytest.mark.parametrize("value", ["\udcbb\udcaa.csv", ["good.csv", "\udcbb\udcaa.csv"]])
def test_a_file_name_that_is_no_text_is_refused(value):
    kind = "str" if isinstance(value, str) else "list"
    parameters = {"data": Parameter("data", kind, value, "files")}
    with pytest.raises(ReportError) as caught:
        check_values({"data": value}, parameters)
    assert caught.value.exit_code == 11 and caught.value.key == "parameter_no_text"
    for said in (str(caught.value), caught.value.say("zh")):
        assert "data" in said and "udcbb" in said and said.encode()


@pytest.mark.parametrize(("word", "days"), [("today", 0), ("yesterday", 1)])
def test_a_day_may_be_named_by_the_clock(word, days):
    """A plan for a scheduler cannot compute a date."""
    parameters = {"as_of": Parameter("as_of", "date", "", "")}
    assert check_values({"as_of": word}, parameters)["as_of"] == str(date.today() - timedelta(days=days))
