"""Answers over HTTP: golden cases of every task, and that a request answers the same bytes whether
it comes alone or among many others."""
import json
import random
import threading

import driver
from harness import equal, rows, test, true

NO_CACHE = {"x-use-cache": "false"}


def golden(model):
    return json.loads((driver.GOLDEN / model / "cases.json").read_text(encoding="utf-8"))


MODELS = ["gpt2/text-generation", "bert/fill-mask", "distilbert/text-classification", "roberta/token-classification",
          "bert/question-answering", "roberta/feature-extraction", "bert/sentence-mean",
          "bart/zero-shot-classification", "bart/summarization", "tapas/table-question-answering", "bart/tapex"]


@rows([(model, model) for model in MODELS])
def golden_answers(context, model):
    """The unit tests hold all cases to the runtime; here a few of each task go through HTTP."""
    for case in golden(model)[:4]:
        answer = context.client.call("POST", f"/pipeline/{case['task']}/{model}", case["body"], NO_CACHE)
        equal(answer.status, 200, f"{case['name']}: status ({answer!r})")
        equal(driver.difference(answer.json, case["answer"], case["tolerance"]), None, case["name"])


@test
def task_routes_agree(context):
    case = golden("bert/fill-mask")[0]
    paths = ["/models/bert/fill-mask", "/pipeline/fill-mask/bert/fill-mask", "/models/bert/fill-mask/pipeline/fill-mask"]
    answers = [context.client.call("POST", path, case["body"]).body for path in paths]
    equal(len(set(answers)), 1, "answers of the three routes")


@test
def similarity_is_told_from_the_body(context):
    body = {"inputs": {"source_sentence": "a river", "sentences": ["a river", "tea"]}}
    answer = context.client.call("POST", "/models/bert/sentence-mean", body)
    equal(answer.status, 200, f"status ({answer!r})")
    true(abs(answer.json[0] - 1) < 1e-5 and len(answer.json) == 2, f"{answer!r}")
    vector = context.client.call("POST", "/models/bert/sentence-mean", {"inputs": "a river"}).json
    equal(len(vector), 40, "length of the embedding")


@test
def zero_shot_has_two_forms(context):
    model, task = "bert/zero-shot-classification", "zero-shot-classification"
    parameters = {"candidate_labels": ["tea", "rain"]}
    old = context.client.run(model, "It rains.", parameters, task,
                             headers={"User-Agent": "unknown/None; hf_hub/0.28.1; python/3.11"}).json
    new = context.client.run(model, "It rains.", parameters, task,
                             headers={"User-Agent": "unknown/None; hf_hub/2.4.0; python/3.11"}).json
    plain = context.client.run(model, "It rains.", parameters, task).json
    equal(sorted(old), ["labels", "scores", "sequence"], "old form")
    equal(plain, old, "form for others")
    equal([(row["label"], row["score"]) for row in new], list(zip(old["labels"], old["scores"])), "new form")


@test
def sampling_by_seed(context):
    parameters = {"do_sample": True, "temperature": 1.0, "top_k": 50, "max_new_tokens": 20}
    ask = lambda seed: context.client.run("brisk/tiny-writer", "ROMEO:", parameters | {"seed": seed}).json
    equal(ask(1), ask(1), "the same seed")
    true(len({json.dumps(ask(seed)) for seed in range(5)}) > 1, "all seeds write the same")
    free = [context.client.run("brisk/tiny-writer", "ROMEO:", parameters).body for _ in range(5)]
    true(len(set(free)) > 1, "without a seed the answer is always the same (or cached)")


def mixed_bodies():
    """Two requests of every family and task, of very different lengths."""
    by_kind = {}
    for model, cases in driver.golden_cases():
        for case in cases[:2]:
            kind = by_kind.setdefault((model.split("/")[0], case["task"]), [])
            if len(kind) < 2:
                kind.append((f"/pipeline/{case['task']}/{model}", case["body"]))
    found = [row for kind in by_kind.values() for row in kind]
    found.append(("/models/brisk/tiny-writer", {"inputs": "JULIET:", "parameters": {"do_sample": False,
                                                                                    "max_new_tokens": 60}}))
    found.append(("/models/brisk/tiny-sentiment", {"inputs": ["good", "a very bad film " * 20, "so so"]}))
    return found


def answer_as_alone(context, bodies):
    """Bit for bit: every answer among 16 clients equals the one given alone."""
    alone = [context.client.call("POST", path, body, NO_CACHE) for path, body in bodies]
    for (path, _), answer in zip(bodies, alone):
        equal(answer.status, 200, f"{path}: {answer!r}")
    wrong, threads = [], []

    def ask(seed):
        client = context.server.client()
        order = list(range(len(bodies)))
        random.Random(seed).shuffle(order)
        for i in order:
            try:
                answer = client.call("POST", *bodies[i], NO_CACHE)
                if (answer.status, answer.body) != (200, alone[i].body):
                    wrong.append(f"{bodies[i][0]}: {answer!r} instead of {alone[i]!r}")
            except Exception as error:
                wrong.append(f"{bodies[i][0]}: {error!r}")
        client.close()

    for seed in range(16):
        threads.append(threading.Thread(target=ask, args=(seed,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    true(not wrong, f"{len(wrong)} differ, the first: {wrong[:1]}")


@test
def many_at_once_answer_as_alone(context):
    answer_as_alone(context, mixed_bodies())


@test
def a_seed_writes_the_same_text_in_company(context):
    """Whatever else shares the batch: other seeds, other numbers of texts, beams, greedy ones."""
    ways = [{"top_k": 50}, {"top_p": 0.8, "top_k": 0, "temperature": 1.4}, {"num_return_sequences": 3},
            {"num_beams": 3, "num_return_sequences": 2}, {"typical_p": 0.7, "max_new_tokens": 40}]
    bodies = [(f"/models/{model}", {"inputs": speaker, "parameters": {"do_sample": True, "max_new_tokens": 16,
                                                                      "seed": seed} | way})
              for model, speaker in (("brisk/tiny-writer", "ROMEO:"), ("gpt2/text-generation", "The film"))
              for seed, way in enumerate(ways)]
    answer_as_alone(context, bodies + mixed_bodies()[::5])
