"""PyTorch, eager: images in the channels-last memory format, which is faster here than the default."""

import torch
from torch import nn
from torch.nn import functional

from layer_peers.cases import Case
from layer_peers.loop import RATE

LAYOUTS = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d}
SEQUENCES = ("attention", "layer_norm", "rms_norm", "rnn", "lstm", "gru")


def build(case: Case, threads: int):
    """Loop in Python: forward, backward, and a step down the gradient."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    x, channels = torch.tensor(case.input()), case.shape[-1]
    module = LAYERS[case.kind](case.spatial, channels, **case.options)
    if case.kind not in SEQUENCES:
        x = x.movedim(-1, 1)
        layout = LAYOUTS[case.spatial]
        x, module = x.contiguous(memory_format=layout), module.to(memory_format=layout)
    x.requires_grad_()
    leaves = [x, *module.parameters()]

    def train(epochs: int) -> float:
        for _ in range(epochs * case.steps):
            y = module(x)
            gradients = torch.autograd.grad(y, leaves, y.detach())
            with torch.no_grad():
                torch._foreach_add_(leaves, gradients, alpha=-RATE)
        return x.detach().flatten()[0].item()

    return train


class Same(nn.Module):
    """A strided convolution with the padding that JAX calls SAME."""

    def __init__(self, convolution: nn.Module, pads: list[int]):
        super().__init__()
        self.convolution, self.pads = convolution, pads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(functional.pad(x, self.pads))


class Attention(nn.Module):
    """Attention of a sequence to itself; one product gives queries, keys and values."""

    def __init__(self, width: int, heads: int, causal: bool, kv_heads: int, window: int | None):
        super().__init__()
        self.heads, self.kv_heads, self.causal, self.window = heads, kv_heads, causal, window
        self.qkv = nn.Linear(width, width + 2 * (width // heads) * kv_heads)
        self.out = nn.Linear(width, width)
        self.mask: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, length, width = x.shape
        if self.window is not None and self.mask is None:
            self.mask = torch.ones(length, length, dtype=torch.bool).tril().triu(1 - self.window)
        sizes = [self.heads, self.kv_heads, self.kv_heads]
        parts = self.qkv(x).view(b, length, sum(sizes), -1).transpose(1, 2).split(sizes, 1)
        mixed = functional.scaled_dot_product_attention(
            *parts,
            attn_mask=self.mask,
            is_causal=self.causal and self.mask is None,
            enable_gqa=self.kv_heads != self.heads,
        )
        return self.out(mixed.transpose(1, 2).reshape(x.shape))


class Recurrent(nn.Module):
    """A recurrent layer without its last state."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


def of_axes(name: str, spatial: int) -> type[nn.Module]:
    """Give the class for a number of spatial axes."""
    return getattr(nn, f"{name}{spatial}d")


def conv(spatial: int, channels: int, width: int, window: int, stride: int, groups: int) -> nn.Module:
    """Convolve with zeros around; a stride of two on an even length pads on one side alone."""
    kind = of_axes("Conv", spatial)
    if stride == 1:
        return kind(channels, width, window, padding="same", groups=groups)
    total = window - stride
    sides = [total // 2, total - total // 2] * spatial
    return Same(kind(channels, width, window, stride, groups=groups), sides)


def conv_transpose(spatial: int, channels: int, width: int, window: int, stride: int) -> nn.Module:
    """Convolve the other way round."""
    return of_axes("ConvTranspose", spatial)(channels, width, window, stride, padding=(window - stride) // 2)


def pool(name: str):
    """Pool over windows."""
    return lambda spatial, channels, window, stride: of_axes(name, spatial)(window, stride)


def attention(spatial: int, width: int, heads: int, causal: bool = False, **options: int) -> nn.Module:
    """Attend within each sequence."""
    return Attention(width, heads, causal, options.get("kv_heads", heads), options.get("window"))


LAYERS = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "max_pool": pool("MaxPool"),
    "average_pool": pool("AvgPool"),
    "lp_pool": lambda spatial, n, p, window, stride: of_axes("LPPool", spatial)(p, window, stride),
    "adaptive_average_pool": lambda spatial, n, size: of_axes("AdaptiveAvgPool", spatial)(size),
    "batch_norm": lambda spatial, n: nn.BatchNorm2d(n),
    "layer_norm": lambda spatial, n: nn.LayerNorm(n),
    "group_norm": lambda spatial, n, groups: nn.GroupNorm(groups, n),
    "instance_norm": lambda spatial, n: nn.InstanceNorm2d(n, affine=True),
    "rms_norm": lambda spatial, n: nn.RMSNorm(n),
    "attention": attention,
    "rnn": lambda spatial, n, width: Recurrent(nn.RNN(n, width, batch_first=True)),
    "lstm": lambda spatial, n, width: Recurrent(nn.LSTM(n, width, batch_first=True)),
    "gru": lambda spatial, n, width: Recurrent(nn.GRU(n, width, batch_first=True)),
}
