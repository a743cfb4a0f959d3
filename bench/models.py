"""Models of real sizes with random weights, for the benchmark: equal for Brisk and its peers.

Speed depends on shapes, not on what the weights say. The tokenizers are made here too (bytes for
the decoder, numbered words for the encoders), so that nothing has to be downloaded.
"""

import json
import os
import shutil

WORDS = 30000
LABELS = 2
MADE = "2"  # of the makers below: another one makes all models anew


def word(i):
    """The i-th word of the encoders' vocabulary: letters only, so that it is one token."""
    letters = ""
    for _ in range(4):
        letters += "abcdefghijklmnopqrstuvwxyz"[i % 26]
        i //= 26
    return letters


def sentence(tokens):
    """A sentence that is `tokens` tokens long for the encoders, with [CLS] and [SEP]."""
    return " ".join(word(7 * i + 1) for i in range(tokens - 2))


def prompt(tokens):
    """A text that is `tokens` tokens long for the decoder: one a character."""
    return ("the quick brown fox jumps over the lazy dog " * (tokens // 40 + 1))[:tokens].rstrip("\n")


def words(tokens):
    """A text that is `tokens` tokens long, </s> included, for the encoder-decoders."""
    return " ".join(word(7 * i + 1) for i in range(tokens - 1))


def _write(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        json.dump(value, f)


def _wordpiece(folder, tokenizer="BertTokenizer"):
    vocab = ["[PAD]"] + [f"[unused{i}]" for i in range(99)] + ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab += [word(i) for i in range(WORDS)]
    vocab += [f"[filler{i}]" for i in range(30522 - len(vocab))]
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(vocab) + "\n")
    _write(folder, "tokenizer_config.json",
           {"tokenizer_class": tokenizer, "do_lower_case": True, "model_max_length": 512})


def _bytes(folder, size=50257):
    from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

    tokens = list(bytes_to_unicode().values())
    vocab = {t: i for i, t in enumerate(tokens)}
    for i in range(len(vocab), size - 1):
        vocab[f"<filler{i}>"] = i
    vocab["<|endoftext|>"] = size - 1
    _write(folder, "vocab.json", vocab)
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n")
    _write(folder, "tokenizer_config.json", {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 1024})


def _gpt2(folder, **sizes):
    from transformers import GPT2Config, GPT2LMHeadModel

    # No EOS: every run makes all the tokens asked for.
    GPT2LMHeadModel(GPT2Config(eos_token_id=None, bos_token_id=50256, pad_token_id=50256, **sizes)).save_pretrained(folder)
    _bytes(folder)


def _gpt2_medium(folder):
    _gpt2(folder, n_embd=1024, n_layer=24, n_head=16)


def _qwen2(folder):
    from transformers import Qwen2Config, Qwen2ForCausalLM

    # The size of Qwen2-0.5B.
    Qwen2ForCausalLM(Qwen2Config(
        vocab_size=151936, hidden_size=896, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2,
        intermediate_size=4864, max_position_embeddings=4096, rope_theta=1e6, tie_word_embeddings=True, eos_token_id=None,
        bos_token_id=151935, pad_token_id=151935)).save_pretrained(folder)
    _bytes(folder, 151936)


def _minilm(folder):
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
                                 intermediate_size=1536))
    model.save_pretrained(folder)
    _wordpiece(folder)
    os.makedirs(os.path.join(folder, "1_Pooling"), exist_ok=True)
    _write(folder, "1_Pooling/config.json",
           {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True})
    _write(folder, "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])


def _classifier(model, folder, tokenizer="BertTokenizer"):
    """With a last layer whose labels depend on the text, as a trained one's do: answers are compared."""
    model.classifier.weight.data.normal_(0, 0.2)
    model.save_pretrained(folder)
    _wordpiece(folder, tokenizer)


def _bert_base(folder):
    from transformers import BertConfig, BertForSequenceClassification

    _classifier(BertForSequenceClassification(BertConfig(num_labels=LABELS)), folder)


def _distilbert(folder):
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    _classifier(DistilBertForSequenceClassification(DistilBertConfig(num_labels=LABELS)), folder, "DistilBertTokenizer")


def _numbered_words(folder, size, pad, eos, **special):
    """A tokenizer of whole words, the same for all encoder-decoders: their own need trained pieces."""
    import tokenizers
    from transformers import PreTrainedTokenizerFast

    vocab = {f"<filler{i}>": i for i in range(size)}
    for token, i in {"<pad>": pad, "</s>": eos, "<unk>": 3, **{t: 0 for t in special.values()}}.items():
        del vocab[f"<filler{i}>"]
        vocab[token] = i
    for i in range(4, min(size - 2, WORDS)):
        del vocab[f"<filler{i}>"]
        vocab[word(i)] = i
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocab, unk_token="<unk>"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    model.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", eos)])
    PreTrainedTokenizerFast(tokenizer_object=model, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
                            model_max_length=1024, **special).save_pretrained(folder)


def _t5_small(folder):
    from transformers import T5Config, T5ForConditionalGeneration

    T5ForConditionalGeneration(T5Config(decoder_start_token_id=0)).save_pretrained(folder)
    _numbered_words(folder, 32100, 0, 1)


def _marian(folder):
    from transformers import MarianConfig, MarianMTModel

    # OPUS-MT's size. Its vocabulary ends with <pad>, which the decoder begins with.
    MarianMTModel(MarianConfig(
        vocab_size=58101, d_model=512, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=2048, decoder_ffn_dim=2048,
        encoder_attention_heads=8, decoder_attention_heads=8, max_position_embeddings=512, activation_function="swish",
        scale_embedding=True, eos_token_id=0, forced_eos_token_id=0, pad_token_id=58100,
        decoder_start_token_id=58100)).save_pretrained(folder)
    _numbered_words(folder, 58101, 58100, 0)


def _bart_base(folder):
    from transformers import BartConfig, BartForConditionalGeneration

    # normalize_before: as the first files of BART say it; converters ask for it.
    BartForConditionalGeneration(BartConfig(
        normalize_before=False,
        vocab_size=50265, d_model=768, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=3072, decoder_ffn_dim=3072,
        encoder_attention_heads=12, decoder_attention_heads=12, forced_eos_token_id=2)).save_pretrained(folder)
    _numbered_words(folder, 50265, 1, 2, bos_token="<s>")


MAKERS = {"gpt2": _gpt2, "gpt2-medium": _gpt2_medium, "qwen2-0.5b": _qwen2, "minilm": _minilm, "distilbert": _distilbert,
          "bert-base": _bert_base, "t5-small": _t5_small, "marian": _marian, "bart-base": _bart_base}


def make(root, name):
    """The folder of model `name` under root, made when it is not there yet."""
    folder = os.path.join(root, name)
    once(folder, MADE, lambda: _made(name, folder))
    return folder


def _made(name, folder):
    import torch

    torch.manual_seed(0)
    MAKERS[name](folder)


def once(folder, version, fill):
    """Lets fill() put files into the folder unless they are there from a run of the same version."""
    mark = os.path.join(folder, "made")
    if not os.path.exists(mark) or open(mark, encoding="ascii").read() != version:
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        fill()
        with open(mark, "w", encoding="ascii") as f:
            f.write(version)
