"""Plans as text: one of thousands of lines is read, one that grows by its aliases is refused."""

import pytest
import yaml

from funnelkit.report.runs import yaml_text
from funnelkit.report.runs.yaml_text import load_yaml


def test_a_long_plan_is_read_and_aliases_may_not_multiply(monkeypatch):
    monkeypatch.setattr(yaml_text, "MOST_VALUES", 200)
    assert len(load_yaml(f"[{'0,' * 1_000}]")) == 1_000
    bomb = "\n".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 15))])
    for text in (bomb, "a: &x [*x]"):
        with pytest.raises(yaml.YAMLError, match=r"more than|in itself"):
            load_yaml(text)
