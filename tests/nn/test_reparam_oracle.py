"""Weight and spectral norm against torch's parametrizations, in float64: values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn.utils import parametrizations

from jdl import nn
from tests.nn.test_layers_oracle import agree, normal

KEY = jax.random.key(0)


def test_weight_norm_equals_torch():
    def ours(x, v, g, b):
        return nn.weight_norm(nn.dense(2))({"w": v, "w_length": g, "b": b}, x)

    def theirs(x, v, g, b):
        layer = parametrizations.weight_norm(torch.nn.Linear(3, 2, dtype=torch.float64))
        names = "parametrizations.weight.original0", "parametrizations.weight.original1", "bias"
        return torch.func.functional_call(layer, dict(zip(names, (g[:, None], v.T, b), strict=True)), x)

    agree(ours, theirs, normal(4, 3), normal(3, 2), normal(2), normal(2))


def test_weight_norm_of_a_convolution_has_a_length_for_each_output():
    x, w, g = normal(5, 5, 3), normal(2, 2, 3, 4), np.abs(normal(4))
    net = nn.weight_norm(nn.conv(4, 2, padding="VALID", bias=False))
    y = net({"w": jnp.asarray(w), "w_length": jnp.asarray(g)}, jnp.asarray(x))
    kernel = torch.tensor(w / np.sqrt((w**2).sum((0, 1, 2))) * g).permute(3, 2, 0, 1)
    expected = F.conv2d(torch.tensor(x).movedim(-1, 0)[None], kernel)[0].movedim(0, -1)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_spectral_norm_equals_torch_step_by_step():
    layer = torch.nn.Linear(3, 4, bias=False, dtype=torch.float64)
    parametrizations.spectral_norm(layer, n_power_iterations=2)
    inside = layer.parametrizations.weight[0]
    net = nn.spectral_norm(nn.dense(4, bias=False), iterations=2)
    w, x, cotangent = normal(4, 3), normal(5, 3), normal(5, 4)
    with torch.no_grad():
        layer.parametrizations.weight.original.copy_(torch.tensor(w))
        inside._v.copy_(torch.tensor([0.6, 0.0, -0.8]))
    with jax.enable_x64(True):
        params, state = {"w": jnp.asarray(w.T)}, {"w_v": jnp.asarray([0.6, 0.0, -0.8], jnp.float32)}

        @jax.jit
        def ours(params, state):
            run = lambda params: nn.batched(net)(params, state, jnp.asarray(x), key=KEY)
            y, back, state = jax.vjp(run, params, has_aux=True)
            return y, back(jnp.asarray(cotangent))[0]["w"], state

        for _ in range(3):  # the direction found in one step is where the next begins
            y, gradient, state = ours(params, state)
            layer.zero_grad()
            expected = layer(torch.tensor(x))
            expected.backward(torch.tensor(cotangent))
            theirs = layer.parametrizations.weight.original.grad.numpy().T
            np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-6)  # the state is float32
            np.testing.assert_allclose(gradient, theirs, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(np.abs(state["w_v"]), np.abs(inside._v.numpy()), rtol=1e-5)


def test_spectral_norm_converges_to_the_largest_singular_value_and_prediction_keeps_the_state():
    net = nn.spectral_norm(nn.chain(nn.dense(6), nn.relu, nn.dense(5)), "dense/w")
    params, state = net.init(KEY, jnp.zeros(4))
    assert {path for path, _ in _entries(state)} == {"dense/w_v"}
    step = jax.jit(lambda state: net.apply(params, state, jnp.ones(4), key=KEY)[1])
    for _ in range(200):
        state = step(state)
    y, after = net.apply(params, state, jnp.ones(4))
    assert jnp.array_equal(after["dense"]["w_v"], state["dense"]["w_v"])
    divided = params["dense"]["w"] / np.linalg.norm(params["dense"]["w"], 2)
    inner = nn.chain(nn.dense(6), nn.relu, nn.dense(5))
    expected = inner({**params, "dense": params["dense"] | {"w": divided}}, jnp.ones(4))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def _entries(state):
    from jdl import tree

    return tree.items(state)


def test_bad_settings():
    with pytest.raises(nn.LayerError, match="no parameter's path fits 'kernel'"):
        nn.weight_norm(nn.dense(2), "kernel").init(KEY, jnp.zeros(3))
    with pytest.raises(nn.LayerError, match="spectral_norm: iterations is 0"):
        nn.spectral_norm(nn.dense(2), iterations=0)
