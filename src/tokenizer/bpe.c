/* Byte-pair encoding (Sennrich et al. 2016; GPT-2), loading: merges from tokenizer.json, from
 * merges.txt and from pairs of a SentencePiece file. How a word is merged is bpe_words.c's.
 * Dropout is for training and stays off, whatever the file says. */
#include "tokenizer/bpe.h"

#include "base/banned.h"

/* ---- merges -------------------------------------------------------------------------------- */

static void merges_free(struct bpe *bpe) {
    mem_free(bpe->merges);
    mem_free(bpe->slots);
}

/* Begins anew, for `count` merges at most. */
static void merges_create(struct bpe *bpe, size_t count) {
    merges_free(bpe);
    bpe->crosses = false;
    bpe->bits = 4;
    while (2 * ((size_t)1 << bpe->bits) < 3 * (count + 1))
        bpe->bits++;
    bpe->merges = mem_zalloc(count + 1, sizeof *bpe->merges);
    bpe->slots = mem_zalloc((size_t)1 << bpe->bits, sizeof *bpe->slots);
}

static bool starts_with_space(const char *data, size_t len) {
    return len >= METASPACE_LEN && memcmp(data, METASPACE, METASPACE_LEN) == 0;
}

/* Something else, and U+2581 behind it. */
static bool crosses(const char *left, size_t left_len, const char *right, size_t right_len) {
    return starts_with_space(right, right_len) &&
           !(left_len >= METASPACE_LEN &&
             starts_with_space(left + left_len - METASPACE_LEN, METASPACE_LEN));
}

/* After the merges: none reaches over the start of a word, so words can be merged alone. U+2581
 * must be a token, or unknown characters on both sides of one would be a single token. */
static void merges_finish(struct model *model, const struct vocab *vocab) {
    const struct bpe *bpe = model->state;
    model->cuts_words = !bpe->crosses && bpe->prefix_len == 0 && bpe->suffix_len == 0 &&
                        !bpe->ignore_merges && vocab_find(vocab, METASPACE, METASPACE_LEN) >= 0;
}

/* ---- merges by the batch ------------------------------------------------------------------- */

#define BATCH 32 /* merges whose look-ups wait for memory together */

struct batch {
    struct bpe *bpe;
    const struct vocab *vocab;
    struct text_merge {
        const char *left, *right;
        size_t left_len, right_len;
        uint32_t rank;
        uint64_t left_hash, right_hash;
        struct merge ids;
    } items[BATCH];
    size_t n;
    int32_t last; /* id of the last merged token: the next is it again, or the one behind it */
};

/* The token that is the merge's two, less the prefix between them. */
static int32_t merged_id(const struct batch *batch, const struct text_merge *item) {
    const struct vocab *vocab = batch->vocab;
    const size_t prefix_len = batch->bpe->prefix_len;
    if (item->right_len < prefix_len)
        return -1;
    const char *rest = item->right + prefix_len;
    const size_t rest_len = item->right_len - prefix_len;
    for (int32_t id = batch->last; id <= batch->last + 1; id++)
        if (vocab_is(vocab, id, item->left, item->left_len, rest, rest_len))
            return id;
    const uint64_t hash = vocab_hash(item->left_hash, rest, rest_len);
    return vocab_find_hashed(vocab, hash, item->left, item->left_len, rest, rest_len);
}

static enum status item_find(struct batch *batch, struct text_merge *item, struct error *err) {
    const struct vocab *vocab = batch->vocab;
    const struct merge ids = {
        vocab_find_hashed(vocab, item->left_hash, item->left, item->left_len, NULL, 0),
        vocab_find_hashed(vocab, item->right_hash, item->right, item->right_len, NULL, 0),
        merged_id(batch, item),
    };
    if (ids.left < 0 || ids.right < 0 || ids.id < 0)
        return ERR(err, MODEL, "merge %u, \"%.*s %.*s\", is not of tokens in the vocabulary",
                   item->rank, (int)(item->left_len > 60 ? 60 : item->left_len), item->left,
                   (int)(item->right_len > 60 ? 60 : item->right_len), item->right);
    batch->last = ids.id;
    item->ids = ids;
    struct bpe *bpe = batch->bpe;
    __builtin_prefetch(&bpe->slots[merge_place(bpe, merge_hash(ids.left, ids.right))], 1);
    return STATUS_OK;
}

/* The same pair again: the later rank counts. */
static void item_put(struct bpe *bpe, const struct text_merge *item) {
    const struct merge ids = item->ids;
    const uint64_t hash = merge_hash(ids.left, ids.right);
    *merge_slot_find(bpe, ids.left, ids.right, hash) =
        (struct merge_slot){(uint32_t)hash, item->rank + 1};
    bpe->merges[item->rank] = ids;
    if (!bpe->crosses)
        bpe->crosses = crosses(item->left, item->left_len, item->right, item->right_len);
}

static enum status batch_flush(struct batch *batch, struct error *err) {
    const struct vocab *vocab = batch->vocab;
    for (size_t i = 0; i < batch->n; i++) {
        struct text_merge *item = &batch->items[i];
        item->left_hash = vocab_hash(VOCAB_HASH_START, item->left, item->left_len);
        item->right_hash = vocab_hash(VOCAB_HASH_START, item->right, item->right_len);
        vocab_prefetch_slot(vocab, item->left_hash);
        vocab_prefetch_slot(vocab, item->right_hash);
    }
    for (size_t i = 0; i < batch->n; i++) {
        vocab_prefetch_token(vocab, batch->items[i].left_hash);
        vocab_prefetch_token(vocab, batch->items[i].right_hash);
    }
    for (size_t i = 0; i < batch->n; i++) {
        vocab_prefetch_string(vocab, batch->items[i].left_hash);
        vocab_prefetch_string(vocab, batch->items[i].right_hash);
    }
    for (size_t i = 0; i < batch->n; i++)
        if (item_find(batch, &batch->items[i], err) != STATUS_OK)
            return STATUS_ERROR;
    for (size_t i = 0; i < batch->n; i++)
        item_put(batch->bpe, &batch->items[i]);
    batch->n = 0;
    return STATUS_OK;
}

static enum status merge_add(struct batch *batch, uint32_t rank, const char *left, size_t left_len,
                             const char *right, size_t right_len, struct error *err) {
    batch->items[batch->n++] = (struct text_merge){
        .left = left, .right = right, .left_len = left_len, .right_len = right_len, .rank = rank};
    return batch->n == BATCH ? batch_flush(batch, err) : STATUS_OK;
}

/* "left right", with one space between. */
static enum status merge_add_line(struct batch *batch, uint32_t rank, const char *line, size_t len,
                                  struct error *err) {
    const char *space = memchr(line, ' ', len);
    const size_t left_len = space ? (size_t)(space - line) : 0;
    if (!space || memchr(space + 1, ' ', len - left_len - 1))
        return ERR(err, MODEL, "merge %u, \"%.*s\", must be two tokens and a space between", rank,
                   (int)(len > 100 ? 100 : len), line);
    return merge_add(batch, rank, line, left_len, space + 1, len - left_len - 1, err);
}

static enum status merges_parse(struct bpe *bpe, const struct vocab *vocab,
                                const struct json *merges, struct error *err) {
    merges_create(bpe, merges->len);
    struct batch batch = {.bpe = bpe, .vocab = vocab};
    uint32_t rank = 0;
    for (uint32_t i = 0; i < merges->len; i++) {
        const struct json *merge = json_at(merges, i);
        if (json_is(merge, JSON_STRING)) {
            if (merge->len >= 8 && memcmp(merge->text, "#version", 8) == 0)
                continue;
            if (merge_add_line(&batch, rank, merge->text, merge->len, err) != STATUS_OK)
                return STATUS_ERROR;
        } else {
            const struct json *left = json_at(merge, 0), *right = json_at(merge, 1);
            if (!json_is(left, JSON_STRING) || !json_is(right, JSON_STRING) || merge->len != 2)
                return ERR(err, MODEL, "merge %u must be a string or a pair of strings", rank);
            if (merge_add(&batch, rank, left->text, left->len, right->text, right->len, err) !=
                STATUS_OK)
                return STATUS_ERROR;
        }
        rank++;
    }
    return batch_flush(&batch, err);
}

enum status bpe_add_merges(struct model *model, struct loader *loader, const char *text, size_t len,
                           struct error *err) {
    struct bpe *bpe = model->state;
    size_t lines = 1;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    merges_create(bpe, lines);
    struct batch batch = {.bpe = bpe, .vocab = &loader->tokenizer->vocab};
    const char *end = text + len;
    const char *line = memchr(text, '\n', len); /* the head line is no merge */
    uint32_t rank = 0;
    for (line = line ? line + 1 : end; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop)
            break; /* as transformers: what has no line end is dropped */
        size_t n = (size_t)(stop - line);
        if (n > 0 && line[n - 1] == '\r')
            n--;
        if (n > 0 && merge_add_line(&batch, rank, line, n, err) != STATUS_OK)
            return STATUS_ERROR;
        rank++;
        line = stop + 1;
    }
    if (batch_flush(&batch, err) != STATUS_OK)
        return STATUS_ERROR;
    merges_finish(model, &loader->tokenizer->vocab);
    return STATUS_OK;
}

enum status bpe_add_pairs(struct model *model, struct loader *loader,
                          const struct merge_pair *pairs, size_t n, struct error *err) {
    struct bpe *bpe = model->state;
    merges_create(bpe, n);
    struct batch batch = {.bpe = bpe, .vocab = &loader->tokenizer->vocab};
    for (size_t i = 0; i < n; i++) {
        const char *right = pairs[i].token + pairs[i].left_len;
        if (merge_add(&batch, (uint32_t)i, pairs[i].token, pairs[i].left_len, right,
                      pairs[i].len - pairs[i].left_len, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    if (batch_flush(&batch, err) != STATUS_OK)
        return STATUS_ERROR;
    merges_finish(model, &loader->tokenizer->vocab);
    return STATUS_OK;
}

/* ---- loading ------------------------------------------------------------------------------- */

static void byte_ids(struct model *model, const struct vocab *vocab) {
    struct bpe *bpe = model->state;
    model->maps_bytes = bpe->prefix_len == 0;
    for (unsigned b = 0; b < 256; b++) {
        char c[4], name[8];
        const size_t n = utf8_put(c, byte_level_char((uint8_t)b));
        bpe->byte_ids[b] = vocab_find(vocab, c, n);
        const uint64_t hash =
            vocab_hash(vocab_hash(VOCAB_HASH_START, c, n), bpe->suffix, bpe->suffix_len);
        bpe->last_byte_ids[b] = vocab_find_hashed(vocab, hash, c, n, bpe->suffix, bpe->suffix_len);
        if (bpe->byte_ids[b] < 0 || bpe->last_byte_ids[b] < 0)
            model->maps_bytes = false;
        if (b < 128)
            bpe->char_ids[b] = vocab_find(vocab, (const char[]){(char)b}, 1);
        snprintf(name, sizeof name, "<0x%02X>", b);
        bpe->fallback_ids[b] = vocab_find(vocab, name, 6);
    }
}

enum status bpe_parse(struct model *model, struct loader *loader, const struct json *config,
                      struct error *err) {
    const struct vocab *vocab = &loader->tokenizer->vocab;
    struct arena *arena = loader_arena(loader);
    struct bpe *bpe = arena_zalloc(arena, 1, sizeof *bpe);
    model->state = bpe;
    bpe->prefix =
        arena_printf(arena, "%s", json_get_string(config, "continuing_subword_prefix", ""));
    bpe->suffix = arena_printf(arena, "%s", json_get_string(config, "end_of_word_suffix", ""));
    bpe->prefix_len = strlen(bpe->prefix);
    bpe->suffix_len = strlen(bpe->suffix);
    model->continuing_subword_prefix = bpe->prefix;
    model->end_of_word_suffix = bpe->suffix;
    const char *unk = json_get_string(config, "unk_token", NULL);
    bpe->unk_id = unk ? vocab_find(vocab, unk, strlen(unk)) : -2;
    bpe->fuse_unk = json_get_bool(config, "fuse_unk", false);
    bpe->byte_fallback = json_get_bool(config, "byte_fallback", false);
    bpe->ignore_merges = json_get_bool(config, "ignore_merges", false);
    byte_ids(model, vocab);
    const struct json *merges = json_get(config, "merges");
    if (!json_is(merges, JSON_ARRAY))
        return ERR(err, MODEL, "\"merges\" is missing");
    if (merges_parse(bpe, vocab, merges, err) != STATUS_OK)
        return STATUS_ERROR;
    merges_finish(model, vocab);
    return STATUS_OK;
}

void bpe_destroy(struct model *model) {
    struct bpe *bpe = model->state;
    if (bpe)
        merges_free(bpe);
}
