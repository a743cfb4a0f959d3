"""The table of golden folders: one row a model, with what is asked of it.

    family/head   the folder under tests/golden, and the model's id there
    cls, config   the class and configuration of transformers
    tokenizer     made by vocabulary.py; legacy: only the files without tokenizer.json
    dtype         of the stored weights; shards: cut into several files
    scale         deviation of the random matrices
    tasks         task -> cases
    readable      the model seldom writes halves of characters
    finish        a function that changes the folder after saving, as old or odd repositories are
"""
import dataclasses
import json
from typing import Any, Callable, Optional

import transformers as hf
from safetensors.torch import load_file, save_file

import cases
import networks
import vocabulary

NER = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "LOC"]
NLI = ["contradiction", "neutral", "entailment"]
BEAM_DEFAULTS = {"num_beams": 4, "max_length": 18, "min_length": 5, "length_penalty": 2.0,
                 "no_repeat_ngram_size": 3, "early_stopping": True, "forced_bos_token_id": 0,
                 "forced_eos_token_id": 2}


@dataclasses.dataclass
class Head:
    family: str
    head: str
    cls: type
    config: Any
    tokenizer: Callable
    tasks: dict
    dtype: str = "F16"
    scale: float = 0.3
    legacy: bool = False
    shards: bool = False
    readable: bool = False
    generation: Optional[dict] = None
    finish: Optional[Callable] = None
    modules: Optional[list] = None     # sentence-transformers: modules behind the model
    sentence: Optional[dict] = None    # and config_sentence_transformers.json

    @property
    def id(self):
        return f"{self.family}/{self.head}"


def labels(names):
    return {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}


# ---- configurations, all of odd sizes: hidden 40, heads of 10 -------------------------------------
def gpt2(**more):
    return hf.GPT2Config(**{"vocab_size": 401, "n_positions": 64, "n_embd": 40, "n_layer": 2, "n_head": 4,
                            "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0} | more)


def bert(**more):
    return hf.BertConfig(**{"vocab_size": 433, "hidden_size": 40, "num_hidden_layers": 2, "intermediate_size": 72,
                            "num_attention_heads": 4, "max_position_embeddings": 64} | more)


def distilbert(**more):
    return hf.DistilBertConfig(**{"vocab_size": 421, "dim": 40, "n_layers": 2, "n_heads": 4, "hidden_dim": 68,
                                  "max_position_embeddings": 64} | more)


def roberta(**more):
    return hf.RobertaConfig(**{"vocab_size": 411, "hidden_size": 40, "num_hidden_layers": 2, "intermediate_size": 76,
                               "num_attention_heads": 4, "max_position_embeddings": 66, "type_vocab_size": 1,
                               "layer_norm_eps": 1e-5} | more)


def bart(**more):
    return hf.BartConfig(**{"vocab_size": 407, "d_model": 40, "encoder_layers": 2, "decoder_layers": 2,
                            "encoder_attention_heads": 4, "decoder_attention_heads": 2, "encoder_ffn_dim": 72,
                            "decoder_ffn_dim": 56, "max_position_embeddings": 64, "forced_eos_token_id": None,
                            "forced_bos_token_id": None} | more)


# ---- changes after saving -------------------------------------------------------------------------
def edit_weights(folder, change):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    save_file(change(tensors), path, metadata={"format": "pt"})


def without_prefix(prefix):
    """Old checkpoints name the base model's tensors without the prefix."""
    def finish(folder):
        edit_weights(folder, lambda t: {k.removeprefix(prefix): v for k, v in t.items()})
    return finish


def gamma_beta(folder):
    """BERT's first checkpoints call a norm's weight gamma and its bias beta."""
    def name(key):
        return key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    edit_weights(folder, lambda t: {name(k): v for k, v in t.items()})


def likely_eos(folder):
    """Raises the bias of </s>, so that hypotheses end at different lengths."""
    def change(tensors):
        tensors["final_logits_bias"][0, 2] += 3.2
        return tensors
    edit_weights(folder, change)


def beams_in_config(folder):
    """Before generation_config.json these keys stood in config.json, also for one task alone."""
    likely_eos(folder)
    (folder / "generation_config.json").unlink()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"num_beams": 2, "max_length": 16, "no_repeat_ngram_size": 2, "forced_bos_token_id": 0,
               "task_specific_params": {"summarization": {"prefix": "In summary, ", "num_beams": 3, "max_length": 14,
                                                          "min_length": 6, "length_penalty": 0.5}}}
    networks.write_json(folder / "config.json", config)


def some_eos(folder):
    """Beside <|endoftext|>, a token that this model writes soon ends its text."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    model = networks.load(AutoModelForCausalLM, folder)
    ids = AutoTokenizer.from_pretrained(folder)(cases.FIRST, return_tensors="pt")
    written = model.generate(**ids, do_sample=False, max_new_tokens=24)[0, ids["input_ids"].shape[1]:].tolist()
    soon = next((t for i, t in enumerate(written) if i >= 8 and t not in written[:i]), written[-1])
    path = folder / "generation_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    networks.write_json(path, config | {"eos_token_id": [0, soon]})


def with_chat_template(folder):
    """Short, so that a chat fits the model; the last message is trimmed as most templates do."""
    (folder / "chat_template.jinja").write_text(
        "{%- if messages[0].role == 'tool' %}{{ raise_exception('A tool may not begin.') }}{% endif -%}\n"
        "{{ bos_token }}\n{%- for m in messages %}\n{{ m.role[:1] }}:{{ m.content|trim }};\n{%- endfor -%}\n"
        "{%- if add_generation_prompt %}a:{% endif %}\n", encoding="utf-8")


# ---- the rows ---------------------------------------------------------------------------------------
def gpt2_heads():
    tokenizer = vocabulary.gpt2
    generate = {"max_new_tokens": 11, "do_sample": False}
    yield Head("gpt2", "text-generation", hf.GPT2LMHeadModel, gpt2(), tokenizer,
               {"text-generation": cases.text_generation()}, dtype="F32", readable=True, generation=generate,
               finish=some_eos)
    yield Head("gpt2", "processors", hf.GPT2LMHeadModel, gpt2(n_layer=1), tokenizer,
               {"text-generation": cases.processors(cases.GREEDY, cases.GREEDY | {"num_beams": 3})
                + cases.stops(cases.GREEDY | cases.NEW_ONLY | {"num_beams": 3})
                + cases.details(cases.GREEDY),
                "conversational": cases.talks({"max_new_tokens": 7}) + cases.too_long_a_talk({"max_length": 40})},
               readable=True, generation=generate, finish=some_eos)
    yield Head("gpt2", "groups", hf.GPT2LMHeadModel, gpt2(n_layer=1), tokenizer,
               {"text-generation": cases.groups(cases.GREEDY, 0)}, readable=True, generation=generate, finish=some_eos)
    yield Head("gpt2", "chat", hf.GPT2LMHeadModel, gpt2(n_layer=1), tokenizer,
               {"text-generation": cases.chat(), "conversational": cases.talks({"max_new_tokens": 7})}, readable=True, generation=generate, finish=with_chat_template)
    yield Head("gpt2", "odd", hf.GPT2LMHeadModel,
               gpt2(n_inner=52, scale_attn_by_inverse_layer_idx=True, tie_word_embeddings=False,
                    activation_function="relu", layer_norm_epsilon=1e-3, n_layer=3),
               tokenizer, {"text-generation": cases.text_generation()[:9]}, dtype="BF16", legacy=True,
               shards=True, generation=generate)
    yield Head("gpt2", "feature-extraction", hf.GPT2Model, gpt2(), tokenizer,
               {"feature-extraction": cases.feature_extraction()}, finish=without_prefix("transformer."))
    yield Head("gpt2", "text-classification", hf.GPT2ForSequenceClassification,
               gpt2(**labels(["bad", "good", "fair"])), tokenizer,
               {"text-classification": cases.text_classification()})
    yield Head("gpt2", "token-classification", hf.GPT2ForTokenClassification, gpt2(**labels(NER)), 
               lambda: tokenizer(pad_token="<|endoftext|>"),
               {"token-classification": cases.token_classification()}, dtype="BF16")
    yield Head("gpt2", "question-answering", hf.GPT2ForQuestionAnswering, gpt2(), tokenizer,
               {"question-answering": cases.question_answering()})


def bert_heads():
    tokenizer = vocabulary.bert
    masks = cases.fill_mask("[MASK]", "the", "river")
    yield Head("bert", "fill-mask", hf.BertForMaskedLM, bert(), tokenizer, {"fill-mask": masks}, dtype="F32",
               shards=True)
    yield Head("bert", "pretraining", hf.BertForPreTraining, bert(hidden_act="relu"), tokenizer,
               {"fill-mask": masks[:4]}, finish=gamma_beta)
    yield Head("bert", "cased", hf.BertForMaskedLM, bert(num_hidden_layers=1), lambda: tokenizer(cased=True),
               {"fill-mask": masks}, legacy=True)
    yield Head("bert", "feature-extraction", hf.BertModel, bert(), tokenizer,
               {"feature-extraction": cases.feature_extraction()})
    yield Head("bert", "text-classification", hf.BertForSequenceClassification,
               bert(**labels(["anger", "fear", "joy", "love", "sadness", "surprise", "none"])), tokenizer,
               {"text-classification": cases.text_classification()}, dtype="BF16")
    yield Head("bert", "multi-label", hf.BertForSequenceClassification,
               bert(problem_type="multi_label_classification", num_hidden_layers=1,
                    **labels(["toxic", "insult", "threat"])), tokenizer,
               {"text-classification": cases.scores_only()})
    yield Head("bert", "regression", hf.BertForSequenceClassification,
               bert(problem_type="regression", num_labels=1, num_hidden_layers=1), tokenizer,
               {"text-classification": cases.scores_only()})
    yield Head("bert", "cross-encoder", hf.BertForSequenceClassification, bert(num_labels=1, num_hidden_layers=1),
               tokenizer, {"text-classification": cases.scores_only(), "text-ranking": cases.ranking()})
    yield Head("bert", "token-classification", hf.BertForTokenClassification, bert(**labels(NER)),
               lambda: tokenizer(cased=True), {"token-classification": cases.token_classification()})
    yield Head("bert", "question-answering", hf.BertForQuestionAnswering, bert(), tokenizer,
               {"question-answering": cases.question_answering()})
    yield Head("bert", "zero-shot-classification", hf.BertForSequenceClassification, bert(**labels(NLI)), tokenizer,
               {"zero-shot-classification": cases.zero_shot()})


def distilbert_heads():
    tokenizer = vocabulary.distilbert
    yield Head("distilbert", "fill-mask", hf.DistilBertForMaskedLM, distilbert(), tokenizer,
               {"fill-mask": cases.fill_mask("[MASK]", "the", "river")})
    yield Head("distilbert", "feature-extraction", hf.DistilBertModel, distilbert(activation="relu"), tokenizer,
               {"feature-extraction": cases.feature_extraction()}, dtype="F32")
    yield Head("distilbert", "text-classification", hf.DistilBertForSequenceClassification,
               distilbert(**labels(["NEGATIVE", "POSITIVE"])), tokenizer,
               {"text-classification": cases.text_classification()})
    yield Head("distilbert", "token-classification", hf.DistilBertForTokenClassification,
               distilbert(**labels(NER)), tokenizer, {"token-classification": cases.token_classification()}, legacy=True)
    yield Head("distilbert", "question-answering", hf.DistilBertForQuestionAnswering, distilbert(), tokenizer,
               {"question-answering": cases.question_answering()})
    yield Head("distilbert", "zero-shot-classification", hf.DistilBertForSequenceClassification,
               distilbert(**labels(["ENTAILMENT", "NOT_ENTAILMENT"])), tokenizer,
               {"zero-shot-classification": cases.zero_shot()})


def roberta_heads():
    tokenizer = vocabulary.roberta
    yield Head("roberta", "fill-mask", hf.RobertaForMaskedLM, roberta(), tokenizer,
               {"fill-mask": cases.fill_mask("<mask>", "Ġthe", "Ġriver")})
    yield Head("roberta", "feature-extraction", hf.RobertaModel, roberta(), tokenizer,
               {"feature-extraction": cases.feature_extraction()}, dtype="BF16")
    yield Head("roberta", "text-classification", hf.RobertaForSequenceClassification,
               roberta(**labels(["negative", "neutral", "positive"])), tokenizer,
               {"text-classification": cases.text_classification()})
    yield Head("roberta", "token-classification", hf.RobertaForTokenClassification, roberta(**labels(NER)),
               lambda: tokenizer(add_prefix_space=True), {"token-classification": cases.token_classification()})
    yield Head("roberta", "question-answering", hf.RobertaForQuestionAnswering, roberta(), tokenizer,
               {"question-answering": cases.question_answering()}, legacy=True)
    yield Head("roberta", "zero-shot-classification", hf.RobertaForSequenceClassification, roberta(**labels(NLI)),
               tokenizer, {"zero-shot-classification": cases.zero_shot()})


def bart_heads():
    tokenizer = vocabulary.bart
    yield Head("bart", "summarization", hf.BartForConditionalGeneration, bart(), tokenizer,
               {"summarization": cases.summarization()}, readable=True, generation=BEAM_DEFAULTS,
               finish=likely_eos)
    greedy = {"num_beams": 1, "max_length": 20}
    yield Head("bart", "processors", hf.BartForConditionalGeneration, bart(), tokenizer,
               {"summarization": cases.processors(greedy, greedy | {"num_beams": 3}),
                "conversational": cases.talks(greedy) + cases.too_long_a_talk(greedy)}, readable=True,
               generation=BEAM_DEFAULTS, finish=likely_eos)
    yield Head("bart", "groups", hf.BartForConditionalGeneration, bart(), tokenizer,
               {"summarization": cases.groups({"max_length": 14}, 2)}, readable=True, generation=BEAM_DEFAULTS,
               finish=likely_eos)
    yield Head("bart", "legacy", hf.BartForConditionalGeneration, bart(scale_embedding=True, activation_function="relu"),
               tokenizer, {"summarization": cases.summarization()[:4]}, legacy=True, readable=True,
               finish=beams_in_config)
    yield Head("bart", "fill-mask", hf.BartForConditionalGeneration, bart(), tokenizer,
               {"fill-mask": cases.fill_mask("<mask>", "Ġthe", "Ġriver")}, dtype="BF16")
    yield Head("bart", "feature-extraction", hf.BartModel, bart(), tokenizer,
               {"feature-extraction": cases.feature_extraction()})
    yield Head("bart", "text-classification", hf.BartForSequenceClassification,
               bart(**labels(["bad", "good", "fair"])), tokenizer,
               {"text-classification": cases.text_classification()})
    yield Head("bart", "question-answering", hf.BartForQuestionAnswering, bart(), tokenizer,
               {"question-answering": cases.question_answering()})
    yield Head("bart", "zero-shot-classification", hf.BartForSequenceClassification, bart(**labels(NLI)), tokenizer,
               {"zero-shot-classification": cases.zero_shot()})


def pooling(width, *modes):
    keys = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "msl": "mean_sqrt_len_tokens",
            "weighted": "weightedmean_tokens", "last": "lasttoken"}
    flags = {f"pooling_mode_{name}": mode in modes for mode, name in keys.items()}
    return ("Pooling", {"word_embedding_dimension": width} | flags)


def dense(inputs, outputs, activation, bias=True):
    return ("Dense", {"in_features": inputs, "out_features": outputs, "bias": bias,
                      "activation_function": f"torch.nn.modules.{activation}"})


def sentence_heads():
    ask = {"feature-extraction": cases.embeddings(), "sentence-similarity": cases.similarity()}
    with_prompts = ask | {"feature-extraction": cases.embeddings(prompts=True)}
    small = {"num_hidden_layers": 1}
    normalize = ("Normalize", {})
    yield Head("bert", "sentence-mean", hf.BertModel, bert(**small), vocabulary.bert, with_prompts,
               modules=[pooling(40, "mean"), normalize],
               sentence={"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": None})
    yield Head("bert", "sentence-all", hf.BertModel, bert(**small), vocabulary.bert, ask,
               modules=[pooling(40, "cls", "max", "mean", "msl", "weighted", "last")])
    yield Head("roberta", "sentence-cls", hf.RobertaModel, roberta(**small), vocabulary.roberta, with_prompts,
               modules=[pooling(40, "cls"), dense(40, 24, "activation.Tanh"), normalize],
               sentence={"prompts": {"query": "query: "}, "default_prompt_name": "query"})
    yield Head("distilbert", "sentence-max", hf.DistilBertModel, distilbert(n_layers=1), vocabulary.distilbert, ask,
               modules=[pooling(40, "max", "msl"), dense(80, 20, "linear.Identity", bias=False),
                        dense(20, 12, "activation.Tanh")])
    yield Head("gpt2", "sentence-weighted", hf.GPT2Model, gpt2(n_layer=1), lambda: vocabulary.gpt2(pad_token="<|endoftext|>"),
               ask, modules=[pooling(40, "weighted"), normalize])
    yield Head("gpt2", "sentence-last", hf.GPT2Model, gpt2(n_layer=1), lambda: vocabulary.gpt2(pad_token="<|endoftext|>"),
               ask, modules=[pooling(40, "last")])


def all_heads():
    import decoders
    import encoders
    import every_head
    import hooks
    import hub
    import long_texts
    import multilingual
    import seq2seq
    import tables
    for rows in (gpt2_heads, bert_heads, distilbert_heads, roberta_heads, bart_heads, sentence_heads,
                 decoders.all_heads, encoders.all_heads, hooks.all_heads, hub.all_heads, seq2seq.all_heads,
                 long_texts.all_heads, multilingual.all_heads, tables.all_heads, every_head.all_heads):
        yield from rows()
