"""llama.cpp on decoders, through llama-cpp-python's plain bindings of its C interface: greedy, the best token taken
from the logits in place. Many streams are one batch, its parallel decoding.

The GGUF files are written here: llama.cpp's own converter is in no package. They hold no vocabulary; ids go in and out.
"""

import ctypes
import json
import os
import sys

import llama_cpp as ll
import numpy as np

from peers import tokens

ERROR = 4  # ggml_log_level
QUANTIZED = {"int8": ll.LLAMA_FTYPE_MOSTLY_Q8_0, "int4": ll.LLAMA_FTYPE_MOSTLY_Q4_0}


@ll.llama_log_callback
def _errors_only(level, text, data):
    if level == ERROR:
        sys.stderr.write(text.decode(errors="replace"))


ll.llama_log_set(_errors_only, ctypes.c_void_p(0))


class Peer:
    VERSION = "1"

    @staticmethod
    def prepare(folder, precision, place):
        path = os.path.join(place, "model.gguf")
        whole = path + ".whole" if precision in QUANTIZED else path
        _write_gguf(folder, whole)
        if precision in QUANTIZED:
            params = ll.llama_model_quantize_default_params()
            params.ftype = QUANTIZED[precision]
            if ll.llama_model_quantize(whole.encode(), path.encode(), ctypes.byref(params)):
                raise RuntimeError("llama_model_quantize refuses the model")
            os.remove(whole)
        tokens.save(folder, place)

    def __init__(self, place, precision, threads):
        ll.llama_backend_init()
        self.model = ll.llama_model_load_from_file(
            os.path.join(place, "model.gguf").encode(), ll.llama_model_default_params())
        if not self.model:
            raise RuntimeError("llama.cpp cannot load the GGUF file")
        self.n_vocab = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(self.model))
        self.threads, self.sizes, self.context = threads, None, None
        self.tokenizer = tokens.load(place)

    def version(self):
        return f"llama.cpp (llama-cpp-python {ll.__version__})"

    def prepared(self, streams, n_tokens):
        """An empty context for so many streams of so many tokens."""
        if (streams, n_tokens) != self.sizes:
            if self.context:
                ll.llama_free(self.context)
                ll.llama_batch_free(self.batch)
            params = ll.llama_context_default_params()
            params.n_ctx = params.n_batch = streams * n_tokens
            params.n_seq_max, params.n_threads, params.n_threads_batch = streams, self.threads, self.threads
            self.context = ll.llama_init_from_model(self.model, params)
            self.batch = ll.llama_batch_init(params.n_batch, 0, 1)
            self.sizes = streams, n_tokens
        ll.llama_memory_clear(ll.llama_get_memory(self.context), True)

    def decode(self, rows):
        """rows: (id, position, stream, whether its logits are wanted). The best next tokens, in the order of rows."""
        self.batch.n_tokens = len(rows)
        for i, (token, position, stream, wanted) in enumerate(rows):
            self.batch.token[i], self.batch.pos[i], self.batch.logits[i] = token, position, wanted
            self.batch.n_seq_id[i], self.batch.seq_id[i][0] = 1, stream
        if ll.llama_decode(self.context, self.batch):
            raise RuntimeError("llama_decode fails")
        logits = (ll.llama_get_logits_ith(self.context, i) for i, row in enumerate(rows) if row[3])
        return [int(np.ctypeslib.as_array(at, (self.n_vocab,)).argmax()) for at in logits]

    def run(self, work):
        return getattr(self, work["kind"])(work)

    def generate(self, work):
        ids, streams = self.tokenizer.encode(work["inputs"][0]).ids, work.get("streams", 1)
        self.prepared(streams, -(-(len(ids) + work["new_tokens"]) // 256) * 256)  # llama.cpp rounds up to 256 too
        best = self.decode([(token, at, stream, at == len(ids) - 1) for stream in range(streams)
                            for at, token in enumerate(ids)])
        made = [[token] for token in best]
        for step in range(1, work["new_tokens"]):
            best = self.decode([(token, len(ids) + step - 1, stream, True) for stream, token in enumerate(best)])
            for list_, token in zip(made, best):
                list_.append(token)
        return [self.tokenizer.decode(list_) for list_ in made]


# ---- GGUF ----------------------------------------------------------------------------------------

def _write_gguf(folder, path):
    import gguf
    from safetensors import safe_open

    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    family = config["model_type"]
    arch = {"gpt2": gguf.MODEL_ARCH.GPT2, "qwen2": gguf.MODEL_ARCH.QWEN2}[family]
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[arch])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    {"gpt2": _gpt2, "qwen2": _qwen2}[family](writer, config)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    names = gguf.get_tensor_name_map(arch, config["n_layer" if family == "gpt2" else "num_hidden_layers"])
    with safe_open(os.path.join(folder, "model.safetensors"), "np") as weights:
        for name in weights.keys():
            array = weights.get_tensor(name)
            turned = family == "gpt2" and array.ndim == 2 and ".h." in f".{name}"  # Conv1D's [in, out]
            writer.add_tensor(names.get_name(name, (".weight", ".bias")), np.ascontiguousarray(array.T) if turned else array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _gpt2(writer, config):
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])


def _qwen2(writer, config):
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
