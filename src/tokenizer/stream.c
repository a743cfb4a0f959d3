/* Streaming: text as soon as it cannot change any more, token by token.
 *
 * ids[prefix, read) have been given out; they are decoded again for context, because a decoder
 * treats the first token and spaces before punctuation in its own way. What the new ids add to
 * that text is given out when it does not end in a broken character. (The method of
 * text-generation-inference's decode_token and of the library's DecodeStream.) */
#include "tokenizer/pipeline.h"

#include "base/banned.h"

void decode_stream_init(struct decode_stream *stream, const struct tokenizer *tokenizer,
                        struct decode_options options) {
    *stream = (struct decode_stream){.tokenizer = tokenizer, .options = options};
}

void decode_stream_deinit(struct decode_stream *stream) {
    mem_free(stream->ids);
    *stream = (struct decode_stream){0};
}

static bool ends_broken(const struct buf *text) {
    return text->len >= 3 && memcmp(text->data + text->len - 3, "\xEF\xBF\xBD", 3) == 0;
}

/* Gives out what ids[prefix, n) say beyond ids[prefix, read); `all`: even a broken character. */
static void advance(struct decode_stream *stream, bool all, struct buf *out) {
    struct buf before, now;
    buf_init(&before, LIMIT_TEXT);
    buf_init(&now, LIMIT_TEXT);
    const int32_t *ids = stream->ids + stream->prefix;
    tokenizer_decode(stream->tokenizer, &before, ids, stream->read - stream->prefix,
                     stream->options);
    tokenizer_decode(stream->tokenizer, &now, ids, stream->n - stream->prefix, stream->options);
    if (now.len > before.len && (all || !ends_broken(&now))) {
        buf_append(out, now.data + before.len, now.len - before.len);
        stream->prefix = stream->read;
        stream->read = stream->n;
    }
    buf_deinit(&before);
    buf_deinit(&now);
}

void decode_stream_push(struct decode_stream *stream, int32_t id, struct buf *out) {
    stream->ids = mem_grow(stream->ids, &stream->cap, stream->n + 1, sizeof *stream->ids);
    stream->ids[stream->n++] = id;
    advance(stream, false, out);
}

void decode_stream_finish(struct decode_stream *stream, struct buf *out) {
    if (stream->n > stream->read)
        advance(stream, true, out);
}
