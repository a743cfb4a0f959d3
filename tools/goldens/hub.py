"""The golden folders of encoders whose code is on the hub; hub_models.py is their judge."""
import json

import transformers as hf

import cases
import networks
from encoders import byte_bpe, rows_of, wordpiece
from heads import Head, pooling
from hub_models import CLASSES, NewConfig, NomicBertConfig

ALL = ("mask", "sequence", "token", "span", "hidden")
JINA = "jinaai/jina-bert-implementation--modeling_bert."
JINA_CODE = "jinaai/jina-bert-v2-qk-post-norm--modeling_bert."
NORMALIZE = ("Normalize", {})


def rows(family, name, config, heads, change, tokenizer=wordpiece, **more):
    return rows_of(family, name, config, heads, change, tokenizer, library=CLASSES, **more)


def sentences(family, cls, config, *modes, width=24, **more):
    return Head(family, f"sentence-{modes[0]}", cls, config, wordpiece,
                {"feature-extraction": cases.embeddings()[:3], "sentence-similarity": cases.similarity()},
                modules=[pooling(width, *modes), NORMALIZE], **more)


def reranker(family, cls, config, tokenizer=wordpiece, **more):
    """One score; text-ranking reads it as text-classification does."""
    config.num_labels = 1
    return Head(family, "cross-encoder", cls, config, tokenizer, {"text-classification": cases.scores_only()}, **more)


def nomic_bert_heads():
    base = {"n_embd": 18, "n_layer": 2, "n_head": 3, "n_inner": 44, "n_positions": 64, "activation_function": "swiglu",
            "type_vocab_size": 2, "layer_norm_epsilon": 1e-12, "rotary_emb_base": 100, "rotary_emb_fraction": 1.0,
            "rotary_emb_interleaved": False, "rotary_emb_scale_base": None, "rotary_scaling_factor": None,
            "max_trained_positions": 2048, "qkv_proj_bias": False, "mlp_fc1_bias": False, "mlp_fc2_bias": False,
            "prenorm": False, "causal": False, "use_rms_norm": False, "pad_vocab_size_multiple": 1,
            "vocab_size": 401, "pad_token_id": 0}

    def config(**values):
        return NomicBertConfig(**{k: v for k, v in values.items() if k in base or k.endswith(("2id", "2label"))})
    suffixes = {"mask": "ForPreTraining"}
    one = base | {"n_layer": 1}
    yield from rows("nomic_bert", "NomicBert", config, ("mask", "sequence"), base, suffixes=suffixes)
    yield from rows("nomic_bert", "NomicBert", config, ("token", "span", "hidden"), one)
    yield from rows("nomic_bert", "NomicBert", config, ("mask",), base | {
        "activation_function": "geglu", "qkv_proj_bias": True, "mlp_fc1_bias": True, "mlp_fc2_bias": True,
        "n_layer": 1, "layer_norm_epsilon": 0.05, "type_vocab_size": 1}, head="geglu", suffixes=suffixes)
    yield from rows("nomic_bert", "NomicBert", config, ("hidden",), base | {
        "activation_function": "gelu", "n_layer": 1}, head="gelu", dtype="BF16")
    yield from rows("nomic_bert", "NomicBert", config, ("hidden",), base | {"activation_function": "glu", "n_layer": 1},
                    head="glu")
    yield sentences("nomic_bert", CLASSES.NomicBertModel, config(**one), "mean", width=18, finish=as_trained)


def as_trained(folder):
    """Published folders name the class that was pretrained, though they hold no weights of its head."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    networks.write_json(path, config | {"architectures": ["NomicBertForPreTraining"]})


def gte_heads():
    base = {"type_vocab_size": 2, "layer_norm_eps": 1e-12, "layer_norm_type": "layer_norm", "rope_theta": 100.0,
            "rope_scaling": {"type": "ntk", "factor": 2.0}, "position_embedding_type": "rope", "pack_qkv": True,
            "unpad_inputs": False, "use_memory_efficient_attention": False, "logn_attention_scale": False,
            "logn_attention_clip1": False, "hidden_act": "gelu"}
    yield from rows("gte", "New", NewConfig, ALL, base)
    apart = base | {"pack_qkv": False, "rope_scaling": None, "type_vocab_size": 0, "hidden_act": "relu",
                    "num_hidden_layers": 1, "layer_norm_eps": 1e-3}
    yield from rows("gte", "New", NewConfig, ("mask", "hidden"), apart, byte_bpe, head="apart", dtype="BF16")
    small = {"vocab_size": 401, "hidden_size": 24, "intermediate_size": 44, "num_hidden_layers": 1,
             "num_attention_heads": 4, "max_position_embeddings": 66, "pad_token_id": 0}
    yield sentences("gte", CLASSES.NewModel, NewConfig(**base | small | {"type_vocab_size": 1}), "cls")
    yield reranker("gte", CLASSES.NewForSequenceClassification, NewConfig(**base | small))


def jina_bert_heads():
    base = {"num_attention_heads": 6, "position_embedding_type": "alibi", "feed_forward_type": "geglu",
            "emb_pooler": "mean", "qk_post_norm": False}

    def code_of(prefix):
        def finish(folder):
            path = folder / "config.json"
            config = json.loads(path.read_text(encoding="utf-8"))
            networks.write_json(path, config | {"auto_map": {"AutoModel": prefix + "JinaBertModel"}})
        return finish
    yield from rows("jina_bert", "JinaBert", hf.BertConfig, ALL, base, finish=code_of(JINA))
    yield from rows("jina_bert", "JinaBert", hf.BertConfig, ("mask", "hidden"), base | {
        "feed_forward_type": "reglu", "num_hidden_layers": 1, "layer_norm_eps": 1e-3, "hidden_act": "silu"},
                    head="reglu", finish=code_of(JINA), dtype="BF16")
    yield from rows("jina_bert", "JinaBert", hf.BertConfig, ("mask", "sequence", "hidden"), base | {
        "qk_post_norm": True}, byte_bpe, head="code", finish=code_of(JINA_CODE))
    small = {"vocab_size": 401, "hidden_size": 24, "intermediate_size": 44, "num_hidden_layers": 1,
             "max_position_embeddings": 66}
    yield reranker("jina_bert", CLASSES.JinaBertForSequenceClassification, hf.BertConfig(**base | small),
                   finish=code_of(JINA))


def all_heads():
    for rows_ in (nomic_bert_heads, gte_heads, jina_bert_heads):
        yield from rows_()
