/* Which tokens are special, with which flags, and in which order they get their ids.
 *
 * transformers first takes the tokens of added_tokens_decoder, else of the older files; then every
 * role's token: an AddedToken is always added again (it never equals a string there), a string
 * only when it is not an added token yet. */
#include "tokenizer/special_tokens.h"

#include "tokenizer/slow.h"

#include "base/banned.h"

const char *const special_role_names[TOKEN_ROLES] = {
    [TOKEN_BOS] = "bos_token",   [TOKEN_EOS] = "eos_token", [TOKEN_UNK] = "unk_token",
    [TOKEN_SEP] = "sep_token",   [TOKEN_PAD] = "pad_token", [TOKEN_CLS] = "cls_token",
    [TOKEN_MASK] = "mask_token",
};

/* ---- one token ----------------------------------------------------------------------------- */

static struct added_token added_from(struct loader *loader, const struct json *object,
                                     bool special) {
    const struct json *content = json_get(object, "content");
    struct added_token token = {0};
    if (!json_is(content, JSON_STRING))
        return token;
    token.content = arena_strndup(loader_arena(loader), content->text, content->len);
    token.len = content->len;
    token.single_word = json_get_bool(object, "single_word", false);
    token.lstrip = json_get_bool(object, "lstrip", false);
    token.rstrip = json_get_bool(object, "rstrip", false);
    token.special = special || json_get_bool(object, "special", false);
    token.normalized = json_get_bool(object, "normalized", !token.special);
    return token;
}

static struct special special_string(struct loader *loader, const char *text, size_t len) {
    struct special special = {arena_strndup(loader_arena(loader), text, len), len, false, {0}};
    special.flags = (struct added_token){.content = special.content, .len = len, .special = true};
    return special;
}

/* A string or an object of AddedToken's members; content NULL for anything else. */
static struct special special_parse(struct loader *loader, const struct json *value) {
    if (json_is(value, JSON_STRING))
        return special_string(loader, value->text, value->len);
    struct special special = {0};
    if (json_is(value, JSON_OBJECT)) {
        special.flags = added_from(loader, value, false);
        if (!loader->legacy && !json_get(value, "normalized"))
            special.flags.normalized = false; /* as transformers leaves it open */
        special.content = special.flags.content;
        special.len = special.flags.len;
        special.is_added = true;
    }
    return special;
}

/* The older special_tokens_map.json counts only when there is no added_tokens_decoder. */
static const struct json *special_value(const struct loader *loader, const char *name) {
    const struct json *map = json_get(loader->special_tokens_map, name);
    if (map && !json_get(loader->tokenizer_config, "added_tokens_decoder"))
        return map;
    return json_get(loader->tokenizer_config, name);
}

/* The token of this text in added_tokens_decoder, or in tokenizer.json without one. */
static bool declared(struct loader *loader, const char *content, size_t len,
                     struct added_token *out) {
    const struct json *decoder = json_get(loader->tokenizer_config, "added_tokens_decoder");
    const struct json *list = decoder ? NULL : json_get(loader->tokenizer_json, "added_tokens");
    const uint32_t n = decoder ? decoder->len : json_is(list, JSON_ARRAY) ? list->len : 0;
    bool found = false;
    for (uint32_t i = 0; i < n; i++) {
        const struct json *object = decoder && json_is(decoder, JSON_OBJECT)
                                        ? &decoder->members[i].value
                                        : json_at(list, i);
        const struct json *text = json_get(object, "content");
        if (!json_is(text, JSON_STRING) || text->len != len || memcmp(text->text, content, len))
            continue;
        *out = added_from(loader, object, false);
        found = true;
    }
    return found;
}

static struct special class_default(struct loader *loader, enum special_token role) {
    const struct tokenizer_class *class = loader->class;
    const char *text = class ? class->tokens[role] : NULL;
    if (class && loader->legacy && class->slow_tokens[role])
        text = class->slow_tokens[role];
    return text ? special_string(loader, text, strlen(text)) : (struct special){0};
}

/* A string becomes an added token in some constructors, masks above all. */
static void class_flags(const struct loader *loader, struct special *special,
                        enum special_token role) {
    const struct tokenizer_class *class = loader->class;
    if (!special->content || special->is_added || !class)
        return;
    const struct token_forms *forms = loader->legacy ? &class->slow : &class->fast;
    if ((forms->added | forms->normalized) >> role & 1) {
        special->is_added = true;
        special->flags.normalized = forms->normalized >> role & 1;
    }
    if (role == TOKEN_MASK && forms->mask != MASK_AS_IS) {
        special->is_added = true;
        special->flags.lstrip = true;
        special->flags.normalized = forms->mask == MASK_LSTRIP_NORMALIZED;
    }
}

struct special special_of_role(const struct loader *constant, enum special_token role) {
    struct loader *loader = (struct loader *)constant;
    const struct json *value = special_value(loader, special_role_names[role]);
    struct special special = special_parse(loader, value);
    struct added_token known;
    if (special.content && declared(loader, special.content, special.len, &known)) {
        special.flags = known;
        special.is_added = true;
    }
    if (!value) {
        special = class_default(loader, role);
        const char *padding =
            json_get_string(json_get(loader->tokenizer_json, "padding"), "pad_token", NULL);
        if (!special.content && role == TOKEN_PAD && padding && loader->class)
            special = special_string(loader, padding, strlen(padding));
    }
    class_flags(loader, &special, role);
    return special;
}

const char *special_content(const struct loader *loader, enum special_token role) {
    return special_of_role(loader, role).content;
}

/* ---- all of them --------------------------------------------------------------------------- */

struct specials {
    struct special *items;
    size_t n, cap;
    size_t n_roles; /* the first ones; a token behind them may come twice, with other flags */
};

static void specials_add(struct specials *specials, struct special special) {
    if (!special.content || special.len == 0)
        return;
    const size_t known = specials->n_roles ? specials->n_roles : specials->n;
    for (size_t i = 0; i < known; i++)
        if (specials->items[i].len == special.len &&
            memcmp(specials->items[i].content, special.content, special.len) == 0)
            return;
    specials->items =
        mem_grow(specials->items, &specials->cap, specials->n + 1, sizeof *specials->items);
    specials->items[specials->n++] = special;
}

/* ---- additional special tokens ------------------------------------------------------------- */

static void add_words(struct loader *loader, struct specials *specials, const char *words) {
    for (const char *at = words; *at;) {
        const size_t len = strcspn(at, " ");
        specials_add(specials, special_string(loader, at, len));
        at += len + (at[len] == ' ');
    }
}

static void add_list(struct loader *loader, struct specials *specials, const struct json *list) {
    for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->len; i++)
        specials_add(specials, special_parse(loader, json_at(list, i)));
}

static void add_numbered(struct loader *loader, struct specials *specials, const char *name,
                         int64_t from, int64_t to) {
    char text[64];
    for (int64_t i = from; i < to && i < LIMIT_VOCAB_SIZE; i++) {
        const int len = snprintf(text, sizeof text, "<%s_%lld>", name, (long long)i);
        specials_add(specials, special_string(loader, text, (size_t)len));
    }
}

static bool list_mentions(struct loader *loader, const struct json *list, const char *part) {
    for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->len; i++) {
        const struct special special = special_parse(loader, json_at(list, i));
        if (special.content && strstr(special.content, part))
            return true;
    }
    return false;
}

const char *special_setting(const struct loader *loader, const char *key, const char *otherwise) {
    const struct json *value = json_get(loader->tokenizer_config, key);
    if (json_is(value, JSON_OBJECT))
        value = json_get(value, "content");
    if (!value)
        return otherwise;
    return json_is(value, JSON_STRING) ? value->text : NULL;
}

/* The sentence mask, what is given, and <unk_…> for the rest of the `offset` first ids. */
static void add_pegasus(struct loader *loader, struct specials *specials,
                        const struct json *given) {
    const int64_t offset = json_get_int(loader->tokenizer_config, "offset", 103);
    const char *mask = special_setting(loader, "mask_token_sent", "<mask_1>");
    int64_t n = json_is(given, JSON_ARRAY) ? given->len : 0;
    if (mask && (!json_is(given, JSON_ARRAY) || !list_mentions(loader, given, mask))) {
        specials_add(specials, special_string(loader, mask, strlen(mask)));
        n++;
    }
    add_list(loader, specials, given);
    add_numbered(loader, specials, "unk", json_is(given, JSON_ARRAY) ? n : 2,
                 json_is(given, JSON_ARRAY) ? offset - 1 : offset);
}

static void add_infilling(struct loader *loader, struct specials *specials) {
    static const struct {
        const char *key, *otherwise;
    } rows[] = {{"prefix_token", "\xE2\x96\x81<PRE>"},
                {"middle_token", "\xE2\x96\x81<MID>"},
                {"suffix_token", "\xE2\x96\x81<SUF>"},
                {"eot_token", "\xE2\x96\x81<EOT>"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *text = special_setting(loader, rows[i].key, rows[i].otherwise);
        if (text)
            specials_add(specials, special_string(loader, text, strlen(text)));
    }
}

/* special_tokens_map.json's list comes behind tokenizer_config.json's. */
static void add_given(struct loader *loader, struct specials *specials) {
    const struct json *map = json_get(loader->special_tokens_map, "additional_special_tokens");
    add_list(loader, specials, json_get(loader->tokenizer_config, "additional_special_tokens"));
    if (!json_get(loader->tokenizer_config, "added_tokens_decoder"))
        add_list(loader, specials, map);
}

static void add_extra(struct loader *loader, struct specials *specials) {
    const struct tokenizer_class *class = loader->class;
    const enum class_extra rule = class ? class->extra : EXTRA_GIVEN;
    const struct json *given = special_value(loader, "additional_special_tokens");
    const bool is_given = json_is(given, JSON_ARRAY);
    if (rule == EXTRA_PEGASUS) {
        add_pegasus(loader, specials, given);
        return;
    }
    const bool has_codes = json_get_string(loader->tokenizer_config, "lang_codes", NULL) != NULL;
    if (rule == EXTRA_IN_FRONT || (rule == EXTRA_CODES && has_codes))
        add_words(loader, specials, class->extra_tokens);
    add_given(loader, specials);
    if (rule == EXTRA_BEHIND || (rule == EXTRA_DEFAULT && !is_given) ||
        (rule == EXTRA_SLOW && loader->legacy && !is_given))
        add_words(loader, specials, class->extra_tokens);
    if (rule == EXTRA_T5 && !(is_given && list_mentions(loader, given, "<extra_id_")))
        add_numbered(loader, specials, "extra_id", 0,
                     json_get_int(loader->tokenizer_config, "extra_ids", 100));
    if (rule == EXTRA_BYT5 && !is_given)
        add_numbered(loader, specials, "extra_id", 0,
                     json_get_int(loader->tokenizer_config, "extra_ids", 125));
    if (rule == EXTRA_INFILLING)
        add_infilling(loader, specials);
    const char *question = special_setting(loader, "question_token", "[QUESTION]");
    if (rule == EXTRA_QUESTION && question)
        specials_add(specials, special_string(loader, question, strlen(question)));
}

static void specials_collect(struct loader *loader, struct specials *specials) {
    for (int role = 0; role < TOKEN_ROLES; role++)
        specials_add(specials, special_of_role(loader, (enum special_token)role));
    specials->n_roles = specials->n;
    add_extra(loader, specials);
    const struct json *extra = json_get(loader->tokenizer_config, "extra_special_tokens");
    for (uint32_t i = 0; json_is(extra, JSON_OBJECT) && i < extra->len; i++)
        specials_add(specials, special_parse(loader, &extra->members[i].value));
}

/* ---- adding -------------------------------------------------------------------------------- */

static bool in_specials(const struct specials *specials, const char *content, size_t len) {
    for (size_t i = 0; i < specials->n; i++)
        if (specials->items[i].len == len && memcmp(specials->items[i].content, content, len) == 0)
            return true;
    return false;
}

struct numbered {
    int64_t id;
    size_t place; /* of tokens with the same id the last one counts */
    bool is_open; /* "normalized" is not said: a special token is not */
    struct added_token token;
};

struct numbered_list {
    struct numbered *items;
    size_t n;
    struct arena *arena;
};

static int by_id(const void *a, const void *b) {
    const struct numbered *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void numbered_reserve(struct numbered_list *list, size_t more) {
    struct numbered *items = arena_alloc(list->arena, (list->n + more + 1) * sizeof *items);
    if (list->n > 0)
        memcpy(items, list->items, list->n * sizeof *items);
    list->items = items;
}

static void numbered_put(struct numbered_list *list, int64_t id, bool is_open,
                         struct added_token token) {
    if (!token.content)
        return;
    list->items[list->n] = (struct numbered){id, list->n, is_open, token};
    list->n++;
}

static bool names(const struct json *value, const struct json_member *token, bool objects) {
    if (json_is(value, JSON_OBJECT) && objects)
        value = json_get(value, "content");
    return json_is(value, JSON_STRING) && value->len == token->key_len &&
           memcmp(value->text, token->key, token->key_len) == 0;
}

/* Whether the files call a token of added_tokens.json special. Objects count in
 * special_tokens_map.json alone, defaults of the class not at all. */
static bool is_named(const struct loader *loader, const struct json_member *token) {
    const struct json *const files[] = {loader->tokenizer_config, loader->special_tokens_map};
    for (size_t f = 0; f < ARRAY_LEN(files); f++) {
        const struct json *list = json_get(files[f], "additional_special_tokens");
        for (int role = 0; role < TOKEN_ROLES; role++) {
            const char *name = special_role_names[role];
            if ((f == 1 || !json_get(loader->special_tokens_map, name)) &&
                names(json_get(files[f], name), token, f == 1))
                return true;
        }
        for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->len; i++)
            if (names(json_at(list, i), token, f == 1))
                return true;
    }
    return false;
}

/* added_tokens.json: {"token": id}. */
static void numbered_older(struct loader *loader, struct numbered_list *list,
                           const struct json *file) {
    if (!json_is(file, JSON_OBJECT))
        return;
    numbered_reserve(list, file->len);
    for (uint32_t i = 0; i < file->len; i++) {
        const struct json_member *member = &file->members[i];
        const bool special = is_named(loader, member);
        int64_t id = 0;
        json_to_int(&member->value, &id);
        numbered_put(list, id, false,
                     (struct added_token){.content = arena_strndup(loader_arena(loader),
                                                                   member->key, member->key_len),
                                          .len = member->key_len,
                                          .normalized = !special,
                                          .special = special});
    }
}

/* added_tokens_decoder {"id": {…}}, or what there was before it: added_tokens.json and the tokens
 * of tokenizer.json. Sorted by id. */
static struct numbered_list numbered_tokens(struct loader *loader,
                                            const struct json *added_tokens_json) {
    const struct json *decoder = json_get(loader->tokenizer_config, "added_tokens_decoder");
    const struct json *tokens = json_get(loader->tokenizer_json, "added_tokens");
    struct numbered_list list = {.arena = &loader->arena};
    if (loader->class->drops_added)
        return list;
    if (json_is(decoder, JSON_OBJECT)) {
        numbered_reserve(&list, decoder->len);
        for (uint32_t i = 0; i < decoder->len; i++)
            numbered_put(&list, strtoll(decoder->members[i].key, NULL, 10),
                         !json_get(&decoder->members[i].value, "normalized"),
                         added_from(loader, &decoder->members[i].value, false));
    } else if (!decoder) {
        numbered_older(loader, &list, added_tokens_json);
        numbered_reserve(&list, json_is(tokens, JSON_ARRAY) ? tokens->len : 0);
        for (uint32_t i = 0; json_is(tokens, JSON_ARRAY) && i < tokens->len; i++)
            numbered_put(&list, json_get_int(json_at(tokens, i), "id", 0), false,
                         added_from(loader, json_at(tokens, i), false));
    }
    if (list.n > 0)
        qsort(list.items, list.n, sizeof *list.items, by_id);
    return list;
}

static const struct json *added_tokens_file(struct loader *loader) {
    const char *path = path_join(&loader->arena, loader->folder, "added_tokens.json");
    char *data;
    size_t len;
    const struct json *out = NULL;
    struct error ignored;
    if (!file_exists(path) ||
        file_read(&data, &len, &loader->arena, path, LIMIT_JSON_FILE, &ignored) != STATUS_OK ||
        json_parse(&out, &loader->arena, data, len, JSON_PYTHON, &ignored) != STATUS_OK)
        return NULL;
    return out;
}

/* As PreTrainedTokenizer's constructor: what has an id keeps it, the roles' tokens come behind. */
static void add_slow(struct loader *loader, const struct specials *specials) {
    struct tokenizer *tokenizer = loader->tokenizer;
    const struct numbered_list list = numbered_tokens(loader, added_tokens_file(loader));
    for (size_t i = 0; i < specials->n; i++) {
        struct added_token token = specials->items[i].flags;
        token.special = true;
        added_special(tokenizer, token);
    }
    for (size_t i = 0; i < list.n; i++)
        if (list.items[i].id >= 0 && list.items[i].id < LIMIT_VOCAB_SIZE &&
            list.items[i].token.len > 0 &&
            (i + 1 == list.n || list.items[i + 1].id != list.items[i].id))
            slow_put(tokenizer, list.items[i].token, (uint32_t)list.items[i].id);
    for (size_t i = 0; i < specials->n; i++) {
        struct added_token token = specials->items[i].flags;
        token.special = true;
        if (specials->items[i].is_added ||
            vocab_find(&tokenizer->added.vocab, token.content, token.len) < 0)
            slow_add(tokenizer, token);
    }
}

/* One call of the library's add_tokens. It passes over what was the same before the call, even when
 * a token in front has changed that. */
struct batch {
    struct added_token *tokens, *before; /* before: content NULL, not an added token */
    size_t n;
};

static void batch_put(const struct loader *loader, struct batch *batch, struct added_token token) {
    const struct added *added = &loader->tokenizer->added;
    const int32_t id = vocab_find(&added->vocab, token.content, token.len);
    batch->before[batch->n] = id < 0 ? (struct added_token){0} : added->by_id[id];
    batch->tokens[batch->n++] = token;
}

static bool is_same(const struct added_token *a, const struct added_token *b) {
    return b->content && a->single_word == b->single_word && a->lstrip == b->lstrip &&
           a->rstrip == b->rstrip && a->normalized == b->normalized && a->special == b->special;
}

static bool in_batch(const struct batch *batch, size_t n, const char *content, size_t len) {
    for (size_t i = 0; i < n; i++)
        if (batch->tokens[i].len == len && memcmp(batch->tokens[i].content, content, len) == 0)
            return true;
    return false;
}

static void add_all(struct loader *loader, const struct specials *specials) {
    struct tokenizer *tokenizer = loader->tokenizer;
    if (tokenizer->slow) {
        add_slow(loader, specials);
        return;
    }
    const struct numbered_list list = numbered_tokens(loader, added_tokens_file(loader));
    struct batch batch = {
        .tokens = arena_alloc(&loader->arena, (list.n + specials->n + 1) * sizeof *batch.tokens),
        .before = arena_alloc(&loader->arena, (list.n + specials->n + 1) * sizeof *batch.before)};
    for (size_t i = 0; i < list.n; i++) {
        if (i + 1 < list.n && list.items[i + 1].id == list.items[i].id)
            continue;
        struct added_token token = list.items[i].token;
        const bool special = token.special || in_specials(specials, token.content, token.len);
        if (special && !token.special && list.items[i].is_open)
            token.normalized = false;
        token.special = special;
        batch_put(loader, &batch, token);
    }
    const size_t n_numbered = batch.n;
    for (size_t i = 0; i < specials->n; i++) {
        const struct special *special = &specials->items[i];
        if (!special->is_added &&
            (vocab_find(&tokenizer->added.vocab, special->content, special->len) >= 0 ||
             in_batch(&batch, n_numbered, special->content, special->len)))
            continue;
        struct added_token token = special->flags;
        token.special = true;
        batch_put(loader, &batch, token);
    }
    for (size_t i = 0; i < batch.n; i++)
        if (!is_same(&batch.tokens[i], &batch.before[i]))
            added_add(tokenizer, batch.tokens[i]);
}

int32_t special_declared_id(struct loader *loader, const char *content, size_t len) {
    const struct json *decoder = json_get(loader->tokenizer_config, "added_tokens_decoder");
    const struct json *source = decoder ? decoder : added_tokens_file(loader);
    int64_t id = -1;
    for (uint32_t i = 0; json_is(source, JSON_OBJECT) && i < source->len; i++) {
        const struct json_member *member = &source->members[i];
        const struct json *text = decoder ? json_get(&member->value, "content") : NULL;
        if (decoder && json_is(text, JSON_STRING) && text->len == len &&
            memcmp(text->text, content, len) == 0)
            id = strtoll(member->key, NULL, 10);
        if (!decoder && member->key_len == len && memcmp(member->key, content, len) == 0)
            json_to_int(&member->value, &id);
    }
    return id < 0 || id >= LIMIT_VOCAB_SIZE ? -1 : (int32_t)id;
}

enum status special_tokens_apply(struct loader *loader, struct error *err) {
    struct tokenizer *tokenizer = loader->tokenizer;
    struct specials specials = {0};
    specials_collect(loader, &specials);
    if (loader->class)
        add_all(loader, &specials);
    for (int role = 0; role < TOKEN_ROLES; role++) {
        const struct special special = special_of_role(loader, (enum special_token)role);
        tokenizer->roles[role] =
            special.content ? tokenizer_token_to_id(tokenizer, special.content, special.len) : -1;
    }
    mem_free(specials.items);
    return STATUS_OK;
}
