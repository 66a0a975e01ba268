"""One autoregression by least squares in a process of its own, which loads what it needs and no more.

Arguments: lstsq, normal or autoreg; the number of lags; a file of 64-bit floats, a series of mean 0. What is measured is
the memory of the process, by whoever started it.
"""

import sys

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def lag_matrix(y, order):
    return np.ascontiguousarray(sliding_window_view(y[:-1], order)[:, ::-1]), y[order:]


def lstsq(y, order):
    lags, target = lag_matrix(y, order)
    return np.linalg.lstsq(lags, target, rcond=None)[0]


def normal(y, order):
    from scipy.linalg import cho_factor, cho_solve

    lags, target = lag_matrix(y, order)
    return cho_solve(cho_factor(lags.T @ lags), lags.T @ target)


def autoreg(y, order):
    from statsmodels.tsa.ar_model import AutoReg

    return AutoReg(y, order, trend="n").fit().params


task, order, path = sys.argv[1:]
weights = {"lstsq": lstsq, "normal": normal, "autoreg": autoreg}[task](np.fromfile(path), int(order))
if not np.isfinite(weights).all() or len(weights) != int(order):
    sys.exit(f"{task} found {len(weights)} weights")
