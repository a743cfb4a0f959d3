"""CTranslate2: encoder-decoders with beams, decoders, encoders; its own converter for transformers' models."""

import os

import ctranslate2
import numpy as np

from peers import tokens

COMPUTE = {"fp32": "float32", "int8": "int8"}


class Peer:
    VERSION = "1"

    @staticmethod
    def prepare(folder, precision, place):
        converter = ctranslate2.converters.TransformersConverter(folder)
        converter.convert(place, quantization=COMPUTE[precision], force=True)
        tokens.save(folder, place)
        _save_head(folder, place)

    def __init__(self, place, precision, threads):
        self.options = {"device": "cpu", "compute_type": COMPUTE[precision], "intra_threads": threads, "inter_threads": 1}
        self.place, self.model = place, None
        self.tokenizer = tokens.load(place)
        self.head = _head(place)

    def version(self):
        return f"CTranslate2 {ctranslate2.__version__}"

    def run(self, work):
        if self.model is None:
            kind = {"generate": ctranslate2.Generator, "translate": ctranslate2.Translator}
            self.model = kind.get(work["kind"], ctranslate2.Encoder)(self.place, **self.options)
        return getattr(self, work["kind"])(work)

    def generate(self, work):
        pieces = [self.tokenizer.encode(text).tokens for text in work["inputs"]]
        results = self.model.generate_batch(
            pieces * work.get("streams", 1), min_length=work["new_tokens"], max_length=work["new_tokens"], beam_size=1,
            sampling_topk=1, include_prompt_in_result=False)
        return [self.tokenizer.decode(r.sequences_ids[0]) for r in results]

    def translate(self, work):
        pieces = [self.tokenizer.encode(text).tokens for text in work["inputs"]]
        new = work["new_tokens"]
        results = self.model.translate_batch(pieces, beam_size=work["parameters"]["num_beams"], min_decoding_length=new,
                                             max_decoding_length=new)
        return [self.tokenizer.decode([self.tokenizer.token_to_id(t) for t in r.hypotheses[0]]) for r in results]

    def hidden(self, work):
        encodings = self.tokenizer.encode_batch(work["inputs"])
        return self.model.forward_batch([e.ids for e in encodings]), [len(e.ids) for e in encodings]

    def embed(self, work):
        out, lengths = self.hidden(work)
        rows = np.array(out.last_hidden_state)
        mean = np.stack([row[:n].mean(axis=0) for row, n in zip(rows, lengths)])
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).tolist()

    def classify(self, work):
        out, _ = self.hidden(work)
        weights, activation = self.head
        x = np.array(out.last_hidden_state)[:, 0] @ weights["inner.weight"].T + weights["inner.bias"]
        logits = activation(x) @ weights["outer.weight"].T + weights["outer.bias"]
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (e / e.sum(axis=1, keepdims=True)).tolist()


# ---- classifying heads, which CTranslate2 leaves out: two layers on the first token ----
HEADS = {"bert.pooler.dense": np.tanh, "pre_classifier": lambda x: np.maximum(x, 0)}  # the inner one, what follows it


def _save_head(folder, place):
    from safetensors import safe_open

    with safe_open(os.path.join(folder, "model.safetensors"), "np") as weights:
        for inner in HEADS:
            if f"{inner}.weight" in weights.keys() and "classifier.weight" in weights.keys():
                parts = {"inner": inner, "outer": "classifier"}
                arrays = {f"{part}.{of}": weights.get_tensor(f"{name}.{of}")
                          for part, name in parts.items() for of in ("weight", "bias")}
                np.savez(os.path.join(place, f"{inner}.npz"), **arrays)


def _head(place):
    """(weights, activation) or None."""
    for inner, activation in HEADS.items():
        path = os.path.join(place, f"{inner}.npz")
        if os.path.exists(path):
            return dict(np.load(path)), activation
    return None
