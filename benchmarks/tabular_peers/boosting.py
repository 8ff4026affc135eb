"""Boosted trees, stopped early on 10 % of the training rows."""

from typing import Any

import numpy as np
from tables import Table

from tabular_peers import Fitted, timed
from tabular_peers.rows import THREADS, cut, frames, targets

ROUNDS, PATIENCE, VALID = 2000, 50, 0.1
MOST_LEVELS = 255  # of a category in scikit-learn's boosting


def fit(table: Table, seed: int, package: str) -> Fitted:
    """Fit by the package named."""
    seconds: dict[str, float] = {}
    x, test = frames(table, categorical=package != "catboost")
    y = targets(table)[0]
    with timed(seconds, "import"):
        model, given = MAKE[package](table, seed)
    if package == "sklearn":
        x, test = _few_levels(table, x), _few_levels(table, test)
        with timed(seconds, "fit"):
            model.fit(x, y)
    else:
        kept, held = cut(table, seed, VALID)
        with timed(seconds, "fit"):
            model.fit(x.iloc[kept], y[kept], eval_set=[(x.iloc[held], y[held])], **given)
    with timed(seconds, "predict"):
        outputs = model.predict_proba(test) if table.classes else model.predict(test)
    return Fitted(np.asarray(outputs), seconds)


def _sklearn(table: Table, seed: int) -> tuple[Any, dict]:
    from sklearn import ensemble

    kind = "HistGradientBoostingClassifier" if table.classes else "HistGradientBoostingRegressor"
    # It keeps the last round, not the best one, so its own patience (10) stays.
    stop = {"early_stopping": True, "validation_fraction": VALID}
    model = getattr(ensemble, kind)(
        max_iter=ROUNDS, random_state=seed, categorical_features="from_dtype", **stop
    )
    return model, {}


def _lightgbm(table: Table, seed: int) -> tuple[Any, dict]:
    import lightgbm

    kind = lightgbm.LGBMClassifier if table.classes else lightgbm.LGBMRegressor
    model = kind(n_estimators=ROUNDS, random_state=seed, n_jobs=THREADS, verbose=-1)
    return model, {"callbacks": [lightgbm.early_stopping(PATIENCE, verbose=False)]}


def _xgboost(table: Table, seed: int) -> tuple[Any, dict]:
    import xgboost

    kind = xgboost.XGBClassifier if table.classes else xgboost.XGBRegressor
    stop = {"n_estimators": ROUNDS, "early_stopping_rounds": PATIENCE}
    return kind(enable_categorical=True, random_state=seed, n_jobs=THREADS, **stop), {"verbose": False}


def _catboost(table: Table, seed: int) -> tuple[Any, dict]:
    import catboost

    kind = catboost.CatBoostClassifier if table.classes else catboost.CatBoostRegressor
    stop = {"iterations": ROUNDS, "early_stopping_rounds": PATIENCE}
    quiet = {"verbose": False, "allow_writing_files": False, "thread_count": THREADS}
    return kind(random_seed=seed, cat_features=table.categories, **stop, **quiet), {}


def _few_levels(table: Table, rows: Any) -> Any:
    """Give categories of more levels than scikit-learn takes as the levels' numbers."""
    many = [name for name in table.categories if len(rows[name].cat.categories) > MOST_LEVELS]
    return rows.assign(**{name: rows[name].cat.codes.where(rows[name].notna()) for name in many})


MAKE = {"sklearn": _sklearn, "lightgbm": _lightgbm, "xgboost": _xgboost, "catboost": _catboost}
