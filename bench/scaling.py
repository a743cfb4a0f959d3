#!/usr/bin/env python3
"""How Brisk's cost grows: with texts at once, with their length, with what was written, with loaded models.

Times of the first three come from `brisk bench`, inside one process and without HTTP; the last from a server that holds
more and more models, asked in turn. Rounds interleave. A curve that stays below the straight line through
its first point says that more at once costs less each.

Writes scaling.json, scaling.md and scaling.svg into the folder of results. See `make bench`.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402
import chart  # noqa: E402
import models  # noqa: E402
import results  # noqa: E402
from contestants import Brisk  # noqa: E402

SHARED = "minilm"  # the model of which a server holds many
ASKED = 60         # requests a point and round


def _bench(model, across):
    """(x -> arguments of brisk bench)"""
    return lambda args, x: {"model": model, **across(x)}


# (title, what is across, its points, whether cost should grow with it, how a point is measured)
CURVES = [
    ("bert-base, texts of 32 tokens at once", "texts", [1, 2, 4, 8, 16, 32, 64], True,
     _bench("bert-base", lambda n: {"prompt-tokens": 32, "batch": n})),
    ("bert-base, one text", "tokens of the text", [16, 32, 64, 128, 256, 384, 512], True,
     _bench("bert-base", lambda n: {"prompt-tokens": n})),
    ("gpt2, one text of 16 tokens goes on", "new tokens", [16, 32, 64, 128, 256, 512, 896], True,
     _bench("gpt2", lambda n: {"prompt-tokens": 16, "new-tokens": n})),
    ("gpt2, texts of 16 + 32 tokens at once", "texts", [1, 2, 4, 8, 16, 32], True,
     _bench("gpt2", lambda n: {"prompt-tokens": 16, "new-tokens": 32, "batch": n})),
]
LOADED = ("MiniLM-L6 over HTTP, 12 tokens, models in turn", "models loaded", [1, 2, 4, 8, 16])


def latency_ms(args, model, **options):
    out = subprocess.run(
        [args.brisk, "bench", os.path.join(args.models, model), "--precision", args.precision, "--threads",
         str(args.threads), "--repeat", "3", *(word for k, v in options.items() for word in (f"--{k}", str(v)))],
        check=True, capture_output=True, text=True).stdout
    return json.loads(out)["latency_ms"]["p50"]


class Loaded:
    """A server with so many copies of one model."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        made = os.path.abspath(models.make(args.models, SHARED))
        for i in range(max(LOADED[2])):
            os.symlink(made, os.path.join(folder, f"model{i}"))

    def latency_ms(self, n):
        server = Brisk(self.args.brisk, self.folder, self.args.precision, self.args.threads)
        body = {"inputs": models.sentence(12), "options": {"use_cache": False, "wait_for_model": True}}
        seconds = []
        try:
            for i in range(n):
                server.post("feature-extraction", f"model{i}", body)
            for i in range(ASKED):
                start = time.perf_counter()
                server.post("feature-extraction", f"model{i % n}", body)
                seconds.append(time.perf_counter() - start)
        finally:
            server.stop()
        return 1000 * statistics.median(seconds)


def measure(args, folder):
    """The panels: curves with their points."""
    loaded = Loaded(args, folder)
    ways = [(title, across, grows, x, lambda how=how, x=x: latency_ms(args, **how(args, x)))
            for title, across, xs, grows, how in CURVES for x in xs]
    ways += [(LOADED[0], LOADED[1], False, n, lambda n=n: loaded.latency_ms(n)) for n in LOADED[2]]
    for model in {"bert-base", "gpt2"}:
        models.make(args.models, model)
    ms = [[] for _ in ways]
    for i in range(args.rounds):
        for times, way in zip(ms, ways):
            times.append(way[4]())
        print(f"  round {i + 1}/{args.rounds}", file=sys.stderr)
    panels = {}
    for times, (title, across, grows, x, _) in zip(ms, ways):
        panel = panels.setdefault(title, {"title": title, "across": across, "grows": grows, "points": []})
        panel["points"].append({"x": x, "ms": bench.spread(times)})
    return list(panels.values())


def write(folder, result):
    lines = [f"{result['precision']}, {result['threads']} threads, {result['machine']['cpu']}; median of "
             f"{result['rounds']} rounds, in milliseconds.", ""]
    for panel in result["panels"]:
        xs = [str(point["x"]) for point in panel["points"]]
        lines += [f"**{panel['title']}**", "", f"| {panel['across']} | " + " | ".join(xs) + " |",
                  "| --- |" + " --- |" * len(xs),
                  "| ms | " + " | ".join(f"{p['ms']['median']:.4g}" for p in panel["points"]) + " |",
                  "| ms each | " + " | ".join(f"{p['ms']['median'] / p['x']:.3g}" for p in panel["points"]) + " |", ""]
        if not panel["grows"]:
            del lines[-2]
    results.save(folder, "scaling", result, "\n".join(lines))
    chart.write_scaling(os.path.join(folder, "scaling.svg"), result)


def main():
    args = bench.options_of(__doc__, rounds=3).parse_args()
    with tempfile.TemporaryDirectory(prefix="brisk-scaling-") as folder:
        write(args.results, {"machine": bench.machine(), "precision": args.precision, "threads": args.threads,
                             "rounds": args.rounds, "panels": measure(args, folder)})


if __name__ == "__main__":
    main()
