"""What a parse says beyond values: where things stand, which path is wrong, what is kept of a file with mistakes."""

from __future__ import annotations

from tusk_platform.errors import Span
from tusk_platform.tsk import Array, Document, Entry, Operator, Scalar, Table, find, parse, plain

SAMPLE = """streams = {
    orders = { source = "kafka", topics = ["a",
        "b"] }
    token = @env(TOKEN, default = "none")
}
"""


def test_values_know_where_they_stand() -> None:
    root = parse(SAMPLE, "p.tsk").root

    source = find(root, ("streams", "orders", "source"))
    assert isinstance(source, Entry)
    assert source.key_span == Span("p.tsk", 2, 16, 6, '    orders = { source = "kafka", topics = ["a",')
    assert (source.value.span.column, source.value.span.length) == (25, 7)
    topics = find(root, ("streams", "orders", "topics"))
    assert isinstance(topics, Entry)
    assert isinstance(topics.value, Array)
    assert [str(item.span) for item in topics.value.items] == ["p.tsk:2:44", "p.tsk:3:9"]
    assert (topics.value.span.column, topics.value.span.length) == (43, 5)


def test_operator_keeps_its_arguments_unresolved() -> None:
    token = find(parse(SAMPLE, "p.tsk").root, ("streams", "token"))

    assert isinstance(token, Entry)
    assert isinstance(token.value, Operator)
    assert token.value.name == "env"
    name, named = token.value.args
    assert isinstance(name, Scalar)
    assert isinstance(named, Table)
    assert plain(token.value) == {"@env": ["TOKEN", {"default": "none"}]}


def test_line_ends_and_byte_order_mark_change_nothing() -> None:
    expected = parse(SAMPLE + "x = ture\n", "p.tsk")

    for text in (SAMPLE + "x = ture\n",):
        for variant in (text.replace("\n", "\r\n"), "\ufeff" + text, text.replace("\n", "\r")):
            assert parse(variant, "p.tsk") == expected


def test_text_over_lines_has_plain_line_ends() -> None:
    document = parse('sql = "\r\n  SELECT 1\r\n"\r\n', "p.tsk")

    assert plain(document.root) == {"sql": "\n  SELECT 1\n"}


def test_problem_names_the_path() -> None:
    text = '[models.churn]\nfeatures = ["a", b]\nnested = { "odd.key" = { x = 15s } }\nq = @query(sql = )\n'

    assert [p.path for p in parse(text, "p.tsk").problems] == [
        "models.churn.features[1]",
        'models.churn.nested."odd.key".x',
        "models.churn.q.sql",
    ]


def test_problems_come_in_the_order_of_the_file() -> None:
    text = "a = {\n  b = 1x\n  c = [1\n  d = 2x\n}\ne = 3x\n"

    assert [p.span.line for p in parse(text, "p.tsk").problems] == [2, 3, 4, 6]


def test_what_was_meant_is_kept() -> None:
    document = parse('engine = duckdb\nsize = 1_000\nwindow = 5 minutes\ntopic = "a\nx = 1\n', "p.tsk")

    assert len(document.problems) == 4
    assert plain(document.root) == {"engine": "duckdb", "size": 1000, "window": "5 minutes", "topic": "a", "x": 1}


def test_first_of_two_equal_keys_counts() -> None:
    document = parse("a = 1\na = 2\n", "p.tsk")

    assert plain(document.root) == {"a": 1}
    assert "line 1, column 1" in document.problems[0].message


def test_nothing_is_carried_out_or_replaced() -> None:
    text = 'a = "$HOME ${HOME} {{ x }} %s"\nb = @env(HOME)\nc = @query("DROP TABLE x")\n'

    assert plain(parse(text, "p.tsk").root) == {
        "a": "$HOME ${HOME} {{ x }} %s",
        "b": {"@env": ["HOME"]},
        "c": {"@query": ["DROP TABLE x"]},
    }


def test_empty_files_are_empty_tables() -> None:
    for text in ("", "\n", "\ufeff", "// only a comment", "\r\n\r\n", ";;\n,"):
        assert parse(text, "p.tsk") == Document(Table((), parse(text, "p.tsk").root.span), ())


def test_hint_shows_how_a_word_is_written() -> None:
    (problem,) = parse("enabled = ture", "p.tsk").problems

    assert problem.render() == (
        "p.tsk:1:11: text needs quotes: `ture`\n"
        "    enabled = ture\n"
        "              ^^^^\n"
        '    did you mean `true`? As text it is written "ture"'
    )


def test_a_very_long_line_is_shown_in_part() -> None:
    (problem,) = parse("a = 1 " * 0 + "; ".join(f"k{i} = {i}" for i in range(400)) + "; bad = 15s", "p.tsk").problems

    message, line, caret, hint = problem.render().splitlines()
    assert message.startswith("p.tsk:1:")
    assert max(map(len, (line, caret, hint))) < 180
    assert line[caret.index("^") :].startswith("15s")
