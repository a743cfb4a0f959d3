"""The golden folders of encoder families whose attention is their own: what no description of layers can say, and
src/models has a hook for."""
import functools
import pathlib
import tempfile

import transformers as hf

import cases
import pieces
import vocabulary
from encoders import byte_bpe, rows_of, some, wordpiece
from heads import NLI, Head, edit_weights, labels

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
    # Without absolute positions texts may be longer than max_position_embeddings.
    yield from rows_of("deberta-v2", "DebertaV2", config, ("mask",), base | {"max_position_embeddings": 30}, head="long")


def deberta_heads():
    base = {"relative_attention": True, "pos_att_type": "c2p|p2c", "position_biased_input": False,
            "max_relative_positions": 20}
    config = hf.DebertaConfig
    yield from rows_of("deberta", "Deberta", config, ("mask", "sequence", "token", "span"), base, byte_bpe)
    yield from rows_of("deberta", "Deberta", config, ("sequence",), base | {
        "pos_att_type": ["p2c"], "position_biased_input": True, "type_vocab_size": 2}, byte_bpe, head="p2c")
    yield from rows_of("deberta", "Deberta", config, ("sequence",), base | {
        "max_position_embeddings": 30, "max_relative_positions": -1}, byte_bpe, head="long")


def longformer_heads():
    base = {"attention_window": [8, 8], "sep_token_id": 2, "layer_norm_eps": 1e-5}
    yield from rows_of("longformer", "Longformer", hf.LongformerConfig, ("mask", "sequence", "token", "span"), base,
                       byte_bpe)


def big_bird_tokenizer():
    """Hands no token types to the model. <pad> 3, [CLS] 4, [SEP] 5, [MASK] 6."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "spiece.model"
        path.write_bytes(pieces.train(vocabulary.CORPUS.read_text(encoding="utf-8"), "unigram", 300,
                                      control_symbols=["<pad>", "[CLS]", "[SEP]", "[MASK]"]))
        return hf.BigBirdTokenizerFast(vocab_file=str(path), model_max_length=64)


def big_bird_heads():
    # Blocks so large that transformers attends to all 64 tokens of a text in full: (5 + 2 * 2) * 8 = 72.
    base = {"attention_type": "block_sparse", "block_size": 8, "num_random_blocks": 2, "rescale_embeddings": True,
            "max_position_embeddings": 72, "use_bias": False}
    yield from rows_of("big_bird", "BigBird", hf.BigBirdConfig, ("mask", "sequence", "token"), base)
    # Blocks are left out of texts of 36 tokens on: (5 + 2 * 1) * 5; the last may not be full.
    blocks = base | {"block_size": 5, "num_random_blocks": 1}
    yield from rows_of("big_bird", "BigBird", hf.BigBirdConfig, ("mask", "sequence"), blocks, head="blocks")
    # The class finds the question's end by sep_token_id, masks the question and makes token types if it is given none.
    spans = cases.question_answering()
    yield from rows_of("big_bird", "BigBird", hf.BigBirdConfig, ("span",), base | {"sep_token_id": 3})
    yield Head("big_bird", "blocks-question-answering", hf.BigBirdForQuestionAnswering,
               hf.BigBirdConfig(**SMALL | blocks | {"vocab_size": 300, "pad_token_id": 3, "sep_token_id": 5}),
               big_bird_tokenizer, {"question-answering": some(spans, "object", "unicode", "windows, top_k") + [
                   ("tokens in the question", {"question": "[CLS] Where [SEP] did [CLS] Sarah live?",
                                               "context": cases.FIRST}, {"top_k": 9, "align_to_words": False})]})
    yield Head("big_bird", "blocks-feature-extraction", hf.BigBirdModel, hf.BigBirdConfig(**SMALL | blocks),
               wordpiece, {"feature-extraction": cases.feature_extraction()[2:4]})


@functools.cache
def xlnet_pieces():
    """With the places of XLNet's own: <unk> 0, <s> 1, </s> 2, <cls> 3, <sep> 4, <pad> 5, <mask> 6."""
    return pieces.train(vocabulary.CORPUS.read_text(encoding="utf-8"), "unigram", 300, unk_id=0, bos_id=1, eos_id=2,
                        control_symbols=["<cls>", "<sep>", "<pad>", "<mask>"])


def xlnet_tokenizer():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "spiece.model"
        path.write_bytes(xlnet_pieces())
        return hf.XLNetTokenizerFast(vocab_file=str(path), model_max_length=64)


def quiet_begin(folder):
    """What the second stream begins with is the same everywhere: small, or each token would be the same one."""
    edit_weights(folder, lambda tensors: tensors | {"transformer.mask_emb": tensors["transformer.mask_emb"] * 0.1})


def xlnet_heads():
    base = {"d_model": 24, "n_layer": 2, "n_head": 3, "d_inner": 44, "vocab_size": 300, "pad_token_id": 5,
            "use_mems_eval": False}
    drop = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings"}

    def config(**values):
        return hf.XLNetConfig(**{key: value for key, value in values.items() if key not in drop})
    suffixes = {"span": "ForQuestionAnsweringSimple"}
    yield from rows_of("xlnet", "XLNet", config, ("sequence", "token", "span", "hidden"), base, xlnet_tokenizer,
                       suffixes=suffixes)
    yield from rows_of("xlnet", "XLNet", config, ("sequence", "hidden"), base | {
        "clamp_len": 9, "ff_activation": "relu", "layer_norm_eps": 1e-3, "summary_type": "mean",
        "summary_activation": None, "n_layer": 1, "use_mems_eval": True}, xlnet_tokenizer, head="clamped",
        suffixes={"hidden": "LMHeadModel"}, dtype="BF16")
    # Without the article that the pipeline puts before a prompt unless it is told another prefix.
    written = {"prefix": "", "use_mems_eval": True}
    asked = cases.text_generation()
    yield Head("xlnet", "text-generation", hf.XLNetLMHeadModel, config(**base | written), xlnet_tokenizer,
               {"text-generation": asked[:6] + some(asked, "new text only", "max_length", "repetition_penalty", "beams",
                                                    "beams of a list", "beams, two of four", "stop")
                + [("over pages", cases.SHORT, cases.GREEDY | {"max_new_tokens": 40}),
                   ("no special tokens", cases.SHORT, cases.GREEDY | {"add_special_tokens": False})]},
               readable=True, generation={"max_new_tokens": 11, "do_sample": False}, finish=quiet_begin)
    yield Head("xlnet", "clamped-text-generation", hf.XLNetLMHeadModel, config(**base | written | {
        "clamp_len": 7, "mem_len": 9, "tie_word_embeddings": False, "n_layer": 3, "n_head": 4}), xlnet_tokenizer,
        {"text-generation": some(asked, "greedy", "greedy list", "beams")}, readable=True, dtype="BF16",
        generation={"max_new_tokens": 11, "do_sample": False}, finish=quiet_begin)
    yield Head("xlnet", "zero-shot-classification", hf.XLNetForSequenceClassification,
               config(**base | labels(NLI) | {"summary_type": "first", "n_layer": 1}), xlnet_tokenizer,
               {"zero-shot-classification": cases.zero_shot()[:4]})


def mobilebert_heads():
    base = {"embedding_size": 14, "intra_bottleneck_size": 15, "num_attention_heads": 3, "intermediate_size": 20,
            "num_feedforward_networks": 3}
    name, config = "MobileBert", hf.MobileBertConfig
    yield from rows_of("mobilebert", name, config, ("mask", "sequence", "token", "span", "hidden"), base)
    yield from rows_of("mobilebert", name, config, ("mask",), base | {"num_hidden_layers": 1},
                       suffixes={"mask": "ForPreTraining"}, head="pretraining")
    # Keys and values from the narrow stream, and norms that are norms, with two epsilons.
    yield from rows_of("mobilebert", name, config, ("mask", "sequence"), base | {
        "normalization_type": "layer_norm", "layer_norm_eps": 0.3, "use_bottleneck_attention": True,
        "trigram_input": False, "classifier_activation": False, "num_feedforward_networks": 1}, head="norms")
    # One stream; and one that is narrowed to its own width, with queries and keys of what comes in.
    yield from rows_of("mobilebert", name, config, ("mask",), base | {
        "use_bottleneck": False, "embedding_size": 24, "trigram_input": False, "hidden_act": "gelu"}, head="one-stream")
    yield from rows_of("mobilebert", name, config, ("sequence",), base | {
        "key_query_shared_bottleneck": False, "intra_bottleneck_size": 24}, head="apart")


def convbert_heads():
    # Six heads become three of four numbers, and as many of the convolution.
    base = {"num_attention_heads": 6, "conv_kernel_size": 5, "embedding_size": 14}
    name, config = "ConvBert", hf.ConvBertConfig
    yield from rows_of("convbert", name, config, ("mask", "sequence", "token", "hidden"), base)
    yield from rows_of("convbert", name, config, ("span", "sequence"), base | {
        "num_groups": 4, "head_ratio": 5, "embedding_size": 24, "conv_kernel_size": 3, "hidden_act": "relu"},
        head="groups")


def all_heads():
    for rows in (deberta_v2_heads, deberta_heads, longformer_heads, big_bird_heads, xlnet_heads, mobilebert_heads,
                 convbert_heads):
        yield from rows()
