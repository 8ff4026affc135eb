"""One contender at one case in a process of its own: ``CONTENDER CASE SIZE RATES FOLDER BEGAN WARM``.

``SIZE`` is a ``cases.Size`` in JSON, of whose learning rates ``RATES`` are trained. The first answer, a line
of JSON, is cold: its seconds count from ``BEGAN``, when the process was started, and hold interpreter,
imports, reading and compiling. ``WARM`` calls in the same process follow, an answer each.
"""

import json
import sys
from pathlib import Path
from typing import Any

from worker import answer, own_output

from sweep_peers import CONTENDERS
from sweep_peers.cases import Size, load
from sweep_peers.cost import Cost, now


def main(name: str, case: str, size: str, rates: str, folder: str, began: str, warm: str) -> None:
    """Answer cold, then warm."""
    answers = own_output()
    train = CONTENDERS[name].build(load(case, _size(size), Path(folder)).some(int(rates)))
    start = Cost(float(began), 0.0)
    for _ in range(1 + int(warm)):
        trained = train()
        spent = now().since(start)
        facts = {"cost": spent, "fixed": trained.fixed, "accuracy": [round(a, 5) for a in trained.accuracy]}
        answer(answers, facts)
        start = now()


def _size(text: str) -> Size:
    parts: list[Any] = json.loads(text)
    return Size(*parts)._replace(widths=tuple(parts[2]))


if __name__ == "__main__":
    main(*sys.argv[1:])
