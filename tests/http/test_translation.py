"""Models that know several languages, over HTTP and on the command line: which languages a request
means, answers of several languages at once, and what is refused."""
import json
import threading

import driver
from harness import equal, rows, test, true
from test_answers import NO_CACHE, golden
from test_command_line import brisk, good

MODELS = ["mbart/translation", "mbart/mbart50", "m2m_100/translation", "m2m_100/nllb"]


@rows([(model, model) for model in MODELS])
def languages_at_once(context, model):
    """All cases at the same time, each with languages of its own, share passes of the model."""
    cases, answers = golden(model), {}

    def ask(i):
        path = f"/pipeline/{cases[i]['task']}/{model}"
        answers[i] = context.server.client().call("POST", path, cases[i]["body"], NO_CACHE)
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(cases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, case in enumerate(cases):
        equal(answers[i].status, 200, f"{case['name']}: status ({answers[i]!r})")
        equal(driver.difference(answers[i].json, case["answer"], case["tolerance"]), None, case["name"])


@test
def a_cached_answer_is_of_its_languages(context):
    ask = lambda target: context.client.run("m2m_100/translation", "Rain.", {"src_lang": "en", "tgt_lang": target},
                                            "translation").json
    first = {target: ask(target) for target in ("fr", "zh", "de")}
    true(len({json.dumps(a) for a in first.values()}) > 1, f"all languages answer {first}")
    equal({target: ask(target) for target in first}, first, "the same again")
    by_name = context.client.call("POST", "/pipeline/translation_en_to_zh/m2m_100/translation", {"inputs": "Rain."})
    equal(by_name.json, first["zh"], "by the name of the task")


@rows([("none said", "translation", {}, ["100 languages", "tgt_lang", "af, am, ar"]),
       ("unknown", "translation", {"src_lang": "en", "tgt_lang": "klingon"}, ['tgt_lang is "klingon"', "nearest"]),
       ("unknown in the name", "translation_en_to_xx", {}, ['tgt_lang is "xx"', "xh"]),
       ("no text", "translation", {"src_lang": ["en"], "tgt_lang": "fr"}, ["src_lang", "must be a string"])])
def refused_with_a_word(context, task, parameters, words):
    got = context.client.call("POST", f"/pipeline/{task}/m2m_100/translation",
                              {"inputs": "Rain.", "parameters": parameters})
    equal(got.status, 400, f"status ({got!r})")
    for word in words:
        true(word in json.dumps(got.json, ensure_ascii=False).replace('\\"', '"'), f"{word} is not in {got!r}")


@rows([("translation", "translation", "translation_text"), ("a pair", "translation_en_to_fr", "translation_text"),
       ("text2text-generation", "text2text-generation", "generated_text"),
       ("summarization", "summarization", "summary_text")])
def on_the_command_line(context, task, key):
    parameters = {"src_lang": "en", "tgt_lang": "fr", "max_new_tokens": 6}
    wanted = context.client.run("m2m_100/translation", "Rain.", parameters, task).json
    true(key in wanted[0], f"{wanted}")
    got = good(brisk(context, "run", driver.GOLDEN / "m2m_100/translation", "Rain.", "--task", task, "--parameters",
                     json.dumps(parameters), "--json", "--precision", "fp32"))
    equal(json.loads(got), wanted, "answer")


@test
def the_command_line_says_what_is_missing(context):
    done = brisk(context, "run", driver.GOLDEN / "m2m_100/translation", "Rain.")
    true(0 < done.returncode < 100 and b"tgt_lang" in done.stderr, f"{done.returncode}: {done.stderr}")
