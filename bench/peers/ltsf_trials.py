"""What might bring `ar` further on the long-horizon protocol, each tried on the validation range and then scored.

    nice python bench/peers/ltsf_trials.py DATA --sets ETTh1,ETTh2 --json trials.json

DATA holds ETTh1.csv and the others, in folders or not. numpy and scipy; with one thread (OMP_NUM_THREADS=1) three or
four minutes of a processor for each of ETTh1, ETTh2, ETTm1 and exchange_rate, seconds for national_illness.

The base is `ar` with its defaults: one set of coefficients for all channels, a row of them for each step ahead, the
mean of two look-backs of at most 336 and 720 steps, the first anchored at its last value, the second at its mean,
ridges chosen on the last fifth of the training range. A fit of the longest horizon serves them all. Ranges are those
of the literature, values are scaled by the training range, and every window is scored.

A trial changes one thing of the base. Each of its strengths is fitted on the training range and scored on the
validation range, on every fifth window or so of each; the strength with the least squared error there (relative to
the base's, mean over the horizons) is kept, fitted again on every window of the training range (ETTm1 and WTH: see
`refit`), and only then meets the test range. Nothing is fitted on the validation range but the six weights of
`stack`. Where no strength does better than the base, the base is the choice. `together` takes what was chosen in the
order of its gain on the validation range, and keeps what adds to it there.

Prints a table: for each trial and horizon validation and test error and their difference to the base.
"""

import argparse
import copy
import json
import sys
import time
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.optimize import nnls

CHUNK = 2048
LOOKBACKS = 336, 720
SHARES = 1.0, 1e-2, 1e-3, 1e-4
USUAL_SHARE, WORTHWHILE = 0.1, 0.01

# Steps of a day and a week, or of what stands for them. While a strength is chosen, every so many-th window is fitted
# on and scored on, all hours of the day among them; every so many-th is what the chosen one is fitted on again. Spans
# are those over which the terms across channels take means.
SETS = {
    "ETTh1": {"cycles": (24, 168), "fit": 5, "score": 5, "refit": 1, "spans": (1, 6, 24, 168)},
    "ETTh2": {"cycles": (24, 168), "fit": 5, "score": 5, "refit": 1, "spans": (1, 6, 24, 168)},
    "ETTm1": {"cycles": (96, 672), "fit": 5, "score": 19, "refit": 5, "spans": (1, 24, 96, 672)},
    "WTH": {"cycles": (24, 168), "fit": 7, "score": 7, "refit": 7, "spans": (1, 6, 24, 168)},
    "exchange_rate": {"cycles": (7,), "fit": 3, "score": 3, "refit": 1, "spans": (1, 7, 30, 120)},
    "national_illness": {"cycles": (52,), "fit": 1, "score": 1, "refit": 1, "spans": (1, 4, 13, 52)},
}
ILLNESS_HORIZONS = 24, 36, 48, 60


# Data.


class Data:
    """A set, split and scaled. Rows before `train` are fitted on, from there to `validation` chosen on."""

    def __init__(self, path, horizons):
        self.name = path.stem
        self.setting = SETS[self.name]
        rows = np.genfromtxt(path, delimiter=",", skip_header=1)[:, 1:]
        if self.name.startswith("ETT"):
            day = 96 if "m" in self.name else 24
            self.train, self.validation, self.test = 360 * day, 480 * day, 600 * day
        else:
            n = len(rows)
            self.train, self.test = int(n * 0.7 + 1e-9), n
            self.validation = n - int(n * 0.2 + 1e-9)
        train = rows[: self.train]
        self.x = (rows[: self.test] - train.mean(axis=0)) / train.std(axis=0)
        self.horizons = ILLNESS_HORIZONS if self.name == "national_illness" else horizons
        self.horizon = max(self.horizons)
        self.order = min(LOOKBACKS[1], self.train // 10)
        while self.train - self.order - self.horizon + 1 < 4 * self.order:
            self.order -= -(-self.order // 4)
        self.short = min(LOOKBACKS[0], -(-self.order // 2))
        self.cutoffs = self.windows(self.order, self.train)

    def windows(self, first, end, stride=1):
        """First steps ahead of windows whose labels of the longest horizon end before `end`."""
        return np.arange(first, end - self.horizon + 1, stride)

    def thinned(self, stride):
        """The same with every so many-th window to fit on."""
        other = copy.copy(self)
        other.cutoffs = self.cutoffs[::stride]
        return other

    def labels(self, end, stride=1):
        """First steps ahead of all windows of a range: of the shortest horizon at least."""
        start = self.train if end == self.validation else self.validation
        return np.arange(start, end - min(self.horizons) + 1, stride)


# Windows and their moments.


def inputs(x, cutoffs, order):
    return sliding_window_view(x, order)[cutoffs - order]


def targets(x, cutoffs, horizon):
    """Labels, NaN after the end."""
    padded = np.concatenate([x, np.full(horizon, np.nan)])
    return sliding_window_view(padded, horizon)[cutoffs]


def moments(x, cutoffs, order, horizon, weights=None):
    """For each channel the products of lags with lags and with labels, oldest lag first, about the mean of each window.

    Shapes: x (step, channel), weights (channel, window).
    """
    grams = []
    for channel in range(x.shape[1]):
        rows = sliding_window_view(x[:, channel].astype(np.float32), order + horizon)
        sums = np.zeros((order, order + horizon))
        for start in range(0, len(cutoffs), CHUNK):
            part = rows[cutoffs[start : start + CHUNK] - order]
            part = part - part[:, :order].mean(axis=1, keepdims=True)
            lags = part[:, :order]
            if weights is not None:
                lags = lags * weights[channel, start : start + CHUNK, None].astype(np.float32)
            sums += lags.T @ part
        grams.append(sums)
    return np.array(grams)


def errors(x, weights, cutoffs, horizon):
    """Labels less forecasts, (channel, window, step). Weights are (1 or channel, step, lag)."""
    order = weights.shape[2]
    x = x.astype(np.float32)
    found = np.empty((x.shape[1], len(cutoffs), horizon), np.float32)
    for channel in range(x.shape[1]):
        own = weights[channel % len(weights)].T.astype(np.float32)
        for start in range(0, len(cutoffs), CHUNK):
            part = cutoffs[start : start + CHUNK]
            forecasts = inputs(x[:, channel], part, order) @ own
            found[channel, start : start + CHUNK] = targets(x[:, channel], part, horizon) - forecasts
    return found


def squared(found, cutoffs, end, horizons):
    """Mean squared error at each horizon over the windows whose labels are all there."""
    result = []
    for horizon in horizons:
        part = found[:, cutoffs <= end - horizon, :horizon]
        result.append(np.mean([np.mean(np.square(one), dtype=np.float64) for one in part]))
    return np.array(result)


# Fits.


def anchor_weights(anchor, lookback, day):
    weights = np.zeros(lookback)
    n = {"last": 1, "day": min(day, lookback), "mean": lookback}[anchor]
    weights[lookback - n :] = 1.0 / n
    return weights


def anchored(sums, lookback, u):
    """Moments of the last lags, each window less `u . lags`."""
    order = len(sums)
    gram, cross = sums[order - lookback :, order - lookback : order], sums[order - lookback :, order:]
    g, with_targets = gram @ u, u @ cross
    square = u @ g
    return gram - g[:, None] - g[None, :] + square, cross - g[:, None] - with_targets[None, :] + square


def seasonal_mean(lookback, horizon, period):
    """Weights of the mean of what the window holds at the season of each step."""
    lags = np.arange(lookback, 0, -1)  # steps before the cutoff, the newest being 1
    weights = np.zeros((horizon, lookback))
    n = lookback // period
    for step in range(horizon):
        same = ((lags + step) % period == 0) & (lags <= n * period)
        weights[step, same] = 1.0 / same.sum()
    return weights


def fit_member(sums, member, spec, data):
    """Weights (step, lag) of the longest look-back, the anchor added back."""
    lookback, anchor, share = member
    u = anchor_weights(anchor, lookback, data.setting["cycles"][0])
    gram, cross = anchored(sums, lookback, u)
    horizon = cross.shape[1]
    age = np.arange(lookback, 0, -1) / lookback
    ridge = age ** spec["taper"]
    ridge *= share * gram.diagonal().mean() / ridge.mean()
    prior = np.zeros((lookback, horizon))
    period = data.setting["cycles"][0]
    if spec["prior"] and lookback >= period:
        # Drawn towards the window's own mean day instead of its anchor.
        prior = spec["prior"] * (seasonal_mean(lookback, horizon, period) - u).T
    factor = cho_factor(gram + np.diag(ridge))
    weights = cho_solve(factor, cross + ridge[:, None] * prior)
    if spec["clip"]:
        weights = weights + clipped(data, spec, u, weights, factor, ridge[:, None], prior)
    weights = weights.T
    if spec["rank"]:
        spread = weights @ gram @ weights.T
        size = len(spread)
        _, vectors = eigh(spread, subset_by_index=[max(0, size - spec["rank"]), size - 1])
        weights = vectors @ (vectors.T @ weights)
    full = np.zeros((horizon, data.order))
    full[:, data.order - lookback :] = weights + (1.0 - weights.sum(axis=1, keepdims=True)) * u
    return full


def clipped(data, spec, u, weights, factor, ridge, prior):
    """How much Huber's loss of each step changes the weights: least squares again and again, labels drawn in to where
    the errors are clipped. The Gram matrix, and its factor, stay."""
    x, rounds = cycle_out(data, spec).astype(np.float32), 5
    first = weights
    lookback = len(weights)
    bound = None
    for _ in range(rounds):
        w = weights.astype(np.float32)
        cross = np.zeros(weights.shape)
        samples = []
        for channel in range(x.shape[1]):
            for start in range(0, len(data.cutoffs), CHUNK):
                part = data.cutoffs[start : start + CHUNK]
                lags, labels = inputs(x[:, channel], part, lookback), targets(x[:, channel], part, data.horizon)
                anchors = lags @ u.astype(np.float32)
                lags = lags - anchors[:, None]
                error = labels - anchors[:, None] - lags @ w
                if bound is None:
                    samples.append(np.abs(error[::16]))
                else:
                    cross += lags.T @ np.clip(error, -bound, bound)
        if bound is None:
            bound = spec["clip"] * 1.4826 * np.median(np.concatenate(samples), axis=0)
            continue
        weights = weights + cho_solve(factor, cross - ridge * (weights - prior))
    return weights - first


def cycle_out(data, spec):
    """The series less a share of each channel's mean day or week over the training range."""
    if spec["cycle"] is None:
        return data.x
    period, share = spec["cycle"]
    phase = np.arange(len(data.x)) % period
    n = np.bincount(phase[: data.train], minlength=period)
    profile = np.array([np.bincount(phase[: data.train], c, period) / n for c in data.x[: data.train].T]).T
    return data.x - share * (profile - profile.mean(axis=0))[phase]


def window_weights(data, spec, x):
    """What each window of the training range counts, (channel, window); None if all count the same."""
    weights = None
    for kind, *setting in spec["weights"]:
        shape = x.shape[1], len(data.cutoffs)
        weights = np.ones(shape) if weights is None else weights
        if kind == "recent":
            weights = weights * 0.5 ** ((data.cutoffs[-1] - data.cutoffs) / (setting[0] * data.train))
        elif kind == "spread":
            spread = np.array([inputs(c, data.cutoffs, data.order).var(axis=1) for c in x.T])
            weights = weights * (spread + 0.1 * np.median(spread)) ** -setting[0]
        else:
            before, base = weights, {**spec, "weights": (), "cross": None}
            fitted = fit(data, base, pooled_moments(data, base, x, None if np.all(weights == 1.0) else weights))
            for _ in range(2):
                size = np.sqrt(np.mean(np.square(errors(x, fitted, data.cutoffs, data.horizon)), axis=2))
                if setting[0] == "channel":
                    size = size / np.median(size, axis=1, keepdims=True)
                relative = size / np.median(size)
                if kind == "huber":
                    weights = before * np.minimum(1.0, setting[1] / relative)
                else:
                    weights = before * (relative <= np.quantile(relative, 1.0 - setting[1]))
                fitted = fit(data, base, pooled_moments(data, base, x, weights))
    return weights


KNOWN = {}


def pooled_moments(data, spec, x, weights=None):
    """Moments of each channel; those without weights are kept."""
    key = data.name, len(data.cutoffs), spec["cycle"]
    if weights is not None:
        return moments(x, data.cutoffs, data.order, data.horizon, weights)
    if key not in KNOWN:
        KNOWN[key] = moments(x, data.cutoffs, data.order, data.horizon)
    return KNOWN[key]


def fit(data, spec, of_channels):
    """Weights (1 or channel, step, lag), the weighted mean of all members."""
    pooled = of_channels.sum(axis=0)
    parts = [pooled] if spec["own"] == 0.0 else [pooled, *of_channels]
    solved = []
    for sums in parts:
        members = zip(spec["members"], spec["shares"])
        solved.append(sum(share * fit_member(sums, member, spec, data) for member, share in members if share > 0))
    if len(solved) == 1:
        return np.array(solved)
    return np.array([(1.0 - spec["own"]) * solved[0] + spec["own"] * own for own in solved[1:]])


# Terms across channels.


def features(data, spec, x, weights, cutoffs):
    """For each channel what the window says beside its own forecast: recent means about the mean of the look-back, or
    errors of the base's latest forecasts of means. Shape (window, channel and span)."""
    sums = np.vstack([np.zeros(x.shape[1]), np.cumsum(x, axis=0)])

    def mean(end, n):
        return (sums[end] - sums[end - n]) / n

    columns = []
    for span in (s for s in data.setting["spans"] if s <= data.order // 2 or spec["cross"][0] == "levels"):
        span = min(span, data.order)
        if spec["cross"][0] == "levels":
            columns.append(mean(cutoffs, span) - mean(cutoffs, data.order))
            continue
        # NaN where there are no windows so early: those rows are left out.
        usable = cutoffs - span >= data.order
        column = np.full((len(cutoffs), x.shape[1]), np.nan)
        for channel in range(x.shape[1]):
            of_mean = weights[channel % len(weights)][:span].mean(axis=0)
            forecasts = inputs(x[:, channel], cutoffs[usable] - span, data.order) @ of_mean
            column[usable, channel] = mean(cutoffs[usable], span)[:, channel] - forecasts
        columns.append(column)
    return np.concatenate(columns, axis=1)


CROSS = {}


def cross_terms(data, spec, x, weights):
    """Coefficients (feature, channel x step) of low rank of what the forecasts leave on the training range."""
    kind, rank, share = spec["cross"]
    key = len(data.cutoffs), repr({**spec, "cross": kind})
    if key not in CROSS:
        CROSS.clear()
        cutoffs = data.cutoffs[:: 2 if len(data.cutoffs) > 5000 else 1]
        z = features(data, spec, x, weights, cutoffs)
        usable = np.isfinite(z).all(axis=1)
        cutoffs, z = cutoffs[usable], z[usable]
        products = 0.0
        for start in range(0, len(cutoffs), CHUNK):
            part = slice(start, start + CHUNK)
            left = errors(x, weights, cutoffs[part], data.horizon)
            products = products + z[part].T @ left.transpose(1, 0, 2).reshape(len(left[0]), -1)
        CROSS[key] = z.T @ z, products
    gram, products = CROSS[key]
    ridged = gram + share * gram.diagonal().mean() * np.eye(len(gram))
    solved = np.linalg.solve(ridged, products)
    root = np.linalg.cholesky(ridged).T
    _, _, right = np.linalg.svd(root @ solved, full_matrices=False)
    return (solved @ right[:rank].T) @ right[:rank]


# Trials.


class Model:
    def __init__(self, data, spec):
        self.data, self.spec = data, spec
        self.x = cycle_out(data, spec)
        weights = window_weights(data, spec, self.x)
        self.weights = fit(data, spec, pooled_moments(data, spec, self.x, weights))
        self.cross = cross_terms(data, spec, self.x, self.weights) if spec["cross"] else None

    def errors(self, end, cutoffs):
        found = errors(self.x[:end], self.weights, cutoffs, self.data.horizon)
        if self.cross is not None:
            z = features(self.data, self.spec, self.x[:end], self.weights, cutoffs)
            corrections = (z @ self.cross).astype(np.float32)
            found -= corrections.reshape(len(cutoffs), *found[:, 0].shape).transpose(1, 0, 2)
        return found

    def score(self, end):
        """Of every window of the range that ends there."""
        cutoffs = self.data.labels(end)
        return squared(self.errors(end, cutoffs), cutoffs, end, self.data.horizons)

    def choice_score(self):
        """Of those windows of the validation range that strengths are chosen on."""
        end = self.data.validation
        cutoffs = self.data.labels(end, self.data.setting["score"])
        return squared(self.errors(end, cutoffs), cutoffs, end, self.data.horizons)


def usual_ridge(data, lookback, anchor, fitted, spec):
    """As `ar` chooses it: 0.1, unless another share is better by a hundredth on the last fifth of training."""
    cut = data.train - data.train // 5
    every = -(-data.horizon // 48)
    cutoffs = data.windows(cut, data.train)

    def error(share):
        weights = fit_member(fitted, (lookback, anchor, share), spec, data)[None, ::every]
        steps = np.arange(data.horizon)[::every]
        total = 0.0
        for channel in data.x.T:
            labels = channel[cutoffs[:, None] + steps]
            total += np.sum((labels - inputs(channel, cutoffs, data.order) @ weights[0].T) ** 2)
        return total

    if len(cutoffs) == 0:
        return USUAL_SHARE
    best = USUAL_SHARE
    to_beat = error(best) * (1.0 - WORTHWHILE)
    for share in SHARES:
        found = error(share)
        if found < to_beat:
            best, to_beat = share, found
    return best


def base_spec(data):
    plain = {
        "members": (),
        "shares": (0.5, 0.5),
        "cycle": None,
        "weights": (),
        "clip": 0.0,
        "taper": 0.0,
        "prior": 0.0,
        "rank": 0,
        "own": 0.0,
        "cross": None,
    }
    cut = data.train - data.train // 5
    cutoffs = data.windows(data.order, cut)
    fitted = moments(data.x, cutoffs, data.order, data.horizon).sum(axis=0)
    members = [(data.short, "last"), (data.order, "mean")]
    plain["members"] = tuple((*member, usual_ridge(data, *member, fitted, plain)) for member in members)
    return plain


def trials(data, base):
    """For each trial its strengths: a name, and what is changed of the base."""
    (short, _, ridge_short), (long, _, ridge_long) = base["members"]
    scales = "all", "channel"
    day, *week = data.setting["cycles"]

    def members(*extra):
        n = 2 + len(extra)
        return {"members": (*base["members"], *extra), "shares": (1 / n,) * n}

    yield "huber, windows", {
        f"{k} medians, {scale}": {"weights": (("huber", scale, k),)} for scale in scales for k in (0.5, 1, 2)
    }
    yield "huber, steps", {f"{k} deviations": {"clip": k} for k in (0.5, 1, 2)}
    yield "trimmed windows", {
        f"{share:.0%}, {scale}": {"weights": (("trim", scale, share),)}
        for scale in scales
        for share in (0.02, 0.05, 0.1, 0.2)
    }
    for name, period in [("daily cycle", day), *(("weekly cycle", w) for w in week)]:
        yield name, {f"{share}": {"cycle": (period, share)} for share in (0.25, 0.5, 0.75, 1.0)}
    for kind in ("levels", "errors"):
        yield f"cross-channel, {kind}", {
            f"rank {rank}, ridge {ridge}": {"cross": (kind, rank, ridge)}
            for rank in (1, 2, 3, 4)
            for ridge in (0.1, 1.0, 10.0, 100.0)
        }
    yield "recency", {
        f"half-life {share} of training": {"weights": (("recent", share),)} for share in (0.1, 0.25, 0.5, 1.0)
    }
    yield "windows by their spread", {f"power {p}": {"weights": (("spread", p),)} for p in (0.25, 0.5, 1.0)}
    yield "member weights", {f"{share} short": {"shares": (share, 1 - share)} for share in (0, 0.25, 0.4, 0.6, 0.75, 1)}
    yield "ridge", {
        f"x{first} and x{second}": {
            "members": ((short, "last", first * ridge_short), (long, "mean", second * ridge_long))
        }
        for first in (0.1, 0.3, 1, 3, 10)
        for second in (0.1, 0.3, 1, 3, 10)
    }
    half = max(2, short // 2)
    yield "third member", {
        f"{lookback} {anchor}": members((lookback, anchor, ridge))
        for lookback, anchor, ridge in [
            (half, "last", 0.1),
            (half, "mean", 0.1),
            (short, "mean", 0.1),
            (short, "day", 0.1),
            (long, "last", 0.1),
            (long, "day", 1.0),
        ]
    }
    yield "ridge grows with the lag", {f"power {p}": {"taper": p} for p in (0.5, 1, 2)}
    yield "ridge towards the mean day", {
        f"{share}, ridges x{times}": {
            "prior": share,
            "members": ((short, "last", times * ridge_short), (long, "mean", times * ridge_long)),
        }
        for share in (0.5, 1.0)
        for times in (1, 3, 10)
    }
    yield "steps of low rank", {f"rank {rank}": {"rank": rank} for rank in (2, 4, 8, 16, 32, 64)}
    yield "own coefficients", {f"{share} of the way": {"own": share} for share in (0.1, 0.25, 0.5, 0.75, 1.0)}


def stacked(data, base):
    """Shares of six members that do best on the validation range together."""
    candidates = [
        *base["members"],
        (data.short, "mean", 0.1),
        (data.order, "last", 0.1),
        (max(2, data.short // 2), "last", 0.1),
        (data.order, "day", 1.0),
    ]
    end = data.validation
    cutoffs = data.labels(end, data.setting["score"])
    found = [Model(data, {**base, "members": (one,), "shares": (1.0,)}).errors(end, cutoffs) for one in candidates]
    products = np.zeros((len(found),) * 2)
    for horizon in data.horizons:
        part = [one[:, cutoffs <= end - horizon, :horizon] for one in found]
        own = np.array([[np.mean(a * b, dtype=np.float64) for b in part] for a in part])
        products += own / np.trace(own)
    root = np.linalg.cholesky(products).T
    heavy = 1e3 * np.sqrt(np.trace(products))
    rows = np.vstack([root, np.full(len(found), heavy)])
    shares, _ = nnls(rows, np.append(np.zeros(len(found)), heavy))
    shares = shares / shares.sum()
    label = ", ".join(f"{s:.2f} {m[0]} {m[1]}" for m, s in zip(candidates, shares) if s > 0.005)
    return {label: {"members": tuple(candidates), "shares": tuple(float(s) for s in shares)}}


def best(data, base, strengths, reference):
    """The strength with the least error on the validation range beside the base's; None if the base has less."""
    least, chosen = 1.0, None
    for label, change in strengths.items():
        ratio = np.mean(Model(data, {**base, **change}).choice_score() / reference)
        if ratio < least:
            least, chosen = ratio, (label, change)
    return least, chosen


def run(every, only, keep):
    started = time.perf_counter()
    data, whole = (every.thinned(every.setting[part]) for part in ("fit", "refit"))
    base = base_spec(every)
    reference = Model(data, base).choice_score()
    rows = []

    def row(trial, chosen, ratio, model):
        """Fitted anew on what is not only there to choose by."""
        if rows and model is None:
            scores = rows[0]["validation"], rows[0]["test"]
        else:
            scores = model.score(data.validation).tolist(), model.score(data.test).tolist()
        rows.append(
            {
                "set": data.name,
                "trial": trial,
                "chosen": chosen,
                "choice": float(ratio),
                "horizons": list(data.horizons),
                "validation": scores[0],
                "test": scores[1],
                "seconds": time.perf_counter() - started,
            }
        )
        print_row(rows[-1], rows[0])
        keep(rows)

    ridges = " and ".join(f"{member[2]}" for member in base["members"])
    print(f"\n{data.name}: {len(data.x.T)} channels, look-backs {data.short} and {data.order}", end="")
    thinned = {part: f"every {n}." for part, n in data.setting.items() if part in ("fit", "score", "refit") and n > 1}
    print(f"; windows: {thinned}" if thinned else "", end="\n\n")
    print_head(data.horizons)
    row("base", f"ridges {ridges}", 1.0, Model(whole, base))
    if data.setting["refit"] > 1:
        row("base, every window", f"ridges {ridges}", 1.0, Model(every, base))
    gains = []
    for trial, strengths in [*trials(data, base), ("stack", None)]:
        if only and not any(word in trial for word in only):
            continue
        strengths = stacked(data, base) if strengths is None else strengths
        least, chosen = best(data, base, strengths, reference)
        if chosen is None:
            row(trial, "the base", 1.0, None)
            continue
        label, change = chosen
        row(trial, label, least, Model(whole, {**base, **change}))
        gains.append((least, trial, change))
    spec, names, least = base, [], 1.0
    for _, trial, change in sorted(gains, key=lambda gain: gain[0]):
        merged = {**spec, **change, "weights": spec["weights"] + change.get("weights", ())}
        if any(spec[key] != base[key] for key in change if key != "weights"):
            continue
        ratio = np.mean(Model(data, merged).choice_score() / reference)
        if ratio < least:
            spec, least, names = merged, ratio, [*names, trial]
    row("together", "; ".join(names), least, Model(whole, spec) if names else None)
    return rows


# Tables.


def print_head(horizons):
    cells = "".join(f" {h} validation | {h} test | " for h in horizons)
    print(f"| trial | chosen |{cells.rstrip()}\n|---|---|{'---|' * (2 * len(horizons))}", flush=True)


def print_row(row, base):
    cells = []
    for at in range(len(row["horizons"])):
        for part in ("validation", "test"):
            value, difference = row[part][at], row[part][at] - base[part][at]
            cells.append(f"{value:.4f}" if row is base else f"{value:.4f} ({difference:+.4f})")
    print(f"| {row['trial']} | {row['chosen']} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="the folder of the sets")
    parser.add_argument("--sets", default="ETTh1,ETTh2,ETTm1", help=f"some of {', '.join(SETS)}")
    parser.add_argument("--horizons", default="96,192,336,720", help="steps ahead; of illness always 24,36,48,60")
    parser.add_argument("--only", default="", help="trials whose names contain one of these words, separated by commas")
    parser.add_argument("--json", type=Path, help="where to write the rows to")
    asked = parser.parse_args()
    horizons = tuple(int(h) for h in asked.horizons.split(","))
    rows = []
    for name in asked.sets.split(","):
        paths = sorted(asked.data.rglob(f"{name}.csv"))
        if name not in SETS or not paths:
            sys.exit(f"there is no set {name} in {asked.data}")

        def keep(of_set, before=tuple(rows)):
            if asked.json:
                asked.json.write_text(json.dumps([*before, *of_set], indent=2) + "\n")

        rows += run(Data(paths[0], horizons), [word for word in asked.only.split(",") if word], keep)
        KNOWN.clear()
        CROSS.clear()


if __name__ == "__main__":
    main()
