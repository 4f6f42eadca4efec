"""Help and usage errors of the command line: complete, and in the language that is asked for."""

import argparse
import re

import pytest

from funnelkit.cli import build_parser, main
from funnelkit.language import LANGUAGES, speaking, texts


def commands(lang):
    with speaking(lang):
        parser = build_parser()
    (parts,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return {"funnelkit": parser, **parts.choices}


def actions():
    return [
        (command, action.dest)
        for command, parser in commands("en").items()
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction)
    ]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_option_is_explained(lang):
    for command, parser in commands(lang).items():
        text = parser.format_help()
        assert parser.description == texts("help.commands")[command][lang]
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                continue
            entry = texts("help").get(command, {}).get(action.dest) or texts("help.any")[action.dest]
            assert action.help == entry[lang], (command, action.dest)
        assert bool(re.search("[\u4e00-\u9fff]", text)) == (lang == "zh"), command


def test_no_help_is_left_over():
    known = actions()
    own = {(group, key) for group in dict(known) for key in texts("help").get(group, {})}
    assert own <= set(known)
    assert set(texts("help.any")) <= {dest for _, dest in known}
    assert set(texts("help.commands")) == set(commands("en"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["count", "--lang", "zh"], "缺少必需的参数：file, --steps"),
        (["report", "--lang=zh", "--keep", "0"], "参数 --keep：'0' 不是大于等于 1 的整数"),
        (["report", "--lang", "zh", "--no-such"], "无法识别的参数：--no-such"),
        (["report", "--lang", "zh", "--out"], "参数 --out：需要一个取值"),
        (["synth", "b2b-8", "--seed", "x", "--out", "o", "--lang", "zh"], "参数 --seed：取值 'x' 不是有效的 int"),
        (["count", "a.csv", "--steps", "a,,b", "--lang", "zh"], "参数 --steps：名称之间用逗号分隔"),
        (["reprot", "--lang", "zh"], "参数 COMMAND：无效的取值 'reprot'"),
        (["count", "--lang", "en"], "the following arguments are required: file, --steps"),
        (["check", "x.csv", "--lang", "fr"], "argument --lang: invalid choice: 'fr'"),
    ],
)
def test_usage_errors_are_said_in_the_language_asked_for(words, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    told = capsys.readouterr().err
    assert stopped.value.code == 64
    assert said in told
    assert told.startswith("用法：" if "zh" in " ".join(words) else "usage: ")


@pytest.mark.parametrize("words", [["build", "--lang", "zh", "A", "B"], ["--lang", "zh", "build", "A", "B"]])
def test_names_of_lessons_stand_before_or_after_options(words):
    options = build_parser().parse_args(["lessons", *words])
    assert (options.action, options.names, options.lang) == ("build", ["A", "B"], "zh")


def test_the_words_of_the_system_come_back(capsys):
    with pytest.raises(SystemExit):
        main(["count", "--lang", "zh"])
    with pytest.raises(SystemExit):
        argparse.ArgumentParser(prog="other").parse_args(["--no-such"])
    assert capsys.readouterr().err.endswith("other: error: unrecognized arguments: --no-such\n")


def test_report_reads_with_the_options_of_check(tmp_path, capsys):
    path = tmp_path / "deals.csv"
    path.write_text("id;Phase;Wert\n1;Angebot;1,5\n", encoding="cp1252")
    asked = ["--stages", "Kontakt,Angebot", "--encoding", "cp1252", "--map", "stage=Phase", "--as-of", "2026-01-05"]
    more = ["-p", 'reading={"decimal": ","}', "--dry-run", "--out", str(tmp_path / "out"), "--lang", "en"]
    assert main(["report", "--data", str(path), *asked, *more]) == 0
    told = capsys.readouterr().out
    assert "stages = ['Kontakt', 'Angebot']" in told and "as_of = 2026-01-05" in told
    assert "reading = {'decimal': ',', 'encoding': 'cp1252', 'map': {'stage': 'Phase'}}" in told
