"""PyTorch, eager: images channels last and the fused optimizer, both faster here than the defaults."""

import numpy as np
import torch
from sizes import (
    CLASSES,
    DEPTH,
    DROPOUT,
    HEADS,
    LEARNING_RATE,
    LENGTH,
    VOCABULARY,
    WEIGHT_DECAY,
    Size,
    batches,
    make_data,
)
from torch import nn
from torch.nn import functional


def build(size: Size, threads: int):
    """Loop in Python over forward, backward and step."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    x, y = make_data(size)
    if size.kind == "cnn":
        x = x.transpose(0, 3, 1, 2)
    network = NETWORKS[size.kind](size).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    x, y, rng = torch.as_tensor(x), torch.as_tensor(y).long(), np.random.default_rng(0)

    def train(epochs: int) -> float:
        for rows, targets in batches(size, x, y, epochs, rng):
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(rows).flatten(0, -2), targets.flatten())
            loss.backward()
            optimizer.step()
        return loss.item()

    return train


def mlp(size: Size) -> nn.Module:
    """Two hidden layers."""
    width = size.width
    return nn.Sequential(
        nn.Linear(30, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2)
    )


def cnn(size: Size) -> nn.Module:
    """Two convolutions with batch norm, a dense layer with dropout."""
    width = size.width
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(98 * width, 128), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(128, CLASSES),
    )  # fmt: skip


class Attention(nn.Module):
    """Causal multi-head attention; one product gives queries, keys and values."""

    def __init__(self, width: int):
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, length, width = x.shape
        q, k, v = self.qkv(x).view(b, length, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(x.shape))


class Block(nn.Module):
    """Pre-norm attention and a two-layer network."""

    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(width), Attention(width), nn.LayerNorm(width)
        up, down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.mlp = nn.Sequential(up, nn.GELU(approximate="tanh"), down)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """Token and position embeddings, blocks, a head."""

    def __init__(self, width: int):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, width), nn.Embedding(LENGTH, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(DEPTH)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, VOCABULARY))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.tokens(x) + self.positions.weight))


NETWORKS = {"mlp": mlp, "cnn": cnn, "transformer": lambda size: Transformer(size.width)}
