"""Windows and lag matrices as a user of numpy and statsmodels makes them.

A question is a line of JSON {"task": name, "n_steps": n, "lookback": l, "horizon": h}; the answer is
{"seconds": time of the task alone, "checksum": sum of the values read, "growth_bytes": resident memory after
less before, or null}. The series is 0, 1, ..., 999, 0, 1, ...: whole numbers, so sums are exact in any order.
"""

import json
import sys
import time
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from statsmodels.tsa.tsatools import lagmat

BATCH = 1024


@cache
def series(n_steps):
    return np.arange(n_steps, dtype=np.float64) % 1000.0


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
    lag_matrix_by_numpy,
    lag_matrix_by_statsmodels,
]
BY_NAME = {task.__name__: task for task in TASKS}

for line in sys.stdin:
    question = json.loads(line)
    task, values = BY_NAME[question["task"]], series(question["n_steps"])
    before = resident_bytes()
    start = time.perf_counter()
    checksum = task(values, question["lookback"], question["horizon"])
    seconds = time.perf_counter() - start
    after = resident_bytes()
    growth = None if before is None or after is None else after - before
    print(json.dumps({"seconds": seconds, "checksum": float(checksum), "growth_bytes": growth}), flush=True)
