"""A stream of observations as a user of numpy has it: a ring of the last values, a forecast of the next after each.

The question is a line of JSON {"task": "numpy", "n_steps": n, "lags": [1, ...], "weights": [...], "intercept": b}; the
answer is {"seconds": time of the task alone, "checksum": how many forecasts are above zero, "growth_bytes": null}. The
value of step t is (7919 t t + 104729 t) mod 1009 / 100 - 5.
"""

import json
import sys
import time

import numpy as np


def numpy(values, lags, weights, intercept):
    """The ring is written twice, so that a window is one slice."""
    kept = int(lags.max())
    ring = np.zeros(2 * kept)
    at = kept - lags
    head, n_above = 0, 0
    for value in values:
        ring[head] = ring[head + kept] = value
        head = head + 1 if head + 1 < kept else 0
        n_above += intercept + ring[head : head + kept][at] @ weights > 0.0
    return n_above


for line in sys.stdin:
    question = json.loads(line)
    t = np.arange(question["n_steps"], dtype=np.int64)
    values = ((7919 * t * t + 104_729 * t) % 1009 / 100.0 - 5.0).tolist()
    lags, weights = np.array(question["lags"]), np.array(question["weights"])
    start = time.perf_counter()
    checksum = numpy(values, lags, weights, question["intercept"])
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "checksum": float(checksum), "growth_bytes": None}), flush=True)
