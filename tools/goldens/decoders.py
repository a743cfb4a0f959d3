"""The golden folders of decoder families: a row a model, of the smallest odd configuration that shows what is
particular about the family. GPT-2's own, with all its cases, are in heads.py."""
import transformers as hf

import cases
import vocabulary
from heads import Head, labels

SMALL = {"vocab_size": 401, "hidden_size": 24, "intermediate_size": 44, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 64, "bos_token_id": 0, "eos_token_id": 0,
         "pad_token_id": 0}


def rows_of(family, name, config, heads=("generate",), change=None, **more):
    """Folders of one family: text-generation, and where asked a classifier of texts, of tokens, of spans, hidden
    states alone."""
    def make(more_config=()):
        return config(**SMALL | (change or {}) | dict(more_config))
    tokenizer = vocabulary.gpt2
    if "generate" in heads:
        yield Head(family, more.pop("head", "text-generation"), getattr(hf, f"{name}ForCausalLM"), make(), tokenizer,
                   {"text-generation": cases.text_generation()[:6]}, readable=True,
                   generation={"max_new_tokens": 11, "do_sample": False}, **more)
    if "hidden" in heads:
        yield Head(family, "feature-extraction", getattr(hf, f"{name}Model"), make(), tokenizer,
                   {"feature-extraction": cases.feature_extraction()[:3]})
    if "sequence" in heads:
        yield Head(family, "text-classification", getattr(hf, f"{name}ForSequenceClassification"),
                   make(labels(["bad", "good", "fair"])), tokenizer,
                   {"text-classification": cases.text_classification()})
    if "token" in heads:
        yield Head(family, "token-classification", getattr(hf, f"{name}ForTokenClassification"),
                   make(labels(["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "LOC"])),
                   lambda: tokenizer(pad_token="<|endoftext|>"), {"token-classification": cases.token_classification()})
    if "span" in heads:
        yield Head(family, "question-answering", getattr(hf, f"{name}ForQuestionAnswering"), make(), tokenizer,
                   {"question-answering": cases.question_answering()})


def llama_heads():
    everything = ("generate", "sequence", "token", "span")
    yield from rows_of("llama", "Llama", hf.LlamaConfig, everything, {
        "attention_bias": True, "hidden_size": 60, "num_attention_heads": 6, "num_key_value_heads": 3})
    yield from rows_of("llama", "Llama", hf.LlamaConfig, head="llama3", change={
        "tie_word_embeddings": True, "head_dim": 14, "rope_theta": 500.0, "rope_scaling": {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32}})
    yield from rows_of("llama", "Llama", hf.LlamaConfig, head="yarn", change={
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}})
    yield from rows_of("llama", "Llama", hf.LlamaConfig, head="linear", change={
        "mlp_bias": True, "rope_scaling": {"rope_type": "linear", "factor": 2.5}})
    # Not read again as Phi-3's are: what was written within the original context keeps its short factors.
    yield Head("llama", "longrope", hf.LlamaForCausalLM, hf.LlamaConfig(
        **SMALL, original_max_position_embeddings=24, rope_scaling={
            "rope_type": "longrope", "short_factor": [1.0, 1.3, 1.6], "long_factor": [2.0, 4.5, 8.0]}),
               vocabulary.gpt2, {"text-generation": cases.crossing()[2:6]}, readable=True)


def mistral_heads():
    yield from rows_of("mistral", "Mistral", hf.MistralConfig, ("generate", "sequence"), {"sliding_window": 7})
    yield from rows_of("mistral", "Mistral", hf.MistralConfig, head="whole", change={"sliding_window": None})


def qwen2_heads():
    yield from rows_of("qwen2", "Qwen2", hf.Qwen2Config, ("generate", "span"), {
        "use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1})
    yield from rows_of("qwen2", "Qwen2", hf.Qwen2Config, head="whole", change={
        "tie_word_embeddings": True, "layer_types": ["sliding_attention", "full_attention"],
        "use_sliding_window": True, "sliding_window": 5})


def qwen3_heads():
    yield from rows_of("qwen3", "Qwen3", hf.Qwen3Config, ("generate", "sequence"), {
        "head_dim": 10, "attention_bias": True, "rope_theta": 300.0})


EXPERTS = {"tie_word_embeddings": True, "intermediate_size": 14}


def mixtral_heads():
    yield from rows_of("mixtral", "Mixtral", hf.MixtralConfig, ("generate", "sequence"), EXPERTS | {
        "num_local_experts": 5, "num_experts_per_tok": 2, "sliding_window": 9})


def qwen2_moe_heads():
    yield from rows_of("qwen2_moe", "Qwen2Moe", hf.Qwen2MoeConfig, ("generate", "sequence"), EXPERTS | {
        "num_experts": 6, "num_experts_per_tok": 3, "moe_intermediate_size": 9, "shared_expert_intermediate_size": 17,
        "mlp_only_layers": [1], "norm_topk_prob": False})


def qwen3_moe_heads():
    yield from rows_of("qwen3_moe", "Qwen3Moe", hf.Qwen3MoeConfig, ("generate", "span"), EXPERTS | {
        "num_experts": 7, "num_experts_per_tok": 3, "moe_intermediate_size": 11, "decoder_sparse_step": 2,
        "norm_topk_prob": True, "head_dim": 10})


def olmoe_heads():
    yield from rows_of("olmoe", "Olmoe", hf.OlmoeConfig, ("generate",), EXPERTS | {
        "num_experts": 8, "num_experts_per_tok": 3, "clip_qkv": 0.7})


def all_heads():
    import gpts
    import modern
    for rows in (llama_heads, mistral_heads, qwen2_heads, qwen3_heads, mixtral_heads, qwen2_moe_heads,
                 qwen3_moe_heads, olmoe_heads):
        yield from rows()
    yield from gpts.all_heads()
    yield from modern.all_heads()
