"""Informer (arXiv 2012.07436) and an encoder in PyTorch, our own writing; one line of JSON a question.

A process is asked about one workload only, so that its peak memory is that of the workload. The first question builds
it, and is answered with what one run takes, like every other:
{"workload": ..., sizes} -> {"seconds": wall time of one run, "peak_bytes": of the process so far, "base_bytes": the
same before the workload was built, "checksum": a number}.

With arguments it forecasts once: `save FILE SIZES` writes the weights of a network, `predict FILE SIZES OUT` loads them,
forecasts one window of zeros and writes it as CSV. SIZES is JSON.
"""

import json
import math
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


def n_selected(factor, length):
    return max(1, min(length, factor * math.ceil(math.log(length))))


def prob_sparse(q, k, v, factor, is_causal):
    """Shapes (batch, head, length, d)."""
    n_queries, n_keys, d = q.shape[2], k.shape[2], q.shape[3]
    n_top = n_selected(factor, n_queries)
    with torch.no_grad():  # the choice has no gradient
        drawn = torch.randint(n_keys, (n_queries, n_selected(factor, n_keys)))
        sampled = k[:, :, drawn]  # (batch, head, query, sample, d)
        scores = (q.unsqueeze(-2) @ sampled.transpose(-2, -1)).squeeze(-2)
        measure = scores.max(-1).values - scores.sum(-1) / n_keys
        top = measure.topk(n_top, sorted=False).indices  # (batch, head, n_top)
    rows = top.unsqueeze(-1).expand(-1, -1, -1, d)
    scores = q.gather(2, rows) @ k.transpose(-2, -1) / math.sqrt(d)
    if is_causal:
        scores = scores.masked_fill(torch.arange(n_keys) > top.unsqueeze(-1), -math.inf)
    attended = scores.softmax(-1) @ v
    common = v.cumsum(2) if is_causal else v.mean(2, keepdim=True).expand(-1, -1, n_queries, -1)
    return common.scatter(2, rows, attended)


class Attention(nn.Module):
    def __init__(self, d_model, n_heads, factor, is_causal=False):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(d_model, d_model) for _ in range(4))
        self.n_heads, self.factor, self.is_causal = n_heads, factor, is_causal

    def forward(self, x, memory):
        split = lambda x: x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        q, k, v = split(self.query(x)), split(self.key(memory)), split(self.value(memory))
        if self.factor:
            out = prob_sparse(q, k, v, self.factor, self.is_causal)
        else:
            out = F.scaled_dot_product_attention(q, k, v)
        return self.output(out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout):
        super().__init__()
        self.expand, self.contract = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.norm, self.dropout = nn.LayerNorm(d_model), nn.Dropout(dropout)

    def forward(self, x):
        return self.norm(x + self.dropout(self.contract(self.dropout(F.gelu(self.expand(x))))))


class EncoderLayer(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.attention = Attention(s["d_model"], s["n_heads"], s["factor"])
        self.norm, self.dropout = nn.LayerNorm(s["d_model"]), nn.Dropout(s["dropout"])
        self.feed_forward = FeedForward(s["d_model"], s["d_ff"], s["dropout"])

    def forward(self, x):
        return self.feed_forward(self.norm(x + self.dropout(self.attention(x, x))))


class DecoderLayer(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.own = Attention(s["d_model"], s["n_heads"], s["factor"], is_causal=True)
        self.cross = Attention(s["d_model"], s["n_heads"], 0)
        self.norms = nn.ModuleList(nn.LayerNorm(s["d_model"]) for _ in range(2))
        self.dropout = nn.Dropout(s["dropout"])
        self.feed_forward = FeedForward(s["d_model"], s["d_ff"], s["dropout"])

    def forward(self, x, memory):
        x = self.norms[0](x + self.dropout(self.own(x, x)))
        return self.feed_forward(self.norms[1](x + self.dropout(self.cross(x, memory))))


class Distil(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.conv = nn.Conv1d(d_model, d_model, 3, padding=1, padding_mode="circular")
        self.norm, self.pool = nn.BatchNorm1d(d_model), nn.MaxPool1d(3, 2, 1)

    def forward(self, x):
        return self.pool(F.elu(self.norm(self.conv(x.transpose(1, 2))))).transpose(1, 2)


class Embedding(nn.Module):
    def __init__(self, s, length):
        super().__init__()
        d_model = s["d_model"]
        self.value = nn.Conv1d(s["n_channels"], d_model, 3, padding=1, padding_mode="circular")
        self.time, self.dropout = nn.Linear(s["n_marks"], d_model), nn.Dropout(s["dropout"])
        angle = torch.arange(length).unsqueeze(1) / 10000 ** (torch.arange(0, d_model, 2) / d_model)
        self.register_buffer("position", torch.stack([angle.sin(), angle.cos()], -1).flatten(1), persistent=False)

    def forward(self, x, marks):
        value = self.value(x.transpose(1, 2)).transpose(1, 2)
        return self.dropout(value + self.position + self.time(marks))


class Informer(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.horizon = s["horizon"]
        self.embeddings = nn.ModuleList(Embedding(s, n) for n in (s["lookback"], s["label_length"] + s["horizon"]))
        self.encoder = nn.ModuleList(EncoderLayer(s) for _ in range(s["encoder_layers"]))
        self.distils = nn.ModuleList(Distil(s["d_model"]) for _ in range(s["encoder_layers"] - 1))
        self.decoder = nn.ModuleList(DecoderLayer(s) for _ in range(s["decoder_layers"]))
        self.norms = nn.ModuleList(nn.LayerNorm(s["d_model"]) for _ in range(2))
        self.projection = nn.Linear(s["d_model"], s["n_channels"])

    def forward(self, x_enc, marks_enc, x_dec, marks_dec):
        memory = self.embeddings[0](x_enc, marks_enc)
        for at, layer in enumerate(self.encoder):
            memory = layer(memory)
            if at < len(self.distils):
                memory = self.distils[at](memory)
        memory, x = self.norms[0](memory), self.embeddings[1](x_dec, marks_dec)
        for layer in self.decoder:
            x = layer(x, memory)
        return self.projection(self.norms[1](x))[:, -self.horizon :]


def windows(s):
    """What one batch is forecast from; the decoder starts from the end of the lookback."""
    n_batch, n_label, horizon = s["n_batch"], s["label_length"], s["horizon"]
    x_enc = torch.randn(n_batch, s["lookback"], s["n_channels"])
    zeros = torch.zeros(n_batch, horizon, s["n_channels"])
    x_dec = torch.cat([x_enc[:, s["lookback"] - n_label :], zeros], 1)
    marks = lambda length: torch.rand(n_batch, length, s["n_marks"]) - 0.5
    return x_enc, marks(s["lookback"]), x_dec, marks(n_label + horizon)


def training(network, inputs, target):
    network.train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)

    def run():
        optimiser.zero_grad()
        loss = F.mse_loss(network(*inputs), target)
        loss.backward()
        optimiser.step()
        return loss.item()

    return run


def informer_train(s):
    return training(Informer(s), windows(s), torch.randn(s["n_batch"], s["horizon"], s["n_channels"]))


def informer_infer(s):
    network, inputs = Informer(s).eval(), windows(s)

    def run():
        with torch.inference_mode():
            return network(*inputs).sum().item()

    return run


def encoder_train(s):
    layer = nn.TransformerEncoderLayer(
        s["d_model"], s["n_heads"], s["d_ff"], dropout=0.0, activation="gelu", batch_first=True
    )
    network = nn.TransformerEncoder(layer, s["encoder_layers"])
    x, target = (torch.randn(s["n_batch"], s["lookback"], s["d_model"]) for _ in range(2))
    return training(network, (x,), target)


def attention(s, attend):
    q, k, v = (torch.randn(1, s["n_heads"], s["lookback"], s["d_model"] // s["n_heads"]) for _ in range(3))

    def run():
        with torch.inference_mode():
            return attend(q, k, v).sum().item()

    return run


WORKLOADS = {
    "informer_train": informer_train,
    "informer_infer": informer_infer,
    "encoder_train": encoder_train,
    "prob_sparse": lambda s: attention(s, lambda q, k, v: prob_sparse(q, k, v, s["factor"], False)),
    "full_attention": lambda s: attention(s, F.scaled_dot_product_attention),
}


def peak_bytes():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def answer(run, base):
    start = time.perf_counter()
    checksum = run()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_bytes": peak_bytes(), "base_bytes": base, "checksum": checksum}


def main():
    torch.manual_seed(1)
    if len(sys.argv) > 1:
        sizes = json.loads(sys.argv[3])
        network = Informer(sizes).eval()
        if sys.argv[1] == "save":
            torch.save(network.state_dict(), sys.argv[2])
            return
        network.load_state_dict(torch.load(sys.argv[2], weights_only=True))
        with torch.inference_mode():
            rows = network(*(torch.zeros_like(x) for x in windows(sizes)))[0].tolist()
        with open(sys.argv[4], "w") as out:
            out.writelines(",".join(map(str, row)) + "\n" for row in rows)
        return
    run, base = None, peak_bytes()
    for line in sys.stdin:
        sizes = json.loads(line)
        if run is None:
            run = WORKLOADS[sizes["workload"]](sizes)
        print(json.dumps(answer(run, base)), flush=True)


if __name__ == "__main__":
    main()
