"""The tree of an ``@query``: its SELECTs, tables and columns in a fixed order, so that a number names each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

# The dialect that queries of the config are written in.
DIALECT: Final = "mysql"
# What a query may give: how its columns meet takes time with the square of their number.
MOST_COLUMNS: Final = 1_000


@dataclass(slots=True)
class Tree:
    """A parsed query. ``sources`` are, for each SELECT, alias and node of what stands in its FROM and JOINs.

    ``inner`` says of the node of a source, by id, the number of the SELECT that stands there.
    """

    root: exp.Query
    selects: list[exp.Select] = field(default_factory=list)
    sources: list[list[tuple[str, exp.Expr]]] = field(default_factory=list)
    inner: dict[int, int] = field(default_factory=dict)
    outer: list[int | None] = field(default_factory=list)
    columns: list[exp.Column] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)

    @property
    def result(self) -> int:
        """Number of the SELECT whose outputs name the columns of the result."""
        return self.number(first_select(self.root))

    def number(self, select: exp.Select) -> int:
        """A SELECT's number."""
        return next(n for n, known in enumerate(self.selects) if known is select)


def grown(root: exp.Query) -> Tree:
    """The tree with everything in it numbered: the same text gives the same numbers."""
    from sqlglot import exp  # noqa: PLC0415 - a third of a second, and most configs hold no query
    from sqlglot.optimizer.scope import traverse_scope  # noqa: PLC0415 - as above

    tree = Tree(root)
    scopes = [s for s in traverse_scope(root) if isinstance(s.expression, exp.Select)]
    tree.selects = [s.expression for s in scopes if isinstance(s.expression, exp.Select)]
    for scope in scopes:
        tree.sources.append(_sources(scope, tree))
        tree.outer.append(_outer(scope, tree))
    owners = {id(select): number for number, select in enumerate(tree.selects)}
    for column in root.find_all(exp.Column):
        owner = column.find_ancestor(exp.Select, exp.SetOperation)
        if isinstance(column.this, exp.Identifier) and id(owner) in owners:
            tree.columns.append(column)
            tree.owners.append(owners[id(owner)])
    return tree


def first_select(node: exp.Expr) -> exp.Select:
    """The SELECT that names the columns of a query: of a UNION its first."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    while not isinstance(node, exp.Select):
        node = node.this
    return node


def _sources(scope: Scope, tree: Tree) -> list[tuple[str, exp.Expr]]:
    from sqlglot import exp  # noqa: PLC0415 - as above
    from sqlglot.optimizer.scope import Scope as Scoped  # noqa: PLC0415 - as above

    found: list[tuple[str, exp.Expr]] = []
    for alias, node in scope.references:
        source = scope.sources.get(alias)
        if isinstance(source, Scoped) and isinstance(source.expression, exp.Query):
            tree.inner[id(node)] = tree.number(first_select(source.expression))
        found.append((alias, node))
    return found


def _outer(scope: Scope, tree: Tree) -> int | None:
    from sqlglot import exp  # noqa: PLC0415 - as above

    above = scope.parent if scope.is_subquery or scope.can_be_correlated else None
    while above is not None and not isinstance(above.expression, exp.Select):
        above = above.parent
    return None if above is None else tree.number(first_select(above.expression))


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that may not stand in a query: what, what to do instead, and the node at which it stands."""

    message: str
    hint: str
    node: exp.Expr


def refused(root: exp.Query) -> Refused | None:
    """The first thing in a query that is more than reading tables of the platform; None where it only does that."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    tables = "streams, aggregates, queries and types of events can be read"
    for node in root.walk():
        if isinstance(node, exp.Select) and len(node.expressions) > MOST_COLUMNS:
            return Refused(f"more than {MOST_COLUMNS:,} columns", "name those that are read", node.expressions[-1])
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
            return Refused(f"a query reads tables by name, not `{_written(node.this)}`", tables, node)
        if isinstance(node, exp.Table) and node.catalog:
            return Refused(f"`{_written(node)}` has too many parts for the name of a table", tables, node)
        if isinstance(node, exp.Lateral | exp.Pivot | exp.TableSample | exp.Into | exp.Lock):
            return Refused(
                "this part of SQL may not stand in a query", "it reads tables of the platform, no more", node
            )
        if isinstance(node, exp.Join) and node.method:
            return Refused(f"a {node.method} JOIN does not say which columns match", "say it: `ON` or `USING`", node)
        if isinstance(node, exp.Parameter | exp.SessionParameter | exp.Placeholder):
            return Refused("a query has no variables", "write the value itself", node)
    return None


def position(sql: str, node: exp.Expr) -> tuple[int, int, int] | None:
    """Line, column and length of a node's first name in the text; None where the parser kept none."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    for found in (node, *node.find_all(exp.Identifier, exp.Func)):
        start, end = found.meta.get("start"), found.meta.get("end")
        if start is not None and end is not None:
            before = sql[:start]
            return before.count("\n") + 1, start - before.rfind("\n"), end - start + 1
    return None


def _written(node: exp.Expr) -> str:
    text = node.sql()
    return text if len(text) <= 40 else f"{text[:39]}…"
