"""The Informer of `informer.py` trained as its authors' scripts do, to stand beside `forecast-bench informer`.

    python bench/peers/informer_trials.py ETTh1.csv --lookback 96 --label-length 48 --horizon 48 --seeds 1,2,3

PyTorch and numpy; with d_model 512 half an hour to some hours of two processors for each seed. What `informer.py`
leaves out where it is timed is here as the authors have it: heads of the decoder's own attention are merged by their
`mix`, weights of its attention to what was encoded are dropped, and the convolution of the values begins with weights by
He et al. Ranges are those of ETT, a year, four months and four months of hours; values are scaled by the first; batches of
32 windows in random order, the last incomplete one left out; Adam with 1e-4 for two epochs, then half of that, a
quarter, ...; after three epochs without a lower error of validation it ends, and the best weights are scored on every
window of the test range. Prints errors of training, validation and test after each epoch; only the second chooses.
"""

import argparse
import csv
import datetime
import math
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import informer

BATCH = 32
HOURS_OF_MONTH = 30 * 24
ENDS = [12 * HOURS_OF_MONTH, 16 * HOURS_OF_MONTH, 20 * HOURS_OF_MONTH]


class Mixed(informer.Attention):
    """Heads side by side are read as if they were steps."""

    def forward(self, x, memory):
        split = lambda x: x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        q, k, v = split(self.query(x)), split(self.key(memory)), split(self.value(memory))
        out = informer.prob_sparse(q, k, v, self.factor, self.is_causal)  # (batch, head, step, d)
        return self.output(out.reshape(x.shape))


class Dropped(informer.Attention):
    """Full attention with dropout of its weights."""

    def forward(self, x, memory):
        split = lambda x: x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        q, k, v = split(self.query(x)), split(self.key(memory)), split(self.value(memory))
        weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
        out = F.dropout(weights, self.rate, self.training) @ v
        return self.output(out.transpose(1, 2).flatten(2))


def network(s):
    net = informer.Informer(s)
    for embedding in net.embeddings:
        nn.init.kaiming_normal_(embedding.value.weight, mode="fan_in", nonlinearity="leaky_relu")
    for layer in net.decoder:
        layer.own = Mixed(s["d_model"], s["n_heads"], s["factor"], is_causal=True)
        layer.cross = Dropped(s["d_model"], s["n_heads"], 0)
        layer.cross.rate = s["dropout"]
    return net


def read(path, target):
    """Scaled values and time marks of every step, as float32."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [target] if target else [name for name in rows[0] if name != "date"]
    values = np.array([[float(row[name]) for name in columns] for row in rows])
    train = values[: ENDS[0]]
    dates = [datetime.datetime.fromisoformat(row["date"]) for row in rows]
    marks = [
        (at.hour / 23, at.weekday() / 6, (at.day - 1) / 30, (at.timetuple().tm_yday - 1) / 365) for at in dates
    ]
    scaled = (values - train.mean(0)) / train.std(0)
    return torch.tensor(scaled, dtype=torch.float32), torch.tensor(marks) - 0.5


def batch(data, s, firsts):
    """Inputs and target of the windows that begin at these steps."""
    lookback, n_label, horizon = s["lookback"], s["label_length"], s["horizon"]
    steps = firsts[:, None] + torch.arange(lookback + horizon)
    values, marks = data[0][steps], data[1][steps]
    x_enc, target = values[:, :lookback], values[:, lookback:]
    x_dec = torch.cat([x_enc[:, lookback - n_label :], torch.zeros_like(target)], 1)
    return (x_enc, marks[:, :lookback], x_dec, marks[:, lookback - n_label :]), target


def errors(net, data, s, firsts):
    """Mean squared and absolute error over all windows."""
    net.eval()
    sums = np.zeros(2)
    with torch.inference_mode():
        for part in firsts.split(BATCH):
            inputs, target = batch(data, s, part)
            gap = (net(*inputs) - target).double()
            sums += [(gap**2).mean((1, 2)).sum().item(), gap.abs().mean((1, 2)).sum().item()]
    return sums / len(firsts)


def trial(data, s, seed, n_epochs):
    torch.manual_seed(seed)
    net = network(s)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-4)
    starts = [0] + [end - s["lookback"] for end in ENDS[:2]]
    train, validation, test = (
        torch.arange(start, end - s["lookback"] - s["horizon"] + 1) for start, end in zip(starts, ENDS)
    )
    best, n_worse, begin = (math.inf, None), 0, time.time()
    for epoch in range(n_epochs):
        for group in optimiser.param_groups:
            group["lr"] = 1e-4 * 0.5 ** max(epoch - 1, 0)
        net.train()
        losses = []
        for part in train[torch.randperm(len(train))].split(BATCH):
            if len(part) < BATCH:
                break
            inputs, target = batch(data, s, part)
            optimiser.zero_grad()
            loss = F.mse_loss(net(*inputs), target)
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        error, scores = errors(net, data, s, validation)[0], errors(net, data, s, test)
        told = f"train {np.mean(losses):.4f}, validation {error:.4f}, test {scores[0]:.4f}, {scores[1]:.4f}"
        print(f"seed {seed}, epoch {epoch + 1}: {told}, {time.time() - begin:.0f} s", flush=True)
        if error < best[0]:
            best, n_worse = (error, scores), 0
        else:
            n_worse += 1
        if n_worse == 3:
            break
    print(f"seed {seed}: mse {best[1][0]:.4f}, mae {best[1][1]:.4f} over {len(test)} windows", flush=True)
    return best[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--target", help="one column instead of all")
    for name, usual in [("lookback", 96), ("label-length", 48), ("horizon", 24), ("factor", 5), ("d-model", 512)]:
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--encoder-layers", type=int, default=2)
    parser.add_argument("--decoder-layers", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", default="1,2,3")
    arguments = parser.parse_args()
    data = read(arguments.path, arguments.target)
    s = vars(arguments) | {"n_channels": data[0].shape[1], "n_marks": 4, "n_heads": 8, "dropout": 0.05}
    s["d_ff"] = 4 * s["d_model"]
    scores = [trial(data, s, int(seed), arguments.epochs) for seed in arguments.seeds.split(",")]
    print("mean: mse {:.4f}, mae {:.4f}".format(*np.mean(scores, axis=0)))


main()
