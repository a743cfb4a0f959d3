"""Trains the demo classifier: a BERT of 1.4 million weights that tells praise from blame.

    python tools/train/sentiment.py [--out models/brisk/tiny-sentiment] [--epochs 4] [--threads 2]

About 8 minutes on one core, on the Stanford Sentiment Treebank phrases of GLUE (SST-2), which are
research data: they are read from the shared folder and not shipped. The model card says the accuracy
on the development set.
"""
import argparse
import csv
import pathlib
import time

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

import common

VOCAB, CONTEXT = 8000, 128

CARD = """---
license: apache-2.0
language: en
pipeline_tag: text-classification
library_name: transformers
tags: [bert, sentiment-analysis, demo]
metrics: [accuracy]
---
# tiny-sentiment

A BERT of {millions:.1f} million weights (2 layers, hidden size 128, 4 heads, lower-cased WordPiece of
8,000 tokens) that labels an English sentence `POSITIVE` or `NEGATIVE`. It is a demonstration: it has
learned the words of film reviews and little beyond.

**Data.** SST-2 of GLUE, 67,349 phrases of film reviews; the data are for research and are not part
of this repository. Trained from random weights by `tools/train/sentiment.py`, {epochs} passes, in
{minutes:.0f} minutes of CPU time; stored in half precision.

**Quality.** Accuracy {accuracy:.1%} on the 872 sentences of the SST-2 development set, which it was
not trained on (always answering the commoner label gives 50.9 %).
"""


def read(name):
    with open(common.data_path(name), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [r["text_a"].strip() for r in rows], [int(r["label"]) for r in rows]


def make_tokenizer(texts):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=VOCAB, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return BertTokenizerFast(tokenizer_object=tokenizer, do_lower_case=True, model_max_length=CONTEXT)


def pad(rows):
    longest = max(len(r) for r in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, :len(row)] = torch.tensor(row)
        mask[i, :len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def batches(rows, labels, epochs, batch):
    """Batches of like length (shuffled within 50 batches, then the batches among themselves)."""
    for _ in range(epochs):
        order = torch.randperm(len(rows)).tolist()
        chunks = []
        for i in range(0, len(order), 50 * batch):
            block = sorted(order[i:i + 50 * batch], key=lambda k: len(rows[k]))
            chunks += [block[j:j + batch] for j in range(0, len(block), batch)]
        for k in torch.randperm(len(chunks)).tolist():
            yield pad([rows[i] for i in chunks[k]]) | {"labels": torch.tensor([labels[i] for i in chunks[k]])}


@torch.no_grad()
def accuracy(model, rows, labels):
    model.eval()
    right = 0
    for row, label in zip(rows, labels):
        right += int(model(**pad([row])).logits.argmax()) == label
    return right / len(rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, default=common.ROOT / "models/brisk/tiny-sentiment")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    common.start(args.threads)

    texts, labels = read("sst2/train.tsv")
    dev_texts, dev_labels = read("sst2/dev.tsv")
    tokenizer = make_tokenizer(texts)
    rows = tokenizer(texts)["input_ids"]
    model = BertForSequenceClassification(BertConfig(
        vocab_size=len(tokenizer), hidden_size=128, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=512, max_position_embeddings=CONTEXT, hidden_dropout_prob=0.2,
        attention_probs_dropout_prob=0.1, classifier_dropout=0.2,
        id2label={0: "NEGATIVE", 1: "POSITIVE"}, label2id={"NEGATIVE": 0, "POSITIVE": 1}))
    steps = args.epochs * (len(rows) // args.batch + 22)
    print(f"{model.num_parameters()} weights, {sum(map(len, rows))} tokens, about {steps} steps")
    began = time.process_time()
    common.train(model, batches(rows, labels, args.epochs, args.batch), steps, peak=1e-3, log_every=200)
    minutes = (time.process_time() - began) / 60

    model = model.half().float()
    share = accuracy(model, tokenizer(dev_texts)["input_ids"], dev_labels)
    print(f"accuracy {share:.4f}")
    common.save(model, tokenizer, args.out, CARD.format(
        millions=model.num_parameters() / 1e6, epochs=args.epochs, minutes=minutes, accuracy=share))


if __name__ == "__main__":
    main()
