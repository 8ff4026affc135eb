"""The quantiles of the normal distribution by arithmetic alone, which every runtime has."""

import jax
import jax.numpy as jnp

# Coefficients from the highest power down, of the numerators and denominators of three ranges.
_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_TAIL = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
     3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
     0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
     0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
     0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip


def ndtri(p: jax.Array) -> jax.Array:
    """Give x with a share p of the standard normal distribution below it; -inf at 0, inf at 1, NaN outside.

    Source: Wichura 1988, Algorithm AS 241 (PPND16), https://doi.org/10.2307/2347330; its relative error is
    about 1e-16, so that of float32 is rounding.

    >>> ndtri(jnp.array([0.0, 0.025, 0.5, 0.841345])).round(4).tolist()
    [-inf, -1.9599..., 0.0, 1.0]
    """
    centred = p - 0.5
    tail = jnp.sqrt(-jnp.log(jnp.minimum(p, 1 - p)))
    near = centred * _ratio(_CENTRE, 0.180625 - centred * centred)
    far = jnp.sign(centred) * jnp.where(tail <= 5, _ratio(_TAIL, tail - 1.6), _ratio(_FAR, tail - 5))
    found = jnp.where(jnp.abs(centred) <= 0.425, near, far)
    found = jnp.where(p == 0, -jnp.inf, jnp.where(p == 1, jnp.inf, found))
    return jnp.where((p >= 0) & (p <= 1), found, jnp.nan)


def _ratio(of: tuple[tuple[float, ...], tuple[float, ...]], x: jax.Array) -> jax.Array:
    return _polynomial(of[0], x) / _polynomial(of[1], x)


def _polynomial(coefficients: tuple[float, ...], x: jax.Array) -> jax.Array:
    total = jnp.zeros_like(x)
    for each in coefficients:
        total = total * x + each
    return total
