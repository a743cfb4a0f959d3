"""Tiny random models: seeded weights large enough that outputs differ clearly, saved as
`save_pretrained` lays them out, and loaded again in double precision to be the reference.

Double precision makes the expected numbers the same on every machine; single precision agrees with
them far within the tolerance of the cases.
"""
import json
import pathlib
import re

import torch

import hub_models

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


# Shares of the scale. At full scale the matrices that add to the residual stream, and what is the
# same in every text (positions, types), drown the token's own vector: all tokens become alike.
SHARES = [(re.compile(r"classif"), 1), (re.compile(r"c_proj\.weight$"), 1 / 3),
          (re.compile(r"(output\.dense|self_attn\.output|out_lin|lin2|out_proj|fc2|\.o|\.wo)\.weight$"), 1 / 4),
          (re.compile(r"(position|type)|wpe"), 1 / 2), (re.compile(""), 1)]


def fill(model, seed, scale):
    """Matrices get a deviation of `scale`, norms stay near one, biases are small."""
    generator = torch.Generator().manual_seed(seed)
    norms = {id(p) for m in model.modules() for p in m.parameters()
             if isinstance(m, torch.nn.LayerNorm) or type(m).__name__ in ("DebertaLayerNorm", "NoNorm")}
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator)
            if not p.requires_grad:  # sines of positions
                continue
            if id(p) in norms and name.endswith("weight"):
                p.copy_(1 + 0.2 * noise)
            else:
                share = next(share for pattern, share in SHARES if pattern.search(name))
                p.copy_(noise * (0.2 if p.dim() < 2 else scale * share))
        for name, buffer in sorted(model.named_buffers()):
            if name == "final_logits_bias":
                buffer.copy_(0.3 * torch.randn(buffer.shape, generator=generator))
        for module in model.modules():
            if type(module).__name__ in ("T5LayerNorm", "UMT5LayerNorm", "LongT5LayerNorm"):
                module.weight.add_(1)


def unreadable(tokenizer):
    """Ids whose text is not of printable ASCII: half characters of byte-level vocabularies."""
    texts = [tokenizer.decode([i]) for i in range(len(tokenizer))]
    return [i for i, text in enumerate(texts) if not (text.isascii() and text.isprintable())]


def build(cls, config, seed, scale, dtype, folder, shards=False, quiet=()):
    """Writes config.json, the weights and, for models that generate, generation_config.json. The
    tokens of `quiet` are made unlikely (the head is tied to the embedding)."""
    model = cls(config)
    fill(model, seed, scale)
    with torch.no_grad():
        model.get_input_embeddings().weight[list(quiet)] *= 0.2
    # Several files: the limit is small enough to cut these models in three or so.
    model.to(DTYPES[dtype]).save_pretrained(folder, max_shard_size="70KB" if shards else "1GB")


# transformers' Falcon adds ALiBi twice where attention is "eager", and when its Phi-3 reads a text again, every token
# of it sees those behind itself.
ATTENTION = {"falcon": "sdpa", "phi3": "sdpa"}
# Their masks are of torch's default type, too narrow for what is written in them.
NARROW_MASKS = {"led", "mpt", "prophetnet"}
# When they write, transformers counts their positions from 0; they are trained with, and read by transformers with,
# positions from behind the padding's on. Without what it hands in they count those themselves.
OWN_POSITIONS = {"camembert", "data2vec-text", "roberta", "xlm-roberta"}


def without_positions(_, args, kwargs):
    return args, {key: value for key, value in kwargs.items() if key != "position_ids"}


def one_by_one(model):
    """ProphetNet's decoder mixes up the distances of its streams where it is given several tokens at once."""
    forward = model.forward

    def step(input_ids, past_key_values=None, attention_mask=None, **more):
        more["use_cache"] = True
        for i in range(input_ids.shape[1]):
            out = forward(input_ids=input_ids[:, i:i + 1], past_key_values=past_key_values, **more)
            past_key_values = out.past_key_values
        return out
    model.forward = step


def in_double(model):
    """XLNet makes its positions and masks of single precision whatever the model's is."""
    base = model.base_model
    encode = base.relative_positional_encoding
    base.relative_positional_encoding = lambda *args, **more: encode(*args, **more).double()

    def widen(_, args, kwargs):
        return args, {k: v.double() if torch.is_tensor(v) and v.dtype == torch.float32 else v for k, v in kwargs.items()}
    model.register_forward_pre_hook(widen, with_kwargs=True)


def load(auto, folder):
    config = json.loads((pathlib.Path(folder) / "config.json").read_text(encoding="utf-8"))
    kind = config.get("model_type")
    model = hub_models.loader(auto, folder).from_pretrained(folder, dtype=torch.float64, attn_implementation=ATTENTION.get(kind, "eager")).eval()
    for p in model.parameters():  # XLNet's keep single precision whatever is asked for
        p.data = p.data.double()
    if kind == "xlnet":
        in_double(model)
    if kind == "fsmt":  # with its cache, every token it writes stands at the first position
        model.generation_config.use_cache = False
    if kind in OWN_POSITIONS:
        model.register_forward_pre_hook(without_positions, with_kwargs=True)
    if kind in NARROW_MASKS:
        base = model.base_model
        sides = [base.get_encoder(), base.get_decoder()] if model.config.is_encoder_decoder else [model]
        for side in sides:
            side.register_forward_pre_hook(lambda *_: torch.set_default_dtype(torch.float64))
            side.register_forward_hook(lambda *_: torch.set_default_dtype(torch.float32))
    if type(model).__name__ == "ProphetNetForCausalLM":
        one_by_one(model)
    if getattr(model.config, "attention_type", None) == "block_sparse":  # a short text switches it off for good
        model.register_forward_pre_hook(lambda *_: model.base_model.set_attention_type("block_sparse"))
    return model


def disturb(model, seed, amount):
    """Adds relative noise to all weights; returns a function that takes it back."""
    generator = torch.Generator().manual_seed(seed)
    saved = [p.detach().clone() for p in model.parameters()]
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1 + amount * torch.randn(p.shape, generator=generator, dtype=torch.float64))

    def undo():
        with torch.no_grad():
            for p, old in zip(model.parameters(), saved):
                p.copy_(old)
    return undo


def write_json(path, value):
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2)
    pathlib.Path(path).write_text(text + "\n", encoding="utf-8")
