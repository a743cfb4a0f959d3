"""Real clients against a server of its own: python tests/clients/run.py build/release/brisk

Runs the README's first example, examples/quickstart.py and every task of huggingface_hub's InferenceClient that the served
models have, by the URL of a model (all versions) and, with versions up to 0.28, by the routes of the
old API. Which version runs is up to the environment (tools/requirements/clients*.txt).
"""
import ast
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import driver

TEXT = "A warm, funny and wonderful film."


def run_program(server, *arguments):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True,
                          env=os.environ | {"BRISK_URL": f"http://127.0.0.1:{server.port}"}, timeout=60)
    assert done.returncode == 0, done.stderr
    answer = ast.literal_eval(done.stdout)
    assert [row["label"] for row in answer[0]] == ["POSITIVE", "NEGATIVE"], answer


def quickstart(server):
    run_program(server, driver.ROOT / "examples/quickstart.py")


def readme(server):
    """Its first Python program, as it stands but for the port."""
    text = (driver.ROOT / "README.md").read_text(encoding="utf-8")
    program = re.search(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[1]
    assert "http://127.0.0.1:8080" in program, program
    run_program(server, "-c", program.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}"))


def calls(client_of):
    """(name, call, check): client_of(model) gives a client and the name to call it with."""
    def on(model, method, *inputs, **parameters):
        client, name = client_of(model)
        return getattr(client, method)(*inputs, **({"model": name} if name else {}), **parameters)

    import numpy
    return [
        ("text_classification", lambda: on("brisk/tiny-sentiment", "text_classification", TEXT),
         lambda r: r[0].label == "POSITIVE" and 0.5 < r[0].score <= 1),
        ("text_generation", lambda: on("brisk/tiny-writer", "text_generation", "ROMEO:", max_new_tokens=8,
                                       do_sample=False),
         lambda r: isinstance(r, str) and len(r) > 2),
        ("text_generation, stop and full text", lambda: on("brisk/tiny-writer", "text_generation", "ROMEO:",
                                                           max_new_tokens=30, do_sample=False, stop=[","],
                                                           return_full_text=True),
         lambda r: r.startswith("ROMEO:")),
        ("fill_mask", lambda: on("bert/fill-mask", "fill_mask", "The capital of [MASK] is Paris."),
         lambda r: len(r) == 5 and r[0].score > r[4].score and r[0].sequence and r[0].token_str),
        ("token_classification", lambda: on("bert/token-classification", "token_classification", "Clara went to Paris."),
         lambda r: all(e.entity_group and e.end > e.start for e in r)),
        ("question_answering", lambda: on("bert/question-answering", "question_answering",
                                          question="Where did Clara go?", context="Clara went to Paris."),
         lambda r: (r[0] if isinstance(r, list) else r).answer in "Clara went to Paris."),
        ("zero_shot_classification", lambda: on("bert/zero-shot-classification", "zero_shot_classification", TEXT,
                                                ["film", "tea", "rain"]),
         lambda r: len(r) == 3 and abs(sum(e.score for e in r) - 1) < 1e-3),
        ("feature_extraction", lambda: on("bert/sentence-mean", "feature_extraction", TEXT),
         lambda r: isinstance(r, numpy.ndarray) and r.shape == (40,) and abs((r * r).sum() - 1) < 1e-3),
        ("feature_extraction of tokens", lambda: on("bert/feature-extraction", "feature_extraction", TEXT),
         lambda r: r.ndim == 2 and r.shape[1] == 40),
        ("sentence_similarity", lambda: on("bert/sentence-mean", "sentence_similarity", "a river",
                                           other_sentences=["a river", "tea"]),
         lambda r: len(r) == 2 and abs(r[0] - 1) < 1e-4),
        ("summarization", lambda: on("bart/summarization", "summarization", TEXT),
         lambda r: (r if isinstance(r, str) else r.summary_text) != ""),
    ]


def clients(server):
    """Ways of pointing the client at the server, by name."""
    import huggingface_hub
    url = f"http://127.0.0.1:{server.port}"
    version = tuple(map(int, huggingface_hub.__version__.split(".")[:2]))
    print("huggingface_hub", huggingface_hub.__version__)
    ways = {}
    if version <= (0, 28):
        # Versions before 0.28 read HF_INFERENCE_ENDPOINT, which main() has set; 0.28 has a constant.
        try:
            from huggingface_hub.inference._providers import hf_inference
            hf_inference.BASE_URL = url
        except ImportError:
            pass
        old = huggingface_hub.InferenceClient(token="hf_anything")
        ways["old host"] = lambda model: (old, model)
    ways["URL"] = lambda model: (huggingface_hub.InferenceClient(f"{url}/models/{model}", token="hf_anything"), None)
    return ways


def task_route(model):
    """Models that serve another task than their own by default are asked by the task's route."""
    return f"{model}/pipeline/zero-shot-classification" if model.endswith("zero-shot-classification") else model


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    passed, failed = 0, 0
    with driver.Server(binary, (driver.MODELS, driver.GOLDEN)) as server:
        os.environ["HF_INFERENCE_ENDPOINT"] = f"http://127.0.0.1:{server.port}"
        os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.port}"  # nothing may go anywhere else
        tests = [("README", lambda: readme(server), lambda _: True),
                 ("quickstart", lambda: quickstart(server), lambda _: True)]
        for way, client_of in clients(server).items():
            asked = lambda model, of=client_of: of(task_route(model))
            tests += [(f"{way}: {name}", call, check) for name, call, check in calls(asked)]
        for name, call, check in tests:
            try:
                result = call()
                assert check(result), f"answer {result!r}"
                passed += 1
            except Exception as error:
                failed += 1
                print(f"FAIL  {name}: {type(error).__name__}: {error}")
        server.terminate()
        code = server.wait()
        if code != 0:
            failed += 1
            print(f"FAIL  exit code {code}: {server.output()}")
    if os.environ.get("TESTS_TALLY"):
        with open(os.environ["TESTS_TALLY"], "a", encoding="ascii") as file:
            print(passed, failed, file=file)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
