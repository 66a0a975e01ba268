"""Forecasts every series of a Parquet file as a user of pandas and statsforecast does.

A question is a line of JSON {"input": file, "output": file, "horizon": h, "n_jobs": n}; the answer is
{"seconds": time of reading, forecasting and writing, "peak_bytes": peak resident memory of this process so far,
"checksum": sum of the point forecasts}. Imports and the first compilation are not in the time: the first question
is not measured.
"""

import json
import resource
import sys
import time

import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import SeasonalNaive

SEASON_LENGTH = 24
LEVELS = [80, 95]


def forecast(question):
    start = time.perf_counter()
    panel = pd.read_parquet(question["input"])
    models = StatsForecast(models=[SeasonalNaive(SEASON_LENGTH)], freq="h", n_jobs=question["n_jobs"])
    forecasts = models.forecast(df=panel, h=question["horizon"], level=LEVELS)
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
