#!/usr/bin/env python3
"""Compares the tensors that Brisk finds in files of torch with those that torch finds, to the byte.

    tests/diff/weights.py build/release/tensors [--count 300] [--seed 1]

Three sources: the models of the shared folder that are saved by torch (BRISK_SHARED or ../shared;
skipped with a word when absent); its other models, saved here in each layout and in shards; and
random dictionaries: all dtypes, any strides, shared storages, parameters, values that are no
tensors. Exit status 1 when something differs, 77 when a library is missing.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

try:
    import torch
    from safetensors.torch import load_file
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("BRISK_SHARED", ROOT.parent / "shared"))
NAMES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
         torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint64: "U64",
         torch.uint32: "U32", torch.uint16: "U16", torch.uint8: "U8", torch.bool: "BOOL",
         torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.float8_e8m0fnu: "F8_E8M0"}


# ---- the two sides --------------------------------------------------------------------------

def brisk(program, folders):
    """{folder: {name: (dtype, shape, bytes)} or the text of a refusal}"""
    out = subprocess.run([program, *map(str, folders)], stdout=subprocess.PIPE, check=True).stdout
    found, at = {}, 0

    def line():
        nonlocal at
        end = out.index(b"\n", at)
        text, at = out[at:end].decode(), end + 1
        return text

    for folder in folders:
        kind, _, rest = line().partition(" ")
        if kind == "refused":
            found[folder] = rest
            continue
        found[folder] = {}
        for _ in range(int(rest)):
            name, dtype, shape, size = line().split("\t")
            data, at = out[at:at + int(size)], at + int(size)
            found[folder][json.loads(name)] = (dtype, tuple(map(int, shape.split(","))) if shape else (), data)
    return found


def reference(state):
    rows = {}
    for name, value in state.items():
        if isinstance(value, torch.Tensor):
            flat = value.detach().clone(memory_format=torch.contiguous_format).reshape(-1)
            data = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
            rows[name] = (NAMES[value.dtype], tuple(value.shape), data)
    return rows


def compare(what, want, got):
    """Prints the differences; their number."""
    if isinstance(got, str):
        print(f"differs: {what}: refused: {got}")
        return 1
    wrong = [f"{name!r} {'missing' if name not in got else 'not asked for' if name not in want else 'other'}"
             for name in sorted(set(want) | set(got)) if want.get(name) != got.get(name)]
    for text in wrong[:5]:
        print(f"differs: {what}: {text}")
    return len(wrong)


# ---- files ----------------------------------------------------------------------------------

def load(folder):
    return torch.load(folder / "pytorch_model.bin", weights_only=True, map_location="cpu")


def save(folder, state, old, protocol=2):
    folder.mkdir()
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=not old, pickle_protocol=protocol)
    return folder


def save_shards(folder, state, n):
    folder.mkdir()
    names = list(state)
    weight_map = {}
    for i in range(n):
        file = f"pytorch_model-{i + 1:05}-of-{n:05}.bin"
        torch.save({name: state[name].clone() for name in names[i::n]}, folder / file)
        weight_map |= dict.fromkeys(names[i::n], file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return folder


def models(scratch):
    """(folder, state) of the shared models"""
    folders = sorted(p for p in (SHARED / "models").glob("*") if p.is_dir()) if SHARED.exists() else []
    if not folders:
        print(f"skipped: the models of {SHARED} (absent)")
    for folder in folders:
        if (folder / "pytorch_model.bin").exists():
            yield folder, load(folder)
        elif (folder / "model.safetensors").exists():
            state = load_file(folder / "model.safetensors")
            for old in (False, True):
                yield save(scratch / f"{folder.name}-{'row' if old else 'zip'}", state, old), state
            half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
            yield save(scratch / f"{folder.name}-half", half, False), half
            yield save_shards(scratch / f"{folder.name}-shards", state, 3), state


# ---- random dictionaries -----------------------------------------------------------------------

def base(rng, old):
    dtype = rng.choice([d for d in NAMES if not old or NAMES[d] not in ("U16", "U32", "U64") and "F8" not in NAMES[d]])
    shape = [rng.choice([0, 1, 1, 2, 3, 5]) if rng.random() < 0.2 else rng.randint(1, 5) for _ in range(rng.randint(0, 5))]
    size = torch.empty(0, dtype=dtype).element_size()
    n = 1
    for i in shape:
        n *= i
    data = torch.tensor([rng.randint(0, 1 if dtype is torch.bool else 255) for _ in range(n * size)], dtype=torch.uint8)
    return data.view(dtype).reshape(shape) if n else torch.empty(shape, dtype=dtype)


def view(rng, tensor):
    """A view: part, step, transposition, expansion."""
    for _ in range(rng.randint(0, 3)):
        if tensor.dim() == 0:
            return tensor.expand(rng.randint(1, 4)) if rng.random() < 0.5 else tensor
        d = rng.randrange(tensor.dim())
        kind = rng.randrange(5)
        if kind == 0 and tensor.shape[d]:
            tensor = tensor.select(d, rng.randrange(tensor.shape[d]))
        elif kind == 1:
            begin = rng.randint(0, tensor.shape[d])
            tensor = tensor.narrow(d, begin, rng.randint(0, tensor.shape[d] - begin))
        elif kind == 2:
            tensor = tensor.transpose(d, rng.randrange(tensor.dim()))
        elif kind == 3 and tensor.dim() < 8:
            tensor = tensor.unsqueeze(d).expand(*tensor.shape[:d], rng.randint(1, 3), *tensor.shape[d:])
        elif kind == 4 and tensor.numel():
            tensor = tensor[(slice(None),) * d + (slice(rng.randrange(tensor.shape[d]), None, rng.randint(1, 3)),)]
    return tensor


def state_of(rng, old):
    state = {}
    others = [None, 3, -2 ** 40, 2 ** 80, 1.5, "text", True, (1, (2,)), [1, [2]], {"a": torch.zeros(2)}, {1}, b"\0\xff",
              torch.Size([1, 2]), torch.device("cpu"), torch.float16]
    for _ in range(rng.randint(0, 4)):
        tensor = base(rng, old)
        for _ in range(rng.randint(1, 4)):
            part = view(rng, tensor)
            if part.is_floating_point() and rng.random() < 0.2:
                part = torch.nn.Parameter(part, requires_grad=part.element_size() > 1 and rng.random() < 0.5)
            state[rng.choice(["layer.", "\u00e9", "", "x" * 200]) + str(len(state))] = part
    for _ in range(rng.randint(0, 3)):
        state[f"other.{len(state)}"] = rng.choice(others)
    return state


def dictionaries(scratch, count, seed):
    for i in range(count):
        rng = random.Random(seed * 1000003 + i)
        old = rng.random() < 0.4
        yield save(scratch / f"random-{i}", state_of(rng, old), old)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=300, help="random dictionaries")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    wrong = tensors = files = 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        for where, state in models(scratch):
            want = reference(state)
            wrong += compare(where.name, want, brisk(args.program, [where])[where])
            tensors, files = tensors + len(want), files + 1
        folders = list(dictionaries(scratch, args.count, args.seed))
        for where, got in brisk(args.program, folders).items():
            want = reference(load(where))
            if not want and isinstance(got, str) and "holds no tensors" in got:
                continue  # a dictionary beside no tensors: torch reads it, no model does
            wrong += compare(f"{where.name} of seed {args.seed}", want, got)
            tensors, files = tensors + len(want), files + 1
    print(f"{files} files, {tensors} tensors, {wrong} differences")
    sys.exit(bool(wrong))


main()
