"""Writes models of transformers as GGUF files, the way llama.cpp's converter lays them out.

The `gguf` package quantizes to the 32-number types only; the K types are quantized here, plainly
(groups are scaled by their extremes, nothing is searched for): the files need to be right, not good.
"""
import re

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

SPACE = "\u2581"


def half(x):
    return x.astype(np.float16).view(np.uint8).reshape(len(x), 2)


def ratio(x, d):
    """x / d, 0 where d is 0."""
    return np.divide(x, d, out=np.zeros_like(x), where=d != 0)


def affine(x, group, levels, scale_levels):
    """x [n, 256] as scale * q - min in groups: halves d and dmin, quantized scales and mins, q."""
    x = x.reshape(len(x), 256 // group, group)
    low = np.minimum(x.min(-1), 0)
    scale, low = (x.max(-1) - low) / levels, -low
    d, dmin = scale.max(-1) / scale_levels, low.max(-1) / scale_levels
    scale_q = np.rint(ratio(scale, np.broadcast_to(d[:, None], scale.shape))).astype(np.uint8)
    min_q = np.rint(ratio(low, np.broadcast_to(dmin[:, None], low.shape))).astype(np.uint8)
    step = (d[:, None] * scale_q)[..., None]
    q = np.rint(ratio(x + (dmin[:, None] * min_q)[..., None], np.broadcast_to(step, x.shape)))
    return half(d), half(dmin), scale_q, min_q, q.clip(0, levels).astype(np.uint8).reshape(len(x), 256)


def symmetric(x, group, below, above, scale_levels):
    """x as scale * q, -below <= q <= above: half d, signed scales, q."""
    x = x.reshape(len(x), 256 // group, group)
    scale = np.abs(x).max(-1) / above
    d = scale.max(-1) / scale_levels
    scale_q = np.rint(ratio(scale, np.broadcast_to(d[:, None], scale.shape))).astype(np.int8)
    step = (d[:, None] * scale_q)[..., None]
    q = np.rint(ratio(x, np.broadcast_to(step, x.shape))).clip(-below, above).astype(np.int8)
    return half(d), scale_q, q.reshape(len(x), 256)


def two_bits(q):
    """Four times 32 numbers in 32 bytes, twice."""
    q = q.reshape(len(q), 2, 4, 32)
    return sum(q[:, :, i] << (2 * i) for i in range(4)).astype(np.uint8).reshape(len(q), 64)


def scales_k4(scale, low):
    """Eight scales and eight mins of 6 bits in 12 bytes."""
    out = np.zeros((len(scale), 12), np.uint8)
    for i in range(4):
        out[:, i] = scale[:, i] | (scale[:, i + 4] >> 4) << 6
        out[:, i + 4] = low[:, i] | (low[:, i + 4] >> 4) << 6
        out[:, i + 8] = (scale[:, i + 4] & 15) | (low[:, i + 4] & 15) << 4
    return out


def q2_k(x):
    d, dmin, scale, low, q = affine(x, 16, 3, 15)
    return np.concatenate([scale | low << 4, two_bits(q), d, dmin], -1)


def q3_k(x):
    d, scale, q = symmetric(x, 16, 4, 3, 31)
    q, scale = (q + 4).astype(np.uint8), (scale + 32).astype(np.uint8)
    high = np.packbits((q >> 2).reshape(len(q), 8, 32), axis=1, bitorder="little").reshape(len(q), 32)
    packed = np.zeros((len(q), 12), np.uint8)
    packed[:, :8] = (scale[:, :8] & 15) | (scale[:, 8:] & 15) << 4
    for i in range(4):
        packed[:, 8:] |= (scale[:, 4 * i:4 * i + 4] >> 4) << (2 * i)
    return np.concatenate([high, two_bits(q & 3), packed, d], -1)


def nibbles(q):
    q = (q & 15).reshape(len(q), 4, 2, 32)
    return (q[:, :, 0] | q[:, :, 1] << 4).reshape(len(q), 128)


def q4_k(x):
    d, dmin, scale, low, q = affine(x, 32, 15, 63)
    return np.concatenate([d, dmin, scales_k4(scale, low), nibbles(q)], -1)


def q5_k(x):
    d, dmin, scale, low, q = affine(x, 32, 31, 63)
    high = np.packbits((q >> 4).reshape(len(q), 8, 32), axis=1, bitorder="little").reshape(len(q), 32)
    return np.concatenate([d, dmin, scales_k4(scale, low), high, nibbles(q)], -1)


def q6_k(x):
    d, scale, q = symmetric(x, 16, 32, 31, 127)
    q = (q + 32).astype(np.uint8)
    low = (q & 15).reshape(len(q), 2, 2, 64)
    low = (low[:, :, 0] | low[:, :, 1] << 4).reshape(len(q), 128)
    return np.concatenate([low, two_bits(q >> 4), scale.view(np.uint8), d], -1)


K_TYPES = {T.Q2_K: q2_k, T.Q3_K: q3_k, T.Q4_K: q4_k, T.Q5_K: q5_k, T.Q6_K: q6_k}


def quantize(x, kind):
    x = np.ascontiguousarray(x, np.float32)
    if kind not in K_TYPES:
        return gguf.quants.quantize(x, kind)
    data = K_TYPES[kind](x.reshape(-1, 256)).astype(np.uint8).reshape(*x.shape[:-1], -1)
    error = np.abs(gguf.quants.dequantize(data, kind) - x).max()
    assert error < 0.35 * np.abs(x).max(), (kind, error)
    return data


# ---- models -------------------------------------------------------------------------------------
GPT2 = [(r"^transformer\.wte", "token_embd"), (r"^transformer\.wpe", "position_embd"),
        (r"^transformer\.ln_f", "output_norm"), (r"^lm_head", "output"),
        (r"^transformer\.h\.(\d+)\.ln_1", r"blk.\1.attn_norm"), (r"^transformer\.h\.(\d+)\.ln_2", r"blk.\1.ffn_norm"),
        (r"^transformer\.h\.(\d+)\.attn\.c_attn", r"blk.\1.attn_qkv"),
        (r"^transformer\.h\.(\d+)\.attn\.c_proj", r"blk.\1.attn_output"),
        (r"^transformer\.h\.(\d+)\.mlp\.c_fc", r"blk.\1.ffn_up"),
        (r"^transformer\.h\.(\d+)\.mlp\.c_proj", r"blk.\1.ffn_down")]
LAYER = r"^(?:bert\.)?encoder\.layer\.(\d+)\."
BERT = [(r"^(?:bert\.)?embeddings\.word_embeddings", "token_embd"),
        (r"^(?:bert\.)?embeddings\.position_embeddings", "position_embd"),
        (r"^(?:bert\.)?embeddings\.token_type_embeddings", "token_types"),
        (r"^(?:bert\.)?embeddings\.LayerNorm", "token_embd_norm"),
        (LAYER + r"attention\.self\.query", r"blk.\1.attn_q"), (LAYER + r"attention\.self\.key", r"blk.\1.attn_k"),
        (LAYER + r"attention\.self\.value", r"blk.\1.attn_v"),
        (LAYER + r"attention\.output\.dense", r"blk.\1.attn_output"),
        (LAYER + r"attention\.output\.LayerNorm", r"blk.\1.attn_output_norm"),
        (LAYER + r"intermediate\.dense", r"blk.\1.ffn_up"), (LAYER + r"output\.dense", r"blk.\1.ffn_down"),
        (LAYER + r"output\.LayerNorm", r"blk.\1.layer_output_norm")]
CONV1D = re.compile(r"(attn_qkv|attn_output|ffn_up|ffn_down)\.weight$")


def renamed(model, patterns):
    """(GGUF name, HF name, array) of all tensors that have a GGUF name."""
    for name, tensor in model.state_dict().items():
        for pattern, new in patterns:
            if re.search(pattern, name) and name.endswith((".weight", ".bias")):
                yield re.sub(pattern, new, name), name, tensor.detach().float().numpy()
                break


def add_tensors(writer, model, types, patterns, skip=()):
    """types(name) is the type of a matrix; vectors stay F32, as ggml has them."""
    for name, hf, array in renamed(model, patterns):
        if hf in skip:
            continue
        if patterns is GPT2 and CONV1D.search(name):
            array = array.T
        kind = types(name) if array.ndim > 1 else T.F32
        writer.add_tensor(name, quantize(array, kind), raw_dtype=kind)


def add_sizes(writer, arch, config):
    get = lambda *names: next(getattr(config, n) for n in names if getattr(config, n, None) is not None)
    writer.add_uint32(f"{arch}.context_length", get("max_position_embeddings"))
    writer.add_uint32(f"{arch}.embedding_length", get("hidden_size"))
    writer.add_uint32(f"{arch}.block_count", get("num_hidden_layers"))
    inner = getattr(config, "n_inner", None) or getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    writer.add_uint32(f"{arch}.feed_forward_length", inner)
    writer.add_uint32(f"{arch}.attention.head_count", get("num_attention_heads"))
    writer.add_float32(f"{arch}.attention.layer_norm_epsilon", get("layer_norm_epsilon", "layer_norm_eps"))


def id_of(tokenizer, token):
    return None if token is None else tokenizer.convert_tokens_to_ids(token)


def add_tokenizer(writer, tokenizer, model, pre, tokens, scores=None, merges=None):
    """tokens in order of their ids, spelled as ggml spells them."""
    special = set(tokenizer.all_special_ids)
    writer.add_tokenizer_model(model)
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if i in special else 1 for i in range(len(tokens))])
    if scores is not None:
        writer.add_token_scores(scores)
    if merges is not None:
        writer.add_token_merges(merges)
    for add, token in ((writer.add_bos_token_id, tokenizer.bos_token), (writer.add_eos_token_id, tokenizer.eos_token),
                       (writer.add_unk_token_id, tokenizer.unk_token), (writer.add_pad_token_id, tokenizer.pad_token),
                       (writer.add_sep_token_id, tokenizer.sep_token),
                       (writer.add_mask_token_id, tokenizer.mask_token)):
        if id_of(tokenizer, token) is not None:
            add(id_of(tokenizer, token))
    if tokenizer.cls_token is not None:
        writer.add_uint32("tokenizer.ggml.cls_token_id", id_of(tokenizer, tokenizer.cls_token))


def ordered(vocabulary):
    return [token for token, _ in sorted(vocabulary.items(), key=lambda row: row[1])]


def word_pieces(tokenizer):
    """ggml marks the beginnings of words where BERT marks the rest."""
    def spelled(token):
        if token.startswith("[") and token.endswith("]"):
            return token
        return token[2:] if token.startswith("##") else SPACE + token
    return [spelled(t) for t in ordered(tokenizer.get_vocab())]


def write(path, arch, model, types, patterns, fill, skip=(), name=None, **options):
    """fill(writer) adds the tokenizer."""
    writer = gguf.GGUFWriter(path, arch, **options)
    writer.add_name(name or "tiny")
    add_sizes(writer, arch, model.config)
    fill(writer)
    add_tensors(writer, model, types, patterns, skip)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
