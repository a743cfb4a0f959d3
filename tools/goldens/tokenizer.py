#!/usr/bin/env python3
"""Makes tests/golden/tokenizer: small tokenizers that between them use every stage, and what the
`tokenizers` library (0.22) and `transformers` (4.57) make of them. The same bytes on every run.

Each folder holds the tokenizer's files and cases.json: {"cases": [...], "decodes": [...]}. A case
is a text, perhaps a pair and options, and the windows they give (or "error"); a decode is a list of
ids, how, and the text; "paddings" are texts, how they are padded, and what that gives. Run from the repository root; --check makes them elsewhere and compares.
"""
import base64
import json
import os
import random
import shutil
import struct
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RUST_BACKTRACE"] = "0"

import tokenizers
import transformers
from tokenizers import pre_tokenizers

import fresh
import pieces

OUT = "tests/golden/tokenizer"

CORPUS = """the quick brown fox jumps over the lazy dog and the other dogs were watching the foxes
it's what they'd said: we'll see that you've been there, I'm sure; don't won't can't
tokenizers are tested with numbers 1234 56 7890, dates 2024-01-31, and prices $3.50 (about 10%)
über straße café naïve résumé señor piñata façade élève cœur ÉCOLE Ångström
привет мир это тест слова русский язык и ещё немного букв
東京は日本の首都です 中文字符 测试 한국어 단어 테스트
def f(x): return x + 1 # comment <tag attr="value"> </tag> [link] {braces} hello_world fooBar
"""

TEXTS = [
    "", " ", "\n", "a", "Hello, World!", "  two  spaces   three ", "it's they'd WE'LL don't 'S",
    "tokenizers are tested", "the 1234567 dogs: 12 3", "\ttab\nline\r\nend\n\n\n x", "über straße ÉCOLE",
    "cafe\u0301 e\u0301\u0327 \u1e69 s\u0323\u0307", "\ufb01n \u212b \u2126 \uff76\uff9e \u30ab\u3099 \u00bd\u00b2",
    "東京は日本 中文test字", "한국어 \u1112\u1161\u11ab", "привет, мир", "العربية שלום", "हिन्दी ไทย",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f!", "a\u0000b\u0001c\u007fd\u0085e\ufffdf\u00adg",
    "\u0130I\u0131i \u1e9eß", "\u00a0nbsp\u2003em\u3000id", "x\u0378y\ue000z\U000e0001", "a.b,c;d!e?f...g--h__i",
    "##ing ## # \u2581 \u0120", "<s> <mask> </s>", "one<mask>two <mask> three<mask>", "[CLS] [MASK] [SEP][UNK]",
    "<|endoftext|>a<|endoftext|>", "new tok  newtok newtoken", "Special SPECIAL special", "wordword word-word",
    "supercalifragilistic" * 3, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "the dog " * 12, "q" * 120, "\U00020000\U0002b820\U0001d400", "<0x41> A \u00ff\u0100", "1a2b3c \u0663\u0664 \u2167",
]
PAIRS = [("the quick brown fox", "it jumps over"), ("Hello", ""), ("", "World"),
         ("the dog and the fox", "they were watching the other dogs, weren't they?")]
OPTIONS = [
    {"truncation": "longest_first", "max_length": 9},
    {"truncation": "longest_first", "max_length": 12, "overflow": True, "stride": 2},
    {"truncation": "longest_first", "max_length": 12, "overflow": True, "stride": 2, "left": True},
    {"truncation": "only_first", "max_length": 24, "overflow": True, "stride": 1},
    {"truncation": "only_second", "max_length": 22, "overflow": True, "stride": 3},
    {"truncation": "only_second", "max_length": 22, "left": True},
    {"no_special_tokens": True},
    {"no_special_tokens": True, "truncation": "longest_first", "max_length": 5, "overflow": True},
]
# What single folders are asked beyond that.
MORE_TEXTS = {
    "precompiled": ["a\u0301b\u0301", "e\u0301\u0327\u0323 x", "\u212b\u0301 \u2122\u001eg", "\u200bfirst \u200b", "\r\n\r \n",
                    "\u0600a\u0600\u0301 \u0600\u0600", "\u00a9\u200d\u00a9\u0301 \u2764\u200d\u00a9\u0301", "\u0915\u094d\u0915\u0301 \u0915\u0301",
                    "\u1100\u1161\u0301 \u1161\u0301", "\U0001f1eb\U0001f1f7\u0301", "\ufb03\ufb03 \u0132\u0149", "\u3000\u3000x\u3000", "\u2122" * 9,
                    "\u001e\u001e\u001e", "\u2026\u0301", "A\u030a \u212b", "a\u0000\u0301b", "\u115f\uac00\u11a8\u0301 \uac01\u0301", "\u200c\u0301 \u0915\u200c\u094d\u0915\u0301"],
    "unigram": ["\u2581\u2581 \u2581", "<unk>", "x<unk>y<unk><unk> \u4e2d<unk>\u6587", "aaab" * 20 + "c", "ab" * 20, "\u4e2d\u6587", "b\u4e2da\u6587b",
                "zq zq qz", "aab aba baa", "x" * 90 + "y" * 90, "the" * 50, "<0x41><0xZZ>", "\U0001f600\U0001f600 \U0001f601", "  a  b  "],
    "moved": ["a", "abc", "\u0301a", "\u0301\u0301a b", "\u00e9", "ab c", " a", "\u0301", "a\u0301"],
    "ctc": ["h e l l o", "<pad> h h <pad> e | | w", "H e y ' ' s . | ! n ' t"],
    "scripts": ["どこで生れ。Yes", "カタカナーabc  東京", "   ", " \u0378 \u0301", "abcабв αβγ 123abc", "\u0e01\u0e02a \u0e03", "(a)б[漢]"],
}


def texts_of(name, texts):
    return texts + [t for key, more in MORE_TEXTS.items() if key in name.split("-") for t in more]


def added(content, id=0, **flags):
    token = {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": True, "special": False}
    token.update(flags)
    return token


def document(model, normalizer=None, pre=None, post=None, decoder=None, tokens=()):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(tokens),
            "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": post,
            "decoder": decoder, "model": model}


# ---- models ---------------------------------------------------------------------------------

def words_model():
    """Knows nothing: ids say nothing, offsets show the pieces."""
    return {"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"}


def bytes_model():
    """A token a byte: ids show the normalized text."""
    vocab = {"<0x%02X>" % b: b for b in range(256)}
    vocab["<unk>"] = 256
    return {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": True,
            "ignore_merges": False, "vocab": vocab, "merges": []}


def words_of(pre):
    """The corpus's words and how often each occurs, in order of appearance."""
    counts = {}
    for line in CORPUS.splitlines():
        for word, _ in pre.pre_tokenize_str(line):
            counts[word] = counts.get(word, 0) + 1
    return counts


def merge_in(symbols, pair, joined):
    out, i = [], 0
    while i < len(symbols):
        if tuple(symbols[i:i + 2]) == pair:
            out.append(joined)
            i += 2
        else:
            out.append(symbols[i])
            i += 1
    return out


def train_bpe(pre, specials, alphabet, size, prefix="", suffix=""):
    """Plain BPE: the most frequent pair, the smaller of equals (the library's trainer is not
    deterministic)."""
    counts = words_of(pre)
    words = {w: [(prefix if i else "") + c + (suffix if i == len(w) - 1 else "")
                 for i, c in enumerate(w)] for w in counts}
    symbols = sorted(set(alphabet) | {s for parts in words.values() for s in parts})
    vocab = {t: i for i, t in enumerate(dict.fromkeys(list(specials) + symbols))}
    merges = []
    while len(vocab) < size:
        pairs = {}
        for word, parts in words.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] = pairs.get(pair, 0) + counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda p: (-pairs[p], p))
        joined = best[0] + best[1][len(prefix):]
        vocab.setdefault(joined, len(vocab))
        merges.append(list(best))
        words = {w: merge_in(parts, best, joined) for w, parts in words.items()}
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": prefix,
            "end_of_word_suffix": suffix, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, "vocab": vocab, "merges": merges}


def byte_bpe(size=420, specials=(), **settings):
    model = train_bpe(pre_tokenizers.ByteLevel(add_prefix_space=False), specials,
                      pre_tokenizers.ByteLevel.alphabet(), size)
    model.update(settings)
    return model


def char_bpe(size=300, specials=("<unk>",), **settings):
    model = train_bpe(pre_tokenizers.Whitespace(), specials, [], size,
                      settings.get("continuing_subword_prefix", ""),
                      settings.get("end_of_word_suffix", ""))
    model.update(unk_token="<unk>", **settings)
    return model


def wordpiece(**settings):
    """Letters, and the pieces that a BPE finds."""
    model = train_bpe(pre_tokenizers.Whitespace(), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], [],
                      360, "##")
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
             "max_input_chars_per_word": 100, "vocab": model["vocab"]}
    model.update(settings)
    return model


def unigram(size=300, specials=("<pad>", "</s>", "<unk>"), unk="<unk>", **settings):
    """Pieces that a BPE over words with a mark in front finds; scores with all the digits that a
    double takes, so that how they are read shows."""
    pieces = train_bpe(pre_tokenizers.Metaspace(), [], [], size)["vocab"]
    vocab = [[s, 0.0] for s in specials]
    vocab += [[t, -(2.0 + 0.37310585786300049 * i ** 0.5)] for i, t in enumerate(pieces)
              if t not in specials]
    model = {"type": "Unigram", "unk_id": None if unk is None else list(specials).index(unk),
             "vocab": vocab, "byte_fallback": False}
    model.update(settings)
    return model


def odd_unigram(**settings):
    """Equal sums, pieces that are there twice, unknown characters that make a piece, a piece of
    several characters where the first alone is unknown, positive scores."""
    vocab = [["a", -1.0], ["b", -1.0], ["ab", -2.0], ["aa", -2.0], ["aaa", -3.0], ["ba", -1.5], ["<unk>", 0.0],
             ["aab", -2.5], ["zq", -30.0], ["zq", -90.0], ["\u4e2d\u6587", -400.0], ["the", 3.5], ["\u2581", -2.0], ["th", -0.1],
             ["\u2581a", -3.0], ["x", -1e-3], ["xx", -2.0000000000000004e-3], ["xxx", -0.003], ["b", -1.25], ["", -1.0]]
    model = {"type": "Unigram", "unk_id": 6, "vocab": vocab, "byte_fallback": False}
    model.update(settings)
    return model


def byte_unigram(**settings):
    specials = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]
    return unigram(size=260, specials=specials, byte_fallback=True, **settings)


def double_array(values):
    """The units of a darts-clone array for keys (bytes) and their values."""
    tree = {}
    for key, value in values.items():
        node = tree
        for byte in key:
            node = node.setdefault(byte, {})
        node[None] = value
    units, taken, todo, base = {}, {0}, [(tree, 0, 0)], 1
    while todo:
        node, at, unit = todo.pop()
        labels = [label or 0 for label in node]
        base = next(b for b in range(base, 1 << 20) if not any(b ^ label in taken for label in labels) and b not in taken)
        taken |= {base ^ label for label in labels} | {base}
        units[at] = unit | (None in node) << 8 | (base ^ at) << 10
        for label, child in sorted(node.items(), key=lambda item: item[0] or 0):
            if label is None:
                units[base] = child | 1 << 31
            else:
                todo.append((child, base ^ label, label))
    return [units.get(i, 0) for i in range((max(units) // 256 + 1) * 256)]


def charsmap(replacements):
    """A precompiled_charsmap as SentencePiece writes it."""
    texts, values = b"", {}
    for old, new in sorted(replacements.items()):
        values[old.encode()] = len(texts)
        texts += new.encode() + b"\0"
    units = double_array(values)
    blob = struct.pack("<I%dI" % len(units), 4 * len(units), *units) + texts
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(blob).decode("ascii")}


REPLACEMENTS = {
    "\t": " ", "\n": " ", "\r": " ", "\u001e": "", "\u200b": "", "\u00a0": " ", "\u3000": " ", "\u2122": "TM", "\u212b": "\u00c5",
    "a\u0301": "\u00e1", "A\u030a": "\u00c5", "e\u0301": "\u00e9", "\ufb01": "fi", "\ufb03": "ffi", "\u2026": "...", "\u0132": "IJ", "\u0149": "\u02bcn",
    "\uff76\uff9e": "\u30ac", "\u00bd": "1\u20442", "\u1161": "A", "\u0301": "'", "\u00a9": "(c)", "\u0600": "no", "\u0915": "ka",
    "\uac00": "ga", "E": "\u00c9\u0301", "\U0001f1eb": "F", "\U00020000": "x", "S": "", "\u2764": "<3", "\u0378": "\u4e2d\u6587",
}


# ---- the folders ----------------------------------------------------------------------------

def sequence(kind, *stages):
    return {"type": "Sequence", kind: list(stages)}


NORMALIZERS = {
    "nmt": {"type": "Nmt"},
    "precompiled": charsmap(REPLACEMENTS),
    "precompiled-twice": sequence("normalizers", {"type": "NFD"}, charsmap(REPLACEMENTS),
                                  charsmap({"TM": "\u2122", "'": "", "\u00c5": "A", "\u00e9": "ee"})),
    "nfc": {"type": "NFC"}, "nfd": {"type": "NFD"}, "nfkc": {"type": "NFKC"}, "nfkd": {"type": "NFKD"},
    "lowercase": {"type": "Lowercase"},
    "strip": {"type": "Strip", "strip_left": True, "strip_right": True},
    "strip-right": {"type": "Strip", "strip_left": False, "strip_right": True},
    "strip-accents": sequence("normalizers", {"type": "NFD"}, {"type": "StripAccents"}),
    "bert": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
             "strip_accents": None, "lowercase": True},
    "bert-cased": {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": True,
                   "strip_accents": False, "lowercase": False},
    "bert-accents": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": False,
                     "strip_accents": True, "lowercase": False},
    "replace": {"type": "Replace", "pattern": {"String": "dog"}, "content": "\u00e9l\u00e9phant"},
    "replace-regex": {"type": "Replace", "pattern": {"Regex": "\\s+|\\p{N}{2}"}, "content": "_"},
    "replace-nothing": {"type": "Replace", "pattern": {"Regex": "[aeiou]"}, "content": ""},
    "prepend": sequence("normalizers", {"type": "Prepend", "prepend": "\u2581"},
                        {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}),
    "many": sequence("normalizers", {"type": "NFKC"}, {"type": "Strip", "strip_left": True,
                                                       "strip_right": False},
                     {"type": "Lowercase"}, {"type": "NFD"}, {"type": "StripAccents"},
                     {"type": "Prepend", "prepend": ">"}),
}

SPLITS = {"isolated": "Isolated", "removed": "Removed", "contiguous": "Contiguous",
          "previous": "MergedWithPrevious", "next": "MergedWithNext"}

PRE_TOKENIZERS = {
    "whitespace": {"type": "Whitespace"}, "whitespace-split": {"type": "WhitespaceSplit"},
    "bert": {"type": "BertPreTokenizer"},
    "digits": {"type": "Digits", "individual_digits": False},
    "digits-each": {"type": "Digits", "individual_digits": True},
    "delimiter": {"type": "CharDelimiterSplit", "delimiter": "-"},
    "metaspace": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
    "metaspace-first": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first",
                        "split": True},
    "metaspace-whole": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "never",
                        "split": False},
    "metaspace-never": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": True},
    "metaspace-old": {"type": "Metaspace", "replacement": "\u2581", "str_rep": "\u2581", "add_prefix_space": True},
    "scripts": {"type": "UnicodeScripts"},
    "scripts-words": sequence("pretokenizers", {"type": "UnicodeScripts"}, {"type": "Whitespace"}),
    "fixed-length": {"type": "FixedLength", "length": 4},
    "byte-level": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                   "use_regex": True},
    "categories": {"type": "Split", "behavior": "Isolated", "invert": False, "pattern": {
        "Regex": "\\p{Lu}[\\p{Ll}\\p{Lm}]*|\\p{Ll}+|\\p{Han}+|\\p{Nd}+|\\p{No}|[\\p{Mn}\\p{Mc}]+|\\p{Po}+|"
                 "\\p{P}|\\p{Sm}|\\p{So}|\\p{S}+|\\p{Cn}|\\p{C}+|[^\\p{L}\\p{N}\\p{M}]+"}},
    "words": {"type": "Split", "behavior": "Removed", "invert": True,
              "pattern": {"Regex": "\\d+|[\\w']+|[^\\s\\W]|\\P{L}\\W"}},
    "falcon": sequence(
        "pretokenizers", {"type": "Punctuation", "behavior": "Contiguous"},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        {"type": "Digits", "individual_digits": False},
        {"type": "Split", "pattern": {"Regex": "[0-9][0-9][0-9]"}, "behavior": "Isolated",
         "invert": False}),
}
for name, behavior in SPLITS.items():
    PRE_TOKENIZERS["punctuation-" + name] = {"type": "Punctuation", "behavior": behavior}
    PRE_TOKENIZERS["split-" + name] = {"type": "Split", "pattern": {"Regex": "\\s+|o|[0-9]"},
                                       "behavior": behavior, "invert": False}
    PRE_TOKENIZERS["invert-" + name] = {"type": "Split", "pattern": {"Regex": "[a-z]+"},
                                        "behavior": behavior, "invert": True}
    PRE_TOKENIZERS["literal-" + name] = {"type": "Split", "pattern": {"String": "the"},
                                         "behavior": behavior, "invert": False}

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
LLAMA3_PATTERN = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
                  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")
CLIP_PATTERN = ("<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|"
                "[^\\s\\p{L}\\p{N}]+")


def template(single, pair, **ids):
    def piece(text):
        name, _, type_id = text.partition(":")
        if name.startswith("$"):
            return {"Sequence": {"id": name[1:], "type_id": int(type_id or 0)}}
        return {"SpecialToken": {"id": name, "type_id": int(type_id or 0)}}
    return {"type": "TemplateProcessing", "single": [piece(p) for p in single.split()],
            "pair": [piece(p) for p in pair.split()],
            "special_tokens": {k: {"id": k, "ids": v, "tokens": [k] * len(v)} for k, v in ids.items()}}


def small_folders():
    """Folder name to tokenizer.json."""
    out = {}
    for name, stage in NORMALIZERS.items():
        out["normalizer-" + name] = document(bytes_model(), normalizer=stage,
                                             decoder={"type": "ByteFallback"})
    for name, stage in PRE_TOKENIZERS.items():
        out["pre-" + name] = document(words_model(), pre=stage)
    return out


def whole_folders():
    out = {}
    end = added("<|endoftext|>", special=True, normalized=False)
    model = byte_bpe(specials=["<|begin|>", "<|endoftext|>"], ignore_merges=True)
    out["llama3"] = document(
        model, pre=sequence("pretokenizers",
                            {"type": "Split", "pattern": {"Regex": LLAMA3_PATTERN},
                             "behavior": "Isolated", "invert": False},
                            dict(BYTE_LEVEL, use_regex=False)),
        post=sequence("processors", dict(BYTE_LEVEL, trim_offsets=False),
                      template("<|begin|> $A", "<|begin|> $A <|begin|>:1 $B:1", **{"<|begin|>": [0]})),
        decoder=BYTE_LEVEL, tokens=[added("<|begin|>", special=True, normalized=False), end])
    model = byte_bpe(specials=["<|endoftext|>", "<unk>"])
    out["byte-bpe-trim"] = document(
        model, pre=dict(BYTE_LEVEL, add_prefix_space=True),
        post=dict(BYTE_LEVEL, add_prefix_space=True), decoder=BYTE_LEVEL,
        tokens=[end, added("<mask>", 500, special=True, lstrip=True), added("newtok", 501),
                added(" tok ", 502, normalized=False)])
    model = byte_bpe(specials=["<s>", "</s>", "<unk>"])
    out["roberta"] = document(
        model, pre=BYTE_LEVEL, decoder=BYTE_LEVEL,
        post={"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0],
              "trim_offsets": True, "add_prefix_space": False},
        tokens=[added("<s>", special=True), added("</s>", special=True),
                added("<mask>", special=True, lstrip=True, normalized=False)])
    model = byte_bpe(specials=["<|startoftext|>", "<|endoftext|>"])
    vocab = model["vocab"]
    for token in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocab[token + "</w>"] = len(vocab)
    model.update(end_of_word_suffix="</w>", unk_token="<|endoftext|>")
    out["clip"] = document(
        model, normalizer=sequence("normalizers", {"type": "NFC"},
                                   {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
                                   {"type": "Lowercase"}),
        pre=sequence("pretokenizers", {"type": "Split", "pattern": {"Regex": CLIP_PATTERN},
                                       "behavior": "Removed", "invert": True}, BYTE_LEVEL),
        post={"type": "RobertaProcessing", "sep": ["<|endoftext|>", 1], "cls": ["<|startoftext|>", 0],
              "trim_offsets": False, "add_prefix_space": False}, decoder=BYTE_LEVEL,
        tokens=[added("<|startoftext|>", special=True), end])
    out["bpe-suffix"] = document(
        char_bpe(end_of_word_suffix="</w>", fuse_unk=True), pre={"type": "Whitespace"},
        decoder={"type": "BPEDecoder", "suffix": "</w>"}, tokens=[added("<unk>", special=True)])
    out["bpe-prefix"] = document(
        char_bpe(continuing_subword_prefix="##", fuse_unk=False), pre={"type": "BertPreTokenizer"},
        decoder={"type": "WordPiece", "prefix": "##", "cleanup": False})
    out["bpe-no-unk"] = document(dict(char_bpe(), unk_token=None), pre={"type": "WhitespaceSplit"})
    model = char_bpe(specials=["<unk>"] + ["<0x%02X>" % b for b in range(256)], size=600,
                     byte_fallback=True, fuse_unk=True)
    model["vocab"]["\u2581"] = len(model["vocab"])
    out["llama2"] = document(
        model, normalizer=sequence("normalizers", {"type": "Prepend", "prepend": "\u2581"},
                                   {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}),
        decoder=sequence("decoders", {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                         {"type": "ByteFallback"}, {"type": "Fuse"},
                         {"type": "Strip", "content": " ", "start": 1, "stop": 0}))
    out["metaspace"] = document(
        model, pre={"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        decoder={"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True})
    flags = [added("[CLS]", special=True, normalized=False), added("[SEP]", special=True, normalized=False),
             added("[MASK]", special=True, lstrip=True, rstrip=True), added("word", 360, single_word=True),
             added("special", 361, normalized=True), added("dog", 362, rstrip=True, normalized=False),
             added("new tok", 363, single_word=True, lstrip=True), added("\u00e9cole", 364)]
    out["wordpiece-flags"] = document(
        wordpiece(), normalizer=NORMALIZERS["bert"], pre={"type": "BertPreTokenizer"},
        post={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}, tokens=flags)
    out["wordpiece-short"] = document(
        wordpiece(max_input_chars_per_word=6, continuing_subword_prefix="##"),
        pre=sequence("pretokenizers", {"type": "WhitespaceSplit"},
                     {"type": "Punctuation", "behavior": "MergedWithNext"}),
        post=template("[CLS] $A:0 [SEP]", "[CLS] $A:0 [SEP]:0 $B:1 [SEP]:1", **{"[CLS]": [2], "[SEP]": [3, 3]}),
        decoder={"type": "WordPiece", "prefix": "##", "cleanup": False})
    meta = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    out["unigram-t5"] = document(
        unigram(), normalizer=charsmap(REPLACEMENTS), pre=sequence("pretokenizers", {"type": "WhitespaceSplit"}, meta),
        post=template("$A </s>", "$A </s> $B </s>", **{"</s>": [1]}), decoder=meta,
        tokens=[added("<pad>", special=True), added("</s>", special=True), added("<unk>", special=True),
                added("<extra>", 302, special=True, lstrip=True)])
    out["unigram-xlmr"] = document(
        unigram(specials=("<s>", "<pad>", "</s>", "<unk>")),
        normalizer=sequence("normalizers", charsmap(REPLACEMENTS),
                            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}), pre=meta, decoder=meta,
        post=template("<s> $A </s>", "<s> $A </s> </s> $B </s>", **{"<s>": [0], "</s>": [2]}),
        tokens=[added("<s>", special=True), added("</s>", special=True), added("<mask>", 500, special=True, lstrip=True)])
    out["unigram-albert"] = document(
        unigram(specials=("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")),
        normalizer=sequence("normalizers", {"type": "Replace", "pattern": {"String": "``"}, "content": "\""},
                            {"type": "Replace", "pattern": {"String": "''"}, "content": "\""}, {"type": "NFKD"},
                            {"type": "StripAccents"}, {"type": "Lowercase"}, charsmap(REPLACEMENTS),
                            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}),
        pre=meta, decoder=meta,
        post=template("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", **{"[CLS]": [2], "[SEP]": [3]}),
        tokens=[added("[MASK]", special=True, lstrip=True, normalized=False)])
    out["unigram-bytes"] = document(
        byte_unigram(), normalizer=sequence("normalizers", {"type": "Prepend", "prepend": "\u2581"},
                                            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}),
        decoder=sequence("decoders", {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                         {"type": "ByteFallback"}, {"type": "Fuse"},
                         {"type": "Strip", "content": " ", "start": 1, "stop": 0}))
    model = byte_unigram()
    model["vocab"] = [p for p in model["vocab"] if p[0] not in ("<0xE4>", "<0x00>")]
    out["unigram-few-bytes"] = document(model, pre=dict(meta, split=False), decoder=meta)
    out["unigram-odd"] = document(odd_unigram())
    out["unigram-no-unk"] = document(odd_unigram(unk_id=None), pre={"type": "WhitespaceSplit"})
    out["unigram-spaces"] = document(
        odd_unigram(), post=dict(BYTE_LEVEL, add_prefix_space=True))  # what is unknown reads as its text
    out["byte-level-start"] = document(
        byte_bpe(size=300), normalizer={"type": "Replace", "pattern": {"Regex": "\\b"}, "content": "'"},
        pre=BYTE_LEVEL, decoder=BYTE_LEVEL)
    ends = template("<s> $A </s>:1", "<s> $A $B:1 </s>:1", **{"<s>": [0], "</s>": [1]})
    pair = {"type": "BertProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]}
    model = byte_bpe(size=300, specials=["<s>", "</s>"])
    for name, chain in (("bert", [ends, pair]), ("roberta", [dict(pair, type="RobertaProcessing", trim_offsets=True,
                                                                  add_prefix_space=False), ends]),
                        ("byte-level", [ends, BYTE_LEVEL]), ("twice", [pair, pair])):
        out["chain-" + name] = document(model, pre=BYTE_LEVEL, decoder=BYTE_LEVEL, post=sequence("processors", *chain))
    for name, cleanup in (("ctc", True), ("ctc-plain", False)):
        vocab = ["<pad>", "<s>", "</s>", "<unk>", "|", "E", "T", "h", "e", "l", "o", "w", "'", "'s", "n't", " .", "a<pad>b", "||", " do not"]
        out["decoder-" + name] = document(
            {"type": "WordLevel", "vocab": {t: i for i, t in enumerate(vocab)}, "unk_token": "<unk>"},
            pre={"type": "WhitespaceSplit"}, tokens=[added("<s>", special=True), added("</s>", special=True)],
            decoder={"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": cleanup})
    # The first word is not the first when what stood before its origin is gone.
    out["first-moved"] = document(
        {"type": "WordLevel", "vocab": {"<unk>": 0, "ing": 1, "\u2581ing": 2}, "unk_token": "<unk>"},
        normalizer=sequence("normalizers", {"type": "StripAccents"},
                            {"type": "Replace", "pattern": {"Regex": "\\w+"}, "content": "ing"}),
        pre=PRE_TOKENIZERS["metaspace-first"])
    words = sorted(set(CORPUS.split()))
    out["wordlevel"] = document(
        {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(["<unk>"] + words)}, "unk_token": "<unk>"},
        normalizer={"type": "NFKC"}, pre={"type": "WhitespaceSplit"},
        post=template("$A:2 <unk>:1", "$B:3 <unk>:1 $A:2", **{"<unk>": [0]}))
    return out


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


def write_bpe(folder, model):
    write_json(f"{folder}/vocab.json", model["vocab"])
    with open(f"{folder}/merges.txt", "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in model["merges"]))


def write_wordpiece(folder):
    vocab = wordpiece()["vocab"]
    with open(f"{folder}/vocab.txt", "w", encoding="utf-8") as file:
        file.write("".join(token + "\n" for token in sorted(vocab, key=vocab.get)))


def write_bytes(folder):
    write_bpe(folder, byte_bpe(specials=["<s>", "<pad>", "</s>", "<unk>", "<mask>", "[CLS]", "[SEP]", "<|endoftext|>",
                                         "<|startoftranscript|>", "<|notimestamps|>"], size=380))


def write_chars(folder):
    write_bpe(folder, char_bpe(specials=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], end_of_word_suffix="</w>"))


def legacy_folders():
    """Folders of the older files and of transformers' settings, written in place."""
    def make(name, config=None, special_map=None):
        folder = f"{OUT}/{name}"
        os.makedirs(folder)
        if config is not None:
            write_json(f"{folder}/tokenizer_config.json", config)
        if special_map is not None:
            write_json(f"{folder}/special_tokens_map.json", special_map)
        return folder

    write_bpe(make("legacy-gpt2", {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 1024}),
              byte_bpe(specials=["<|endoftext|>"]))
    write_bpe(make("legacy-gpt2-bos", {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True,
                                       "add_prefix_space": True, "pad_token": "<pad>",
                                       "padding_side": "left", "clean_up_tokenization_spaces": True}),
              byte_bpe(specials=["<|endoftext|>"]))
    folder = make("legacy-roberta")
    write_bpe(folder, byte_bpe(specials=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))
    write_json(f"{folder}/config.json", {"model_type": "roberta"})
    write_bpe(make("legacy-bart", {"tokenizer_class": "BartTokenizer", "add_prefix_space": True,
                                   "model_max_length": 1e30}),
              byte_bpe(specials=["<s>", "<pad>", "</s>", "<unk>"]))
    write_wordpiece(make("legacy-bert", {"tokenizer_class": "BertTokenizer"}))
    write_wordpiece(make("legacy-distilbert-cased",
                         {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False,
                          "tokenizer_class": "DistilBertTokenizer"},
                         {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
                          "mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False,
                                         "single_word": False, "normalized": False},
                          "additional_special_tokens": ["[EXTRA]", "special"]}))
    whole = whole_folders()
    write_json(make("bert-class", {"tokenizer_class": "BertTokenizer", "do_lower_case": False,
                                   "added_tokens_decoder": {
                                       "2": {"content": "[CLS]", "special": True, "normalized": False},
                                       "310": {"content": "word", "lstrip": True, "normalized": True}},
                                   "additional_special_tokens": ["special"]}) + "/tokenizer.json",
               whole["wordpiece-flags"])
    write_json(make("roberta-class", {"tokenizer_class": "RobertaTokenizerFast", "add_prefix_space": True,
                                      "trim_offsets": False, "pad_token": "<pad>",
                                      "mask_token": {"__type": "AddedToken", "content": "<mask>",
                                                     "lstrip": True, "rstrip": True, "single_word": False,
                                                     "normalized": True}}) + "/tokenizer.json",
               whole["roberta"])
    write_json(make("generic-class", {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<eos>",
                                      "clean_up_tokenization_spaces": True, "model_max_length": 77,
                                      "split_special_tokens": True})
               + "/tokenizer.json", whole["byte-bpe-trim"])
    write_json(make("clip-class", {"tokenizer_class": "CLIPTokenizer"}) + "/tokenizer.json", whole["clip"])


# ---- cases ----------------------------------------------------------------------------------

WINDOWS = 50  # cases of chains that make more are left out: they are large and show no more
PANIC = "the library gives up"  # such a case is left out


class Reference:
    def __init__(self, folder):
        self.transformers = None
        if os.path.exists(f"{folder}/tokenizer_config.json") or os.path.exists(f"{folder}/config.json"):
            self.transformers = transformers.AutoTokenizer.from_pretrained(folder)
            self.transformers._switch_to_input_mode()  # as each call of it does
            self.backend = self.transformers.backend_tokenizer
        else:
            self.backend = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")

    def encode(self, text, pair, options, full=True):
        self.backend.no_padding()
        self.backend.no_truncation()
        if "truncation" in options:
            self.backend.enable_truncation(
                options["max_length"], stride=options.get("stride", 0),
                strategy=options["truncation"], direction="left" if options.get("left") else "right")
        try:
            encoding = self.backend.encode(text, pair,
                                           add_special_tokens=not options.get("no_special_tokens"))
        except BaseException as error:  # a stride too long is a panic in the library
            if isinstance(error, Exception) or "stride" in str(error):
                return None
            if "index out of bounds" in str(error):
                return PANIC
            raise
        windows = [encoding] + (encoding.overflowing if options.get("overflow") else [])
        out = [window(w, full) for w in windows]
        if full and not self.backend.post_processor:  # the library does not keep track then
            for row in out:
                del row["sequence"]
        return out

    def decode(self, ids, keep, clean):
        if self.transformers:
            return self.transformers.decode(ids, skip_special_tokens=not keep,
                                            clean_up_tokenization_spaces=clean)
        return self.backend.decode(ids, skip_special_tokens=not keep)


def flat(spans):
    return [n for span in spans for n in span]


def minus_one(values):
    return [-1 if v is None else v for v in values]


def window(e, full):
    if not full:
        return {"ids": e.ids, "offsets": flat(e.offsets), "words": minus_one(e.word_ids)}
    return {"ids": e.ids, "types": e.type_ids, "offsets": flat(e.offsets),
            "special": e.special_tokens_mask, "words": minus_one(e.word_ids),
            "sequence": minus_one(e.sequence_ids)}


BRIEF = ["unigram-bytes", "unigram-few-bytes", "unigram-odd", "unigram-no-unk", "unigram-spaces", "byte-level-start",
         "decoder-ctc", "decoder-ctc-plain", "first-moved"]
PADDED = ["wordpiece-flags", "unigram-t5"]
PADDINGS = [{}, {"left": True, "id": 3, "type_id": 2}, {"length": 12}, {"length": 3, "left": True},
            {"multiple_of": 8, "id": 1}, {"length": 9, "multiple_of": 4, "left": True}]


def padded(reference):
    """The same few texts under each padding, whole and cut into windows."""
    batch = ["the quick brown fox jumps over the lazy dog", "", "dog", "it's a test 1234"]
    for padding in PADDINGS:
        for options in ({}, {"truncation": "longest_first", "max_length": 7, "stride": 2, "overflow": True}):
            backend = reference.backend
            backend.no_truncation()
            if options:
                backend.enable_truncation(options["max_length"], stride=options["stride"])
            backend.enable_padding(direction="left" if padding.get("left") else "right",
                                   pad_id=padding.get("id", 0), pad_type_id=padding.get("type_id", 0),
                                   pad_token="[PAD]", length=padding.get("length"),
                                   pad_to_multiple_of=padding.get("multiple_of"))
            rows = [[dict(window(w, True), attention=w.attention_mask) for w in [e] + (e.overflowing if options else [])]
                    for e in backend.encode_batch(batch)]
            yield {"texts": batch, "padding": padding, "options": options, "windows": rows}
    backend.no_padding()
    backend.no_truncation()


def settings(reference):
    """What tokenizer_special and its kin must say; transformers' folders only."""
    t = reference.transformers
    if not t:
        return None
    roles = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"]
    ids = []
    for role in roles:
        token = getattr(t, f"_special_tokens_map", {}).get(f"{role}_token")
        ids.append(-1 if token is None else t.convert_tokens_to_ids(str(token)))
    length = t.model_max_length
    return {"roles": ids, "max_length": length if length < 1e9 else 0,
            "left": t.padding_side == "left", "size": max(t.get_vocab().values()) + 1}


def cases(folder, texts, full, pairs=PAIRS, options_list=OPTIONS):
    reference = Reference(folder)
    rows = []
    for text in texts:
        rows.append({"text": text, "windows": reference.encode(text, None, {}, full and pairs is PAIRS)})
    for text, pair in pairs if full else []:
        rows.append({"text": text, "pair": pair, "windows": reference.encode(text, pair, {})})
    for options in options_list if full else []:
        for text, pair in [("the dog " * 6, None)] + PAIRS[:1] + pairs[3:]:
            if pair is None and options.get("truncation") == "only_second":
                continue
            row = {"text": text, "options": options}
            if pair is not None:
                row["pair"] = pair
            row["windows"] = reference.encode(text, pair, options)
            rows.append(row)
    rows = [row for row in rows if row["windows"] != PANIC and
            not (len(row["windows"] or []) > WINDOWS and os.path.basename(folder).startswith("chain-"))]
    for row in rows:
        if row["windows"] is None:
            del row["windows"]
            row["error"] = True
    rng = random.Random(7)
    size = max(reference.backend.get_vocab(with_added_tokens=True).values()) + 3
    lists = [row["windows"][0]["ids"] for row in rows if "windows" in row][:len(texts)]
    lists += [[rng.randrange(size) for _ in range(rng.randrange(1, 16))] for _ in range(12 if pairs is PAIRS else 4)]
    decodes = []
    for i, ids in enumerate(lists):
        clean = [None, True, False][i % 3] if reference.transformers else False
        keep = i % 5 == 0
        row = {"ids": ids, "text": reference.decode(ids, keep, clean)}
        if keep:
            row["keep"] = True
        if clean is not None:
            row["clean"] = clean
        decodes.append(row)
    out = {"cases": rows, "decodes": decodes}
    if os.path.basename(folder) in PADDED:
        out["paddings"] = list(padded(reference))
    if settings(reference):
        out["settings"] = settings(reference)
    with open(f"{folder}/cases.json", "w", encoding="utf-8") as file:
        head = {k: v for k, v in out.items() if k == "settings"}
        file.write("{")
        for key, value in head.items():
            file.write(f'"{key}":{json.dumps(value)},\n')
        keys = [key for key in ("cases", "paddings", "decodes") if key in out]
        for key in keys:
            lines = [json.dumps(r, ensure_ascii=True, separators=(",", ":")) for r in out[key]]
            file.write(f'"{key}":[\n' + ",\n".join(lines) + ("\n]" if key == keys[-1] else "\n],\n"))
        file.write("}\n")


def make():
    shutil.rmtree(OUT, ignore_errors=True)
    small, whole = small_folders(), whole_folders()
    for name, tokenizer in {**small, **whole}.items():
        os.makedirs(f"{OUT}/{name}")
        write_json(f"{OUT}/{name}/tokenizer.json", tokenizer)
    legacy_folders()
    pieces.folders(OUT, CORPUS, write_wordpiece, write_bytes, write_chars)
    few = [t for t in TEXTS if len(t) < 60]
    for name in sorted(os.listdir(OUT)):
        if name.startswith(pieces.PREFIX):
            cases(f"{OUT}/{name}", pieces.TEXTS, True, PAIRS[:1], [])
            continue
        full = name not in small and name not in BRIEF
        texts = TEXTS if full else few
        if name.startswith("chain-"):  # it is the pairs and windows that matter there
            texts = TEXTS[4:8]
        cases(f"{OUT}/{name}", texts_of(name, texts), full)



def make_below(folder):
    global OUT
    OUT = str(folder)
    make()


def main():
    fresh.make_or_check("--check" in sys.argv, make_below, OUT)


if __name__ == "__main__":
    main()
