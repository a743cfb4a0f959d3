#!/usr/bin/env python3
"""Brisk against PyTorch through transformers, on equal models, side by side in one run.

Each round runs every contestant once, one after the other (A B C A B C …), so that a machine
whose speed drifts drifts for all. The figure of a pair is the median of the rounds' ratios, with the
smallest and the largest. Brisk is measured as a client sees it: one HTTP request to `brisk serve`
on a kept connection, JSON and tokenizing included; PyTorch in this very process: tokenizer, model
and what follows it, without the pipelines' own overhead.

Writes a table, a chart and the raw figures into the folder of results. See `make bench`.
"""

import argparse
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import chart  # noqa: E402
import models  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


# ---- the workloads --------------------------------------------------------------------------------
# name, model, what PyTorch runs (a key of Torch.RUNS), request, calls a round, work for the limits

def beams(tokens, new_tokens):
    """Four beams that make a fixed number of tokens."""
    return {"inputs": models.words(tokens),
            "parameters": {"num_beams": 4, "min_new_tokens": new_tokens, "max_new_tokens": new_tokens}}


def workloads():
    decode = {"inputs": models.prompt(16),
              "parameters": {"max_new_tokens": 128, "do_sample": False, "return_full_text": False}}
    return [
        {"name": "gpt2, 16 → 128 tokens, greedy, one stream", "model": "gpt2", "torch": "generate",
         "task": "text-generation", "body": decode, "calls": 1, "new_tokens": 128},
        {"name": "MiniLM-L6 embedding, 12 tokens", "model": "minilm", "torch": "embed",
         "task": "feature-extraction", "body": {"inputs": models.sentence(12)}, "calls": 40, "tokens": 12},
        {"name": "bert-base classification, 128 tokens", "model": "bert-base", "torch": "classify",
         "task": "text-classification", "body": {"inputs": models.sentence(128)}, "calls": 5, "tokens": 128},
        {"name": "t5-small translation, 30 → 30 tokens, 4 beams", "model": "t5-small", "torch": "translate",
         "task": "translation", "body": beams(30, 30), "calls": 1, "tokens": 30, "new_tokens": 30},
        {"name": "Marian translation, 30 → 30 tokens, 4 beams", "model": "marian", "torch": "translate",
         "task": "translation", "body": beams(30, 30), "calls": 1, "tokens": 30, "new_tokens": 30},
        {"name": "bart-base summarization, 512 → 60 tokens, 4 beams", "model": "bart-base", "torch": "translate",
         "task": "summarization", "body": beams(512, 60), "calls": 1, "tokens": 512, "new_tokens": 60},
    ]


class Torch:
    """PyTorch fp32 through transformers, out of the box."""

    def __init__(self, root, threads):
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        torch.set_num_threads(threads)
        self.torch, self.t, self.root, self.loaded = torch, transformers, root, {}

    def model(self, name, cls):
        if name not in self.loaded:
            folder = models.make(self.root, name)
            self.loaded[name] = (self.t.AutoTokenizer.from_pretrained(folder),
                                 getattr(self.t, cls).from_pretrained(folder).eval())
        return self.loaded[name]

    def generate(self, work):
        tokenizer, model = self.model(work["model"], "AutoModelForCausalLM")
        inputs = tokenizer(work["body"]["inputs"], return_tensors="pt")
        with self.torch.inference_mode():
            out = model.generate(**inputs, max_new_tokens=work["new_tokens"], do_sample=False)
        return tokenizer.decode(out[0][inputs["input_ids"].shape[1]:])

    def translate(self, work):
        tokenizer, model = self.model(work["model"], "AutoModelForSeq2SeqLM")
        inputs = tokenizer(work["body"]["inputs"], return_tensors="pt", return_token_type_ids=False)
        assert inputs["input_ids"].shape[1] == work["tokens"], inputs["input_ids"].shape
        with self.torch.inference_mode():
            out = model.generate(**inputs, **work["body"]["parameters"])
        return tokenizer.decode(out[0], skip_special_tokens=True)

    def embed(self, work):
        tokenizer, model = self.model(work["model"], "AutoModel")
        inputs = tokenizer(work["body"]["inputs"], return_tensors="pt")
        assert inputs["input_ids"].shape[1] == work["tokens"], inputs["input_ids"].shape
        with self.torch.inference_mode():
            hidden = model(**inputs).last_hidden_state
            mean = hidden.mean(dim=1)
            return self.torch.nn.functional.normalize(mean)[0].tolist()

    def classify(self, work):
        tokenizer, model = self.model(work["model"], "AutoModelForSequenceClassification")
        inputs = tokenizer(work["body"]["inputs"], return_tensors="pt")
        assert inputs["input_ids"].shape[1] == work["tokens"], inputs["input_ids"].shape
        with self.torch.inference_mode():
            return model(**inputs).logits.softmax(-1)[0].tolist()

    def run(self, work):
        return getattr(self, work["torch"])(work)


class Brisk:
    """One `brisk serve` process and one kept connection to it."""

    def __init__(self, binary, root, precision, threads):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.precision = precision
        self.process = subprocess.Popen(
            [binary, "serve", "--port", str(self.port), "--models", root, "--precision", precision,
             "--threads", str(threads), "--cache-dir", "none", "--no-auth"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.socket = None
        for _ in range(600):
            try:
                self.ask("GET", "/health", b"")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("brisk serve does not answer")

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method, path, body):
        """One request on the kept connection: (status, body). The plainest client there is: Python's
        http.client alone takes a quarter of a small request's time."""
        if self.socket is None:
            self.connect()
        head = (f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n")
        self.socket.sendall(head.encode() + body)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.receive()
        head, _, rest = got.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
        while len(rest) < length:
            rest += self.receive()
        return int(head.split()[1]), rest

    def receive(self):
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise ConnectionResetError
        return piece

    def run(self, work):
        body = json.dumps(dict(work["body"], options={"use_cache": False, "wait_for_model": True})).encode()
        path = f"/pipeline/{work['task']}/{work['model']}"
        try:
            status, answer = self.ask("POST", path, body)
        except (BrokenPipeError, ConnectionResetError):  # closed while PyTorch was measured
            self.socket = None
            status, answer = self.ask("POST", path, body)
        if status != 200:
            raise SystemExit(f"brisk answered {status}: {answer}")
        return json.loads(answer)

    def memory_mib(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def timed(contestant, work):
    """Seconds a call: the median of the round's calls."""
    seconds = []
    for _ in range(work["calls"]):
        start = time.perf_counter()
        contestant.run(work)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def machine_limits(args, best=None):
    """Peaks of this machine: bytes/s read and operations/s, by the kernels' benchmark. Measured several
    times in a run, the best counts: a peak is what the machine can do when nothing disturbs it."""
    out = subprocess.run([args.kernels, "--peaks", "--json", "--threads", str(args.threads)], check=True,
                         capture_output=True, text=True).stdout
    return {k: max(v, best[k]) if best and isinstance(v, float | int) else v for k, v in json.loads(out).items()}


# Weights of linear layers that a token passes (the output head counts, the embeddings do not): of what
# reads the text, and of what is read again for each new token.
D, D5 = 768 * 768, 512 * 512
WEIGHTS = {"gpt2": (12 * 12 * D, 12 * 12 * D + 50257 * 768), "minilm": (6 * 12 * 384 * 384, 0), "bert-base": (12 * 12 * D, 0),
           "t5-small": (6 * 14 * D5, 6 * 14 * D5 + 32128 * 512), "marian": (6 * 14 * D5, 6 * 14 * D5 + 58101 * 512),
           "bart-base": (6 * 14 * D, 6 * 14 * D + 50265 * 768)}


def share_of_limit(work, precision, seconds, peaks):
    """How much of what the machine can do: arithmetic for the tokens that are read, bandwidth for each token
    that is made (all beams of a step share what is read for it)."""
    reading, making = WEIGHTS[work["model"]]
    bytes_a_weight = {"fp32": 4, "bf16": 2, "int8": 1}[precision]
    moving = making * bytes_a_weight * work.get("new_tokens", 0) / peaks["read_bytes_per_s"]
    peak = peaks["int8_ops_per_s"] if precision == "int8" else peaks["fp32_flops_per_s"]
    reckoning = 2 * reading * work.get("tokens", 0) / peak
    kind = "int8" if precision == "int8" else "FMA"
    of = (f"of the peak {kind} rate" if not moving else "of the memory's bandwidth" if not reckoning
          else f"of the peak {kind} rate, then the bandwidth")
    return (moving + reckoning) / seconds, of


def measure(args, work, contestants):
    for contestant in contestants.values():
        contestant.run(work)
        contestant.run(work)
    rounds = {name: [] for name in contestants}
    for i in range(args.rounds):
        for name, contestant in contestants.items():
            rounds[name].append(timed(contestant, work))
        print(f"  round {i + 1}/{args.rounds}  " + "  ".join(
            f"{n} {rounds[n][-1] * 1000:.2f} ms" for n in rounds), file=sys.stderr)
    return rounds


def row_of(work, rounds, peaks):
    row = {"work": work["name"], "torch_ms": spread([1000 * s for s in rounds["torch"]]), "brisk": {}}
    for name, seconds in rounds.items():
        if name == "torch":
            continue
        ratios = [a / b for a, b in zip(rounds["torch"], seconds)]
        share, of = share_of_limit(work, name, statistics.median(seconds), peaks)
        row["brisk"][name] = {"ms": spread([1000 * s for s in seconds]), "ratio": spread(ratios),
                              "share_of_limit": share, "limit": of}
    return row


def table(result):
    lines = ["| work | PyTorch fp32 | precision | Brisk | times faster (min–max) | share of the limit |",
             "| --- | --- | --- | --- | --- | --- |"]
    for row in result["rows"]:
        for precision, b in row["brisk"].items():
            r = b["ratio"]
            lines.append(f"| {row['work']} | {row['torch_ms']['median']:.2f} ms | {precision} | "
                         f"{b['ms']['median']:.2f} ms | **{r['median']:.2f}×** ({r['min']:.2f}–{r['max']:.2f}) | "
                         f"{100 * b['share_of_limit']:.0f} % {b['limit']} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brisk", default=os.path.join(ROOT, "build/brisk"))
    parser.add_argument("--kernels", default=os.path.join(ROOT, "build/release/bench-kernels"))
    parser.add_argument("--models", default=os.path.join(ROOT, "build/bench/models"))
    parser.add_argument("--results", default=os.path.join(ROOT, "bench/results"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precisions", default="fp32,int8")
    parser.add_argument("--only", default="", help="part of the name of the workloads to run")
    args = parser.parse_args()

    for name in models.MAKERS:
        models.make(args.models, name)
    torch = Torch(args.models, args.threads)
    brisks = {p: Brisk(args.brisk, args.models, p, args.threads) for p in args.precisions.split(",")}
    try:
        peaks, measured = machine_limits(args), []
        for work in workloads():
            if args.only not in work["name"]:
                continue
            print(work["name"], file=sys.stderr)
            measured.append((work, measure(args, work, {"torch": torch, **brisks})))
            peaks = machine_limits(args, peaks)
        rows = [row_of(work, rounds, peaks) for work, rounds in measured]
        result = {"machine": machine(), "threads": args.threads, "rounds": args.rounds, "peaks": peaks,
                  "versions": {"torch": torch.torch.__version__, "transformers": torch.t.__version__},
                  "memory_mib": {p: b.memory_mib() for p, b in brisks.items()}, "rows": rows}
    finally:
        for brisk in brisks.values():
            brisk.stop()
    write_results(args.results, result)


def machine():
    with open("/proc/cpuinfo") as f:
        name = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "?")
    return {"cpu": name, "cores": os.cpu_count(), "system": platform.system()}


def write_results(folder, result):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "latest.json"), "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    text = (f"{result['machine']['cpu']}, {result['threads']} threads; PyTorch {result['versions']['torch']}, "
            f"transformers {result['versions']['transformers']}; median of {result['rounds']} interleaved rounds.\n\n"
            + table(result))
    with open(os.path.join(folder, "latest.md"), "w") as f:
        f.write(text)
    chart.write_speed(os.path.join(folder, "latest.svg"), result)
    print(text)


if __name__ == "__main__":
    main()
