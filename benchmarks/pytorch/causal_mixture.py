"""The scores after a prompt of a Granite mixture in PyTorch, named "causal/TYPE/FILE": in bfloat16 or float32.

The file holds the folder of the published weights, ids and the library's scores, which must come out here too. Experts are gone
through one after the other, as transformers does on the CPU.
"""

import json
import os

import torch
import torch.nn.functional as functional

from safetensors_file import read_folder

TOLERANCE = {torch.bfloat16: 0.1, torch.float32: 1e-3}  # bfloat16 rounds activations too, which ours does not

models = {}


def create(name):
    """A run over the prompt."""
    _, type_name, path = name.split("/", 2)
    with open(path) as file:
        settings = json.load(file)
    dtype = getattr(torch, type_name)
    key = settings["folder"], dtype
    if key not in models:
        models[key] = Granite(settings["folder"], settings["ids"], dtype)
    model = models[key]
    expected = torch.tensor(settings["scores"])
    difference = float((model.run().float() - expected).abs().max() / expected.abs().max())
    if not difference <= TOLERANCE[dtype]:
        raise RuntimeError(f"The models disagree: scores differ by {difference:.3g} of the largest.")
    return model.run


class Granite:
    def __init__(self, folder, ids, dtype):
        with open(os.path.join(folder, "config.json")) as file:
            self.config = json.load(file)
        self.weights = {name.removeprefix("model."): weight.to(dtype) for name, weight in read_folder(folder).items()}
        self.ids = torch.tensor(ids)
        self.heads, self.key_heads = self.config["num_attention_heads"], self.config["num_key_value_heads"]
        self.head_width = self.config["hidden_size"] // self.heads
        positions = torch.arange(len(ids))
        frequencies = self.config["rope_theta"] ** (-torch.arange(0, self.head_width, 2) / self.head_width)
        angles = positions[:, None] * torch.cat([frequencies, frequencies])
        self.cos, self.sin = angles.cos().to(dtype), angles.sin().to(dtype)
        self.mask = torch.full((len(ids), len(ids)), float("-inf"), dtype=dtype).triu(1)

    def norm(self, x, name):
        mean = x.float().pow(2).mean(-1, keepdim=True)
        return self.weights[name + ".weight"] * (x.float() * torch.rsqrt(mean + self.config["rms_norm_eps"])).to(x.dtype)

    def turn(self, x):
        half = self.head_width // 2
        return x * self.cos + torch.cat([-x[..., half:], x[..., :half]], -1) * self.sin

    def attention(self, x, name):
        def heads(part, count):
            return functional.linear(x, self.weights[f"{name}.{part}_proj.weight"]).view(-1, count, self.head_width).transpose(0, 1)

        q, k, v = self.turn(heads("q", self.heads)), self.turn(heads("k", self.key_heads)), heads("v", self.key_heads)
        k, v = (part.repeat_interleave(self.heads // self.key_heads, 0) for part in (k, v))
        scores = q @ k.transpose(-1, -2) * self.config["attention_multiplier"] + self.mask
        mixed = (torch.softmax(scores.float(), -1).to(x.dtype) @ v).transpose(0, 1).reshape(len(x), -1)
        return functional.linear(mixed, self.weights[name + ".o_proj.weight"])

    def experts(self, x, name):
        logits = functional.linear(x, self.weights[name + ".router.layer.weight"]).float()
        top, chosen = logits.topk(self.config["num_experts_per_tok"], -1)
        gates = torch.softmax(top, -1).to(x.dtype)
        result = torch.zeros_like(x)
        for expert in range(self.config["num_local_experts"]):
            tokens, place = (chosen == expert).nonzero(as_tuple=True)
            if len(tokens) == 0:
                continue
            gate, up = functional.linear(x[tokens], self.weights[name + ".input_linear.weight"][expert]).chunk(2, -1)
            y = functional.linear(functional.silu(gate) * up, self.weights[name + ".output_linear.weight"][expert])
            result.index_add_(0, tokens, y * gates[tokens, place, None])
        return result

    def run(self):
        scale = self.config["residual_multiplier"]
        x = self.weights["embed_tokens.weight"][self.ids] * self.config["embedding_multiplier"]
        for layer in range(self.config["num_hidden_layers"]):
            name = f"layers.{layer}."
            x = x + self.attention(self.norm(x, name + "input_layernorm"), name + "self_attn") * scale
            x = x + self.experts(self.norm(x, name + "post_attention_layernorm"), name + "block_sparse_moe") * scale
        last = self.norm(x[-1:], "norm")
        return functional.linear(last, self.weights["embed_tokens.weight"])[0] / self.config["logits_scaling"]
