/* The rows were read off transformers 4.57: __init__ of each tokenization_*_fast.py, and
 * TOKENIZER_MAPPING_NAMES for the model types. */
#include "tokenizer/classes.h"

#include "base/banned.h"

/* clang-format off */
#define BERT_TOKENS                                                                                \
    {[TOKEN_UNK] = "[UNK]", [TOKEN_SEP] = "[SEP]", [TOKEN_PAD] = "[PAD]", [TOKEN_CLS] = "[CLS]",   \
     [TOKEN_MASK] = "[MASK]"}
#define ROBERTA_TOKENS                                                                             \
    {[TOKEN_BOS] = "<s>", [TOKEN_EOS] = "</s>", [TOKEN_UNK] = "<unk>", [TOKEN_SEP] = "</s>",       \
     [TOKEN_PAD] = "<pad>", [TOKEN_CLS] = "<s>", [TOKEN_MASK] = "<mask>"}
#define END_OF_TEXT "<|endoftext|>"
#define BERT_LIKE                                                                                  \
    .tokens = BERT_TOKENS, .legacy = LEGACY_bert, .sets_normalizer = true, .legacy_clean_up = true
#define ROBERTA_LIKE                                                                               \
    .tokens = ROBERTA_TOKENS, .legacy = LEGACY_roberta, .legacy_as_added = AS_NORMALIZED,          \
    .mask_lstrip = true, .sets_post_processor = true

static const struct tokenizer_class classes[] = {
    {.name = "PreTrainedTokenizer",
     .model_types = "bitnet falcon glm glm4 gpt_oss helium modernbert nemotron pixtral smollm3"},
    {.name = "GPT2Tokenizer",
     .model_types = "gpt2 gpt_neo gptj gpt_bigcode opt starcoder2 dbrx exaone4 granite granitemoe "
                    "flex_olmo minimax olmo3 blip-2 instructblip",
     .tokens = {[TOKEN_BOS] = END_OF_TEXT, [TOKEN_EOS] = END_OF_TEXT, [TOKEN_UNK] = END_OF_TEXT},
     .legacy = LEGACY_gpt2,
     .legacy_as_added = AS_NORMALIZED},
    {.name = "RobertaTokenizer",
     .model_types = "roberta roberta-prelayernorm data2vec-text ibert mega mra clap bridgetower",
     ROBERTA_LIKE},
    {.name = "BartTokenizer", .model_types = "bart", .mask_normalized = true, ROBERTA_LIKE},
    {.name = "LongformerTokenizer", .model_types = "longformer", ROBERTA_LIKE},
    {.name = "LEDTokenizer", .model_types = "led", .mask_normalized = true, ROBERTA_LIKE},
    {.name = "MvpTokenizer", .model_types = "mvp", .mask_normalized = true, ROBERTA_LIKE},
    {.name = "BlenderbotTokenizer", .model_types = "blenderbot", ROBERTA_LIKE},
    {.name = "BertTokenizer",
     .model_types = "bert align bark blip bros chinese_clip ernie git grounding-dino megatron-bert "
                    "nezha qdqbert tvp vilt visual_bert",
     BERT_LIKE},
    {.name = "DistilBertTokenizer", .model_types = "distilbert", BERT_LIKE},
    {.name = "ElectraTokenizer", .model_types = "electra", BERT_LIKE},
    {.name = "MobileBertTokenizer", .model_types = "mobilebert", BERT_LIKE},
    {.name = "ConvBertTokenizer", .model_types = "convbert", BERT_LIKE},
    {.name = "SqueezeBertTokenizer", .model_types = "squeezebert", BERT_LIKE},
    {.name = "LayoutLMTokenizer", .model_types = "layoutlm", BERT_LIKE},
    {.name = "LxmertTokenizer", .model_types = "lxmert", BERT_LIKE},
    {.name = "DPRQuestionEncoderTokenizer", .model_types = "dpr", BERT_LIKE},
    {.name = "DPRContextEncoderTokenizer", .model_types = "", BERT_LIKE},
    {.name = "DPRReaderTokenizer", .model_types = "", BERT_LIKE},
    {.name = "RetriBertTokenizer", .model_types = "retribert", BERT_LIKE},
    {.name = "MPNetTokenizer",
     .model_types = "mpnet",
     .tokens = {[TOKEN_BOS] = "<s>", [TOKEN_EOS] = "</s>", [TOKEN_UNK] = "[UNK]",
                [TOKEN_SEP] = "</s>", [TOKEN_PAD] = "<pad>", [TOKEN_CLS] = "<s>",
                [TOKEN_MASK] = "<mask>"},
     .as_added = AS_NORMALIZED,
     .mask_lstrip = true,
     .mask_normalized = true,
     .sets_normalizer = true},
    {.name = "CLIPTokenizer",
     .model_types = "clip clipseg groupvit owlvit owlv2 xclip aimv2 oneformer omdet-turbo",
     .tokens = {[TOKEN_BOS] = "<|startoftext|>", [TOKEN_EOS] = END_OF_TEXT,
                [TOKEN_UNK] = END_OF_TEXT, [TOKEN_PAD] = END_OF_TEXT},
     .legacy = LEGACY_clip,
     .legacy_as_added = AS_NORMALIZED,
     .strips_decoded = true},
    {.name = "Qwen2Tokenizer",
     .model_types = "qwen2 qwen2_moe qwen2_vl qwen2_5_vl qwen3 qwen3_moe qwen3_vl internvl",
     .tokens = {[TOKEN_EOS] = END_OF_TEXT, [TOKEN_PAD] = END_OF_TEXT},
     .legacy = LEGACY_qwen2,
     .as_added = AS_STRING},
    {.name = "LlamaTokenizer",
     .model_types = "llama llama4 mistral mistral3 mixtral deepseek_v2 deepseek_v3 diffllama jamba "
                    "phi3 zamba persimmon",
     .tokens = {[TOKEN_BOS] = "<s>", [TOKEN_EOS] = "</s>", [TOKEN_UNK] = "<unk>"}},
    {.name = "CodeGenTokenizer",
     .model_types = "codegen phi",
     .tokens = {[TOKEN_BOS] = END_OF_TEXT, [TOKEN_EOS] = END_OF_TEXT, [TOKEN_UNK] = END_OF_TEXT}},
    {.name = "GPTNeoXTokenizer",
     .model_types = "gpt_neox falcon_mamba mamba mamba2 mpt olmo olmo2 olmoe rwkv stablelm xlstm",
     .tokens = {[TOKEN_BOS] = END_OF_TEXT, [TOKEN_EOS] = END_OF_TEXT, [TOKEN_UNK] = END_OF_TEXT}},
};
/* clang-format on */

/* "GPT2TokenizerFast" is "GPT2Tokenizer". */
const struct tokenizer_class *class_named(const char *name) {
    size_t len = strlen(name);
    if (len > 4 && strcmp(name + len - 4, "Fast") == 0)
        len -= 4;
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (strlen(classes[i].name) == len && memcmp(classes[i].name, name, len) == 0)
            return &classes[i];
    return NULL;
}

static bool has_word(const char *words, const char *word) {
    const size_t len = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == 0 || at[len] == ' '))
            return true;
    return false;
}

const struct tokenizer_class *class_for_model_type(const char *model_type) {
    if (!*model_type)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (has_word(classes[i].model_types, model_type))
            return &classes[i];
    return NULL;
}

const struct tokenizer_class *class_generic(void) {
    return &classes[0];
}
