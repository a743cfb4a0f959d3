"""The golden folders of decoders of GPT-2's age: each family's particular words, in as many folders as they exclude
one another. The sizes are those of decoders.py, under the names that transformers maps to them."""
import transformers as hf

from decoders import rows_of

UNKNOWN = ("num_key_value_heads",)   # to the classes below, which would keep it beside their own word


def sized(cls, renamed=None, eight=True):
    """The configuration class, taking decoders.py's sizes by other names; three heads of eight where `eight`."""
    def make(**keys):
        keys = {k: v for k, v in keys.items() if k not in UNKNOWN}
        if eight:
            keys["num_attention_heads"] = 3
        return cls(**{(renamed or {}).get(k, k): v for k, v in keys.items()})
    return make


GPT2_NAMES = {"hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head",
              "intermediate_size": "n_inner", "max_position_embeddings": "n_positions"}


def gpt_neox_heads():
    config = sized(hf.GPTNeoXConfig)
    yield from rows_of("gpt_neox", "GPTNeoX", config, ("generate", "sequence", "token", "span"))
    yield from rows_of("gpt_neox", "GPTNeoX", config, head="sequential", change={
        "use_parallel_residual": False, "attention_bias": False, "rotary_pct": 0.8, "rotary_emb_base": 200,
        "rope_scaling": {"type": "linear", "factor": 1.5}, "hidden_act": "gelu_fast", "tie_word_embeddings": True})


def gptj_heads():
    config = sized(hf.GPTJConfig, GPT2_NAMES)
    yield from rows_of("gptj", "GPTJ", config, ("generate", "sequence", "span"), {"rotary_dim": 6})


def codegen_heads():
    yield from rows_of("codegen", "CodeGen", sized(hf.CodeGenConfig, GPT2_NAMES, False), change={
        "num_attention_heads": 8, "hidden_size": 32, "rotary_dim": 4})


def gpt_neo_heads():
    names = {"num_hidden_layers": "num_layers", "num_attention_heads": "num_heads"}
    yield from rows_of("gpt_neo", "GPTNeo", sized(hf.GPTNeoConfig, names), ("generate", "sequence", "token", "span"), {
        "num_hidden_layers": 3, "attention_types": [[["global", "local"], 1], [["local"], 1]], "window_size": 5})


def gpt_bigcode_heads():
    config = sized(hf.GPTBigCodeConfig, GPT2_NAMES)
    yield from rows_of("gpt_bigcode", "GPTBigCode", config, ("generate", "sequence", "token"))
    yield from rows_of("gpt_bigcode", "GPTBigCode", config, head="every-head", change={
        "multi_query": False, "scale_attn_weights": False})


def bloom_heads():
    names = {"hidden_size": "n_embed", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head",
             "max_position_embeddings": "seq_length"}
    yield from rows_of("bloom", "Bloom", sized(hf.BloomConfig, names), ("generate", "sequence", "token", "span"))


def opt_heads():
    config = sized(hf.OPTConfig, {"intermediate_size": "ffn_dim"})
    yield from rows_of("opt", "OPT", config, ("generate", "sequence", "span"))
    yield from rows_of("opt", "OPT", config, head="projected", change={
        "do_layer_norm_before": False, "word_embed_proj_dim": 18, "activation_function": "gelu"})
    yield from rows_of("opt", "OPT", config, ("hidden",), {"word_embed_proj_dim": 30})
    yield from rows_of("opt", "OPT", config, head="bare", change={
        "_remove_final_layer_norm": True, "enable_bias": False})


def falcon_heads():
    """7B's shape, RW's and 40B's."""
    names = {"intermediate_size": "ffn_hidden_size"}
    config = sized(hf.FalconConfig, names)
    yield from rows_of("falcon", "Falcon", config, ("generate", "sequence"), {"rope_theta": 90.0})
    grouped = sized(hf.FalconConfig, names, False)
    # Nine heads: of fewer, all slopes are powers of two, which bf16 holds.
    yield from rows_of("falcon", "Falcon", grouped, ("generate", "span"), head="alibi", change={
        "alibi": True, "bias": True, "multi_query": False, "parallel_attn": False, "num_attention_heads": 9,
        "hidden_size": 27})
    new = {"new_decoder_architecture": True, "num_kv_heads": 2}
    yield from rows_of("falcon", "Falcon", grouped, ("generate", "token"), head="grouped", change=new)
    yield from rows_of("falcon", "Falcon", grouped, head="one-norm", change=new | {
        "num_ln_in_parallel_attn": 1, "tie_word_embeddings": False})


def mpt_heads():
    names = {"hidden_size": "d_model", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads",
             "max_position_embeddings": "max_seq_len", "intermediate_size": "unused"}
    config = sized(hf.MptConfig, names)
    attention = {"clip_qkv": 0.8, "alibi_bias_max": 4, "softmax_scale": 0.45}
    yield from rows_of("mpt", "Mpt", config, ("generate", "sequence", "token", "span"), {"attn_config": attention})
    yield from rows_of("mpt", "Mpt", config, head="plain")


def all_heads():
    for rows in (gpt_neox_heads, gptj_heads, codegen_heads, gpt_neo_heads, gpt_bigcode_heads, bloom_heads,
                 opt_heads, falcon_heads, mpt_heads):
        yield from rows()
