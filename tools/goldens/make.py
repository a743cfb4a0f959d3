"""Makes tests/golden: tiny random models and what transformers 4.57.6 answers with them.

    python tools/goldens/make.py [--only bert/fill-mask] [--out FOLDER]
    python tools/goldens/make.py --check      make them again elsewhere and compare byte for byte

Everything is seeded. A model is taken only if its answers are not decided by a hair: with the
weights disturbed by a thousand times the rounding error of single precision, all texts, labels and
positions must stay and all numbers nearly so; otherwise the next seed is tried. So a difference in
the last bits, which any other order of summation gives, cannot change an expected answer.
"""
import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse
import json
import multiprocessing
import pathlib
import shutil
import tempfile
import warnings

import torch
import transformers
from safetensors.torch import save_file

import fresh
import heads
import networks
import service
import vocabulary

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden"
TOLERANCE = 0.002
DISTURB = (1e-4, 2)   # relative noise on every weight, how often
SWING = 0.05          # how far a number may move then: a thousandth of it is far below the tolerance
SEEDS = 60


def rounded(value):
    """Floats of six significant digits: more than the tolerance needs, fewer than single precision
    has, so that the files do not change with the machine that makes them."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return value


def ordered(value, key=None):
    """Keys sorted, but for the columns of a table."""
    if isinstance(value, dict):
        return {k: ordered(value[k], k) for k in (value if key == "table" else sorted(value))}
    return [ordered(v, key) for v in value] if isinstance(value, list) else value


def same(a, b):
    """Equal but for floats, which may move by SWING."""
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= SWING * max(1, abs(a))
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def write_modules(head, seed, folder):
    """A sentence-transformers folder: modules.json and a folder for each module behind the model."""
    rows = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
    generator = torch.Generator().manual_seed(seed + 1000)
    for i, (kind, config) in enumerate(head.modules, 1):
        path = f"{i}_{kind}"
        rows.append({"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"})
        (folder / path).mkdir()
        if config:
            networks.write_json(folder / path / "config.json", config)
        if kind == "Dense":
            shape = (config["out_features"], config["in_features"])
            tensors = {"linear.weight": 0.3 * torch.randn(shape, generator=generator)}
            if config["bias"]:
                tensors["linear.bias"] = 0.2 * torch.randn(shape[0], generator=generator)
            save_file(tensors, folder / path / "model.safetensors", metadata={"format": "pt"})
    networks.write_json(folder / "modules.json", rows)
    networks.write_json(folder / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
    if head.sentence:
        networks.write_json(folder / "config_sentence_transformers.json", head.sentence)


def make_folder(head, seed, folder):
    folder.mkdir(parents=True)
    tokenizer = head.tokenizer()
    quiet = networks.unreadable(tokenizer) if head.readable else []
    networks.build(head.cls, head.config, seed, head.scale, head.dtype, folder, head.shards, quiet)
    if head.generation:
        path = folder / "generation_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        config.pop("_from_model_config", None)  # else transformers takes the file for no choice at all
        networks.write_json(path, config | head.generation)
    vocabulary.save(tokenizer, folder, head.legacy)
    if head.modules:
        write_modules(head, seed, folder)
    if head.finish:
        head.finish(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


def bodies(head, pipes):
    for task, rows in head.tasks.items():
        for name, *body in rows:
            if callable(body[0]):
                body = body[0](lambda inputs, parameters: pipes.answer(
                    task, {"inputs": inputs, "parameters": parameters}))
            parts = zip(("inputs", "parameters", "options"), body)
            yield {"name": name, "task": task, "tolerance": TOLERANCE,
                   "body": {key: part for key, part in parts if part or key == "inputs"}}


def unsteady(pipes, cases):
    """Whether an answer hangs on a hair; says which does."""
    amount, times = DISTURB
    for task in {case["task"] for case in cases}:
        model = pipes.model(task)
        for i in range(times):
            undo = networks.disturb(model, 7 + i, amount)
            try:
                for case in cases:
                    if case["task"] == task and not same(case["answer"], pipes.answer(task, case["body"])):
                        return case["name"]
            finally:
                undo()
    return None


def dull(cases):
    """Whether the answers are too much alike to show a mistake; says where."""
    for case in cases:
        if case["name"] == "nothing ignored" and len({e["entity_group"] for e in case["answer"]}) < 4:
            return case["name"]
    answers = [a for case in cases if case["task"] == "table-question-answering"
               for a in (case["answer"] if isinstance(case["answer"], list) else [case["answer"]])]
    choices = [a for a in answers if "cells" in a]
    if choices and sum(not a["cells"] for a in choices) > len(choices) / 3:
        return "cells"
    if answers and len({a.get("aggregator") or a["answer"] for a in answers}) < 2:
        return "answers"
    return None


def make_head(head, out):
    """The folder and its cases, with the first seed whose answers are varied and steady."""
    folder = out / head.family / head.head
    for seed in range(SEEDS):
        shutil.rmtree(folder, ignore_errors=True)
        tokenizer = make_folder(head, seed, folder)
        pipes = service.Sentences(folder) if head.modules else service.Pipelines(folder, tokenizer)
        cases = list(bodies(head, pipes))
        for case in cases:
            torch.manual_seed(0)
            case["answer"] = pipes.answer(case["task"], case["body"])
        refused = dull(cases) or unsteady(pipes, cases)
        if refused is None:
            break
        print(f"  {head.id}: seed {seed} refused for '{refused}'", flush=True)
    else:
        raise SystemExit(f"{head.id}: no seed below {SEEDS} gives good answers")
    lines = [json.dumps(ordered(rounded(case)), ensure_ascii=False) for case in cases]
    (folder / "cases.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    print(f"{head.id}: {len(cases)} cases, seed {seed}, {size // 1024} KiB", flush=True)


WORK = []  # (row, folder): a forked worker is handed their numbers, since rows hold functions


def work(i):
    make_head(*WORK[i])


def make_all(chosen, out):
    """All folders, on all cores: they do not depend on each other."""
    WORK[:] = [(head, out) for head in chosen]
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        pool.map(work, range(len(WORK)), chunksize=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="family, or family/head")
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)

    chosen = [h for h in heads.all_heads() if not args.only or h.id in args.only or h.family in args.only]
    if not args.check:
        make_all(chosen, args.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder)
        make_all(chosen, made)
        families = sorted({h.family for h in heads.all_heads()})
        found = [d for d in fresh.differences(made, args.out, families)
                 if not args.only or any(d.startswith(h.id + "/") for h in chosen)]
    fresh.report(found)


if __name__ == "__main__":
    main()
