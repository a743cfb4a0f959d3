"""`brisk run`, `tokenize`, `detokenize` and the like, which share all but HTTP with the server."""
import json
import pathlib
import subprocess
import tempfile

import driver
from harness import equal, rows, test, true
from test_answers import golden

SENTIMENT = driver.MODELS / "brisk/tiny-sentiment"
WRITER = driver.MODELS / "brisk/tiny-writer"


def brisk(context, *arguments, text=None):
    return subprocess.run([context.binary, *map(str, arguments)], input=None if text is None else text.encode(),
                          stdin=subprocess.DEVNULL if text is None else None, capture_output=True,
                          timeout=120 * context.server.slow, cwd=driver.ROOT)


def good(done):
    true(done.returncode == 0, f"exit {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode()


@test
def run_answers_as_http(context):
    wanted = context.client.run("brisk/tiny-sentiment", "A warm film.").json
    equal(json.loads(good(brisk(context, "run", SENTIMENT, "A warm film.", "--json", "--precision", "fp32"))),
          wanted, "argument")
    equal(json.loads(good(brisk(context, "run", SENTIMENT, "-", "--json", "--precision", "fp32", text="A warm film."))),
          wanted, "standard input")


@test
def run_takes_task_and_parameters(context):
    case = golden("bert/zero-shot-classification")[0]
    done = brisk(context, "run", driver.GOLDEN / "bert/zero-shot-classification", case["body"]["inputs"], "--task",
                 case["task"], "--parameters", json.dumps(case["body"]["parameters"]), "--json", "--precision", "fp32")
    equal(driver.difference(json.loads(good(done)), case["answer"], case["tolerance"]), None, case["name"])


@test
def run_writes_text(context):
    text = good(brisk(context, "run", WRITER, "ROMEO:", "--parameters", '{"max_new_tokens": 5, "do_sample": false}'))
    true("ROMEO:" in text, text)


@rows([("absent model", ["run", "nobody/nothing", "a"]), ("bad parameters", ["run", SENTIMENT, "a", "--parameters", "{"]),
       ("wrong task", ["run", SENTIMENT, "a", "--task", "fill-mask"]), ("no model", ["run"]),
       ("unknown command", ["fly"]), ("unknown option", ["run", SENTIMENT, "a", "--fly"]),
       ("tokenize nothing", ["tokenize", "nobody/nothing", "--json"])])
def fails_with_a_word(context, arguments):
    done = brisk(context, *arguments)
    true(0 < done.returncode < 100, f"exit {done.returncode}")
    true(len(done.stderr.strip()) > 10, "says nothing")


@test
def tokenize_says_what_a_folder_lacks(context):
    with tempfile.TemporaryDirectory() as folder:
        config = {"peft_type": "LORA", "base_model_name_or_path": "nobody/nothing"}
        pathlib.Path(folder, "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
        done = brisk(context, "tokenize", folder, "--json", text='"a"\n')
        true(b"an adapter for the model nobody/nothing" in done.stderr, done.stderr.decode())


@test
def tokenize_and_back(context):
    texts = ["ROMEO: What's up?", "naïve 東京 😀", " two  spaces\n", ""]
    lines = "".join(json.dumps(t) + "\n" for t in texts)
    rows_out = [json.loads(line) for line in good(brisk(context, "tokenize", WRITER, "--json", text=lines)).splitlines()]
    equal(len(rows_out), len(texts), "lines")
    for row, text in zip(rows_out, texts):
        equal(len(row["ids"]), len(row["offsets"]), "offsets")
        true(all(0 <= s <= e <= len(text) for s, e in row["offsets"]), f"{row} of {text!r}")
    ids = "".join(json.dumps(row["ids"]) + "\n" for row in rows_out)
    back = [json.loads(line) for line in good(brisk(context, "detokenize", WRITER, "--json", text=ids)).splitlines()]
    equal(back, texts, "there and back")


@test
def tokenize_full(context):
    """Pairs, windows and what is known of each token, alike with the short form."""
    text = "What's up, what's up, what's up?"
    asked = [text, {"text": text}, {"text": text, "pair": "ROMEO"},
             {"text": text, "truncation": "longest_first", "max_length": 6, "stride": 2,
              "return_overflowing_tokens": True}]
    lines = "".join(json.dumps(value) + "\n" for value in asked)
    out = good(brisk(context, "tokenize", SENTIMENT, "--json", "--full", text=lines)).splitlines()
    plain, same, pair, windows = (json.loads(line) for line in out)
    short = json.loads(good(brisk(context, "tokenize", SENTIMENT, "--json", text=json.dumps(text) + "\n")))
    equal({key: plain[key] for key in short}, short, "the short form")
    equal(same, plain, "an object of a text alone")
    equal(plain["overflowing"], [], "overflow of a text that is not truncated")
    for key in ("type_ids", "special_tokens_mask", "word_ids", "sequence_ids", "tokens", "offsets"):
        equal(len(pair[key]), len(pair["ids"]), key)
    equal(set(pair["sequence_ids"]), {None, 0, 1}, "sequences of a pair")
    true(len(windows["overflowing"]) > 1, f"{windows}")
    every = [windows] + windows["overflowing"]
    true(all(len(w["ids"]) <= 6 for w in every), "a window is too long")
    inside = [[i for i, s in zip(w["ids"], w["special_tokens_mask"]) if not s] for w in every]
    equal(inside[0][-2:], inside[1][:2], "the stride")
    for line in ({"pair": "a"}, {"text": "a", "truncation": "some"}, {"text": "a", "max_length": -1}, {"text": 1}):
        done = brisk(context, "tokenize", WRITER, "--json", "--full", text=json.dumps(line) + "\n")
        true(done.returncode != 0 and len(done.stderr) > 20, f"{line}: {done.stdout!r}")


@test
def tokenize_refuses_bad_lines(context):
    for line in ('"\\ud800"', "{", "[1]", '"a" "b"'):
        done = brisk(context, "tokenize", WRITER, "--json", text=line + "\n")
        true(done.returncode != 0 or "error" in done.stdout.decode(), f"{line}: {done.stdout!r}")


@test
def help_and_version(context):
    text = good(brisk(context, "--help"))
    for command in ("serve", "run", "tokenize", "detokenize", "bench"):
        true(command in text, f"{command} is not in --help")
        true(len(good(brisk(context, command, "--help"))) > 50, f"{command} --help")
    true(good(brisk(context, "--version")).strip(), "--version")


@test
def bench_is_json(context):
    figures = json.loads(good(brisk(context, "bench", WRITER)))
    true(isinstance(figures, dict) and figures, f"{figures}")
