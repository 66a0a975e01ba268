"""AR-Net as its paper trains it, in PyTorch: one linear layer, mini-batches, ten epochs; one line of JSON a question.

The lag matrix is in memory and batches are taken by index, so that no step of a loader is counted. The loss is the
mean squared error plus lambda R(w), R the mean of 2 / (1 + exp(-3 |w|^(1/3))) - 1; Adam at 2e-4, times 0.9 an epoch,
batches of 128.
"""

import json
import sys
import time

import numpy as np
import torch

EPOCHS = 10
BATCH = 128


def penalty(weights):
    # The slope at 0 is infinite: a floor keeps the gradient finite.
    return (2 / (1 + torch.exp(-3 * (weights.abs() + 1e-9) ** (1 / 3))) - 1).mean()


def train(y, order, density, seed):
    torch.manual_seed(seed)
    lags = torch.from_numpy(y.astype(np.float32)).unfold(0, order + 1, 1).contiguous()
    layer = torch.nn.Linear(order, 1)
    optimiser = torch.optim.Adam(layer.parameters(), lr=2e-4)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 1, 0.9)
    strength = 0.02 * (1 / density - 1)
    for epoch in range(EPOCHS):
        share = min(epoch / 10, 1.0)
        for rows in torch.randperm(len(lags)).split(BATCH):
            batch = lags[rows]
            loss = torch.nn.functional.mse_loss(layer(batch[:, :-1])[:, 0], batch[:, -1])
            if share > 0:
                loss = loss + share * strength * penalty(layer.weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    return layer.weight[0].flip(0).tolist()


for line in sys.stdin:
    question = json.loads(line)
    y = np.fromfile(question["series"])
    start = time.perf_counter()
    weights = train(y, question["order"], question["density"], question["seed"])
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "weights": weights}), flush=True)
