"""What the two trainers share: where the data is, the learning-rate schedule, writing a model card.

Not a training framework: the loops themselves stay in writer.py and sentiment.py.
"""
import json
import math
import os
import pathlib
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]


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
