"""Joining the outputs of parts that run side by side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn

KEY = jax.random.key(0)
X = jnp.arange(6.0).reshape(3, 2)


def test_outputs_are_joined_in_order_along_the_axis_asked_for():
    parts = (jnp.sin, lambda x: 2 * x, jnp.cos)
    one, two, three = (part(X) for part in parts)
    for axis in (-1, 0, 1):
        np.testing.assert_array_equal(
            nn.concat(*parts, axis=axis)({}, X), np.concatenate([one, two, three], axis)
        )
    for axis in (0, -1):
        np.testing.assert_array_equal(nn.stack(*parts, axis=axis)({}, X), np.stack([one, two, three], axis))


def test_parts_have_parameters_keyword_inputs_and_keys_of_their_own():
    @nn.layer
    def shifted(my, x, *, by=0.0):
        return x + by

    net = nn.concat(nn.dense(3), shifted, noise=nn.dropout(0.5))
    params, state = net.init(KEY, X)
    assert sorted(params) == ["dense"]
    y, _ = net.apply(params, state, X, by=5.0, key=KEY)
    np.testing.assert_allclose(y[:, :3], X @ params["dense"]["w"], rtol=1e-6)
    np.testing.assert_array_equal(y[:, 3:5], X + 5.0)
    assert set(np.unique(y[:, 5:])) <= {0.0, *(2.0 * np.unique(X))}
    assert nn.concat(nn.dense(3), axis=0) is not nn.concat(nn.dense(3))
    assert repr(nn.stack(nn.relu, axis=1)) == "stack(relu, axis=1)"


def test_outputs_that_do_not_fit_are_refused():
    with pytest.raises(nn.LayerError, match=r"^both: cannot concat .* \{'sum': \(\), 'sin': \(3, 2\)\}"):
        nn.chain(both=nn.concat(jnp.sum, jnp.sin)).init(KEY, X)
    with pytest.raises(nn.LayerError, match=r"^stack: cannot stack outputs of the shapes"):
        nn.stack(jnp.sin, lambda x: x[0])({}, X)
    for make in (nn.concat, nn.stack):
        with pytest.raises(nn.LayerError, match="needs at least one part"):
            make()
