"""What the hosted service answers, computed with the pipelines of transformers 4.57.

A pipeline's shapes are not the service's: here a body ({"inputs", "parameters"}) goes in and the
JSON of the service comes out. Input that is too long is truncated as the service promises.
"""
import copy

import torch
import transformers
from transformers import (AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM,
                          AutoModelForQuestionAnswering, AutoModelForSeq2SeqLM,
                          AutoModelForSequenceClassification, AutoModelForTokenClassification,
                          pipeline)

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
}


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
    return options


def text_generation(pipe, inputs, parameters):
    options = generating(parameters)
    if "stop" in options:
        options |= {"stop_strings": options.pop("stop"), "tokenizer": pipe.tokenizer}
    if "max_length" in options:
        options["max_new_tokens"] = None  # the request's length wins over the folder's
    if isinstance(inputs, list) and isinstance(inputs[0], dict):
        return pipe(inputs, **options)  # one chat
    return each(inputs, lambda x: pipe(x, **options))


def summarization(pipe, inputs, parameters):
    options = generating(parameters)
    if "max_length" in options:
        options["max_new_tokens"] = None
    answers = each(inputs, lambda x: pipe(x, truncation=True, **options))
    single = options.get("num_return_sequences", 1) == 1
    return [a[0] for a in answers] if isinstance(inputs, list) and single else answers


RUN = {
    "text-classification": text_classification,
    "token-classification": token_classification,
    "fill-mask": fill_mask,
    "question-answering": question_answering,
    "zero-shot-classification": zero_shot,
    "feature-extraction": feature_extraction,
    "text-generation": text_generation,
    "summarization": summarization,
    "text2text-generation": summarization,
    "translation": summarization,
}


def general(task):
    """translation_en_to_fr is translation."""
    return task.split("_")[0]


def auto_of(task, folder):
    """A T5EncoderModel's config alone would make a T5Model, which needs a decoder's input."""
    name = (AutoConfig.from_pretrained(folder).architectures or [""])[0]
    encoder = task == "feature-extraction" and name.endswith("EncoderModel")
    return getattr(transformers, name) if encoder else AUTO[task]


class Pipelines:
    """The models of one folder, one for each task that its cases use."""

    def __init__(self, folder, tokenizer):
        self.folder, self.tokenizer, self.made = folder, tokenizer, {}

    def get(self, task):
        if task not in self.made:
            model = networks.load(auto_of(general(task), self.folder), self.folder)
            pipe = pipeline(task, model=model, tokenizer=self.tokenizer, device="cpu")
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
