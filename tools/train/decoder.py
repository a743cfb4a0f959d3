"""Trains the decoder that the quality gate measures: a Llama of 8.3 million weights, the least that
`auto` would run in int8.

    python tools/train/decoder.py --out build/bench/trained/decoder [--epochs 1] [--threads 1]

About 7 minutes on one core. It learns the plays of Shakespeare by a byte-level BPE of 4,096 tokens made
of the same text; the last twentieth is held out. It is made to have trained weights and activations, not
to write well, and is not shipped: bench/quality.py trains it once where the shared data are.
"""
import argparse
import pathlib
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

import common

VOCAB, CONTEXT = 4096, 256

CARD = """---
language: en
pipeline_tag: text-generation
library_name: transformers
tags: [llama]
---
A Llama of {millions:.1f} million weights, trained from random ones by `tools/train/decoder.py`, in
{minutes:.0f} minutes of CPU time, for measurements only. Perplexity on the text that it did not see: {ppl:.1f}.
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    common.start(args.threads)

    text = common.data_path("tinyshakespeare/input.txt").read_text(encoding="utf-8")
    held = len(text) // 20
    tokenizer = common.byte_level_bpe(text[:-held], VOCAB, CONTEXT)
    ids = torch.tensor(tokenizer(text[:-held])["input_ids"])
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=VOCAB, hidden_size=320, num_hidden_layers=6, num_attention_heads=10,
        num_key_value_heads=5, intermediate_size=896, max_position_embeddings=CONTEXT,
        tie_word_embeddings=True, bos_token_id=0, eos_token_id=0))
    steps = args.epochs * (len(ids) // CONTEXT // args.batch)
    print(f"{model.num_parameters()} weights, {len(ids)} tokens, {steps} steps", flush=True)
    began = time.process_time()
    common.train(model, common.batches_of_windows(ids, CONTEXT, args.epochs, args.batch), steps, peak=1.5e-3)
    minutes = (time.process_time() - began) / 60

    model = model.half().float()
    ppl = common.perplexity(model, torch.tensor(tokenizer(text[-held:])["input_ids"]), CONTEXT)
    print(f"perplexity {ppl:.1f}, {minutes:.1f} minutes of CPU time")
    common.save(model, tokenizer, args.out, CARD.format(
        millions=model.num_parameters() / 1e6, minutes=minutes, ppl=ppl))


if __name__ == "__main__":
    main()
