"""The golden folders of encoder-decoder families: a row a model, of the smallest odd configuration that shows what is
particular about the family. BART's own, with all its cases, are in heads.py."""
import functools
import json
import pathlib
import tempfile

import transformers as hf

import cases
import networks
import pieces
import slow_tokenizers as slow
import vocabulary
from heads import Head, edit_weights, labels

SMALL = {"vocab_size": 407, "d_model": 24, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 4,
         "decoder_attention_heads": 2, "encoder_ffn_dim": 44, "decoder_ffn_dim": 36, "max_position_embeddings": 64,
         "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2,
         "forced_eos_token_id": None, "forced_bos_token_id": None}
T5 = {"d_model": 24, "d_kv": 10, "d_ff": 44, "num_layers": 2, "num_decoder_layers": 1, "num_heads": 3,
      "relative_attention_num_buckets": 10, "relative_attention_max_distance": 14, "decoder_start_token_id": 0}
LABELS = ["bad", "good", "fair"]
FAIRSEQ = {"unk_id": 0, "bos_id": 1, "eos_id": 2}


# ---- tokenizers -------------------------------------------------------------------------------------
@functools.cache
def sentencepiece(size, **ids):
    return pieces.train(vocabulary.CORPUS.read_text(encoding="utf-8"), "unigram", size, **dict(ids))


def from_pieces(cls, size, ids, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "sentencepiece.model"
        path.write_bytes(sentencepiece(size, **ids))
        return cls(vocab_file=str(path), model_max_length=64, **options)


def t5_tokenizer():
    return from_pieces(hf.T5TokenizerFast, 300, {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}, extra_ids=2)


def marian_tokenizer(separate=False, **options):
    """Slow: source.spm and target.spm cut and join, vocab.json has the ids; padding is last. Vocabularies of their
    own are of one size here, as transformers' MarianModel makes both embeddings."""
    import sentencepiece as library
    with tempfile.TemporaryDirectory() as folder:
        root, tokens = pathlib.Path(folder), []
        for name, size in (("source", 240), ("target", 200)):
            model = sentencepiece(size, **FAIRSEQ)
            (root / f"{name}.spm").write_bytes(model)
            spm = library.SentencePieceProcessor(model_proto=model)
            tokens.append([spm.id_to_piece(i) for i in range(3, len(spm))])
        source, target = tokens
        own = ["</s>", "<unk>", ">>fra<<"]
        if separate:
            n = min(len(source), len(target))
            files = {"vocab.json": own + source[:n], "target_vocab.json": own + target[:n][::-1]}
        else:
            files = {"vocab.json": own + source + target}
        for name, words in files.items():
            words = list(dict.fromkeys(words)) + ["<pad>"]
            networks.write_json(root / name, {t: i for i, t in enumerate(words)})
        return hf.MarianTokenizer(source_spm=str(root / "source.spm"), target_spm=str(root / "target.spm"),
                                  vocab=str(root / "vocab.json"), source_lang="en", target_lang="fra",
                                  target_vocab_file=str(root / "target_vocab.json"), separate_vocabs=separate,
                                  model_max_length=64, **options)


def pegasus_tokenizer():
    return from_pieces(hf.PegasusTokenizerFast, 240, {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}, offset=8)


def blenderbot_tokenizer():
    special = ["<pad>", "<s>", "</s>", "<unk>", "<mask>"]
    return vocabulary.byte_bpe(387, special, hf.BlenderbotTokenizerFast)


def from_files(make, cls, files, **options):
    """Slow: of the files that `make` writes into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        make(folder)
        return cls(**{key: f"{folder}/{name}" for key, name in files.items()}, model_max_length=64, **options)


def blenderbot_small_tokenizer():
    make = slow.at_json(True, head=["__null__", "__start__", "__end__", "__unk__"])
    return from_files(make, hf.BlenderbotSmallTokenizer, {"vocab_file": "vocab.json", "merges_file": "merges.txt"})


def plbart_tokenizer():
    return from_pieces(hf.PLBartTokenizer, 200, FAIRSEQ, src_lang="java", tgt_lang="en_XX")


def write_fsmt(folder, shared=False):
    """The target's vocabulary has other words, in another order, than the source's."""
    pairs, symbols = slow.merges(slow.CORPUS.split(), 120)
    head = ["<s>", "<pad>", "</s>", "<unk>"]
    source = slow.vocabulary(symbols, head)
    target = source if shared else slow.vocabulary(symbols[::-1][7:], head)
    slow.write_json(f"{folder}/vocab-src.json", source)
    slow.write_json(f"{folder}/vocab-tgt.json", target)
    slow.write(f"{folder}/merges.txt", "".join(f"{a} {b} 7\n" for a, b in pairs))


def fsmt_tokenizer(shared=False):
    files = {"src_vocab_file": "vocab-src.json", "tgt_vocab_file": "vocab-tgt.json", "merges_file": "merges.txt"}
    return from_files(lambda folder: write_fsmt(folder, shared), hf.FSMTTokenizer, files, langs=["en", "ru"])


def size_of(tokenizer):
    return max(tokenizer.get_vocab().values()) + 1


# ---- what is asked ----------------------------------------------------------------------------------
def asked(**more):
    greedy, beams = {"num_beams": 1, "max_new_tokens": 12} | more, {"num_beams": 3, "max_new_tokens": 10} | more
    return [
        ("greedy", cases.FIRST, greedy),
        ("greedy list", cases.MIXED, greedy),
        ("defaults of the folder", cases.SHORT, more),
        ("beams", cases.FIRST, beams),
        ("beams of a list", cases.MIXED, beams),
        ("beams, two of four", cases.SHORT, beams | {"num_beams": 4, "num_return_sequences": 2}),
        ("too long", cases.LONG, greedy),
    ]


ONCE = {"no_repeat_ngram_size": 1}  # random weights repeat what they say, which hides mistakes


def likely_end(token, amount=2.0):
    """Raises the bias of the token that ends texts, so that hypotheses end at different lengths."""
    def finish(folder):
        def change(tensors):
            tensors["final_logits_bias"][0, token] += amount
            return tensors
        edit_weights(folder, change)
    return finish


def generating(family, head, cls, config, tokenizer, task="text2text-generation", rows=None, **more):
    return Head(family, head, cls, config, tokenizer, {task: rows or asked()}, readable=True,
                generation={"max_new_tokens": 9, "num_beams": 2}, **more)


def unsaid(folder):
    """No file says what generation's settings are: those count that the configuration's class has by itself."""
    (folder / "generation_config.json").unlink()
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    settings = {"forced_eos_token_id", "forced_bos_token_id", "encoder_no_repeat_ngram_size", "max_length",
                "num_beams"}
    networks.write_json(path, {k: v for k, v in config.items() if k not in settings})


def first_forced(folder):
    """As BART's first summarizers say it."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    networks.write_json(path, config | {"force_bos_token_to_be_generated": True})


def class_defaults(family, cls, config, tokenizer, task="text2text-generation", finish=None):
    greedy = {"num_beams": 1, "max_new_tokens": 9} | ONCE

    def own_words(ask):  # which repeat themselves
        free = {"num_beams": 1, "max_new_tokens": 9}
        return next(iter(ask(cases.FIRST, free)[0].values())) or cases.FIRST, free
    rows = [("greedy", cases.FIRST, greedy), ("list", cases.MIXED, greedy),
            ("beams", cases.SHORT, {"num_beams": 4, "max_new_tokens": 7} | ONCE), ("its own words", own_words)]
    if family == "fsmt":
        rows.append(("the class's five beams", cases.SHORT, {"max_new_tokens": 7, "num_return_sequences": 5} | ONCE))
    return Head(family, "class-defaults", cls, config, tokenizer, {task: rows}, readable=True,
                finish=after(unsaid, finish))


# ---- families ---------------------------------------------------------------------------------------
def t5_heads():
    def make(config=hf.T5Config, **more):
        return config(**T5 | {"vocab_size": size_of(t5_tokenizer())} | more)
    gated = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    prefixes = {"translation_en_to_de": {"prefix": "translate English to German: ", "num_beams": 3, "max_length": 12},
                "summarization": {"prefix": "summarize: ", "num_beams": 4, "max_length": 14, "no_repeat_ngram_size": 3}}
    yield Head("t5", "text2text-generation", hf.T5ForConditionalGeneration, make(task_specific_params=prefixes),
               t5_tokenizer, {"text2text-generation": asked(), "translation_en_to_de": asked()[2:5],
                              "summarization": asked()[2:5]}, generation={"max_new_tokens": 9, "num_beams": 2})
    yield generating("t5", "gated", hf.T5ForConditionalGeneration, make(**gated), t5_tokenizer)
    yield generating("t5", "mt5", hf.MT5ForConditionalGeneration, make(hf.MT5Config, num_heads=2), t5_tokenizer)
    yield generating("t5", "umt5", hf.UMT5ForConditionalGeneration, make(hf.UMT5Config), t5_tokenizer)
    yield Head("t5", "feature-extraction", hf.T5EncoderModel, make(layer_norm_epsilon=0.02, **gated), t5_tokenizer,
               {"feature-extraction": cases.feature_extraction()})
    yield Head("t5", "text-classification", hf.T5ForSequenceClassification, make(**labels(LABELS)), t5_tokenizer,
               {"text-classification": cases.text_classification(pairs=False)})
    yield Head("t5", "token-classification", hf.T5ForTokenClassification,
               make(**labels(["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "LOC"])), t5_tokenizer,
               {"token-classification": cases.token_classification()})
    yield Head("t5", "question-answering", hf.T5ForQuestionAnswering, make(num_labels=2), t5_tokenizer,
               {"question-answering": cases.question_answering()})


def decoder_rows():
    """Of a decoder alone: some of what is asked of GPT-2."""
    names = ("greedy", "greedy list", "new text only", "beams", "beams of a list")
    rows = [row for row in cases.text_generation() if row[0] in names]
    return [(name, text, parameters | ONCE) for name, text, parameters in rows]


def marian_heads():
    def make(tokenizer=marian_tokenizer, **more):
        pad = size_of(tokenizer()) - 1
        return hf.MarianConfig(**SMALL | {"vocab_size": pad + 1, "eos_token_id": 0, "pad_token_id": pad,
                                          "decoder_start_token_id": pad, "bos_token_id": None, "forced_eos_token_id": 0,
                                          "scale_embedding": True, "activation_function": "swish"} | more)
    pad = size_of(marian_tokenizer()) - 1
    french = ("a language in front", f">>fra<< {cases.FIRST}", {"num_beams": 2, "max_new_tokens": 8} | ONCE)
    yield Head("marian", "translation", hf.MarianMTModel, make(), marian_tokenizer,
               {"translation": asked(**ONCE) + [french], "translation_en_to_fr": asked(**ONCE)[2:4]}, readable=True,
               generation={"max_length": 12, "num_beams": 4, "bad_words_ids": [[pad]], "renormalize_logits": True},
               finish=likely_end(0))
    own = lambda: marian_tokenizer(separate=True)
    yield generating("marian", "separate", hf.MarianMTModel,
                     make(own, share_encoder_decoder_embeddings=False, scale_embedding=False), own, "translation",
                     asked(**ONCE), dtype="BF16")
    yield class_defaults("marian", hf.MarianMTModel, make(), marian_tokenizer, "translation")
    yield decoder_alone("marian", hf.MarianForCausalLM, make(), marian_tokenizer)
    yield features("marian", hf.MarianModel, make(), marian_tokenizer)


def decoder_alone(family, cls, config, tokenizer, **more):
    config.max_position_embeddings = 96
    return Head(family, "text-generation", cls, config, tokenizer, {"text-generation": decoder_rows()}, readable=True,
                generation={"max_new_tokens": 9}, **more)


def silent(folder):
    """Leaves out of config.json what the class takes anyway, but for numbers of layers."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    usual = hf.AutoConfig.for_model(config["model_type"]).to_dict() | {"model_type": None}
    networks.write_json(path, {k: v for k, v in config.items() if "layers" in k or usual.get(k, ()) != v})


def after(*changes):
    return lambda folder: [change(folder) for change in changes if change]


def features(family, cls, config, tokenizer, finish=None):
    return Head(family, "feature-extraction", cls, config, tokenizer,
                {"feature-extraction": cases.feature_extraction()}, finish=after(silent, finish))


def smaller_sines(folder):
    """Positions are what the file says, whatever a formula would make of them."""
    edit_weights(folder, lambda tensors: {k: v * 0.5 if "embed_positions" in k else v for k, v in tensors.items()})


def bart_heads():
    """Beside those of heads.py."""
    yield class_defaults("bart", hf.BartForConditionalGeneration, hf.BartConfig(**SMALL), vocabulary.bart,
                         finish=first_forced)
    yield decoder_alone("bart", hf.BartForCausalLM, hf.BartConfig(**SMALL), vocabulary.bart)


def pegasus_heads():
    def make(**more):
        return hf.PegasusConfig(**SMALL | {"vocab_size": size_of(pegasus_tokenizer()), "bos_token_id": None,
                                           "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0} | more)
    yield generating("pegasus", "summarization", hf.PegasusForConditionalGeneration,
                     make(scale_embedding=True, forced_eos_token_id=1), pegasus_tokenizer, "summarization",
                     asked(**ONCE), finish=likely_end(1))
    yield class_defaults("pegasus", hf.PegasusForConditionalGeneration, make(), pegasus_tokenizer)
    yield decoder_alone("pegasus", hf.PegasusForCausalLM, make(activation_function="relu"), pegasus_tokenizer)
    yield features("pegasus", hf.PegasusModel, make(d_model=30, encoder_attention_heads=5), pegasus_tokenizer,
                   finish=smaller_sines)


def talk(parameters):
    past = {"past_user_inputs": ["Hello!", cases.TINY], "generated_responses": ["Hi. How are you?", "It rains, yes."]}
    return [("first turn", {"text": cases.FIRST}, parameters),
            ("third turn", past | {"text": "Tea?"}, parameters),
            ("several", [past | {"text": cases.SHORT}, {"text": cases.TINY}], parameters),
            ("too long", past | {"text": cases.LONG}, parameters)]


def unnamed_class(folder):
    """As BlenderbotSmall's files are: where the class is named, transformers looks for a fast one, which cannot read
    them."""
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    networks.write_json(path, {k: v for k, v in config.items() if k != "tokenizer_class"})


def blenderbots(family, name, tokenizer, finish=None, **own):
    config = getattr(hf, f"{name}Config")

    def make(**more):
        return config(**SMALL | {"vocab_size": size_of(tokenizer()), "bos_token_id": 1, "pad_token_id": 0,
                                 "eos_token_id": 2, "decoder_start_token_id": 1} | own | more)
    cls = getattr(hf, f"{name}ForConditionalGeneration")
    yield generating(family, "text2text-generation", cls, make(forced_eos_token_id=2), tokenizer, rows=asked(**ONCE),
                     finish=after(likely_end(2), finish))
    yield Head(family, "conversational", cls, make(scale_embedding=True), tokenizer,
               {"conversational": talk({"max_new_tokens": 11, "num_beams": 2} | ONCE)}, readable=True, dtype="BF16",
               finish=finish)
    yield class_defaults(family, cls, make(), tokenizer, finish=finish)
    yield decoder_alone(family, getattr(hf, f"{name}ForCausalLM"), make(), tokenizer, finish=finish)
    yield features(family, getattr(hf, f"{name}Model"), make(activation_function="gelu_new"), tokenizer, finish=finish)


def blenderbot_heads():
    yield from blenderbots("blenderbot", "Blenderbot", blenderbot_tokenizer, encoder_no_repeat_ngram_size=3)
    yield from blenderbots("blenderbot_small", "BlenderbotSmall", blenderbot_small_tokenizer, finish=unnamed_class)


def plbart_heads():
    def make(**more):
        return hf.PLBartConfig(**SMALL | {"vocab_size": size_of(plbart_tokenizer()), "decoder_start_token_id": None} |
                               more)
    english = plbart_tokenizer().lang_code_to_id["__en_XX__"]
    yield generating("plbart", "text2text-generation", hf.PLBartForConditionalGeneration, make(), plbart_tokenizer,
                     rows=asked(decoder_start_token_id=english, **ONCE)[:3] + asked(**ONCE)[3:], finish=likely_end(2))
    yield class_defaults("plbart", hf.PLBartForConditionalGeneration, make(decoder_start_token_id=english),
                         plbart_tokenizer)
    yield decoder_alone("plbart", hf.PLBartForCausalLM, make(scale_embedding=False), plbart_tokenizer)
    yield Head("plbart", "text-classification", hf.PLBartForSequenceClassification,
               make(decoder_start_token_id=english, **labels(LABELS)), plbart_tokenizer,
               {"text-classification": cases.text_classification()})
    yield features("plbart", hf.PLBartModel, make(), plbart_tokenizer)


def drop_sines(folder):
    """As the first files are; transformers of today writes them."""
    edit_weights(folder, lambda tensors: {k: v for k, v in tensors.items() if "embed_positions" not in k})


def fsmt_heads():
    def make(tokenizer, **more):
        small = {k: v for k, v in SMALL.items() if k != "vocab_size"}
        sizes = {"src_vocab_size": len(tokenizer().encoder), "tgt_vocab_size": len(tokenizer().decoder)}
        return hf.FSMTConfig(**small | sizes | {"langs": ["en", "ru"], "max_length": 12} | more)
    shared = lambda: fsmt_tokenizer(shared=True)
    yield generating("fsmt", "translation", hf.FSMTForConditionalGeneration, make(fsmt_tokenizer), fsmt_tokenizer,
                     "translation", asked(repetition_penalty=2.5), finish=after(silent, drop_sines))
    yield generating("fsmt", "shared", hf.FSMTForConditionalGeneration,
                     make(shared, tie_word_embeddings=True, scale_embedding=False, d_model=26,
                          decoder_attention_heads=13, encoder_attention_heads=2), shared, "translation",
                     asked(repetition_penalty=2.5), dtype="BF16")
    yield class_defaults("fsmt", hf.FSMTForConditionalGeneration, make(shared, tie_word_embeddings=True), shared,
                         "translation")


def all_heads():
    for rows in (t5_heads, marian_heads, bart_heads, pegasus_heads, blenderbot_heads, plbart_heads, fsmt_heads):
        yield from rows()
