"""Complete networks for tables, and the recipes that train them."""

from jdl.models.levels import levels
from jdl.models.mlp import mlp
from jdl.models.mlp_plr import mlp_plr
from jdl.models.realmlp import realmlp
from jdl.models.recipe import defaults, recipe, tabular

__all__ = ["defaults", "levels", "mlp", "mlp_plr", "realmlp", "recipe", "tabular"]
