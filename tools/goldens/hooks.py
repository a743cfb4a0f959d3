"""The golden folders of encoder families whose attention is their own: what no description of layers can say, and
src/models has a hook for."""
import transformers as hf

import cases
from encoders import byte_bpe, rows_of, wordpiece
from heads import NLI, Head, labels

SMALL = {"vocab_size": 401, "hidden_size": 24, "intermediate_size": 44, "num_hidden_layers": 2,
         "num_attention_heads": 4, "max_position_embeddings": 66, "pad_token_id": 0}


def deberta_v2_heads():
    base = {"relative_attention": True, "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
    config = hf.DebertaV2Config
    yield from rows_of("deberta-v2", "DebertaV2", config, ("mask", "sequence", "token", "span"), base)
    yield Head("deberta-v2", "zero-shot-classification", hf.DebertaV2ForSequenceClassification,
               config(**SMALL | base | labels(NLI) | {"pooler_hidden_act": "tanh"}), wordpiece,
               {"zero-shot-classification": cases.zero_shot()[:4]})
    # The extra large ones: a convolution beside the first layer; and the projections of positions apart.
    yield from rows_of("deberta-v2", "DebertaV2", config, ("sequence", "hidden"), base | {
        "conv_kernel_size": 3, "conv_act": "gelu", "share_att_key": False, "num_hidden_layers": 1,
        "type_vocab_size": 2, "position_biased_input": True}, head="conv")
    yield from rows_of("deberta-v2", "DebertaV2", config, ("sequence",), base | {
        "pos_att_type": "c2p", "position_buckets": -1, "max_relative_positions": 24, "norm_rel_ebd": "none"},
        head="c2p")
    yield from rows_of("deberta-v2", "DebertaV2", config, ("mask",), base | {
        "legacy": False, "tie_word_embeddings": False, "num_hidden_layers": 1, "position_buckets": 24,
        "max_relative_positions": 60}, head="papers")


def deberta_heads():
    base = {"relative_attention": True, "pos_att_type": "c2p|p2c", "position_biased_input": False,
            "max_relative_positions": 20}
    config = hf.DebertaConfig
    yield from rows_of("deberta", "Deberta", config, ("mask", "sequence", "token", "span"), base, byte_bpe)
    yield from rows_of("deberta", "Deberta", config, ("sequence",), base | {
        "pos_att_type": ["p2c"], "position_biased_input": True, "type_vocab_size": 2}, byte_bpe, head="p2c")


def longformer_heads():
    base = {"attention_window": [8, 8], "sep_token_id": 2, "layer_norm_eps": 1e-5}
    yield from rows_of("longformer", "Longformer", hf.LongformerConfig, ("mask", "sequence", "token", "span"), base,
                       byte_bpe)


def big_bird_heads():
    # Blocks so large that transformers attends to all 64 tokens of a text in full: (5 + 2 * 2) * 8 = 72.
    base = {"attention_type": "block_sparse", "block_size": 8, "num_random_blocks": 2, "rescale_embeddings": True,
            "max_position_embeddings": 72, "use_bias": False}
    yield from rows_of("big_bird", "BigBird", hf.BigBirdConfig, ("mask", "sequence", "token"), base)


def all_heads():
    for rows in (deberta_v2_heads, deberta_heads, longformer_heads, big_bird_heads):
        yield from rows()
