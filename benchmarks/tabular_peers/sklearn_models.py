"""scikit-learn's own network and linear models, on standardised numbers and one-hot categories."""

from typing import Any

from tables import Table

from tabular_peers import Fitted, timed
from tabular_peers.rows import frames, targets

STOPPED = (
    10_000  # rows above which scikit-learn's boosting stops early unless told; its network is held to it
)


def fit(table: Table, seed: int, model: str) -> Fitted:
    """Fit the network (``mlp``) or logistic or ridge regression (``linear``)."""
    seconds: dict[str, float] = {}
    x, test = frames(table, categorical=False)
    y = targets(table)[0]
    with timed(seconds, "import"):
        made = _pipeline(table, _mlp(table, seed) if model == "mlp" else _linear(table))
    with timed(seconds, "fit"):
        made.fit(x, y)
    with timed(seconds, "predict"):
        outputs = made.predict_proba(test) if table.classes else made.predict(test)
    return Fitted(outputs, seconds)


def _pipeline(table: Table, last: Any) -> Any:
    from sklearn.compose import TransformedTargetRegressor, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), table.numbers),
        (OneHotEncoder(handle_unknown="ignore"), table.categories),
    )
    if not table.classes:
        last = TransformedTargetRegressor(last, transformer=StandardScaler())
    return make_pipeline(columns, last)


def _mlp(table: Table, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPClassifier if table.classes else MLPRegressor
    return kind(random_state=seed, early_stopping=table.train.height > STOPPED)


def _linear(table: Table) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    return LogisticRegression(max_iter=1000) if table.classes else Ridge()
