"""A pytest plug-in that puts our metrics in place of scikit-learn's in its own tests of them.

Every call goes to scikit-learn's function first, which reads the inputs and raises its errors, then to ours;
the two values are compared, and ours is what the test gets. A test in which nothing of ours was computed is
not applicable, whatever its outcome.
"""

import re
from collections import Counter, defaultdict
from fnmatch import fnmatchcase
from functools import partial, wraps
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import sklearn
from adapters import ADAPTERS, NotApplicable
from sklearn import metrics

RECORD = Path(__file__).parent / "expected_failures.txt"
COMPUTED: Counter = Counter()
OUTCOMES: dict[str, tuple[str, str]] = {}


class DiffersError(Exception):
    """Our value is not scikit-learn's. Not an AssertionError: some tests expect one."""


def ours(name, theirs):
    adapter, parameters = ADAPTERS[name], signature(theirs)

    @wraps(theirs)
    def metric(*args, **kwargs):
        expected = theirs(*args, **kwargs)
        given = parameters.bind(*args, **kwargs)
        given.apply_defaults()
        try:
            value = np.asarray(adapter(*given.args, **given.kwargs), np.float32)
        except NotApplicable:
            return expected
        COMPUTED[name] += 1
        if not np.allclose(value, expected, rtol=2e-5, atol=2e-6, equal_nan=True):
            raise DiffersError(f"{name}: ours is {value}, scikit-learn's {expected}")
        return value

    return metric


def pytest_configure():
    for name in ADAPTERS:
        if hasattr(metrics, name):
            setattr(metrics, name, ours(name, getattr(metrics, name)))


def metric_of(item):
    """The name of the metric that a test is about: its parameter, which may be the function itself."""
    given = getattr(item, "callspec", None)
    found = [
        value
        for key, value in (given.params if given else {}).items()
        if key in ("name", "metric_name", "metric")
    ]
    if not found:
        return "several"
    if isinstance(found[0], str):
        return found[0]
    named = [name for name, one in item.module.ALL_METRICS.items() if one is found[0]]
    base = found[0].func if isinstance(found[0], partial) else found[0]
    return named[0] if named else base.__name__


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    before = COMPUTED.total()
    result = yield
    name = item.nodeid.split("::")[-1]
    outcome, about = OUTCOMES.get(name, ("skipped", ""))
    if COMPUTED.total() == before and outcome != "failed":
        outcome = "not applicable"
    OUTCOMES[name] = outcome, metric_of(item)
    return result


def pytest_runtest_logreport(report):
    name = report.nodeid.split("::")[-1]
    if report.when == "call" or report.outcome != "passed":
        OUTCOMES[name] = report.outcome, ""


def pytest_terminal_summary(terminalreporter):
    for line in summary():
        terminalreporter.write_line(line)


def pytest_sessionfinish(session):
    session.exitstatus = 1 if list(complaints()) else 0


def summary():
    """Give passed, failed and not applicable, by metric and in all; then what is wrong."""
    table = defaultdict(Counter)
    for outcome, about in OUTCOMES.values():
        table[about][outcome] += 1
    without = [about for about, counts in table.items() if not counts["passed"] + counts["failed"]]
    for about, counts in sorted(table.items()):
        if about not in without:
            yield f"{about}: {counted(counts)}"
    yield f"nothing of ours: {', '.join(sorted(without))}"
    yield f"scikit-learn {sklearn.__version__}: {COMPUTED.total()} values compared with its own"
    yield f"scikit-learn's own tests of metrics: {counted(sum(table.values(), Counter()))}"
    yield from complaints()


def counted(counts):
    rest = counts["not applicable"] + counts["skipped"]
    return f"{counts['passed']} passed, {counts['failed']} failed, {rest} not applicable"


def complaints():
    """What is not as recorded: failures that no line explains, lines that explain none, fewer passed."""
    patterns, least = recorded()
    failed = [name for name, (outcome, _) in OUTCOMES.items() if outcome == "failed"]
    for name in failed:
        if not any(matches(pattern, name) for pattern in patterns):
            yield f"not explained: {name}"
    for pattern in patterns:
        if not pattern.startswith("? ") and not any(matches(pattern, name) for name in failed):
            yield f"explains no failure: {pattern}"
    passed = sum(outcome == "passed" for outcome, _ in OUTCOMES.values())
    if passed < least:
        yield f"{passed} passed, {least} are recorded"


def matches(pattern, name):
    return fnmatchcase(name, pattern.removeprefix("? ").replace("[", "[[]"))


def recorded():
    """The patterns of expected failures, and how many must pass with this version of scikit-learn."""
    lines = [line.split("#")[0].strip() for line in RECORD.read_text().splitlines()]
    number = lambda text: tuple(map(int, text.split(".")[:2]))
    installed, least = number(sklearn.__version__), 0
    for line in lines:
        if found := re.fullmatch(r"passed ([\d.]+): (\d+)", line):
            least = int(found[2]) if number(found[1]) <= installed else least
    return [line for line in lines if line and not line.startswith("passed ")], least
