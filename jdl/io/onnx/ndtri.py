"""The quantiles of the normal distribution by few operations, each of several polynomials at once."""

import math

import jax
import jax.numpy as jnp
import numpy as np

# Coefficients from the highest power down, of the numerators and denominators of three ranges.
_CENTRE = (
    (0.0, 0.0, 0.0, 0.0, -5.99633501014107895267e1, 9.80010754185999661536e1, -5.66762857469070293439e1,
     1.39312609387279679503e1, -1.23916583867381258016e0),
    (1.0, 1.95448858338141759834e0, 4.67627912898881538453e0, 8.63602421390890590575e1,
     -2.25462687854119370527e2, 2.00260212380060660359e2, -8.20372256168333339912e1,
     1.59056225126211695515e1, -1.18331621121330003142e0),
)  # fmt: skip
_TAIL = (
    (4.05544892305962419923e0, 3.15251094599893866154e1, 5.71628192246421288162e1, 4.40805073893200834700e1,
     1.46849561928858024014e1, 2.18663306850790267539e0, -1.40256079171354495875e-1,
     -3.50424626827848203418e-2, -8.57456785154685413611e-4),
    (1.0, 1.57799883256466749731e1, 4.53907635128879210584e1, 4.13172038254672030440e1,
     1.50425385692907503408e1, 2.50464946208309415979e0, -1.42182922854787788574e-1,
     -3.80806407691578277194e-2, -9.33259480895457427372e-4),
)  # fmt: skip
_FAR = (
    (3.23774891776946035970e0, 6.91522889068984211695e0, 3.93881025292474443415e0, 1.33303460815807542389e0,
     2.01485389549179081538e-1, 1.23716634817820021358e-2, 3.01581553508235416007e-4,
     2.65806974686737550832e-6, 6.23974539184983293730e-9),
    (1.0, 6.02427039364742014255e0, 3.67983563856160859403e0, 1.37702099489081330271e0,
     2.16236993594496635890e-1, 1.34204006088543189037e-2, 3.28014464682127739104e-4,
     2.89247864745380683936e-6, 6.79019408009981274425e-9),
)  # fmt: skip
# By power: of each range (3, 2), so that one step of Horner's rule serves all six polynomials.
_BY_POWER = np.moveaxis(np.array([_CENTRE, _TAIL, _FAR], np.float32), -1, 0)
_EDGE = math.exp(-2)


def ndtri(p: jax.Array) -> jax.Array:
    """Give x with a share p of the standard normal distribution below it; -inf at 0, inf at 1, NaN outside.

    In the operations of ``jax.scipy.special.ndtri``, so that both round alike.

    Source: Cephes, ``ndtri.c``, https://www.netlib.org/cephes/.

    >>> ndtri(jnp.array([0.0, 0.025, 0.5, 0.841345])).round(4).tolist()
    [-inf, -1.9599..., -0.0, 1.0]
    """
    shape, p = jnp.shape(p), jnp.expand_dims(p, (-2, -1))
    upper = p > 1 - _EDGE
    small = jnp.where(upper, 1 - p, p)
    small = jnp.where(small == 0, 0.5, small)
    w = small - 0.5
    ww, z = w * w, jnp.sqrt(-2 * jnp.log(small))
    at = jnp.concatenate([ww, 1 / z, 1 / z], -2)
    total = _BY_POWER[0]
    for each in _BY_POWER[1:]:
        total = total * at + each
    above, below = jnp.split(total, 2, -1)
    centre, tail, far = jnp.split(above / below, 3, -2)
    near = (w + w * ww * centre) * -math.sqrt(2 * math.pi)
    outside = z - jnp.log(z) / z - jnp.where(z >= 8, far, tail) / z
    found = jnp.where(small > _EDGE, near, outside)
    found = jnp.where(upper, found, -found)
    return jnp.where(p == 0, -jnp.inf, jnp.where(p == 1, jnp.inf, found)).reshape(shape)
