"""The golden folders of encoder families: a row a model, of the smallest odd configuration that shows what is
particular about the family. BERT's, DistilBERT's and RoBERTa's own, with all their cases, are in heads.py."""
import transformers as hf

import cases
import vocabulary
from heads import NER, Head, edit_weights, labels

SMALL = {"vocab_size": 401, "hidden_size": 24, "intermediate_size": 44, "num_hidden_layers": 2, "num_attention_heads": 4,
         "max_position_embeddings": 66, "pad_token_id": 0}
ROBERTA = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}


def wordpiece():
    return vocabulary.bert(size=401)


def byte_bpe():
    return vocabulary.roberta(size=401)


def some(rows, *names):
    return [row for row in rows if row[0] in names]


def masks(tokenizer):
    mask, words = ("<mask>", ("Ġthe", "Ġriver")) if tokenizer is byte_bpe else ("[MASK]", ("the", "river"))
    return some(cases.fill_mask(mask, *words), "string", "list", "two masks", "white space", "too long")


def rows_of(family, name, config, heads=("mask", "sequence"), change=None, tokenizer=wordpiece, head=None, library=hf,
            **more):
    """Folders of one family: masked tokens, and where asked a classifier of texts, of tokens, of spans, hidden
    states alone. `head` is put before the folders' names; the classes are the library's."""
    def row(kind, task, suffix, asked, more_config=()):
        values = SMALL | (ROBERTA if tokenizer is byte_bpe else {}) | (change or {}) | dict(more_config)
        cls = name + suffix if not suffix.startswith("*") else suffix[1:]
        if kind in heads:
            folder = f"{head}-{task}" if head else task
            yield Head(family, folder, getattr(library, cls), config(**values), tokenizer, {task: asked}, **more)
    suffixes = {"mask": "ForMaskedLM", "sequence": "ForSequenceClassification", "token": "ForTokenClassification",
                "span": "ForQuestionAnswering", "hidden": "Model"} | more.pop("suffixes", {})
    yield from row("mask", "fill-mask", suffixes["mask"], masks(tokenizer))
    yield from row("sequence", "text-classification", suffixes["sequence"],
                   some(cases.text_classification(), "string", "list", "pair", "pair too long", "none"),
                   labels(["bad", "good", "fair"]))
    yield from row("token", "token-classification", suffixes["token"],
                   some(cases.token_classification(), "string", "list", "nothing ignored"), labels(NER))
    yield from row("span", "question-answering", suffixes["span"],
                   some(cases.question_answering(), "object", "list", "unicode", "windows"))
    yield from row("hidden", "feature-extraction", suffixes["hidden"], cases.feature_extraction()[:2])


def roberta_kin_heads():
    small = {"type_vocab_size": 1, "layer_norm_eps": 1e-5}
    yield from rows_of("roberta", "XLMRoberta", hf.XLMRobertaConfig, tokenizer=byte_bpe, change=small,
                       head="xlm-roberta")
    yield from rows_of("roberta", "Camembert", hf.CamembertConfig, ("mask", "token"), tokenizer=byte_bpe,
                       change=small, head="camembert")
    yield from rows_of("roberta", "Data2VecText", hf.Data2VecTextConfig, tokenizer=byte_bpe, change=small,
                       head="data2vec")
    yield from rows_of("xlm-roberta-xl", "XLMRobertaXL", hf.XLMRobertaXLConfig, ("mask", "sequence", "hidden"),
                       tokenizer=byte_bpe)


def albert_heads():
    groups = {"embedding_size": 14, "num_hidden_layers": 4, "num_hidden_groups": 2}
    yield from rows_of("albert", "Albert", hf.AlbertConfig, ("mask", "sequence", "span"), groups)
    yield from rows_of("albert", "Albert", hf.AlbertConfig, ("hidden",),
                       {"embedding_size": 24, "num_hidden_layers": 3})


def electra_heads():
    yield from rows_of("electra", "Electra", hf.ElectraConfig, ("mask", "sequence", "token"), {"embedding_size": 14})
    yield from rows_of("electra", "Electra", hf.ElectraConfig, ("hidden",), {"embedding_size": 24},
                       suffixes={"hidden": "Model"})


def rembert_heads():
    sizes = {"input_embedding_size": 14, "output_embedding_size": 20}
    yield from rows_of("rembert", "RemBert", hf.RemBertConfig, change=sizes)


def mpnet_heads():
    yield from rows_of("mpnet", "MPNet", hf.MPNetConfig, ("mask", "sequence", "token"), tokenizer=byte_bpe)


def ernie_heads():
    yield from rows_of("ernie", "Ernie", hf.ErnieConfig, ("mask", "sequence"), {"use_task_id": True})
    yield from rows_of("ernie", "Ernie", hf.ErnieConfig, ("hidden",))


def without_sines(folder):
    """In half precision the table of sines would be another than the one that is computed."""
    edit_weights(folder, lambda t: {k: v for k, v in t.items() if "embed_positions" not in k})


def roformer_heads():
    yield from rows_of("roformer", "RoFormer", hf.RoFormerConfig, ("mask", "sequence"), {"embedding_size": 14},
                       finish=without_sines)
    yield from rows_of("roformer", "RoFormer", hf.RoFormerConfig, ("span", "hidden"), {"rotary_value": True},
                       finish=without_sines)


def squeezebert_heads():
    groups = {"embedding_size": 24, "q_groups": 2, "k_groups": 4, "v_groups": 1, "post_attention_groups": 3,
              "intermediate_groups": 4, "output_groups": 2}
    yield from rows_of("squeezebert", "SqueezeBert", hf.SqueezeBertConfig, change=groups)


def modernbert_heads():
    layers = {"num_hidden_layers": 4, "local_attention": 7, "reference_compile": False, "global_rope_theta": 500.0,
              "local_rope_theta": 30.0, "intermediate_size": 28, "cls_token_id": 0, "sep_token_id": 2}
    yield from rows_of("modernbert", "ModernBert", hf.ModernBertConfig, ("mask", "sequence", "token", "span"), layers,
                       byte_bpe)
    yield from rows_of("modernbert", "ModernBert", hf.ModernBertConfig, ("sequence", "hidden"), layers | {
        "classifier_pooling": "mean", "global_attn_every_n_layers": 2, "local_rope_theta": None, "norm_bias": True,
        "attention_bias": True, "mlp_bias": True, "classifier_bias": True, "classifier_activation": "relu"},
        byte_bpe, head="mean")


def xlm_heads():
    names = {"mask": "WithLMHeadModel", "span": "ForQuestionAnsweringSimple"}
    keys = {"emb_dim": 24, "n_layers": 2, "n_heads": 4, "hidden_size": 24, "num_hidden_layers": 2,
            "num_attention_heads": 4, "n_langs": 3, "mask_token_id": 4}
    yield from rows_of("xlm", "XLM", hf.XLMConfig, ("mask", "sequence", "token", "span"), keys, suffixes=names)
    yield from rows_of("xlm", "Flaubert", hf.FlaubertConfig, ("mask", "sequence"), keys | {
        "pre_norm": True, "gelu_activation": False, "layer_norm_eps": 1e-6, "summary_activation": "tanh"},
                       suffixes=names, head="flaubert")


def esm_heads():
    """In single precision: the frequencies of rotary positions are stored with the weights."""
    small = {"hidden_size": 16, "token_dropout": True, "mask_token_id": 4, "hidden_act": "gelu"}
    yield from rows_of("esm", "Esm", hf.EsmConfig, change=small | {"position_embedding_type": "rotary"},
                       tokenizer=byte_bpe, dtype="F32")
    yield from rows_of("esm", "Esm", hf.EsmConfig, ("mask", "token"), small | {"emb_layer_norm_before": True},
                       byte_bpe, head="learned")


def all_heads():
    for rows in (roberta_kin_heads, albert_heads, electra_heads, rembert_heads, mpnet_heads, ernie_heads,
                 roformer_heads, squeezebert_heads, modernbert_heads, xlm_heads, esm_heads):
        yield from rows()
