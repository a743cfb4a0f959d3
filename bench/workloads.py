"""What the benchmark runs: a table of workloads, what each asks of the machine at the least, and how answers compare.

A workload is a row. Its kind says what is done with the texts: `generate` (greedy), `translate` (four
beams), `embed` (mean of the tokens, normalized), `classify`. Brisk gets `body` over HTTP, peers the same texts.
"""

import itertools
import math
import re

import models

TASKS = {"generate": "text-generation", "embed": "feature-extraction", "classify": "text-classification"}
BEAMS = 4
PIECE = re.compile(r"<\w+>|[^<\s]+")  # models.py's tokens, near enough


def _generate(name, model, tokens, new_tokens, **more):
    """Greedy tokens behind a text. What it reads counts only where that is most of the work."""
    return {"name": name, "model": model, "kind": "generate", "inputs": [models.prompt(tokens)], "calls": 1,
            "new_tokens": new_tokens, "tokens": tokens if tokens > new_tokens else 0, **more,
            "parameters": {"max_new_tokens": new_tokens, "do_sample": False, "return_full_text": False}}


def _translate(name, model, tokens, new_tokens, task="translation"):
    """Four beams that make a fixed number of tokens."""
    return {"name": name, "model": model, "kind": "translate", "task": task, "inputs": [models.words(tokens)],
            "calls": 1, "tokens": tokens, "new_tokens": new_tokens, "parameters": {
                "num_beams": BEAMS, "min_new_tokens": new_tokens, "max_new_tokens": new_tokens}}


def _encode(kind, name, model, lengths, calls):
    parameters = {"top_k": models.LABELS} if kind == "classify" else {}
    return {"name": name, "model": model, "kind": kind, "inputs": [models.sentence(n) for n in lengths],
            "calls": calls, "tokens": sum(lengths), "parameters": parameters}


WORKLOADS = [
    _generate("gpt2, 16 → 128 tokens, greedy, one stream", "gpt2", 16, 128),
    _generate("gpt2, 16 → 128 tokens, greedy, 16 streams at once", "gpt2", 16, 128, streams=16),
    _generate("gpt2, prompt of 512 tokens", "gpt2", 512, 1),
    _generate("gpt2, 16 → 128 tokens that repeat, greedy, one stream, speculation", "gpt2", 16, 128, speculate=True),
    _generate("gpt2-medium, 16 → 64 tokens, greedy, one stream", "gpt2-medium", 16, 64),
    _generate("Qwen2 0.5B, 16 → 64 tokens, greedy, one stream", "qwen2-0.5b", 16, 64),
    _encode("embed", "MiniLM-L6 embedding, 12 tokens", "minilm", [12], 40),
    _encode("classify", "distilbert classification, 128 tokens", "distilbert", [128], 5),
    _encode("classify", "bert-base classification, 16 tokens", "bert-base", [16], 20),
    _encode("classify", "bert-base classification, 128 tokens", "bert-base", [128], 5),
    _encode("classify", "bert-base classification, 512 tokens", "bert-base", [512], 1),
    _encode("classify", "bert-base classification, 8 texts of 16 to 128 tokens", "bert-base", range(16, 129, 16), 1),
    _translate("t5-small translation, 20 → 30 tokens, 4 beams", "t5-small", 20, 30),
    _translate("Marian translation, 20 → 30 tokens, 4 beams", "marian", 20, 30),
    _translate("bart-base summarization, 512 → 60 tokens, 4 beams", "bart-base", 512, 60, "summarization"),
]


def by_processes(only):
    """((model, whether Brisk speculates), its workloads) of those whose name has `only` in it: what shares processes.

    Random weights make texts that repeat themselves, so speculation is on only where that is what is measured."""
    return itertools.groupby((w for w in WORKLOADS if only in w["name"]),
                             key=lambda w: (w["model"], w.get("speculate", False)))


def precisions(kinds, wanted):
    """Those that make a difference: encoders keep 8 bits in int4."""
    return [p for p in wanted if p != "int4" or kinds & {"generate", "translate"}]


def task(work):
    return work.get("task") or TASKS[work["kind"]]


def body(work):
    """The request's JSON. One text goes as a text, as most clients send it."""
    inputs = work["inputs"] if len(work["inputs"]) > 1 else work["inputs"][0]
    return {"inputs": inputs, "parameters": work["parameters"], "options": {"use_cache": False, "wait_for_model": True}}


def per_second(work, seconds):
    """(how many, of what): new tokens, or texts where none are made; a prompt's tokens."""
    new = work.get("new_tokens", 0)
    if new > 1:
        return new * work.get("streams", 1) / seconds, "tokens/s"
    return (work["tokens"] / seconds, "tokens/s") if new else (len(work["inputs"]) / seconds, "texts/s")


# ---- the machine's limit -------------------------------------------------------------------------
# Weights of linear layers that a token passes (the output head counts, the embeddings do not): of what
# reads the text, and of what is read again for each new token.

D, D5, DM, Q = 768 * 768, 512 * 512, 1024 * 1024, 24 * (2 * 896 * 896 + 2 * 896 * 128 + 3 * 896 * 4864)
WEIGHTS = {"gpt2": (12 * 12 * D, 12 * 12 * D + 50257 * 768), "minilm": (6 * 12 * 384 * 384, 0),
           "gpt2-medium": (24 * 12 * DM, 24 * 12 * DM + 50257 * 1024), "qwen2-0.5b": (Q, Q + 151936 * 896),
           "distilbert": (6 * 12 * D, 0), "bert-base": (12 * 12 * D, 0),
           "t5-small": (6 * 14 * D5, 6 * 14 * D5 + 32128 * 512), "marian": (6 * 14 * D5, 6 * 14 * D5 + 58101 * 512),
           "bart-base": (6 * 14 * D, 6 * 14 * D + 50265 * 768)}
BYTES_A_WEIGHT = {"fp32": 4, "bf16": 2, "int8": 1, "int4": 4.25 / 8}


def share_of_limit(work, precision, seconds, peaks):
    """(share, of what) the machine can do: arithmetic for the tokens that are read; for each token that is made, the
    longer of moving the weights (all beams and streams of a step share that) and reckoning with them."""
    reading, making = WEIGHTS[work["model"]]
    whole = precision in ("int8", "int4")
    peak = peaks["int8_ops_per_s"] if whole else peaks["fp32_flops_per_s"]
    rows = work.get("streams", 1) * (BEAMS if work["kind"] == "translate" else 1)
    moving = making * BYTES_A_WEIGHT[precision] / peaks["read_bytes_per_s"]
    reckoning = 2 * making * rows / peak
    steps = work.get("new_tokens", 0) * max(moving, reckoning)
    read = 2 * reading * work["tokens"] / peak
    rate = f"of the peak {'int8' if whole else 'FMA'} rate"
    if not steps:
        of = rate
    else:
        step = "the memory's bandwidth" if moving >= reckoning else "the peak rate"
        of = f"{rate}, then {step}" if read else f"of {step}"
    return (read + steps) / seconds, of


# ---- answers -------------------------------------------------------------------------------------

def of_brisk(work, answers):
    """What a peer's run() gives, from Brisk's answers (one a stream): texts, vectors or probabilities."""
    flat = [a for answer in answers for a in (answer if isinstance(answer, list) else [answer])]
    if work["kind"] in ("generate", "translate"):
        return [next(value for key, value in a.items() if key.endswith("_text")) for a in flat]
    if work["kind"] == "embed":
        return flat if isinstance(flat[0], list) else [flat]
    rows = flat if isinstance(flat[0], list) else [flat]
    return [[s["score"] for s in sorted(row, key=lambda s: s["label"])] for row in rows]


def _cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def _common(a, b):
    """Share of a text's pieces that are the same from its beginning on."""
    a, b = (PIECE.findall(text) or [""] for text in (a, b))
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(a, b)))
    return same / max(len(a), len(b))


def agreement(work, ours, theirs):
    """1: the same answers. Cosines of vectors, 1 - the largest difference of probabilities, or the share of the
    generated text that is the same from its beginning; the least of the answers."""
    if len(ours) != len(theirs):
        return 0.0
    of = {"embed": _cosine, "classify": lambda a, b: 1 - max(abs(x - y) for x, y in zip(a, b))}.get(work["kind"], _common)
    return min(of(a, b) for a, b in zip(ours, theirs))
