"""All cases of one torch module, compared or left out with a reason."""

from collections import Counter
from fnmatch import fnmatch
from typing import NamedTuple

from tests.outside.torch_modules import activation, attention, conv, linear, loss, norm, pad, pool, recurrent
from tests.outside.torch_modules.cases_oracle import cases
from tests.outside.torch_modules.compare_oracle import Theirs, compare, run_torch
from tests.outside.torch_modules.not_applicable import EXCEPT, NOT_COMPARED
from tests.outside.torch_modules.table import Row

FAMILIES = (activation, attention, conv, linear, loss, norm, pad, pool, recurrent)
TWINS = {name: adapter for family in FAMILIES for name, adapter in family.TWINS.items()}
# Run operation by operation: many cases of a few shapes, for which compiling each takes twice as long.
EAGER = frozenset(attention.TWINS)


class Outcome(NamedTuple):
    """The counts, what differs, and how often each reason left a case out."""

    row: Row
    failures: list[str]
    reasons: Counter[str]


def outcome(name: str) -> Outcome:
    """Compare every case of a module that applies."""
    failures: list[str] = []
    reasons: Counter[str] = Counter()
    listed, programs = cases(name), None if name in EAGER else {}
    for case in listed:
        if name in NOT_COMPARED:
            reasons[NOT_COMPARED[name]] += 1
            continue
        theirs = run_torch(case)
        reason = left_out(name, theirs)
        if reason:
            reasons[reason] += 1
            continue
        try:
            compare(TWINS[name], theirs, programs)
        except Exception as error:  # every kind of failure is one more line of the list, with what it says
            failures.append(f"{case}: {type(error).__name__}: {str(error).strip()[:400]}")
    applicable = len(listed) - reasons.total()
    return Outcome(Row(name, applicable - len(failures), applicable, len(listed)), failures, reasons)


def left_out(name: str, theirs: Theirs) -> str | None:
    """Give the reason why a case does not apply."""
    fitting = (why for pattern, test, why in EXCEPT if fnmatch(name, pattern) and test(theirs))
    return next(fitting, None)
