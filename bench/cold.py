#!/usr/bin/env python3
"""Cold start: from starting a process to its first answer, and the memory it then holds.

A model of GPT-2's size answers with one token. Brisk without a packed cache (weights are packed), with
one (they are mapped), by `brisk run` and by `brisk serve` and one HTTP request; transformers beside
it: a Python process that imports, loads and generates. Rounds interleave; files are in the page
cache for all. Where the real tokenizer of GPT-2 is at hand (--tokenizer), it is used, since reading
50,000 merges is part of a start.

Writes cold.json, cold.md and cold.svg into the folder of results. See `make bench`.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402
import chart  # noqa: E402
import models  # noqa: E402
import results  # noqa: E402

TEXT = "Hello there, how are you"
SETTLE_S = 3  # by then what a load leaves for later is done

PEER = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
torch.set_num_threads(int(sys.argv[2]))
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
with torch.inference_mode():
    out = model.generate(**tokenizer(sys.argv[3], return_tensors="pt"), max_new_tokens=1, do_sample=False)
print(tokenizer.decode(out[0]), flush=True)
"""


def first_byte_s(command):
    """Seconds until the command has written its first byte; waits for its end."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        got = process.stdout.read(1)
        seconds = time.perf_counter() - start
        process.stdout.read()
    if not got or process.returncode != 0:
        raise SystemExit(f"{command[:2]} gave no answer")
    return seconds


class Setup:
    """The model's folder, and a cache folder of this run."""

    def __init__(self, args, folder):
        self.args, self.cache = args, os.path.join(folder, "cache")
        self.models = os.path.join(folder, "models")
        self.model = os.path.join(self.models, "gpt2")
        made = models.make(args.models, "gpt2")
        real = args.tokenizer if os.path.isdir(args.tokenizer) else None
        os.makedirs(self.model)
        for name in os.listdir(made):
            if not real or not re.match(r"vocab|merges|tokenizer", name):
                os.symlink(os.path.join(os.path.abspath(made), name), os.path.join(self.model, name))
        for name in os.listdir(real) if real else ():
            if re.match(r"vocab|merges|tokenizer", name):
                os.symlink(os.path.join(os.path.abspath(real), name), os.path.join(self.model, name))
        self.tokenizer = "GPT-2's own" if real else "256 bytes and 50,000 fillers, no merges"

    def options(self, cache):
        return ["--precision", self.args.precision, "--threads", str(self.args.threads), "--cache-dir", cache]

    def run(self, cache):
        return first_byte_s([self.args.brisk, "run", self.model, TEXT, "--parameters", '{"max_new_tokens": 1}',
                             *self.options(cache)])

    def run_without(self):
        return self.run("none")

    def run_filling(self):
        shutil.rmtree(self.cache, ignore_errors=True)
        return self.run(self.cache)

    def run_with(self):
        return self.run(self.cache)

    def serve_with(self):
        start = time.perf_counter()
        process, _ = self.serve(self.cache)
        seconds = time.perf_counter() - start
        process.kill()
        process.wait()
        return seconds

    def serve(self, cache):
        """The process, after one answer over HTTP."""
        process = subprocess.Popen(
            [self.args.brisk, "serve", "--port", "0", "--no-auth", "--models", self.models, *self.options(cache)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        body = {"inputs": TEXT, "parameters": {"max_new_tokens": 1}, "options": {"wait_for_model": True}}
        request = urllib.request.Request(f"{url}/models/gpt2", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            answer.read()
        return process, url

    def peer(self):
        return first_byte_s([sys.executable, "-c", PEER, self.model, str(self.args.threads), TEXT])

    def memory(self, cache):
        """MB after one answer, once everything behind it is done."""
        process, url = self.serve(cache)
        try:
            if cache != "none":
                done = re.compile(r"^brisk_packed_(hits|stored)_total [1-9]", re.MULTILINE)
                while not done.search(urllib.request.urlopen(f"{url}/metrics").read().decode()):
                    time.sleep(0.1)
            time.sleep(SETTLE_S)
            with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
                figures = dict(re.findall(r"(\w+):\s+(\d+) kB", file.read()))
            return {name: int(figures[name]) / 1000 for name in ("VmRSS", "RssAnon", "RssFile", "VmHWM")}
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    def packed_mb(self):
        return sum(os.path.getsize(os.path.join(self.cache, name)) for name in os.listdir(self.cache)
                   if name.endswith(".packed")) / 1e6


WAYS = [("run_without", "`brisk run`, no packed cache"),
        ("run_filling", "`brisk run`, which also fills the packed cache"),
        ("run_with", "`brisk run`, packed cache"),
        ("serve_with", "`brisk serve` and one request, packed cache"),
        ("peer", "Python with `transformers`")]


def write(folder, result):
    lines = [f"GPT-2's size, {result['precision']}, {result['threads']} threads, {result['machine']['cpu']}; "
             f"tokenizer: {result['tokenizer']}; median of {result['rounds']} interleaved rounds, page cache warm.", "",
             "| from starting the process to the first answer | ms | min–max |", "| --- | --- | --- |"]
    for name, title in WAYS:
        if name in result["ms"]:
            ms = result["ms"][name]
            lines.append(f"| {title} | {ms['median']:.0f} | {ms['min']:.0f}–{ms['max']:.0f} |")
    bound = 1.1 * result["packed_mb"] + 60
    lines += ["", f"| resident memory of `brisk serve`, MB (packed: {result['packed_mb']:.0f}, 1.1 × that + 60: "
              f"{bound:.0f}) | resident | own | of files | peak |", "| --- | --- | --- | --- | --- |"]
    for title, m in result["memory_mb"].items():
        lines.append(f"| {title} | {m['VmRSS']:.0f} | {m['RssAnon']:.0f} | {m['RssFile']:.0f} | {m['VmHWM']:.0f} |")
    results.save(folder, "cold", result, "\n".join(lines) + "\n")
    chart.write_cold(os.path.join(folder, "cold.svg"), result, WAYS)


def main():
    parser = bench.options_of(__doc__)
    parser.add_argument("--tokenizer", default=os.path.join(
        os.environ.get("BRISK_SHARED", os.path.join(bench.ROOT, "../shared")), "tokenizers/gpt2"))
    parser.add_argument("--no-peer", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="brisk-cold-") as folder:
        setup = Setup(args, folder)
        ways = [name for name, _ in WAYS if name != "peer" or not args.no_peer]
        for name in ways:
            getattr(setup, name)()
        seconds = {name: [] for name in ways}
        for i in range(args.rounds):
            for name in ways:
                seconds[name].append(getattr(setup, name)())
            print(f"  round {i + 1}/{args.rounds}  " + "  ".join(
                f"{name} {seconds[name][-1] * 1000:.0f} ms" for name in ways), file=sys.stderr)
        memory = {"no packed cache": setup.memory("none")}
        shutil.rmtree(setup.cache)
        memory["first start, which filled the packed cache"] = setup.memory(setup.cache)
        memory["from the packed cache"] = setup.memory(setup.cache)
        write(args.results, {"machine": bench.machine(), "precision": args.precision, "threads": args.threads,
                             "rounds": args.rounds, "tokenizer": setup.tokenizer, "packed_mb": setup.packed_mb(),
                             "ms": {name: bench.spread([1000 * s for s in seconds[name]]) for name in ways},
                             "memory_mb": memory})


if __name__ == "__main__":
    main()
