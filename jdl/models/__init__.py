"""Complete networks for tables, and the recipes that train them."""

from jdl.models.dcn_v2 import dcn_v2
from jdl.models.ft_transformer import ft_transformer
from jdl.models.levels import levels
from jdl.models.linear import linear
from jdl.models.members import mean_of_members, member_losses
from jdl.models.mlp import mlp
from jdl.models.mlp_plr import mlp_plr
from jdl.models.modern_nca import modern_nca
from jdl.models.realmlp import realmlp
from jdl.models.recipe import DEFAULT, NETWORKS, Network, check_network, defaults, recipe, tabular
from jdl.models.resnet import resnet
from jdl.models.tabm import tabm
from jdl.models.tabm_mini import tabm_mini

__all__ = [
    "DEFAULT",
    "NETWORKS",
    "Network",
    "check_network",
    "dcn_v2",
    "defaults",
    "ft_transformer",
    "levels",
    "linear",
    "mean_of_members",
    "member_losses",
    "mlp",
    "mlp_plr",
    "modern_nca",
    "realmlp",
    "recipe",
    "resnet",
    "tabm",
    "tabm_mini",
    "tabular",
]
