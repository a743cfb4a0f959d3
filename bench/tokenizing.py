#!/usr/bin/env python3
"""Brisk's tokenizer against the `tokenizers` library, one thread, side by side in one run.

Both take the same texts in turns: short ones of about 16 tokens, one call each, and documents of
1 MB. Times are the thread's own, so that other processes of the machine disturb little; a figure
is the median of the rounds' ratios, with the smallest and the largest. Short texts go through the
library's encode() and through one encode_batch(), which spends less on its binding to Python; the
smaller time counts. Ids and offsets of both are compared first. Loading is measured beside it.

Takes tokenizers and texts from ../shared (or $BRISK_SHARED) and says what is absent. Writes
tokenizing.json, tokenizing.md and tokenizing.svg into the folder of results.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import chart  # noqa: E402
import results  # noqa: E402

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.environ.get("BRISK_SHARED", os.path.join(ROOT, "..", "shared"))

KINDS = {
    "bert-base-uncased": "WordPiece",
    "gpt2": "byte-level BPE, GPT-2's pattern",
    "llama3": "byte-level BPE, Llama 3's pattern",
    "t5-small": "Unigram",
    "xlm-roberta-base": "Unigram",
    "llama2": "BPE of characters",
}
DOCUMENT = 1_000_000  # bytes
SHORT_WORDS = 11      # about 16 tokens with the special ones
SHORT_TEXTS = 2000


# ---- texts ----------------------------------------------------------------------------------------

def read(name):
    path = os.path.join(SHARED, "data", name)
    if not os.path.exists(path):
        print(f"skipped: {path} is not here", file=sys.stderr)
        return ""
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def document(text):
    return text.encode()[:DOCUMENT].decode(errors="ignore")


def short_texts(text):
    words = text.split()
    return [" ".join(words[i:i + SHORT_WORDS])
            for i in range(0, len(words) - SHORT_WORDS, SHORT_WORDS)][:SHORT_TEXTS]


def works():
    """(name, texts) of everything that is measured."""
    wiki, plays = read("wikitext-2-raw/wiki.test.raw"), read("tinyshakespeare/input.txt")
    sentences = [line.split("\t")[-1] for line in read("tatoeba/sentences.tsv").splitlines()]
    out = []
    if wiki:
        out.append(("short, Wikipedia", short_texts(wiki)))
        out.append(("1 MB, Wikipedia", [document(wiki)]))
    if plays:
        out.append(("short, plays", short_texts(plays)))
        out.append(("1 MB, plays", [document(plays)]))
    if sentences:
        out.append(("short, 113 languages", sentences[::len(sentences) // SHORT_TEXTS]))
        out.append(("1 MB, 113 languages", [document("\n".join(sentences))]))
    return out


# ---- contestants ----------------------------------------------------------------------------------

class Brisk:
    def __init__(self, program, folder, files):
        self.process = subprocess.Popen([program, folder, *files], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        """(seconds, number)"""
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        nanoseconds, number = self.process.stdout.readline().split()
        return int(nanoseconds) / 1e9, int(number)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def library_tokenizer(folder):
    """The Rust object that transformers loads for a folder, bare."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder).backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def timed(call):
    start = time.thread_time()
    call()
    return time.thread_time() - start


def library_seconds(tokenizer, texts):
    def one_by_one():
        for text in texts:
            tokenizer.encode(text)
    times = {"encode": timed(one_by_one)}
    if len(texts) > 1:
        times["encode_batch"] = timed(lambda: tokenizer.encode_batch(texts))
    return times


def library_sum(tokenizer, texts):
    total = 0
    for text in texts:
        encoding = tokenizer.encode(text)
        for id, (start, end) in zip(encoding.ids, encoding.offsets):
            total = ((total * 31 + id) * 31 + start) * 31 + end & 0xFFFFFFFF
    return total


# ---- measuring ------------------------------------------------------------------------------------

def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def measure(args, brisk, tokenizer, i, texts):
    same = brisk.ask(f"check {i}")[1] == library_sum(tokenizer, texts)
    ours, theirs = [], []
    for _ in range(args.rounds):
        theirs.append(library_seconds(tokenizer, texts))
        seconds, tokens = brisk.ask(i)
        ours.append(seconds)
    least = [min(times.values()) for times in theirs]
    return {"same": same, "tokens": tokens, "texts": len(texts),
            "bytes": sum(len(text.encode()) for text in texts),
            "brisk_s": spread(ours), "library_s": spread(least),
            "encode_s": spread([times["encode"] for times in theirs]),
            "ratio": spread([a / b for a, b in zip(least, ours)]),
            "ratio_encode": spread([t["encode"] / b for t, b in zip(theirs, ours)])}


def load_seconds(args, brisk, folder):
    """Brisk's own time, and the library's where it has a file of its own to read."""
    ours = [brisk.ask("load")[0] for _ in range(args.rounds)]
    path = os.path.join(folder, "tokenizer.json")
    theirs = None
    if os.path.exists(path):
        import tokenizers

        theirs = spread([timed(lambda: tokenizers.Tokenizer.from_file(path)) for _ in range(3)])
    return {"brisk_s": spread(ours), "library_s": theirs}


def run_tokenizer(args, name, all_works, place):
    folder = os.path.join(SHARED, "tokenizers", name)
    if not os.path.isdir(folder):
        print(f"skipped: {folder} is not here", file=sys.stderr)
        return None
    files = []
    for i, (_, texts) in enumerate(all_works):
        files.append(os.path.join(place, f"{i}.txt"))
        with open(files[-1], "wb") as file:
            file.write(b"".join(text.encode() + b"\0" for text in texts))
    brisk, tokenizer = Brisk(args.program, folder, files), library_tokenizer(folder)
    rows = []
    for i, (work, texts) in enumerate(all_works):
        if args.only in work:
            rows.append({"work": work, **measure(args, brisk, tokenizer, i, texts)})
            print(line_of(name, rows[-1]), file=sys.stderr)
    loading = load_seconds(args, brisk, folder)
    brisk.stop()
    return {"tokenizer": name, "kind": KINDS[name], "rows": rows, "load": loading}


# ---- results --------------------------------------------------------------------------------------

def line_of(name, row):
    ratio = row["ratio"]
    per_text = 1e6 * row["brisk_s"]["median"] / row["texts"]
    rate = row["bytes"] / row["brisk_s"]["median"] / 1e6
    own = f"{per_text:.2f} µs" if row["texts"] > 1 else f"{rate:.1f} MB/s"
    theirs = f"{1e6 * row['library_s']['median'] / row['texts']:.1f} µs" if row["texts"] > 1 else \
        f"{row['bytes'] / row['library_s']['median'] / 1e6:.2f} MB/s"
    return (f"| {name} | {row['work']} | {row['tokens'] / row['texts']:.0f} | {theirs} | {own} | "
            f"**{ratio['median']:.1f}×** ({ratio['min']:.1f}–{ratio['max']:.1f}) | "
            f"{row['ratio_encode']['median']:.1f}× | {'yes' if row['same'] else 'NO'} |")


def table(result):
    lines = ["| tokenizer | texts | tokens a text | `tokenizers` | Brisk | times faster (min–max) | "
             "than `encode` | equal |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    lines += [line_of(t["tokenizer"], row) for t in result["tokenizers"] for row in t["rows"]]
    lines += ["", "| tokenizer | kind | Brisk loads it in | `tokenizers` reads its tokenizer.json in |",
              "| --- | --- | --- | --- |"]
    for t in result["tokenizers"]:
        theirs = t["load"]["library_s"]
        lines.append(f"| {t['tokenizer']} | {t['kind']} | {1e3 * t['load']['brisk_s']['median']:.1f} ms | "
                     + (f"{1e3 * theirs['median']:.0f} ms |" if theirs else "– |"))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/bench-tokenizing"))
    parser.add_argument("--results", default=os.path.join(ROOT, "bench/results"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="part of the name of the texts to run")
    parser.add_argument("--dry", action="store_true", help="print only, write no results")
    parser.add_argument("tokenizers", nargs="*", default=list(KINDS))
    args = parser.parse_args()
    try:
        import tokenizers
    except ImportError as error:
        print(f"skipped: {error}", file=sys.stderr)
        return
    all_works = works()
    with tempfile.TemporaryDirectory() as place:
        found = [run_tokenizer(args, name, all_works, place) for name in args.tokenizers]
    result = {"versions": {"tokenizers": tokenizers.__version__}, "rounds": args.rounds,
              "tokenizers": [t for t in found if t]}
    text = (f"One thread, its own time; `tokenizers` {tokenizers.__version__}; median of {args.rounds} "
            "interleaved rounds.\n\n" + table(result))
    if not args.dry:
        results.save(args.results, "tokenizing", result, text)
        chart.write_tokenizing(os.path.join(args.results, "tokenizing.svg"), result)
    else:
        print(text)


if __name__ == "__main__":
    main()
