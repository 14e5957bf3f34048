"""AdamW as fast as the version of PyTorch has it."""

import torch


def adamw(parameters, **settings):
    """In one pass over the memory where that runs, on GPUs since PyTorch 2.0 and on the processor since 2.4."""
    parameters = list(parameters)
    try:
        return torch.optim.AdamW(parameters, fused=True, **settings)
    except (RuntimeError, TypeError):
        return torch.optim.AdamW(parameters, **settings)
