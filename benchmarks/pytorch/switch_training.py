"""Training steps of Switch Transformers in PyTorch, named "switch/FILE".

The file holds the path of the weights, by their published names, a batch without padding, settings, and the loss that the library has before
its first step, which must come out here too. Experts are gone through one after the other, as transformers does; those without tokens
get no gradient.
"""

import json
import math

import torch
import torch.nn.functional as functional

from optimizer import adamw
from safetensors_file import read_safetensors

TOLERANCE = 1e-3


def create(name):
    """A training step that ends when it is done."""
    with open(name.split("/", 1)[1]) as file:
        settings = json.load(file)
    model = Switch(settings)
    with torch.no_grad():
        loss = float(model.loss()[0])
    if abs(loss - settings["firstLoss"]) > TOLERANCE:
        raise RuntimeError(f"The models disagree: the loss is {loss:.6g}, not {settings['firstLoss']:.6g}.")
    return model.step


class Switch:
    def __init__(self, settings):
        self.settings = settings
        self.weights = {name: weight.requires_grad_() for name, weight in read_safetensors(settings["weights"]).items()}
        self.source, self.labels = torch.tensor(settings["source"]), torch.tensor(settings["labels"])
        self.heads, self.layers, self.experts = settings["heads"], settings["layers"], settings["experts"]
        matrices = [w for n, w in self.weights.items() if "layer_norm" not in n]
        norms = [w for n, w in self.weights.items() if "layer_norm" in n]
        decay = settings["weightDecay"]
        self.optimizer = adamw(
            [{"params": matrices, "weight_decay": decay}, {"params": norms, "weight_decay": 0.0}],
            lr=settings["learningRate"],
            betas=(0.9, 0.999),
        )

    def linear(self, x, name):
        return functional.linear(x, self.weights[name + ".weight"])

    def norm(self, x, name):
        return self.weights[name + ".weight"] * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

    def bias(self, stack, length):
        """[heads, queries, keys] by distance."""
        distance = torch.arange(length)[None] - torch.arange(length)[:, None]
        buckets, base = 32, torch.zeros_like(distance)
        if stack == "encoder":
            buckets, base, distance = 16, (distance > 0) * 16, distance.abs()
        else:
            distance = (-distance).clamp(min=0)
        exact = buckets // 2
        far = exact + (torch.log(distance.clamp(min=1) / exact) / math.log(128 / exact) * (buckets - exact)).long()
        bucket = base + torch.where(distance < exact, distance, far.clamp(max=buckets - 1))
        table = self.weights[f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
        bias = table[bucket].permute(2, 0, 1)
        if stack == "decoder":
            bias = bias + torch.full((length, length), torch.finfo(torch.float32).min).triu(1)
        return bias

    def attention(self, x, keys, name, bias):
        def heads(of, part):
            return self.linear(of, f"{name}.{part}").view(of.shape[0], of.shape[1], self.heads, -1).transpose(1, 2)

        scores = heads(x, "q") @ heads(keys, "k").transpose(-1, -2)
        weights = torch.softmax(scores if bias is None else scores + bias, -1)
        mixed = (weights @ heads(keys, "v")).transpose(1, 2).reshape(*x.shape[:2], -1)
        return self.linear(mixed, name + ".o")

    def mixture(self, x, name, logits):
        scores = self.linear(x, name + ".router.classifier")
        logits.append(scores)
        probabilities = torch.softmax(scores, -1)
        chosen = functional.one_hot(probabilities.argmax(-1), self.experts)
        chosen = chosen * (chosen.cumsum(-2) <= self.settings["capacity"])
        mask = chosen.bool()
        result = torch.zeros_like(x)
        for expert in torch.nonzero(mask.reshape(-1, self.experts).sum(0)).flatten().tolist():
            rows = mask[:, :, expert]
            hidden = torch.relu(self.linear(x[rows], f"{name}.experts.expert_{expert}.wi"))
            result[rows] = self.linear(hidden, f"{name}.experts.expert_{expert}.wo")
        return probabilities.max(-1, keepdim=True).values * result

    def stack(self, x, stack, source=None):
        bias, logits = self.bias(stack, x.shape[1]), []
        for layer in range(self.layers):
            name = f"{stack}.block.{layer}.layer."
            of = self.norm(x, name + "0.layer_norm")
            x = x + self.attention(of, of, name + "0.SelfAttention", bias)
            last = 1
            if source is not None:
                x = x + self.attention(self.norm(x, name + "1.layer_norm"), source, name + "1.EncDecAttention", None)
                last = 2
            of = self.norm(x, f"{name}{last}.layer_norm")
            name = f"{name}{last}.mlp"
            x = x + (self.mixture(of, name, logits) if layer % 2 == 1 else self.linear(torch.relu(self.linear(of, name + ".wi")), name + ".wo"))
        return self.norm(x, stack + ".final_layer_norm"), torch.cat(logits, 1)

    def balance(self, logits):
        share = functional.one_hot(logits.argmax(-1), self.experts).float().mean(1)
        return (share * torch.softmax(logits, -1).mean(1)).mean() * self.experts**2

    def loss(self):
        table = self.weights["shared.weight"]
        states, of_encoder = self.stack(table[self.source], "encoder")
        written = functional.pad(self.labels[:, :-1], (1, 0))
        states, of_decoder = self.stack(table[written], "decoder", states)
        scores = functional.linear(states * states.shape[-1] ** -0.5, table)
        entropy = functional.cross_entropy(scores.flatten(0, 1), self.labels.flatten())
        return entropy, entropy + self.settings["balancing"] * (self.balance(of_encoder) + self.balance(of_decoder))

    def step(self):
        with torch.enable_grad():
            entropy, loss = self.loss()
            loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights.values(), self.settings["maxGradientNorm"])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(entropy.detach())
