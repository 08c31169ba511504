"""The TuskLang dialect of `.tsk` files: text in, values with positions out. Knows nothing of analytics.

Nothing in a file is carried out or replaced: ``@env(NAME)`` stays the operator that it is.
"""

from tusk_platform.tsk.nodes import Array, Document, Entry, Operator, Scalar, Table, Value
from tusk_platform.tsk.parser import parse
from tusk_platform.tsk.values import dotted, find, leaves, plain

__all__ = [
    "Array", "Document", "Entry", "Operator", "Scalar", "Table", "Value", "dotted", "find", "leaves", "parse", "plain",
]  # fmt: skip
