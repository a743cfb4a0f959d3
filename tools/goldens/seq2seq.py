"""The golden folders of encoder-decoder families: a row a model, of the smallest odd configuration that shows what is
particular about the family. BART's own, with all its cases, are in heads.py."""
import functools
import json
import pathlib
import tempfile

import transformers as hf

import cases
import networks
import pieces
import vocabulary
from heads import Head, edit_weights, labels

SMALL = {"vocab_size": 407, "d_model": 24, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 4,
         "decoder_attention_heads": 2, "encoder_ffn_dim": 44, "decoder_ffn_dim": 36, "max_position_embeddings": 64,
         "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2,
         "forced_eos_token_id": None, "forced_bos_token_id": None}
T5 = {"d_model": 24, "d_kv": 10, "d_ff": 44, "num_layers": 2, "num_decoder_layers": 1, "num_heads": 3,
      "relative_attention_num_buckets": 10, "relative_attention_max_distance": 14, "decoder_start_token_id": 0}
LABELS = ["bad", "good", "fair"]
FAIRSEQ = {"unk_id": 0, "bos_id": 1, "eos_id": 2}


# ---- tokenizers -------------------------------------------------------------------------------------
@functools.cache
def sentencepiece(size, **ids):
    return pieces.train(vocabulary.CORPUS.read_text(encoding="utf-8"), "unigram", size, **dict(ids))


def from_pieces(cls, size, ids, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "sentencepiece.model"
        path.write_bytes(sentencepiece(size, **ids))
        return cls(vocab_file=str(path), model_max_length=64, **options)


def t5_tokenizer():
    return from_pieces(hf.T5TokenizerFast, 300, {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}, extra_ids=2)


def languages(cls, **options):
    return from_pieces(cls, 200, FAIRSEQ, **options)


def m2m_tokenizer():
    """Slow: its pieces are found in vocab.json."""
    import sentencepiece as library
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        model = root / "sentencepiece.bpe.model"
        model.write_bytes(sentencepiece(200, **FAIRSEQ))
        spm = library.SentencePieceProcessor(model_file=str(model))
        tokens = ["<s>", "<pad>", "</s>", "<unk>"] + [spm.id_to_piece(i) for i in range(3, len(spm))]
        (root / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}), encoding="utf-8")
        return SavedM2M(vocab_file=str(root / "vocab.json"), spm_file=str(model), src_lang="en", tgt_lang="fr",
                        model_max_length=64)


class SavedM2M(hf.M2M100Tokenizer):
    """Keeps its pieces when the folder it came from is gone."""

    def save_vocabulary(self, folder, filename_prefix=None):
        root = pathlib.Path(folder)
        networks.write_json(root / "vocab.json", self.encoder)
        (root / "sentencepiece.bpe.model").write_bytes(self.sp_model.serialized_model_proto())
        return ("vocab.json", "sentencepiece.bpe.model")


SavedM2M.__name__ = "M2M100Tokenizer"


def size_of(tokenizer):
    return max(tokenizer.get_vocab().values()) + 1


# ---- what is asked ----------------------------------------------------------------------------------
def asked(**more):
    greedy, beams = {"num_beams": 1, "max_new_tokens": 12} | more, {"num_beams": 3, "max_new_tokens": 10} | more
    return [
        ("greedy", cases.FIRST, greedy),
        ("greedy list", cases.MIXED, greedy),
        ("defaults of the folder", cases.SHORT, more),
        ("beams", cases.FIRST, beams),
        ("beams of a list", cases.MIXED, beams),
        ("beams, two of four", cases.SHORT, beams | {"num_beams": 4, "num_return_sequences": 2}),
        ("too long", cases.LONG, greedy),
    ]


def likely_end(token, amount=2.0):
    """Raises the bias of the token that ends texts, so that hypotheses end at different lengths."""
    def finish(folder):
        def change(tensors):
            tensors["final_logits_bias"][0, token] += amount
            return tensors
        edit_weights(folder, change)
    return finish


def generating(family, head, cls, config, tokenizer, task="text2text-generation", rows=None, **more):
    return Head(family, head, cls, config, tokenizer, {task: rows or asked()}, readable=True,
                generation={"max_new_tokens": 9, "num_beams": 2}, **more)


# ---- families ---------------------------------------------------------------------------------------
def t5_heads():
    def make(config=hf.T5Config, **more):
        return config(**T5 | {"vocab_size": size_of(t5_tokenizer())} | more)
    gated = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    prefixes = {"translation_en_to_de": {"prefix": "translate English to German: ", "num_beams": 3, "max_length": 12},
                "summarization": {"prefix": "summarize: ", "num_beams": 4, "max_length": 14, "no_repeat_ngram_size": 3}}
    yield Head("t5", "text2text-generation", hf.T5ForConditionalGeneration, make(task_specific_params=prefixes),
               t5_tokenizer, {"text2text-generation": asked(), "translation_en_to_de": asked()[2:5],
                              "summarization": asked()[2:5]}, generation={"max_new_tokens": 9, "num_beams": 2})
    yield generating("t5", "gated", hf.T5ForConditionalGeneration, make(**gated), t5_tokenizer)
    yield generating("t5", "mt5", hf.MT5ForConditionalGeneration, make(hf.MT5Config, num_heads=2), t5_tokenizer)
    yield generating("t5", "umt5", hf.UMT5ForConditionalGeneration, make(hf.UMT5Config), t5_tokenizer)
    yield Head("t5", "feature-extraction", hf.T5EncoderModel, make(), t5_tokenizer,
               {"feature-extraction": cases.feature_extraction()})
    yield Head("t5", "text-classification", hf.T5ForSequenceClassification, make(**labels(LABELS)), t5_tokenizer,
               {"text-classification": cases.text_classification(pairs=False)})
    yield Head("t5", "token-classification", hf.T5ForTokenClassification,
               make(**labels(["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "LOC"])), t5_tokenizer,
               {"token-classification": cases.token_classification()})
    yield Head("t5", "question-answering", hf.T5ForQuestionAnswering, make(num_labels=2), t5_tokenizer,
               {"question-answering": cases.question_answering()})


def all_heads():
    for rows in (t5_heads,):
        yield from rows()
