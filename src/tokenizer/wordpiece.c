/* WordPiece: the longest token that a word starts with, again and again; and WordLevel, which
 * knows whole words only. (Schuster and Nakajima 2012; `tokenizers` models/wordpiece.) */
#include "tokenizer/pipeline.h"

#include "base/banned.h"

struct wordpiece {
    const char *unk_token;
    const char *prefix; /* of what continues a word */
    size_t prefix_len;
    uint64_t prefix_hash;
    size_t max_chars; /* longer words are unknown */
};

enum status wordpiece_parse(struct model *model, struct loader *loader, const struct json *config,
                            struct error *err) {
    struct arena *arena = loader_arena(loader);
    struct wordpiece *state = arena_zalloc(arena, 1, sizeof *state);
    state->unk_token = arena_printf(arena, "%s", json_get_string(config, "unk_token", "[UNK]"));
    state->prefix =
        arena_printf(arena, "%s", json_get_string(config, "continuing_subword_prefix", "##"));
    state->prefix_len = strlen(state->prefix);
    state->prefix_hash = vocab_hash(VOCAB_HASH_START, state->prefix, state->prefix_len);
    const int64_t most = json_get_int(config, "max_input_chars_per_word", 100);
    if (most < 0)
        return ERR(err, MODEL, "max_input_chars_per_word is %lld, must be 0 or more",
                   (long long)most);
    state->max_chars = (size_t)most;
    model->state = state;
    model->continuing_subword_prefix = state->prefix;
    return STATUS_OK;
}

static void unknown(const struct tokenizer *tokenizer, const char *unk_token,
                    const struct piece *piece, struct model_call *call) {
    const int32_t id = vocab_find(&tokenizer->vocab, unk_token, strlen(unk_token));
    if (id < 0)
        call->failed = true;
    else
        model_token(call, id, 0, piece->text.len);
}

/* The longest token at data[0, len), continuing a word or not; *taken is 0 when there is none. */
static int32_t longest(const struct vocab *vocab, const struct wordpiece *state, const char *data,
                       size_t len, bool continues, struct arena *scratch, size_t *taken) {
    uint64_t few[64];
    const size_t head_len = continues ? state->prefix_len : 0;
    size_t most = vocab->longest > head_len ? vocab->longest - head_len : 0;
    if (most > len)
        most = len;
    uint64_t *hashes = most <= ARRAY_LEN(few) ? few : arena_alloc(scratch, most * sizeof *hashes);
    uint64_t hash = continues ? state->prefix_hash : VOCAB_HASH_START;
    for (size_t i = 0; i < most; i++)
        hashes[i] = hash = vocab_hash(hash, data + i, 1);
    for (size_t n = most; n > 0; n--) {
        if (n < len && ((unsigned char)data[n] & 0xC0) == 0x80)
            continue;
        const int32_t id =
            vocab_find_hashed(vocab, hashes[n - 1], state->prefix, head_len, data, n);
        if (id >= 0) {
            *taken = n;
            return id;
        }
    }
    *taken = 0;
    return -1;
}

void wordpiece_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                        struct model_call *call) {
    const struct wordpiece *state = tokenizer->model.state;
    const struct text *text = &piece->text;
    const size_t first = call->tokens->n;
    if (text->len > state->max_chars && utf8_count(text->data, text->len) > state->max_chars) {
        unknown(tokenizer, state->unk_token, piece, call);
        return;
    }
    for (size_t pos = 0; pos < text->len;) {
        size_t taken;
        const int32_t id = longest(&tokenizer->vocab, state, text->data + pos, text->len - pos,
                                   pos > 0, call->scratch, &taken);
        if (id < 0) {
            call->tokens->n = first;
            unknown(tokenizer, state->unk_token, piece, call);
            return;
        }
        model_token(call, id, pos, pos + taken);
        pos += taken;
    }
}

/* ---- WordLevel ----------------------------------------------------------------------------- */

enum status wordlevel_parse(struct model *model, struct loader *loader, const struct json *config,
                            struct error *err) {
    model->state =
        arena_printf(loader_arena(loader), "%s", json_get_string(config, "unk_token", "<unk>"));
    return STATUS_OK;
}

void wordlevel_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                        struct model_call *call) {
    const int32_t id = vocab_find(&tokenizer->vocab, piece->text.data, piece->text.len);
    if (id >= 0)
        model_token(call, id, 0, piece->text.len);
    else
        unknown(tokenizer, tokenizer->model.state, piece, call);
}
