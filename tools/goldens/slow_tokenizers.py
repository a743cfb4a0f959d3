#!/usr/bin/env python3
"""Makes tests/golden/tokenizer-slow: tiny folders of the tokenizer classes that transformers (4.57)
has in Python only, and of tiktoken files, with the ids and texts it makes of them. The layout is
that of tools/goldens/tokenizer.py, less the offsets, which those classes do not give. The same bytes
on every run. From the repository root; --check makes them elsewhere and compares.
"""
import base64
import collections
import json
import os
import random
import shutil
import sys
import unicodedata

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import transformers

from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

import fresh
import pieces
import tokenizer as fast
from ranks import TEKKEN_NAMES, Ranks

OUT = "tests/golden/tokenizer-slow"
TEXTS = [
    "", " ", "the quick brown fox, it's over 1234 dogs.", "  two  spaces\n\nlines\ttab ", "dogs\nfoxes \n x",
    "\uff21\ufb01n \u00bd\u3000\u00e9e\u0301\u00ad\u30ab\u3099 caf\u00e9", "\u043f\u0440\u0438\u0432\u0435\u0442 \u6771\u4eac \U0001f600\u00ff",
    "<s>a</s> <mask>b <mask> [MASK] [CLS]<pad><unk> dog.", "</s>", "a </s> b</s>", ">>fra<< the dog", "x >>fra<< y", ">>the",
    "__fr__ new tok<sep>  newtok the__en__", "FOX \u00c9COLE don't \u00dfa \u0130I", "\u2581the\u2581 fox@@ @@ the@@",
    "<|im_start|>the fox<|im_end|><|extra_7|>", "[INST] the fox's [/INST]</s>", "<lang:fr>the fox", "[S1] hi [S2]the fox.", "O\u0394\u039f\u03a3 \u03a3. A\u03a3'b \U0002b820x\u4e2d n/a", "?", " N/A", "-_-", "[MASK\x01]it's IT'S [X_SEP]",
    "thequickbrownfox" * 3, "(don't) \"quoted\" `x` & <tag> 3.5 U.S. e.g. the--dog... a|b [c]", "hello|hello  |x", "MKVLA <mask> GG XJ",
]
PAIRS = [("the quick brown fox", "it jumps over"), ("a</s>", "")]
CORPUS = fast.CORPUS
SPM = "sentencepiece.bpe.model"
M2M = FAIRSEQ_LANGUAGE_CODES["m2m100"]


# ---- files ----------------------------------------------------------------------------------

def write(path, data):
    with open(path, "wb" if isinstance(data, bytes) else "w", **({} if isinstance(data, bytes) else
                                                                {"encoding": "utf-8", "newline": "\n"})) as file:
        file.write(data)


def write_json(path, value):
    write(path, json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def merges(words, n, end="</w>"):
    """The first n merges of byte-pair encoding over the words, as pairs of strings."""
    counts = collections.Counter(words)
    split = {word: list(word[:-1]) + [word[-1] + end] for word in counts}
    out = []
    for _ in range(n):
        pairs = collections.Counter()
        for word, symbols in split.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        out.append(best)
        for word, symbols in split.items():
            i = 0
            while i + 1 < len(symbols):
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i:i + 2] = [symbols[i] + symbols[i + 1]]
                i += 1
    return out, sorted({s for symbols in split.values() for s in symbols})


def continued(symbols):
    """What a word ends with is itself, the rest gets "@@"."""
    return [s[:-4] if s.endswith("</w>") else s + "@@" for s in symbols]


def vocabulary(tokens, head):
    return {token: i for i, token in enumerate(dict.fromkeys(head + tokens))}


MODELS = {}


def model(name):
    if not MODELS:
        MODELS.update(pieces.models(CORPUS))
        MODELS["chars"] = pieces.train(CORPUS, "char", 160, unk_id=3, bos_id=0, eos_id=2, pad_id=1)
    return MODELS[name]


def spm_tokens(name):
    import sentencepiece
    processor = sentencepiece.SentencePieceProcessor(model_proto=model(name))
    return [processor.id_to_piece(i) for i in range(processor.get_piece_size())]


# ---- classes --------------------------------------------------------------------------------

def marian(folder, separate=False):
    write(f"{folder}/source.spm", model("unigram"))
    write(f"{folder}/target.spm", model("bpe" if separate else "plain"))
    source, target = spm_tokens("unigram"), spm_tokens("bpe" if separate else "plain")
    tokens = vocabulary(source[3:300] + ([] if separate else target[3:]) + ["\u6771\u4eac", ">>fra<<", "<pad>"], ["</s>", "<unk>"])
    write_json(f"{folder}/vocab.json", tokens)
    if separate:
        write_json(f"{folder}/target_vocab.json", vocabulary(target[3:] + ["<pad>"], ["</s>", "<unk>"]))


def with_vocab(name):
    def make(folder):
        write(f"{folder}/{SPM}", model(name))
        write_json(f"{folder}/vocab.json", vocabulary(spm_tokens(name)[3:], ["<s>", "<pad>", "</s>", "<unk>"]))
    return make


def file_of(name, file):
    return lambda folder: write(f"{folder}/{file}", model(name))


def bartpho(folder):
    write(f"{folder}/{SPM}", model("unigram"))
    write(f"{folder}/dict.txt", "".join(f"{t} {i}\n" for i, t in enumerate(spm_tokens("unigram")[3:200])))


def mluke(folder):
    write(f"{folder}/{SPM}", model("plain"))
    write_json(f"{folder}/entity_vocab.json", vocabulary([], ["[PAD]", "[UNK]", "[MASK]", "[MASK2]"]))


def ctc(folder, upper=True, language=None):
    letters = "EHLOTDGSXY' FNU" if upper else "ehlotdgsxy'fnu"
    tokens = vocabulary(list(letters.replace(" ", "")) + ["ab"], ["<pad>", "<s>", "</s>", "<unk>", "|"])
    write_json(f"{folder}/vocab.json", {language: tokens, "xxx": {"<unk>": 0}} if language else tokens)


def characters(folder):
    write_json(f"{folder}/vocab.json", vocabulary(list("0123456789abcdefghijklmnopqrstuvwxyz"), ["[GO]", "[s]"]))


def esm(folder):
    write(f"{folder}/vocab.txt", "\n".join(["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWC", "<mask>"]))


def codes(folder, head=False):
    """vocab.txt with counts, bpe.codes with counts."""
    pairs, symbols = merges(CORPUS.split(), 120)
    write(f"{folder}/vocab.txt", "".join(f"{t} {i}\n" for i, t in enumerate(continued(symbols))))
    write(f"{folder}/bpe.codes", "".join(f"{a} {b} 7\n" for a, b in pairs))


def at_json(lower=False, first="#version: 0.2\n", tokens=continued, head=(), file="vocab.json"):
    def make(folder):
        corpus = CORPUS.lower() if lower else CORPUS
        pairs, symbols = merges(corpus.split(), 120)
        write_json(f"{folder}/{file}", vocabulary(tokens(symbols), list(head)))
        write(f"{folder}/merges.txt", first + "".join(f"{a} {b}\n" for a, b in pairs))
    return make


def wordpieces(file):
    """Words of the corpus, their letters and ends, Chinese of a block that two rules see differently."""
    def make(folder):
        words = sorted(set(CORPUS.lower().split()))
        letters = sorted(set("".join(words)) | set("abcdefghijklmnopqrstuvwxyz\u0301\u03c2\u03c3\U0002b820"))
        tokens = words[::2] + letters + [f"##{c}" for c in letters] + sorted({f"##{w[2:]}" for w in words if len(w) > 3})
        head = ["[PAD]", "[EMPTY]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[X_SEP]"]
        write(f"{folder}/{file}", "".join(f"{t}\n" for t in vocabulary(tokens, head)))
    return make


def luke(folder):
    """Byte-level pairs, and the four entities that the class asks for."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    alphabet = bytes_to_unicode()
    words = ["".join(alphabet[b] for b in w.encode()) for w in CORPUS.split()]
    pairs, _ = merges(words + [alphabet[32] + w for w in words], 150, end="")
    tokens = list(alphabet.values()) + ["".join(pair) for pair in pairs]
    write_json(f"{folder}/vocab.json", vocabulary(tokens, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))
    write(f"{folder}/merges.txt", "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in pairs))
    write_json(f"{folder}/entity_vocab.json", vocabulary([], ["[PAD]", "[UNK]", "[MASK]", "[MASK2]"]))


def myt5(folder):
    """Capitals and accents taken apart; words of the corpus into bytes that UTF-8 does not have."""
    def codes(data):
        return " ".join(f"{b:02x}" for b in data)
    apart = {codes(bytes([c])): codes(bytes([0x05, c + 32])) for c in range(65, 91)}
    apart |= {codes(c.encode()): codes(unicodedata.normalize("NFD", c).encode()) for c in "\u00e9\u00e8\u00fc\u00c9"}
    words = sorted({w for w in CORPUS.split() if len(w) > 2})[:120]
    merged = {codes(w.encode()): codes(bytes([0xC0 + i // 60, 0x80 + i % 60])) for i, w in enumerate(words)}
    write_json(f"{folder}/byte_maps.json", {"decompose_map": apart, "merge_map": merged})


def rank_tokens():
    """Bytes, then merges that may have several ways to come about."""
    pairs, _ = merges([w.encode().decode("latin-1") for w in CORPUS.split(" ")] +
                      [" " + w.encode().decode("latin-1") for w in CORPUS.split()], 200, end="")
    return [chr(i).encode("latin-1") for i in range(256)] + [t.encode("latin-1") for t in dict.fromkeys(a + b for a, b in pairs)]


def rank_lines(hole=10**9):
    return "".join(f"{base64.b64encode(token).decode()} {rank + (rank > hole)}\n" for rank, token in enumerate(rank_tokens()))


def tiktoken(folder):
    """A rank is left out."""
    write(f"{folder}/tokenizer.model", rank_lines(300))


def qwen(folder):
    write(f"{folder}/qwen.tiktoken", rank_lines())


TEKKEN_PATTERN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
                  r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|"
                  r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def tekken(listed):
    """Rows behind the size of the vocabulary do not count."""
    def make(folder):
        rows = [{"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None} for i, t in enumerate(rank_tokens())]
        special = [{"rank": i, "token_str": t, "is_control": t != "[INST]"} for i, t in enumerate(TEKKEN_NAMES[:12])]
        write_json(f"{folder}/tekken.json", {
            "config": {"pattern": TEKKEN_PATTERN, "num_vocab_tokens": len(rows), "default_vocab_size": 400,
                       "default_num_special_tokens": 14, "version": "v3"},
            "vocab": rows, **({"special_tokens": special} if listed else {})})
    return make


FLAGS = {"lstrip": True, "rstrip": True, "normalized": False, "special": True}
# name: (function, tokenizer_config.json)
FOLDERS = {
    "marian": (marian, {"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "fr"}),
    "marian-separate": (lambda f: marian(f, True), {"tokenizer_class": "MarianTokenizer", "separate_vocabs": True,
                                                   "clean_up_tokenization_spaces": True, "model_max_length": 9}),
    "marian-added": (marian, {"tokenizer_class": "MarianTokenizer", "added_tokens_decoder": {
        "5": pieces.added("fox", single_word=True), "900": pieces.added("new tok", lstrip=True, rstrip=True),
        "0": dict(pieces.added("</s>"), special=True)}, "additional_special_tokens": ["<sep>", "dog"]}),
    "m2m100": (with_vocab("unigram"), {"tokenizer_class": "M2M100Tokenizer", "src_lang": "fr", "tgt_lang": "en",
                                       "additional_special_tokens": [f"__{code}__" for code in M2M]}),
    "m2m100-bare": (with_vocab("bytes"), {"tokenizer_class": "M2M100Tokenizer", "language_codes": "wmt21"}),
    "speech-to-text": (with_vocab("plain"), {"tokenizer_class": "Speech2TextTokenizer", "do_lower_case": True,
                                             "do_upper_case": True, "additional_special_tokens": ["Dog", "<sep>"]}),
    "speech-to-text-mustc": (with_vocab("plain"), {"tokenizer_class": "Speech2TextTokenizer", "lang_codes": "mustc",
                                                   "tgt_lang": "it", "additional_special_tokens": ["<sep>"]}),
    "speecht5": (file_of("chars", "spm_char.model"), {"tokenizer_class": "SpeechT5Tokenizer"}),
    "bert-generation": (file_of("t5", "spiece.model"), {"tokenizer_class": "BertGenerationTokenizer"}),
    "gpt-sw3": (file_of("llama", "spiece.model"), {"tokenizer_class": "GPTSw3Tokenizer"}),
    "gpt-sw3-lower": (file_of("gemma", "spiece.model"), {"tokenizer_class": "GPTSw3Tokenizer", "do_lower_case": True,
                                                        "clean_up_tokenization_spaces": True}),
    "siglip": (file_of("t5", "spiece.model"), {"tokenizer_class": "SiglipTokenizer"}),
    "mluke": (mluke, {"tokenizer_class": "MLukeTokenizer"}),
    "plbart": (file_of("plain", SPM), {"tokenizer_class": "PLBartTokenizer"}),
    "plbart-multi": (file_of("bpe", SPM), {"tokenizer_class": "PLBartTokenizer", "language_codes": "multi",
                                           "src_lang": "go", "tgt_lang": "en_XX"}),
    "bartpho": (bartpho, {"tokenizer_class": "BartphoTokenizer"}),
    "byt5": (lambda f: None, {"tokenizer_class": "ByT5Tokenizer", "extra_ids": 3}),
    "byt5-saved": (lambda f: None, {"tokenizer_class": "ByT5Tokenizer", "extra_ids": 0,
                                    "additional_special_tokens": ["<extra_id_0>", "dog"],
                                    "added_tokens_decoder": {"0": dict(pieces.added("<pad>"), **FLAGS),
                                                             "1": dict(pieces.added("</s>"), **FLAGS),
                                                             "259": dict(pieces.added("<extra_id_0>"), special=True)}}),
    "perceiver": (lambda f: None, {"tokenizer_class": "PerceiverTokenizer"}),
    "canine": (lambda f: None, {"tokenizer_class": "CanineTokenizer"}),
    "mgp-str": (characters, {"tokenizer_class": "MgpstrTokenizer"}),
    "esm": (esm, {"tokenizer_class": "EsmTokenizer"}),
    "wav2vec2": (ctc, {"tokenizer_class": "Wav2Vec2CTCTokenizer"}),
    "wav2vec2-lower": (ctc, {"tokenizer_class": "Wav2Vec2CTCTokenizer", "do_lower_case": True,
                             "replace_word_delimiter_char": "_", "clean_up_tokenization_spaces": True}),
    "wav2vec2-mms": (lambda f: ctc(f, False, "eng"), {"tokenizer_class": "Wav2Vec2CTCTokenizer",
                                                      "target_lang": "eng", "word_delimiter_token": "|"}),
}
FOLDERS.update({
    "phobert": (codes, {"tokenizer_class": "PhobertTokenizer"}),
    "bertweet": (codes, {"tokenizer_class": "BertweetTokenizer", "mask_token": pieces.added("<mask>", lstrip=True)}),
    "ctrl": (at_json(head=["<unk>"]), {"tokenizer_class": "CTRLTokenizer"}),
    "blenderbot-small": (at_json(True, head=["__null__", "__start__", "__end__", "__unk__"]),
                         {}, "blenderbot-small"),
    "prophetnet": (wordpieces("prophetnet.tokenizer"), {"tokenizer_class": "ProphetNetTokenizer"}),
    "prophetnet-cased": (wordpieces("prophetnet.tokenizer"), {
        "tokenizer_class": "ProphetNetTokenizer", "do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False,
        "never_split": ["it's", "the"], "split_special_tokens": True, "additional_special_tokens": ["[X_SEP]"]}),
    "prophetnet-plain": (wordpieces("prophetnet.tokenizer"), {"tokenizer_class": "ProphetNetTokenizer", "do_basic_tokenize": False}),
    "tapas": (wordpieces("vocab.txt"), {"tokenizer_class": "TapasTokenizer"}),
    "tapas-added": (wordpieces("vocab.txt"), {"tokenizer_class": "TapasTokenizer", "do_lower_case": False,
                                              "additional_special_tokens": ["newtok"], "model_max_length": 64}),
    "luke": (luke, {"tokenizer_class": "LukeTokenizer"}),
    "luke-space": (luke, {"tokenizer_class": "LukeTokenizer", "add_prefix_space": True,
                          "additional_special_tokens": ["<sep>"]}),
    "dia": (lambda f: None, {"tokenizer_class": "DiaTokenizer"}),
    "myt5": (myt5, {"tokenizer_class": "MyT5Tokenizer", "extra_ids": 3}),
    "qwen": (qwen, {"tokenizer_class": "QWenTokenizer"}),
    "tekken": (tekken(False), {}),
    "tekken-listed": (tekken(True), {"tokenizer_class": "LlamaTokenizerFast"}),
    "tiktoken": (tiktoken, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>",
                            "additional_special_tokens": ["<mask>", "new tok"]}),
    "tiktoken-llama": (tiktoken, {"tokenizer_class": "LlamaTokenizerFast"}),
})


# ---- cases ----------------------------------------------------------------------------------

def ids_of(reference, text, pair=None):
    """Tapas itself takes tables only, and asks for pandas even where there is none."""
    if type(reference).__name__ != "TapasTokenizer":
        return reference(text, pair)["input_ids"]
    ids, more = (reference.convert_tokens_to_ids(reference.tokenize(t)) if t is not None else [] for t in (text, pair))
    return reference.build_inputs_with_special_tokens(ids, more)


def cases(folder):
    transformers.models.tapas.tokenization_tapas.is_pandas_available = lambda: True
    reference = Ranks(folder) if Ranks.knows(folder) else transformers.AutoTokenizer.from_pretrained(folder)
    out, known = [], []
    for text in TEXTS + [t for t in reference.all_special_tokens if t.isprintable()][:2]:
        ids = ids_of(reference, text)
        if None in ids:
            continue
        known.append(ids)
        window = {"ids": ids}
        if reference.is_fast:
            window["offsets"] = [i for pair in reference(text, return_offsets_mapping=True)["offset_mapping"] for i in pair]
        out.append({"text": text, "windows": [window]})
    for text, pair in PAIRS[:1] if reference.is_fast else PAIRS:
        try:
            ids = ids_of(reference, text, pair)
        except ValueError:
            continue
        out.append({"text": text, "pair": pair, "windows": [{"ids": ids}]})
    plain = reference.convert_tokens_to_ids(reference.tokenize(TEXTS[2]))
    out.append({"text": TEXTS[2], "options": {"no_special_tokens": True}, "windows": [{"ids": plain}]})
    rng = random.Random(7)
    size = min(len(reference), 70000)
    known += [[rng.randrange(size) for _ in range(rng.randrange(1, 12))] for _ in range(12)]
    decodes = []
    for i, ids in enumerate(known):
        for keep in (False, True) if i % 3 == 0 else (False,):
            try:
                text = reference.decode(ids, skip_special_tokens=not keep)
                text.encode()
            except (TypeError, ValueError, IndexError, UnicodeEncodeError):
                continue
            decodes.append({"ids": ids, "text": text, **({"keep": True} if keep else {})})
    roles = [getattr(reference, f"{role}_token_id") for role in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")]
    limit = reference.model_max_length
    with open(f"{folder}/cases.json", "w", encoding="utf-8") as file:
        head = {"roles": [-1 if r is None else r for r in roles], "max_length": 0 if limit > 1e9 else limit,
                "left": reference.padding_side == "left"}
        file.write(f'{{"settings":{json.dumps(head)},\n"cases":[\n')
        file.write(",\n".join(json.dumps(r, separators=(",", ":")) for r in out))
        file.write('\n],\n"decodes":[\n')
        file.write(",\n".join(json.dumps(r, separators=(",", ":")) for r in decodes) + "\n]}\n")


def make(out):
    shutil.rmtree(out, ignore_errors=True)
    for name, (write_files, config, *model_type) in FOLDERS.items():
        folder = f"{out}/{name}"
        os.makedirs(folder)
        write_json(f"{folder}/tokenizer_config.json", config)
        if model_type:
            write_json(f"{folder}/config.json", {"model_type": model_type[0]})
        write_files(folder)
        cases(folder)


def main():
    fresh.make_or_check("--check" in sys.argv, make, OUT)


if __name__ == "__main__":
    main()
