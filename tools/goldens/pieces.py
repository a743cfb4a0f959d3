"""Folders for tools/goldens/tokenizer.py: the classes of transformers that have a fast form, from
their legacy files and from tokenizer.json. Tiny SentencePiece models are trained here, Unigram and
BPE, with and without byte fallback, charsmap and user-defined pieces; the same bytes on every run.
"""
import io
import json
import os
import random
import shutil
import tempfile

import sentencepiece

PREFIX = "class-"  # of the folders' names
SPECIALS = ["<mask>", "[CLS]", "[SEP]", "[MASK]", "[PAD]", "<sep>", "<cls>", "<pad>"]
TEXTS = [
    "", " ", "the quick brown fox, it's over 1234 dogs.", "  two  spaces\n\nlines\ttab ",
    "``quoted'' (9,000) \uff21\ufb01n \u00bd\u3000\u00e9e\u0301\u00ad\u30ab\u3099", "\u043f\u0440\u0438\u0432\u0435\u0442 \u6771\u4eac \U0001f600\u00ff",
    "<s>a</s> <mask>b <mask> [MASK] [CLS]<pad><unk> dog.", "en_XX eng_Latn <extra_id_0> new tok<sep>  <start_of_turn>the",
    "FOX \u00c9COLE don't", "\u2581the\u2581 fox",
]
# A few rules in place of NFKC, whose table has 240 KB: what is normalized to what, as code points.
RULES = {"\ufb01": "fi", "\uff21": "A", "\u00bd": "1\u20442", "\u3000": " ", "\u00a0": " ", "\u00ad": "",
         "e\u0301": "\u00e9", "\u30ab\u3099": "\u30ac", "\t": " ", "\n": " ", "\u2126": "\u03a9"}


def words_of(corpus):
    rng = random.Random(3)
    words = corpus.split()
    return [" ".join(rng.choice(words) for _ in range(rng.randrange(3, 9))) for _ in range(400)]


def train(corpus, kind, size, charsmap=False, **settings):
    """A model's bytes. Nothing of the place or time of training stays in them."""
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)
        try:
            if charsmap:
                with open("rules.tsv", "w", encoding="utf-8") as file:
                    for source, target in RULES.items():
                        file.write("\t".join(" ".join(f"{ord(c):04X}" for c in text)
                                             for text in (source, target)) + "\n")
                settings["normalization_rule_tsv"] = "rules.tsv"
            else:
                settings.setdefault("normalization_rule_name", "identity")
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(words_of(corpus)), model_writer=model, model_type=kind,
                vocab_size=size, hard_vocab_limit=False, num_threads=1, minloglevel=2,
                character_coverage=1.0, **settings)
        finally:
            os.chdir(before)
    return model.getvalue()


def models(corpus):
    latin = "\n".join(corpus.splitlines()[:4])
    fairseq = {"unk_id": 0, "bos_id": 1, "eos_id": 2}
    t5 = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    return {
        "unigram": train(corpus, "unigram", 420, True, **fairseq),
        "plain": train(latin, "unigram", 160, **fairseq, user_defined_symbols=["<sep>", "dog."]),
        "t5": train(latin, "unigram", 160, True, **t5),
        "albert": train(latin, "unigram", 160, True, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1,
                        control_symbols=["[CLS]", "[SEP]"], user_defined_symbols=["[MASK]", "(", ")", "9,"]),
        "bytes": train(latin, "unigram", 400, byte_fallback=True, **fairseq),
        "llama": train(latin, "bpe", 420, byte_fallback=True, split_digits=True, **fairseq,
                       allow_whitespace_only_pieces=True, remove_extra_whitespaces=False),
        "gemma": train(latin, "bpe", 420, byte_fallback=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
                       add_dummy_prefix=False, remove_extra_whitespaces=False,
                       user_defined_symbols=["<mask>", "\n", "\n\n", "\u2581\u2581", "<start_of_turn>"]),
        "bpe": train(corpus, "bpe", 420, True, **fairseq),
    }


def added(content, **flags):
    return dict({"__type": "AddedToken", "content": content, "lstrip": False, "rstrip": False,
                 "single_word": False, "normalized": True}, **flags)


def decoder(**tokens):
    """added_tokens_decoder: "_5" or "5" to an added token."""
    return {i.strip("_"): token for i, token in tokens.items()}


SPM = "sentencepiece.bpe.model"
MASK = added("<mask>", lstrip=True, normalized=False)
# name: (model, file, tokenizer_config.json)
PIECES = {
    "xlm-roberta": ("unigram", SPM, {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 512}),
    "xlm-roberta-decoder": ("plain", SPM, {
        "tokenizer_class": "XLMRobertaTokenizer", "mask_token": MASK, "add_prefix_space": False,
        "additional_special_tokens": ["<s>NOTUSED", "dog"],
        "added_tokens_decoder": decoder(_0=dict(added("<s>"), special=True), _400=dict(added("fox"), special=False),
                                        _7=dict(added("the", lstrip=True, normalized=False), special=True))}),
    "layoutxlm": ("plain", SPM, {"tokenizer_class": "LayoutXLMTokenizer"}),
    "camembert": ("unigram", SPM, {"tokenizer_class": "CamembertTokenizer"}),
    "barthez": ("plain", SPM, {"tokenizer_class": "BarthezTokenizer"}),
    "mbart": ("unigram", SPM, {"tokenizer_class": "MBartTokenizer", "src_lang": "ro_RO"}),
    "mbart-extra": ("plain", SPM, {"tokenizer_class": "MBartTokenizer",
                                   "additional_special_tokens": ["new", "fr_XX"]}),
    "mbart50": ("plain", SPM, {"tokenizer_class": "MBart50Tokenizer", "src_lang": "gl_ES", "tgt_lang": "fr_XX"}),
    "nllb": ("unigram", SPM, {"tokenizer_class": "NllbTokenizer"}),
    "nllb-legacy": ("plain", SPM, {"tokenizer_class": "NllbTokenizer", "legacy_behaviour": True,
                                   "src_lang": "fra_Latn",
                                   "additional_special_tokens": ["fra_Latn", "eng_Latn"]}),
    "seamless": ("plain", SPM, {"tokenizer_class": "SeamlessM4TTokenizer", "src_lang": "fra",
                                "additional_special_tokens": ["__eng__", "__fra__"]}),
    "xglm": ("unigram", SPM, {"tokenizer_class": "XGLMTokenizer"}),
    "t5": ("t5", "spiece.model", {"tokenizer_class": "T5Tokenizer", "extra_ids": 12}),
    "t5-new": ("t5", "spiece.model", {"tokenizer_class": "T5Tokenizer", "extra_ids": 3, "legacy": False,
                                      "additional_special_tokens": ["<x>"], "model_max_length": 77}),
    "t5-bare": ("t5", "spiece.model", {"tokenizer_class": "T5Tokenizer", "extra_ids": 0,
                                       "add_prefix_space": False, "clean_up_tokenization_spaces": True}),
    "mt5": ("bytes", "spiece.model", {"tokenizer_class": "MT5Tokenizer", "extra_ids": 0,
                                      "eos_token": added("</s>", normalized=False)}),
    "udop": ("t5", "spiece.model", {"tokenizer_class": "UdopTokenizer"}),
    "pegasus": ("t5", "spiece.model", {"tokenizer_class": "PegasusTokenizer", "offset": 8}),
    "bigbird-pegasus": ("t5", "spiece.model", {
        "tokenizer_class": "PegasusTokenizer", "offset": 0, "mask_token_sent": None, "mask_token": "[MASK]",
        "additional_special_tokens": ["<x>"]}),
    "albert": ("albert", "spiece.model", {"tokenizer_class": "AlbertTokenizer"}),
    "albert-cased": ("albert", "spiece.model", {"tokenizer_class": "AlbertTokenizer", "do_lower_case": False,
                                                "keep_accents": True, "remove_space": False,
                                                "mask_token": "[PAD]"}),
    "fnet": ("albert", "spiece.model", {"tokenizer_class": "FNetTokenizer"}),
    "rembert": ("albert", "sentencepiece.model", {"tokenizer_class": "RemBertTokenizer"}),
    "rembert-low": ("unigram", "sentencepiece.model", {"tokenizer_class": "RemBertTokenizer",
                                                       "do_lower_case": True, "keep_accents": False}),
    "big-bird": ("unigram", "spiece.model", {"tokenizer_class": "BigBirdTokenizer"}),
    "reformer": ("bpe", "spiece.model", {"tokenizer_class": "ReformerTokenizer"}),
    "deberta-v2": ("unigram", "spm.model", {"tokenizer_class": "DebertaV2Tokenizer"}),
    "deberta-v2-punct": ("albert", "spm.model", {"tokenizer_class": "DebertaV2Tokenizer", "split_by_punct": True,
                                                 "do_lower_case": True}),
    "xlnet": ("plain", "spiece.model", {"tokenizer_class": "XLNetTokenizer", "do_lower_case": True}),
    "llama": ("llama", "tokenizer.model", {"tokenizer_class": "LlamaTokenizer", "add_eos_token": True}),
    "llama-new": ("llama", "tokenizer.model", {
        "tokenizer_class": "LlamaTokenizer", "legacy": False, "add_bos_token": False, "pad_token": "<pad>",
        "additional_special_tokens": ["<|im_start|>"],
        "added_tokens_decoder": decoder(_0=dict(added("<unk>", normalized=False), special=True),
                                        _1=dict(added("<begin>", normalized=False), special=True),
                                        _420=dict(added("new tok", rstrip=True), special=False))}),
    "llama-no-prefix": ("llama", "tokenizer.model", {"tokenizer_class": "LlamaTokenizer",
                                                     "add_prefix_space": False}),
    "llama-new-no-prefix": ("llama", "tokenizer.model", {"tokenizer_class": "LlamaTokenizer", "legacy": False,
                                                         "add_prefix_space": False}),
    "llama-unigram": ("bytes", "tokenizer.model", {"tokenizer_class": "LlamaTokenizer"}),
    "code-llama": ("llama", "tokenizer.model", {"tokenizer_class": "CodeLlamaTokenizer"}),
    "gemma": ("gemma", "tokenizer.model", {"tokenizer_class": "GemmaTokenizer"}),
}

# name: (files, tokenizer_config.json); files are those of tools/goldens/tokenizer.py
OLDER = {
    "funnel": ("wordpiece", {"tokenizer_class": "FunnelTokenizer", "unk_token": "[UNK]", "cls_token": "[CLS]",
                             "sep_token": "[SEP]"}),
    "mpnet": ("wordpiece", {"tokenizer_class": "MPNetTokenizer", "strip_accents": True}),
    "splinter": ("wordpiece", {"tokenizer_class": "SplinterTokenizer"}),
    "splinter-left": ("wordpiece", {"tokenizer_class": "SplinterTokenizer", "padding_side": "left"}),
    "layoutlmv2": ("wordpiece", {"tokenizer_class": "LayoutLMv2Tokenizer", "do_lower_case": False}),
    "electra": ("wordpiece", {"tokenizer_class": "ElectraTokenizer", "tokenize_chinese_chars": False}),
    "squeezebert-lost": ("wordpiece", {"tokenizer_class": "SqueezeBertTokenizer", "cls_token": "<first>",
                                       "mask_token": None}),
    "deberta": ("bytes", {"tokenizer_class": "DebertaTokenizer", "add_prefix_space": True}),
    "blenderbot": ("bytes", {"tokenizer_class": "BlenderbotTokenizer"}),
    "led": ("bytes", {"tokenizer_class": "LEDTokenizer"}),
    "mvp": ("bytes", {"tokenizer_class": "MvpTokenizer"}),
    "layoutlmv3": ("bytes", {"tokenizer_class": "LayoutLMv3Tokenizer"}),
    "markuplm": ("bytes", {"tokenizer_class": "MarkupLMTokenizer", "tags_dict": {"a": 0}}),
    "codegen": ("bytes", {"tokenizer_class": "CodeGenTokenizer"}),
    "qwen2": ("bytes", {"tokenizer_class": "Qwen2Tokenizer"}),
    "whisper": ("bytes", {"tokenizer_class": "WhisperTokenizer"}),
    "openai-gpt": ("chars", {"tokenizer_class": "OpenAIGPTTokenizer"}),
    "herbert": ("chars", {"tokenizer_class": "HerbertTokenizer"}),
}

# name: (folder above whose tokenizer.json is written, tokenizer_config.json): classes that change it.
JSON = {
    "json-llama": ("llama", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": True}),
    "json-llama-prefix": ("llama", {"tokenizer_class": "LlamaTokenizerFast", "add_prefix_space": True}),
    "json-gemma": ("gemma", {"tokenizer_class": "GemmaTokenizer", "add_bos_token": False}),
    "json-gpt-neox": ("codegen", {"tokenizer_class": "GPTNeoXTokenizer", "add_eos_token": True}),
    "json-cohere": ("codegen", {"tokenizer_class": "CohereTokenizer", "bos_token": "<|endoftext|>"}),
    "json-nllb": ("nllb-legacy", {"tokenizer_class": "NllbTokenizer", "src_lang": "eng_Latn"}),
    "json-mbart": ("mbart-extra", {"tokenizer_class": "MBartTokenizer", "src_lang": "fr_XX"}),
    "json-mpnet": ("mpnet", {"tokenizer_class": "MPNetTokenizer", "do_lower_case": False,
                             "tokenize_chinese_chars": False}),
    "json-t5": ("t5-new", {"tokenizer_class": "T5Tokenizer", "extra_ids": 3}),
    "json-pegasus": ("pegasus", {"tokenizer_class": "PegasusTokenizer", "offset": 8}),
    "json-llama-as-is": ("llama-new", {"tokenizer_class": "LlamaTokenizer", "eos_token": "<s>"}),
    "json-t5-prefix": ("t5-new", {"tokenizer_class": "T5Tokenizer", "extra_ids": 3, "add_prefix_space": False}),
    "json-pegasus-moved": ("pegasus", {"tokenizer_class": "PegasusTokenizer", "offset": 8, "unk_token": "<pad>"}),
    "json-xlnet": ("xlnet", {"tokenizer_class": "XLNetTokenizer"}),
    "json-bloom": ("codegen", {"tokenizer_class": "BloomTokenizerFast", "add_prefix_space": True}),
}

# Those that go back to the model: add_prefix_space, or other special tokens, than tokenizer.json has.
WITH_MODEL = {"json-llama-prefix": "tokenizer.model", "json-t5-prefix": "spiece.model",
              "json-pegasus-moved": "spiece.model", "json-llama-as-is": "tokenizer.model"}


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


def folders(out, corpus, write_wordpiece, write_bytes, write_chars):
    """Writes them all below `out`; the functions write the older files into a folder."""
    import transformers  # after its settings

    def make(name, config):
        folder = f"{out}/{PREFIX}{name}"
        os.makedirs(folder)
        write_json(f"{folder}/tokenizer_config.json", config)
        return folder

    trained = models(corpus)
    for name, (model, file, config) in PIECES.items():
        with open(f"{make(name, config)}/{file}", "wb") as target:
            target.write(trained[model])
    for name, (kind, config) in OLDER.items():
        {"wordpiece": write_wordpiece, "bytes": write_bytes, "chars": write_chars}[kind](make(name, config))
    for name, (source, config) in JSON.items():
        tokenizer = transformers.AutoTokenizer.from_pretrained(f"{out}/{PREFIX}{source}")
        folder = make(name, config)
        tokenizer.backend_tokenizer.save(f"{folder}/tokenizer.json", pretty=False)
        if name in WITH_MODEL:
            shutil.copyfile(f"{out}/{PREFIX}{source}/{WITH_MODEL[name]}", f"{folder}/{WITH_MODEL[name]}")
