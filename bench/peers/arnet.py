"""Autoregressions by numpy, statsmodels, scipy and scikit-learn; one line of JSON for each question.

The series is a file of 64-bit floats. Fits have no intercept, for the series has mean 0. The answer holds the
coefficients, lag 1 first, so that both sides can be seen to have fitted the same.
"""

import json
import sys
import time

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import cho_factor, cho_solve, solve_toeplitz
from scipy.linalg import toeplitz as toeplitz_matrix
from sklearn.linear_model import enet_path
from statsmodels.tsa.ar_model import AutoReg


def lag_matrix(y, order):
    return np.ascontiguousarray(sliding_window_view(y[:-1], order)[:, ::-1]), y[order:]


def autocovariance(y, order):
    size = next_fast_len(len(y) + order + 1, real=True)
    spectrum = rfft(y, size)
    return irfft(spectrum * spectrum.conj(), size)[: order + 1]


def lstsq(y, order):
    lags, target = lag_matrix(y, order)
    return np.linalg.lstsq(lags, target, rcond=None)[0]


def normal(y, order):
    lags, target = lag_matrix(y, order)
    return cho_solve(cho_factor(lags.T @ lags), lags.T @ target)


def autoreg(y, order):
    return AutoReg(y, order, trend="n").fit().params


def toeplitz(y, order):
    r = autocovariance(y, order)
    return solve_toeplitz(r[:-1], r[1:])


def lasso(y, order):
    """Coordinate descent on the autocorrelation matrix for one penalty."""
    r = autocovariance(y, order) / len(y)
    # Coordinate descent reads the Gram matrix alone, so one row stands for all of them.
    _, path, _ = enet_path(
        np.zeros((1, order), order="F"),
        np.sqrt(r[:1]),
        l1_ratio=1.0,
        precompute=toeplitz_matrix(r[:-1]),
        Xy=r[1:],
        alphas=[np.abs(r[1:]).max() / 20],
        check_input=False,
    )
    return path[:, -1]


TASKS = {task.__name__: task for task in [lstsq, normal, autoreg, toeplitz, lasso]}

for line in sys.stdin:
    question = json.loads(line)
    y = np.fromfile(question["series"])
    start = time.perf_counter()
    weights = TASKS[question["task"]](y, question["order"])
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "weights": [float(w) for w in weights]}), flush=True)
