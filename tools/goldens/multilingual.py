"""The golden folders of translation models that know several languages: a text's languages are tokens, which the
request's src_lang and tgt_lang choose."""
import json
import pathlib
import tempfile

import transformers as hf

import cases
import networks
from heads import Head, edit_weights, labels
from seq2seq import FAIRSEQ, LABELS, SMALL, asked, class_defaults, from_pieces, sentencepiece, size_of


# ---- tokenizers -------------------------------------------------------------------------------------
def mbart(**options):
    return from_pieces(hf.MBartTokenizerFast, 200, FAIRSEQ, **options)


def mbart50(**options):
    return from_pieces(hf.MBart50TokenizerFast, 200, FAIRSEQ, **options)


def nllb(**options):
    return from_pieces(hf.NllbTokenizerFast, 200, FAIRSEQ, **options)


class SavedM2M(hf.M2M100Tokenizer):
    """Keeps its pieces when the folder it came from is gone."""

    def save_vocabulary(self, folder, filename_prefix=None):
        root = pathlib.Path(folder)
        networks.write_json(root / "vocab.json", self.encoder)
        (root / "sentencepiece.bpe.model").write_bytes(self.sp_model.serialized_model_proto())
        return ("vocab.json", "sentencepiece.bpe.model")


SavedM2M.__name__ = "M2M100Tokenizer"


def m2m(**options):
    """Slow: its pieces are found in vocab.json, its languages behind them."""
    import sentencepiece as library
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        model = root / "sentencepiece.bpe.model"
        model.write_bytes(sentencepiece(200, **FAIRSEQ))
        pieces = library.SentencePieceProcessor(model_file=str(model))
        tokens = ["<s>", "<pad>", "</s>", "<unk>"] + [pieces.id_to_piece(i) for i in range(3, len(pieces))]
        (root / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}), encoding="utf-8")
        return SavedM2M(vocab_file=str(root / "vocab.json"), spm_file=str(model), model_max_length=64,
                        additional_special_tokens=[f"__{code}__" for code in FAIRSEQ_LANGUAGE_CODES["m2m100"]],
                        **options)


# ---- weights ----------------------------------------------------------------------------------------
def lively(factor=5, end=0.0):
    """What layers add outweighs the token itself, whose embedding would be its own likeliest successor; languages are
    seldom written, `end` raises the bias of </s>."""
    def finish(folder):
        tokenizer = hf.AutoTokenizer.from_pretrained(folder)
        codes = [i for i in tokenizer.all_special_ids if i > 3 and tokenizer.mask_token_id != i]

        def change(tensors):
            for name, tensor in tensors.items():
                if name.endswith(("fc2.weight", "attn.out_proj.weight")):
                    tensor *= factor
                if name.endswith(("shared.weight", "embed_tokens.weight")):
                    tensor[codes] *= 0.3
            if end:
                tensors["final_logits_bias"][0, 2] += end
            return tensors
        edit_weights(folder, change)
    return finish


# ---- what is asked ----------------------------------------------------------------------------------
def translation(*pairs):
    """The cases of asked(), each with the next pair of languages."""
    return [(f"{name}, {source} to {target}", inputs, parameters | {"src_lang": source, "tgt_lang": target})
            for i, (name, inputs, parameters) in enumerate(asked())
            for source, target in [pairs[i % len(pairs)]]]


GENERATION = {"max_new_tokens": 9, "num_beams": 2, "no_repeat_ngram_size": 2}


def translating(family, head, cls, config, tokenizer, pairs, more=None, **options):
    return Head(family, head, cls, config, tokenizer, {"translation": translation(*pairs)} | (more or {}),
                readable=True, generation=GENERATION, **{"finish": lively(24 if family == "m2m_100" else 5)} | options)


def sizes(tokenizer, **more):
    return SMALL | {"vocab_size": size_of(tokenizer())} | more


# ---- families ---------------------------------------------------------------------------------------
def mbart_heads():
    def make(tokenizer=mbart, **more):
        return hf.MBartConfig(**sizes(tokenizer, **more))
    start = mbart().convert_tokens_to_ids("ro_RO")
    pairs = [("en_XX", "ro_RO"), ("fr_XX", "de_DE"), ("zh_CN", "en_XX")]
    yield translating("mbart", "translation", hf.MBartForConditionalGeneration, make(decoder_start_token_id=start), mbart,
                      pairs, {"text2text-generation": asked()[:3], "summarization": asked()[:2]},
                      finish=lively(end=1.5))
    yield translating("mbart", "mbart50", hf.MBartForConditionalGeneration,
                      make(mbart50, scale_embedding=True, activation_function="relu"),
                      lambda: mbart50(src_lang="fr_XX", tgt_lang="uk_UA"), pairs,
                      {"text2text-generation": asked()[:3]}, dtype="BF16")
    yield class_defaults("mbart", hf.MBartForConditionalGeneration, make(decoder_start_token_id=start), mbart)
    yield Head("mbart", "text-generation", hf.MBartForCausalLM, make(is_decoder=True, is_encoder_decoder=False, max_position_embeddings=96), mbart,
               {"text-generation": cases.text_generation()[:6]}, readable=True,
               generation={"max_new_tokens": 11, "do_sample": False, "no_repeat_ngram_size": 2}, finish=lively())
    yield Head("mbart", "fill-mask", hf.MBartForConditionalGeneration, make(), mbart,
               {"fill-mask": cases.fill_mask("<mask>", "▁the", "▁river")})
    yield Head("mbart", "feature-extraction", hf.MBartModel, make(), mbart,
               {"feature-extraction": cases.feature_extraction()[:3]})
    yield Head("mbart", "text-classification", hf.MBartForSequenceClassification, make(**labels(LABELS)), mbart,
               {"text-classification": cases.text_classification()})
    yield Head("mbart", "question-answering", hf.MBartForQuestionAnswering, make(), mbart,
               {"question-answering": cases.question_answering()})


def m2m_100_heads():
    def make(tokenizer, **more):
        return hf.M2M100Config(**sizes(tokenizer, **more))
    cls = hf.M2M100ForConditionalGeneration
    yield translating("m2m_100", "translation", cls, make(m2m), m2m, [("en", "fr"), ("de", "zh"), ("ar", "ilo")],
                      {"translation_fr_to_sw": asked()[:2], "text2text-generation": asked()[:2]})
    pairs = [("eng_Latn", "fra_Latn"), ("zho_Hans", "zul_Latn"), ("ace_Arab", "eng_Latn")]
    codes = [code for pair in pairs for code in pair]

    def few(**options):
        return nllb(additional_special_tokens=list(dict.fromkeys(codes)), **options)
    yield translating("m2m_100", "nllb", cls, make(few), few, pairs,
                      {"text2text-generation": asked()[:2]}, dtype="BF16")
    yield translating("m2m_100", "nllb-legacy", cls, make(few, d_model=20, scale_embedding=False, activation_function="gelu"),
                      lambda: few(legacy_behaviour=True), pairs)


def all_heads():
    for rows in (mbart_heads, m2m_100_heads):
        yield from rows()
