"""The library's files of tensors, and published ones."""

import glob
import json
import os

import numpy
import torch

# What numpy has for a type, and what torch makes of it.
TYPES = {"F32": (numpy.float32, torch.float32), "BF16": (numpy.int16, torch.bfloat16)}


def read_safetensors(path):
    """Tensors by name: a header of JSON behind its length, then the values."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    content = numpy.memmap(path, numpy.uint8, "r", 8 + length)
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        stored, dtype = TYPES[entry["dtype"]]
        tensors[name] = torch.from_numpy(content[start:end].copy().view(stored)).view(dtype).reshape(entry["shape"])
    return tensors


def read_folder(folder):
    """Tensors of all files of a folder."""
    tensors = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
        tensors.update(read_safetensors(path))
    return tensors
