"""What the package tiktoken makes of a folder with qwen.tiktoken or tekken.json, with the names and
numbers of Qwen's own tokenization_qwen.py or of mistral-common; neither of them is among the packages
that goldens are made with. It has the face of a tokenizer of transformers, as far as
slow_tokenizers.py and tests/diff/tokenizer.py look.
"""
import base64
import json
import os
import unicodedata

QWEN_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
                r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN_NAMES = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + [f"<|extra_{i}|>" for i in range(205)]
TEKKEN_NAMES = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
                "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]",
                "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"]


class Ranks:
    is_fast, padding_side, model_max_length = False, "right", 10**30
    bos_token_id = eos_token_id = unk_token_id = sep_token_id = pad_token_id = cls_token_id = mask_token_id = None

    @staticmethod
    def knows(folder):
        return any(os.path.exists(f"{folder}/{name}") for name in ("qwen.tiktoken", "tekken.json"))

    def __init__(self, folder):
        import tiktoken
        self.normalize, self.bos = str, []
        pattern, ranks, special, ordinary = self.qwen(folder) if os.path.exists(f"{folder}/qwen.tiktoken") else self.tekken(folder)
        self.package = tiktoken.Encoding("ranks", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
        self.all_special_tokens = [t for t in special if t not in ordinary]
        self.skipped = {special[t] for t in self.all_special_tokens}
        self.size = len(ranks) + len(special)

    def qwen(self, folder):
        with open(f"{folder}/qwen.tiktoken", encoding="ascii") as lines:
            ranks = {base64.b64decode(t): int(rank) for t, rank in (line.split() for line in lines)}
        self.normalize = lambda text: unicodedata.normalize("NFC", text)
        return QWEN_PATTERN, ranks, {t: len(ranks) + i for i, t in enumerate(QWEN_NAMES)}, []

    def tekken(self, folder):
        with open(f"{folder}/tekken.json", encoding="utf-8") as file:
            file = json.load(file)
        config, listed = file["config"], file.get("special_tokens")
        n = config["default_num_special_tokens"]
        names = dict(enumerate(TEKKEN_NAMES)) if listed is None else {t["rank"]: t["token_str"] for t in listed}
        special = {names.get(i, f"<SPECIAL_{i}>"): i for i in range(n)}
        ranks = {base64.b64decode(row["token_bytes"]): n + row["rank"] for row in file["vocab"][:config["default_vocab_size"] - n]}
        self.bos, self.bos_token_id, self.eos_token_id, self.unk_token_id = [special["<s>"]], special["<s>"], special["</s>"], special["<unk>"]
        self.pad_token_id = special["<pad>"]
        return config["pattern"], ranks, special, [t["token_str"] for t in listed or [] if not t["is_control"]]

    def __len__(self):
        return self.size

    def tokenize(self, text):
        return self.package.encode(self.normalize(text), allowed_special="all")

    def convert_tokens_to_ids(self, tokens):
        return tokens

    def __call__(self, text, pair=None):
        return {"input_ids": self.bos + self.tokenize(text) + (self.tokenize(pair) if pair is not None else [])}

    def decode(self, ids, skip_special_tokens=False):
        return self.package.decode([i for i in ids if not (skip_special_tokens and i in self.skipped)])
