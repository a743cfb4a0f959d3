"""Texts that tokenizers disagree about: sentences of 113 languages and strings that break programs
(of the shared data, where it is in reach), runs of code points from every plane, mixtures of odd
parts, heaps of combining marks, every code point. Shared by the comparisons of tokenizers.
"""
import json
import os
import random
import unicodedata

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("BRISK_SHARED", os.path.join(ROOT, "..", "shared"))


def is_scalar(c):
    return not 0xD800 <= c <= 0xDFFF


def sentences(rng, count):
    path = os.path.join(SHARED, "data/tatoeba/sentences.tsv")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    by_language = {}
    for row in rows:
        by_language.setdefault(row[0], []).append(row[-1])
    out = []
    while len(out) < count:
        for language in sorted(by_language):
            out.append(rng.choice(by_language[language]))
    return out[:count]


def naughty():
    path = os.path.join(SHARED, "data/blns/blns.json")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def from_blocks(rng, count):
    """Runs of neighbouring code points from everywhere, assigned or not."""
    out = []
    for _ in range(count):
        top = rng.choice([0x80, 0x250, 0x800, 0x3000, 0x10000, 0x20000, 0x110000])
        start = rng.randrange(top)
        text = "".join(chr(min(start + rng.randrange(48), 0x10FFFF)) if
                       is_scalar(min(start + rng.randrange(48), 0x10FFFF)) else "x"
                       for _ in range(rng.randrange(1, 24)))
        out.append("".join(c for c in text if is_scalar(ord(c))))
    return out


def sweep():
    """Every code point, between letters so that it meets a neighbour on both sides."""
    points = [chr(c) for c in range(0x110000) if is_scalar(c)]
    unassigned = [c for c in points if unicodedata.category(c) in ("Cn", "Co")]
    skipped = set(unassigned[::1]) - set(unassigned[::37])  # a sample of those
    points = [c for c in points if c not in skipped]
    return [" a".join(points[i:i + 40]) + "b".join(points[i:i + 40])
            for i in range(0, len(points), 40)]


PARTS = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u200d",
         "\ufeff", "\u00ad", "'s", "'S", "'t", "'re", "'ve", "'m", "'ll", "'LL", "'d", "'\u017f", "'",
         "\u2019", "hello", "World", "the", "don't", "CamelCase", "1", "12", "123", "1234567", "\u00bd",
         "\u0663\u0664", "\u00b2", "\u2167", ".", ",", "!", "?", "...", "-", "--", "_", "#", "##", "##ing",
         "$", "@", "/", "\\", "(", ")", "[", "]", "<", ">", "|", "<|", "|>", "\u00e9", "e\u0301",
         "\u0301", "\u0327\u0301", "\u0323\u0307", "\u1e69", "\u0130", "\u0131", "\u00df", "\u1e9e", "\ufb01", "\u212b", "\u2126",
         "\u4e2d\u6587", "\u65e5\u672c\u8a9e", "\u30ab\u3099", "\uff76\uff9e", "\ud55c\uad6d\uc5b4", "\u1112\u1161\u11ab",
         "\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "\u05e2\u05d1\u05e8\u05d9\u05ea", "\u0e44\u0e17\u0e22", "\u0939\u093f\u0928\u094d\u0926\u0940",
         "\u0420\u0443\u0441\u0441\u043a\u0438\u0439", "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac\u03c2", "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
         "\U0001f1eb\U0001f1f7", "\U0001f44d\U0001f3fd", "\u2764\ufe0f", "\U00020000", "\U0002b820", "\U0001d400", "\x00", "\x01",
         "\x1c", "\x7f", "\x85", "\ufffd", "\ue000", "\ufdfa", "\u0378", "\U000e0001", "a" * 40]


def mixed(rng, count, specials):
    out = []
    for _ in range(count):
        parts = PARTS + specials * 3
        out.append("".join(rng.choice(parts) for _ in range(rng.randrange(1, 14))))
    return out


def marks(rng, count):
    """Letters under heaps of combining marks, which normalization reorders and composes."""
    combining = [chr(c) for c in range(0x110000)
                 if is_scalar(c) and unicodedata.combining(chr(c))]
    bases = "aeiouAEIOUsSnN\u0391\u03b1\u0418\u0915\u3046\u304b\u1100\uac00\u1161\u11a8 1."
    return ["".join(rng.choice(bases) + "".join(rng.choice(combining)
                                                for _ in range(rng.randrange(0, 6)))
                    for _ in range(rng.randrange(1, 8))) for _ in range(count)]


def strings(count, seed, specials):
    rng = random.Random(seed)
    share = count // 5
    out = ["", " ", "\n", "a", "\u0301"] + naughty() + sentences(rng, 2 * share)
    out += from_blocks(rng, share) + mixed(rng, share, specials) + marks(rng, share)
    out += ["word " * 3000, "x" * 50000, "\u00e9" * 5000, " " * 3000, "a1" * 2000]
    return out
