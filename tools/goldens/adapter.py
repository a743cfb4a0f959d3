"""Makes tests/golden/adapter: small random adapters as peft saves them, for base models among the
other goldens, and what the merged models answer with the pipelines of transformers.

    python tools/goldens/adapter.py [--check]

Everything is seeded. The reference is merged in double precision by peft's merge_and_unload.
"""
import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse
import json
import pathlib
import shutil
import tempfile
import warnings

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

import fresh
import networks
import service
from make import OUT, TOLERANCE, rounded

TEXTS = ["The film was wonderful, funny and warm.", "Rain.", "Clara went to Paris in 1998."]
MASKED = ["The capital of [MASK] is Paris.", "[MASK] was funny."]
GREEDY = {"do_sample": False, "max_new_tokens": 12}

# name, base (a folder of tests/golden), task, labels, LoraConfig
ADAPTERS = [
    ("gpt2-lm", "gpt2/text-generation", "text-generation", 0,
     dict(task_type="CAUSAL_LM", r=4, lora_alpha=10, target_modules=["c_attn", "c_proj", "c_fc"])),
    ("gpt2-square", "gpt2/text-generation", "text-generation", 0,
     dict(task_type="CAUSAL_LM", r=3, lora_alpha=6, target_modules=["attn.c_proj"], use_rslora=True)),
    ("gpt2-classifier", "gpt2/text-generation", "text-classification", 3,
     dict(task_type="SEQ_CLS", r=4, lora_alpha=4, target_modules=["c_attn", "c_proj"], use_dora=True)),
    ("bert-classifier", "bert/feature-extraction", "text-classification", 4,
     dict(task_type="SEQ_CLS", r=4, lora_alpha=8, target_modules=["query", "value", "dense"],
          bias="all", exclude_modules=["pooler.dense"],
          rank_pattern={"layer.0.attention.self.query": 2, ".*intermediate.*": 6},
          alpha_pattern={"value": 3})),
    ("bert-embedding", "bert/fill-mask", "fill-mask", 0,
     dict(r=3, lora_alpha=6, target_modules=["word_embeddings", "query"])),
    ("bert-dora", "bert/fill-mask", "fill-mask", 0,
     dict(r=2, lora_alpha=6, target_modules=["key", "output.dense"], use_dora=True)),
    ("roberta-tokens", "roberta/fill-mask", "token-classification", 5,
     dict(task_type="TOKEN_CLS", r=2, lora_alpha=5, target_modules=["query", "key"], bias="lora_only")),
    ("bart-summary", "bart/summarization", "summarization", 0,
     dict(task_type="SEQ_2_SEQ_LM", r=2, lora_alpha=5, target_modules=["q_proj", "v_proj", "fc1"],
          lora_bias=True)),
    ("bert-pickled", "bert/fill-mask", "fill-mask", 0,
     dict(r=2, lora_alpha=2, target_modules=["key"])),
]


def base_model(base, task, labels):
    options = {"num_labels": labels} if labels else {}
    torch.manual_seed(1)  # of heads that the base lacks
    return service.AUTO[task].from_pretrained(OUT / base, dtype=torch.float64,
                                              attn_implementation="eager", **options).eval()


def fill(model, seed):
    """All that the adapter holds: random, large enough that answers change."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator).double()
            if "lora_magnitude" in name:
                p.copy_(p * (1 + 0.3 * noise))
            elif "lora_" in name or "modules_to_save" in name:
                p.copy_(0.25 * noise)
            elif name.endswith("bias") and p.requires_grad:
                p.copy_(p + 0.2 * noise)


def make_adapter(folder, name, base, task, labels, settings, seed):
    model = get_peft_model(base_model(base, task, labels),
                           LoraConfig(lora_dropout=0.1, **settings))
    fill(model, seed)
    model.peft_config["default"].base_model_name_or_path = base
    model.float().save_pretrained(folder, safe_serialization=name != "bert-pickled",
                                  save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for key, value in config.items():  # peft keeps sets
        config[key] = sorted(value) if isinstance(value, list) else value
    networks.write_json(path, config)


def answers(folder, base, task, labels):
    tokenizer = transformers.AutoTokenizer.from_pretrained(OUT / base)
    model = PeftModel.from_pretrained(base_model(base, task, labels), folder,
                                      autocast_adapter_dtype=False).double().merge_and_unload()
    with tempfile.TemporaryDirectory() as merged:
        model.save_pretrained(merged)
        pipes = service.Pipelines(pathlib.Path(merged), tokenizer)
        texts = TEXTS
        if task == "fill-mask":
            texts = [t.replace("[MASK]", tokenizer.mask_token) for t in MASKED]
        body = {"inputs": texts}
        if task == "text-generation":
            body["parameters"] = GREEDY
        return {"name": "list", "task": task, "tolerance": TOLERANCE, "body": body,
                "answer": pipes.answer(task, body)}


def make_all(out):
    for seed, (name, base, task, labels, settings) in enumerate(ADAPTERS):
        folder = out / "adapter" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make_adapter(folder, name, base, task, labels, settings, seed)
        line = json.dumps(rounded(answers(folder, base, task, labels)), ensure_ascii=False, sort_keys=True)
        (folder / "cases.json").write_text("[\n" + line + "\n]\n", encoding="utf-8")
        size = sum(f.stat().st_size for f in folder.iterdir())
        print(f"adapter/{name}: {size // 1024} KiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    fresh.make_or_check(args.check, make_all, OUT, ["adapter"])


if __name__ == "__main__":
    main()
