#!/usr/bin/env python3
"""Writes tests/golden/template/: what jinja2, set up as `transformers` does, makes of templates in the manner of
many families over generated chats, and of some hundred expressions and statements, errors included.
--check: are the files fresh?"""
import datetime
import json
import os
import pathlib
import sys
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/diff"))
os.environ["TZ"] = "UTC"
import template_chats
from template_families import FAMILIES
from transformers.utils import chat_template_utils

PLACE = ROOT / "tests/golden/template"
NOW = 1700000000
CHATS = 12
# Errors whose words are compared, and those among them that are Python's own way of speaking.
EXACT = {"UndefinedError", "TemplateError", "SecurityError", "TemplateRuntimeError", "TemplateAssertionError",
         "TypeError", "ZeroDivisionError"}
NOT_EXACT = ("unsupported operand type(s) for +=", "_compile_jinja_template", "str.strip()", "must be str or None",
             "tuple index", "no loader", "sync_do", "do_")
VARIABLES = {"x": 5, "f": 2.5, "s": "Hello World", "l": [3, 1, 2], "d": {"a": 1, "b": [1, 2]}, "n": None, "t": True,
             "u": "naïve ßtraße", "html": "<a href='x'>&\"</a>", "big": 123456789012345678901234567890,
             "ms": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo", "n": 2}],
             "rows": [{"k": "b", "v": 1}, {"k": "A", "v": 2}, {"k": "b", "v": 3}]}


class Now(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW)


chat_template_utils.datetime = Now
warnings.simplefilter("ignore")


def render(template, variables):
    try:
        return {"text": chat_template_utils._compile_jinja_template(template).render(**variables)}
    except Exception as error:
        kind, text = type(error).__name__, str(error)
        exact = kind in EXACT and not text.startswith(NOT_EXACT)
        return {"error": text if exact else ""}


def families():
    chats = []
    seed = 0
    while len(chats) < CHATS:
        variables = template_chats.variables(seed)
        if len(json.dumps(variables)) < 2500 and len(variables["messages"]) > 1:
            chats.append(variables)
        seed += 1
    plain = [{"role": "user", "content": "Hi "}, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "And?"}]
    for messages in (plain, [{"role": "system", "content": "Be é."}, *plain]):
        chats.append({"messages": messages, "tools": None, "documents": None, "add_generation_prompt": True,
                      "bos_token": "<s>", "eos_token": "</s>"})
    return {"now": NOW, "chats": chats,
            "templates": [{"name": name, "template": template, "answers": [render(template, v) for v in chats]}
                          for name, template in FAMILIES.items()]}


def expressions():
    lines = (pathlib.Path(__file__).parent / "template_expressions.txt").read_text().splitlines()
    cases = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        template = line[1:].encode().decode("unicode-escape").encode("latin-1").decode() if line[0] == "!" else "{{ " + line + " }}"
        cases.append({"template": template} | render(template, VARIABLES))
    return {"now": NOW, "variables": VARIABLES, "cases": cases}


def main():
    stale = []
    PLACE.mkdir(parents=True, exist_ok=True)
    for name, content in {"families.json": families(), "expressions.json": expressions()}.items():
        text = json.dumps(content, ensure_ascii=False, indent=0, separators=(",", ":")) + "\n"
        path = PLACE / name
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    sys.exit(f"not fresh: {', '.join(stale)}" if stale else 0)


main()
