#!/usr/bin/env python3
"""Brisk's server under load: embeddings of 12-token sentences by a model of MiniLM-L6's size.

wrk sends requests on this same machine: as fast as 64 connections take answers, computed anew and from the
response cache, and one after the other on one connection. Beside the last the same requests are calls
of the library (bench/library.c): what is between the two is HTTP's. Rounds interleave.

Writes serving.json and serving.md into the folder of results. See `make bench`.
"""

import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402
import models  # noqa: E402
import results  # noqa: E402
from contestants import Brisk, Process  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL, TASK, TOKENS = "minilm", "feature-extraction", 12
CONNECTIONS = 64
SENTENCES = 997       # different ones, so that no two connections ask for the same at the same time
CALLS = 400           # of the library a round
SECONDS = 4           # of wrk a round and way
LOAD = os.path.join(HERE, "serving.lua")


def sentences():
    """Each of TOKENS tokens, with [CLS] and [SEP]."""
    return [" ".join(models.word((TOKENS * i + 7 * j) % models.WORDS) for j in range(TOKENS - 2))
            for i in range(SENTENCES)]


def body_of(text, use_cache):
    return {"inputs": text, "options": {"use_cache": use_cache, "wait_for_model": True}}


def write_bodies(path, texts, use_cache):
    with open(path, "w", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps(body_of(text, use_cache)) + "\n")


class Library(Process):
    """bench-library, which answers with the median of so many calls."""

    def __init__(self, args, bodies):
        self.start([args.library, args.models, MODEL, TASK, args.precision, str(args.threads), bodies],
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def median_ms(self, calls):
        self.process.stdin.write(f"{calls}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def load(server, bodies, connections, seconds):
    """What wrk tells (serving.lua)."""
    out = subprocess.run(
        ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--timeout", "30s",
         "--script", LOAD, f"http://127.0.0.1:{server.port}/pipeline/{TASK}/{MODEL}", "--", "application/json", bodies],
        check=True, capture_output=True, text=True).stdout
    told = json.loads(out.strip().splitlines()[-1])
    if told["failed"]:
        raise SystemExit(f"{told['failed']} of {told['requests']} requests failed")
    return told


def measure(args, folder):
    """{name: [a figure a round]}"""
    files = {name: os.path.join(folder, f"{name}.jsonl") for name in ("computed", "cached")}
    for name, path in files.items():
        write_bodies(path, sentences(), name == "cached")
    models.make(args.models, MODEL)
    figures = {name: [] for name in ("computed", "computed_p50", "computed_p99", "cached", "one_ms", "library_ms",
                                     "overhead_ms")}
    server = Brisk(args.brisk, args.models, args.precision, args.threads)
    try:
        for text in sentences():  # fills the cache
            server.post(TASK, MODEL, body_of(text, True))
    except BaseException:
        server.stop()
        raise
    library = Library(args, files["computed"])
    try:
        library.median_ms(CALLS)
        for i in range(args.rounds):
            library.rest()
            computed = load(server, files["computed"], CONNECTIONS, SECONDS)
            cached = load(server, files["cached"], CONNECTIONS, SECONDS)
            one = load(server, files["computed"], 1, SECONDS)["p50_ms"]
            server.rest()
            library.go_on()
            alone = library.median_ms(CALLS)
            server.go_on()
            for name, figure in (("computed", computed["requests"] / computed["seconds"]),
                                 ("computed_p50", computed["p50_ms"]), ("computed_p99", computed["p99_ms"]),
                                 ("cached", cached["requests"] / cached["seconds"]), ("one_ms", one),
                                 ("library_ms", alone), ("overhead_ms", one - alone)):
                figures[name].append(figure)
            print(f"  round {i + 1}/{args.rounds}  " + "  ".join(f"{k} {v[-1]:.3f}" for k, v in figures.items()),
                  file=sys.stderr)
    finally:
        server.stop()
        library.go_on()  # a process that stands still does not see its input end
        library.process.stdin.close()
        library.process.wait()
    return figures


ROWS = [("computed", f"{CONNECTIONS} connections, computed anew: requests/s", "{:.0f}"),
        ("computed_p50", "… median latency, ms", "{:.1f}"),
        ("computed_p99", "… 99 % answered within, ms", "{:.1f}"),
        ("cached", f"{CONNECTIONS} connections, from the response cache: requests/s", "{:.0f}"),
        ("one_ms", "one connection, one request after the other: median latency, ms", "{:.3f}"),
        ("library_ms", "the same as calls of the library, ms", "{:.3f}"),
        ("overhead_ms", "… between the two: HTTP and the client, ms", "{:.3f}")]


def write(folder, result):
    lines = [f"Embeddings of {TOKENS}-token sentences, MiniLM-L6's size, {result['precision']}, {result['threads']} "
             f"threads, {result['machine']['cpu']}; wrk on the same machine; median of {result['rounds']} rounds.", "",
             "| | median | min–max |", "| --- | --- | --- |"]
    for name, title, form in ROWS:
        spread = result["figures"][name]
        lines.append(f"| {title} | {form.format(spread['median'])} | "
                     f"{form.format(spread['min'])}–{form.format(spread['max'])} |")
    results.save(folder, "serving", result, "\n".join(lines) + "\n")


def main():
    parser = bench.options_of(__doc__)
    parser.add_argument("--library", default=os.path.join(bench.ROOT, "build/release/bench-library"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="brisk-http-") as folder:
        figures = measure(args, folder)
        write(args.results, {"machine": bench.machine(), "precision": args.precision, "threads": args.threads,
                             "rounds": args.rounds, "figures": {k: bench.spread(v) for k, v in figures.items()}})


if __name__ == "__main__":
    main()
