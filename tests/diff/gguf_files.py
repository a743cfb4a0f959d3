#!/usr/bin/env python3
"""Brisk on GGUF files against what they were made from.

    tests/diff/gguf_files.py path/to/brisk [--count 3000] [--seed 1]

Tokenizers: those of the shared folder (BRISK_SHARED or ../shared; skipped with a word when absent)
are written into GGUF headers as llama.cpp's converter does, and read back: ids and decoded texts
must be those of the original. Weights: a random GPT-2 in every type that is read, against the hidden
states that transformers computes from the same file.
"""
import argparse
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TQDM_DISABLE"] = "1"
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools/goldens"))  # behind: both folders have a tokenizer.py
try:
    import gguf
    import numpy as np
    import tokenizers
    import torch
    import transformers
    from sentencepiece import SentencePieceProcessor
    from transformers.convert_slow_tokenizer import Qwen2Converter
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

from gguf import GGMLQuantizationType as T

import gguf_write
import networks
import vocabulary
from texts import SHARED, strings
from tokenizer import brisk, show

SHARED = pathlib.Path(SHARED)
TYPES = [T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K]
TOLERANCE = 0.002


# ---- tokenizers ---------------------------------------------------------------------------------
def header(path, arch, fill):
    writer = gguf.GGUFWriter(path, arch)
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def types_of(json_file, n, unknown=None):
    """Token types as the converter finds them: control and user-defined ones among the added."""
    types = [gguf.TokenType.NORMAL] * n
    for token in json_file["added_tokens"]:
        types[token["id"]] = gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED
    if unknown is not None:
        types[unknown] = gguf.TokenType.UNKNOWN
    return types


def in_order(json_file):
    vocabulary = dict(json_file["model"]["vocab"]) | {t["content"]: t["id"] for t in json_file["added_tokens"]}
    return gguf_write.ordered(vocabulary)


def roles(writer, tokens, **named):
    for role, token in named.items():
        getattr(writer, f"add_{role}_token_id")(tokens.index(token))


def byte_level(pre, **named):
    def fill(writer, backend, folder):
        data = json.loads(backend.to_str())
        tokens = in_order(data)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre)
        writer.add_token_list(tokens)
        writer.add_token_types(types_of(data, len(tokens)))
        writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]])
        roles(writer, tokens, **named)
        writer.add_add_bos_token(pre == "llama-bpe")
    return fill


def pieces(writer, backend, folder):
    """Of llama's SentencePiece model: scores, no merges."""
    model = SentencePieceProcessor(str(folder / "tokenizer.model"))
    n = model.vocab_size()
    writer.add_tokenizer_model("llama")
    writer.add_token_list([model.id_to_piece(i) for i in range(n)])
    writer.add_token_scores([model.get_score(i) for i in range(n)])
    kind = gguf.TokenType
    writer.add_token_types([kind.UNKNOWN if model.is_unknown(i) else kind.CONTROL if model.is_control(i)
                            else kind.BYTE if model.is_byte(i) else kind.NORMAL for i in range(n)])
    for add, i in ((writer.add_bos_token_id, model.bos_id()), (writer.add_eos_token_id, model.eos_id()),
                   (writer.add_unk_token_id, model.unk_id())):
        add(i)


def word_piece(writer, backend, folder):
    data = json.loads(backend.to_str())
    tokens = gguf_write.ordered(data["model"]["vocab"])
    spelled = [t if t.startswith("[") and t.endswith("]") and len(t) > 2 else
               t[2:] if t.startswith("##") else gguf_write.SPACE + t for t in tokens]
    writer.add_tokenizer_model("bert")
    writer.add_token_list(spelled)
    writer.add_token_types(types_of(data, len(tokens)))
    roles(writer, tokens, unk="[UNK]", bos="[CLS]", sep="[SEP]", pad="[PAD]", mask="[MASK]")


def unigram(bos):
    def fill(writer, backend, folder):
        data = json.loads(backend.to_str())
        vocabulary = data["model"]["vocab"]
        writer.add_tokenizer_model("t5")
        writer.add_token_list([t for t, _ in vocabulary])
        writer.add_token_scores([s for _, s in vocabulary])
        writer.add_token_types(types_of(data, len(vocabulary), data["model"]["unk_id"]))
        normalizer = data["normalizer"] or {}
        charsmap = normalizer.get("precompiled_charsmap")
        if charsmap:
            writer.add_precompiled_charsmap(base64.b64decode(charsmap))
        roles(writer, [t for t, _ in vocabulary], eos="</s>", unk="<unk>", pad="<pad>")
        if bos:
            roles(writer, [t for t, _ in vocabulary], bos="<s>")
        writer.add_add_bos_token(bos)
        writer.add_add_eos_token(True)
    return fill


def as_qwen2(backend):
    """The same vocabulary with Qwen2's normalizer and pre-tokenizer."""
    model = json.loads(backend.to_str())["model"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    return Qwen2Converter(None).converted(model["vocab"], merges)


TOKENIZERS = [
    ("gpt2", "gpt2", byte_level("gpt-2", bos="<|endoftext|>", eos="<|endoftext|>")),
    ("gpt2", "qwen2", byte_level("qwen2", eos="<|endoftext|>"), as_qwen2),
    ("llama3", "llama", byte_level("llama-bpe", bos="<|begin_of_text|>")),
    ("llama2", "llama", pieces),
    ("bert-base-uncased", "bert", word_piece),
    ("bert-base-multilingual-cased", "bert", word_piece),
    ("t5-small", "t5", unigram(False)),
    ("xlm-roberta-base", "bert", unigram(True)),
]


def backend_of(folder):
    """The original; with scores in single precision, as GGUF has them (two readings of a text may tie)."""
    if (folder / "tokenizer.json").exists():
        data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        if "unk_id" in data["model"]:  # Unigram
            data["model"]["vocab"] = [[t, float(np.float32(s))] for t, s in data["model"]["vocab"]]
        return tokenizers.Tokenizer.from_str(json.dumps(data))
    return transformers.AutoTokenizer.from_pretrained(folder).backend_tokenizer




def compare_tokenizer(program, count, seed, name, arch, fill, change=lambda backend: backend):
    folder = SHARED / "tokenizers" / name
    if not folder.exists():
        print(f"skipped: {folder} is not here")
        return 0
    backend = change(backend_of(folder))
    backend.no_truncation()
    backend.no_padding()
    texts = strings(count, seed, [t.content for t in backend.get_added_tokens_decoder().values()][:12])
    wrong = wrong_back = 0
    with tempfile.TemporaryDirectory() as made:
        header(pathlib.Path(made) / "model.gguf", arch, lambda writer: fill(writer, backend, folder))
        got = brisk(program, "tokenize", made, texts)
        known = []
        for text, have in zip(texts, got):
            want = backend.encode(text).ids
            known.append(want)
            if have.get("ids") != want:
                wrong += 1
                if wrong <= 3:
                    show("ids", name, text, want, have.get("ids"))
        for want_ids, have in zip(known, brisk(program, "detokenize", made, known)):
            want = backend.decode(want_ids, skip_special_tokens=True)
            if have != want:
                wrong_back += 1
                if wrong_back <= 3:
                    show("text", name, want_ids, want, have)
    print(f"{name} as {arch} in GGUF: {len(texts)} strings, {wrong} differ; "
          f"{len(known)} decoded, {wrong_back} differ", flush=True)
    return wrong + wrong_back


# ---- weights ------------------------------------------------------------------------------------
def gpt2_of(folder, kind, tokenizer):
    config = transformers.GPT2Config(vocab_size=401, n_positions=48, n_head=4, n_embd=256, n_layer=2, n_inner=512,
                                     bos_token_id=0, eos_token_id=0)
    model = transformers.GPT2LMHeadModel(config)
    networks.fill(model, 3, 0.1)
    model_json = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model_json["merges"]]
    gguf_write.write(folder / "model.gguf", "gpt2", model, lambda name: kind, gguf_write.GPT2,
                     lambda writer: gguf_write.add_tokenizer(writer, tokenizer, "gpt2", "gpt-2",
                                                             gguf_write.ordered(tokenizer.get_vocab()), merges=merges),
                     ("lm_head.weight",))
    return transformers.GPT2Model.from_pretrained(folder, gguf_file="model.gguf", n_positions=48, n_inner=512).eval()


@torch.no_grad()
def compare_weights(program, kind):
    tokenizer = vocabulary.gpt2()
    text = "Clara went to Paris in 1998."
    with tempfile.TemporaryDirectory() as made:
        model = gpt2_of(pathlib.Path(made), kind, tokenizer)
        want = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        run = subprocess.run([program, "run", made, text, "--task", "feature-extraction", "--json", "--precision",
                              "fp32", "--cache-dir", "none"], stdout=subprocess.PIPE, check=True)
        have = torch.tensor(json.loads(run.stdout))
    have = have.reshape(want.shape)
    off = (have - want).abs().max().item() / max(1, want.abs().max().item())
    print(f"GPT-2 of {kind.name}: {want.numel()} numbers, at most {off:.1e} off", flush=True)
    return off > TOLERANCE


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("brisk")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    program = str(pathlib.Path(args.brisk).resolve())
    wrong = sum(compare_weights(program, kind) for kind in TYPES)
    for row in TOKENIZERS:
        wrong += compare_tokenizer(program, args.count, args.seed, *row)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
