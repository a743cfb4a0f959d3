"""Generated chats for tests/diff/templates.py: what callers send, and what they should not."""
import copy
import json
import random

TEXTS = ["Hello", "  spaces around \n", "", "naïve ünïcödé 日本語 😀 \u200b", "multi\nline\n\ntext", "<|im_end|> {{ x }} {% y %}",
         'quotes " and \' and \\', "<think>\nsecret\n</think>\n\nanswer", "a<b>&c</b>", "\t tab", "x" * 300]
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Weather at a place <now>",
     "parameters": {"type": "object", "required": ["location"], "properties": {
         "location": {"type": "string", "description": "City, \"State\""},
         "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
         "days": {"type": ["integer", "null"], "description": "Days"},
         "tags": {"type": "array", "items": {"type": "string"}},
         "deep": {"type": "object", "properties": {"a": {"type": "number"}}}}}}},
    {"type": "function", "function": {"name": "noop", "description": "",
     "parameters": {"type": "object", "properties": {}}}},
    {"type": "function", "function": {"name": "naïve_tool", "description": "ünïcödé\nline",
     "parameters": {"type": "object", "properties": {"q": {"type": "string"}}, "required": []},
     "return": {"type": "string", "description": "text"}}},
]
DOCUMENTS = [{"title": "A", "text": "first"}, {"title": "B é", "text": "second\nline"}]


def parts(rnd):
    kinds = [{"type": "text", "text": rnd.choice(TEXTS)}, {"type": "text", "text": "more"},
             {"type": "image"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    return [copy.deepcopy(k) for k in rnd.sample(kinds, rnd.randrange(1, 4))]


def tool_call(rnd, i):
    arguments = rnd.choice([{"location": "Paris, é", "days": 3}, {}, {"q": "a\"b", "n": None, "f": 1.5, "t": [1, True]}])
    if rnd.random() < 0.4:
        arguments = json.dumps(arguments)
    call = {"type": "function", "function": {"name": rnd.choice(["get_weather", "noop"]), "arguments": arguments}}
    if rnd.random() < 0.7:
        call["id"] = f"call{i:05d}"
    return call if rnd.random() < 0.9 else call["function"]


def content(rnd):
    r = rnd.random() * (1 if rnd.odd else 0.8)
    return rnd.choice(TEXTS) if r < 0.8 else parts(rnd) if r < 0.93 else None


def messages(rnd):
    chat = []
    if rnd.random() < 0.5:
        chat.append({"role": rnd.choice(["system", "system", "developer"]), "content": rnd.choice(TEXTS)})
    for turn in range(rnd.randrange(0 if rnd.odd else 1, 4)):
        chat.append({"role": "user", "content": content(rnd)})
        if rnd.odd and rnd.random() < 0.15:
            break
        if rnd.random() < (0.35 if rnd.odd else 0.2):
            calls = [tool_call(rnd, turn * 3 + i) for i in range(rnd.choice([1, 1, 2]))]
            chat.append({"role": "assistant", "content": rnd.choice(["", None, "calling"]), "tool_calls": calls})
            for i, call in enumerate(calls):
                answer = {"role": "tool", "content": rnd.choice(['{"t": 20}', "20 °C", "", [{"type": "text", "text": "ok"}]])}
                if rnd.random() < 0.6:
                    answer |= {"name": "get_weather", "tool_call_id": call.get("id", f"call{i:05d}")}
                chat.append(answer)
        answer = {"role": "assistant", "content": content(rnd)}
        if rnd.random() < 0.25:
            answer[rnd.choice(["reasoning_content", "thinking", "reasoning"])] = rnd.choice(TEXTS)
        chat.append(answer)
    if rnd.random() < 0.5:
        chat.append({"role": "user", "content": content(rnd)})
    if rnd.odd and rnd.random() < 0.08:
        chat.append({"role": rnd.choice(["user", "narrator", "ipython", "system", "function", ""]), "content": "odd"})
    if rnd.odd and rnd.random() < 0.06 and chat:
        chat[-1].pop(rnd.choice(["content", "role"]), None)
    return chat


def variables(seed):
    """The variables of one rendering, as apply_chat_template passes them."""
    rnd = random.Random(seed)
    rnd.odd = rnd.random() < 0.5  # the other half are chats as most templates want them
    v = {"messages": messages(rnd), "tools": None, "documents": None, "add_generation_prompt": rnd.random() < 0.6,
         "bos_token": "<s>", "eos_token": "</s>"}
    if rnd.random() < 0.45:
        v["tools"] = rnd.choice([TOOLS, TOOLS[:1], [], [TOOLS[0]["function"]]])
    if rnd.random() < 0.15:
        v["documents"] = DOCUMENTS
    if rnd.random() < 0.2:
        v.pop(rnd.choice(["bos_token", "eos_token"]))
    for name, values in {"enable_thinking": [True, False], "thinking": [True, False], "date_string": ["26 Jul 2024"],
                         "builtin_tools": [["code_interpreter"], ["brave_search", "x"]], "reasoning_effort": ["low", "high"],
                         "tools_in_user_message": [True, False], "model_identity": ["I am."], "unk_token": ["<unk>"],
                         "pad_token": ["<pad>"], "add_vision_id": [True], "controls": [{"length": "short"}],
                         "clear_thinking": [True, False], "preserve_thinking": [True, False]}.items():
        if rnd.random() < 0.12:
            v[name] = rnd.choice(values)
    return v
