"""Tokenizers on the Moses scripts for the comparison with transformers: folders whose vocabularies
tell every character of every word apart, and texts that meet the rules of sacremoses.
"""
import json
import os
import random
import sys
import unicodedata

import tokenizers

from texts import ROOT, sentences

sys.path.insert(0, os.path.join(ROOT, "tools/goldens"))

CLASSES = ("XLMTokenizer", "FlaubertTokenizer", "FSMTTokenizer", "BioGptTokenizer")
FOLDERS = {
    "moses-xlm": {"tokenizer_class": "XLMTokenizer"},
    "moses-xlm-cased": {"tokenizer_class": "XLMTokenizer", "do_lowercase_and_remove_accent": False},
    "moses-flaubert": {"tokenizer_class": "FlaubertTokenizer"},
    "moses-flaubert-lower": {"tokenizer_class": "FlaubertTokenizer", "do_lowercase": True},
    "moses-biogpt": {"tokenizer_class": "BioGptTokenizer", "clean_up_tokenization_spaces": True},
    "moses-fsmt-en-ru": {"tokenizer_class": "FSMTTokenizer", "langs": ["en", "ru"]},
    "moses-fsmt-de-en": {"tokenizer_class": "FSMTTokenizer", "langs": ["de", "en"], "do_lower_case": True},
    "moses-fsmt-ru-fr": {"tokenizer_class": "FSMTTokenizer", "langs": ["ru", "fr"]},
    "moses-fsmt-fr-ko": {"tokenizer_class": "FSMTTokenizer", "langs": ["fr", "ko"]},
    "moses-fsmt-de-it": {"tokenizer_class": "FSMTTokenizer", "langs": ["de", "it"]},
    "moses-fsmt-ru-ga": {"tokenizer_class": "FSMTTokenizer", "langs": ["ru", "ga"]},
    "moses-fsmt-fr-de": {"tokenizer_class": "FSMTTokenizer", "langs": ["fr", "de"]},
}


KINDS = [tokenizers.normalizers.Replace(tokenizers.Regex(rf"\p{{{kind}}}"), "") for kind in ("C", "Mn", "Nd")]


def other_unicode(text):
    """Whether a character is printed, a mark or a digit to Python and not to the tokenizers library,
    whose younger tables Brisk keeps to, or the other way round; or is decomposed by one of them only."""
    for normalizer, is_it in zip(KINDS, (lambda c: c[0] == "C", lambda c: c == "Mn", lambda c: c == "Nd")):
        if "".join(c for c in text if not is_it(unicodedata.category(c))) != normalizer.normalize_str(text):
            return True
    return unicodedata.normalize("NFD", text) != tokenizers.normalizers.NFD().normalize_str(text)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False)


def characters():
    return [chr(c) for c in range(0x21, 0x30000) if unicodedata.category(chr(c)) not in ("Cs", "Co", "Cn")]


def folders(made):
    from slow_tokenizers import merges
    rng = random.Random(3)
    words = [word for text in sentences(rng, 400) for word in text.replace(".", " . ").split()]
    words += "don 't &apos;s &quot; @-@ l' d' ... &amp;".split() * 9
    pairs, symbols = merges(words, 500)
    tokens = ["<s>", "<pad>", "</s>", "<unk>"] + [f"<special{i}>" for i in range(10)]
    tokens += symbols + [a + b for a, b in pairs] + [c + end for end in ("", "</w>") for c in characters()]
    source = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    names = list(source)  # to the target language, ids of more than a character read as others
    target = {token: i for i, token in enumerate(names[:14] + names[14:500][::-1] + names[500:])}
    out = []
    for name, config in FOLDERS.items():
        folder = os.path.join(made, name)
        os.mkdir(folder)
        write_json(f"{folder}/tokenizer_config.json", config)
        if config["tokenizer_class"] == "FSMTTokenizer":
            write_json(f"{folder}/vocab-src.json", source)
            write_json(f"{folder}/vocab-tgt.json", target)
        else:
            write_json(f"{folder}/vocab.json", source)
        with open(f"{folder}/merges.txt", "w", encoding="utf-8") as file:
            file.write("".join(f"{a} {b} 7\n" for a, b in pairs))
        out.append(folder)
    return out


PARTS = list("''''''\"\"\"``.....,,,,;:!?()[]{}<>|&%$#@*/\\-_=+~^") + [
    " ", " ", " ", " ", "\u00a0", "\u00a0", "\u2009", "\u3000", "\u2028", "\n", "\t", "\r\n", "\x1c", "\x00", "\x07", "\x85", "\u00ad", "\u200b",
    "''", "``", "\u00b4", "\u00b4\u00b4", "\u2018", "\u2019", "\u201a", "\u201c", "\u201d", "\u201e", "\u00ab", "\u00bb", "\u2039", "\u203a", "\u2013", "\u2014", "\u2026", "\u2025",
    "\u3002", "\u3001", "\uff0e", "\uff0c", "\uff01", "\uff1f", "\uff08", "\uff09", "\uff05", "\uff5e", "\u300a", "\u300d", "\u3010", "\u2501", "\u2236", "\uff10", "\uff19",
    "..", "...", "....", ".'", ".\"", ",\"", "\".", "\",", "\",.", ". \"", "\u00a0\u00ab\u00a0", "\u00a0\u00bb", "n\u00ba\u00a0", "\u00a0\u00baC", "\u00a0cm", "\u00a0%", " %",
    "1", "12", "3,4", "5.6", "1,000", "7\u00a08\u00a09", "\u0663", "\u0967", "\u00b2", "\u00bd", "\u2167", "5's", "$5", "\u20ac9", "\u00a33",
    "a", "s", "t", "A", "D", "word", "Word", "word.", "Mr.", "Mrs.", "Dr.", "No.", "Art.", "pp.", "Nr.", "nr.", "p.", "Abs.", "z.B.", "M.", "Mme.", "U.S.", "e.g.", "i.e.",
    "\u0433.", "\u0442.\u0434.", "\u0440\u0443\u0431.", "\u0428\u0442", "jan.", "J.", "St.", "etc.", "DOT", "MULTI", "DOTMULTI", "DOTDOTMULTI", "dotmulti", "DOTDOT.MULTI",
    "don't", "it's", "I'm", "we'll", "l'eau", "d'A", "qu'il", "Jones'", "'tis", "rock'n'roll", "'s", "'S", "'ll", "o'", "'90s", "90's", "\u00e9'\u00e9", "\u0939'\u094d", "\u094d'a",
    "a-b", "a--b", "1-2", "-", "--", "a-\u0431-3", "\u0939\u094d-\u0939", "@-@", " @-@ ", "@", "&amp;", "&apos;", "&quot;", "&lt;", "&gt;", "&#91;", "&#93;", "&#124;", "&bar;", "&bra;", "&ket;", "&amp;lt;", "&nbsp;",
    "http://a.b/c?d=e&f=g#h", "www.x.org", "me@x.com", "#tag", "<b>", "</b>", "<s>", "</s>", "<unk>", "<special1>", "</w>",
    "\u00bf", "\u00a1", "caf\u00e9", "\u00c9COLE", "\u0130", "\u00df", "\u03a3", "\u039f\u03a3", "\u03a3.", "e\u0301", "\u1e9b\u0323", "\u212b", "\ud55c\uad6d", "\uac00", "\u4e2d\u6587", "\u65e5", "\u30ab", "\uff76", "\u0e44\u0e17\u0e22", "\U0001f600", "\U0001f468\u200d\U0001f469", "\U00020000", "\u24b6",
]


def texts(count, seed):
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        joint = rng.choice(["", "", " ", None])
        out.append("".join(rng.choice(PARTS) + (rng.choice(["", " "]) if joint is None else joint)
                           for _ in range(rng.randrange(1, 16))))
    for text in sentences(rng, count // 4):
        at = rng.randrange(len(text) + 1)
        out.append(text[:at] + rng.choice(PARTS) + text[at:])
    return out + ["." * 20000, "'" * 20000, "\"" * 9000, "a." * 9000, "a'" * 9000, "a-" * 9000, ",." * 9000, ".\"" * 9000]
