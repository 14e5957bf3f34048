"""The library's files of tensors."""

import json

import numpy
import torch


def read_safetensors(path):
    """Tensors by name: a header of JSON behind its length, then the values."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        content = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        tensors[name] = torch.from_numpy(numpy.frombuffer(content[start:end], numpy.float32).copy()).reshape(entry["shape"])
    return tensors
