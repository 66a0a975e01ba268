"""Windows, batches and lag matrices as a user of numpy and statsmodels makes them.

A question is a line of JSON {"task": name, "n_steps": n, "n_channels": c, "lookback": l, "horizon": h}; the answer is
{"seconds": time of the task alone, "checksum": sum of the values read, "growth_bytes": resident memory after
less before, or null}. The series is 0, 1, ..., 999, 0, 1, ... step by step and in a step channel by channel: whole
numbers, so sums are exact in any order.
"""

import json
import sys
import time
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from statsmodels.tsa.tsatools import lagmat

BATCH = 1024
TRAINING_BATCH = 32


@cache
def series(n_steps, n_channels):
    values = np.arange(n_steps * n_channels, dtype=np.float64) % 1000.0
    return values if n_channels == 1 else values.reshape(n_steps, n_channels)


@cache
def series_of_float32(n_steps, n_channels):
    return series(n_steps, n_channels).astype(np.float32)


def one_view_a_window(values, lookback, horizon):
    """A view of input and of label for each window, in a loop."""
    total = 0.0
    for window in sliding_window_view(values, lookback + horizon):
        inputs, labels = window[:lookback], window[lookback:]
        total += inputs[0] + inputs[-1] + labels[0] + labels[-1]
    return total


def columns_at_once(values, lookback, horizon):
    """No window is made: the four values of all windows are four columns, each summed by one call."""
    windows = sliding_window_view(values, lookback + horizon)
    inputs, labels = windows[:, :lookback], windows[:, lookback:]
    return inputs[:, 0].sum() + inputs[:, -1].sum() + labels[:, 0].sum() + labels[:, -1].sum()


def copies_in_batches(values, lookback, horizon):
    """Windows copied batch by batch into a buffer that is used again."""
    windows = sliding_window_view(values, lookback + horizon)
    buffer = np.empty((BATCH, lookback + horizon))
    total = 0.0
    for start in range(0, len(windows), BATCH):
        batch = buffer[: min(BATCH, len(windows) - start)]
        np.copyto(batch, windows[start : start + len(batch)])
        inputs, labels = batch[:, :lookback], batch[:, lookback:]
        total += inputs[:, 0].sum() + inputs[:, -1].sum() + labels[:, 0].sum() + labels[:, -1].sum()
    return total


def training_batches(values, lookback, horizon):
    """Every window once in random order, 32 at a time, as (batch, step, channel) of 32 bits."""
    windows = sliding_window_view(values, lookback + horizon, axis=0).transpose(0, 2, 1)
    order = np.random.default_rng(1).permutation(len(windows))
    total = 0.0
    for start in range(0, len(order), TRAINING_BATCH):
        batch = windows[order[start : start + TRAINING_BATCH]].astype(np.float32, copy=False)
        inputs, labels = batch[:, :lookback], batch[:, lookback:]
        for ends in (inputs[:, 0, 0], inputs[:, -1, -1], labels[:, 0, 0], labels[:, -1, -1]):
            total += ends.sum(dtype=np.float64)
    return total


def lag_matrix_by_numpy(values, lookback, horizon):
    lags = sliding_window_view(values[:-1], lookback).copy()
    target = values[lookback:].copy()
    return lags[0, 0] + lags[-1, -1] + target[-1]


def lag_matrix_by_statsmodels(values, lookback, horizon):
    # Newest lag first, so its corners are the mirror image of ours.
    lags, target = lagmat(values, lookback, trim="both", original="sep")
    return lags[0, -1] + lags[-1, 0] + target[-1, 0]


def resident_bytes():
    try:
        with open("/proc/self/smaps_rollup") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Rss:"))
    except (OSError, StopIteration):
        return None


TASKS = [
    one_view_a_window,
    columns_at_once,
    copies_in_batches,
    training_batches,
    lag_matrix_by_numpy,
    lag_matrix_by_statsmodels,
]
BY_NAME = {task.__name__: task for task in TASKS}

for line in sys.stdin:
    question = json.loads(line)
    shape = question["n_steps"], question["n_channels"]
    if question["task"] == "training_batches_of_float32":
        task, values = training_batches, series_of_float32(*shape)
    else:
        task, values = BY_NAME[question["task"]], series(*shape)
    before = resident_bytes()
    start = time.perf_counter()
    checksum = task(values, question["lookback"], question["horizon"])
    seconds = time.perf_counter() - start
    after = resident_bytes()
    growth = None if before is None or after is None else after - before
    print(json.dumps({"seconds": seconds, "checksum": float(checksum), "growth_bytes": growth}), flush=True)
