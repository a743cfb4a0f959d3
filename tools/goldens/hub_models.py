"""Encoders that transformers 4.57.6 does not have: their repositories on the hub bring code of their own. The modules
here are the judge of Brisk's answers for them, written from what is published of the models (papers, model cards,
the keys of their config.json, the names and shapes of their tensors) as plainly as PyTorch allows, in double
precision when goldens are made. They share no code with those repositories; only names are the same, so that the
folders look as the hub's.

    NomicBert   Nussbaum et al. 2024, nomic-embed-text: rotary positions, gated feed-forward, norms behind the sums
    New         Zhang et al. 2024 (mGTE), gte-*-v1.5, gte-multilingual-*: the same with biases, and NTK-aware scaling
    JinaBert    Günther et al. 2023, jina-embeddings-v2: BERT with ALiBi to both sides and gated feed-forward; the
                code model norms whole queries and keys
"""
import json
import math
import pathlib
import types

import torch
import transformers as hf
from torch import nn
from torch.nn import functional as F
from transformers import modeling_outputs as outputs

NOMIC_GATES = {"swiglu": F.silu, "geglu": F.gelu, "glu": torch.sigmoid}
GATES = {"gelu": F.gelu, "relu": F.relu, "silu": F.silu, "geglu": F.gelu, "reglu": F.relu}


# ---- what all are made of ---------------------------------------------------------------------------------
def parts(**modules):
    return nn.ModuleDict(modules)


def heads_of(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def attend(q, k, v, heads, mask, bias=0, turn=lambda x: x):
    """Softmax attention of all heads; bias [heads, n, n] is added to the scaled scores."""
    q, k, v = turn(heads_of(q, heads)), turn(heads_of(k, heads)), heads_of(v, heads)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + bias
    return (scores.masked_fill(mask, -math.inf).softmax(-1) @ v).transpose(1, 2).flatten(-2)


def rotation(frequencies):
    """Turns dimension i with i + half by position * frequency, as Su et al. 2021 (halves, not neighbours)."""
    def turn(x):
        angles = torch.arange(x.shape[-2]).float()[:, None] * frequencies
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
    return turn


def frequencies(size, base):
    return 1 / base ** (torch.arange(0, size, 2).float() / size)


def slopes(heads):
    """ALiBi's (Press et al. 2022): a power of two of them evenly, the rest between those of twice as many."""
    n = 2 ** int(math.log2(heads))
    return [2 ** (-8 * (i + 1) / n) for i in range(n)] + [2 ** (-8 * (i + 0.5) / n) for i in range(heads - n)]


class Encoder(hf.PreTrainedModel):
    """Embeddings, layers, and a pooler where a classifier of texts asks for it."""
    main_input_name = "input_ids"

    def __init__(self, config, pools=False):
        super().__init__(config)
        self.make()
        if pools:
            self.pooler = parts(dense=nn.Linear(config.hidden_size, config.hidden_size))
        self.post_init()

    def get_input_embeddings(self):
        return self.embeddings["word_embeddings"]

    def set_input_embeddings(self, table):
        self.embeddings["word_embeddings"] = table

    def embed(self, input_ids, token_type_ids):
        x = self.embeddings["word_embeddings"](input_ids)
        if "token_type_embeddings" in self.embeddings:
            types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
            x = x + self.embeddings["token_type_embeddings"](types)
        return x

    def forward(self, input_ids, attention_mask=None, token_type_ids=None, **_):
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        x = self.run(self.embed(input_ids, token_type_ids), mask[:, None, None, :] == 0)
        return outputs.BaseModelOutput(last_hidden_state=x)

    def pooled(self, x):
        return torch.tanh(self.pooler["dense"](x[:, 0]))


def tables(config, **more):
    made = {"word_embeddings": nn.Embedding(config.vocab_size, config.hidden_size)}
    if config.type_vocab_size > 0:
        made["token_type_embeddings"] = nn.Embedding(config.type_vocab_size, config.hidden_size)
    return nn.ModuleDict(made | more)


def norm_of(config):
    return nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


# ---- nomic_bert -------------------------------------------------------------------------------------------
class NomicBertConfig(hf.PretrainedConfig):
    model_type = "nomic_bert"
    attribute_map = {"hidden_size": "n_embd", "num_attention_heads": "n_head", "num_hidden_layers": "n_layer",
                     "layer_norm_eps": "layer_norm_epsilon"}


class NomicBertModel(Encoder):
    config_class = NomicBertConfig
    base_model_prefix = "bert"

    def feed_forward(self):
        """Gates are whole multiples of 256 wide."""
        c = self.config
        gated = c.activation_function in NOMIC_GATES
        inner = math.ceil(c.n_inner / 256) * 256 if gated else c.n_inner
        names = ("fc11", "fc12") if gated else ("fc1",)
        ups = {name: nn.Linear(c.n_embd, inner, bias=c.mlp_fc1_bias) for name in names}
        return nn.ModuleDict(ups | {"fc2": nn.Linear(inner, c.n_embd, bias=c.mlp_fc2_bias)})

    def make(self):
        c, hidden = self.config, self.config.n_embd
        self.embeddings, self.emb_ln = tables(c), norm_of(c)
        self.encoder = parts(layers=nn.ModuleList(parts(
            attn=parts(Wqkv=nn.Linear(hidden, 3 * hidden, bias=c.qkv_proj_bias),
                       out_proj=nn.Linear(hidden, hidden, bias=c.qkv_proj_bias)),
            mlp=self.feed_forward(), norm1=norm_of(c), norm2=norm_of(c)) for _ in range(c.n_layer)))

    def run(self, x, mask):
        c = self.config
        turn = rotation(frequencies(c.n_embd // c.n_head, c.rotary_emb_base))
        x = self.emb_ln(x)
        for layer in self.encoder["layers"]:
            attn, mlp = layer["attn"], layer["mlp"]
            y = attend(*attn["Wqkv"](x).chunk(3, -1), c.n_head, mask, turn=turn)
            x = layer["norm1"](x + attn["out_proj"](y))
            gate = NOMIC_GATES.get(c.activation_function)
            y = mlp["fc11"](x) * gate(mlp["fc12"](x)) if gate else F.gelu(mlp["fc1"](x))
            x = layer["norm2"](x + mlp["fc2"](y))
        return x

    @staticmethod
    def masks(config):
        bias = config.mlp_fc1_bias
        return "cls.predictions", parts(
            transform=parts(dense=nn.Linear(config.n_embd, config.n_embd, bias=bias), layer_norm=norm_of(config)),
            decoder=nn.Linear(config.n_embd, config.vocab_size, bias=bias))

    @staticmethod
    def predict(config, head, x):
        act = F.silu if config.activation_function == "swiglu" else F.gelu
        return head["decoder"](head["transform"]["layer_norm"](act(head["transform"]["dense"](x))))


# ---- new --------------------------------------------------------------------------------------------------
class NewConfig(hf.PretrainedConfig):
    model_type = "new"


class NewModel(Encoder):
    config_class = NewConfig
    base_model_prefix = "new"

    def make(self):
        c = self.config
        hidden, inner = c.hidden_size, c.intermediate_size
        projections = {"qkv_proj": 3} if c.pack_qkv else {"q_proj": 1, "k_proj": 1, "v_proj": 1}
        self.embeddings = tables(c, LayerNorm=norm_of(c))
        self.encoder = parts(layer=nn.ModuleList(parts(
            attention=nn.ModuleDict({name: nn.Linear(hidden, n * hidden) for name, n in projections.items()}
                                    | {"o_proj": nn.Linear(hidden, hidden)}),
            mlp=parts(up_gate_proj=nn.Linear(hidden, 2 * inner, bias=False), down_proj=nn.Linear(inner, hidden)),
            attn_ln=norm_of(c), mlp_ln=norm_of(c)) for _ in range(c.num_hidden_layers)))

    def turn(self):
        """With NTK-aware scaling the base grows by the factor, and every frequency shrinks besides."""
        c = self.config
        size, factor = c.hidden_size // c.num_attention_heads, (c.rope_scaling or {}).get("factor", 1)
        if factor <= 1:
            return rotation(frequencies(size, c.rope_theta))
        return rotation(frequencies(size, c.rope_theta * factor) / factor ** (2 / size))

    def run(self, x, mask):
        c = self.config
        x, turn = self.embeddings["LayerNorm"](x), self.turn()
        for layer in self.encoder["layer"]:
            own, mlp = layer["attention"], layer["mlp"]
            qkv = own["qkv_proj"](x).chunk(3, -1) if c.pack_qkv else [own[n + "_proj"](x) for n in "qkv"]
            x = layer["attn_ln"](x + own["o_proj"](attend(*qkv, c.num_attention_heads, mask, turn=turn)))
            up, gate = mlp["up_gate_proj"](x).chunk(2, -1)
            x = layer["mlp_ln"](x + mlp["down_proj"](up * GATES[c.hidden_act](gate)))
        return x

    @staticmethod
    def masks(config):
        return "lm_head", parts(dense=nn.Linear(config.hidden_size, config.hidden_size), norm=norm_of(config),
                                decoder=nn.Linear(config.hidden_size, config.vocab_size))

    @staticmethod
    def predict(config, head, x):
        return head["decoder"](head["norm"](GATES[config.hidden_act](head["dense"](x))))


# ---- bert, of Jina ----------------------------------------------------------------------------------------
class JinaBertModel(Encoder):
    """`qk_post_norm`, which no config.json has, stands for the repository that auto_map names."""
    config_class = hf.BertConfig
    base_model_prefix = "bert"

    def feed_forward(self):
        c = self.config
        hidden, inner = c.hidden_size, c.intermediate_size
        if c.qk_post_norm:
            return {"layer_norm_1": norm_of(c), "layer_norm_2": norm_of(c), "mlp": parts(
                up_gated_layer=nn.Linear(hidden, 2 * inner, bias=False), down_layer=nn.Linear(inner, hidden))}
        return {"mlp": parts(gated_layers=nn.Linear(hidden, 2 * inner, bias=False), wo=nn.Linear(inner, hidden),
                             layernorm=norm_of(c))}

    def attention(self):
        c, hidden = self.config, self.config.hidden_size
        own = {name: nn.Linear(hidden, hidden) for name in ("query", "key", "value")}
        out = {"dense": nn.Linear(hidden, hidden)}
        if c.qk_post_norm:
            own |= {name: norm_of(c) for name in ("layer_norm_q", "layer_norm_k")}
        else:
            out["LayerNorm"] = norm_of(c)
        return {"attention": nn.ModuleDict({"self": nn.ModuleDict(own), "output": nn.ModuleDict(out)})}

    def make(self):
        c = self.config
        self.embeddings = tables(c, LayerNorm=norm_of(c))
        self.encoder = parts(layer=nn.ModuleList(nn.ModuleDict(self.attention() | self.feed_forward())
                                                 for _ in range(c.num_hidden_layers)))

    def run(self, x, mask):
        c = self.config
        places = torch.arange(x.shape[1])
        bias = -torch.tensor(slopes(c.num_attention_heads))[:, None, None] * (places[:, None] - places).abs()
        x, act = self.embeddings["LayerNorm"](x), GATES[c.feed_forward_type]
        for layer in self.encoder["layer"]:
            own, out, mlp = layer["attention"]["self"], layer["attention"]["output"], layer["mlp"]
            q, k, v = (own[name](x) for name in ("query", "key", "value"))
            if c.qk_post_norm:
                q, k = own["layer_norm_q"](q), own["layer_norm_k"](k)
            y = out["dense"](attend(q, k, v, c.num_attention_heads, mask, bias))
            if c.qk_post_norm:
                x = layer["layer_norm_1"](x + y)
                up, gate = mlp["up_gated_layer"](x).chunk(2, -1)
                x = layer["layer_norm_2"](x + mlp["down_layer"](up * act(gate)))
            else:
                x = out["LayerNorm"](x + y)
                gate, up = mlp["gated_layers"](x).chunk(2, -1)
                x = mlp["layernorm"](x + mlp["wo"](up * act(gate)))
        return x

    @staticmethod
    def masks(config):
        return "cls.predictions", parts(
            transform=parts(dense=nn.Linear(config.hidden_size, config.hidden_size), LayerNorm=norm_of(config)),
            decoder=nn.Linear(config.hidden_size, config.vocab_size))

    @staticmethod
    def predict(config, head, x):
        return head["decoder"](head["transform"]["LayerNorm"](GATES[config.hidden_act](head["transform"]["dense"](x))))


# ---- heads ------------------------------------------------------------------------------------------------
class Headed(hf.PreTrainedModel):
    """The encoder under its prefix, and a head beside it."""

    def __init__(self, config):
        super().__init__(config)
        setattr(self, self.base_model_prefix, self.encoder_class(config, pools=self.pools))
        self.make()
        self.post_init()

    def encoded(self, *args, **kwargs):
        return getattr(self, self.base_model_prefix)(*args, **kwargs)[0]


class Masks(Headed):
    pools = False

    def make(self):
        path, head = self.encoder_class.masks(self.config)
        *outer, last = path.split(".")
        place = self
        for name in outer:
            place.add_module(name, nn.Module())
            place = getattr(place, name)
        place.add_module(last, head)
        self._tied_weights_keys = [path + ".decoder.weight"]
        self.decoder_of = lambda: head

    def get_output_embeddings(self):
        return self.decoder_of()["decoder"]

    def forward(self, *args, **kwargs):
        x = self.encoded(*args, **kwargs)
        return outputs.MaskedLMOutput(logits=self.encoder_class.predict(self.config, self.decoder_of(), x))


class Sequence(Headed):
    pools = True

    def make(self):
        self.classifier = nn.Linear(self.config.hidden_size, self.config.num_labels)

    def forward(self, *args, **kwargs):
        x = getattr(self, self.base_model_prefix).pooled(self.encoded(*args, **kwargs))
        return outputs.SequenceClassifierOutput(logits=self.classifier(x))


class Token(Headed):
    pools = False

    def make(self):
        self.classifier = nn.Linear(self.config.hidden_size, self.config.num_labels)

    def forward(self, *args, **kwargs):
        return outputs.TokenClassifierOutput(logits=self.classifier(self.encoded(*args, **kwargs)))


class Span(Headed):
    pools = False

    def make(self):
        self.qa_outputs = nn.Linear(self.config.hidden_size, 2)

    def forward(self, *args, **kwargs):
        start, end = self.qa_outputs(self.encoded(*args, **kwargs)).unbind(-1)
        return outputs.QuestionAnsweringModelOutput(start_logits=start, end_logits=end)


# suffix of the class, what it is, and the class of transformers that loads it
HEADS = [("ForMaskedLM", Masks, hf.AutoModelForMaskedLM),
         ("ForSequenceClassification", Sequence, hf.AutoModelForSequenceClassification),
         ("ForTokenClassification", Token, hf.AutoModelForTokenClassification),
         ("ForQuestionAnswering", Span, hf.AutoModelForQuestionAnswering)]


def family(prefix, encoder, masks="ForMaskedLM"):
    """The family's classes by the class of transformers that loads them; named as on the hub."""
    classes = {hf.AutoModel: encoder}
    for suffix, kind, auto in HEADS:
        name = prefix + (masks if kind is Masks else suffix)
        classes[auto] = type(name, (kind,), {"config_class": encoder.config_class, "encoder_class": encoder,
                                             "base_model_prefix": encoder.base_model_prefix})
    return classes


NOMIC_BERT = family("NomicBert", NomicBertModel, masks="ForPreTraining")
NEW = family("New", NewModel)
JINA_BERT = family("JinaBert", JinaBertModel)
CLASSES = types.SimpleNamespace(**{cls.__name__: cls for made in (NOMIC_BERT, NEW, JINA_BERT) for cls in made.values()})
for made in (NOMIC_BERT, NEW):
    hf.AutoConfig.register(made[hf.AutoModel].config_class.model_type, made[hf.AutoModel].config_class)
    for auto, cls in made.items():
        auto.register(cls.config_class, cls)


def loader(auto, folder):
    """The class that loads a folder: Jina's model_type is BERT's, only the class tells them apart."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text(encoding="utf-8"))
    jina = (config.get("architectures") or [""])[0].startswith("JinaBert")
    return JINA_BERT[auto] if jina else auto
