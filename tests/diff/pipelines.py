"""Brisk in fp32 against the pipelines of transformers, on trained weights and many texts:

    python tests/diff/pipelines.py build/release/brisk

The goldens hold tiny random models to a fixed list; here are the demo models, and those of the shared
folder that are of a known family (BRISK_SHARED or ../shared; skipped with a word when absent), on
sentences of a hundred languages and strings that break programs. A generated text that differs is
forgiven only where the reference itself changes when its weights are disturbed in the last bits.
"""
import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools/goldens"), str(ROOT / "tests")]
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"

import transformers

import driver
import networks
import service

SHARED = pathlib.Path(os.environ.get("BRISK_SHARED", ROOT.parent / "shared"))
TOLERANCE = 0.002
LAST_BITS = 1e-6
OWN_TEXTS = ["A warm, funny and wonderful film.", "Not good.", "naïve 東京 😀👍 привет", " two  spaces\tand a\nline ",
             "the river " * 100, "…", "0", "\u200b\u202eabc", "e\u0301 \u00e9", "ﬁne ﬀ"]


def texts(n):
    """Own texts, then every k-th sentence and all strings of the shared data that are not empty."""
    found = list(OWN_TEXTS)
    if not SHARED.exists():
        print(f"skipped: the texts of {SHARED} (absent)")
        return found
    lines = (SHARED / "data/tatoeba/sentences.tsv").read_text(encoding="utf-8").splitlines()
    sentences = [line.split("\t")[-1] for line in lines]
    found += sentences[:: max(1, len(sentences) // n)]
    found += [t for t in json.loads((SHARED / "data/blns/blns.json").read_text(encoding="utf-8")) if t.strip()]
    return found


def greedy(n):
    return {"do_sample": False, "max_new_tokens": n}


def bodies():
    """(folder, task, bodies)"""
    some = texts(150)
    yield driver.MODELS / "brisk/tiny-sentiment", "text-classification", [{"inputs": t} for t in some]
    prompts = [t[:60] for t in some[:40]] + ["ROMEO:", "JULIET:\nO", "First Citizen:"]
    yield (driver.MODELS / "brisk/tiny-writer", "text-generation",
           [{"inputs": p, "parameters": greedy(40)} for p in prompts] +
           [{"inputs": p, "parameters": greedy(20) | {"num_beams": 4, "no_repeat_ngram_size": 3}} for p in prompts[-8:]])
    capp = SHARED / "models/capp-gpt2"
    if capp.exists():
        yield capp, "text-generation", [{"inputs": p, "parameters": greedy(30)} for p in ("C", "CC", "N C", "O")]
    else:
        print(f"skipped: {capp} (absent)")


def is_shaky(pipes, task, body, wanted):
    """Whether rounding decides the reference's own answer."""
    for seed in range(3):
        undo = networks.disturb(pipes.model(task), seed, LAST_BITS)
        try:
            if pipes.answer(task, body) != wanted:
                return True
        finally:
            undo()
    return False


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    transformers.logging.set_verbosity_error()
    passed = failed = shaky = 0
    folders = [driver.MODELS] + ([SHARED / "models"] if SHARED.exists() else [])
    with driver.Server(binary, folders, ["--precision", "fp32"]) as server:
        client = server.client()
        for folder, task, asked in bodies():
            model = str(folder.relative_to(driver.MODELS if folder.is_relative_to(driver.MODELS) else SHARED / "models"))
            pipes = service.Pipelines(folder, transformers.AutoTokenizer.from_pretrained(folder))
            for body in asked:
                wanted = pipes.answer(task, body)
                answer = client.call("POST", f"/pipeline/{task}/{model}", body)
                differs = driver.difference(answer.json, wanted, TOLERANCE) if answer.status == 200 else repr(answer)
                if differs is None:
                    passed += 1
                elif task == "text-generation" and answer.status == 200 and is_shaky(pipes, task, body, wanted):
                    shaky += 1
                else:
                    failed += 1
                    print(f"FAIL  {model} {json.dumps(body)[:200]}: {differs[:500]}")
    if shaky:
        print(f"{shaky} texts left out: rounding decides the reference's own answer")
    if os.environ.get("TESTS_TALLY"):
        with open(os.environ["TESTS_TALLY"], "a", encoding="ascii") as file:
            print(passed, failed, file=file)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
