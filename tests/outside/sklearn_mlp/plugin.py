"""A pytest plug-in that puts our estimators in place of scikit-learn's in its own tests of its networks.

An argument that says what is learned is translated: the sizes of the layers, the penalty, the passes, the
learning rate, the batch, the rows held out. One that says how scikit-learn gets there (``solver``,
``momentum``, …) or with which activation is read and left alone: ours are the network ``mlp`` with its own
optimizer, and must reach the same scores. What we do not have (attributes of single weights, a warm start, an
end by tolerance) raises ``NotApplicableError``, and the test counts as not applicable.
"""

import pytest
import sklearn
from expected_failures import FAILURES
from sklearn import neural_network

import jdl

OUTCOMES: dict[str, str] = {}


class NotApplicableError(Exception):
    """What is asked for is not in our estimators."""


def translated(base, theirs):
    """Make our estimator with the arguments of theirs."""
    defaults = theirs().get_params()

    class Translated(base):
        def __init__(self, **given):
            if unknown := set(given) - set(defaults):
                raise TypeError(f"unexpected arguments: {unknown}")
            self.__dict__ |= defaults | given
            sizes = self.hidden_layer_sizes
            hyper = {"widths": tuple(sizes) if hasattr(sizes, "__len__") else (sizes,)}
            hyper |= {"learning_rate": self.learning_rate_init, "dropout": 0.0, "weight_decay": self.alpha}
            if self.batch_size != "auto":
                hyper["batch_size"] = self.batch_size
            held = self.validation_fraction if self.early_stopping else 0.0
            super().__init__(
                "mlp", hyper=hyper, epochs=self.max_iter, validation=held, random_state=self.random_state
            )
            given = self.__dict__
            asked = {name: given[name] for name in NONE if given.get(name, NONE[name]) != NONE[name]}
            if self.max_iter >= MANY:
                asked["tol"] = self.tol
            if asked:
                raise NotApplicableError(asked)

        def __getattr__(self, name):
            if name in INTERNALS:
                raise NotApplicableError(name)
            raise AttributeError(name)

    Translated.__name__ = Translated.__qualname__ = theirs.__name__
    globals()[theirs.__name__] = Translated  # where pickle looks for it
    return Translated


NONE = {"warm_start": False, "verbose": False, "max_fun": 15000, "loss": "squared_error"}
MANY = 1000  # passes that only an end by tolerance leaves undone
INTERNALS = {"coefs_", "intercepts_", "best_loss_", "validation_scores_"}


def pytest_configure():
    neural_network.MLPClassifier = translated(jdl.Classifier, neural_network.MLPClassifier)
    neural_network.MLPRegressor = translated(jdl.Regressor, neural_network.MLPRegressor)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    try:
        result = yield
    except BaseException as error:
        OUTCOMES[item.name] = "not applicable" if isinstance(error, NotApplicableError) else "failed"
        raise
    OUTCOMES[item.name] = "passed"
    return result


def pytest_sessionfinish(session):
    session.exitstatus = 1 if complaints() else 0


def pytest_terminal_summary(terminalreporter):
    count = {kind: list(OUTCOMES.values()).count(kind) for kind in ("passed", "failed", "not applicable")}
    told = ", ".join(f"{number} {kind}" for kind, number in count.items())
    terminalreporter.write_line(f"scikit-learn {sklearn.__version__}'s own tests of networks: {told}")
    for line in complaints():
        terminalreporter.write_line(line)


def complaints():
    """What is not as recorded: failures without a reason, and reasons without a failure."""
    failed = {name for name, outcome in OUTCOMES.items() if outcome == "failed"}
    without = [f"not explained: {name}" for name in sorted(failed - set(FAILURES))]
    return without + [f"explains no failure: {name}" for name in sorted(set(FAILURES) - failed)]
