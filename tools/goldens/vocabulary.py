"""Small tokenizers learned from corpus.txt, in the classes that transformers pairs with each family.

Not the goldens of the tokenizers themselves (tests/golden/tokenizer): these only have to be real
enough for the models' cases. The learning is done here, since the trainers of the tokenizers
library break ties by the order of a hash table and give another vocabulary each time.
"""
import collections
import json
import pathlib
import re
import tempfile

from tokenizers import normalizers, pre_tokenizers
from transformers import (BartTokenizerFast, BertTokenizerFast, DistilBertTokenizerFast,
                          GPT2TokenizerFast, RobertaTokenizerFast)

CORPUS = pathlib.Path(__file__).with_name("corpus.txt")
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def learn(words, join, room):
    """Byte-pair encoding: joins the commonest neighbours of `words` (tuple of pieces -> count) until
    `room` new pieces are made; ties go to the pair that sorts first. Returns the pairs in order."""
    pairs = []
    while len(pairs) < room:
        counts = collections.Counter()
        for pieces, n in words.items():
            for pair in zip(pieces, pieces[1:]):
                counts[pair] += n
        pair = min(counts, key=lambda p: (-counts[p], p))
        pairs.append(pair)
        new = join(*pair)
        merged = collections.Counter()
        for pieces, n in words.items():
            out = []
            for piece in pieces:
                if out and (out[-1], piece) == pair:
                    out[-1] = new
                else:
                    out.append(piece)
            merged[tuple(out)] += n
        words = merged
    return pairs


def count_words(normalizer, splitter):
    words = collections.Counter()
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        text = normalizer.normalize_str(line) if normalizer else line
        words.update(word for word, _ in splitter.pre_tokenize_str(text))
    return words


def wordpiece(size, cased, cls=BertTokenizerFast, max_length=64):
    words = count_words(normalizers.BertNormalizer(lowercase=not cased), pre_tokenizers.BertPreTokenizer())
    pieces = {tuple([w[0]] + ["##" + c for c in w[1:]]): n for w, n in words.items()}
    letters = sorted({p for word in pieces for p in word if len(p.removeprefix("##")) == 1})
    # Not every letter: some texts must meet [UNK].
    letters = [c for c in letters if not re.search("[\u0900-\u0fff\u0590-\u06ff]", c)]
    vocabulary = BERT_SPECIAL + letters
    join = lambda a, b: a + b.removeprefix("##")
    pairs = learn(collections.Counter(pieces), join, size - len(vocabulary))
    vocabulary += dict.fromkeys(join(*pair) for pair in pairs)
    assert len(vocabulary) <= size, len(vocabulary)
    vocabulary += [f"[unused{i}]" for i in range(size - len(vocabulary))]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "vocab.txt"
        path.write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
        return cls(vocab_file=str(path), do_lower_case=not cased, model_max_length=max_length)


def byte_bpe(size, special, cls, max_length=64, **options):
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = {tuple(word): n for word, n in count_words(None, splitter).items()}
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = learn(collections.Counter(words), lambda a, b: a + b, size - len(special) - len(alphabet))
    vocabulary = special + alphabet + [a + b for a, b in pairs]
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(vocabulary)}), encoding="utf-8")
        merges = "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in pairs)
        (root / "merges.txt").write_text(merges, encoding="utf-8")
        return cls(vocab_file=str(root / "vocab.json"), merges_file=str(root / "merges.txt"),
                   model_max_length=max_length, **options)


def gpt2(size=401, **options):
    return byte_bpe(size, ["<|endoftext|>"], GPT2TokenizerFast, **options)


def roberta(size=411, **options):
    return byte_bpe(size, ROBERTA_SPECIAL, RobertaTokenizerFast, **options)


def bart(size=407, **options):
    return byte_bpe(size, ROBERTA_SPECIAL, BartTokenizerFast, **options)


def bert(size=433, cased=False, **options):
    return wordpiece(size, cased, **options)


def distilbert(size=421, cased=False, **options):
    return wordpiece(size, cased, DistilBertTokenizerFast, **options)


def save(tokenizer, folder, legacy):
    """The files as `save_pretrained` lays them out; `legacy` leaves tokenizer.json away."""
    tokenizer.save_pretrained(folder, legacy_format=False if tokenizer.is_fast else None)
    folder = pathlib.Path(folder)
    if not tokenizer.is_fast:
        return
    if legacy:
        tokenizer.backend_tokenizer.model.save(str(folder))
        (folder / "tokenizer.json").unlink()
        return
    # One line is a quarter of the size of the indented form.
    path = folder / "tokenizer.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(whole, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
