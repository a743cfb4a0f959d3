#!/usr/bin/env python3
"""Generates tokenizer configurations and texts, and compares `brisk tokenize --full` with the
`tokenizers` library on both: ids, offsets, types, special tokens mask, words, windows, and the text
that `brisk detokenize` gives back.

    tests/diff/tokenizer_fuzz.py path/to/brisk [--configurations 340] [--texts 60] [--seed 1] [--keep DIR]

Every configuration is a random tokenizer.json: each stage with random options, nested Sequences,
models with small random vocabularies, added tokens with random flags. What the library refuses to
load is drawn again; where it panics on a text, that text is passed over. A difference prints the
seed of its configuration: `--seed N --configurations 1` makes that one again, and --keep writes the
folders that differ. Exit status 1 when one differs, 77 when the library is missing.
"""
import argparse
import base64
import collections
import json
import os
import random
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RUST_BACKTRACE"] = "0"
try:
    import tokenizers
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

from texts import PARTS, from_blocks, marks, mixed, naughty, sentences

PATTERNS = [r"\s+", r"\d+", r"\p{L}+", r"[^\s\p{L}\p{N}]", r"'s|'t| ?\p{L}+| ?\p{N}+|\s+", r"(?i:the)", r"\w+|[^\w\s]+",
            r"\p{Han}", r"[A-Z]", r"a|b", r"^.", r".$", r"\b", r"(?=[A-Z])", r"x*", r"\r?\n", r"[\x{3040}-\x{30ff}]+"]
STRINGS = ["a", "the", " ", "  ", "\u2581", "##", ".", "'", "é", "中", "\U0001f600", "ing", "\n", "-", "_", "\u0301", "aa"]
WINDOWS = 65535  # that overflow: Brisk refuses more
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def maybe(rng, share=0.5):
    return rng.random() < share


def pattern(rng):
    return {"Regex": rng.choice(PATTERNS)} if maybe(rng) else {"String": rng.choice(STRINGS)}


# ---- normalizers ----------------------------------------------------------------------------

def charsmap(rng):
    """A Precompiled map as SentencePiece has it: a double array of keys and what they become."""
    keys = sorted({k.encode() for k in rng.sample(PARTS, 12) if k and "\0" not in k} |
                  {c.encode() for c in rng.sample("ABCé\u212b\ufb01\u3000\u00a0\u2126\uff21ß\u0130", 6)})
    values, blob = {}, b""
    for key in keys:
        values[key] = len(blob)
        blob += rng.choice(["", " ", "x", "fi", "é", "\u2581", "abc", key.decode().lower()]).encode() + b"\0"
    array = double_array(keys, values)
    raw = b"".join(unit.to_bytes(4, "little") for unit in array)
    return base64.b64encode(len(raw).to_bytes(4, "little") + raw + blob).decode()


def double_array(keys, values):
    """Darts-clone's layout: bit 31 value, 0-7 label, 8 has a leaf, 9 wide offset, 10-30 offset."""
    tree = {}
    for key in keys:
        node = tree
        for byte in key:
            node = node.setdefault(byte, {})
        node[-1] = values[key]
    units, used, bases = {0: 0}, {0}, set()
    todo = [(tree, 0)]
    while todo:
        node, at = todo.pop()
        labels = sorted(0 if b == -1 else b for b in node)
        base = 1
        while base in bases or any((base ^ label) in used for label in labels) or not fits(base ^ at):
            base += 1
        bases.add(base)
        used.update(base ^ label for label in labels)
        units[at] = (units.get(at, 0) & 0xFF) | encode_offset(base ^ at) | ((1 << 8) if -1 in node else 0)
        for byte, child in node.items():
            if byte == -1:
                units[base] = child | (1 << 31)
            else:
                units[base ^ byte] = byte
                todo.append((child, base ^ byte))
    size = (max(units) // 256 + 1) * 256
    return [units.get(i, 0) for i in range(size)]


def fits(offset):
    return offset < (1 << 21)


def encode_offset(offset):
    return offset << 10


def normalizer(rng, depth=0):
    kinds = [
        lambda: {"type": rng.choice(["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"])},
        lambda: {"type": "Strip", "strip_left": maybe(rng), "strip_right": maybe(rng)},
        lambda: {"type": "BertNormalizer", "clean_text": maybe(rng), "handle_chinese_chars": maybe(rng),
                 "strip_accents": rng.choice([None, True, False]), "lowercase": maybe(rng)},
        lambda: {"type": "Replace", "pattern": pattern(rng), "content": rng.choice(STRINGS + [""])},
        lambda: {"type": "Prepend", "prepend": rng.choice(STRINGS)},
        lambda: {"type": "Precompiled", "precompiled_charsmap": charsmap(rng)},
        lambda: {"type": "ByteLevel"},
    ]
    if depth < 2 and maybe(rng, 0.3):
        return {"type": "Sequence", "normalizers": [normalizer(rng, depth + 1) for _ in range(rng.randrange(4))]}
    return rng.choice(kinds)()


# ---- pre-tokenizers -------------------------------------------------------------------------

def metaspace(rng):
    return {"type": "Metaspace", "replacement": rng.choice(["\u2581", "_", " "]),
            "prepend_scheme": rng.choice(["always", "first", "never"]), "split": maybe(rng, 0.7)}


def byte_level(rng):
    return {"type": "ByteLevel", "add_prefix_space": maybe(rng), "trim_offsets": maybe(rng), "use_regex": maybe(rng, 0.7)}


def pre_tokenizer(rng, depth=0):
    kinds = [
        lambda: {"type": rng.choice(["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"])},
        lambda: byte_level(rng),
        lambda: metaspace(rng),
        lambda: {"type": "Punctuation", "behavior": rng.choice(BEHAVIORS)},
        lambda: {"type": "Digits", "individual_digits": maybe(rng)},
        lambda: {"type": "Split", "pattern": pattern(rng), "behavior": rng.choice(BEHAVIORS), "invert": maybe(rng, 0.3)},
        lambda: {"type": "CharDelimiterSplit", "delimiter": rng.choice([" ", "a", "\u2581", "é"])},
        lambda: {"type": "FixedLength", "length": rng.randrange(1, 9)},
    ]
    if depth < 2 and maybe(rng, 0.35):
        return {"type": "Sequence", "pretokenizers": [pre_tokenizer(rng, depth + 1) for _ in range(rng.randrange(1, 4))]}
    return rng.choice(kinds)()


# ---- models ---------------------------------------------------------------------------------

LETTERS = "abcdefghijklmnopqrstuvwxyz ABT.,'-_1290\u2581\u0120éßжя中東の\u0301\U0001f600"


def bytes_alphabet():
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    chars, n = {b: chr(b) for b in keep}, 0
    for b in range(256):
        if b not in chars:
            chars[b] = chr(256 + n)
            n += 1
    return [chars[b] for b in range(256)]


def bpe(rng):
    letters = bytes_alphabet() if maybe(rng) else list(rng.sample(LETTERS, rng.randrange(10, len(LETTERS))))
    prefix, suffix = rng.choice([None, None, "##", "@"]), rng.choice([None, None, "</w>"])
    tokens = list(letters) + ([prefix + c for c in letters] if prefix else [])
    tokens += [c + suffix for c in letters] if suffix else []
    merges, seen = [], set(tokens)
    for _ in range(rng.randrange(0, 200)):
        a, b = rng.choice(tokens), rng.choice(tokens)
        joined = a + (b[len(prefix):] if prefix and b.startswith(prefix) else b)
        if len(joined) > 12 or (a, b) in merges:
            continue
        if joined not in seen:
            seen.add(joined)
            tokens.append(joined)
        merges.append((a, b))
    # With a prefix or a suffix the library falls back to the bytes of these, too, with spans outside
    # the word; files with byte_fallback have neither.
    byte_fallback = not suffix and not prefix and maybe(rng, 0.3)
    if byte_fallback:
        tokens += [f"<0x{i:02X}>" for i in range(256)][:rng.choice([256, 256, 200])]
    unk = rng.choice([None, "<unk>", "<unk>"])
    if unk:
        tokens.insert(rng.randrange(len(tokens)), unk)
    vocab = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    return {"type": "BPE", "dropout": None, "unk_token": unk, "continuing_subword_prefix": prefix,
            "end_of_word_suffix": suffix, "fuse_unk": maybe(rng), "byte_fallback": byte_fallback,
            "ignore_merges": maybe(rng, 0.3), "vocab": vocab,
            "merges": [list(m) for m in merges] if maybe(rng) else
                      [" ".join(m) for m in merges if " " not in m[0] + m[1]]}


def words(rng):
    letters = rng.sample(LETTERS, rng.randrange(8, len(LETTERS)))
    return list(letters) + ["".join(rng.choice(letters) for _ in range(rng.randrange(2, 5))) for _ in range(rng.randrange(200))] + [
        "the", "hello", "World", "a", "\u2581the", "\u2581a", "\u2581", "ing", "don", "\u0120hello"]


def wordpiece(rng):
    prefix = rng.choice(["##", "##", "", "@"])
    tokens = ["[UNK]"] + words(rng)
    tokens += [prefix + t for t in rng.sample(tokens, len(tokens) // 2)]
    return {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": prefix,
            "max_input_chars_per_word": rng.choice([100, 5, 1]),
            "vocab": {t: i for i, t in enumerate(dict.fromkeys(tokens))}}


def word_level(rng):
    return {"type": "WordLevel", "unk_token": "<unk>",
            "vocab": {t: i for i, t in enumerate(dict.fromkeys(["<unk>"] + words(rng)))}}


def unigram(rng):
    tokens = list(dict.fromkeys(["<unk>"] + words(rng)))
    byte_fallback = maybe(rng, 0.3)
    if byte_fallback:
        tokens += [f"<0x{i:02X}>" for i in range(256)]
    return {"type": "Unigram", "unk_id": rng.choice([0, 0, 0, None]), "byte_fallback": byte_fallback,
            "vocab": [[t, 0.0 if t == "<unk>" else round(-rng.random() * 12, rng.choice([0, 1, 6]))] for t in tokens]}


# ---- post-processors, decoders, added tokens ---------------------------------------------------

def names(model):
    vocab = model["vocab"]
    return [t for t, _ in vocab] if isinstance(vocab, list) else list(vocab)


def token_id(model, token):
    return names(model).index(token) if isinstance(model["vocab"], list) else model["vocab"][token]


def template(rng, model):
    chosen = rng.sample(names(model), min(4, len(names(model))))
    special = {t: {"id": t, "ids": [token_id(model, t)] * rng.choice([1, 1, 2]),
                   "tokens": [t] * 1} for t in chosen}
    for entry in special.values():
        entry["tokens"] = [entry["id"]] * len(entry["ids"])

    def piece(kind):
        if kind == "special":
            return {"SpecialToken": {"id": rng.choice(chosen), "type_id": rng.randrange(3)}}
        return {"Sequence": {"id": kind, "type_id": rng.randrange(3)}}

    def listed(sequences):
        out = []
        for name in sequences:
            out += [piece("special") for _ in range(rng.randrange(3))] + [piece(name)]
        return out + [piece("special") for _ in range(rng.randrange(3))]

    return {"type": "TemplateProcessing", "single": listed(["A"]),
            "pair": listed(["A", "B"] if maybe(rng, 0.8) else ["B", "A"]), "special_tokens": special}


def post_processor(rng, model, depth=0):
    def pair():
        token = rng.choice(names(model))
        return [token, token_id(model, token)]

    kinds = [
        lambda: template(rng, model),
        lambda: {"type": "BertProcessing", "sep": pair(), "cls": pair()},
        lambda: {"type": "RobertaProcessing", "sep": pair(), "cls": pair(), "trim_offsets": maybe(rng),
                 "add_prefix_space": maybe(rng)},
        lambda: byte_level(rng),
    ]
    if depth < 1 and maybe(rng, 0.2):
        return {"type": "Sequence", "processors": [post_processor(rng, model, 1) for _ in range(rng.randrange(1, 3))]}
    return rng.choice(kinds)()


def decoder(rng, depth=0):
    kinds = [
        lambda: {"type": rng.choice(["ByteLevel", "ByteFallback", "Fuse"])} if maybe(rng) else byte_level(rng),
        lambda: metaspace(rng),
        lambda: {"type": "WordPiece", "prefix": rng.choice(["##", "", "@"]), "cleanup": maybe(rng)},
        lambda: {"type": "BPEDecoder", "suffix": rng.choice(["</w>", "e"])},
        lambda: {"type": "CTC", "pad_token": rng.choice(["a", "<unk>"]), "word_delimiter_token": rng.choice(["|", "b"]),
                 "cleanup": maybe(rng)},
        lambda: {"type": "Strip", "content": rng.choice([" ", "a"]), "start": rng.randrange(3), "stop": rng.randrange(3)},
        lambda: {"type": "Replace", "pattern": pattern(rng), "content": rng.choice(STRINGS + [""])},
    ]
    if depth < 1 and maybe(rng, 0.5):
        return {"type": "Sequence", "decoders": [decoder(rng, 1) for _ in range(rng.randrange(1, 5))]}
    return rng.choice(kinds)()


def added_tokens(rng, model):
    known = names(model)
    contents = rng.sample(["<s>", "</s>", "[MASK]", "<|x|>", "hello", "the ", " a", "é", "中", "ing", "A", "\u2581", ".", "aa", "Thé"],
                          rng.randrange(0, 6)) + rng.sample(known, rng.randrange(0, 2))
    out, next_id = [], len(known)
    for content in dict.fromkeys(contents):
        if content in known:
            number = token_id(model, content)
        else:
            number, next_id = next_id, next_id + 1
        out.append({"id": number, "content": content, "single_word": maybe(rng, 0.3), "lstrip": maybe(rng, 0.3),
                    "rstrip": maybe(rng, 0.3), "normalized": maybe(rng), "special": maybe(rng)})
    return sorted(out, key=lambda t: t["id"])


def configuration(rng):
    model = rng.choice([bpe, bpe, wordpiece, word_level, unigram, unigram])(rng)
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added_tokens(rng, model),
            "normalizer": normalizer(rng) if maybe(rng, 0.6) else None,
            "pre_tokenizer": pre_tokenizer(rng) if maybe(rng, 0.75) else None,
            "post_processor": post_processor(rng, model) if maybe(rng, 0.6) else None,
            "decoder": decoder(rng) if maybe(rng, 0.75) else None, "model": model}


# ---- questions ------------------------------------------------------------------------------

def questions(rng, count, specials, room):
    third = count // 3
    texts = mixed(rng, third, specials) + from_blocks(rng, third) + marks(rng, third // 2)
    texts += rng.sample(naughty() or [""], min(third // 2, len(naughty()) or 1)) + sentences(rng, third // 2)
    texts += ["", " ", "the the  the", "hello World"]
    rng.shuffle(texts)
    out = []
    for text in texts:
        question = {"text": text}
        if maybe(rng, 0.25):
            question["pair"] = rng.choice(texts)
        if maybe(rng, 0.15):
            question["add_special_tokens"] = False
        if maybe(rng, 0.25):
            length = rng.randrange(1, 20)
            question.update(truncation=rng.choice(["longest_first", "only_first", "only_second"]),
                            truncation_side=rng.choice(["left", "right"]), max_length=length + room)
            if maybe(rng):
                question.update(stride=rng.randrange(0, max(1, length // 2)), return_overflowing_tokens=True)
        out.append(question)
    return out


def window(encoding):
    return {"ids": encoding.ids, "offsets": [list(o) for o in encoding.offsets], "type_ids": encoding.type_ids,
            "special_tokens_mask": encoding.special_tokens_mask, "word_ids": encoding.word_ids,
            "sequence_ids": encoding.sequence_ids}


def reference(tokenizer, question):
    """The windows as the library gives them; None where it fails or panics."""
    try:
        if "truncation" in question:
            tokenizer.enable_truncation(question["max_length"], stride=question.get("stride", 0),
                                        strategy=question["truncation"], direction=question["truncation_side"])
        else:
            tokenizer.no_truncation()
        encoding = tokenizer.encode(question["text"], question.get("pair"),
                                    add_special_tokens=question.get("add_special_tokens", True))
        more = encoding.overflowing if question.get("return_overflowing_tokens") else []
        if len(more) > WINDOWS:
            return None
        return [window(encoding)] + [window(e) for e in more]
    except BaseException:  # a panic in the library is not an Exception
        return None


class Refused(Exception):
    pass


def brisk(program, command, folder, values):
    flags = ["--json", "--full"] if command == "tokenize" else ["--json"]
    lines = "".join(json.dumps(value) + "\n" for value in values)
    run = subprocess.run([program, command, folder, *flags], input=lines.encode(), capture_output=True, check=False)
    answers = run.stdout.decode().split("\n")[:-1]
    if run.returncode < 0 or (run.returncode and not answers and not values):
        raise SystemExit(f"brisk {command} {folder}: exit {run.returncode}: {run.stderr.decode()}")
    if run.returncode or len(answers) != len(values):
        raise Refused(f"line {len(answers) + 1}: {run.stderr.decode().strip()[:400]}")
    return [json.loads(answer) for answer in answers]


def windows(answer):
    every = [answer] + answer["overflowing"]
    return [{key: w[key] for key in ("ids", "offsets", "type_ids", "special_tokens_mask", "word_ids", "sequence_ids")}
            for w in every]


def names_sequences(post_processor):
    """Only these tell the library which sequence the tokens of an overflowing window are of; without
    them all are of the first one there, and of the right one here."""
    inner = (post_processor or {}).get("processors", [post_processor])
    return any(stage and stage["type"] in ("TemplateProcessing", "BertProcessing", "RobertaProcessing")
               for stage in inner)


def differing(want, have, sequences):
    for number, (a, b) in enumerate(zip(want, have)):
        for key in a:
            if key == "sequence_ids" and number > 0 and not sequences:
                continue
            if a[key] != b[key]:
                return f"window {number}, {key}\n      wanted {a[key]!a:.400}\n      got    {b[key]!a:.400}"
    return f"{len(want)} windows wanted, {len(have)} got" if len(want) != len(have) else None


def stages(config):
    def name(stage):
        if stage is None:
            return "-"
        inner = stage.get("normalizers") or stage.get("pretokenizers") or stage.get("processors") or stage.get("decoders")
        return stage["type"] + (f"[{', '.join(name(s) for s in inner)}]" if inner else "")
    return " > ".join(name(config[k]) for k in ("normalizer", "pre_tokenizer", "model", "post_processor", "decoder"))


def compare(program, seed, count, keep):
    """Differences and comparisons of the configuration of that seed; None: the library refuses it."""
    rng = random.Random(seed)
    config = configuration(rng)
    try:
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(config))
    except BaseException:
        return None
    if any(t["normalized"] and tokenizer.normalizer and not tokenizer.normalizer.normalize_str(t["content"])
           for t in config["added_tokens"]):
        return None  # matches everywhere in the library
    # Below that the library counts under zero and does not truncate at all; here it is an error.
    room = max(tokenizer.num_special_tokens_to_add(False), tokenizer.num_special_tokens_to_add(True))
    asked, wanted = [], []
    for question in questions(rng, count, [t["content"] for t in config["added_tokens"]], room):
        want = reference(tokenizer, question)
        if want is not None:
            asked.append(question)
            wanted.append(want)
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    ids = [w[0]["ids"] for w in wanted] + [[rng.randrange(size) for _ in range(rng.randrange(12))] for _ in range(count // 2)]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        try:
            for question, want, answer in zip(asked, wanted, brisk(program, "tokenize", folder, asked)):
                said = differing(want, windows(answer), names_sequences(config["post_processor"]))
                if said:
                    found.append(f"    {question!a:.300}\n    {said}")
            for line, have in zip(ids, brisk(program, "detokenize", folder, ids)):
                try:
                    want = tokenizer.decode(line, skip_special_tokens=True)
                except BaseException:
                    continue
                if want != have:
                    found.append(f"    {line!a:.200} decoded\n      wanted {want!a:.300}\n      got    {have!a:.300}")
        except Refused as refused:
            found.append(f"    refused: {refused}")
    if found:
        print(f"  configuration {seed}: {len(found)} differ: {stages(config)}\n" + "\n".join(found[:2]), flush=True)
        if keep:
            os.makedirs(os.path.join(keep, str(seed)), exist_ok=True)
            with open(os.path.join(keep, str(seed), "tokenizer.json"), "w", encoding="utf-8") as file:
                json.dump(config, file)
    return len(found), len(asked) + len(ids), stages(config)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("brisk")
    parser.add_argument("--configurations", type=int, default=340)
    parser.add_argument("--texts", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="write the configurations that differ here")
    args = parser.parse_args()
    seed, done, compared, wrong, used = args.seed, 0, 0, 0, collections.Counter()
    while done < args.configurations:
        result = compare(args.brisk, seed, args.texts, args.keep)
        seed += 1
        if result is None:
            continue
        done += 1
        wrong += result[0]
        compared += result[1]
        used.update(result[2].replace("[", " ").replace("]", " ").replace(",", " ").replace(">", " ").split())
    print(f"{done} configurations, {compared} comparisons, {wrong} differ")
    print("stages: " + ", ".join(f"{name} {n}" for name, n in sorted(used.items()) if name != "-"))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
