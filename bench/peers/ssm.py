"""Layers of S4, S4D and SGConv in PyTorch, written from the papers' formulas; one line of JSON a question.

A layer is a kernel, its convolution by FFT, and a skip D u, for H features of N state numbers, N / 2 of which are held
as one of a conjugate pair. Kernels are made the plain way: the Cauchy and the Vandermonde products as tensors of all
features, states and frequencies or lags, as code without kernels of its own has them. Threads are PyTorch's own choice.
"""

import json
import math
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F


def resident(field):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return None


def reset_peak():
    try:
        with open("/proc/self/clear_refs", "w") as refs:
            refs.write("5")
        return True
    except OSError:
        return False


def leg_s(n):
    """Eigenvalues of LegS plus its rank-one term, one of each pair, with that term and B in their basis."""
    i = np.arange(n, dtype=np.float64)
    p = np.sqrt(i + 0.5)
    b = np.sqrt(2 * i + 1)
    a = -np.tril(np.outer(b, b), -1) - np.diag(i + 1)
    s = a + np.outer(p, p)
    values, vectors = np.linalg.eigh(-1j * (s - np.mean(np.diag(s)) * np.eye(n)))
    keep = np.argsort(values)[: n // 2]
    v = vectors[:, keep]
    return np.mean(np.diag(s)) + 1j * values[keep], v.conj().T @ p, v.conj().T @ b


def pair(z):
    return torch.nn.Parameter(torch.view_as_real(torch.as_tensor(z).to(torch.complex64)).contiguous())


def convolve(u, kernel, skip):
    """Causal, by FFT. Shapes: u (batch, feature, length), kernel (feature, lag)."""
    length = u.shape[-1]
    n = length + kernel.shape[-1]
    y = torch.fft.irfft(torch.fft.rfft(u, n=n) * torch.fft.rfft(kernel, n=n), n=n)[..., :length]
    return y + u * skip[:, None]


class Layer(torch.nn.Module):
    def __init__(self, h):
        super().__init__()
        self.skip = torch.nn.Parameter(torch.randn(h))

    def forward(self, u):
        return convolve(u, self.kernel(u.shape[-1]), self.skip)


class S4(Layer):
    """Diagonal plus low rank, bilinear; C is that of the truncated generating function, as the authors train it."""

    def __init__(self, h, n, _length):
        super().__init__(h)
        a, p, b = leg_s(n)
        self.log_dt = torch.nn.Parameter(torch.rand(h) * math.log(100) + math.log(1e-3))
        self.log_real = torch.nn.Parameter(torch.log(torch.full((n // 2,), 0.5)))
        self.imag = torch.nn.Parameter(torch.as_tensor(a.imag, dtype=torch.float32))
        self.p, self.b = pair(p), pair(b)
        self.c = pair(torch.randn(h, n // 2, dtype=torch.complex64))

    def kernel(self, length):
        dt = self.log_dt.exp()
        a = torch.complex(-self.log_real.exp(), self.imag)
        p, b, c = (torch.view_as_complex(x) for x in (self.p, self.b, self.c))
        omega = torch.exp(-2j * math.pi * torch.arange(length // 2 + 1) / length).to(torch.complex64)
        da = dt[:, None] * a  # (H, N/2)

        def cauchy(v):
            """sum over pairs of v dt / (2 (1 - w) - dt a (1 + w)), without the division by 0 at w = -1."""
            z, up = 2 * (1 - omega), 1 + omega
            half = (v * dt[:, None])[..., None] / (z - da[..., None] * up)
            other = (v.conj() * dt[:, None])[..., None] / (z - da.conj()[..., None] * up)
            return (half + other).sum(1)  # (H, frequency)

        k00, k01 = cauchy(c * b), cauchy(c * p)
        k10, k11 = cauchy((p.conj() * b).expand_as(c)), cauchy((p.conj() * p).expand_as(c))
        up = 1 + omega
        return torch.fft.irfft(2 * (k00 - up * k01 * k10 / (1 + up * k11)), n=length)

    def step_matrices(self):
        """Dense, of all N, as the authors step by default: x' = A x + B u, y = Re(C x)."""
        dt = self.log_dt.exp()
        a = torch.complex(-self.log_real.exp(), self.imag)
        p, b, c = (torch.view_as_complex(x) for x in (self.p, self.b, self.c))
        a, p, b, c = (torch.cat([x, x.conj()], -1) for x in (a, p, b, c))
        full = torch.diag(a) - p[:, None] * p.conj()[None, :]
        eye = torch.eye(len(a))
        half = dt[:, None, None] / 2 * full
        inverse = torch.linalg.inv(eye - half)
        return inverse @ (eye + half), (inverse @ b) * dt[:, None], c


class S4D(Layer):
    """Diagonal, zero-order hold, B = 1."""

    def __init__(self, h, n, _length):
        super().__init__(h)
        self.log_dt = torch.nn.Parameter(torch.rand(h) * math.log(100) + math.log(1e-3))
        self.log_real = torch.nn.Parameter(torch.log(torch.full((h, n // 2), 0.5)))
        self.imag = torch.nn.Parameter(math.pi * torch.arange(n // 2).float().repeat(h, 1))
        self.c = pair(torch.randn(h, n // 2, dtype=torch.complex64))

    def discrete(self):
        a = torch.complex(-self.log_real.exp(), self.imag)
        da = a * self.log_dt.exp()[:, None]
        return da, torch.view_as_complex(self.c) * (torch.exp(da) - 1) / a

    def kernel(self, length):
        da, c = self.discrete()
        powers = torch.exp(da[..., None] * torch.arange(length))  # (H, N/2, L)
        return 2 * torch.einsum("hn,hnl->hl", c, powers).real


class SGConv(Layer):
    """Sub-kernels at growing scales, interpolated, decaying, of norm 1 as they were first."""

    def __init__(self, h, _n, length, dim=32):
        super().__init__(h)
        scales = 1 + max(0, math.ceil(math.log2(length / dim)))
        self.kernels = torch.nn.ParameterList(torch.nn.Parameter(torch.randn(h, dim)) for _ in range(scales))
        with torch.no_grad():
            self.norm = self.raw().norm(dim=-1, keepdim=True)

    def raw(self):
        last = len(self.kernels) - 1
        parts = []
        for i, weights in enumerate(self.kernels):
            scale = 2 ** max(i - 1, 0)
            stretched = F.interpolate(weights[None], scale_factor=scale, mode="linear")[0] if scale > 1 else weights
            parts.append(stretched * 2.0 ** (last - i))
        return torch.cat(parts, -1)

    def kernel(self, length):
        kernel = self.raw() / self.norm
        return F.pad(kernel, (0, max(0, length - kernel.shape[-1])))[..., :length]


LAYERS = {"s4": S4, "s4d": S4D, "sgconv": SGConv}

# Resident memory before each layer was trained for the first time.
BEFORE = {}


def train(question):
    torch.manual_seed(1)
    h, n, length, batch = (question[key] for key in ("d_model", "d_state", "length", "batch"))
    layer = LAYERS[question["layer"]](h, n, length)
    u = torch.randn(batch, h, length, requires_grad=True)
    # What the allocator keeps after the first time is no less memory of the layer.
    before = BEFORE.setdefault((question["layer"], length), resident("VmRSS"))
    is_reset = reset_peak()
    start = time.perf_counter()
    y = layer(u)
    y.square().mean().backward()
    seconds = time.perf_counter() - start
    peak = resident("VmHWM") - before if is_reset and before is not None else None
    return {"seconds": seconds, "checksum": float(u.grad.isfinite().all()), "growth_bytes": peak}


def step(question):
    """One step of a stack of layers: nothing but their recurrences."""
    return steps(question, lambda _, x, mixed: mixed)


def model_step(question):
    """One step of a model: an embedding, and layers with GELU, a gated linear layer and a residual connection each."""
    h = question["d_model"]
    embed = torch.nn.Linear(1, h)
    gates = [torch.nn.Linear(h, 2 * h) for _ in range(question["layers"])]
    return steps(question, lambda at, x, mixed: x + F.glu(gates[at](F.gelu(mixed)), dim=-1), embed)


def steps(question, block, embed=None):
    """What a step of layers takes, of whose input x and mixer `block` makes the input of the next."""
    torch.manual_seed(1)
    h, n, layers, n_steps = (question[key] for key in ("d_model", "d_state", "layers", "steps"))
    torch.set_num_threads(1)
    stack = [LAYERS[question["layer"]](h, n, 1024) for _ in range(layers)]
    with torch.no_grad():
        parts = []
        for layer in stack:
            if isinstance(layer, S4D):
                da, c = layer.discrete()
                parts.append((torch.exp(da), 2 * c, torch.zeros(h, n // 2, dtype=torch.complex64), layer.skip))
            else:
                a, b, c = layer.step_matrices()
                parts.append((a, b, c, torch.zeros(h, n, dtype=torch.complex64), layer.skip))
        u = torch.randn(h if embed is None else 1)
        start = time.perf_counter()
        for _ in range(n_steps):
            x = u if embed is None else embed(u)
            for at, part in enumerate(parts):
                if len(part) == 4:
                    a, c, state, skip = part
                    state = a * state + x[:, None]
                    parts[at] = (a, c, state, skip)
                    mixed = (c * state).real.sum(-1) + skip * x
                else:
                    a, b, c, state, skip = part
                    state = torch.einsum("hij,hj->hi", a, state) + b * x[:, None]
                    parts[at] = (a, b, c, state, skip)
                    mixed = (c * state).real.sum(-1) + skip * x
                x = block(at, x, mixed)
        seconds = (time.perf_counter() - start) / n_steps
    return {"seconds": seconds, "checksum": float(x.isfinite().all()), "growth_bytes": None}


TASKS = {"train": train, "step": step, "model_step": model_step}

if __name__ == "__main__":
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps(TASKS[question["task"]](question)), flush=True)
