"""Bad bodies, parameters and texts: each gets a clear error of the right status and costs nobody else
anything; what is odd but good is answered."""
import json

from harness import equal, rows, test, true
from test_routes import SENTIMENT, TEXT, check_error

WRITER = "brisk/tiny-writer"
SENTIMENT_PATH = f"/models/{SENTIMENT}"


def body(**members):
    return json.dumps(members).encode()


BAD_BODIES = [
    # name, bytes, words of the message
    ("empty", b"", ["empty"]),
    ("cut off", b'{"inputs": "a', []),
    ("no JSON", b"inputs=good", []),
    ("a comma too many", b'{"inputs": "a",}', []),
    ("two values", b'{"inputs": "a"} {"inputs": "b"}', []),
    ("single quotes", b"{'inputs': 'a'}", []),
    ("not a number", b'{"inputs": "a", "parameters": {"top_k": NaN}}', []),
    ("a raw line break", b'{"inputs": "a\nb"}', []),
    ("a bad escape", b'{"inputs": "\\x41"}', []),
    ("half a surrogate", b'{"inputs": "\\ud800 alone"}', []),
    ("invalid UTF-8", b'{"inputs": "caf\xe9"}', ["UTF-8"]),
    ("overlong UTF-8", b'{"inputs": "\xc0\xaf"}', ["UTF-8"]),
    ("a surrogate in UTF-8", b'{"inputs": "\xed\xa0\x80"}', ["UTF-8"]),
    ("UTF-16", '{"inputs": "a"}'.encode("utf-16"), []),
    ("deep arrays", b'{"inputs": ' + b"[" * 100000 + b"]" * 100000 + b"}", []),
    ("deep objects", b'{"inputs": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}", []),
    ("no inputs", b"{}", ["inputs"]),
    ("inputs null", body(inputs=None), ["inputs"]),
    ("inputs true", body(inputs=True), []),
    ("inputs an object of nothing", body(inputs={}), []),
    ("inputs of mixed types", body(inputs=["a", 5]), []),
    ("inputs of lists", body(inputs=[["a", "b", "c"]]), []),
    ("text of the wrong type", body(inputs={"text": 5}), []),
    ("parameters a list", body(inputs="a", parameters=[]), ["parameters"]),
    ("parameters a string", body(inputs="a", parameters="top_k=1"), ["parameters"]),
    ("options a list", body(inputs="a", options=[1]), ["options"]),
    ("use_cache a word", body(inputs="a", options={"use_cache": "yes"}), ["use_cache"]),
    ("wait_for_model a number", body(inputs="a", options={"wait_for_model": 1}), ["wait_for_model"]),
    ("top_k a string", body(inputs="a", parameters={"top_k": "two"}), ["top_k", "two"]),
    ("top_k zero", body(inputs="a", parameters={"top_k": 0}), ["top_k", "0"]),
    ("top_k negative", body(inputs="a", parameters={"top_k": -1}), ["top_k", "-1"]),
    ("top_k half", body(inputs="a", parameters={"top_k": 1.5}), ["top_k"]),
    ("top_k huge", body(inputs="a", parameters={"top_k": 10**30}), ["top_k"]),
    ("a strange function", body(inputs="a", parameters={"function_to_apply": "tanh"}), ["function_to_apply", "tanh"]),
]


@rows(BAD_BODIES)
def bad_body(context, data, words):
    check_error(context.client.call("POST", SENTIMENT_PATH, data), 400, *words)
    equal(context.client.run(SENTIMENT, TEXT).status, 200, "the next request")


BAD_REQUESTS = [
    # name, model, task, inputs, parameters, words
    ("fill-mask without a mask", "bert/fill-mask", None, "No mask here.", {}, ["[MASK]"]),
    ("fill-mask, empty text", "bert/fill-mask", None, "", {}, []),
    ("fill-mask, no targets", "bert/fill-mask", None, "A [MASK].", {"targets": []}, ["target"]),
    ("fill-mask, targets of numbers", "bert/fill-mask", None, "A [MASK].", {"targets": [1]}, ["targets"]),
    ("QA, string", "bert/question-answering", None, "Who?", {}, ["question"]),
    ("QA, no context", "bert/question-answering", None, {"question": "Who?"}, {}, ["context"]),
    ("QA, empty question", "bert/question-answering", None, {"question": "", "context": "c"}, {}, ["question"]),
    ("QA, empty context", "bert/question-answering", None, {"question": "q", "context": ""}, {}, ["context"]),
    ("table, none", "tapas/trimmed", None, {"query": "q"}, {}, ["table"]),
    ("table, empty", "tapas/trimmed", None, {"query": "q", "table": {"a": []}}, {}, ["table is empty"]),
    ("table, no query", "tapas/trimmed", None, {"table": {"a": ["b"]}}, {}, ["query is empty"]),
    ("table, ragged", "tapas/trimmed", None, {"query": "q", "table": {"a": ["b"], "c": []}}, {}, ["same length", "c"]),
    ("table, nested", "tapas/trimmed", None, {"query": "q", "table": {"a": [{"b": "c"}]}}, {}, ["row 0", "a"]),
    ("table, padding", "bart/tapex", None, {"query": "q", "table": {"a": ["b"]}}, {"padding": "left"}, ["padding"]),
    ("QA, top_k 0", "bert/question-answering", None, {"question": "q", "context": "c"}, {"top_k": 0}, ["top_k"]),
    ("QA, max_answer_len 0", "bert/question-answering", None, {"question": "q", "context": "c"},
     {"max_answer_len": 0}, ["max_answer_len"]),
    ("zero-shot without labels", "bert/zero-shot-classification", "zero-shot-classification", "a", {},
     ["candidate_labels"]),
    ("zero-shot, empty labels", "bert/zero-shot-classification", "zero-shot-classification", "a",
     {"candidate_labels": []}, []),
    ("zero-shot, labels of numbers", "bert/zero-shot-classification", "zero-shot-classification", "a",
     {"candidate_labels": [1, 2]}, ["candidate_labels"]),
    ("zero-shot, template without braces", "bert/zero-shot-classification", "zero-shot-classification", "a",
     {"candidate_labels": ["x"], "hypothesis_template": "No place."}, ["hypothesis_template"]),
    ("NER, strange strategy", "bert/token-classification", None, "a", {"aggregation_strategy": "best"},
     ["aggregation_strategy", "best"]),
    ("similarity, string", "bert/sentence-mean", "sentence-similarity", "a", {}, ["source_sentence"]),
    ("similarity, no sentences", "bert/sentence-mean", "sentence-similarity",
     {"source_sentence": "a", "sentences": []}, {}, ["sentences"]),
    ("features, strange prompt", "bert/sentence-mean", "feature-extraction", "a", {"prompt_name": "nope"}, ["nope"]),
    ("generation, temperature 0 with sampling", WRITER, None, "a", {"do_sample": True, "temperature": -1},
     ["temperature"]),
    ("generation, max_new_tokens 0", WRITER, None, "a", {"max_new_tokens": -3}, ["max_new_tokens"]),
    ("generation, stop of numbers", WRITER, None, "a", {"stop": [3]}, ["stop"]),
    ("generation, too many beams", WRITER, None, "a", {"num_beams": 100000}, ["num_beams"]),
    ("generation, more sequences than beams", WRITER, None, "a",
     {"do_sample": False, "num_beams": 2, "num_return_sequences": 3}, ["num_return_sequences"]),
    ("generation, no room", WRITER, None, "word " * 600, {}, ["256"]),
    ("generation, top_p above 1", WRITER, None, "a", {"do_sample": True, "top_p": 1.5}, ["top_p"]),
    ("unknown task", SENTIMENT, "mind-reading", "a", {}, ["mind-reading"]),
    ("another model's task", SENTIMENT, "text-generation", "a", {}, ["text-generation"]),
    ("a base model's missing head", "bert/feature-extraction", "fill-mask", "A [MASK].", {}, ["fill-mask"]),
    ("too many inputs", SENTIMENT, None, ["a"] * 2000, {}, ["1024"]),
]


@rows(BAD_REQUESTS)
def bad_request(context, model, task, inputs, parameters, words):
    answer = context.client.run(model, inputs, parameters, task)
    true(answer.status in (400, 404, 413), f"status ({answer!r})")
    check_error(answer, answer.status, *words)
    equal(context.client.run(SENTIMENT, TEXT).status, 200, "the next request")


ODD_BODIES = [
    # name, bytes: all are the plain text "good" in other words
    ("plain", body(inputs="good")),
    ("null parameters", body(inputs="good", parameters=None, options=None)),
    ("null members", body(inputs="good", parameters={"top_k": None, "truncation": None})),
    ("unknown parameters", body(inputs="good", parameters={"watermark": True, "no_such": {"a": [1]}}, model="x")),
    ("white space", b'\n\t { "inputs" :\r\n "good" } \n'),
    ("escapes", b'{"inputs": "\\u0067\\u006fo\\u0064"}'),
    ("a bare string", b'"good"'),
    ("top_k beyond the labels", body(inputs="good", parameters={"top_k": 50})),
    ("top_k 2.0", body(inputs="good", parameters={"top_k": 2.0})),
]


@rows(ODD_BODIES)
def odd_body(context, data):
    wanted = context.client.run(SENTIMENT, "good").json
    answer = context.client.call("POST", SENTIMENT_PATH, data, {"Content-Type": "application/json"})
    equal((answer.status, answer.json if answer.status == 200 else answer.body), (200, wanted), "answer")


@rows([("absent", {}), ("text", {"Content-Type": "text/plain"}), ("form", {"Content-Type": "application/x-www-form-urlencoded"}),
       ("charset", {"Content-Type": "application/json; charset=utf-8"})])
def content_type(context, headers):
    equal(context.client.call("POST", SENTIMENT_PATH, body(inputs="good"), headers).status, 200, "status")


@test
def oversized_body(context):
    data = b'{"inputs": "' + b"a" * (33 << 20) + b'"}'
    check_error(context.server.client().call("POST", SENTIMENT_PATH, data), 413)
    equal(context.client.run(SENTIMENT, TEXT).status, 200, "the next request")


@rows([("text-classification", "bert/text-classification", {}), ("token-classification", "bert/token-classification", {}),
       ("feature-extraction", "bert/feature-extraction", {}), ("summarization", "bart/summarization", {}),
       ("sentence-similarity", "bert/sentence-mean", {}), ("fill-mask", "bert/fill-mask", {})])
def over_long_text(context, model, parameters):
    task = "sentence-similarity" if model == "bert/sentence-mean" else None
    text = "[MASK] " + "the river " * 300
    inputs = {"source_sentence": text, "sentences": ["a"]} if task else text
    answer = context.client.run(model, inputs, parameters, task)
    equal(answer.status, 200, f"status ({answer!r})")
    true(int(answer.headers.get("x-truncated-tokens", 0)) > 100, "x-truncated-tokens")
    refused = context.client.run(model, inputs, parameters | {"truncation": False}, task)
    limit = "32" if model == "bert/sentence-mean" else "64"
    check_error(refused, 400, limit)


@test
def truncated_zero_shot_warns(context):
    answer = context.client.run("bert/zero-shot-classification", "the river " * 300, {"candidate_labels": ["a", "b"]},
                                "zero-shot-classification")
    true(isinstance(answer.json.get("warnings"), list), f"no warnings: {answer!r}")
    true(int(answer.headers["x-truncated-tokens"]) > 100, "x-truncated-tokens")


@test
def windows_truncate_nothing(context):
    answer = context.client.run("bert/question-answering", {"question": "What?", "context": "the river " * 300})
    equal(answer.status, 200, "status")
    true("x-truncated-tokens" not in answer.headers, "x-truncated-tokens")


@test
def a_very_long_text_in_time(context):
    text = "A film of many words and no end. " * 20000
    answer = context.client.run(SENTIMENT, text)
    equal(answer.status, 200, "status")
    true(float(answer.headers["x-compute-time"]) < 2 * context.server.slow, answer.headers["x-compute-time"])


@test
def one_very_long_word_in_time(context):
    for model in (SENTIMENT, "roberta/text-classification"):
        answer = context.client.run(model, "a" * 200000)
        equal(answer.status, 200, "status")
        true(float(answer.headers["x-compute-time"]) < 5 * context.server.slow, answer.headers["x-compute-time"])
