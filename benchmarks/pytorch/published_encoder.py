"""Fine-tuning steps of a published BERT encoder in PyTorch, named "encoder/FILE".

The file holds the path of the published weights, a batch of ids without padding, settings, and the loss that the library has before its first
step, which must come out here too.
"""

import json

import torch
import torch.nn.functional as functional

from optimizer import adamw
from safetensors_file import read_safetensors

TOLERANCE = 1e-3


def create(name):
    """A training step that ends when it is done."""
    with open(name.split("/", 1)[1]) as file:
        settings = json.load(file)
    model = Encoder(settings)
    loss = float(model.loss().detach())
    if abs(loss - settings["firstLoss"]) > TOLERANCE:
        raise RuntimeError(f"The models disagree: the loss is {loss:.6g}, not {settings['firstLoss']:.6g}.")
    return model.step


class Encoder:
    def __init__(self, settings):
        self.settings = settings
        self.weights = read_safetensors(settings["weights"])
        self.ids = torch.tensor(settings["ids"])
        self.targets = torch.tensor(settings["targets"])
        self.first = settings["layers"] - settings["trained"]
        width = self.weights["embeddings.word_embeddings.weight"].shape[1]
        self.head = torch.tensor(settings["head"]).view(settings["trained"] * width, settings["classes"]).t().contiguous().requires_grad_()
        self.head_bias = torch.zeros(settings["classes"], requires_grad=True)
        groups = [
            {"params": [self.head], "lr": settings["headLearningRate"], "weight_decay": settings["weightDecay"]},
            {"params": [self.head_bias], "lr": settings["headLearningRate"], "weight_decay": 0.0},
        ]
        for layer in range(self.first, settings["layers"]):
            own = {n: w.requires_grad_() for n, w in self.weights.items() if n.startswith(f"encoder.layer.{layer}.")}
            rate = settings["learningRate"] * settings["layerDecay"] ** (settings["layers"] - 1 - layer)
            groups.append({"params": [w for w in own.values() if w.dim() > 1], "lr": rate, "weight_decay": settings["weightDecay"]})
            groups.append({"params": [w for w in own.values() if w.dim() == 1], "lr": rate, "weight_decay": 0.0})
        self.parameters = [p for g in groups for p in g["params"]]
        self.optimizer = adamw(groups, lr=settings["learningRate"], betas=(0.9, 0.98))

    def linear(self, x, name):
        return functional.linear(x, self.weights[name + ".weight"], self.weights[name + ".bias"])

    def norm(self, x, name):
        return functional.layer_norm(x, x.shape[-1:], self.weights[name + ".weight"], self.weights[name + ".bias"], 1e-12)

    def block(self, x, layer):
        name = f"encoder.layer.{layer}."
        rows, length, width = x.shape
        heads = self.settings["heads"]
        q, k, v = (
            self.linear(x, name + "attention.self." + part).view(rows, length, heads, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        weights = torch.softmax((q @ k.transpose(-1, -2)) * (width // heads) ** -0.5, -1)
        mixed = (weights @ v).transpose(1, 2).reshape(rows, length, width)
        x = self.norm(x + self.linear(mixed, name + "attention.output.dense"), name + "attention.output.LayerNorm")
        hidden = functional.gelu(self.linear(x, name + "intermediate.dense"))
        return self.norm(x + self.linear(hidden, name + "output.dense"), name + "output.LayerNorm")

    def loss(self):
        with torch.no_grad():
            positions = torch.arange(self.ids.shape[1])
            x = self.weights["embeddings.word_embeddings.weight"][self.ids]
            x = x + self.weights["embeddings.position_embeddings.weight"][positions]
            x = self.norm(x + self.weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
            for layer in range(self.first):
                x = self.block(x, layer)
        with torch.enable_grad():
            pooled = []
            for layer in range(self.first, self.settings["layers"]):
                x = self.block(x, layer)
                pooled.append(x.mean(1))
            scores = functional.linear(torch.cat(pooled, -1), self.head, self.head_bias)
            return functional.cross_entropy(scores, self.targets, label_smoothing=self.settings["labelSmoothing"])

    def step(self):
        self.loss().backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.settings["maxGradientNorm"])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
