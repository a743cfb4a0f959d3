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
import functools
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
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

import moses

from texts import ROOT, SHARED, strings, sweep

sys.path.append(os.path.join(ROOT, "tools/goldens"))
from ranks import Ranks

FOLDERS = ["tokenizers/bert-base-uncased", "tokenizers/bert-base-multilingual-cased",
           "tokenizers/gpt2", "tokenizers/roberta-base", "tokenizers/clip-vit",
           "tokenizers/falcon", "tokenizers/llama3", "tokenizers/t5-small",
           "tokenizers/xlm-roberta-base", "tokenizers/albert-base-v2", "tokenizers/llama2",
           "tokenizers/mistral-v3", "tokenizers/opus-mt-en-mg", "models/capp-gpt2", "models/rxnmapper-albert", "models/stories260K"]
# A folder of ../shared in another shape: name, files (source: name in the folder), settings that
# take the place of tokenizer_config.json. Without tokenizer.json it is built from the older files.
SPM = "tokenizers/google-sentencepiece/test_model.model"
JAPANESE = "tokenizers/google-sentencepiece/test_ja_model.model"
VARIANTS = [
    ("xlm-roberta-spm", {"tokenizers/xlm-roberta-base/sentencepiece.bpe.model": "sentencepiece.bpe.model",
                         "tokenizers/xlm-roberta-base/tokenizer_config.json": "tokenizer_config.json"}, None),
    ("llama2-spm", {"tokenizers/llama2/tokenizer.model": "tokenizer.model",
                    "tokenizers/llama2/tokenizer_config.json": "tokenizer_config.json"}, None),
    ("llama2-spm-new", {"tokenizers/llama2/tokenizer.model": "tokenizer.model"},
     {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_eos_token": True}),
    ("llama2-json-prefix", {"tokenizers/llama2/tokenizer.model": "tokenizer.model",
                            "tokenizers/llama2/tokenizer.json": "tokenizer.json"},
     {"tokenizer_class": "LlamaTokenizerFast", "add_prefix_space": False}),
    ("mistral-v3-spm", {"tokenizers/mistral-v3/tokenizer.model": "tokenizer.model",
                        "tokenizers/mistral-v3/tokenizer_config.json": "tokenizer_config.json"}, None),
    ("stories260K-spm", {"models/stories260K/tokenizer.model": "tokenizer.model",
                         "models/stories260K/tokenizer_config.json": "tokenizer_config.json"}, None),
    ("roberta-bpe", {"tokenizers/roberta-base/vocab.json": "vocab.json",
                     "tokenizers/roberta-base/merges.txt": "merges.txt"}, {"tokenizer_class": "RobertaTokenizer"}),
    ("albert-cased", {"tokenizers/albert-base-v2/spiece.model": "spiece.model"},
     {"tokenizer_class": "AlbertTokenizer", "do_lower_case": False, "keep_accents": True}),
    ("albert-as-xlnet", {"tokenizers/albert-base-v2/spiece.model": "spiece.model"},
     {"tokenizer_class": "XLNetTokenizer"}),
    ("albert-as-deberta-v2", {"tokenizers/albert-base-v2/spiece.model": "spm.model"},
     {"tokenizer_class": "DebertaV2Tokenizer", "split_by_punct": True}),
    ("bert-as-prophetnet", {"tokenizers/bert-base-uncased/vocab.txt": "prophetnet.tokenizer"},
     {"tokenizer_class": "ProphetNetTokenizer"}),
    ("bert-as-prophetnet-cased", {"tokenizers/bert-base-multilingual-cased/vocab.txt": "prophetnet.tokenizer"},
     {"tokenizer_class": "ProphetNetTokenizer", "do_lower_case": False, "never_split": ["don't", "CamelCase"]}),
    ("bert-as-tapas", {"tokenizers/bert-base-uncased/vocab.txt": "vocab.txt"}, {"tokenizer_class": "TapasTokenizer"}),
    ("google-as-t5", {SPM: "spiece.model"}, {"tokenizer_class": "T5Tokenizer"}),
    ("google-as-mbart", {SPM: "sentencepiece.bpe.model"}, {"tokenizer_class": "MBartTokenizer", "src_lang": "fr_XX"}),
    ("google-as-nllb", {SPM: "sentencepiece.bpe.model"}, {"tokenizer_class": "NllbTokenizer"}),
    ("japanese-as-llama", {JAPANESE: "tokenizer.model"}, {"tokenizer_class": "LlamaTokenizer"}),
    ("japanese-as-xlm-roberta", {JAPANESE: "sentencepiece.bpe.model"}, {"tokenizer_class": "XLMRobertaTokenizer"}),
]


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


@functools.lru_cache(maxsize=None)
def other_forms(c):
    """Whether Python's tables and the library's have other normal forms of a character, or if
    Python does not know it."""
    lib = tokenizers.normalizers
    return unicodedata.category(c) == "Cn" or any(ours.normalize_str(c) != theirs for ours, theirs in (
        (lib.NFC(), unicodedata.normalize("NFC", c)), (lib.NFD(), unicodedata.normalize("NFD", c)),
        (lib.Lowercase(), c.lower())))


class Reference:
    def __init__(self, folder):
        # Tapas asks for it at once, and needs it for tables only.
        transformers.models.tapas.tokenization_tapas.is_pandas_available = lambda: True
        self.transformers = None
        if Ranks.knows(folder):  # files that transformers has no class for
            self.transformers = Ranks(folder)
        elif names_class(folder):
            self.transformers = transformers.AutoTokenizer.from_pretrained(folder)
        self.slow = self.transformers is not None and not self.transformers.is_fast
        if self.slow:
            return
        if self.transformers:
            self.transformers._switch_to_input_mode()  # as each call of it does
            self.backend = self.transformers.backend_tokenizer
        else:
            self.backend = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.backend.no_truncation()
        self.backend.no_padding()

    def specials(self):
        if isinstance(self.transformers, Ranks):
            return self.transformers.all_special_tokens[:12]
        if self.slow:
            return list(self.transformers.get_added_vocab())[:12]
        added = self.backend.get_added_tokens_decoder().values()
        return [token.content for token in added][:12]

    def other_unicode(self, text):
        """A class in Python normalizes and lowers with Python's tables; those of the tokenizers
        library, which Brisk keeps to, are older in one and younger in the other."""
        if hasattr(self.transformers, "basic_tokenizer") and any(other_forms(c) for c in text):
            return True
        name = type(self.transformers).__name__
        if name in moses.CLASSES and moses.other_unicode(text):
            return True
        composes = name in ("GPTSw3Tokenizer", "FlaubertTokenizer", "Ranks")
        if composes and unicodedata.normalize("NFC", text) != tokenizers.normalizers.NFC().normalize_str(text):
            return True
        lowers = getattr(self.transformers, "do_lower_case", False)
        return bool(lowers) and text.lower() != tokenizers.normalizers.Lowercase().normalize_str(text)

    def encode(self, texts):
        """Ids and offsets, or None where the library itself gives up."""
        out = []
        for text in texts:
            if self.slow and self.other_unicode(text):
                out.append(None)
                continue
            try:
                if self.slow:  # a class in Python alone knows no offsets
                    ids = self.slow_ids(text)
                    out.append((ids, None) if None not in ids else None)
                    continue
                encoding = self.backend.encode(text)
                out.append((encoding.ids, [list(o) for o in encoding.offsets]))
            except BaseException:  # a panic in the library is not an Exception
                out.append(None)
        return out

    def slow_ids(self, text):
        """Tapas itself takes tables only."""
        reference = self.transformers
        if type(reference).__name__ != "TapasTokenizer":
            return reference(text)["input_ids"]
        ids = reference.convert_tokens_to_ids(reference.tokenize(text))
        return reference.build_inputs_with_special_tokens(ids, [])

    def decode(self, ids):
        """The text, or None where a class in Python gives up, or makes half a character."""
        if self.slow:
            try:
                text = self.transformers.decode(ids, skip_special_tokens=True)
                text.encode()
                return text
            except (IndexError, TypeError, ValueError):
                return None
        if self.transformers:
            return None if self.is_prompt(ids) else self.transformers.decode(ids, skip_special_tokens=True)
        return self.backend.decode(ids, skip_special_tokens=True)

    def is_prompt(self, ids):
        """Whisper's class cuts off a prompt of speech recognition, all that stands before the
        transcript; that is the task's work here."""
        return (type(self.transformers).__name__ == "WhisperTokenizerFast" and len(ids) > 0 and
                ids[0] == self.transformers.convert_tokens_to_ids("<|startofprev|>"))

    def vocab_size(self):
        if self.slow:
            return len(self.transformers)
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


def sane(text, offsets):
    """Offsets that no reference gives are spans of the text."""
    return all(0 <= start <= end <= len(text) for start, end in offsets)


def show(kind, folder, question, wanted, got):
    print(f"  {kind} differs in {folder}\n    in     {question!a:.400}\n    wanted {wanted!a:.600}\n"
          f"    got    {got!a:.600}")


def compare(program, folder, count, seed, full):
    began = time.monotonic()
    reference = Reference(folder)
    texts = strings(count, seed, reference.specials()) + (sweep() if full else [])
    if type(reference.transformers).__name__ in moses.CLASSES:
        texts += moses.texts(count, seed)
    answers, wrong = reference.encode(texts), 0
    asked = [(text, answer) for text, answer in zip(texts, answers) if answer is not None]
    given_up = len(texts) - len(asked)
    texts, wanted = [text for text, _ in asked], [answer for _, answer in asked]
    got = brisk(program, "tokenize", folder, texts)
    known = []
    for text, want, have in zip(texts, wanted, got):
        known.append(want[0])
        if want[1] is None:
            want = (want[0], have.get("offsets"))
            if have.get("ids") == want[0] and not sane(text, have["offsets"]):
                want = (want[0], [])
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
        if want is not None and want != have:
            wrong_back += 1
            if wrong_back <= 3:
                show("text", folder, ids, want, have)
    how = "transformers" if reference.transformers else "tokenizers"
    gave_up = f", {given_up} that the library refuses" if given_up else ""
    print(f"{os.path.basename(folder)} ({how}): {len(texts)} strings, {wrong} differ; "
          f"{len(known)} decoded, {wrong_back} differ{gave_up}; {time.monotonic() - began:.0f} s", flush=True)
    return wrong + wrong_back


def variants(folder):
    """Makes VARIANTS below `folder`, as far as their files are there."""
    out = []
    for name, files, config in VARIANTS:
        path = os.path.join(folder, name)
        if not all(os.path.exists(os.path.join(SHARED, source)) for source in files):
            print(f"skipped: the files of {name} are not here")
            continue
        os.mkdir(path)
        for source, target in files.items():
            shutil.copyfile(os.path.join(SHARED, source), os.path.join(path, target))
        if config is not None:
            with open(os.path.join(path, "tokenizer_config.json"), "w", encoding="utf-8") as file:
                json.dump(config, file)
        out.append(path)
    return out


def default_folders(folder):
    out = [os.path.join(SHARED, f) for f in FOLDERS] + variants(folder)
    for golden in ("tests/golden/tokenizer", "tests/golden/tokenizer-slow"):
        golden = os.path.join(ROOT, golden)
        if os.path.isdir(golden):
            out += [os.path.join(golden, f) for f in sorted(os.listdir(golden))
                    if os.path.isdir(os.path.join(golden, f))]
    out += moses.folders(folder)
    absent = [f for f in out if not os.path.isdir(f)]
    for folder in absent:
        print(f"skipped: {folder} is not here")
    return [f for f in out if f not in absent]


def share_of(folder):
    """The part of the strings that a folder is asked: all of the real tokenizers as published; of what
    stands for a stage, a class or a language, beside others of its kind, fewer do."""
    if folder.startswith(SHARED):
        return 1
    return 8 if "golden" in folder or "moses" in folder else 4


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("brisk")
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-sweep", action="store_true", help="not every code point")
    args = parser.parse_intermixed_args()
    work = []
    with tempfile.TemporaryDirectory() as made:
        for folder in args.folders or default_folders(made):
            share = 1 if args.folders else share_of(folder)
            work.append((args.brisk, os.path.normpath(folder), args.count // share, args.seed,
                         share == 1 and not args.no_sweep))
        with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
            wrong = sum(pool.starmap(compare, work, chunksize=1))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
