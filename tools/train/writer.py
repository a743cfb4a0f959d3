"""Trains the demo writer: a GPT-2 of 1.1 million weights on the plays of Shakespeare.

    python tools/train/writer.py [--out models/brisk/tiny-writer] [--epochs 12] [--threads 2]

About 15 minutes on one core. Byte-level BPE of 2,048 tokens, learned from the same text. The last
twentieth of the text is held out; the model card says the perplexity on it.
"""
import argparse
import math
import pathlib
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

import common

VOCAB, CONTEXT = 2048, 256

CARD = """---
license: apache-2.0
language: en
pipeline_tag: text-generation
library_name: transformers
tags: [gpt2, demo]
---
# tiny-writer

A GPT-2 of {millions:.1f} million weights (4 layers, hidden size 128, 4 heads, context 256, byte-level
BPE of 2,048 tokens) that writes in the manner of Shakespeare's plays. It is a demonstration: it
forms English words, lines and speakers' names; it knows nothing and makes little sense.

**Data.** The plays of William Shakespeare, public domain, in the selection known as "tiny
Shakespeare" (1.1 MB). Trained from random weights by `tools/train/writer.py`, {epochs} passes over
the first 95 %, in {minutes:.0f} minutes of CPU time; stored in half precision.

**Quality**, measured on the last 5 % of the text, which it did not see: perplexity {ppl:.1f} a token,
{bpb:.2f} bits a byte. Sampled with temperature 0.7 and top-k 40 after "ROMEO:":

```
{sample}
```
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, default=common.ROOT / "models/brisk/tiny-writer")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    common.start(args.threads)

    text = common.data_path("tinyshakespeare/input.txt").read_text(encoding="utf-8")
    cut = text.index("\n\n", len(text) * 95 // 100) + 2
    tokenizer = common.byte_level_bpe(text[:cut], VOCAB, CONTEXT)
    train_ids = torch.tensor(tokenizer(text[:cut])["input_ids"])
    test_ids = torch.tensor(tokenizer(text[cut:])["input_ids"])
    model = GPT2LMHeadModel(GPT2Config(
        vocab_size=VOCAB, n_positions=CONTEXT, n_embd=128, n_layer=4, n_head=4, bos_token_id=0,
        eos_token_id=0, resid_pdrop=0.02, embd_pdrop=0.02, attn_pdrop=0.0))
    steps = args.epochs * (len(train_ids) // CONTEXT // args.batch)
    print(f"{sum(p.numel() for p in model.parameters())} weights, {len(train_ids)} tokens, {steps} steps")
    began = time.process_time()
    common.train(model, common.batches_of_windows(train_ids, CONTEXT, args.epochs, args.batch), steps,
                 peak=3e-3, log_every=500)
    minutes = (time.process_time() - began) / 60

    model = model.half().float()  # what the half-precision file will give
    ppl = common.perplexity(model, test_ids, CONTEXT)
    bits = math.log2(ppl) * len(test_ids) / len(text[cut:].encode())
    torch.manual_seed(7)
    prompt = tokenizer("ROMEO:", return_tensors="pt")
    written = model.generate(**prompt, max_new_tokens=90, do_sample=True, temperature=0.7, top_k=40,
                             pad_token_id=0)
    sample = tokenizer.decode(written[0])
    print(f"perplexity {ppl:.2f}, {bits:.3f} bits a byte\n{sample}")
    model.generation_config.update(do_sample=True, temperature=0.7, top_k=40, max_new_tokens=60,
                                   pad_token_id=0)
    common.save(model, tokenizer, args.out, CARD.format(
        millions=model.num_parameters() / 1e6, epochs=args.epochs, minutes=minutes, ppl=ppl, bpb=bits,
        sample=sample))


if __name__ == "__main__":
    main()
