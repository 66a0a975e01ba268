"""Forecasts every series of a Parquet file as a user of pandas and statsforecast does.

A question is a line of JSON {"input": file, "output": file, "horizon": h, "n_jobs": n, "intervals": kind}, where kind
is "normal" (the model's own: a normal distribution with the standard deviation of its one-step errors), "conformal"
(from the errors of its forecasts at cutoffs a horizon apart) or "none". The answer is {"seconds": time of reading,
forecasting and writing, "peak_bytes": peak resident memory of this process so far, "checksum": sum of the point
forecasts}. Imports and the first compilation are not in the time: the first question is not measured.
"""

import json
import resource
import sys
import time

import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import SeasonalNaive
from statsforecast.utils import ConformalIntervals

SEASON_LENGTH = 24
LEVELS = [80, 95]
# Level 95 needs 39 windows, and 41 fit into 1,000 steps.
N_WINDOWS = 40


def forecast(question):
    start = time.perf_counter()
    panel = pd.read_parquet(question["input"])
    kind, horizon = question["intervals"], question["horizon"]
    conformal = ConformalIntervals(n_windows=N_WINDOWS, h=horizon) if kind == "conformal" else None
    model = SeasonalNaive(SEASON_LENGTH, prediction_intervals=conformal)
    models = StatsForecast(models=[model], freq="h", n_jobs=question["n_jobs"])
    forecasts = models.forecast(df=panel, h=horizon, level=None if kind == "none" else LEVELS)
    forecasts.to_parquet(question["output"], index=False)
    seconds = time.perf_counter() - start
    # Kibibytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "seconds": seconds,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        "checksum": float(forecasts["SeasonalNaive"].sum()),
    }


for line in sys.stdin:
    print(json.dumps(forecast(json.loads(line))), flush=True)
