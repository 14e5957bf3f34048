"""A mixture-of-experts layer with SwiGLU experts in PyTorch, named "layer/way/pass/precision/tokens/width/hidden/experts/k/device".

As in the library, weights, router and the sum by token are in single precision in any case; in "bf16" the factors of the experts'
products are rounded to bfloat16 in every pass, and a forward pass is that of a training step, which keeps what a backward pass needs.
"""

import torch
import torch.nn.functional as functional

from optimizer import adamw

GROUPED_PRODUCT = getattr(functional, "grouped_mm", None) or getattr(torch, "_grouped_mm", None)
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def why_not(way, precision, device):
    """Why experts cannot be run in a way and a precision on a device; nothing where they can."""
    try:
        run = create(f"layer/{way}/training/{precision}/32/16/16/2/1/{device}")
        run()
    except Exception as error:
        return str(error).strip().split("\n")[0] or type(error).__name__
    return ""


def release_unused():
    """Gives back device memory that nothing uses any more."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def create(name):
    """A run of the layer that ends when the device has done it."""
    _, way, mode, precision, *sizes, device = name.split("/")
    tokens, width, hidden, experts, k = map(int, sizes)
    dtype = PRECISIONS[precision]
    training = mode == "training"
    keeps = training or dtype != torch.float32
    x = torch.randn(tokens, width, device=device).requires_grad_(keeps)
    targets = torch.zeros(tokens, dtype=torch.long, device=device)

    def weight(*shape):
        return (torch.randn(*shape, device=device) * shape[-2] ** -0.5).requires_grad_(keeps)

    router = weight(width, experts)
    if way == "loop":
        # A weight an expert: gradients of slices of one weight would each be as large as all of it.
        w1, gate = ([weight(width, hidden) for _ in range(experts)] for _ in range(2))
        w2 = [weight(hidden, width) for _ in range(experts)]
        weights = [router, *w1, *gate, *w2]
        run_experts = loop
    else:
        if GROUPED_PRODUCT is None:
            raise NotImplementedError(f"PyTorch {torch.__version__} has none.")
        w1, gate, w2 = weight(experts, width, hidden), weight(experts, width, hidden), weight(experts, hidden, width)
        weights = [router, w1, gate, w2]
        run_experts = grouped

    def rounded(weight):
        return [part.to(dtype) for part in weight] if isinstance(weight, list) else weight.to(dtype)

    def forward():
        scores, chosen = torch.softmax(x @ router, -1).topk(k, -1)
        scores = scores / scores.sum(-1, keepdim=True)
        return run_experts(x.to(dtype), scores, chosen, rounded(w1), rounded(gate), rounded(w2))

    optimizer = adamw(weights, lr=1e-4) if training else None

    def step():
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(forward(), targets).backward()
        optimizer.step()

    def run():
        with torch.set_grad_enabled(keeps):
            (step if training else forward)()
        if device != "cpu":
            torch.cuda.synchronize(device)

    return run


def loop(x, scores, chosen, w1, gate, w2):
    """A loop over experts that gathers each one's tokens."""
    result = torch.zeros_like(x, dtype=scores.dtype)
    for expert in range(len(w1)):
        rows, rank = torch.where(chosen == expert)
        own = x[rows]
        out = (functional.silu(own @ w1[expert]) * (own @ gate[expert])) @ w2[expert]
        result = result.index_add_(0, rows, out * scores[rows, rank, None])
    return result


def grouped(x, scores, chosen, w1, gate, w2):
    """One product for all experts, over the tokens sorted by expert."""
    experts = chosen.flatten()
    order = experts.argsort()
    ends = torch.bincount(experts, minlength=len(w1)).cumsum(0).to(torch.int32)
    rows = order // chosen.shape[1]
    own = x[rows]
    inner = functional.silu(GROUPED_PRODUCT(own, w1, offs=ends)) * GROUPED_PRODUCT(own, gate, offs=ends)
    out = GROUPED_PRODUCT(inner, w2, offs=ends) * scores.flatten()[order, None]
    return torch.zeros_like(x, dtype=scores.dtype).index_add_(0, rows, out)
