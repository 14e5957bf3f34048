"""PyTorch's side of the benchmarks.

Reads lines "case threads repeats" and answers each with the seconds of one run, or with "error: " and what is wrong. "why-not way
precision device" is answered as layer.py says. Cases are listed here, and described in causal_mixture.py, expert_loop.py, layer.py,
published_encoder.py, switch_training.py and text_model.py.
"""

import ctypes
import io
import os
import sys
import time

import torch
import torch.nn.functional as functional

import causal_mixture
import expert_loop
import layer
import published_encoder
import switch_training
import text_model

B, S, D, H, V = 32, 64, 256, 4, 65536


def attention():
    qkv = torch.randn(B, S, 3, H, D // H)

    def run():
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-1, -2) * (D // H) ** -0.5, -1)
        return (weights @ v).transpose(1, 2).reshape(B, S, D)

    return run, [qkv]


def layer_norm():
    x, gain, bias = torch.randn(B * S, D), torch.ones(D), torch.zeros(D)
    return lambda: functional.layer_norm(x, (D,), gain, bias), [x, gain, bias]


def embedding():
    table, indices = torch.randn(V, D), torch.randint(0, V, (B * S,))
    return lambda: functional.embedding(indices, table, sparse=True), [table]


def softmax():
    x = torch.randn(B * S, D)
    return lambda: torch.softmax(x, -1), [x]


def forward(operation):
    run, _ = operation()
    return run


def both_passes(operation):
    """Forward and backward; a row that was looked up twice gets one gradient, as in the library."""
    run, inputs = operation()
    for tensor in inputs:
        tensor.requires_grad_()
    outward = torch.randn_like(run())

    def passes():
        with torch.enable_grad():
            gradients = torch.autograd.grad(run(), inputs, outward)
        return [gradient.coalesce() if gradient.is_sparse else gradient for gradient in gradients]

    return passes


def adamw():
    weight = torch.nn.Parameter(torch.randn(D, 16 * D))
    weight.grad = torch.randn(D, 16 * D) * 1e-3
    optimizer = torch.optim.AdamW([weight], lr=1e-3)

    def run():
        with torch.enable_grad():
            optimizer.step()

    return run


OPERATIONS = (attention, layer_norm, embedding, softmax)

CASES = {
    **{operation.__name__: lambda o=operation: forward(o) for operation in OPERATIONS},
    **{operation.__name__ + "_backward": lambda o=operation: both_passes(o) for operation in OPERATIONS},
    "adamw": adamw,
}


def blas_libraries():
    """Paths of the BLAS libraries in use, where the system tells."""
    with open("/proc/self/maps") if os.path.exists("/proc/self/maps") else io.StringIO() as maps:
        return {line.split()[-1] for line in maps if "blas" in line}


def version():
    """PyTorch's version; says so where its products are those of the BLAS that only defines the others, which would flatter us."""
    is_untuned = any("/blas/libblas.so" in path for path in blas_libraries())
    return f"PyTorch {torch.__version__}" + (" on untuned libblas3" if is_untuned else "")


def set_threads(threads):
    """Limits PyTorch and the OpenBLAS under it, which a build with threads of its own takes no limit from PyTorch for."""
    torch.set_num_threads(threads)
    for path in blas_libraries():
        limit = getattr(ctypes.CDLL(path), "openblas_set_num_threads", None)
        if limit is not None:
            limit(threads)


def seconds(prepared, name, threads, repeats):
    set_threads(int(threads))
    if name not in prepared:
        # One layer or model at a time: large ones fill a device.
        for other in [other for other in prepared if other.startswith(("layer/", "loop/", "causal/", "switch/"))]:
            del prepared[other]
        layer.release_unused()
        prepared[name] = create(name)
    run = prepared[name]
    if int(repeats) > 1:
        run()
    start = time.perf_counter()
    for _ in range(int(repeats)):
        run()
    return (time.perf_counter() - start) / int(repeats)


def create(name):
    if name.startswith("layer/"):
        return layer.create(name)
    if name.startswith("loop/"):
        return expert_loop.create(name)
    if name.startswith("encoder/"):
        return published_encoder.create(name)
    if name.startswith("switch/"):
        return switch_training.create(name)
    if name.startswith("causal/"):
        return causal_mixture.create(name)
    return text_model.create(name) if name.startswith("text/") else CASES[name]()


def answer(prepared, line):
    words = line.split()
    if words[0] == "why-not":
        return layer.why_not(*words[1:])
    return seconds(prepared, *line.rsplit(maxsplit=2))


def main():
    torch.manual_seed(1)
    torch.set_grad_enabled(False)
    # As in the library: products of single precision are that.
    torch.backends.cuda.matmul.allow_tf32 = False
    print(version(), flush=True)
    prepared = {}
    for line in sys.stdin:
        try:
            text = answer(prepared, line)
        except Exception as error:  # such as memory that ran out, or a device that is not there
            prepared.clear()
            text = "error: " + (str(error).strip().split("\n")[0] or type(error).__name__)
        if not prepared:
            layer.release_unused()
        print(text, flush=True)


main()
