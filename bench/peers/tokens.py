"""Tokenizing for peers that bring none of their own for these models: the tokenizers library, alone.

transformers' wrapper around it takes a good part of a small request's time.
"""

import os


def save(folder, place):
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(folder).backend_tokenizer.save(os.path.join(place, "tokenizer.json"))


def load(place):
    from tokenizers import Tokenizer

    return Tokenizer.from_file(os.path.join(place, "tokenizer.json"))
