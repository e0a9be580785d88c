"""PyTorch's side of train.bench.ts: the same encoder, batches and optimizer.

First line on stdin: settings as JSON, answered by {version, parameters}. Then a number of steps per line, each answered
by {seconds, loss}.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Encoder(nn.Module):
    def __init__(self, vocabulary, tokens, width, layers, heads, feed_forward, outputs):
        super().__init__()
        self.heads = heads
        # Sparse, as the other side's table: a step touches the rows of its batch only.
        self.embedding = nn.Embedding(vocabulary, width, sparse=True)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.positions = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.embedding_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, feed_forward, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.final_norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, heads)
        self.value = nn.Linear(width, width)
        self.head = nn.Linear(width, outputs)

    def forward(self, ids, padding):
        batch, tokens = ids.shape
        x = self.embedding_norm(self.embedding(ids) + self.positions[:tokens])
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        x = self.final_norm(x)
        weights = self.score(x).transpose(1, 2).masked_fill(padding[:, None, :], -1e4).softmax(-1)
        values = self.value(x).view(batch, tokens, self.heads, -1).transpose(1, 2)
        return self.head((weights[:, :, None, :] @ values).reshape(batch, -1))


def matmul_gflops():
    """What the BLAS behind this PyTorch gives; the reference BLAS is some thirty times slower than OpenBLAS."""
    a, b = torch.randn(1024, 256), torch.randn(256, 1024)
    a @ b
    began = time.perf_counter()
    a @ b
    return 2 * 1024 * 1024 * 256 / (time.perf_counter() - began) / 1e9


def main():
    settings = json.loads(sys.stdin.readline())
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(1)
    model = Encoder(**settings["encoder"])
    table = [model.embedding.weight]
    dense = [p for p in model.parameters() if p is not model.embedding.weight]
    optimizers = [
        torch.optim.SparseAdam(table, lr=settings["learningRate"]),
        torch.optim.AdamW(dense, lr=settings["learningRate"], weight_decay=settings["weightDecay"]),
    ]
    batches = [
        (torch.tensor(batch["ids"]).view(settings["rows"], -1), torch.tensor(batch["targets"], dtype=torch.float32).view(settings["rows"], -1))
        for batch in settings["batches"]
    ]
    padding = torch.zeros_like(batches[0][0], dtype=torch.bool)
    ready = {
        "version": torch.__version__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "gflops": matmul_gflops(),
    }
    print(json.dumps(ready), flush=True)

    step = 0
    while line := sys.stdin.readline():
        began = time.perf_counter()
        for _ in range(int(line)):
            ids, targets = batches[step % len(batches)]
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            loss = F.binary_cross_entropy_with_logits(model(ids, padding), targets, reduction="sum") / len(ids)
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            step += 1
            value = loss.item()
        print(json.dumps({"seconds": time.perf_counter() - began, "loss": value}), flush=True)


main()
