"""Chats: a list of messages in place of the prompt, with a model that has a chat template and with one that
has none, and `brisk template`. What the template makes of a chat is held to jinja2 elsewhere."""
import json
import shutil
import subprocess

import driver
from harness import equal, rows, test, true
from test_routes import check_error

CHAT = "gpt2/chat"
HELLO = [{"role": "user", "content": "Rain."}]
GREEDY = {"do_sample": False, "max_new_tokens": 8}


@test
def a_chat_is_answered_with_the_chat(context):
    answer = context.client.run(CHAT, HELLO, GREEDY)
    equal(answer.status, 200, f"status ({answer!r})")
    chat = answer.json[0]["generated_text"]
    equal(chat[:-1], HELLO, "the messages that were sent")
    equal(chat[-1]["role"], "assistant", "role of the new one")
    prompt = subprocess.run([context.binary, "template", driver.GOLDEN / CHAT, json.dumps(HELLO), "--json"],
                            capture_output=True, check=True, timeout=60).stdout
    plain = context.client.run(CHAT, json.loads(prompt), GREEDY | {"add_special_tokens": False, "return_full_text": False})
    equal(plain.json[0]["generated_text"], chat[-1]["content"], "the same prompt as a text")


BAD_CHATS = [
    # name, model, inputs, parameters, words
    ("no template", "gpt2/text-generation", HELLO, {}, ["no chat template"]),
    ("no template, list of chats", "gpt2/text-generation", [HELLO], {}, ["no chat template"]),
    ("a message alone", CHAT, HELLO[0], {}, ["list"]),
    ("no role", CHAT, [{"content": "a"}], {}, ["message 0", "role"]),
    ("no content", CHAT, HELLO + [{"role": "assistant"}], {}, ["message 1", "content"]),
    ("no object", CHAT, HELLO + ["a"], {}, ["message 1", "object"]),
    ("no message", CHAT, [[]], {}, ["at least one message"]),
    ("the template's own words", CHAT, [{"role": "tool", "content": "a"}], {}, ["chat template: A tool may not begin."]),
    ("the template's error", CHAT, [{"role": 5, "content": "a"}], {}, ["role"]),
    ("parts go on", CHAT, [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}], {}, ["string"]),
    ("continue_final_message a word", CHAT, HELLO, {"continue_final_message": "yes"}, ["continue_final_message"]),
    ("too long", CHAT, [{"role": "user", "content": "Rain and rain. " * 90}], {}, ["token"]),
]


@rows(BAD_CHATS)
def bad_chat(context, model, inputs, parameters, words):
    check_error(context.client.run(model, inputs, GREEDY | parameters), 400, *words)
    equal(context.client.run(CHAT, HELLO, GREEDY).status, 200, "the next request")


@test
def a_bad_template_harms_only_chats(context):
    folder = context.folder / "bad-template"
    shutil.copytree(driver.GOLDEN / CHAT, folder)
    (folder / "chat_template.jinja").write_text("line one\n{{ messages[0 }}", encoding="utf-8")
    equal(context.client.run("bad-template", "Rain.", GREEDY).status, 200, "a text")
    check_error(context.client.run("bad-template", HELLO, GREEDY), 500, "chat template", "line 2")
    check = subprocess.run([context.binary, "check", folder, "--json"], capture_output=True, check=True, timeout=60)
    true("line 2" in json.loads(check.stdout)["chat_templates"][0], check.stdout)


def template(context, *arguments, stdin=""):
    done = subprocess.run([context.binary, "template", driver.GOLDEN / CHAT, *arguments], input=stdin,
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr


@test
def the_command_renders_chats(context):
    hello = json.dumps(HELLO)
    equal(template(context, hello)[1], template(context, "-", stdin=hello)[1], "argument and stdin")
    true(template(context, hello)[1].endswith("u:Rain.;a:\n"), template(context, hello))
    true(template(context, hello, "--no-generation-prompt")[1].endswith("u:Rain.;\n"), "no generation prompt")
    true(template(context, hello, "--continue")[1].endswith("u:Rain.\n"), "the last message goes on")
    lines = template(context, "--json", stdin=f'{hello}\n{{"messages": {hello}, "add_generation_prompt": false}}\n')
    equal([json.loads(line).split(";")[-1] for line in lines[1].splitlines()], ["a:", ""], "a chat a line")


@rows([("no JSON", ["{"], "JSON"), ("no messages", ["{}"], "message"), ("bad tools", [json.dumps(HELLO), "--tools", "["], "tools"),
       ("no such template", [json.dumps(HELLO), "--template", "rag"], "rag"),
       ("the template's words", ['[{"role": "tool", "content": ""}]'], "A tool may not begin.")])
def the_command_refuses(context, arguments, word):
    code, text = template(context, *arguments)
    equal(code, 2, f"exit code ({text})")
    true(word in text, text)
