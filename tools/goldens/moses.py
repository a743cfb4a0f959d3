#!/usr/bin/env python3
"""Makes tests/golden/tokenizer-moses: tiny folders of the tokenizer classes that prepare text with the
Moses scripts (XLM, FlauBERT, FSMT, BioGPT), with the ids and texts that transformers (4.57) and
sacremoses make of them. The layout is that of tools/goldens/slow_tokenizers.py; the vocabularies tell
every character of these texts apart. The same bytes on every run. From the repository root; --check
makes them elsewhere and compares.
"""
import json
import os
import random
import shutil
import sys

import fresh
import slow_tokenizers as slow

import transformers

OUT = "tests/golden/tokenizer-moses"
TEXTS = [
    "", " ", "the quick brown fox, it's over 1,234 dogs.", "  two  spaces\n\nlines\ttab \x00a\x07b \x1c c\u00a0d ",
    # periods
    "Mr. Fox and Mrs. Dog. No. 5 and No. five, pp. 7. e.g. this; U.S. Army. x. y. X. The End.", "Wait... what.. .... ...\"", "...", ".", "a.'", "..'", ".'",
    "z.B. Abs. 3, Nr. 4. Der. M. Mme. Mlle. etc. Fin. St. Petersburg", "\u0433. \u041c\u043e\u0441\u043a\u0432\u0430, \u0442.\u0434. \u0440\u0443\u0431. \u0428. \u0448\u0442. 5", "DOTMULTI aDOTDOTMULTIb DOT DOTDOT.MULTI dotmulti",
    # apostrophes
    "don't can't it's I'm we'll 5's '90s Jones' 'tis rock'n'roll o' 'a' ''b'' `c` ``d''", "l'eau d'A qu'il aujourd'hui \u00e9'\u00e9 1'2 'a", "''''' ' '' '''a", "\u0939'\u094d \u094d'a a'\u0939",
    # commas, dashes
    "1,000 a,b 1,b a,1 ,,1,, ,,a,", "5,", ",", "a-b-c a--b 1-2 -a- \u00e9-\u0431 a-.b \u0939\u094d-\u0939", "@-@ a @-@ b @ - @",
    # quotes and brackets
    "\"He said,\" she \"went.\" \"a\",. \"b\"., \"c\".\" d", "x.\" y ..\"z .\"<b> .\" <b> .\"", "(a ) ( b) c( d )e ) . ) : f ;g :h 5 % 6% \u0663 %",
    "\u201ea\u201c \u201cb\u201d \u2018c\u2019 d\u2019s \u201ae\u2018 \u00abf\u00bb \u00ab\u00a0g\u00a0\u00bb h\u00a0\u00ab\u00a0i\u00a0\u00bb j \u2039k\u203a \u00b4l\u00b4\u00b4m", "a\u2013b c\u2014d e\u2026 f \u2501 \u2236",
    # spaces that are not spaces
    "7\u00a08\u00a09 1\u00a0% n\u00ba\u00a01 3\u00a0\u00baC 4\u00a0cm 5\u00a0: 6\u00a0? a,\u00a0b c\u00a0! d\u00a0;", "a\u2028b\u3000c\u200bd\u00ade\x85f",
    # foreign punctuation
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002  \u518d\u89c1\uff01\uff08\uff11\uff12\uff10\uff09\uff0e \u300aa\u300b\u3010b\u3011\uff5e\uff05\uff1f\u3001", "\u3002\uff0e \u3002",
    # entities and markup
    "a & b < c > d | e [f] {g} \"h\" 'i'", "&amp; &apos; &quot; &lt;b&gt; &#91; &amp;lt; &bar; &nbsp; <b>x</b> http://a.b/c?d=e me@x.com #t $5 \u20ac9 5\u00a3",
    # scripts
    "\ud55c\uad6d\uc5b4 \u65e5\u672c\u8a9e\u306e \u30ab\u30bf \uff76\uff85 \u0e44\u0e17\u0e22 \u0939\u093f\u0928\u094d\u0926\u0940 \u0d34\u0d3c \U0001f600\U0001f468\u200d\U0001f469 \U00020000", "\u00c9COLE \u0130I \u00df\u1e9e \u039f\u03a3 \u03a3\u0391 \u039f\u03a3'A e\u0301\u0323 \u212b \u1fef\u1fef \u24b6\u03a3",
    # added tokens
    "<s>a</s> <pad> b<unk>. <special1>c", "x</w>y",
]
PAIRS = [("the fox.", "it's over"), ("a", "")]
DECODED = ["the quick ( brown ) fox , it 's over .", "\" a \" b \" c ' d ' e ` f ` '' g '' \u201e h \u201c i", "the Jones ' house ' s ' x", "$ 5 \u20ac 9 [ a ] { b } \u00bf c ? \u00a1 d !",
           "l' eau d' A qu' 1 a' ' b", "a ? b ! c : d ; e \\ f % g .? h", "\u4f60 \u597d a \u4e16 b \ud55c \uad6d , \u754c", "a @-@ b @-@ @-@ c &apos;s &amp;lt; &quot; d &quot; &#91; e &#93; &bar; &lt;", "'s x 's ' s '\u0939 '\u094d x"]
FOLDERS = {
    "xlm": {"tokenizer_class": "XLMTokenizer"},
    "xlm-cased": {"tokenizer_class": "XLMTokenizer", "do_lowercase_and_remove_accent": False, "mask_token": "<m>",
                  "additional_special_tokens": ["<special0>", "dog"], "clean_up_tokenization_spaces": True},
    "flaubert": {"tokenizer_class": "FlaubertTokenizer"},
    "flaubert-lower": {"tokenizer_class": "FlaubertTokenizer", "do_lowercase": True},
    "fsmt-en-ru": {"tokenizer_class": "FSMTTokenizer", "langs": ["en", "ru"], "model_max_length": 1024},
    "fsmt-de-en": {"tokenizer_class": "FSMTTokenizer", "langs": ["de", "en"], "do_lower_case": True},
    "fsmt-ru-fr": {"tokenizer_class": "FSMTTokenizer", "langs": ["ru", "fr"]},
    "fsmt-fr-ko": {"tokenizer_class": "FSMTTokenizer", "langs": ["fr", "ko"]},
    "biogpt": {"tokenizer_class": "BioGptTokenizer"},
}


def write_files(folder, config):
    """Words of the corpus and of the texts; every character of both, alone and at the end of a word."""
    pairs, symbols = slow.merges(slow.CORPUS.split() + "don 't &apos;s @-@ quick the".split() * 5, 60)
    characters = sorted(c for c in set("".join(TEXTS + DECODED).lower() + "".join(TEXTS + DECODED) + slow.CORPUS) if not c.isspace())
    head = ["<s>", "<pad>", "</s>", "<unk>", "<special0>", "<special1>"]
    tokens = slow.vocabulary(symbols + [c + end for end in ("", "</w>") for c in characters], head)
    slow.write_json(f"{folder}/tokenizer_config.json", config)
    if "langs" in config:
        names = list(tokens)
        slow.write_json(f"{folder}/vocab-src.json", tokens)
        slow.write_json(f"{folder}/vocab-tgt.json", {t: i for i, t in enumerate(names[:6] + names[6:50][::-1] + names[50:])})
    else:
        slow.write_json(f"{folder}/vocab.json", tokens)
    slow.write(f"{folder}/merges.txt", "".join(f"{a} {b} 7\n" for a, b in pairs) + "t h")


def ids_of_words(reference, text):
    """As a model may write a text: its words, each of single characters."""
    known = getattr(reference, "decoder")
    ids = {token: i for i, token in known.items()}
    return [ids[c + ("</w>" if i + 1 == len(word) else "")] for word in text.split() for i, c in enumerate(word)]


def cases(folder):
    reference = transformers.AutoTokenizer.from_pretrained(folder)
    out, known = [], []
    for text in TEXTS:
        known.append(reference(text)["input_ids"])
        out.append({"text": text, "windows": [{"ids": known[-1]}]})
    for text, pair in PAIRS:
        out.append({"text": text, "pair": pair, "windows": [{"ids": reference(text, pair)["input_ids"]}]})
    plain = reference(TEXTS[2], add_special_tokens=False)["input_ids"]
    out.append({"text": TEXTS[2], "options": {"no_special_tokens": True}, "windows": [{"ids": plain}]})
    known += [ids_of_words(reference, text) for text in DECODED]
    rng = random.Random(7)
    known += [[rng.randrange(len(reference)) for _ in range(rng.randrange(1, 12))] for _ in range(6)]
    decodes = [{"ids": ids, "text": reference.decode(ids, skip_special_tokens=not keep), **({"keep": True} if keep else {})}
               for i, ids in enumerate(known) for keep in ((False, True) if i % 9 == 0 else (False,))]
    roles = [getattr(reference, f"{role}_token_id") for role in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")]
    limit = reference.model_max_length
    head = {"roles": [-1 if r is None else r for r in roles], "max_length": 0 if limit > 1e9 else limit,
            "left": reference.padding_side == "left"}
    slow.write(f"{folder}/cases.json", f'{{"settings":{json.dumps(head)},\n"cases":[\n' +
               ",\n".join(json.dumps(r, separators=(",", ":")) for r in out) + '\n],\n"decodes":[\n' +
               ",\n".join(json.dumps(r, separators=(",", ":")) for r in decodes) + "\n]}\n")


def make(out):
    shutil.rmtree(out, ignore_errors=True)
    for name, config in FOLDERS.items():
        os.makedirs(f"{out}/{name}")
        write_files(f"{out}/{name}", config)
        cases(f"{out}/{name}")


if __name__ == "__main__":
    fresh.make_or_check("--check" in sys.argv, make, OUT)
