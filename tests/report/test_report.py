"""The report: what it says against scikit-learn and SciPy, and that the page stands on its own."""

from html.parser import HTMLParser

import jax
import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, log_loss, mean_squared_error

import jdl
from jdl.data import Schema, infer_schema
from jdl.data.columns import Category, Number, Target
from jdl.io import Model
from jdl.report import draw, judge, report, resampled, sections, slices

TWO = Schema(Target("y", "classification", classes=("no", "yes")), numbers=(Number("x"),))


def trained(frame, target="y", network="linear"):
    schema = infer_schema(frame, target)
    recipe, hyper = jdl.models.recipe(schema, rows=frame.height, network=network)
    data = {"x": schema.encode(frame), "y": schema.encode_target(frame)}
    run = jdl.run(recipe, hyper | {"epochs": 5}, jax.random.key(0), data, data)
    return Model.of(schema, network, hyper, run)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    x, kind = rng.normal(size=400), rng.choice(["<b>bold</b>", "plain"], 400)
    y = np.where(x + rng.normal(size=400) * 0.5 > 0, "yes", "no")
    return pl.DataFrame({"x<&>": x, "kind": kind, "y": y})


@pytest.fixture(scope="module")
def page(frame):
    return report(trained(frame), frame, {"a coin": np.full((400, 2), 0.5)}, "A table", "jdl fit a.csv")


class Looked(HTMLParser):
    """What is open, what is asked for from elsewhere, and the figures."""

    def __init__(self, page):
        super().__init__()
        self.open, self.asked, self.figures, self.titles, self.text = [], [], [], 0, []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.asked += [value for name, value in attrs if name in ("src", "href") and value != "data:,"]
        if tag == "svg":
            self.figures.append(found)
        self.titles += tag == "title" and "svg" in self.open
        if tag not in ("meta", "link") and tag not in ("path", "rect", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in ("path", "rect", "circle"):
            return
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "script":
            self.text.append(data)


def test_the_page_is_whole_and_asks_for_nothing(page):
    looked = Looked(page)
    assert looked.open == [] and looked.asked == []
    assert len(page.encode()) < 2**20
    assert len(looked.figures) >= 7  # confusion, ROC, precision, calibration, learning, two columns
    assert all(each["role"] == "img" and each["aria-label"] for each in looked.figures)
    assert looked.titles >= len(looked.figures)


def test_what_the_table_holds_is_text(page):
    assert "<b>bold</b>" not in page and "x<&>" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page and "x&lt;&amp;&gt;" in page


def test_the_same_model_and_rows_give_the_same_bytes(frame, page):
    assert (
        report(trained(frame), frame, {"a coin": np.full((400, 2), 0.5)}, "A table", "jdl fit a.csv") == page
    )


def test_other_tasks_have_pages():
    rng = np.random.default_rng(1)
    x = rng.normal(size=200)
    for target, values in (
        (["y"], {"y": 1e6 + 3 * x}),
        (["y", "z"], {"y": x + 0.25, "z": -2 * x + 0.125}),
        (["y", "z"], {"y": np.where(x > 0, "a", "b"), "z": np.where(x > 1, "c", "d")}),
        (["y"], {"y": np.where(x > 1, "a", np.where(x > 0, "b", "c"))}),
    ):
        frame = pl.DataFrame({"x": x + rng.normal(size=200), **values})
        looked = Looked(report(trained(frame, target), frame))
        assert looked.open == [] and "nan" not in "".join(looked.text).lower()


def test_rows_without_a_target_are_no_judges(frame):
    model = trained(frame)
    with pytest.raises(jdl.data.DataError, match="report: no row has a target"):
        report(model, frame.with_columns(pl.lit(None, pl.String).alias("y")))


def test_losses_are_scikit_learns():
    rng = np.random.default_rng(0)
    chance, target = rng.random(50), rng.integers(0, 2, 50)
    outputs = np.stack([1 - chance, chance], 1)
    assert np.isclose(judge.losses(TWO, outputs, target).mean(), log_loss(target, chance))
    number = Schema(Target("y", "regression", offset=5.0, scale=3.0), numbers=(Number("x"),))
    found = judge.losses(number, chance, target.astype(float)).mean()
    assert np.isclose(found, mean_squared_error(target * 3.0 + 5, chance * 3 + 5))


def test_scores_of_many_weightings_are_scikit_learns():
    rng = np.random.default_rng(0)
    chance = np.round(rng.dirichlet(np.ones(3), 60), 1) + 1e-3
    chance /= chance.sum(1, keepdims=True)
    target, weight = rng.integers(0, 3, 60), rng.integers(0, 4, (2, 60)).astype(float)
    three = Schema(Target("y", "classification", classes=("a", "b", "c")), numbers=(Number("x"),))
    found = resampled.scores(three, chance, target, weight)
    chosen = chance.argmax(1)
    for i in range(2):
        each = {"sample_weight": weight[i]}
        macro = each | {"average": "macro", "zero_division": 0}
        areas = [metrics.roc_auc_score(target == c, chance[:, c], **each) for c in range(3)]
        needed = {
            "accuracy": metrics.accuracy_score(target, chosen, **each),
            "precision": metrics.precision_score(target, chosen, **macro),
            "recall": metrics.recall_score(target, chosen, **macro),
            "f1": metrics.f1_score(target, chosen, **macro),
            "auc": np.mean(areas),
            "log_loss": metrics.log_loss(target, chance, **each),
        }
        assert found.keys() == needed.keys()
        for name, value in needed.items():
            assert np.isclose(found[name][i], value), name
    number = Schema(Target("y", "regression", offset=5.0, scale=3.0), numbers=(Number("x"),))
    y, guess = rng.normal(size=(2, 60))
    found = resampled.scores(number, guess, y, weight)
    each = {"sample_weight": weight[1]}
    assert np.isclose(found["r2"][1], metrics.r2_score(y, guess, **each))
    assert np.isclose(found["mae"][1], 3 * metrics.mean_absolute_error(y, guess, **each))
    assert np.isclose(found["rmse"][1], 3 * metrics.root_mean_squared_error(y, guess, **each))


def test_intervals_are_those_of_drawing_rows_again():
    gap = np.random.default_rng(0).normal(0.2, 1, 500)
    found = judge.difference(gap, np.zeros(500))
    theirs = stats.bootstrap((gap,), np.mean, method="percentile", random_state=0).confidence_interval
    error = gap.std() / 500**0.5
    assert found.value == gap.mean()
    np.testing.assert_allclose([found.low, found.high], [theirs.low, theirs.high], atol=error / 5)


def test_calibration_is_scikit_learns():
    rng = np.random.default_rng(0)
    chance = rng.random(1000)
    hit = (rng.random(1000) < chance**2).astype(float)
    true, said = calibration_curve(hit, chance, n_bins=sections.BINS, strategy="quantile")
    xs, ys, _ = sections._calibration(chance, hit)
    np.testing.assert_allclose(xs, said)
    np.testing.assert_allclose(ys, true)


def judged(outputs, target, others):
    model = Model(TWO, "linear", {}, {}, {}, {})
    return sections.Judged(model, pl.DataFrame(), {}, target, outputs, others)


def test_the_verdict_follows_the_difference():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 500)
    sharp = np.where(target[:, None] == np.arange(2), 0.9, 0.1)
    blunt = np.full((500, 2), 0.5)
    noisy = np.clip(sharp + rng.normal(0, 0.01, 500)[:, None] * [1, -1], 0, 1)
    assert "is worth it here: its log-loss is 85 % below" in sections.verdict(
        judged(sharp, target, {"coin": blunt})
    )
    assert "not worth it here: the coin" in sections.verdict(judged(blunt, target, {"coin": sharp}))
    assert "not clearly better" in sections.verdict(judged(sharp, target, {"coin": noisy}))
    assert "is not known" in sections.verdict(judged(sharp, target, {}))


def test_a_planted_weakness_is_found_and_none_in_noise():
    rng = np.random.default_rng(0)
    schema = Schema(
        Target("y", "classification", classes=("a", "b")),
        numbers=(Number("age", offset=40.0, scale=10.0),),
        categories=(Category("town", ("Aix", "Bath", "Cork")),),
    )
    rows = {"numbers": rng.normal(size=(900, 1)), "categories": rng.integers(0, 4, (900, 1))}
    right = (rng.random(900) < 0.9).astype(float)
    assert slices.weak(schema, pl.DataFrame(), rows, right, greater=True) == []
    inside = rows["categories"][:, 0] == 2
    right[inside] = rng.random(inside.sum()) < 0.5
    found = slices.weak(schema, pl.DataFrame(), rows, right, greater=True)
    assert [one.name for one in found] == ["town = Bath"] and found[0].rows == inside.sum()
    assert found[0].inside == right[inside].mean()


def test_a_weakness_in_time_or_length_is_found():
    rng, vocabulary = np.random.default_rng(0), ["fine", "words", "on", "paper", "say", "it", "better"]
    frame = pl.DataFrame(
        {
            "day": pl.date_range(pl.date(2020, 1, 1), pl.date(2021, 12, 31), eager=True),
            "note": [" ".join(rng.choice(vocabulary, 4 * (1 + i % 5))) for i in range(731)],
            "y": [float(i % 7) for i in range(731)],
        }
    ).with_columns(pl.when(pl.int_range(731) % 10 == 0).then(None).otherwise("note").alias("note"))
    schema = infer_schema(frame, "y")
    assert [part.name for part in (*schema.dates, *schema.texts)] == ["day", "note"]
    rows = schema.encode(frame)
    noise = rng.normal(size=731)
    late = noise + 5 * (np.arange(731) >= 549)
    assert (
        slices.weak(schema, frame, rows, late, greater=False)[0].name == "day from 2021-07-01 to 2021-12-31"
    )
    empty = noise + 5 * (np.arange(731) % 10 == 0)
    (found,) = slices.weak(schema, frame, rows, empty, greater=False)
    assert found.name == "length of note is missing" and found.rows == 74
    long = noise + 5 * (np.arange(731) % 5 == 4)
    (found,) = slices.weak(schema, frame, rows, long, greater=False)
    assert found.name.startswith("length of note from ") and found.name.endswith("characters")


def test_columns_that_matter_come_first():
    rng = np.random.default_rng(0)
    schema = Schema(Target("y", "regression"), numbers=(Number("unused"), Number("used")))
    rows = {"numbers": rng.normal(size=(300, 2)), "categories": np.zeros((300, 0), int)}
    rows |= {"dates": np.zeros((300, 0, 2), int), "texts": np.zeros((300, 0, 32), int)}
    found = judge.importance(lambda rows: rows["numbers"][:, 1], schema, rows, rows["numbers"][:, 1])
    assert [name for name, *_ in found] == ["used", "unused"]
    assert found[1][1] == 0 and abs(found[0][1] - 2) < 0.4  # E (a - b)² of two that are independent


@pytest.mark.parametrize("span", [(0.0, 1.0), (-3e5, 2e6), (1e-9, 2e-9), (17.2, 17.9)])
def test_ticks_are_few_and_inside(span):
    found = draw._ticks(span)
    room = 1e-6 * (span[1] - span[0])
    assert 2 <= len(found) <= 6
    assert all(span[0] - room <= value <= span[1] + room for value in found)


def test_the_matrix_says_its_counts():
    counts = confusion_matrix([0, 0, 1], [0, 1, 1])
    figure = draw.grid(counts, ["no", "yes"], "a matrix")
    assert "no, predicted yes: 1 rows" in figure and "yes, predicted yes: 1 rows" in figure
