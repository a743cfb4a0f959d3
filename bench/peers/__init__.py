"""Whom Brisk is compared with: a row a peer, a file a peer.

A peer's class has PRECISIONS' names as Brisk calls them, __init__(folder, precision, threads), which loads, run(work),
which gives texts, vectors or probabilities, and version(). Where it needs files of its own, prepare(folder,
precision, place) makes them once, and again when VERSION changes; __init__ then gets `place`. A library that is not
installed raises ImportError, which leaves the peer out.
"""

import importlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    title: str
    file: str  # and the class Peer in it
    precisions: dict  # Brisk's word for it → the peer's
    kinds: tuple  # of workloads
    together: bool = True  # many streams are one batch; else they are taken as one after the other, and one is measured

    def load(self):
        return importlib.import_module(f"peers.{self.file}").Peer


PEERS = {
    "torch": Row("PyTorch", "torch_eager", {"fp32": "fp32"}, ("generate", "translate", "embed", "classify"),
                 together=False),
    "ort": Row("ONNX Runtime", "onnx_runtime", {"fp32": "fp32", "int8": "dynamic int8"}, ("embed", "classify")),
    "llama": Row("llama.cpp", "llama", {"fp32": "F32", "int8": "Q8_0", "int4": "Q4_0"}, ("generate",)),
    "ct2": Row("CTranslate2", "ctranslate", {"fp32": "float32", "int8": "int8"},
               ("generate", "translate", "embed", "classify")),
}


def title(name, precision):
    row = PEERS[name]
    return f"{row.title} {row.precisions[precision]}"
