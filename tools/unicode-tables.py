#!/usr/bin/env python3
"""Writes src/tokenizer/unicode_tables.inc: what the `tokenizers` library thinks of each code point.

The library mixes five Unicode versions (Rust's own, Oniguruma's, two old crates, the regex crate),
so every property is found by probing every code point through it, not read from a database. Only
what utf8proc knows differently is listed for normalization and lower case. Needs `tokenizers` and
the shared library of utf8proc. Run from the repository root; the output is committed, and --check
compares it with a new one.
"""
import ctypes
import ctypes.util
import io
import struct
import sys

from tokenizers import Regex, normalizers, pre_tokenizers

OUT = "src/tokenizer/unicode_tables.inc"
ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
TEXT = "".join(map(chr, ALL))

# One bit a property; the names are those of src/tokenizer/unicode.h.
PROPERTIES = ["LETTER", "NUMBER", "SPACE", "WHITE", "NUMERIC", "PUNCT", "CONTROL", "NONSPACING",
              "MARK", "WORD", "UNKNOWN", "ALPHA", "HAN"]
# General categories as Oniguruma has them, from bit 16 on.
CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs "
              "Co Cn").split()
# Classes of grapheme boundaries as unicode-segmentation has them, from bit 21 on; carriage return
# and line feed are controls here, regional indicators (which decide nothing) OTHER.
GRAPHEMES = ("OTHER CONTROL EXTEND EXTEND_PLAIN LINKER ZWJ SPACING PREPEND L V T LV LVT PICT "
             "CONSONANT").split()


def kept(normalizer, text=TEXT):
    return set(map(ord, normalizer.normalize_str(text)))


def matched_by(pattern):
    return set(ALL) - kept(normalizers.Replace(Regex(pattern), ""))


def pieces(pre_tokenizer, text):
    return [piece for piece, _ in pre_tokenizer.pre_tokenize_str(text)]


def removed_by(pre_tokenizer):
    return set(ALL) - set(map(ord, "".join(pieces(pre_tokenizer, TEXT))))


def numeric():
    split = pre_tokenizers.Digits(individual_digits=True)
    text = "a" + "a".join(map(chr, ALL)) + "a"
    return {ord(p) for p in pieces(split, text) if len(p) == 1 and p != "a"}


def word():
    text = "".join("a" + chr(c) + " " for c in ALL)
    return {ord(p[1]) for p in pieces(pre_tokenizers.Whitespace(), text) if len(p) == 2}


def control():
    """What BERT's cleaning removes; the rest of its work is white space."""
    clean = normalizers.BertNormalizer(True, False, False, False)
    out = set()
    for c in ALL:
        if clean.normalize_str(chr(c)) == "":
            out.add(c)
    return out


def nonspacing(nfd):
    strip = normalizers.BertNormalizer(False, False, True, False)
    return {c for c in ALL if nfd[c] == chr(c) and strip.normalize_str(chr(c)) == ""}


def load_utf8proc():
    lib = ctypes.CDLL(ctypes.util.find_library("utf8proc"))
    lib.utf8proc_tolower.restype = ctypes.c_int32
    lib.utf8proc_tolower.argtypes = [ctypes.c_int32]
    lib.utf8proc_decompose_char.restype = ctypes.c_ssize_t
    lib.utf8proc_get_property.restype = ctypes.c_void_p
    lib.utf8proc_get_property.argtypes = [ctypes.c_int32]
    return lib


def utf8proc_decompose(lib, c, compat):
    buffer = (ctypes.c_int32 * 32)()
    last = ctypes.c_int(0)
    options = (1 << 4) | ((1 << 2) if compat else 0)  # DECOMPOSE, COMPAT
    n = lib.utf8proc_decompose_char(c, buffer, 32, options, ctypes.byref(last))
    return "".join(map(chr, buffer[:n]))


def utf8proc_ccc(lib, c):
    record = ctypes.cast(lib.utf8proc_get_property(c), ctypes.POINTER(ctypes.c_uint16))
    return record[1]  # struct utf8proc_property_t: category, combining_class, ...


def reorders(nfd, first, second):
    return nfd.normalize_str(chr(first) + chr(second))[0] != chr(first)


def ccc_class(norm, c):
    """The combining class as two probes see it: 0, 1..229 or 230 and more, as (low, high)."""
    return (reorders(norm, 0x345, c), reorders(norm, c, 0x334))  # 0x345 has 240, 0x334 has 1


def unknown(lib, nfd, nfkd):
    """Code points that utf8proc decomposes, composes or reorders, and the library does not."""
    norm = normalizers.NFD()
    out = set()
    for c in ALL:
        if 0xAC00 <= c <= 0xD7A3:
            continue
        ours = utf8proc_decompose(lib, c, False), utf8proc_decompose(lib, c, True)
        if ours != (nfd[c], nfkd[c]):
            if (nfd[c], nfkd[c]) != (chr(c), chr(c)):
                sys.exit(f"U+{c:04X}: the library decomposes what utf8proc does not: {ours}")
            out.add(c)
        ccc = utf8proc_ccc(lib, c)
        if nfd[c] == chr(c):
            theirs = ccc_class(norm, c)
            if theirs != (0 < ccc < 240, ccc > 1):
                if theirs != (False, False):
                    sys.exit(f"U+{c:04X}: combining class: the library {theirs}, utf8proc {ccc}")
                out.add(c)
    return out


def lower_exceptions(lib):
    norm = normalizers.Lowercase()
    rows = []
    for c in ALL:
        theirs = norm.normalize_str(chr(c))
        if theirs != chr(lib.utf8proc_tolower(c)):
            rows.append((c, [ord(x) for x in theirs]))
    return rows


def byte_charsmap():
    """A charsmap whose only keys are single bytes, all standing for "X": a grapheme of at most five
    bytes gives one X, a longer one as many as it has characters."""
    units = [0] * 1024
    units[0] = 256 << 10
    for c in range(1, 256):
        units[256 ^ c] = c | 1 << 8 | ((256 ^ c) ^ (512 + c)) << 10
        units[512 + c] = 1 << 31
    return struct.pack("<I1024I", 4096, *units) + b"X\0"


def grapheme_classes():
    """By what a character does between others: a join shows in the count of X where the joined
    grapheme is longer than five bytes and its parts are not."""
    norm = normalizers.Precompiled(byte_charsmap())
    mark, zwj, virama, ka, pict = "\u0300", "\u200d", "\u094d", "\u0915", "\u00a9"

    def gives(n, *parts):
        return len(norm.normalize_str("".join(parts))) == n

    def class_of(c):
        if gives(1, c, "a"):
            return "PREPEND"
        if gives(1, "a", c):
            if c == zwj:
                return "ZWJ"
            if not gives(5, pict, c, zwj, pict, mark):
                return "SPACING"
            if gives(4, ka, c, ka, mark):
                return "LINKER"
            return "EXTEND" if gives(5, ka, c, virama, ka, mark) else "EXTEND_PLAIN"
        if gives(2, c, mark, mark) and not (c < "\x80" and gives(1, c, mark)):
            return "CONTROL"
        if gives(4, c, virama, ka, mark):
            return "CONSONANT"
        if gives(4, c, zwj, pict, mark):
            return "PICT"
        v, t = gives(3, c, "\u1161", mark), gives(3, c, "\u11a8", mark)
        if c < "\u0800" or not (v or t):
            return "OTHER"
        if v and not t:
            return "L"
        after_v = gives(3, "\u1161", c, mark) or c > "\uffff"
        return ("V" if after_v else "LV") if v else ("T" if after_v else "LVT")

    return [GRAPHEMES.index(class_of(chr(c))) if is_scalar(c) else 0 for c in range(0x110000)]


def is_scalar(c):
    return not 0xD800 <= c <= 0xDFFF


def scripts():
    """Where UnicodeScripts sees a script begin and end, as (first code point, script); 0 is any."""
    split = pre_tokenizers.UnicodeScripts()
    latin, cyrillic = "a", "\u0431"

    def apart(text):
        return len(split.pre_tokenize_str(text)) > 1

    def is_any(c):
        return not apart(latin + c) and not apart(cyrillic + c)

    known, runs, last = [], [], None
    for c in ALL:
        if last is not None and not is_any(chr(c)) and last and not apart(known[last - 1] + chr(c)):
            continue
        script = 0
        if not is_any(chr(c)):
            script = next((i for i, r in enumerate(known, 1) if not apart(r + chr(c))), 0)
            if not script:
                known.append(chr(c))
                script = len(known)
        if script != last:
            runs.append((c, script))
        last = script
    return runs


def two_stage(values):
    size = 128
    blocks, first = {}, []
    for start in range(0, 0x110000, size):
        block = tuple(values[start:start + size])
        first.append(blocks.setdefault(block, len(blocks)))
    return first, [v for block in blocks for v in block]


def write_array(out, kind, name, values, form="%d"):
    out.write(f"static const {kind} {name}[{len(values)}] = {{\n")
    line = "   "
    for v in values:
        item = " " + form % v + ","
        if len(line) + len(item) > 100:
            out.write(line + "\n")
            line = "   "
        line += item
    out.write(line + "\n};\n\n")


def main():
    lib = load_utf8proc()
    nfd = {c: normalizers.NFD().normalize_str(chr(c)) for c in ALL}
    nfkd = {c: normalizers.NFKD().normalize_str(chr(c)) for c in ALL}
    sets = {
        "LETTER": matched_by(r"\p{L}"),
        "NUMBER": matched_by(r"\p{N}"),
        "SPACE": matched_by(r"\s"),
        "WHITE": removed_by(pre_tokenizers.WhitespaceSplit()),
        "NUMERIC": numeric(),
        "PUNCT": removed_by(pre_tokenizers.Punctuation("removed")),
        "CONTROL": control(),
        "NONSPACING": nonspacing(nfd),
        "MARK": set(ALL) - kept(normalizers.StripAccents()),
        "WORD": word(),
        "UNKNOWN": unknown(lib, nfd, nfkd),
        "ALPHA": matched_by(r"[\w]"),
        "HAN": matched_by(r"\p{Han}"),
    }
    categories = [CATEGORIES.index("Cs")] * 0x110000
    for i, name in enumerate(CATEGORIES):
        for c in matched_by(rf"\p{{{name}}}") if name != "Cs" else ():
            categories[c] = i
    bits = [0] * 0x110000
    for i, name in enumerate(PROPERTIES):
        for c in sets[name]:
            bits[c] |= 1 << i
    bits = [b | category << 16 | grapheme << 21
            for b, category, grapheme in zip(bits, categories, grapheme_classes())]
    combos = sorted(set(bits))
    index = {b: i for i, b in enumerate(combos)}
    first, second = two_stage([index[b] for b in bits])
    lower = lower_exceptions(lib)
    with io.StringIO() as out:
        out.write("/* Generated by tools/unicode-tables.py: do not edit. The `tokenizers` library's view\n"
                  " * of every code point; see unicode.h for the properties. */\n\n")
        for i, name in enumerate(PROPERTIES):
            out.write(f"/* bit {i}: {name}, {len(sets[name])} code points */\n")
        out.write("\n")
        out.write("/* bits 16 to 20: general category, " + " ".join(CATEGORIES[:15]) + "\n   " +
                  " ".join(CATEGORIES[15:]) + " */\n")
        out.write("/* bits 21 to 24: class of grapheme boundaries, " + " ".join(GRAPHEMES[:6]) +
                  "\n   " + " ".join(GRAPHEMES[6:]) + " */\n\n")
        if len(combos) > 256:
            sys.exit(f"{len(combos)} sets of properties do not fit a byte")
        write_array(out, "uint32_t", "property_sets", combos, "0x%x")
        write_array(out, "uint8_t" if max(first) < 256 else "uint16_t", "property_blocks", first)
        write_array(out, "uint8_t", "property_cells", second)
        out.write("/* Lower case where utf8proc says otherwise: code point, then its one or two. */\n")
        flat = [v for c, to in lower for v in (c, to[0], to[1] if len(to) > 1 else 0)]
        write_array(out, "uint32_t", "lower_exceptions", flat, "0x%x")
        out.write("/* Scripts of UnicodeScripts: first code point << 8 | script, 0: any. */\n")
        write_array(out, "uint32_t", "script_runs", [c << 8 | s for c, s in scripts()], "0x%x")
        text = out.getvalue()
    if "--check" in sys.argv:
        with open(OUT, encoding="utf-8") as file:
            same = file.read() == text
        print("no difference" if same else f"{OUT} differs: make it again")
        sys.exit(not same)
    with open(OUT, "w", encoding="utf-8") as file:
        file.write(text)


main()
