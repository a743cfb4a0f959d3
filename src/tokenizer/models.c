/* The table of models, and what they share: the vocabulary of tokenizer.json and the list of
 * tokens that a call fills. The models themselves are in bpe.c, wordpiece.c and unigram.c. */
#include "tokenizer/pipeline.h"

#include "base/banned.h"

static const struct model_kind kinds[] = {
    {.type = "BPE", .parse = bpe_parse, .tokenize = bpe_tokenize, .destroy = bpe_destroy},
    {.type = "WordPiece", .parse = wordpiece_parse, .tokenize = wordpiece_tokenize},
    {.type = "WordLevel", .parse = wordlevel_parse, .tokenize = wordlevel_tokenize},
    {.type = "Unigram",
     .parse = unigram_parse,
     .tokenize = unigram_tokenize,
     .destroy = unigram_destroy,
     .reads_vocab = true},
};

static enum status vocab_parse(struct vocab *vocab, const struct json *object, struct error *err) {
    if (!json_is(object, JSON_OBJECT))
        return ERR(err, MODEL, "\"vocab\" is missing");
    vocab_reserve(vocab, object->len);
    for (uint32_t i = 0; i < object->len; i++) {
        const struct json_member *member = &object->members[i];
        int64_t id;
        if (!json_to_int(&member->value, &id) || id < 0 || id >= LIMIT_VOCAB_SIZE)
            return ERR(err, MODEL, "the id of token \"%.*s\" must be 0 to %d",
                       (int)(member->key_len > 60 ? 60 : member->key_len), member->key,
                       LIMIT_VOCAB_SIZE - 1);
        vocab_put(vocab, member->key, member->key_len, (uint32_t)id);
    }
    return STATUS_OK;
}

/* Files older than the "type" member: told by what they hold, as the library does. */
static const char *untyped(const struct json *config) {
    if (json_get(config, "merges"))
        return "BPE";
    if (json_is(json_get(config, "vocab"), JSON_ARRAY))
        return "Unigram";
    return json_get(config, "continuing_subword_prefix") ? "WordPiece" : "WordLevel";
}

enum status model_parse(struct loader *loader, const struct json *config, struct error *err) {
    struct tokenizer *tokenizer = loader->tokenizer;
    if (!json_is(config, JSON_OBJECT))
        return ERR(err, MODEL, "\"model\" is missing");
    const char *type = json_get_string(config, "type", untyped(config));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].type, type) != 0)
            continue;
        tokenizer->model.kind = &kinds[i];
        if (!loader->legacy && !kinds[i].reads_vocab &&
            vocab_parse(&tokenizer->vocab, json_get(config, "vocab"), err) != STATUS_OK)
            return error_prefix(err, "model %s: ", type);
        if (kinds[i].parse(&tokenizer->model, loader, config, err) != STATUS_OK)
            return error_prefix(err, "model %s: ", type);
        return STATUS_OK;
    }
    return ERR(err, MODEL, "model \"%s\" is not supported", type);
}

void model_token(struct model_call *call, int32_t id, size_t start, size_t end) {
    struct tokens *tokens = call->tokens;
    if (tokens->n == tokens->cap) {
        const size_t cap = tokens->cap ? 2 * tokens->cap : 64;
        struct token *items = arena_alloc(call->scratch, cap * sizeof *items);
        if (tokens->n > 0)
            memcpy(items, tokens->items, tokens->n * sizeof *items);
        tokens->items = items;
        tokens->cap = cap;
    }
    tokens->items[tokens->n++] =
        (struct token){.id = id, .offsets = {(uint32_t)start, (uint32_t)end}};
}
