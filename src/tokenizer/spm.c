/* A SentencePiece model: loading, normalization (Normalizer::Normalize) and decoding
 * (SentencePieceProcessor::Decode). How a text is cut into pieces is in spm_encode.c. */
#include "tokenizer/spm_model.h"

#include "tokenizer/legacy.h"
#include "tokenizer/lossy.h"
#include "base/banned.h"

/* ---- loading ------------------------------------------------------------------------------- */

static enum status read_charsmap(struct spm *spm, const struct sentencepiece *model,
                                 struct error *err) {
    if (model->charsmap_len == 0)
        return STATUS_OK;
    if (!charsmap_read(&spm->map, &spm->arena, model->charsmap, model->charsmap_len) ||
        spm->map.n_units == 0)
        return ERR(err, MODEL, "its charsmap of %zu bytes is damaged", model->charsmap_len);
    if (!utf8_valid(spm->map.texts, spm->map.texts_len, NULL))
        return ERR(err, MODEL, "the replacements of its charsmap are not valid UTF-8");
    return STATUS_OK;
}

static bool is_in_text(enum sentencepiece_type type) {
    return type == SENTENCEPIECE_NORMAL || type == SENTENCEPIECE_USER_DEFINED ||
           type == SENTENCEPIECE_UNUSED;
}

static void read_pieces(struct spm *spm, const struct sentencepiece *model, struct arena *scratch) {
    struct scored_piece *list = arena_alloc(scratch, model->n * sizeof *list);
    size_t n = 0;
    spm->pieces = arena_alloc(&spm->arena, model->n * sizeof *spm->pieces);
    spm->user_defined = trie_create();
    for (size_t i = 0; i < model->n; i++) {
        const struct sentencepiece_piece *piece = &model->pieces[i];
        vocab_put(&spm->vocab, piece->data, piece->len, (uint32_t)i);
        spm->pieces[i] = (struct spm_piece){piece->score, piece->type};
        if (piece->type == SENTENCEPIECE_NORMAL) {
            spm->min_score = fminf(spm->min_score, piece->score);
            spm->max_score = fmaxf(spm->max_score, piece->score);
        }
        spm->has_unused |= piece->type == SENTENCEPIECE_UNUSED;
        if (piece->type == SENTENCEPIECE_USER_DEFINED)
            trie_add(spm->user_defined, piece->data, piece->len, (int32_t)i);
        if (is_in_text(piece->type) && piece->len > 0)
            list[n++] = (struct scored_piece){piece->data, piece->len, (double)i};
        else if (piece->type == SENTENCEPIECE_UNKNOWN)
            spm->unk_id = (int32_t)i;
    }
    spm->n = model->n;
    spm->has_user_defined = !trie_is_empty(spm->user_defined);
    piece_trie_create(&spm->trie, list, n);
}

static enum status check(const struct sentencepiece *model, struct error *err) {
    size_t bytes = 0;
    for (size_t i = 0; i < model->n; i++) {
        if (model->pieces[i].len > LIMIT_PIECE)
            return ERR(err, MODEL, "piece %zu has %u bytes, the limit is %d", i,
                       model->pieces[i].len, LIMIT_PIECE);
        bytes += model->pieces[i].len;
    }
    if (model->n > LIMIT_VOCAB_SIZE)
        return ERR(err, MODEL, "it has %zu pieces, the limit is %d", model->n, LIMIT_VOCAB_SIZE);
    if (bytes > LIMIT_PIECES_BYTES)
        return ERR(err, MODEL, "its pieces have %zu bytes, the limit is %llu", bytes,
                   (unsigned long long)LIMIT_PIECES_BYTES);
    if (model->model_type != SENTENCEPIECE_UNIGRAM && model->model_type != SENTENCEPIECE_BPE &&
        model->model_type != SENTENCEPIECE_CHAR)
        return ERR(err, MODEL,
                   "models of words are not supported; it must be Unigram, BPE or of "
                   "characters");
    return STATUS_OK;
}

static enum status load(struct spm *spm, struct loader *loader, const char *name,
                        struct error *err) {
    char *data;
    size_t len;
    struct sentencepiece model;
    const char *path = path_join(&loader->arena, loader->folder, name);
    if (file_read(&data, &len, &loader->arena, path, LIMIT_SENTENCEPIECE, err) != STATUS_OK ||
        sentencepiece_parse(&model, &loader->arena, data, len, err) != STATUS_OK ||
        check(&model, err) != STATUS_OK)
        return STATUS_ERROR;
    spm->type = model.model_type;
    spm->unk_id = model.unk_id;
    spm->byte_fallback = model.byte_fallback;
    spm->dummy_prefix = model.add_dummy_prefix;
    spm->removes_spaces = model.remove_extra_whitespaces;
    spm->escapes_spaces = model.escape_whitespaces;
    spm->suffixes_space = model.treat_whitespace_as_suffix;
    spm->min_score = FLT_MAX;
    spm->max_score = FLT_MIN; /* as the library: above every log probability */
    read_pieces(spm, &model, &loader->arena);
    if (spm->unk_id < 0 || (size_t)spm->unk_id >= spm->n)
        return ERR(err, MODEL, "it has no unknown piece");
    spm->unk_surface = arena_strndup(&spm->arena, model.unk_surface, strlen(model.unk_surface));
    return read_charsmap(spm, &model, err);
}

enum status spm_load(struct spm **out, struct loader *loader, const char *name, struct error *err) {
    struct spm *spm = mem_zalloc(1, sizeof *spm);
    vocab_init(&spm->vocab);
    if (load(spm, loader, name, err) != STATUS_OK) {
        spm_destroy(spm);
        return error_prefix(err, "%s: ", name);
    }
    *out = spm;
    return STATUS_OK;
}

void spm_destroy(struct spm *spm) {
    if (!spm)
        return;
    trie_destroy(spm->user_defined);
    piece_trie_deinit(&spm->trie);
    vocab_deinit(&spm->vocab);
    arena_deinit(&spm->arena);
    mem_free(spm);
}

void spm_no_dummy_prefix(struct spm *spm) {
    spm->dummy_prefix = false;
}

size_t spm_size(const struct spm *spm) {
    return spm->n;
}

const char *spm_piece(const struct spm *spm, int32_t id, size_t *len) {
    return vocab_token(&spm->vocab, id, len);
}

int32_t spm_id(const struct spm *spm, const char *piece, size_t len) {
    const int32_t id = vocab_find(&spm->vocab, piece, len);
    return id < 0 ? spm->unk_id : id;
}

int32_t spm_unk_id(const struct spm *spm) {
    return spm->unk_id;
}

/* ---- normalization ------------------------------------------------------------------------- */

/* The replacement of the longest key that data[0, len) starts with; NULL: there is none. */
static const char *longest_key(const struct charsmap *map, const char *data, size_t len,
                               size_t *key_len) {
    const char *found = NULL;
    size_t at = map->n_units > 0 ? unit_offset(map->units[0]) : 0;
    for (size_t i = 0; i < len; i++) {
        at ^= (uint8_t)data[i];
        if (at >= map->n_units || unit_label(map->units[at]) != (uint8_t)data[i])
            break;
        const uint32_t unit = map->units[at];
        at ^= unit_offset(unit);
        if (!unit_has_value(unit) || at >= map->n_units)
            continue;
        const size_t place = unit_value(map->units[at]);
        if (charsmap_is_place(map, place)) {
            found = map->texts + place;
            *key_len = i + 1;
        }
    }
    return found;
}

/* What stands for the start of data[0, len), which is taken bytes of it. */
static const char *next_prefix(const struct spm *spm, const char *data, size_t len, size_t *taken,
                               size_t *out_len) {
    size_t start, end;
    if (spm->has_user_defined && trie_starts(spm->user_defined, data, len, &end)) {
        *taken = *out_len = end;
        return data;
    }
    const char *text = longest_key(&spm->map, data, len, &end);
    if (text) {
        *taken = end;
        *out_len = strlen(text);
        return text;
    }
    start = 0;
    text_next(data, len, &start);
    *taken = *out_len = start;
    return data;
}

struct normalizing {
    const struct spm *spm;
    struct writer writer;
    bool after_space;
};

static void put_space(struct normalizing *to, struct span from) {
    writer_put(&to->writer, to->spm->escapes_spaces ? 0x2581 : ' ', from);
}

static void put_normal(struct normalizing *to, const char *data, size_t len, struct span from) {
    size_t pos = 0;
    while (to->after_space && pos < len && data[pos] == ' ')
        pos++;
    if (pos == len)
        return;
    while (pos < len) {
        const uint32_t c = text_next(data, len, &pos);
        if (c == ' ')
            put_space(to, from);
        else
            writer_put(&to->writer, c, from);
    }
    to->after_space = to->spm->removes_spaces && data[len - 1] == ' ';
}

/* Less the spaces at its end. */
static void drop_spaces(struct normalizing *to) {
    struct writer *writer = &to->writer;
    const char *space = to->spm->escapes_spaces ? METASPACE : " ";
    const size_t n = strlen(space);
    while (writer->len >= n && memcmp(writer->data + writer->len - n, space, n) == 0)
        writer->len -= n;
}

void spm_normalize(const struct spm *spm, struct text *text, struct arena *scratch) {
    struct normalizing to = {.spm = spm,
                             .writer = writer_begin(scratch, text->len + text->len / 2 + 16),
                             .after_space = spm->removes_spaces};
    size_t pos = 0, taken, len;
    while (spm->removes_spaces && pos < text->len) {
        const char *data = next_prefix(spm, text->data + pos, text->len - pos, &taken, &len);
        if (len != 1 || data[0] != ' ')
            break;
        pos += taken;
    }
    if (pos < text->len && spm->dummy_prefix && !spm->suffixes_space)
        put_space(&to, (struct span){text_from(text, pos, pos + 1).start,
                                     text_from(text, pos, pos + 1).start});
    const bool is_empty = pos == text->len;
    while (pos < text->len) {
        const char *data = next_prefix(spm, text->data + pos, text->len - pos, &taken, &len);
        put_normal(&to, data, len, text_origin(text, pos, pos + taken));
        pos += taken;
    }
    if (spm->removes_spaces)
        drop_spaces(&to);
    if (!is_empty && spm->dummy_prefix && spm->suffixes_space)
        put_space(&to, text_origin(text, text->len, text->len));
    writer_end(&to.writer, text);
}

/* ---- decoding ------------------------------------------------------------------------------ */

/* "<0x61>" of a byte piece. */
static uint8_t byte_of(const struct string *piece) {
    static const char digits[] = "0123456789ABCDEF";
    const char *high = piece->len == 6 ? strchr(digits, piece->data[3]) : NULL;
    const char *low = piece->len == 6 ? strchr(digits, piece->data[4]) : NULL;
    return high && low ? (uint8_t)(16 * (high - digits) + (low - digits)) : 0;
}

static bool is_byte(const struct spm *spm, const struct string *piece) {
    return spm->pieces[spm_id(spm, piece->data, piece->len)].type == SENTENCEPIECE_BYTE;
}

static size_t decode_bytes(const struct spm *spm, const struct string *pieces, size_t n,
                           struct buf *out) {
    struct buf bytes;
    size_t i = 0;
    buf_init(&bytes, LIMIT_TEXT);
    for (; i < n && is_byte(spm, &pieces[i]); i++)
        buf_putc(&bytes, (char)byte_of(&pieces[i]));
    for (size_t pos = 0; pos < bytes.len;) {
        size_t len = 1;
        while (pos + len < bytes.len && ((uint8_t)bytes.data[pos + len] & 0xC0) == 0x80 && len < 4)
            len++;
        while (len > 0 && !utf8_valid(bytes.data + pos, len, NULL))
            len--;
        if (len > 0)
            buf_append(out, bytes.data + pos, len);
        else
            buf_puts(out, "\xEF\xBF\xBD");
        pos += len > 0 ? len : 1;
    }
    buf_deinit(&bytes);
    return i;
}

/* One piece; true: its leading space was left out, as the text begins with it. */
static bool decode_piece(const struct spm *spm, const struct string *piece, bool begins,
                         struct buf *out) {
    const int32_t id = spm_id(spm, piece->data, piece->len);
    const char *data = piece->data;
    size_t len = piece->len;
    bool dropped = false;
    if (spm->pieces[id].type == SENTENCEPIECE_CONTROL)
        return false;
    if (spm->pieces[id].type == SENTENCEPIECE_UNKNOWN) {
        if (vocab_find(&spm->vocab, data, len) == id)
            buf_puts(out, spm->unk_surface);
        else
            buf_append(out, data, len);
        return false;
    }
    if (begins && (spm->dummy_prefix || spm->removes_spaces) && len >= METASPACE_LEN &&
        memcmp(data, METASPACE, METASPACE_LEN) == 0) {
        data += METASPACE_LEN;
        len -= METASPACE_LEN;
        dropped = !spm->removes_spaces;
    }
    for (size_t pos = 0; pos < len;) {
        const size_t at = pos;
        if (text_next(data, len, &pos) == 0x2581)
            buf_putc(out, ' ');
        else
            buf_append(out, data + at, pos - at);
    }
    return dropped;
}

void spm_decode(const struct spm *spm, const struct string *pieces, size_t n, struct buf *out) {
    const size_t start = out->len;
    bool begins = true, dropped = false;
    for (size_t i = 0; i < n;) {
        i += decode_bytes(spm, pieces + i, n - i, out);
        if (i == n)
            return;
        if (dropped || out->len > start)
            begins = false;
        dropped = decode_piece(spm, &pieces[i++], begins, out);
    }
}
