"""Models of many families and tasks served at once by one process that has room for three of them:
is every answer right, is none lost, and does the memory limit hold while models come and go?

    python3 tests/mixed.py build/release/brisk [--requests 10000] [--clients 16]

Twelve golden folders are asked at random by several clients. The limit is the size of the three
largest, and so small that no four fit. Checked: each answer is the expected one of the folder's
cases, and byte for byte the same each time; every request is answered; brisk_models_bytes never
passes the limit nor brisk_models_loaded three, as often as can be looked; neither does the resident
memory, but for a fixed share; models did come and go. Standard library only. Prints the figures; exit 1 when a check
fails.
"""
import argparse
import collections
import json
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import driver

ROOM = 3
MODELS = ["albert/fill-mask", "bart/text-classification", "bert/question-answering", "bloom/text-generation",
          "distilbert/sentence-max", "gemma3/text-generation", "gpt2/token-classification", "longformer/fill-mask",
          "qwen2_moe/text-generation", "roberta/zero-shot-classification", "t5/mt5", "t5/text2text-generation"]
NO_CACHE = {"x-use-cache": "false"}
ANSWERED = 'brisk_requests_total{outcome="ok"}'
PRECISION = ["--precision", "fp32"]
# Beside the models: pages of keys and values, tokenizers, requests, allocators of threads. Twelve models
# that stay would be far above. Not for sanitizers, which keep freed memory.
OTHER_BYTES = 24 << 20


def sizes(binary):
    """What each model takes, as the server counts it, loaded alone after the other."""
    found, before = {}, 0
    with driver.Server(binary, (driver.GOLDEN,), PRECISION) as server:
        client = server.client()
        for model in MODELS:
            _, path, body, _ = cases_of(model)[0]
            answer = client.call("POST", path, body, NO_CACHE)
            if answer.status != 200:
                raise SystemExit(f"{model}: {answer!r}")
            total = server.metrics()["brisk_models_bytes"]
            found[model], before = int(total - before), total
    return found


def cases_of(model):
    """(key, path, body, case) of each case of the folder."""
    cases = json.loads((driver.GOLDEN / model / "cases.json").read_text(encoding="utf-8"))
    return [((model, i), f"/pipeline/{case['task']}/{model}", case["body"], case) for i, case in enumerate(cases)]


class Run:
    """What clients and the watcher write down; guarded by lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.first = {}  # the first answer to each case
        self.answered = collections.Counter()
        self.wrong = []
        self.most_bytes = self.most_models = self.looks = 0
        self.rss = []

    def judge(self, key, case, answer):
        with self.lock:
            self.answered[key[0]] += 1
            before = self.first.setdefault(key, answer.body)
        if answer.status != 200:
            return f"{key[0]}, {case['name']}: {answer!r}"
        if before != answer.body:
            return f"{key[0]}, {case['name']}: {answer.body[:200]!r}, before {before[:200]!r}"
        different = driver.difference(answer.json, case["answer"], case["tolerance"])
        return different and f"{key[0]}, {case['name']}: {different}"

    def client(self, server, rng, n):
        client = server.client()
        rows = {model: cases_of(model) for model in MODELS}
        for _ in range(n):
            key, path, body, case = rng.choice(rows[rng.choice(MODELS)])
            try:
                wrong = self.judge(key, case, client.call("POST", path, body, NO_CACHE))
            except Exception as error:
                wrong = f"{key[0]}, {case['name']}: {error!r}"
                client = server.client()
            if wrong:
                with self.lock:
                    self.wrong.append(wrong)
        client.close()

    def watch(self, server, over):
        while not over.wait(0.05):
            figures = server.metrics()
            self.looks += 1
            self.most_bytes = max(self.most_bytes, figures["brisk_models_bytes"])
            self.most_models = max(self.most_models, figures["brisk_models_loaded"])
            self.rss.append(server.rss_bytes())


def ask_all(server, run, requests, clients):
    """The clients' share each, while somebody watches the memory."""
    over = threading.Event()
    watcher = threading.Thread(target=run.watch, args=(server, over))
    threads = [threading.Thread(target=run.client,
                                args=(server, random.Random(i), requests // clients + (i < requests % clients)))
               for i in range(clients)]
    for thread in [watcher, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    watcher.join()


def failures_of(run, figures, requests, limit, binary):
    found = []
    if run.wrong:
        found.append(f"{len(run.wrong)} wrong answers, the first: {run.wrong[0]}")
    if sum(run.answered.values()) != requests:
        found.append(f"{requests - sum(run.answered.values())} requests are lost")
    if figures[ANSWERED] != requests:
        found.append(f"the server counts {figures[ANSWERED]:.0f} answers")
    if run.most_bytes > limit or run.most_models > ROOM:
        found.append(f"over the limit: {run.most_models:.0f} models, {run.most_bytes:.0f} bytes of {limit}")
    if figures["brisk_model_evictions_total"] < len(MODELS) - ROOM:
        found.append("models hardly came and went")
    if driver.slowness(binary) == 1 and max(run.rss) > run.rss[0] + limit + OTHER_BYTES:
        found.append(f"resident memory reaches {max(run.rss) >> 20} MiB, from {run.rss[0] >> 20} MiB")
    return found


def mixed(binary, requests, clients):
    """Failures as texts, and a report."""
    bytes_of = sizes(binary)
    by_size = sorted(bytes_of.values())
    limit = sum(by_size[-ROOM:])
    if sum(by_size[:ROOM + 1]) <= limit:
        return [f"four of these models fit where the largest three do: {bytes_of}"], ""
    run = Run()
    with driver.Server(binary, (driver.GOLDEN,), PRECISION + ["--memory", str(limit)]) as server:
        run.rss.append(server.rss_bytes())
        began = time.monotonic()
        ask_all(server, run, requests, clients)
        took = time.monotonic() - began
        server.wait_for(lambda: server.metrics()[ANSWERED] >= requests, 2)  # counted behind the answer
        figures = server.metrics()
        failures = failures_of(run, figures, requests, limit, binary)
        server.terminate()
        if server.wait() != 0:
            failures.append(f"exit code: {server.output()}")
    report = "\n".join([
        f"{sum(run.answered.values())} answers of {requests} requests by {clients} clients in {took:.1f} s "
        f"({requests / took:.0f} a second), {len(run.first)} different cases of {len(run.answered)} models",
        f"  limit {limit / 1e6:.2f} MB; at most {run.most_models:.0f} models and {run.most_bytes / 1e6:.2f} MB "
        f"in {run.looks} looks; models have from {by_size[0] / 1e6:.2f} to {by_size[-1] / 1e6:.2f} MB",
        f"  {figures['brisk_model_loads_total']:.0f} loads, {figures['brisk_model_evictions_total']:.0f} evictions",
        f"  resident: {run.rss[0] >> 20} MiB at the start, {max(run.rss) >> 20} MiB at most",
        "  answers a model: " + ", ".join(f"{model} {n}" for model, n in sorted(run.answered.items()))])
    return failures, report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--requests", type=int, default=10000)
    parser.add_argument("--clients", type=int, default=16)
    args = parser.parse_args()
    failures, report = mixed(args.binary.resolve(), args.requests, args.clients)
    print(report)
    print("mixed: " + ("; ".join(failures) if failures else "all right, none lost, the limit held"))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
