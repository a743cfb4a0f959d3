"""PyTorch in fp32 through transformers, out of the box: tokenizer, model and what follows it, without the
pipelines' own overhead."""

import torch
import transformers

CLASSES = {"generate": "AutoModelForCausalLM", "translate": "AutoModelForSeq2SeqLM", "embed": "AutoModel",
           "classify": "AutoModelForSequenceClassification"}


class Peer:
    def __init__(self, folder, precision, threads):
        transformers.logging.set_verbosity_error()
        torch.set_num_threads(threads)
        self.folder, self.kind = folder, None
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def version(self):
        return f"PyTorch {torch.__version__}, transformers {transformers.__version__}"

    def run(self, work):
        if self.kind is None:
            self.kind = work["kind"]
            self.model = getattr(transformers, CLASSES[self.kind]).from_pretrained(self.folder).eval()
        with torch.inference_mode():
            return getattr(self, work["kind"])(work)

    def encoded(self, work):
        inputs = self.tokenizer(work["inputs"], return_tensors="pt", padding=len(work["inputs"]) > 1)
        assert work["kind"] == "generate" or inputs["attention_mask"].sum() == work["tokens"], "not the tokens meant"
        return inputs

    def generate(self, work):
        inputs = self.encoded(work)
        out = self.model.generate(**inputs, max_new_tokens=work["new_tokens"], do_sample=False)
        return [self.tokenizer.decode(out[0][inputs["input_ids"].shape[1]:])]

    def translate(self, work):
        inputs = self.encoded(work)
        inputs.pop("token_type_ids", None)
        out = self.model.generate(**inputs, **work["parameters"])
        return self.tokenizer.batch_decode(out, skip_special_tokens=True)

    def embed(self, work):
        inputs = self.encoded(work)
        mask = inputs["attention_mask"].unsqueeze(-1)
        mean = (self.model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(mean).tolist()

    def classify(self, work):
        return self.model(**self.encoded(work)).logits.softmax(-1).tolist()
