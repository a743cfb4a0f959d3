"""Copies of a good golden model, each damaged in one way, and what the server must say of it.

A row: name, a function that damages the folder, words of the error message. They are answered with
status 500, or 404 where a whole part is absent, and the server goes on.
"""
import json
import shutil
import struct

import driver

GOOD = driver.GOLDEN / "bert/multi-label"


def rewrite_json(name, change):
    def damage(folder):
        path = folder / name
        value = json.loads(path.read_text(encoding="utf-8"))
        value = change(value) or value
        path.write_text(json.dumps(value), encoding="utf-8")
    return damage


def config(**changes):
    def change(value):
        for key, new in changes.items():
            if new is None:
                del value[key]
            else:
                value[key] = new
    return rewrite_json("config.json", change)


def write(name, data):
    return lambda folder: (folder / name).write_bytes(data)


def remove(name):
    return lambda folder: (folder / name).unlink()


def read_weights(folder):
    data = (folder / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size]), data[8 + size:]


def write_weights(folder, header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def header(change):
    """Changes the description of the tensors; the numbers stay."""
    def damage(folder):
        head, data = read_weights(folder)
        names = sorted(k for k in head if k != "__metadata__")
        change(head, names)
        write_weights(folder, head, data)
    return damage


def cut(bytes_off):
    def damage(folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-bytes_off])
    return damage


def put(i, key, value):
    """Sets a field of the i-th tensor; value may be a function of the old one."""
    def change(head, names):
        row = head[names[i]]
        row[key] = value(row[key]) if callable(value) else value
    return header(change)


def describe_less(head, names):
    head.pop(next(n for n in names if "query.weight" in n))


def drop_tensor(folder):
    """A whole file that never had the tensor."""
    head, data = read_weights(folder)
    start, end = head.pop(next(n for n in head if "query.weight" in n))["data_offsets"]
    for name, row in head.items():
        if name != "__metadata__" and row["data_offsets"][0] >= end:
            row["data_offsets"] = [offset - (end - start) for offset in row["data_offsets"]]
    write_weights(folder, head, data[:start] + data[end:])


def transpose_tensor(head, names):
    row = head[next(n for n in names if "intermediate.dense.weight" in n)]
    row["shape"].reverse()


def overlap(head, names):
    first, second = sorted((head[n] for n in names), key=lambda row: row["data_offsets"])[:2]
    start, end = second["data_offsets"]
    second["data_offsets"] = [start - 2, end - 2]
    assert first["data_offsets"][1] > start - 2


def torch_file(name, bytes_off=0):
    """A file of tests/golden/torch in place of the weights."""
    def damage(folder):
        (folder / "model.safetensors").unlink()
        data = (driver.GOLDEN / "torch" / f"{name}.bin").read_bytes()
        (folder / "pytorch_model.bin").write_bytes(data[:len(data) - bytes_off])
    return damage


def index(where):
    def damage(folder):
        head, _ = read_weights(folder)
        names = [k for k in head if k != "__metadata__"]
        (folder / "model.safetensors").rename(folder / "weights.safetensors")
        text = json.dumps({"metadata": {}, "weight_map": {n: where for n in names}})
        (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")
    return damage


ABSENT = ("no-weights", "tokenizer-absent")  # 404
ROWS = [
    ("cut-short", cut(100), ["model.safetensors"]),
    ("empty-file", write("model.safetensors", b""), ["model.safetensors"]),
    ("seven-bytes", write("model.safetensors", b"\0" * 7), ["model.safetensors"]),
    ("header-too-long", write("model.safetensors", struct.pack("<Q", 1 << 62) + b"{}"), ["model.safetensors"]),
    ("header-no-json", lambda f: write_weights(f, b'{"a": [', b""), ["model.safetensors"]),
    ("header-no-object", lambda f: write_weights(f, b"[1, 2]", b""), ["model.safetensors"]),
    ("offset-past-end", put(0, "data_offsets", lambda o: [o[0], o[1] + (1 << 40)]), ["model.safetensors"]),
    ("offset-negative", put(0, "data_offsets", lambda o: [-2, o[1]]), ["model.safetensors"]),
    ("offset-backwards", put(0, "data_offsets", lambda o: o[::-1]), ["model.safetensors"]),
    ("offsets-overlap", header(overlap), ["model.safetensors"]),
    ("shape-overflows", put(0, "shape", [1 << 40, 1 << 40]), ["model.safetensors"]),
    ("shape-negative", put(0, "shape", [-1]), ["model.safetensors"]),
    ("shape-of-strings", put(0, "shape", ["4"]), ["model.safetensors"]),
    ("shape-too-small", put(0, "shape", [1]), ["model.safetensors"]),
    ("dtype-unknown", put(0, "dtype", "Q7"), ["model.safetensors"]),
    ("tensor-undescribed", header(describe_less), ["model.safetensors"]),
    ("tensor-missing", drop_tensor, ["query.weight"]),
    ("tensor-transposed", header(transpose_tensor), ["intermediate.dense.weight"]),
    ("no-weights", remove("model.safetensors"), ["weights"]),
    ("pickle-only", lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), ["pytorch_model.bin"]),
    ("pickle-executes", torch_file("evil-system"), ["posix.system", "nothing is executed"]),
    ("pickle-quantized", torch_file("quantized"), ["pytorch_model.bin", "is quantized"]),
    ("pickle-cut", torch_file("zip-plain", 100), ["pytorch_model.bin", "download"]),
    ("shard-missing", index("elsewhere.safetensors"), ["elsewhere.safetensors"]),
    ("shard-outside", index("../../weights.safetensors"), ["weights.safetensors"]),
    ("config-no-json", write("config.json", b'{"model_type": "bert",'), ["config.json"]),
    ("config-no-object", write("config.json", b"[]"), ["config.json"]),
    ("config-no-type", config(model_type=None), ["model_type"]),
    ("config-strange-type", config(model_type="perceptron"), ["perceptron"]),
    ("config-no-hidden-size", config(hidden_size=None), ["hidden_size"]),
    ("config-hidden-text", config(hidden_size="forty"), ["hidden_size"]),
    ("config-hidden-negative", config(hidden_size=-40), ["hidden_size"]),
    ("config-hidden-huge", config(hidden_size=1 << 40), ["hidden_size"]),
    ("config-odd-heads", config(num_attention_heads=7), ["num_attention_heads"]),
    ("config-no-heads", config(num_attention_heads=0), ["num_attention_heads"]),
    ("config-layers-huge", config(num_hidden_layers=1 << 31), ["num_hidden_layers"]),
    ("config-strange-act", config(hidden_act="wobble"), ["wobble"]),
    ("config-other-class", config(architectures=["BertForTea"]), ["BertForTea"]),
    ("tokenizer-no-json", write("tokenizer.json", b'{"model":'), ["tokenizer.json"]),
    ("tokenizer-empty", write("tokenizer.json", b"{}"), ["tokenizer.json"]),
    ("tokenizer-absent", remove("tokenizer.json"), ["tokenizer"]),
    ("tokenizer-strange", rewrite_json("tokenizer.json", lambda t: t | {"model": {"type": "Telepathy"}}),
     ["Telepathy"]),
]


def make_all(root):
    """Folders damaged/<name> under root, one that is no repository, and a good one for nobody's use."""
    for name, damage, _ in ROWS:
        folder = root / "damaged" / name
        shutil.copytree(GOOD, folder)
        damage(folder)
    (root / "damaged/no-repository").mkdir(parents=True)
    shutil.copytree(GOOD, root / "spare/cold")
