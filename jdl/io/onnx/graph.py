"""An ONNX graph as it is written: nodes, constants, and shapes that hold the number of rows."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from jdl.io.errors import ModelError

ROWS = 1_000_003  # stands for the number of rows: a prime that is no size of a layer
OPSET, ML_OPSET, IR = 18, 3, 9
END = np.iinfo(np.int64).max


class Graph:
    """What is written so far; a value is the name of a tensor, or an array that is known already.

    Names begin with underscores, more than those of ``taken`` do.
    """

    def __init__(self, taken: Sequence[str] = ()) -> None:
        self._own = "_" * (1 + max((len(name) - len(name.lstrip("_")) for name in taken), default=0))
        self.rows = f"{self._own}rows"
        self.head: list[Any] = []  # what gives shapes: before every other node, seen from loops too
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self._known: dict[Any, str] = {}
        self._reshaped: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._count = count()

    def fresh(self) -> str:
        """Give a name that nothing has yet."""
        return f"{self._own}v{next(self._count)}"

    def op(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        """Write one node, and name its output."""
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, outputs: int, *inputs: Any, **attributes: Any) -> list[str]:
        """Write one node, and name its outputs."""
        return self._node(self.nodes, kind, outputs, inputs, attributes)

    def _node(
        self, where: list[Any], kind: str, outputs: int, inputs: Sequence[Any], given: Any
    ) -> list[str]:
        from onnx import helper

        found = [self.fresh() for _ in range(outputs)]
        where.append(helper.make_node(kind, [self.name(value) for value in inputs], found, **given))
        return found

    def name(self, value: Any) -> str:
        """Name a value; a known one becomes a constant of the graph."""
        if isinstance(value, str):
            return value
        array = np.ascontiguousarray(value).reshape(np.shape(value))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = f"{self._own}c{len(self.constants)}"
            self.constants[self._known[key]] = array
        return self._known[key]

    def size(self, number: int) -> Any:
        """Give one size ``(1,)``, times the number of rows where it stands for that."""
        if not dynamic((number,)):
            return np.array([number])
        key = ("size", number)
        if key not in self._known:
            many = self._node(self.head, "Mul", 1, [self.rows, np.array([number // ROWS])], {})[0]
            self._known[key] = self.rows if number == ROWS else many
        return self._known[key]

    def shape(self, shape: Sequence[int]) -> Any:
        """Give a shape ``(rank,)`` that has the number of rows in it."""
        if not dynamic(shape):
            return np.array(shape, np.int64)
        key = ("shape", tuple(shape))
        if key not in self._known:
            sizes = [self.size(number) for number in shape]
            self._known[key] = self._node(self.head, "Concat", 1, sizes, {"axis": 0})[0]
        return self._known[key]

    def scalar(self, number: int) -> Any:
        """Give one size ``()``."""
        found = self.size(number)
        return self.op("Squeeze", found) if isinstance(found, str) else found[0]

    def cast(self, value: Any, dtype: Any) -> str:
        """Convert to another type."""
        from onnx import helper

        return self.op("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def reshape(self, value: Any, shape: Sequence[int], of: Sequence[int] | None = None) -> str:
        """Give the same elements in another shape; what came ``of`` one that is told can be brought back."""
        before, known = self._reshaped.get(value, (None, None)) if isinstance(value, str) else (None, None)
        if before is not None and known == tuple(shape):
            return before
        found = self.op("Reshape", value, self._inferred(shape), allowzero=1)
        if isinstance(value, str) and of is not None:
            self._reshaped[found] = value, tuple(of)
        return found

    def _inferred(self, shape: Sequence[int]) -> Any:
        """Give a shape that leaves its one axis of rows to the runtime, where the others tell it."""
        if sum(number >= ROWS for number in shape) == 1 and 0 not in shape and dynamic(shape):
            return np.array([-1 if number >= ROWS else number for number in shape])
        return self.shape(shape)

    def expand(self, value: Any, shape: Sequence[int]) -> str:
        """Repeat a value of the same rank along its axes of one."""
        return self.op("Expand", value, self.shape(shape))

    def transpose(self, value: Any, perm: Sequence[int]) -> Any:
        """Put the axes in another order."""
        if list(perm) == sorted(perm):
            return value
        return (
            self.op("Transpose", value, perm=list(perm))
            if isinstance(value, str)
            else np.transpose(value, perm)
        )

    def iota(self, number: int) -> Any:
        """Give 0, 1, … as int64."""
        if not dynamic((number,)):
            return np.arange(number)
        return self.op("Range", np.int64(0), self.scalar(number), np.int64(1))

    def slice(self, value: Any, axis: int, start: int, stop: int, step: int = 1) -> str:
        """Take a part along one axis."""
        return self.op("Slice", value, *(np.array([part]) for part in (start, stop, axis, step)))

    def where(self, condition: Any, one: Any, other: Any) -> str:
        """Choose by a condition."""
        return self.op("Where", condition, one, other)

    def subgraph(
        self, names: Sequence[str], dtypes: Sequence[Any], write: Callable[[], Sequence[Any]]
    ) -> Any:
        """Give what ``write`` writes as a graph of its own, which sees every value outside."""
        from onnx import ValueInfoProto, helper

        outer, self.nodes = self.nodes, []
        outputs = [self.op("Identity", value) for value in write()]
        nodes, self.nodes = self.nodes, outer
        kind = helper.np_dtype_to_tensor_dtype
        inputs = [
            helper.make_tensor_value_info(name, kind(np.dtype(dtype)), None)
            for name, dtype in zip(names, dtypes, strict=True)
        ]
        return helper.make_graph(nodes, self.fresh(), inputs, [ValueInfoProto(name=o) for o in outputs])


def dynamic(shape: Sequence[int]) -> bool:
    """Say whether the number of rows is in a shape."""
    for number in shape:
        if number >= ROWS and number % ROWS:
            raise ModelError(f"export to ONNX: an axis is {number - ROWS} more than the number of rows")
    return any(number >= ROWS for number in shape)
