"""What the trainers share: where the data is, tokens and windows of running text, the loop and its
learning-rate schedule, writing a model card.

Not a training framework: what a model is and what it learns from stays in the trainer's own file.
"""
import json
import math
import os
import pathlib
import time

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

ROOT = pathlib.Path(__file__).resolve().parents[2]
END = "<|endoftext|>"


def data_path(name):
    """A file of the shared data, which is not part of the repository (BRISK_SHARED or ../shared)."""
    shared = pathlib.Path(os.environ.get("BRISK_SHARED", ROOT.parent / "shared"))
    path = shared / "data" / name
    if not path.exists():
        raise SystemExit(f"{path} is missing: set BRISK_SHARED to the folder that holds data/{name}")
    return path


def start(threads, seed=1):
    torch.manual_seed(seed)
    torch.set_num_threads(threads)


def byte_level_bpe(text, vocab, context):
    """A tokenizer of `vocab` byte-level pieces learned from `text`; END is its only special token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=vocab, special_tokens=[END], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([text], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END,
                                   unk_token=END, model_max_length=context,
                                   clean_up_tokenization_spaces=False,
                                   # GPT-2 would add token types to the embeddings.
                                   model_input_names=["input_ids", "attention_mask"])


def batches_of_windows(ids, context, epochs, batch):
    """Windows of `context` tokens starting anywhere, each epoch shifted and shuffled anew."""
    for _ in range(epochs):
        shift = int(torch.randint(context, ()))
        windows = ids[shift:shift + (len(ids) - shift) // context * context].view(-1, context)
        windows = windows[torch.randperm(len(windows))]
        for i in range(0, len(windows) - batch + 1, batch):
            yield {"input_ids": windows[i:i + batch], "labels": windows[i:i + batch]}


@torch.no_grad()
def perplexity(model, ids, context):
    model.eval()
    windows = ids[:len(ids) // context * context].view(-1, context)
    losses = [model(input_ids=w[None], labels=w[None]).loss.item() for w in windows]
    return math.exp(sum(losses) / len(losses))


def schedule(step, steps, peak, warm=0.05):
    """Linear warm-up over the first share `warm`, then a cosine down to a twentieth of the peak."""
    if step < warm * steps:
        return peak * (step + 1) / (warm * steps)
    done = (step - warm * steps) / (steps - warm * steps)
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def optimizer_of(model, decay=0.1):
    """AdamW with decay on the matrices only."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": decay},
                              {"params": others, "weight_decay": 0.0}], betas=(0.9, 0.98))


def train(model, batches, steps, peak, log_every=50):
    """One pass over `batches` (dicts for the model's forward, which returns the loss)."""
    optimizer = optimizer_of(model)
    model.train()
    began, mean = time.time(), None
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = schedule(step, steps, peak)
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if step % log_every == 0:
            print(f"step {step}/{steps} loss {mean:.3f} {time.time() - began:.0f} s", flush=True)


def save(model, tokenizer, folder, card):
    """The repository as Hugging Face lays it out, weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(card, encoding="utf-8")
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    print("saved", folder, "model_max_length", config.get("model_max_length"))
