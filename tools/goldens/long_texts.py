"""The golden folders of encoder-decoders whose encoder is for long texts: windows, blocks and tokens that stand for
many. Windows are small and of odd sizes, so that even short texts end inside one. transformers pads batches to a
multiple of the window; what is expected is always the text's answer alone."""
import transformers as hf

import cases
import vocabulary
from heads import NLI, Head, labels
from seq2seq import LABELS, SMALL, T5, asked, class_defaults, decoder_alone, generating, likely_end, size_of, t5_tokenizer


def led_tokenizer():
    return vocabulary.byte_bpe(407, vocabulary.ROBERTA_SPECIAL, hf.LEDTokenizerFast)


def longer(tokenizer, most=100):
    """Texts of more tokens than attention takes at once."""
    def make():
        made = tokenizer()
        made.model_max_length = most
        return made
    return make


def led_heads():
    base = {k: v for k, v in SMALL.items() if k != "max_position_embeddings"} | {
        "attention_window": [6, 6], "max_encoder_position_embeddings": 66, "max_decoder_position_embeddings": 40}

    def make(**more):
        return hf.LEDConfig(**base | more)
    tokenizer = led_tokenizer
    yield generating("led", "text2text-generation", hf.LEDForConditionalGeneration, make(), tokenizer,
                     finish=likely_end(2))
    yield generating("led", "summarization", hf.LEDForConditionalGeneration,
                     make(attention_window=4, activation_function="relu", encoder_layers=1, decoder_layers=2),
                     tokenizer, task="summarization", rows=asked()[:5], dtype="BF16")
    # Classifiers hand the text to the decoder too, whose positions hold all of it here.
    whole = {"max_decoder_position_embeddings": 64}
    yield Head("led", "feature-extraction", hf.LEDModel, make(**whole), tokenizer,
               {"feature-extraction": cases.feature_extraction()})
    yield Head("led", "text-classification", hf.LEDForSequenceClassification, make(**whole | labels(LABELS)), tokenizer,
               {"text-classification": cases.text_classification()})
    yield Head("led", "zero-shot-classification", hf.LEDForSequenceClassification, make(**whole | labels(NLI)),
               tokenizer, {"zero-shot-classification": cases.zero_shot()[:4]})
    yield Head("led", "question-answering", hf.LEDForQuestionAnswering, make(**whole), tokenizer,
               {"question-answering": cases.question_answering()})


def longt5_heads():
    def make(**more):
        return hf.LongT5Config(**T5 | {"vocab_size": size_of(t5_tokenizer()), "local_radius": 5} | more)
    # Most texts end inside a block of 7, "Rain." in the first.
    blocks = {"encoder_attention_type": "transient-global", "global_block_size": 7}
    gated = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    yield generating("longt5", "text2text-generation", hf.LongT5ForConditionalGeneration, make(), t5_tokenizer)
    yield generating("longt5", "global", hf.LongT5ForConditionalGeneration, make(**blocks), t5_tokenizer)
    yield generating("longt5", "gated", hf.LongT5ForConditionalGeneration,
                     make(**blocks | gated | {"global_block_size": 4, "local_radius": 3}), t5_tokenizer,
                     task="summarization", rows=asked()[:5], dtype="BF16")
    yield Head("longt5", "feature-extraction", hf.LongT5EncoderModel, make(**blocks), longer(t5_tokenizer),
               {"feature-extraction": cases.feature_extraction()})


def pegasus_x_heads():
    def make(**more):
        return hf.PegasusXConfig(**SMALL | {"vocab_size": size_of(t5_tokenizer()), "encoder_layers": 3,
                                            "bos_token_id": None, "pad_token_id": 0, "eos_token_id": 1,
                                            "decoder_start_token_id": 0, "num_global_tokens": 3, "block_size": 10} | more)
    yield generating("pegasus_x", "text2text-generation", hf.PegasusXForConditionalGeneration, make(), t5_tokenizer)
    yield class_defaults("pegasus_x", hf.PegasusXForConditionalGeneration, make(), t5_tokenizer)
    yield generating("pegasus_x", "summarization", hf.PegasusXForConditionalGeneration,
                     make(scale_embedding=False, activation_function="relu", block_size=6, num_global_tokens=19),
                     t5_tokenizer, task="summarization", dtype="BF16")
    yield generating("pegasus_x", "even", hf.PegasusXForConditionalGeneration,
                     make(stagger_local_blocks=False, block_size=7, encoder_layers=2), t5_tokenizer)


def prophetnet_tokenizer():
    return vocabulary.wordpiece(433, False, cls=hf.ProphetNetTokenizer)


def prophetnet_heads():
    base = {"vocab_size": 433, "hidden_size": 24, "encoder_ffn_dim": 44, "num_encoder_layers": 2,
            "num_encoder_attention_heads": 4, "decoder_ffn_dim": 36, "num_decoder_layers": 2,
            "num_decoder_attention_heads": 3, "max_position_embeddings": 64, "ngram": 2, "num_buckets": 6,
            "relative_max_distance": 9, "pad_token_id": 0}
    sep = prophetnet_tokenizer().sep_token_id

    def make(**more):
        return hf.ProphetNetConfig(**base | {"bos_token_id": sep, "eos_token_id": sep, "decoder_start_token_id": sep} | more)
    yield generating("prophetnet", "text2text-generation", hf.ProphetNetForConditionalGeneration, make(),
                     prophetnet_tokenizer, rows=asked() + [
                         ("long", cases.FIRST, {"num_beams": 1, "max_new_tokens": 30}),
                         # As many tokens as the table has rows: the first is padding's, two share the last.
                         ("long ones", [cases.LONG[i:] for i in range(12, 72, 12)], {"num_beams": 1, "max_new_tokens": 24})])
    yield generating("prophetnet", "summarization", hf.ProphetNetForConditionalGeneration,
                     make(ngram=3, activation_function="relu", num_decoder_layers=1, tie_word_embeddings=False),
                     prophetnet_tokenizer, task="summarization", dtype="BF16")
    yield decoder_alone("prophetnet", hf.ProphetNetForCausalLM, make(), prophetnet_tokenizer)


def all_heads():
    for rows in (led_heads, longt5_heads, pegasus_x_heads, prophetnet_heads):
        yield from rows()
