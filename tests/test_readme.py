"""The README tells the truth: its names exist, its commands are real, its exit codes are the code's."""

import re
import subprocess
import sys
from pathlib import Path

import funnelkit

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_public_names_are_those_of_the_table():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", README, flags=re.M)
    listed = dict(rows)
    assert len(listed) == len(rows)
    assert listed == {name: funnelkit._HOME[name] for name in funnelkit.__all__ if name != "__version__"}


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), f"README links to {target}"


def test_commands_named_are_commands():
    from funnelkit.cli import build_parser

    known = set(build_parser()._subparsers._group_actions[0].choices)
    named = set(re.findall(r"funnelkit (models|synth|check|count|report|batch|verify|rerun|new|app|lessons)\b", README))
    assert named and named <= known


def test_usage_error_exits_64():
    run = subprocess.run([sys.executable, "-m", "funnelkit", "report", "--no-such"], capture_output=True, text=True)
    assert run.returncode == 64 and "--no-such" in run.stderr
