"""ONNX Runtime on encoders: exported by PyTorch, fused by its own optimizer for transformers (attention, norms, GELU),
and for int8 quantized dynamically."""

import json
import os

import numpy as np
import onnxruntime

from peers import tokens

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Peer:
    VERSION = "1"

    @staticmethod
    def prepare(folder, precision, place):
        from onnx import TensorProto
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.transformers import optimizer

        path = os.path.join(place, "model.onnx")
        raw, whole = path + ".raw", path + ".whole"
        config = _export(folder, raw)
        fused = optimizer.optimize_model(
            raw, "bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size, opt_level=0)
        fused.save_model_to_file(whole if precision == "int8" else path)
        if precision == "int8":
            quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True, reduce_range=_no_vnni(),
                             extra_options={"DefaultTensorType": TensorProto.FLOAT})
            os.remove(whole)
        os.remove(raw)
        tokens.save(folder, place)

    def __init__(self, place, precision, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(os.path.join(place, "model.onnx"), options, ["CPUExecutionProvider"])
        self.names = {i.name for i in self.session.get_inputs()}
        self.tokenizer = tokens.load(place)
        self.tokenizer.enable_padding()

    def version(self):
        return f"ONNX Runtime {onnxruntime.__version__}"

    def run(self, work):
        encodings = self.tokenizer.encode_batch(work["inputs"])
        arrays = (np.array([getattr(e, key) for e in encodings], np.int64) for key in ("ids", "attention_mask", "type_ids"))
        feed = {name: array for name, array in zip(INPUTS, arrays) if name in self.names}
        out = self.session.run(None, feed)[0]
        return getattr(self, work["kind"])(out, feed["attention_mask"])

    def embed(self, hidden, mask):
        mean = np.einsum("nth,nt->nh", hidden, mask.astype(np.float32))  # its length does not count below
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).tolist()

    def classify(self, logits, mask):
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (e / e.sum(axis=1, keepdims=True)).tolist()


def _no_vnni():
    """Without VNNI, products of 8 bits saturate: ONNX Runtime's manual has weights of 7 bits then."""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return "vnni" not in f.read()


def _export(folder, path):
    """The model as ONNX, with free batch and length; its config."""
    import torch
    import transformers

    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        name = json.load(f)["architectures"][0]
    model = getattr(transformers, name).from_pretrained(folder, attn_implementation="eager").eval()
    names = [n for n in INPUTS if n != "token_type_ids" or "distil" not in name.lower()]

    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *inputs):
            return self.model(**dict(zip(names, inputs)))[0]

    example = torch.ones((2, 16), dtype=torch.long)
    torch.onnx.export(Plain(), tuple([example] * len(names)), path, input_names=names, output_names=["out"], dynamo=False,
                      opset_version=17, dynamic_axes={n: {0: "batch", 1: "length"} for n in names} | {"out": {0: "batch"}})
    return model.config
