"""Callbacks are plain functions, `callback(step, metrics)`: TensorBoard, Weights & Biases, CSV, the terminal.

`jdl.loop` trains from the host and calls them as numbers come in: `python callbacks.py tensorboard wandb`.
"""

import csv
import sys
import tempfile
from pathlib import Path

import jax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jdl
from jdl import nn


def named(metrics):
    """Keep lines of a few steps apart from those of a whole epoch; None stands for what was not finite."""
    when = "steps" if "skipped" in metrics else "epochs"
    return {f"{when}/{name}": value for name, value in metrics.items() if value is not None}


def tensorboard(folder):
    """Write to TensorBoard (`pip install tensorboardX`); look with `tensorboard --logdir FOLDER`."""
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(folder))

    def callback(step, metrics):
        for name, value in named(metrics).items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return callback


def wandb(project):
    """Send to Weights & Biases (`pip install wandb`)."""
    import wandb

    run = wandb.init(project=project)
    return lambda step, metrics: run.log(named(metrics), step=step)


def table(path):
    """Write a CSV file with a row for each epoch."""

    def callback(step, metrics):
        if "valid_loss" in metrics:  # the end of an epoch
            with open(path, "a", newline="") as file:
                writer = csv.DictWriter(file, ["step", *metrics])
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow({"step": step, **metrics})

    return callback


def show(step, metrics):
    """Print what there is: the steps since the last line or, at its end, the whole epoch."""
    print(f"step {step:3}  ", "  ".join(f"{name} {value:.4g}" for name, value in metrics.items()))


x, digits = load_digits(return_X_y=True)
x, valid_x, y, valid_y = train_test_split(x.astype("float32") / 16, digits, test_size=360, random_state=0)
network = nn.chain(nn.dense(64), nn.relu, nn.dense(10))
metrics = {"accuracy": jdl.metrics.accuracy()}
optimizer = jdl.optim.adamw(3e-3)
recipe = jdl.Recipe(network, jdl.losses.cross_entropy, optimizer, batch_size=32, epochs=3, metrics=metrics)

folder = Path(tempfile.mkdtemp())
callbacks = (show, table(folder / "epochs.csv"))
callbacks += (tensorboard(folder),) if "tensorboard" in sys.argv else ()
callbacks += (wandb("jdl"),) if "wandb" in sys.argv else ()

jdl.loop(recipe, jax.random.key(0), {"x": x, "y": y}, {"x": valid_x, "y": valid_y}, callbacks=callbacks)
print(f"\n{folder / 'epochs.csv'}\n{(folder / 'epochs.csv').read_text()}", end="")
