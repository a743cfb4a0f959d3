#!/usr/bin/env python3
"""Compares `brisk tokenize` and `brisk detokenize` with the PyPI libraries, string by string.

    tests/diff/tokenizer.py path/to/brisk [--count 10000] [--seed 1] [folder ...]

The reference is the fast tokenizer as transformers' AutoTokenizer loads a folder, or the
`tokenizers` library where transformers finds no class. Without folders: those of ../shared (or
$BRISK_SHARED) that are in reach, and the small ones of tests/golden/tokenizer, which between them
use every stage. Ids, offsets and the decoded text must be equal on every string. Exit status 1
when one differs, 77 when a library is missing.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import unicodedata

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
try:
    import tokenizers
    import transformers
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("BRISK_SHARED", os.path.join(ROOT, "..", "shared"))
FOLDERS = ["tokenizers/bert-base-uncased", "tokenizers/bert-base-multilingual-cased",
           "tokenizers/gpt2", "tokenizers/roberta-base", "tokenizers/clip-vit",
           "tokenizers/falcon", "tokenizers/llama3", "models/capp-gpt2"]


def is_scalar(c):
    return not 0xD800 <= c <= 0xDFFF


# ---- strings --------------------------------------------------------------------------------

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


# ---- the two sides --------------------------------------------------------------------------

def names_class(folder):
    """Whether the files say which class it is (AutoTokenizer would go on and guess by the name of
    the folder)."""
    if os.path.exists(os.path.join(folder, "config.json")):
        return True
    path = os.path.join(folder, "tokenizer_config.json")
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        return "tokenizer_class" in json.load(file)


class Reference:
    def __init__(self, folder):
        self.transformers = None
        if names_class(folder):
            self.transformers = transformers.AutoTokenizer.from_pretrained(folder)
            self.backend = self.transformers.backend_tokenizer
        else:
            self.backend = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.backend.no_truncation()
        self.backend.no_padding()

    def specials(self):
        added = self.backend.get_added_tokens_decoder().values()
        return [token.content for token in added][:12]

    def encode(self, texts):
        """Ids and offsets, or None where the library itself gives up."""
        out = []
        for text in texts:
            try:
                encoding = self.backend.encode(text)
                out.append((encoding.ids, [list(o) for o in encoding.offsets]))
            except BaseException:  # a panic in the library is not an Exception
                out.append(None)
        return out

    def decode(self, ids):
        if self.transformers:
            return self.transformers.decode(ids, skip_special_tokens=True)
        return self.backend.decode(ids, skip_special_tokens=True)

    def vocab_size(self):
        return self.backend.get_vocab_size(with_added_tokens=True)


def brisk(program, command, folder, values):
    lines = "".join(json.dumps(value) + "\n" for value in values)
    run = subprocess.run([program, command, folder, "--json"], input=lines.encode(),
                         stdout=subprocess.PIPE, check=False)
    answers = run.stdout.decode().split("\n")[:-1]
    if run.returncode != 0 or len(answers) != len(values):
        sys.exit(f"brisk {command} {folder}: exit {run.returncode}, {len(answers)} answers to "
                 f"{len(values)} lines")
    return [json.loads(answer) for answer in answers]


def show(kind, folder, question, wanted, got):
    print(f"  {kind} differs in {folder}\n    in     {question!a:.400}\n    wanted {wanted!a:.600}\n"
          f"    got    {got!a:.600}")


def compare(program, folder, count, seed, full):
    reference = Reference(folder)
    texts = strings(count, seed, reference.specials()) + (sweep() if full else [])
    wanted, wrong, given_up = reference.encode(texts), 0, 0
    got = brisk(program, "tokenize", folder, texts)
    known = []
    for text, want, have in zip(texts, wanted, got):
        if want is None:
            given_up += 1
            continue
        known.append(want[0])
        if (have.get("ids"), have.get("offsets")) != want:
            wrong += 1
            if wrong <= 3:
                at = next((i for i, (a, b) in enumerate(zip(want[0], have.get("ids", [])))
                           if a != b or want[1][i] != have["offsets"][i]), 0)
                show(f"token {at}", folder, text,
                     [list(x[max(0, at - 3):at + 6]) for x in want],
                     [have[k][max(0, at - 3):at + 6] for k in ("ids", "offsets")]
                     if "ids" in have else have)
    rng = random.Random(seed)
    size = reference.vocab_size()
    known += [[rng.randrange(size) for _ in range(rng.randrange(0, 20))] for _ in range(2000)]
    texts_back = brisk(program, "detokenize", folder, known)
    wrong_back = 0
    for ids, have in zip(known, texts_back):
        want = reference.decode(ids)
        if want != have:
            wrong_back += 1
            if wrong_back <= 3:
                show("text", folder, ids, want, have)
    how = "transformers" if reference.transformers else "tokenizers"
    gave_up = f", {given_up} that the library refuses" if given_up else ""
    print(f"{os.path.basename(folder)} ({how}): {len(texts)} strings, {wrong} differ; "
          f"{len(known)} decoded, {wrong_back} differ{gave_up}", flush=True)
    return wrong + wrong_back


def default_folders():
    out = [os.path.join(SHARED, f) for f in FOLDERS]
    golden = os.path.join(ROOT, "tests/golden/tokenizer")
    if os.path.isdir(golden):
        out += [os.path.join(golden, f) for f in sorted(os.listdir(golden))
                if os.path.isdir(os.path.join(golden, f))]
    absent = [f for f in out if not os.path.isdir(f)]
    for folder in absent:
        print(f"skipped: {folder} is not here")
    return [f for f in out if f not in absent]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("brisk")
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-sweep", action="store_true", help="not every code point")
    args = parser.parse_intermixed_args()
    wrong = 0
    for folder in args.folders or default_folders():
        small = "golden" in folder and not args.folders  # a stage each: fewer strings do
        wrong += compare(args.brisk, os.path.normpath(folder), args.count // 8 if small else args.count,
                         args.seed, not small and not args.no_sweep)
    sys.exit(1 if wrong else 0)


main()
