"""The library's text classifier in PyTorch, named "text/training/precision/device/FOLDER" or "text/scoring/precision/device/FOLDER".

The folder holds the model's configuration and weights as the library saves them, and Batch.json: rows, and the probabilities that
the library gives them, which must come out here too. Rows are packed one after the other; only attention and pooling, which need
sequences side by side, see padding. A training step in "bf16" is one under autocast, with the router in single precision; scoring is
in single precision in any case.
"""

import json
import math
import os

import torch
import torch.nn.functional as functional

from expert_loop import run_experts
from optimizer import adamw
from safetensors_file import read_safetensors

EPSILON = 1e-8
TOLERANCE = 1e-3


def create(name):
    """A training step, or a forward pass, that ends when it is done."""
    _, mode, precision, device, folder = name.split("/", 4)
    with open(os.path.join(folder, "Batch.json")) as file:
        batches = json.load(file)
    model = TextModel(folder, device)
    scored = Batch(batches["scoring"], device)
    model.check(scored, batches["probabilities"])
    if mode == "training":
        training = Training(model, Batch(batches["training"]["batch"], device), batches["training"], precision)

    def run():
        if mode == "training":
            training.step()
        else:
            model.probabilities(scored)
        if device != "cpu":
            torch.cuda.synchronize(device)

    return run


class Batch:
    """Packed rows: B sequences of T tokens in all, S in the longest."""

    def __init__(self, content, device):
        offsets = torch.tensor(content["offsets"], device=device)
        lengths = offsets[1:] - offsets[:-1]
        self.rows, self.longest = len(lengths), int(lengths.max())
        self.is_even = bool((lengths == self.longest).all())
        sequence = torch.repeat_interleave(torch.arange(self.rows, device=device), lengths)
        self.positions = torch.arange(len(sequence), device=device) - offsets[sequence]
        self.slots = sequence * self.longest + self.positions
        self.is_padding = torch.arange(self.longest, device=device) >= lengths[:, None]
        self.tokens = bags(content["tokens"], device)

    def pad(self, x, filling=0.0):
        """[T, ...] to [B, S, ...]."""
        if not self.is_even:
            x = x.new_full((self.rows * self.longest, x.shape[-1]), filling).index_copy(0, self.slots, x)
        return x.view(self.rows, self.longest, -1)

    def pack(self, x):
        """[B, S, ...] to [T, ...]."""
        x = x.reshape(self.rows * self.longest, -1)
        return x if self.is_even else x.index_select(0, self.slots)


class TextModel:
    def __init__(self, folder, device):
        with open(os.path.join(folder, "Config.json")) as file:
            self.config = json.load(file)["encoder"]
        weights = read_safetensors(os.path.join(folder, "Weights.safetensors"))
        self.weights = {name: weight.to(device) for name, weight in weights.items()}

    def check(self, batch, expected):
        """Makes sure that this is the same model."""
        found = self.probabilities(batch).flatten().cpu()
        if not torch.allclose(found, torch.tensor(expected), rtol=0, atol=TOLERANCE):
            raise RuntimeError(f"The models disagree by up to {(found - torch.tensor(expected)).abs().max():.3g}.")

    def probabilities(self, batch):
        return torch.softmax(self.forward(batch, False)[0], -1)

    def forward(self, batch, training):
        """Class scores, and the MoE layers' losses."""
        config, w = self.config, self.weights
        rate, losses = config["dropout"], []

        def dropout(x, share=1.0):
            return functional.dropout(x, share * rate, True) if training else x

        def norm(x, name):
            return functional.layer_norm(x, x.shape[-1:], w[name + ".gain"], w[name + ".bias"])

        def linear(x, name):
            return torch.addmm(w[name + ".bias"], x, w[name + ".weight"])

        x = bag(w["tokens"], batch.tokens) + functional.embedding(batch.positions, w["positions"])
        x = dropout(norm(x, "inputNorm"), 0.5)
        for layer in range(config["layers"]):
            name = f"layers.{layer}"
            qkv = linear(norm(x, name + ".attentionNorm"), name + ".attention.qkv")
            heads = self.attention(batch, qkv, lambda a: dropout(a, 0.5))
            x = x + dropout(linear(heads, name + ".attention.output"))
            x = x + dropout(self.experts(norm(x, name + ".feedForwardNorm"), name + ".moe", training, losses))
        x = norm(x, "outputNorm")
        padded = batch.pad(x)
        scores = batch.pad(linear(x, "pooling"), -math.inf).transpose(1, 2)
        pooled = (torch.softmax(scores, -1) @ padded).flatten(1)
        largest = padded if batch.is_even else padded.masked_fill(batch.is_padding[:, :, None], -math.inf)
        return linear(dropout(torch.cat([pooled, largest.max(1)[0]], -1), 1.5), "head"), losses

    def attention(self, batch, qkv, dropout):
        heads = self.config["heads"]
        q, k, v = batch.pad(qkv).view(batch.rows, batch.longest, 3, heads, -1).permute(2, 0, 3, 1, 4)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if not batch.is_even:
            scores = scores.masked_fill(batch.is_padding[:, None, None, :], -math.inf)
        return batch.pack((dropout(torch.softmax(scores, -1)) @ v).transpose(1, 2))

    def experts(self, x, name, training, losses):
        """A mixture-of-experts layer; when training, its load-balancing loss joins the losses."""
        w1, b1, w2, b2 = (self.weights[f"{name}.experts.{part}"].unbind() for part in ("w1", "b1", "w2", "b2"))
        with torch.autocast(x.device.type, enabled=False):
            probabilities = torch.softmax(x @ self.weights[name + ".router.weight"], -1)
        weights, chosen = probabilities.topk(int(self.config["router"]["expertsPerToken"]), -1)
        weights = weights / weights.sum(-1, keepdim=True)
        if training:
            shares = torch.bincount(chosen[:, 0], minlength=len(w1)) / len(x)
            losses.append(len(w1) * (shares * probabilities.mean(0)).sum() * self.config["loadBalancingCoefficient"])
        return run_experts(x, weights, chosen, w1, b1, w2, b2)


class Training:
    """Training steps on one batch: AdamW, and for the table of tokens Adam on the rows that the batch has touched."""

    TABLE = "tokens"

    def __init__(self, model, batch, settings, precision):
        self.model, self.batch, self.settings, self.precision = model, batch, settings, precision
        self.targets = torch.tensor(settings["targets"], device=batch.positions.device)
        for weight in model.weights.values():
            weight.requires_grad_()
        dense = {name: weight for name, weight in model.weights.items() if name != self.TABLE}
        self.dense = list(dense.values())
        decayed = [weight for name, weight in dense.items() if name.split(".")[-1] in ("weight", "w1", "w2")]
        others = [weight for name, weight in dense.items() if name.split(".")[-1] not in ("weight", "w1", "w2")]
        self.optimizer = adamw(
            [{"params": decayed, "weight_decay": settings["weightDecay"]}, {"params": others, "weight_decay": 0.0}],
            lr=settings["learningRate"],
            betas=(0.9, 0.98),
        )
        self.table = RowAdam(model.weights[self.TABLE], settings["embeddingLearningRate"])

    def step(self):
        with torch.enable_grad():
            with torch.autocast(self.targets.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                logits, losses = self.model.forward(self.batch, True)
                loss = functional.cross_entropy(logits, self.targets, label_smoothing=self.settings["labelSmoothing"]) + sum(losses)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(self.dense, self.settings["maxGradientNorm"])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.table.step()


class RowAdam:
    """What torch.optim.SparseAdam computes, in fewer passes: Adam on the rows that have a gradient."""

    def __init__(self, table, rate, beta1=0.9, beta2=0.999):
        self.table, self.rate, self.beta1, self.beta2, self.steps = table, rate, beta1, beta2, 0
        self.first, self.second = torch.zeros_like(table), torch.zeros_like(table)

    @torch.no_grad()
    def step(self):
        gradient = self.table.grad.coalesce()
        rows, values = gradient.indices()[0], gradient.values()
        self.table.grad = None
        self.steps += 1
        first = self.first.index_select(0, rows).mul_(self.beta1).add_(values, alpha=1 - self.beta1)
        second = self.second.index_select(0, rows).mul_(self.beta2).addcmul_(values, values, value=1 - self.beta2)
        self.first.index_copy_(0, rows, first)
        self.second.index_copy_(0, rows, second)
        correction1, correction2 = 1 - self.beta1**self.steps, 1 - self.beta2**self.steps
        change = first.div_(second.div_(correction2).sqrt_().add_(EPSILON))
        self.table.index_add_(0, rows, change, alpha=-self.rate / correction1)


def bags(content, device):
    return (
        torch.tensor(content["indices"], dtype=torch.long, device=device),
        torch.tensor(content["offsets"][:-1], dtype=torch.long, device=device),
        torch.tensor(content["weights"], dtype=torch.float32, device=device),
    )


def bag(table, content):
    indices, offsets, weights = content
    return functional.embedding_bag(indices, table, offsets, mode="sum", sparse=True, per_sample_weights=weights)
