/* Streaming: text as soon as it cannot change any more, token by token.
 *
 * ids[prefix, read) have been given out; they are decoded again for context, because a decoder
 * treats the first token and spaces before punctuation in its own way. What the new ids add to
 * that text is given out when its end cannot change: no broken character, no start of what cleaning
 * up replaces, no byte that a bad one behind it would spoil. (The method of
 * text-generation-inference's decode_token and of the library's DecodeStream.) Ids that decoding
 * skips are dropped at once, and a long run of broken bytes is given out but for its end, so that a
 * step's work stays bounded. */
#include "tokenizer/pipeline.h"

#include "base/banned.h"

#define HELD_MOST 8 /* ids held back before a broken run is given out */
#define HELD_END  4 /* ids that a character may still need: it has four bytes at most */

void decode_stream_init(struct decode_stream *stream, const struct tokenizer *tokenizer,
                        struct decode_options options) {
    *stream = (struct decode_stream){.tokenizer = tokenizer, .options = options};
}

void decode_stream_deinit(struct decode_stream *stream) {
    mem_free(stream->ids);
    *stream = (struct decode_stream){0};
}

static bool falls_back(const struct stage *stage) {
    if (stage_is(stage, "ByteFallback"))
        return true;
    for (size_t i = 0; stage && i < stage->n_children; i++)
        if (falls_back(stage->children[i]))
            return true;
    return false;
}

/* "<0x41>" to a decoder that makes bytes of it: one bad byte behind spoils the whole run. */
static bool is_byte(const struct tokenizer *tokenizer, int32_t id) {
    size_t len;
    const char *token = tokenizer_token_n(tokenizer, id, &len);
    return token && len == 6 && memcmp(token, "<0x", 3) == 0 && token[5] == '>' &&
           falls_back(tokenizer->decoder);
}

static bool is_broken(const struct buf *text) {
    return text->len >= 3 && memcmp(text->data + text->len - 3, "\xEF\xBF\xBD", 3) == 0;
}

/* The end may still change: a character lacks bytes, or spaces may be cleaned up. */
static bool ends_open(const struct decode_stream *stream, const struct buf *text) {
    return is_broken(text) || (decode_cleans(stream->tokenizer, stream->options) &&
                               decode_may_clean(text->data, text->len));
}

static bool ends_in_byte(const struct decode_stream *stream) {
    return is_byte(stream->tokenizer, stream->ids[stream->n - 1]);
}

static void decode_from(const struct decode_stream *stream, size_t first, size_t end,
                        struct buf *out) {
    buf_init(out, LIMIT_TEXT);
    tokenizer_decode(stream->tokenizer, out, stream->ids + first, end - first, stream->options);
}

static void decode_to(const struct decode_stream *stream, size_t end, struct buf *out) {
    decode_from(stream, stream->prefix, end, out);
}

static bool starts_with(const struct buf *text, const struct buf *start) {
    return text->len >= start->len &&
           (start->len == 0 || memcmp(text->data, start->data, start->len) == 0);
}

static void give(struct decode_stream *stream, const struct buf *text, size_t from,
                 struct buf *out) {
    buf_append(out, text->data + from, text->len - from);
    stream->given += text->len - from;
}

/* What was given out would be decoded otherwise now: cleaning up depends on the text in front, and
 * a bad byte spoils the good ones of its run. All that is known counts then, from the character on
 * that no byte was given of. */
static void give_rest(struct decode_stream *stream, size_t end, struct buf *out) {
    struct buf whole;
    decode_from(stream, 0, end, &whole);
    size_t from = stream->given < whole.len ? stream->given : whole.len;
    while (from < whole.len && ((uint8_t)whole.data[from] & 0xC0) == 0x80)
        from++;
    if (from < whole.len)
        give(stream, &whole, from, out);
    buf_deinit(&whole);
}

/* Gives out what ids[prefix, end) say beyond ids[prefix, read). */
static void give_out(struct decode_stream *stream, size_t end, const struct buf *text,
                     struct buf *out) {
    struct buf before;
    decode_to(stream, stream->read, &before);
    if (!starts_with(text, &before)) {
        give_rest(stream, end, out);
        stream->prefix = stream->read;
        stream->read = end;
    } else if (text->len > before.len) {
        give(stream, text, before.len, out);
        stream->prefix = stream->read;
        stream->read = end;
    }
    buf_deinit(&before);
}

/* Too much is held back: of a run of bytes what ends in a whole character is given out, of a broken
 * run all but its end, if what came behind has not changed it. */
static void give_most(struct decode_stream *stream, const struct buf *all, struct buf *out) {
    const bool bytes = ends_in_byte(stream);
    for (size_t held = bytes ? 1 : HELD_END; held <= HELD_END; held++) {
        const size_t end = stream->n - held;
        struct buf most;
        decode_to(stream, end, &most);
        const bool is_whole = bytes && !ends_open(stream, &most);
        if (is_whole || (held == HELD_END && starts_with(all, &most)))
            give_out(stream, end, &most, out);
        buf_deinit(&most);
        if (is_whole)
            return;
    }
}

void decode_stream_push(struct decode_stream *stream, int32_t id, struct buf *out) {
    if (!tokenizer_token(stream->tokenizer, id) ||
        (!stream->options.keep_special && tokenizer_is_special(stream->tokenizer, id)))
        return;
    stream->ids = mem_grow(stream->ids, &stream->cap, stream->n + 1, sizeof *stream->ids);
    stream->ids[stream->n++] = id;
    struct buf all;
    decode_to(stream, stream->n, &all);
    if (!ends_open(stream, &all) && !ends_in_byte(stream))
        give_out(stream, stream->n, &all, out);
    else if (stream->n - stream->read > HELD_MOST)
        give_most(stream, &all, out);
    buf_deinit(&all);
}

void decode_stream_finish(struct decode_stream *stream, struct buf *out) {
    if (stream->n == stream->read)
        return;
    struct buf all;
    decode_to(stream, stream->n, &all);
    give_out(stream, stream->n, &all, out);
    stream->read = stream->n;
    buf_deinit(&all);
}
