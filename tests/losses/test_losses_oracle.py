"""Losses against PyTorch, in values and in gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from jdl import losses

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(7, 5)).astype(np.float32)
CLASSES = RNG.integers(0, 5, 7)
SOFT = RNG.dirichlet(np.ones(5), 7).astype(np.float32)
MASK = SOFT > 0.2


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("target", [CLASSES, SOFT], ids=["classes", "soft"])
def test_cross_entropy_equals_torch(target, smoothing):
    logits = torch.tensor(LOGITS, requires_grad=True)
    expected = F.cross_entropy(logits, torch.tensor(target), label_smoothing=smoothing, reduction="none")
    expected.sum().backward()

    def loss(logits, target, smoothing):
        return losses.cross_entropy(logits, target, label_smoothing=smoothing)

    found, gradient = jax.jit(jax.vmap(jax.value_and_grad(loss), (0, 0, None)))(LOGITS, target, smoothing)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, logits.grad.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("positive_weight", [1.0, np.array([1.0, 2.0, 0.5, 3.0, 0.0], np.float32)])
def test_binary_cross_entropy_equals_torch(positive_weight):
    logits, target = torch.tensor(LOGITS, requires_grad=True), MASK.astype(np.float32)
    expected = F.binary_cross_entropy_with_logits(
        logits, torch.tensor(target), pos_weight=torch.as_tensor(positive_weight), reduction="none"
    ).mean(1)
    expected.sum().backward()

    def loss(logits, target):
        return losses.binary_cross_entropy(logits, target, positive_weight=positive_weight)

    found, gradient = jax.vmap(jax.value_and_grad(loss))(LOGITS, target)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, logits.grad.numpy(), rtol=1e-5, atol=1e-6)


# What a row of the batch holds; the losses are differentiated by those of MOVED.
ROWS = {
    "x": LOGITS,
    "other": RNG.normal(size=(7, 5)).astype(np.float32),
    "third": RNG.normal(size=(7, 5)).astype(np.float32),
    "frames": RNG.normal(size=(7, 6, 4)).astype(np.float32),
    "counts": RNG.poisson(1.0, size=(7, 5)).astype(np.float32),
    "positive": RNG.gamma(1.0, size=(7, 5)).astype(np.float32),
    "soft": SOFT,
    "mask": MASK,
    "label": MASK[:, 0],
    "class": CLASSES,
    "words": np.array(
        [[1, 2, 3], [1, 1, 2], [3, 3, 3], [2, -1, -1], [2, 1, -1], [-1, -1, -1], [3, 2, 1]], np.int32
    ),
    "time": RNG.integers(1, 4, size=(7, 5)).astype(np.float32),
}
MOVED = ("x", "other", "third", "frames")
LEVELS = np.array([0.1, 0.3, 0.5, 0.7, 0.9], np.float32)
LENGTHS = np.full(7, 6)


def tensor_focal(r):
    p = torch.softmax(r["x"], 1).gather(1, r["class"][:, None])[:, 0]
    return -((1 - p) ** 1.5) * torch.log(p)


def tensor_binary_focal(r):
    y = r["mask"].double()
    p = torch.sigmoid(r["x"]) * y + (1 - torch.sigmoid(r["x"])) * (1 - y)
    return (-(0.3 * y + 0.7 * (1 - y)) * (1 - p) ** 1.5 * torch.log(p)).mean(1)


def tensor_cox(r):
    weight = r["positive"]
    at_risk = (r["time"][:, None, :] >= r["time"][:, :, None]) * weight[:, None, :]
    terms = r["x"] - torch.log((at_risk * torch.exp(r["x"])[:, None, :]).sum(2))
    events = r["mask"] * weight
    return -(events * terms).sum(1) / events.sum(1).clamp(min=1e-30)


def tensor_tversky(r):
    p, y = torch.sigmoid(r["x"]), r["mask"].double()
    over, under = (p * (1 - y)).sum(1), ((1 - p) * y).sum(1)
    return 1 - ((p * y).sum(1) + 0.5) / ((p * y).sum(1) + 0.3 * over + 0.8 * under + 0.5)


def tensor_class_dice(r):
    p, y = torch.softmax(r["frames"], 2), F.one_hot(r["words"].long().repeat(1, 2).clamp(min=0), 4)
    return (1 - (2 * (p * y).sum(1) + 2) / (p.sum(1) + y.sum(1) + 2)).mean(1)


def tensor_multi_label_margin(r):
    order = torch.where(r["mask"], torch.arange(5), 99).sort(1).values
    return F.multilabel_margin_loss(r["x"], torch.where(order == 99, -1, order), reduction="none")


def tensor_coral(r):
    above = r["class"][:, None] > torch.arange(4)
    return F.binary_cross_entropy_with_logits(r["x"][:, :4], above.double(), reduction="none").mean(1)


def tensor_ordinal(r):
    cut = torch.cat([r["x"][:, :1], F.softplus(r["x"][:, 1:4])], 1).cumsum(1)
    one, zero = torch.ones(7, 1), torch.zeros(7, 1)
    above = torch.cat([one, torch.sigmoid(-cut), zero], 1)
    return -torch.log((above[:, :-1] - above[:, 1:]).gather(1, r["class"][:, None])[:, 0])


def tensor_info_nce(r):
    rows = torch.stack([r["other"], r["third"], r["soft"], r["counts"] + 1], 1)
    return F.cross_entropy(
        F.cosine_similarity(r["x"][:, None], rows, dim=2) / 0.2, torch.zeros(7).long(), reduction="none"
    )


def signs(labels):
    return 2.0 * labels.double() - 1.0


CASES = {
    "squared_error": (
        lambda r: losses.squared_error(r["x"], r["other"]),
        lambda r: F.mse_loss(r["x"], r["other"], reduction="none").mean(1),
    ),
    "absolute_error": (
        lambda r: losses.absolute_error(r["x"], r["other"]),
        lambda r: F.l1_loss(r["x"], r["other"], reduction="none").mean(1),
    ),
    "huber": (
        lambda r: losses.huber(r["x"], r["other"], delta=0.7),
        lambda r: F.huber_loss(r["x"], r["other"], delta=0.7, reduction="none").mean(1),
    ),
    "smooth_l1": (
        lambda r: losses.huber(r["x"], r["other"], delta=0.7) / 0.7,
        lambda r: F.smooth_l1_loss(r["x"], r["other"], beta=0.7, reduction="none").mean(1),
    ),
    "log_cosh": (
        lambda r: losses.log_cosh(r["x"], r["other"]),
        lambda r: torch.log(torch.cosh(r["x"] - r["other"])).mean(1),
    ),
    "pinball": (
        lambda r: losses.pinball(r["x"], r["other"][0], levels=LEVELS),
        lambda r: sum(
            torch.where(d > 0, tau * d, (tau - 1) * d) / 5
            for tau, d in zip(LEVELS, (r["other"][:, :1] - r["x"]).T, strict=True)
        ),
    ),
    "non_crossing": (
        lambda r: jnp.sum(losses.non_crossing(r["x"]) * r["soft"]),
        lambda r: (
            torch.cat([r["x"][:, :1], F.softplus(r["x"][:, 1:])], 1).cumsum(1) * r["soft"]
        ).sum(1),
    ),
    "poisson": (
        lambda r: losses.poisson(r["x"], r["counts"]),
        lambda r: F.poisson_nll_loss(r["x"], r["counts"], reduction="none").mean(1),
    ),
    "poisson_full": (
        lambda r: losses.poisson(r["x"], r["counts"], full=True),
        lambda r: -torch.distributions.Poisson(torch.exp(r["x"])).log_prob(r["counts"]).mean(1),
    ),
    "gamma": (
        lambda r: losses.gamma(r["x"], r["positive"]),
        lambda r: (-torch.distributions.Gamma(1.0, torch.exp(-r["x"])).log_prob(r["positive"])).mean(1),
    ),
    "gaussian_nll": (
        lambda r: losses.gaussian_nll((r["x"], r["third"]), r["other"]),
        lambda r: F.gaussian_nll_loss(
            r["x"], r["other"], torch.exp(r["third"]), full=True, reduction="none"
        ).mean(1),
    ),
    "kl_divergence": (
        lambda r: losses.kl_divergence(r["x"], jnp.where(r["mask"], r["soft"], 0.0)),
        lambda r: F.kl_div(
            F.log_softmax(r["x"], 1), torch.where(r["mask"], r["soft"], 0.0), reduction="none"
        ).sum(1),
    ),
    "focal": (lambda r: losses.focal(r["x"], r["class"], gamma=1.5), tensor_focal),
    "binary_focal": (
        lambda r: losses.binary_focal(r["x"], r["mask"], gamma=1.5, positive_share=0.3),
        tensor_binary_focal,
    ),
    "multi_label": (
        lambda r: losses.binary_cross_entropy(r["x"], r["mask"]),
        lambda r: F.multilabel_soft_margin_loss(r["x"], r["mask"].double(), reduction="none"),
    ),
    "hinge": (
        lambda r: losses.hinge(r["x"], r["mask"]),
        lambda r: torch.relu(1 - signs(r["mask"]) * r["x"]).mean(1),
    ),
    "squared_hinge": (
        lambda r: losses.squared_hinge(r["x"], r["mask"]),
        lambda r: (torch.relu(1 - signs(r["mask"]) * r["x"]) ** 2).mean(1),
    ),
    "multi_margin": (
        lambda r: losses.multi_margin(r["x"], r["class"], margin=0.8),
        lambda r: F.multi_margin_loss(r["x"], r["class"], margin=0.8, reduction="none"),
    ),
    "multi_margin_2": (
        lambda r: losses.multi_margin(r["x"], r["class"], power=2.0),
        lambda r: F.multi_margin_loss(r["x"], r["class"], p=2, reduction="none"),
    ),
    "multi_label_margin": (
        lambda r: losses.multi_label_margin(r["x"], r["mask"]),
        tensor_multi_label_margin,
    ),
    "cosine": (
        lambda r: losses.cosine(r["x"], r["other"]),
        lambda r: 1 - F.cosine_similarity(r["x"], r["other"]),
    ),
    "cosine_embedding": (
        lambda r: losses.cosine_embedding(r["x"], r["other"], r["label"], margin=-0.2),
        lambda r: F.cosine_embedding_loss(
            r["x"], r["other"], signs(r["label"]), margin=-0.2, reduction="none"
        ),
    ),
    "margin_ranking": (
        lambda r: losses.margin_ranking(r["x"], r["other"], r["mask"], margin=0.3),
        lambda r: F.margin_ranking_loss(
            r["x"], r["other"], signs(r["mask"]), margin=0.3, reduction="none"
        ).mean(1),
    ),
    "triplet": (
        lambda r: losses.triplet(r["x"], r["other"], r["third"], margin=1.2),
        lambda r: F.triplet_margin_loss(r["x"], r["other"], r["third"], margin=1.2, reduction="none"),
    ),
    "info_nce": (
        lambda r: losses.info_nce(
            r["x"], r["other"], jnp.stack([r["third"], r["soft"], r["counts"] + 1]), temperature=0.2
        ),
        tensor_info_nce,
    ),
    "ctc": (
        lambda r: losses.ctc(r["frames"], r["words"]),
        lambda r: F.ctc_loss(
            F.log_softmax(r["frames"], 2).transpose(0, 1), r["words"].clamp(min=0), torch.tensor(LENGTHS),
            (r["words"] >= 0).sum(1), reduction="none",
        ),
    ),
    "ctc_shorter": (
        lambda r: losses.ctc(r["frames"], r["words"], length=5, blank=0),
        lambda r: F.ctc_loss(
            F.log_softmax(r["frames"], 2).transpose(0, 1), r["words"].clamp(min=0),
            torch.tensor(LENGTHS - 1), (r["words"] >= 0).sum(1), reduction="none",
        ),
    ),
    "cox": (
        lambda r: losses.cox(r["x"], r["time"], r["mask"], weight=r["positive"]),
        tensor_cox,
    ),
    "coral": (lambda r: losses.coral(r["x"][:4], r["class"]), tensor_coral),
    "ordinal": (lambda r: losses.ordinal(-losses.non_crossing(r["x"][:4]), r["class"]), tensor_ordinal),
    "tversky": (
        lambda r: losses.tversky(
            r["x"], r["mask"], false_positive=0.3, false_negative=0.8, smooth=0.5
        ),
        tensor_tversky,
    ),
    "class_dice": (
        lambda r: losses.dice(r["frames"], jnp.maximum(jnp.tile(r["words"], 2), 0)),
        tensor_class_dice,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    """Values and gradients of all losses, in one program."""

    def all_of(rows):
        # Every loss gets inputs of its own, so that one backward pass gives the gradients of all.
        def summed(moved, row):
            values = {name: ours(row | moved[name]) for name, (ours, _) in CASES.items()}
            return sum(values.values()), values

        def both(row):
            moved = {name: {key: row[key] for key in MOVED} for name in CASES}
            gradient, values = jax.grad(summed, has_aux=True)(moved, row)
            return values, gradient

        return jax.vmap(both)(rows)

    return jax.device_get(jax.jit(all_of)(ROWS))


@pytest.mark.parametrize("name", CASES)
def test_equals_torch(name, found):
    rows = {key: torch.tensor(value) for key, value in ROWS.items()}
    rows = {key: value.double() if value.is_floating_point() else value for key, value in rows.items()}
    moved = [rows[key].requires_grad_() for key in MOVED]
    expected = CASES[name][1](rows)
    gradients = torch.autograd.grad(expected.sum(), moved, allow_unused=True, materialize_grads=True)
    value, gradient = found[0][name], found[1][name]
    assert value.dtype == np.float32 and np.isfinite(value).all() and expected.abs().max() > 0.1
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert any(np.abs(g.numpy()).max() > 0.01 for g in gradients)
    for key, theirs in zip(MOVED, gradients, strict=True):
        np.testing.assert_allclose(gradient[key], theirs.numpy(), rtol=1e-4, atol=2e-6, err_msg=key)
