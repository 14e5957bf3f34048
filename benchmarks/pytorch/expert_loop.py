"""A mixture-of-experts layer of the library as a loop over experts, named "loop/gelu/FILE".

The file holds the layer's weights, an input and what the library makes of it. With gelu "tanh", the library's, the same must come out
here; "none" is PyTorch's default, by erf, another function.
"""

import torch
import torch.nn.functional as functional

from safetensors_file import read_safetensors

TOLERANCE = 1e-5


def create(name):
    """A forward pass without gradients."""
    _, gelu, path = name.split("/", 2)
    tensors = read_safetensors(path)
    x, expected = tensors["input"], tensors["output"]
    router, w1, b1, w2, b2 = (tensors["moe." + part] for part in ("router.weight", "experts.w1", "experts.b1", "experts.w2", "experts.b2"))
    k = int(tensors["expertsPerToken"])

    def run():
        weights, chosen = torch.softmax(x @ router, -1).topk(k, -1)
        return run_experts(x, weights / weights.sum(-1, keepdim=True), chosen, w1, b1, w2, b2, gelu)

    if gelu == "tanh":
        difference = float((run() - expected).abs().max() / expected.abs().max())
        if not difference <= TOLERANCE:
            raise ValueError(f"The layer gives other values in PyTorch, by {difference:.1e} of the largest.")
    return run


def run_experts(x, weights, chosen, w1, b1, w2, b2, gelu="tanh"):
    """A loop over experts that gathers each one's tokens; weights and chosen are those of each token's experts."""
    result = torch.zeros_like(x)
    for expert in range(len(w1)):
        rows, rank = torch.where(chosen == expert)
        hidden_rows = functional.gelu(torch.addmm(b1[expert], x[rows], w1[expert]), approximate=gelu)
        out = torch.addmm(b2[expert], hidden_rows, w2[expert])
        result.index_add_(0, rows, out * weights[rows, rank, None])
    return result
