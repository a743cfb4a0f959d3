/* Streaming: text as soon as it cannot change any more, token by token.
 *
 * ids[prefix, read) have been given out; they are decoded again for context, because a decoder
 * treats the first token and spaces before punctuation in its own way. What the new ids add to
 * that text is given out when its end cannot change: no broken character, no start of what cleaning
 * up replaces. (The method of text-generation-inference's decode_token and of the library's
 * DecodeStream.) Ids that decoding skips are dropped at once, and a long run of broken bytes is
 * given out but for its end, so that a step's work stays bounded. */
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

/* The end may still change: a character lacks bytes, or spaces may be cleaned up. */
static bool ends_open(const struct decode_stream *stream, const struct buf *text) {
    if (text->len >= 3 && memcmp(text->data + text->len - 3, "\xEF\xBF\xBD", 3) == 0)
        return true;
    return decode_cleans(stream->tokenizer, stream->options) &&
           decode_may_clean(text->data, text->len);
}

static void decode_to(const struct decode_stream *stream, size_t end, struct buf *out) {
    buf_init(out, LIMIT_TEXT);
    tokenizer_decode(stream->tokenizer, out, stream->ids + stream->prefix, end - stream->prefix,
                     stream->options);
}

/* Gives out what ids[prefix, end) say beyond ids[prefix, read). */
static void give_out(struct decode_stream *stream, size_t end, const struct buf *text,
                     struct buf *out) {
    struct buf before;
    decode_to(stream, stream->read, &before);
    if (text->len > before.len) {
        buf_append(out, text->data + before.len, text->len - before.len);
        stream->prefix = stream->read;
        stream->read = end;
    }
    buf_deinit(&before);
}

static bool starts_with(const struct buf *text, const struct buf *start) {
    return text->len >= start->len &&
           (start->len == 0 || memcmp(text->data, start->data, start->len) == 0);
}

void decode_stream_push(struct decode_stream *stream, int32_t id, struct buf *out) {
    if (!tokenizer_token(stream->tokenizer, id) ||
        (!stream->options.keep_special && tokenizer_is_special(stream->tokenizer, id)))
        return;
    stream->ids = mem_grow(stream->ids, &stream->cap, stream->n + 1, sizeof *stream->ids);
    stream->ids[stream->n++] = id;
    struct buf all;
    decode_to(stream, stream->n, &all);
    if (!ends_open(stream, &all)) {
        give_out(stream, stream->n, &all, out);
    } else if (stream->n - stream->read > HELD_MOST) {
        struct buf most;
        decode_to(stream, stream->n - HELD_END, &most);
        if (starts_with(&all, &most)) /* what came behind has not changed it */
            give_out(stream, stream->n - HELD_END, &most, out);
        buf_deinit(&most);
    }
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
