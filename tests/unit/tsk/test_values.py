"""Plain values, leaves and paths."""

from __future__ import annotations

from pathlib import Path

from tusk_platform.tsk import Entry, Operator, Scalar, dotted, find, leaves, parse, plain

ROOT = Path(__file__).parents[3]


def test_default_platform_has_179_leaves() -> None:
    document = parse((ROOT / "platform.tsk").read_text(encoding="utf-8"), "platform.tsk")

    assert document.problems == ()
    assert len(document.root.entries) == 13
    assert len(leaves(document.root)) == 179


def test_a_leaf_is_whatever_is_no_table() -> None:
    text = 'a = { b = 1, c = [1, 2, { d = 3 }], e = { } }\n"f.g" = @env(H, { i = 4 })\nj = null\n'

    assert [path for path, _ in leaves(parse(text, "v.tsk").root)] == ["a.b", "a.c", '"f.g"', "j"]


def test_query_text_is_kept_to_the_letter() -> None:
    values = plain(parse((ROOT / "platform.tsk").read_text(encoding="utf-8"), "platform.tsk").root)

    (sql,) = values["analytics_data_sources"]["user_segments"]["@query"]
    assert sql.startswith("\n        SELECT \n            user_id,\n")
    assert sql.endswith("GROUP BY user_id\n    ")
    assert values["multi_source_analytics"]["data_sources"]["web_analytics"]["property_id"] == {
        "@env": ["GA_PROPERTY_ID"]
    }


def test_find_follows_keys_numbers_and_operators() -> None:
    root = parse('a = { b = [10, { c = @env("X", 5) }] }', "v.tsk").root

    assert find(root, ()) is root
    assert isinstance(find(root, ("a", "b")), Entry)
    item = find(root, ("a", "b", 0))
    assert isinstance(item, Scalar)
    assert item.value == 10
    assert isinstance(find(root, ("a", "b", 1, "c", "@env")), Operator)
    argument = find(root, ("a", "b", 1, "c", "@env", 1))
    assert isinstance(argument, Scalar)
    assert argument.value == 5


def test_find_finds_nothing_where_nothing_is() -> None:
    root = parse("a = { b = [10] }", "v.tsk").root

    for path in (("x",), ("a", "b", 1), ("a", "b", -1), ("a", "b", "c"), ("a", "b", 0, "c"), ("a", 0)):
        assert find(root, path) is None


def test_dotted_paths_quote_what_is_no_word() -> None:
    assert dotted(("a", "b-c", 0, "d e", "f.g")) == 'a.b-c[0]."d e"."f.g"'
