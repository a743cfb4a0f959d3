"""What the hosted service answers, computed with the pipelines of transformers 4.57.

A pipeline's shapes are not the service's: here a body ({"inputs", "parameters"}) goes in and the
JSON of the service comes out. Input that is too long is truncated as the service promises.
"""
import copy

import torch
import transformers
from transformers import (AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM,
                          AutoModelForQuestionAnswering, AutoModelForSeq2SeqLM,
                          AutoModelForSequenceClassification, AutoModelForTableQuestionAnswering,
                          AutoModelForTokenClassification, PreTrainedTokenizer, TapasTokenizer, pipeline)

import groups
import networks

AUTO = {
    "text-generation": AutoModelForCausalLM,
    "fill-mask": AutoModelForMaskedLM,
    "text-classification": AutoModelForSequenceClassification,
    "token-classification": AutoModelForTokenClassification,
    "question-answering": AutoModelForQuestionAnswering,
    "zero-shot-classification": AutoModelForSequenceClassification,
    "summarization": AutoModelForSeq2SeqLM,
    "text2text-generation": AutoModelForSeq2SeqLM,
    "translation": AutoModelForSeq2SeqLM,
    "feature-extraction": AutoModel,
    "table-question-answering": AutoModelForTableQuestionAnswering,
}
ENCODERS = {"blenderbot", "blenderbot-small", "marian", "pegasus"}


def each(inputs, one):
    return [one(x) for x in inputs] if isinstance(inputs, list) else one(inputs)


def text_classification(pipe, inputs, parameters):
    parameters = {"top_k": 5, "truncation": True} | parameters
    answers = each(inputs, lambda x: pipe(x, **parameters))
    return answers if isinstance(inputs, list) else [answers]


def token_classification(pipe, inputs, parameters):
    parameters = {"aggregation_strategy": "simple"} | parameters
    return each(inputs, lambda x: pipe(x, **parameters))


def fill_mask(pipe, inputs, parameters):
    return each(inputs, lambda x: pipe(x, tokenizer_kwargs={"truncation": True}, **parameters))


def question_answering(pipe, inputs, parameters):
    return each(inputs, lambda x: pipe(question=x["question"], context=x["context"], **parameters))


def zero_shot(pipe, inputs, parameters):
    return each(inputs, lambda x: pipe(x, **parameters))


def as_list(answer):
    """The newer form of a zero-shot answer."""
    return [{"label": label, "score": score} for label, score in zip(answer["labels"], answer["scores"])]


def feature_extraction(pipe, inputs, parameters):
    return each(inputs, lambda x: pipe(x, truncation=True, **parameters)[0])


def generating(parameters):
    """What generate() takes of a request's parameters."""
    options = {k: v for k, v in parameters.items() if k != "seed"}
    if options.get("num_beam_groups", 1) > 1:
        options["custom_generate"] = groups.search
    if "max_length" in options:
        options["max_new_tokens"] = None  # the request's length wins over the folder's
    return options


def stopping(pipe, options):
    if "stop" in options:
        return {k: v for k, v in options.items() if k != "stop"} | {"stop_strings": options["stop"],
                                                                    "tokenizer": pipe.tokenizer}
    return options


def text_generation(pipe, inputs, parameters):
    if parameters.get("details"):
        plain = {k: v for k, v in parameters.items() if k != "details"}
        return [text_generation(pipe, inputs, plain)[0] | {"details": details(pipe, inputs, parameters)}]
    options = stopping(pipe, generating(parameters))
    if isinstance(inputs, list) and isinstance(inputs[0], dict):
        return pipe(inputs, **options)  # one chat
    return each(inputs, lambda x: pipe(x, **options))


def summarization(pipe, inputs, parameters):
    options = generating(parameters)
    answers = each(inputs, lambda x: pipe(x, truncation=True, **options))
    single = options.get("num_return_sequences", 1) == 1
    return [a[0] for a in answers] if isinstance(inputs, list) and single else answers


def translation(pipe, inputs, parameters):
    """A pipeline leaves its tokenizer set to the languages of a request: the next has those of the folder again."""
    tokenizer = pipe.tokenizer
    source = getattr(tokenizer, "src_lang", None)
    answers = summarization(pipe, inputs, parameters)
    if source is not None:
        tokenizer.src_lang = source
    return answers


def details(pipe, text, parameters):
    """What text-generation-inference tells of a greedy text, from generate()'s own scores."""
    options = {k: v for k, v in generating(parameters).items() if k not in ("details", "return_full_text")}
    ids = pipe.tokenizer(text, return_tensors="pt")
    out = pipe.model.generate(**ids, **stopping(pipe, options), generation_config=pipe.generation_config,
                              return_dict_in_generate=True, output_scores=True)
    new = out.sequences[0, ids["input_ids"].shape[1]:].tolist()
    tokens = [{"id": i, "text": pipe.tokenizer.decode([i], clean_up_tokenization_spaces=False),
               "logprob": torch.log_softmax(scores[0], dim=-1)[i].item(), "special": i in pipe.tokenizer.all_special_ids}
              for i, scores in zip(new, out.scores)]
    ends = options.get("eos_token_id", pipe.generation_config.eos_token_id)
    at_length = len(new) == options.get("max_new_tokens")
    reason = "eos_token" if new[-1] in ends else "length" if at_length else "stop_sequence"
    return {"finish_reason": reason, "generated_tokens": len(new), "seed": parameters.get("seed"), "prefill": [],
            "tokens": tokens}


def talk_ids(pipe, turns):
    """The prompt of a talk, user first: by the template, else as GPT2Tokenizer (DialoGPT) and
    BlenderbotTokenizer built it before transformers 4.42 dropped the task."""
    tokenizer = pipe.tokenizer
    encode = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    if tokenizer.chat_template:
        roles = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(turns)]
        return encode(tokenizer.apply_chat_template(roles, tokenize=False, add_generation_prompt=True))
    if pipe.model.config.is_encoder_decoder:
        line = "  ".join(text if i % 2 else " " + text for i, text in enumerate(turns))
        return (encode(line) + [tokenizer.eos_token_id])[-tokenizer.model_max_length:]
    return [i for text in turns for i in [*encode(text), tokenizer.eos_token_id]]


def conversational(pipe, inputs, parameters):
    """What ConversationalPipeline did: generate() behind the prompt, which leaves ten tokens free."""
    def one(talk):
        past, answers = talk.get("past_user_inputs", []), talk.get("generated_responses", [])
        turns = [text for pair in zip(past, answers) for text in pair] + [talk["text"]]
        ids = talk_ids(pipe, turns)
        seq2seq = pipe.model.config.is_encoder_decoder
        if "max_length" in parameters and not seq2seq:
            ids = ids[-(parameters["max_length"] - 10):]
        tensor = torch.tensor([ids])
        out = pipe.model.generate(tensor, attention_mask=torch.ones_like(tensor), **generating(parameters),
                                  generation_config=pipe.generation_config)[0]
        text = pipe.tokenizer.decode(out[1 if seq2seq else len(ids):], skip_special_tokens=True,
                                     clean_up_tokenization_spaces=True)
        return {"generated_text": text, "conversation": {"past_user_inputs": past + [talk["text"]],
                                                         "generated_responses": answers + [text]}}
    return each(inputs, one)


def text_ranking(pipe, inputs, parameters):
    """CrossEncoder.rank of sentence-transformers: the one logit of query and text, as a probability."""
    rows = []
    for i, text in enumerate(inputs["texts"]):
        pair = pipe.tokenizer(inputs["query"], text, truncation=True, return_tensors="pt")
        logit = pipe.model(**pair).logits[0, 0]
        score = logit if parameters.get("raw_scores") else torch.sigmoid(logit)
        rows.append({"index": i, "score": score.item()} | ({"text": text} if parameters.get("return_text") else {}))
    return sorted(rows, key=lambda row: -row["score"])


def table_question_answering(pipe, inputs, parameters):
    """Clients want an aggregator in every answer of cells; the pipeline leaves it away where a model has none."""
    if pipe.type != "tapas":
        parameters = {"truncation": True} | parameters
    def named(answer):
        return answer | {"aggregator": answer.get("aggregator", "")} if "cells" in answer else answer
    return each(copy.deepcopy(inputs), lambda x: each(pipe(x, **parameters), named))


class PlainTapas(TapasTokenizer):
    """Texts without a table, by the rules of all Python classes: all seven types are 0."""
    __call__ = PreTrainedTokenizer.__call__
    encode_plus, batch_encode_plus = PreTrainedTokenizer.encode_plus, PreTrainedTokenizer.batch_encode_plus
    _encode_plus, _batch_encode_plus = PreTrainedTokenizer._encode_plus, PreTrainedTokenizer._batch_encode_plus
    _batch_prepare_for_model = PreTrainedTokenizer._batch_prepare_for_model
    prepare_for_model, _pad = PreTrainedTokenizer.prepare_for_model, PreTrainedTokenizer._pad
    model_input_names = ["input_ids", "attention_mask"]

    def build_inputs_with_special_tokens(self, ids, more=None):
        return [self.cls_token_id] + ids + [self.sep_token_id] + (more or [])


RUN = {
    "conversational": conversational,
    "text-ranking": text_ranking,
    "text-classification": text_classification,
    "token-classification": token_classification,
    "fill-mask": fill_mask,
    "question-answering": question_answering,
    "zero-shot-classification": zero_shot,
    "feature-extraction": feature_extraction,
    "text-generation": text_generation,
    "summarization": summarization,
    "text2text-generation": summarization,
    "translation": translation,
    "table-question-answering": table_question_answering,
}


def general(task):
    """translation_en_to_fr is translation."""
    return task.split("_")[0]


def base_of(task, folder):
    """The pipeline whose model and tokenizer a task without a pipeline of its own uses."""
    if task == "conversational":
        decodes = AutoConfig.from_pretrained(folder).is_encoder_decoder
        return "text2text-generation" if decodes else "text-generation"
    return "text-classification" if task == "text-ranking" else task


def auto_of(task, folder):
    """A T5EncoderModel's config alone would make a T5Model, which needs a decoder's input."""
    config = AutoConfig.from_pretrained(folder)
    name = (config.architectures or [""])[0]
    encoder = task == "feature-extraction" and name.endswith("EncoderModel")
    if task == "table-question-answering" and config.model_type != "tapas":
        return AutoModelForSeq2SeqLM
    return getattr(transformers, name) if encoder else AUTO[task]


def encoder_of(model, task):
    """Models that need a decoder's input have their features made by the encoder alone."""
    alone = task == "feature-extraction" and model.config.model_type in ENCODERS
    return model.get_encoder() if alone else model


class Pipelines:
    """The models of one folder, one for each task that its cases use."""

    def __init__(self, folder, tokenizer):
        self.folder, self.tokenizer, self.made = folder, tokenizer, {}

    def get(self, task):
        if task not in self.made:
            base, tokenizer = base_of(task, self.folder), self.tokenizer
            if isinstance(tokenizer, TapasTokenizer) and task != "table-question-answering":
                tokenizer = PlainTapas.from_pretrained(self.folder)
            model = encoder_of(networks.load(auto_of(general(base), self.folder), self.folder), base)
            pipe = pipeline(base, model=model, tokenizer=tokenizer, device="cpu")
            if hasattr(pipe, "generation_config"):
                self.own_defaults(pipe, task)
            self.made[task] = pipe
        return self.made[task]

    @staticmethod
    def own_defaults(pipe, task):
        """The folder's generation settings, as generate() has them. A pipeline of 4.57 puts defaults
        of its own (256 new tokens, sampling) above what the folder says, which the service does not."""
        pipe.generation_config = copy.deepcopy(pipe.model.generation_config)
        pipe.generation_config.update(**(pipe.model.config.task_specific_params or {}).get(task, {}))

    def model(self, task):
        return self.get(task).model

    @torch.no_grad()
    def answer(self, task, body):
        answer = RUN[general(task)](self.get(task), body["inputs"], body.get("parameters", {}))
        form = body.get("options", {}).get("zero_shot_form")
        return each(answer, as_list) if form == "list" else answer


class Sentences:
    """The same for a sentence-transformers folder."""

    def __init__(self, folder):
        from sentence_transformers import SentenceTransformer
        self.made = SentenceTransformer(str(folder), device="cpu",
                                        model_kwargs={"attn_implementation": "eager"}).double().eval()

    def model(self, task):
        return self.made

    def embed(self, text, parameters):
        vector = self.made.encode(text, convert_to_tensor=True, show_progress_bar=False,
                                  prompt_name=parameters.get("prompt_name"),
                                  normalize_embeddings=parameters.get("normalize", False))
        return vector.double()

    @torch.no_grad()
    def answer(self, task, body):
        inputs, parameters = body["inputs"], body.get("parameters", {})
        if task == "feature-extraction":
            return each(inputs, lambda x: self.embed(x, parameters).tolist())
        source = self.embed(inputs["source_sentence"], parameters)
        others = [self.embed(x, parameters) for x in inputs["sentences"]]
        return [torch.nn.functional.cosine_similarity(source, x, dim=0).item() for x in others]
