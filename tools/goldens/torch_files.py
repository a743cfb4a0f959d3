#!/usr/bin/env python3
"""Makes tests/golden/torch: small files of torch.save in all its layouts, and what stands in them.

expected.json: for each file either {"tensors": {name: [dtype, shape, bytes in hexadecimal]}} as
torch.load(weights_only=True) reads them, or {"error": words that the refusal must have}. Files of
torch's first layout, a tar archive, are written by hand here: no torch of today can. The same bytes
on every run. Run from the repository root; --check makes them elsewhere and compares.
"""
import collections
import io
import json
import os
import pathlib
import pickle
import shutil
import struct
import sys
import tarfile
import warnings
import zipfile

import torch
from torch import nn

import fresh

OUT = pathlib.Path("tests/golden/torch")
NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
         "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8",
         "bool": "BOOL", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0"}
MAGIC = 0x1950A86A20F9469CFC6C
expected = {}


# ---- writing -----------------------------------------------------------------------------------

class Numbers(type):
    def __instancecheck__(cls, value):
        return isinstance(value, str)


class Numbered(metaclass=Numbers):
    """Stands in for `str` in torch.serialization: storage keys are addresses, here they are numbered
    in the order of their first use, so that files are the same on every run."""
    seen = {}

    def __new__(cls, value):
        return f"{1000 + cls.seen.setdefault(value, len(cls.seen))}" if isinstance(value, int) else str(value)


def save_row(value, path, **options):
    Numbered.seen.clear()
    torch.serialization.str = Numbered
    try:
        torch.save(value, path, _use_new_zipfile_serialization=False, **options)
    finally:
        del torch.serialization.str


def tensors_of(state):
    rows = {}
    for name, value in state.items():
        if isinstance(value, torch.Tensor) and isinstance(name, str):
            flat = value.detach().contiguous().flatten()
            rows[name] = [NAMES[str(value.dtype).removeprefix("torch.")], list(value.shape),
                          bytes(flat.view(torch.uint8).tolist()).hex() if flat.numel() else ""]
    return rows


def take(name, state=None):
    """Writes down what the file holds: as torch reads it, or `state` where torch refuses the layout."""
    if state is None:
        state = torch.load(OUT / name, weights_only=True, map_location="cpu")
    expected[name] = {"tensors": tensors_of(state)}


def refuse(name, words):
    expected[name] = {"error": words}


# ---- state dictionaries ------------------------------------------------------------------------

def numbers(*shape, dtype=torch.float32):
    n = 1
    for size in shape:
        n *= size
    return (torch.arange(n, dtype=torch.float64) * 0.75 - 2).reshape(shape).to(dtype)


def plain():
    module = nn.Sequential(collections.OrderedDict(a=nn.Linear(3, 2), norm=nn.BatchNorm1d(2)))
    state = module.state_dict()  # an OrderedDict with _metadata
    for name in state:
        state[name] = numbers(*state[name].shape, dtype=state[name].dtype)
    return state


def types():
    state = {}
    for name in NAMES:
        dtype = getattr(torch, name)
        if name == "bool":
            state[name] = torch.tensor([True, False, True])
        elif name == "float8_e8m0fnu":
            state[name] = torch.tensor([1, 127, 200], dtype=torch.uint8).view(dtype)
        elif name.startswith("u"):
            state[name] = torch.tensor([0, 1, 2 ** (8 * torch.empty(0, dtype=dtype).element_size() - 1) - 1]).to(dtype)
        else:
            state[name] = numbers(2, 2, dtype=torch.float32).to(dtype)
    return state


def shared():
    whole = numbers(4, 6)
    cube = numbers(2, 3, 4)
    return {
        "whole": whole, "tied": whole, "row": whole[1], "rows": whole[1:3], "transposed": whole.t(),
        "columns": whole[:, 2:5], "step": whole[::2, ::3], "element": whole[3, 5], "permuted": cube.permute(2, 0, 1),
        "half.t": whole.half().t(), "expanded": numbers(3, 1).expand(3, 5), "expanded.scalar": torch.tensor(7.5).expand(2, 2),
        "one": numbers(1, 5).t(), "window": torch.as_strided(numbers(6), (4, 3), (1, 1)), "bytes.t": torch.arange(
            6, dtype=torch.uint8).reshape(2, 3).t(), "doubles.t": numbers(2, 3, dtype=torch.float64).t(),
    }


def odd():
    weight = nn.Parameter(numbers(2, 2))
    noted = nn.Parameter(numbers(3), requires_grad=False)
    noted.note = "attributes go through _rebuild_parameter_with_state"
    tagged = numbers(2)
    tagged.tag = ["through _rebuild_from_type_v2"]
    return {
        "weight": weight, "noted": noted, "tagged": tagged, "scalar": torch.tensor(3.5), "empty": torch.empty(0),
        "empty.shape": torch.empty(2, 0, 3), "deep": numbers(1, 1, 1, 1, 2, 1, 1, 1), "module.name.\u00e9": numbers(1),
        "": numbers(1), 7: numbers(2), "epoch": 12, "none": None, "text": "some", "rate": 1e-4, "yes": True,
        "large": 2 ** 70, "small": -(2 ** 40), "list": [numbers(2), [1, [2]]], "nested": {"inner": numbers(2)},
        "size": torch.Size([2, 3]), "device": torch.device("cpu"), "dtype": torch.float16, "layout": torch.strided,
        "set": {1, 2}, "bytes": b"\x00\xff", "array": bytearray(b"ab"), "complex": 1 + 2j,
        "counter": collections.Counter("aab"), "loop": None,
    }


# ---- files -------------------------------------------------------------------------------------

def zip_files():
    for name, state in {"zip-plain": plain(), "zip-types": types(), "zip-shared": shared(), "zip-odd": odd()}.items():
        torch.save(state, OUT / f"{name}.bin")
        take(f"{name}.bin")
    for protocol in (3, 4, 5):  # torch reads what these write only without weights_only
        name = f"zip-protocol-{protocol}.bin"
        torch.save(odd(), OUT / name, pickle_protocol=protocol)
        take(name, torch.load(OUT / name, weights_only=False))


def rezip(source, name, change=None, drop=(), method=zipfile.ZIP_STORED, comment=b"", add=()):
    """The archive written again by another program: without zip64 records, changed."""
    with zipfile.ZipFile(OUT / source) as old, zipfile.ZipFile(OUT / name, "w") as new:
        entries = [(i.filename, old.read(i)) for i in old.infolist()] + list(add)
        for path, data in entries:
            inner = path.partition("/")[2]
            if inner not in drop:
                info = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
                info.compress_type = method if inner == "data/0" else zipfile.ZIP_STORED
                new.writestr(info, (change or {}).get(inner, data))
        new.comment = comment


def other_zips():
    torch.save({"a": numbers(4), "b": numbers(2)}, OUT / "small.bin")
    take("small.bin")
    rezip("small.bin", "zip-32.bin", comment=b"with a comment PK\5\6 in it", drop=(".data/serialization_id",))
    take("zip-32.bin")
    rezip("small.bin", "zip-no-byteorder.bin", drop=("byteorder",))
    take("zip-no-byteorder.bin")
    for name, words, options in [
        ("zip-deflated", 'entry "small/data/0" is compressed (method 8)', {"method": zipfile.ZIP_DEFLATED}),
        ("zip-big-endian", 'byte order "big"', {"change": {"byteorder": b"big"}}),
        ("zip-no-data", '"data/0", which the archive does not hold', {"drop": ("data/0",)}),
        ("zip-no-pickle", "without small/data.pkl", {"drop": ("data.pkl",)}),
        ("zip-short-data", '"data/1" has 2 elements of float32, its 7 bytes', {"change": {"data/1": b"1234567"}}),
        ("zip-script", "is a TorchScript program", {"add": [("small/constants.pkl", b"\x80\2).")]}),
    ]:
        rezip("small.bin", f"{name}.bin", **options)
        refuse(f"{name}.bin", words)


def row_files():
    old = {k: v for k, v in types().items() if k not in ("uint16", "uint32", "uint64") and "float8" not in k}
    for name, state in {"row-plain": plain(), "row-types": old, "row-shared": shared(), "row-odd": odd()}.items():
        save_row(state, OUT / f"{name}.bin")
        take(f"{name}.bin")
    save_row(plain(), OUT / "row-protocol-4.bin", pickle_protocol=4)
    take("row-protocol-4.bin", torch.load(OUT / "row-protocol-4.bin", weights_only=False))


class Stored:
    """What a pickle says of a storage: its persistent id."""
    def __init__(self, *pid):
        self.pid = pid


class Rebuilt:
    """A tensor as a call of a function of torch._utils."""
    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def pickled(value):
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value.pid if isinstance(value, Stored) else None
    out = io.BytesIO()
    Pickler(out, protocol=2).dump(value)
    return out.getvalue()


def raw(tensor):
    return struct.pack("<q", tensor.numel()) + bytes(tensor.contiguous().flatten().view(torch.uint8).tolist())


def row_by_hand(name, state, storages):
    parts = [pickled(MAGIC), pickled(1001), pickled({"little_endian": True}), pickled(state), pickled(sorted(storages))]
    (OUT / name).write_bytes(b"".join(parts) + b"".join(raw(storages[key]) for key in sorted(storages)))


def row_views():
    """Views of storages and tensors without _v2: as torch 0.2 wrote them."""
    whole = numbers(12)
    view = Stored("storage", torch.FloatStorage, "5", "cuda:0", 12, ("6", 4, 6))
    all_of_it = Stored("storage", torch.FloatStorage, "5", "cpu", 12, None)
    rebuild = torch._utils._rebuild_tensor
    state = collections.OrderedDict(
        view=Rebuilt(rebuild, view, 1, (2, 2), (2, 1)), whole=Rebuilt(rebuild, all_of_it, 0, (12,), (1,)),
        transposed=Rebuilt(rebuild, view, 0, (3, 2), (1, 3)))
    row_by_hand("row-views.bin", state, {"5": whole})
    take("row-views.bin")


def tar_file():
    """Torch 0.1: storages, tensors and the pickle are files of a tar archive; keys are addresses."""
    a, b = numbers(6), numbers(4, dtype=torch.float64)
    whole, halves = 140001, 140002
    storages = pickled(2)
    storages += pickled((whole, "cpu", torch.FloatStorage)) + raw(a)
    storages += pickled((2 ** 33 + 5, "cpu", torch.DoubleStorage)) + raw(b)
    storages += pickled([(halves, whole, 2, 4)])
    rows = [(1, whole, torch.FloatTensor, (2, 3), (3, 1), 0), (2, halves, torch.FloatTensor, (2, 2), (1, 2), 0),
            (3, 2 ** 33 + 5, torch.DoubleTensor, (3,), (1,), 1)]
    tensors = pickled(len(rows))
    for key, storage, kind, sizes, strides, offset in rows:
        tensors += pickled((key, storage, kind)) + struct.pack("<ii", len(sizes), 0)
        tensors += struct.pack(f"<{len(sizes)}q", *sizes) + struct.pack(f"<{len(sizes)}q", *strides) + struct.pack("<q", offset)
    state = collections.OrderedDict([("a", Stored_key(1)), ("halves.t", Stored_key(2)), ("b", Stored_key("3"))])
    info = {"protocol_version": 1000, "little_endian": True}
    with tarfile.open(OUT / "tar.bin", "w:", format=tarfile.PAX_FORMAT) as tar:
        for name, data in [("sys_info", pickled(info)), ("pickle", pickled(state)), ("tensors", tensors), ("storages", storages)]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), 1.5  # a fraction of a second makes a pax header
            tar.addfile(entry, io.BytesIO(data))
    take("tar.bin", {"a": a.reshape(2, 3), "halves.t": a[2:6].reshape(2, 2).t(), "b": b[1:]})


def Stored_key(key):
    stored = Stored()
    stored.pid = key
    return stored


def sharded():
    folder = OUT / "sharded"
    folder.mkdir()
    state = plain()
    names = list(state)
    files = {f"pytorch_model-0000{i + 1}-of-00002.bin": names[i::2] for i in range(2)}
    for file, held in files.items():
        torch.save({name: state[name].clone() for name in held}, folder / file)
    index = {"metadata": {"total_size": 0}, "weight_map": {name: file for file, held in files.items() for name in held}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    expected["sharded"] = {"tensors": tensors_of(state)}


class Evil:
    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def refused():
    def save(name, value, words, **options):
        torch.save(value, OUT / f"{name}.bin", **options)
        refuse(f"{name}.bin", words)

    save("evil-system", {"a": numbers(1), "b": Evil(os.system, "true")}, "refers to posix.system: only tensors are read")
    save("evil-protocol-4", Evil(eval, "1"), "refers to builtins.eval: only tensors are read", pickle_protocol=4)
    save("module", nn.Identity(), "refers to torch.nn.modules.linear.Identity: only tensors are read")
    save("quantized", {"q": torch.quantize_per_tensor(numbers(2), 0.1, 0, torch.qint8)}, 'tensor "q" is quantized')
    save("complex", {"c": torch.zeros(2, dtype=torch.complex64)}, 'tensor "c": dtype torch.complex64 is not read')
    save("negated", {"n": torch.view_as_complex(numbers(2, 2)).conj().imag}, 'tensor "n" is a negated')
    save("sparse", {"s": numbers(2, 2).to_sparse()}, 'tensor "s" is sparse')
    save("meta", {"m": torch.empty(2, device="meta")}, 'tensor "m" is on the meta device')
    save("nine", {"d": numbers(1, 1, 1, 1, 1, 1, 1, 1, 1)}, 'tensor "d" has more dimensions than are read')
    save("nested", {"state_dict": plain(), "epoch": 3}, 'holds no tensors but a dictionary "state_dict"')
    save("tensor", numbers(2), "holds an object, must be a dictionary of tensors")
    save("list", [numbers(2)], "holds a list, must be a dictionary of tensors")
    save("expanded", {"e": torch.zeros(1).expand(4096, 4096)}, 'tensor "e": its tensors unpack to more than')
    (OUT / "plain-pickle.bin").write_bytes(pickle.dumps({"a": [1.0]}, protocol=2))
    refuse("plain-pickle.bin", "is a pickle, but not one of torch.save")
    (OUT / "dump.bin").write_bytes(pickle.dumps({"a": Evil(os.system, "true")}, protocol=2))
    refuse("dump.bin", "refers to posix.system: only tensors are read")


def make():
    OUT.mkdir(parents=True)
    expected.clear()
    zip_files()
    other_zips()
    row_files()
    row_views()
    tar_file()
    sharded()
    refused()
    lines = []
    for name, row in sorted(expected.items()):
        inner = json.dumps(row, ensure_ascii=False).replace('], "', '],\n   "')
        lines.append(f" {json.dumps(name)}: {inner}")
    (OUT / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def make_below(folder):
    global OUT
    OUT = folder
    shutil.rmtree(OUT, ignore_errors=True)
    make()


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    fresh.make_or_check("--check" in sys.argv, make_below, OUT)


main()
