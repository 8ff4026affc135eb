"""scikit-learn's own network and linear models, on standardised numbers and encoded categories."""

import math
from typing import Any

from tables import Table

from tabular_peers import Fitted, timed
from tabular_peers.rows import frames, targets

STOPPED = (
    10_000  # rows above which scikit-learn's boosting stops early unless told; its network is held to it
)


def fit(table: Table, seed: int, model: str, most: float = math.inf) -> Fitted:
    """Fit the network (``mlp``), boosted trees (``hgb``), or logistic or ridge regression (``linear``).

    Categories of more than ``most`` levels are encoded by the target, the others one-hot.
    """
    seconds: dict[str, float] = {}
    x, test = frames(table, categorical=False)
    y = targets(table)[0]
    with timed(seconds, "import"):
        made = _pipeline(table, MAKE[model](table, seed), most, seed)
    with timed(seconds, "fit"):
        made.fit(x, y)
    with timed(seconds, "predict"):
        outputs = made.predict_proba(test) if table.classes else made.predict(test)
    return Fitted(outputs, seconds)


def _pipeline(table: Table, last: Any, most: float, seed: int) -> Any:
    from sklearn.compose import TransformedTargetRegressor, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

    many = [name for name in table.categories if table.train[name].n_unique() > most]
    few = [name for name in table.categories if name not in many]
    columns = make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
            table.numbers,
        ),
        (OneHotEncoder(handle_unknown="ignore"), few),
        (make_pipeline(TargetEncoder(random_state=seed), StandardScaler()), many),
        sparse_threshold=0.3 if most == math.inf else 0.0,
    )
    if not table.classes:
        last = TransformedTargetRegressor(last, transformer=StandardScaler())
    return make_pipeline(columns, last)


def _mlp(table: Table, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPClassifier if table.classes else MLPRegressor
    return kind(random_state=seed, early_stopping=table.train.height > STOPPED)


def _hgb(table: Table, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return (HistGradientBoostingClassifier if table.classes else HistGradientBoostingRegressor)(
        random_state=seed
    )


def _linear(table: Table, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    return LogisticRegression(max_iter=1000) if table.classes else Ridge()


MAKE = {"mlp": _mlp, "hgb": _hgb, "linear": _linear}
