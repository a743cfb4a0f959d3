"""The golden folders of the heads that the other tables leave out, so that each head of each family has one: one
layer, one to three cases. What is particular about a family's layers is shown there, what a head adds here.
`tools/reference --check` names a head that has no folder."""
import transformers as hf

import cases
import gpts
import vocabulary
from encoders import some, without_sines
from heads import NER, Head, labels
from modern import FULL, GEMMA, LOCAL

LAYER = {"hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 1, "num_attention_heads": 4}
ENCODER = LAYER | {"vocab_size": 401, "max_position_embeddings": 66, "pad_token_id": 0}
BYTE_ENCODER = ENCODER | {"vocab_size": 300, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
DECODER = LAYER | {"vocab_size": 300, "num_key_value_heads": 2, "max_position_embeddings": 64, "bos_token_id": 0,
                   "eos_token_id": 0, "pad_token_id": 0}
CAUSAL = {"is_decoder": True}
HEADS = {
    "hidden": ("Model", "feature-extraction", cases.feature_extraction()[:1], {}),
    "sequence": ("ForSequenceClassification", "text-classification",
                 some(cases.text_classification(), "string", "pair", "none"), labels(["bad", "good", "fair"])),
    "token": ("ForTokenClassification", "token-classification",
              some(cases.token_classification(), "string", "nothing ignored"), labels(NER)),
    "span": ("ForQuestionAnswering", "question-answering",
             some(cases.question_answering(), "object", "unicode", "windows"), {}),
    "next": ("ForCausalLM", "text-generation", some(cases.text_generation(), "greedy", "beams"), {}),
}


def wordpiece():
    return vocabulary.bert(size=401)


def byte_bpe():
    return vocabulary.roberta(size=300)


def gpt2():
    return vocabulary.gpt2(size=300, pad_token="<|endoftext|>")


SIZES = {wordpiece: ENCODER, byte_bpe: BYTE_ENCODER, gpt2: DECODER}


def rows_of(family, name, config, kinds, change=None, tokenizer=gpt2, suffixes=None, **more):
    """A folder for each of `kinds`; `suffixes` are class names of the family's own."""
    for kind in kinds.split():
        suffix, task, asked, keys = HEADS[kind]
        cls = getattr(hf, name + (suffixes or {}).get(kind, suffix))
        causal = CAUSAL if kind == "next" else {}
        generation = {"max_new_tokens": 11, "do_sample": False} if kind == "next" else None
        yield Head(family, task, cls, config(**SIZES[tokenizer] | (change or {}) | keys | causal), tokenizer,
                   {task: asked}, readable=kind == "next", generation=generation, **more)


def encoder_heads():
    def words(*row, **more):
        return rows_of(*row, tokenizer=wordpiece, **more)

    def pieces(*row, **more):
        return rows_of(*row, tokenizer=byte_bpe, **more)
    narrow = {"embedding_size": 14}
    yield from words("bert", "Bert", hf.BertConfig, "next", suffixes={"next": "LMHeadModel"})
    yield from words("albert", "Albert", hf.AlbertConfig, "token", narrow)
    yield from words("electra", "Electra", hf.ElectraConfig, "next span", narrow)
    yield from words("ernie", "Ernie", hf.ErnieConfig, "next token span", {"use_task_id": True})
    yield from words("rembert", "RemBert", hf.RemBertConfig, "hidden next token span", {
        "input_embedding_size": 14, "output_embedding_size": 20})
    yield from words("squeezebert", "SqueezeBert", hf.SqueezeBertConfig, "hidden token span", {
        "embedding_size": 24, "q_groups": 2, "output_groups": 2})
    yield from pieces("roberta", "Roberta", hf.RobertaConfig, "next")
    yield from pieces("xlm-roberta-xl", "XLMRobertaXL", hf.XLMRobertaXLConfig, "next token span")
    yield from pieces("mpnet", "MPNet", hf.MPNetConfig, "hidden span")
    yield from pieces("deberta", "Deberta", hf.DebertaConfig, "hidden", {
        "relative_attention": True, "pos_att_type": "c2p|p2c", "position_biased_input": False,
        "max_relative_positions": 20})
    yield from pieces("longformer", "Longformer", hf.LongformerConfig, "hidden", {
        "attention_window": [8], "sep_token_id": 2, "layer_norm_eps": 1e-5})
    # In single precision: the frequencies of rotary positions are stored with the weights.
    yield from pieces("esm", "Esm", hf.EsmConfig, "hidden", {
        "hidden_size": 16, "position_embedding_type": "rotary", "token_dropout": True, "mask_token_id": 4}, dtype="F32")
    yield from words("roformer", "RoFormer", hf.RoFormerConfig, "next token", narrow, finish=without_sines)
    yield from words("xlm", "XLM", hf.XLMConfig, "hidden", {
        "emb_dim": 24, "n_layers": 1, "n_heads": 4, "n_langs": 3, "mask_token_id": 4})


def old_decoder_heads():
    """Those of gpts.py."""
    def row(family, name, names, *rest, eight=True):
        return rows_of(family, name, gpts.sized(getattr(hf, f"{name}Config"), names, eight), "hidden", *rest)
    yield from row("gpt_neox", "GPTNeoX", None)
    yield from row("gptj", "GPTJ", gpts.GPT2_NAMES, {"rotary_dim": 6})
    yield from row("codegen", "CodeGen", gpts.GPT2_NAMES, {"num_attention_heads": 4, "rotary_dim": 4}, eight=False)
    yield from row("gpt_neo", "GPTNeo", {"num_hidden_layers": "num_layers", "num_attention_heads": "num_heads"}, {
        "attention_types": [[["local"], 1]], "window_size": 5})
    yield from row("gpt_bigcode", "GPTBigCode", gpts.GPT2_NAMES)
    yield from row("bloom", "Bloom", {"hidden_size": "n_embed", "num_hidden_layers": "n_layer",
                                      "num_attention_heads": "n_head", "max_position_embeddings": "seq_length"})
    yield from row("falcon", "Falcon", {"intermediate_size": "ffn_hidden_size"})
    yield from row("mpt", "Mpt", {"hidden_size": "d_model", "num_hidden_layers": "n_layers",
                                  "num_attention_heads": "n_heads", "max_position_embeddings": "max_seq_len",
                                  "intermediate_size": "unused"})


def decoder_heads():
    """Those of decoders.py."""
    window = {"sliding_window": 7}
    few = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 9}
    yield from rows_of("llama", "Llama", hf.LlamaConfig, "hidden")
    yield from rows_of("mistral", "Mistral", hf.MistralConfig, "hidden token span", window)
    yield from rows_of("ministral", "Ministral", hf.MinistralConfig, "hidden token span", window | {
        "head_dim": 6, "layer_types": [LOCAL]})
    yield from rows_of("mixtral", "Mixtral", hf.MixtralConfig, "hidden token span", {
        "num_local_experts": 4, "num_experts_per_tok": 2})
    yield from rows_of("qwen2", "Qwen2", hf.Qwen2Config, "hidden sequence token")
    yield from rows_of("qwen3", "Qwen3", hf.Qwen3Config, "hidden token span", {"head_dim": 10})
    yield from rows_of("qwen2_moe", "Qwen2Moe", hf.Qwen2MoeConfig, "hidden token span", few | {
        "shared_expert_intermediate_size": 10})
    yield from rows_of("qwen3_moe", "Qwen3Moe", hf.Qwen3MoeConfig, "hidden sequence token", few | {"head_dim": 10})
    yield from rows_of("olmoe", "Olmoe", hf.OlmoeConfig, "hidden", {"num_experts": 4, "num_experts_per_tok": 2})


def modern_heads():
    """Those of modern.py."""
    half = {"num_attention_heads": 3, "num_key_value_heads": 1, "partial_rotary_factor": 0.5}
    small = GEMMA | {"hidden_size": 16}
    yield from rows_of("gemma", "Gemma", hf.GemmaConfig, "hidden token", small)
    yield from rows_of("gemma2", "Gemma2", hf.Gemma2Config, "hidden token", small | {
        "query_pre_attn_scalar": 5, "sliding_window": 6})
    yield from rows_of("gemma3", "Gemma3", hf.Gemma3TextConfig, "sequence", small | {
        "query_pre_attn_scalar": 7, "sliding_window": 6, "layer_types": [FULL]},
        suffixes={"sequence": "TextForSequenceClassification"})
    yield from rows_of("phi", "Phi", hf.PhiConfig, "hidden sequence", half)
    yield from rows_of("phi3", "Phi3", hf.Phi3Config, "hidden token", {"sliding_window": 6})
    yield from rows_of("stablelm", "StableLm", hf.StableLmConfig, "hidden token", half)
    yield from rows_of("starcoder2", "Starcoder2", hf.Starcoder2Config, "hidden token", {"sliding_window": 7})
    yield from rows_of("olmo", "Olmo", hf.OlmoConfig, "hidden")
    yield from rows_of("olmo2", "Olmo2", hf.Olmo2Config, "hidden")
    yield from rows_of("granite", "Granite", hf.GraniteConfig, "hidden", {
        "embedding_multiplier": 3.0, "attention_multiplier": 0.3, "residual_multiplier": 0.6})
    yield from rows_of("cohere", "Cohere", hf.CohereConfig, "hidden")
    yield from rows_of("smollm3", "SmolLM3", hf.SmolLM3Config, "hidden sequence token", {"no_rope_layers": [1]})
    yield from rows_of("helium", "Helium", hf.HeliumConfig, "hidden sequence", {"head_dim": 6})
    yield from rows_of("glm", "Glm", hf.GlmConfig, "hidden token", {"head_dim": 12})


def all_heads():
    for rows in (encoder_heads, old_decoder_heads, decoder_heads, modern_heads):
        yield from rows()
