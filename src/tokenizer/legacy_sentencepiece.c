/* SentencePiece models as transformers' SpmConverter builds them: Unigram or BPE, Metaspace, and
 * the file's charsmap. What the converters of the classes change is a struct recipe; they are in
 * legacy_albert.c, legacy_fairseq.c, legacy_llama.c and legacy_t5.c. */
#include "tokenizer/legacy_sentencepiece.h"

#include "base/banned.h"

/* ---- the vocabulary ------------------------------------------------------------------------ */

void piece_list_add(struct piece_list *list, const char *token, size_t len, double score) {
    list->items = mem_grow(list->items, &list->cap, list->n + 1, sizeof *list->items);
    list->items[list->n++] = (struct scored_piece){token, len, score};
}

void piece_list_words(struct piece_list *list, const char *words, double score) {
    for (const char *at = words; *at;) {
        const size_t len = strcspn(at, " ");
        piece_list_add(list, at, len, score);
        at += len + (at[len] == ' ');
    }
}

void piece_list_pieces(struct piece_list *list, const struct sentencepiece *model, size_t skip) {
    for (size_t i = skip; i < model->n; i++)
        piece_list_add(list, model->pieces[i].data, model->pieces[i].len,
                       (double)model->pieces[i].score);
}

static enum status unigram(struct loader *loader, const struct recipe *recipe,
                           const struct sentencepiece *model, const struct piece_list *list,
                           struct error *err) {
    const int32_t unk = recipe->unk == UNK_AT ? recipe->unk_id : model->unk_id + recipe->unk_id;
    if (legacy_model(loader, "{\"type\":\"Unigram\"}", err) != STATUS_OK)
        return STATUS_ERROR;
    return unigram_build(&loader->tokenizer->model, loader, list->items, list->n, unk,
                         recipe->byte_fallback, err);
}

/* ---- merges -------------------------------------------------------------------------------- */

/* A way to put a piece together: pieces[0, left_len) and the rest. */
struct candidate_merge {
    struct merge_pair pair;
    double score;
    uint32_t left_chars, right_chars;
    int32_t left_id, right_id;
    uint32_t place; /* of the piece in the vocabulary */
};

struct candidates {
    struct candidate_merge *items;
    size_t n, cap;
};

/* generate_merges sorts twice: a piece's ways by the ids of their parts, then all by score, the
 * better first, and the longer parts; what is equal there keeps its order. */
static int by_score(const void *a, const void *b) {
    const struct candidate_merge *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->left_chars != y->left_chars)
        return x->left_chars > y->left_chars ? -1 : 1;
    if (x->right_chars != y->right_chars)
        return x->right_chars > y->right_chars ? -1 : 1;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    if (x->left_id != y->left_id)
        return x->left_id < y->left_id ? -1 : 1;
    return x->right_id < y->right_id ? -1 : x->right_id > y->right_id;
}

/* All ways to split one piece in two that are pieces of the file. */
static void split_piece(struct candidates *out, const struct vocab *vocab,
                        const struct scored_piece *piece, uint32_t place) {
    uint64_t hash = VOCAB_HASH_START;
    const uint32_t chars = (uint32_t)utf8_count(piece->data, piece->len);
    uint32_t left_chars = 0;
    for (size_t at = 0;;) {
        const size_t before = at;
        utf8_next(piece->data, piece->len, &at);
        left_chars++;
        if (at >= piece->len)
            return;
        hash = vocab_hash(hash, piece->data + before, at - before);
        const int32_t left = vocab_find_hashed(vocab, hash, piece->data, at, NULL, 0);
        const int32_t right = left < 0 ? -1 : vocab_find(vocab, piece->data + at, piece->len - at);
        if (right < 0)
            continue;
        out->items = mem_grow(out->items, &out->cap, out->n + 1, sizeof *out->items);
        out->items[out->n++] =
            (struct candidate_merge){.pair = {piece->data, (uint32_t)piece->len, (uint32_t)at},
                                     .score = piece->score,
                                     .left_chars = left_chars,
                                     .right_chars = chars - left_chars,
                                     .left_id = left,
                                     .right_id = right,
                                     .place = place};
    }
}

static enum status merges(struct loader *loader, const struct vocab *vocab,
                          const struct piece_list *list, struct error *err) {
    struct candidates candidates = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < list->n && candidates.n <= LIMIT_MERGES; i++)
        if (vocab_find(&loader->tokenizer->vocab, list->items[i].data, list->items[i].len) ==
            (int32_t)i) /* of equal pieces the last counts */
            split_piece(&candidates, vocab, &list->items[i], (uint32_t)i);
    if (candidates.n > LIMIT_MERGES) {
        status = ERR(err, MODEL, "its pieces make more than %d merges", LIMIT_MERGES);
    } else {
        qsort(candidates.items, candidates.n, sizeof *candidates.items, by_score);
        struct merge_pair *pairs = mem_alloc(candidates.n * sizeof *pairs);
        for (size_t i = 0; i < candidates.n; i++)
            pairs[i] = candidates.items[i].pair;
        status = bpe_add_pairs(&loader->tokenizer->model, loader, pairs, candidates.n, err);
        mem_free(pairs);
    }
    mem_free(candidates.items);
    return status;
}

static enum status bpe(struct loader *loader, const struct recipe *recipe,
                       const struct sentencepiece *model, const struct piece_list *list,
                       struct error *err) {
    if (list->n > LIMIT_VOCAB_SIZE)
        return ERR(err, MODEL, "it makes %zu tokens, the limit is %d", list->n, LIMIT_VOCAB_SIZE);
    struct vocab parts; /* of the file: what a merge may be of */
    vocab_init(&parts);
    for (size_t i = 0; i < model->n; i++)
        vocab_put(&parts, model->pieces[i].data, model->pieces[i].len, (uint32_t)i);
    if (recipe->tab_is_byte && vocab_find(&parts, "\t", 1) < 0)
        vocab_put(&parts, "\t", 1, (uint32_t)model->n);
    for (size_t i = 0; i < list->n; i++)
        vocab_put(&loader->tokenizer->vocab, list->items[i].data, list->items[i].len, (uint32_t)i);
    const char *settings = arena_printf(
        &loader->arena,
        "{\"type\":\"BPE\",\"merges\":[],\"unk_token\":%s,\"fuse_unk\":true,\"byte_fallback\":%s}",
        legacy_quoted(loader, model->unk_piece), legacy_bool(recipe->byte_fallback));
    enum status status = legacy_model(loader, settings, err);
    if (status == STATUS_OK)
        status = merges(loader, &parts, list, err);
    vocab_deinit(&parts);
    return status;
}

/* ---- added tokens -------------------------------------------------------------------------- */

static bool has_word(const char *words, const char *word, size_t len) {
    for (const char *at = words; at && *at;) {
        const size_t n = strcspn(at, " ");
        if (n == len && memcmp(at, word, len) == 0)
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

/* Control pieces are special added tokens, user-defined ones added tokens. */
static void added_pieces(struct loader *loader, const struct recipe *recipe,
                         const struct sentencepiece *model) {
    for (size_t i = 0; i < model->n; i++) {
        const struct sentencepiece_piece *piece = &model->pieces[i];
        if (piece->type != SENTENCEPIECE_CONTROL && piece->type != SENTENCEPIECE_USER_DEFINED)
            continue;
        added_add(loader->tokenizer,
                  (struct added_token){
                      .content = arena_strndup(loader_arena(loader), piece->data, piece->len),
                      .len = piece->len,
                      .special = piece->type == SENTENCEPIECE_CONTROL ||
                                 has_word(recipe->specials, piece->data, piece->len)});
    }
}

/* ---- normalizers --------------------------------------------------------------------------- */

struct normalizers normalizers_begin(void) {
    struct normalizers list;
    buf_init(&list.text, LIMIT_JSON_FILE);
    buf_puts(&list.text, "{\"type\":\"Sequence\",\"normalizers\":[");
    return list;
}

void normalizers_add(struct normalizers *list, const char *json) {
    if (list->text.data[list->text.len - 1] != '[')
        buf_putc(&list->text, ',');
    buf_puts(&list->text, json);
}

void normalizers_charsmap(struct normalizers *list, const struct sentencepiece *model) {
    if (model->charsmap_len == 0)
        return;
    normalizers_add(list, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"");
    base64_encode(&list->text, model->charsmap, model->charsmap_len);
    buf_puts(&list->text, "\"}");
}

enum status normalizers_end(struct normalizers *list, struct loader *loader, struct error *err) {
    buf_puts(&list->text, "]}");
    const enum status status = list->text.overflow
                                   ? ERR(err, MODEL, "its charsmap is too large")
                                   : legacy_normalizer(loader, list->text.data, err);
    buf_deinit(&list->text);
    return status;
}

static enum status default_normalizer(struct loader *loader, const struct sentencepiece *model,
                                      struct error *err) {
    struct normalizers list = normalizers_begin();
    normalizers_charsmap(&list, model);
    normalizers_add(&list, "{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true}");
    normalizers_add(&list, "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},"
                           "\"content\":\"\xE2\x96\x81\"}");
    return normalizers_end(&list, loader, err);
}

/* ---- the rest ------------------------------------------------------------------------------ */

const char *scheme_of(bool add_prefix_space, bool legacy) {
    if (!add_prefix_space)
        return "never";
    return legacy ? "always" : "first";
}

const char *metaspace(struct loader *loader, const char *scheme) {
    return arena_printf(&loader->arena,
                        "{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\","
                        "\"prepend_scheme\":\"%s\",\"split\":true}",
                        scheme);
}

static enum status stages(struct loader *loader, const struct recipe *recipe,
                          const struct sentencepiece *model, struct error *err) {
    const char *scheme = recipe->scheme ? recipe->scheme(loader) : "always";
    enum status status = recipe->normalizer ? recipe->normalizer(loader, model, err)
                                            : default_normalizer(loader, model, err);
    if (status == STATUS_OK)
        status = recipe->pre_tokenizer
                     ? recipe->pre_tokenizer(loader, scheme, err)
                     : legacy_pre_tokenizer(loader, metaspace(loader, scheme), err);
    if (status == STATUS_OK)
        status = recipe->decoder ? recipe->decoder(loader, scheme, err)
                                 : legacy_decoder(loader, metaspace(loader, scheme), err);
    if (status == STATUS_OK && recipe->single)
        legacy_post(loader, (struct legacy_post){.single = recipe->single, .pair = recipe->pair});
    return status;
}

static enum status check_pieces(const struct sentencepiece *model, struct error *err) {
    for (size_t i = 0; i < model->n; i++)
        if (model->pieces[i].len > LIMIT_PIECE)
            return ERR(err, MODEL, "piece %zu has %u bytes, the limit is %d", i,
                       model->pieces[i].len, LIMIT_PIECE);
    return STATUS_OK;
}

static enum status build(struct loader *loader, const struct recipe *recipe, struct error *err) {
    char *data;
    size_t len;
    struct sentencepiece model;
    const char *path = path_join(&loader->arena, loader->folder, recipe->file);
    if (file_read(&data, &len, &loader->arena, path, LIMIT_SENTENCEPIECE, err) != STATUS_OK ||
        sentencepiece_parse(&model, &loader->arena, data, len, err) != STATUS_OK ||
        check_pieces(&model, err) != STATUS_OK)
        return STATUS_ERROR;
    struct piece_list list = {0};
    if (recipe->vocabulary) {
        recipe->vocabulary(loader, &list, &model);
    } else {
        piece_list_words(&list, recipe->head ? recipe->head : "", 0);
        piece_list_pieces(&list, &model, recipe->skip);
        piece_list_words(&list, recipe->tail ? recipe->tail : "", 0);
    }
    enum status status;
    if (model.model_type == SENTENCEPIECE_UNIGRAM)
        status = unigram(loader, recipe, &model, &list, err);
    else if (model.model_type == SENTENCEPIECE_BPE)
        status = bpe(loader, recipe, &model, &list, err);
    else
        status = ERR(err, MODEL,
                     "models of words and characters are not supported, as in "
                     "transformers; it must be Unigram or BPE");
    mem_free(list.items);
    if (status != STATUS_OK)
        return STATUS_ERROR;
    added_pieces(loader, recipe, &model);
    return stages(loader, recipe, &model, err);
}

enum status recipe_build(struct loader *loader, const struct recipe *recipe, struct error *err) {
    if (build(loader, recipe, err) != STATUS_OK)
        return error_prefix(err, "%s: ", recipe->file);
    return STATUS_OK;
}
