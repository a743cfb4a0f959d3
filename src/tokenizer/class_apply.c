/* What the constructors of transformers' classes do to a loaded pipeline: settings of
 * tokenizer_config.json go into normalizer and post-processor, beginnings, ends and languages get
 * their template. The rows of classes.c say which. */
#include "tokenizer/legacy.h"

#include "base/banned.h"

static bool flag(const struct loader *loader, const char *key, bool otherwise) {
    return json_get_bool(loader->tokenizer_config, key, otherwise);
}

static bool prefix_space(const struct loader *loader) {
    return flag(loader, "add_prefix_space", loader->class->prefix_space);
}

static void set_normalizer(struct loader *loader) {
    const struct json *strip = json_get(loader->tokenizer_config, "strip_accents");
    if (!stage_is(loader->tokenizer->normalizer, "BertNormalizer"))
        return;
    struct bert_normalizer *bert = loader->tokenizer->normalizer->state;
    bert->lowercase = flag(loader, "do_lower_case", true);
    bert->strip_accents = json_is(strip, JSON_BOOL) ? strip->boolean : -1;
    if (loader->class->normalizer == NORMALIZER_BERT)
        bert->handle_chinese_chars = flag(loader, "tokenize_chinese_chars", true);
}

static void set_byte_level(struct loader *loader) {
    struct stage *processor = loader->tokenizer->post_processor;
    const bool trims = flag(loader, "trim_offsets", true);
    if (stage_is(processor, "RobertaProcessing")) {
        struct cls_sep *state = processor->state;
        state->add_prefix_space = prefix_space(loader);
        state->trim_offsets = trims;
    } else if (stage_is(processor, "ByteLevel")) {
        struct byte_level *state = processor->state;
        state->add_prefix_space = prefix_space(loader);
        state->trim_offsets = trims;
    }
}

/* ---- beginnings and ends ------------------------------------------------------------------- */

/* The role's token with ":type" behind it when the setting asks for it, else "". */
static enum status boundary(struct loader *loader, const char **first, const char **second,
                            bool asked, enum special_token role, struct error *err) {
    *first = *second = "";
    if (!asked)
        return STATUS_OK;
    const char *content = special_content(loader, role);
    if (!content)
        return ERR(err, MODEL, "add_%s is true, but there is no %s", special_role_names[role],
                   special_role_names[role]);
    const bool in_front = role == TOKEN_BOS;
    *first = arena_printf(&loader->arena, in_front ? "%s:0 " : " %s:0", content);
    *second = arena_printf(&loader->arena, " %s:1", content);
    return STATUS_OK;
}

static enum status set_boundaries(struct loader *loader, struct error *err) {
    const char *bos, *bos_again, *eos, *eos_again;
    const bool begins = flag(loader, "add_bos_token", loader->class->post == POST_BOS);
    const bool ends = flag(loader, "add_eos_token", false);
    if (boundary(loader, &bos, &bos_again, begins, TOKEN_BOS, err) != STATUS_OK ||
        boundary(loader, &eos, &eos_again, ends, TOKEN_EOS, err) != STATUS_OK)
        return STATUS_ERROR;
    const char *single = arena_printf(&loader->arena, "%s$A:0%s", bos, eos);
    const char *pair = arena_printf(&loader->arena, "%s%s $B:1%s", single, bos_again, eos_again);
    return template_set(loader, single, pair, err);
}

/* ---- languages ----------------------------------------------------------------------------- */

/* "eng" is "__eng__" to SeamlessM4T; what has the form already is left as it is. */
static void language_token(char *out, size_t size, const char *format, const char *code) {
    const size_t head = strcspn(format, "%");
    const bool has_form = head > 0 && strstr(code, "__") != NULL;
    snprintf(out, size, "%.*s%s%s", has_form ? 0 : (int)head, format, code,
             has_form ? "" : format + head + 2);
}

static enum status set_language(struct loader *loader, struct error *err) {
    const struct tokenizer_class *class = loader->class;
    struct tokenizer *tokenizer = loader->tokenizer;
    const char *code =
        json_get_string(loader->tokenizer_config, "src_lang", class->source_language);
    const char *eos = special_content(loader, TOKEN_EOS);
    char language[LIMIT_ERROR_TEXT];
    tokenizer->language_format = class->language_format ? class->language_format : "%s";
    language_token(language, sizeof language, tokenizer->language_format, code);
    tokenizer->language = tokenizer_token_to_id(tokenizer, language, strlen(language));
    const bool behind =
        class->post == POST_LANGUAGE_BEHIND ||
        (class->post == POST_LANGUAGE_NLLB && flag(loader, "legacy_behaviour", false));
    if (!eos)
        return ERR(err, MODEL, "eos_token is null, but a %s ends texts with it", class->name);
    const char *parts[2];
    for (int i = 0; i < 2; i++) {
        const char *texts = i == 0 ? "$A" : "$A $B";
        parts[i] = behind ? arena_printf(&loader->arena, "%s %s %s", texts, eos, language)
                          : arena_printf(&loader->arena, "%s %s %s", language, texts, eos);
    }
    return template_set(loader, parts[0], parts[1], err);
}

/* ---- public -------------------------------------------------------------------------------- */

enum status class_apply(struct loader *loader, struct error *err) {
    struct tokenizer *tokenizer = loader->tokenizer;
    const struct tokenizer_class *class = loader->class;
    if (!class)
        return STATUS_OK;
    if (stage_is(tokenizer->pre_tokenizer, "ByteLevel")) {
        struct byte_level *state = tokenizer->pre_tokenizer->state;
        state->add_prefix_space = prefix_space(loader);
    }
    if (class->normalizer != NORMALIZER_KEPT)
        set_normalizer(loader);
    tokenizer->strip_decoded = class->strips_decoded;
    switch (class->post) {
    case POST_KEPT:
        return STATUS_OK;
    case POST_BYTE_LEVEL:
        set_byte_level(loader);
        return STATUS_OK;
    case POST_BOS:
    case POST_BOS_OFF:
        return set_boundaries(loader, err);
    default:
        return set_language(loader, err);
    }
}

bool tokenizer_has_languages(const struct tokenizer *tokenizer) {
    return tokenizer->language_format != NULL;
}

/* A special token without a role; the classes of Python alone keep no list of those. */
static bool is_language(const struct tokenizer *tokenizer, int32_t id) {
    if (id < 0 || (!tokenizer->slow && !tokenizer_is_special(tokenizer, id)))
        return false;
    for (int role = 0; role < TOKEN_ROLES; role++)
        if (tokenizer->roles[role] == id)
            return false;
    return true;
}

int32_t tokenizer_language(const struct tokenizer *tokenizer, const char *code) {
    char language[LIMIT_ERROR_TEXT];
    if (!tokenizer->language_format)
        return -1;
    language_token(language, sizeof language, tokenizer->language_format, code);
    const int32_t id = tokenizer_token_to_id(tokenizer, language, strlen(language));
    return is_language(tokenizer, id) ? id : -1;
}

int32_t tokenizer_next_language(const struct tokenizer *tokenizer, int32_t id, struct arena *arena,
                                const char **code) {
    const char *format = tokenizer->language_format;
    const int32_t end = format ? (int32_t)tokenizer_vocab_size(tokenizer) : 0;
    const size_t head = format ? strcspn(format, "%") : 0; /* as long as the tail */
    while (++id < end) {
        size_t len;
        const char *token = tokenizer_token_n(tokenizer, id, &len);
        if (!token || len <= 2 * head || memcmp(token, format, head) != 0 ||
            memcmp(token + len - head, format, head) != 0 || !is_language(tokenizer, id))
            continue;
        *code = arena_strndup(arena, token + head, len - 2 * head);
        return id;
    }
    return -1;
}

int32_t tokenizer_source_language(const struct tokenizer *tokenizer) {
    return tokenizer->source;
}

int32_t tokenizer_target_language(const struct tokenizer *tokenizer) {
    return tokenizer->target;
}
