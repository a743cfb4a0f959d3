"""The golden folders of decoders since Gemma: Gemma, Phi, StableLM, StarCoder 2, OLMo, Granite, Cohere, SmolLM 3 and
kin. Rows are made as decoders.py makes them; each configuration turns on what is particular about its family."""
import dataclasses

import transformers as hf

import cases
import vocabulary
from decoders import SMALL, rows_of
from heads import Head, dense, labels, pooling

# No classes of tokens where layers are local: transformers pads the last window of a long text, and with windows its
# padding is not a number, and then nothing is.
LOCAL, FULL = "sliding_attention", "full_attention"
# The root of the hidden size is whole here: transformers rounds it to the weights' numbers, and the reference, which is
# computed in double precision, would not.
GEMMA = {"hidden_size": 36, "head_dim": 10, "tie_word_embeddings": True}


def gemma_heads():
    yield from rows_of("gemma", "Gemma", hf.GemmaConfig, ("generate", "sequence"), GEMMA)
    yield from rows_of("gemma2", "Gemma2", hf.Gemma2Config, ("generate", "sequence"), GEMMA | {
        "query_pre_attn_scalar": 5, "sliding_window": 6, "attn_logit_softcapping": 1.5, "final_logit_softcapping": 4.0})
    yield from rows_of("gemma3", "Gemma3", hf.Gemma3TextConfig, change=GEMMA | {
        "query_pre_attn_scalar": 7, "sliding_window": 6, "layer_types": [LOCAL, FULL], "rope_theta": 5000.0,
        "rope_local_base_freq": 50.0, "rope_scaling": {"rope_type": "linear", "factor": 3.0},
        "final_logit_softcapping": 5.0})
    yield from gemma3_kin()


def gemma3_kin():
    """EmbeddingGemma, whose tokens see those behind them too, and the part of an image model that reads text."""
    small = SMALL | GEMMA | {"query_pre_attn_scalar": 7, "layer_types": [LOCAL, FULL], "rope_local_base_freq": 50.0}
    yield Head("gemma3", "sentence-mean", hf.Gemma3TextModel,
               hf.Gemma3TextConfig(**small, sliding_window=8, use_bidirectional_attention=True),
               lambda: vocabulary.gpt2(pad_token="<|endoftext|>"),
               {"feature-extraction": cases.embeddings(), "sentence-similarity": cases.similarity()},
               modules=[pooling(36, "mean"), dense(36, 20, "linear.Identity", bias=False), ("Normalize", {})])
    eyes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 8, "patch_size": 4}
    yield Head("gemma3", "images", hf.Gemma3ForConditionalGeneration,
               hf.Gemma3Config(text_config=small | {"sliding_window": 6}, vision_config=eyes, mm_tokens_per_image=4,
                               eos_token_id=0, bos_token_id=0, pad_token_id=0, image_token_index=400), vocabulary.gpt2,
               {"text-generation": cases.text_generation()[:6]}, readable=True,
               generation={"max_new_tokens": 11, "do_sample": False})


def phi_heads():
    yield from rows_of("phi", "Phi", hf.PhiConfig, ("generate", "token"), {
        "hidden_size": 32, "partial_rotary_factor": 0.5, "qk_layernorm": True})
    yield from rows_of("phi", "Phi", hf.PhiConfig, head="plain", change={"hidden_size": 32})


def phi3_heads():
    yield from rows_of("phi3", "Phi3", hf.Phi3Config, ("generate", "sequence"), {"sliding_window": 6})
    yield from rows_of("phi3", "Phi3", hf.Phi3Config, head="longrope", change={
        "hidden_size": 32, "partial_rotary_factor": 0.75, "tie_word_embeddings": True,
        "max_position_embeddings": 256, "original_max_position_embeddings": 64, "rope_theta": 100.0, "rope_scaling": {
            "type": "longrope", "short_factor": [1.0, 1.5, 2.25], "long_factor": [1.5, 3.0, 7.5]}})
    longer = SMALL | {
        "original_max_position_embeddings": 24, "sliding_window": None, "rope_scaling": {
            "type": "longrope", "short_factor": [1.0, 1.3, 1.6], "long_factor": [2.0, 4.5, 8.0]}}
    yield Head("phi3", "longer", hf.Phi3ForCausalLM, hf.Phi3Config(**longer), vocabulary.gpt2,
               {"text-generation": cases.crossing()}, readable=True)
    yield Head("phi3", "longer-classes", hf.Phi3ForSequenceClassification,
               hf.Phi3Config(**longer, **labels(["bad", "good", "fair"])), vocabulary.gpt2,
               {"text-classification": cases.text_classification(pairs=False)[:6]})


def stablelm_heads():
    # transformers 4.57.6 stumbles over norms without biases when it makes first weights; ours are made by networks.py.
    hf.StableLmPreTrainedModel._init_weights = lambda self, module: None
    yield from rows_of("stablelm", "StableLm", hf.StableLmConfig, ("generate", "sequence"), {
        "hidden_size": 32, "partial_rotary_factor": 0.5, "use_qkv_bias": True})
    yield from rows_of("stablelm", "StableLm", hf.StableLmConfig, head="parallel", change={
        "hidden_size": 32, "partial_rotary_factor": 0.25, "use_parallel_residual": True, "tie_word_embeddings": True})
    yield from rows_of("stablelm", "StableLm", hf.StableLmConfig, head="norms", change={
        "hidden_size": 32, "partial_rotary_factor": 0.5, "use_parallel_residual": True, "qk_layernorm": True})


def starcoder2_heads():
    yield from rows_of("starcoder2", "Starcoder2", hf.Starcoder2Config, ("generate", "sequence"), {"sliding_window": 7})
    yield from rows_of("starcoder2", "Starcoder2", hf.Starcoder2Config, head="plain", change={
        "use_bias": False, "tie_word_embeddings": False})


def olmo_heads():
    yield from rows_of("olmo", "Olmo", hf.OlmoConfig, change={"clip_qkv": 0.6})
    yield from rows_of("olmo2", "Olmo2", hf.Olmo2Config)
    yield from rows_of("olmo2", "Olmo3", hf.Olmo3Config, head="olmo3", change={
        "sliding_window": 6, "layer_types": [LOCAL, FULL], "rope_theta": 300.0,
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}})


def by_beams(rows):
    """A scale of the logits changes no greedy text, but beams add their logarithms."""
    for head in rows:
        yield dataclasses.replace(head, generation=head.generation | {"num_beams": 3})


def granite_heads():
    yield from by_beams(rows_of("granite", "Granite", hf.GraniteConfig, change={
        "embedding_multiplier": 3.0, "attention_multiplier": 0.3, "residual_multiplier": 0.6, "logits_scaling": 0.25}))


def cohere_heads():
    yield from by_beams(rows_of("cohere", "Cohere", hf.CohereConfig, change={"use_qk_norm": True, "logit_scale": 2.5}))
    yield from rows_of("cohere", "Cohere", hf.CohereConfig, head="untied", change={
        "attention_bias": True, "logit_scale": 1.5, "tie_word_embeddings": False})
    yield from rows_of("cohere", "Cohere2", hf.Cohere2Config, head="cohere2", change={
        "logit_scale": 2.0, "sliding_window": 6, "layer_types": [LOCAL, FULL]})


def smollm3_heads():
    yield from rows_of("smollm3", "SmolLM3", hf.SmolLM3Config, ("generate", "span"), {
        "no_rope_layers": [1, 0], "rope_theta": 500.0})
    yield from rows_of("smollm3", "SmolLM3", hf.SmolLM3Config, head="window", change={
        "no_rope_layers": [1, 0], "use_sliding_window": True, "sliding_window": 5, "tie_word_embeddings": False})


def kin_of_llama_heads():
    yield from rows_of("ministral", "Ministral", hf.MinistralConfig, ("generate", "sequence"), {
        "head_dim": 6, "sliding_window": 6, "layer_types": [FULL, LOCAL]})
    yield from rows_of("helium", "Helium", hf.HeliumConfig, ("generate", "token"), {"head_dim": 6})
    yield from rows_of("glm", "Glm", hf.GlmConfig, ("generate", "sequence"), {"head_dim": 12})
    yield from rows_of("glm", "Glm4", hf.Glm4Config, head="glm4", change={"head_dim": 12, "attention_bias": False})


def all_heads():
    for rows in (gemma_heads, phi_heads, phi3_heads, stablelm_heads, starcoder2_heads, olmo_heads, granite_heads,
                 cohere_heads, smollm3_heads, kin_of_llama_heads):
        yield from rows()
