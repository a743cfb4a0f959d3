/* Streaming of Python classes that join words by rules that look far back: an open quote, the word
 * before. What they make of the tokens so far goes on from token to token instead of being made
 * anew of the last ones (stream.c). Added tokens end a run of tokens, as in slow_decode. */
#include "tokenizer/slow.h"

#include "base/banned.h"

struct slow_stream {
    const struct tokenizer *tokenizer;
    struct decode_options options;
    void *run;          /* the class's, of the tokens since the last added one; NULL: none came */
    bool has_text;      /* the run gave some */
    size_t n_parts;     /* runs with text, and added tokens */
    struct buf pending; /* what cleaning up may still change */
};

struct slow_stream *slow_stream_create(const struct tokenizer *tokenizer,
                                       struct decode_options options) {
    if (!tokenizer->slow || !tokenizer->slow->kind->joining)
        return NULL;
    struct slow_stream *stream = mem_zalloc(1, sizeof *stream);
    stream->tokenizer = tokenizer;
    stream->options = options;
    buf_init(&stream->pending, LIMIT_TEXT);
    return stream;
}

static void drop_run(struct slow_stream *stream) {
    if (stream->run)
        stream->tokenizer->slow->kind->joining->destroy(stream->run);
    stream->run = NULL;
    stream->has_text = false;
}

void slow_stream_destroy(struct slow_stream *stream) {
    if (!stream)
        return;
    drop_run(stream);
    buf_deinit(&stream->pending);
    mem_free(stream);
}

/* More text of a part; a space in front of all parts but the first. */
static void put_text(struct slow_stream *stream, bool starts, const char *data, size_t len) {
    if (starts && stream->n_parts++ > 0)
        buf_putc(&stream->pending, ' ');
    buf_append(&stream->pending, data, len);
}

static void push_run(struct slow_stream *stream, const char *token, size_t len, bool ends) {
    const struct slow_joining *joining = stream->tokenizer->slow->kind->joining;
    struct buf text;
    buf_init(&text, LIMIT_TEXT);
    if (!stream->run)
        stream->run = joining->create(stream->tokenizer);
    if (ends)
        joining->finish(stream->run, &text);
    else
        joining->push(stream->run, token, len, &text);
    if (text.len > 0) {
        put_text(stream, !stream->has_text, text.data, text.len);
        stream->has_text = true;
    }
    buf_deinit(&text);
}

static void end_run(struct slow_stream *stream, bool last) {
    if (!stream->run)
        return;
    push_run(stream, "", 0, true);
    if (last && !stream->has_text)
        put_text(stream, true, "", 0);
    drop_run(stream);
}

/* Gives out what cleaning up cannot change any more; at the end that is all. */
static void give(struct slow_stream *stream, bool last, struct buf *out) {
    struct buf *pending = &stream->pending;
    const bool cleans = decode_cleans(stream->tokenizer, stream->options);
    const size_t start = out->len;
    size_t at = pending->len;
    while (cleans && !last && at > 0 && decode_may_clean(pending->data, at, at))
        at--;
    if (at == 0)
        return;
    buf_append(out, pending->data, at);
    if (cleans)
        decode_clean(out, start);
    memmove(pending->data, pending->data + at, pending->len - at);
    pending->len -= at;
    pending->data[pending->len] = 0;
}

void slow_stream_push(struct slow_stream *stream, int32_t id, struct buf *out) {
    const struct tokenizer *tokenizer = stream->tokenizer;
    size_t len;
    const char *token = slow_token_of(tokenizer, id, &len);
    if (!token ||
        (!stream->options.keep_special && added_is_special(&tokenizer->added, token, len)))
        return;
    if (slow_is_apart(tokenizer, token, len)) {
        end_run(stream, false);
        put_text(stream, true, token, len);
    } else {
        push_run(stream, token, len, false);
    }
    give(stream, false, out);
}

void slow_stream_finish(struct slow_stream *stream, struct buf *out) {
    end_run(stream, true);
    give(stream, true, out);
}
