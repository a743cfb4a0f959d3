/* Streaming: text as soon as it cannot change any more, token by token.
 *
 * A few ids are decoded together at each step: the new one, those whose text is held back, and one
 * or more before them for context, because a decoder treats the first token in its own way. Of that
 * text `given` bytes have been given out before. (The idea of text-generation-inference's
 * decode_token and of the library's DecodeStream.) Held back are the end of a broken character,
 * what may be the start of something that cleaning up replaces, and runs of fallback bytes.
 * Cleaning up is done to what is given out alone: where it is cut, nothing that is replaced can lie
 * across. */
#include "tokenizer/slow.h"

#include <assert.h>

#include "base/banned.h"

#define BROKEN      "\xEF\xBF\xBD" /* U+FFFD */
#define BROKEN_LEN  3
#define REWRITTEN   32 /* bytes that may become others in a long word that is rewritten */
#define CONTEXT     8  /* ids: enough for a broken character, and for tokens without text */
#define WINDOW_MOST (3 * DECODE_STREAM_HELD) /* ids; then the first ones are dropped */

static_assert(WINDOW_MOST < 4 * DECODE_STREAM_HELD, "there is room for one more");

static bool falls_back(const struct stage *stage) {
    if (stage_is(stage, "ByteFallback"))
        return true;
    for (size_t i = 0; stage && i < stage->n_children; i++)
        if (falls_back(stage->children[i]))
            return true;
    return false;
}

void decode_stream_init(struct decode_stream *stream, const struct tokenizer *tokenizer,
                        struct decode_options options) {
    *stream = (struct decode_stream){
        .tokenizer = tokenizer, .options = options, .falls_back = falls_back(tokenizer->decoder)};
    stream->joined = slow_stream_create(tokenizer, options);
}

void decode_stream_deinit(struct decode_stream *stream) {
    slow_stream_destroy(stream->joined);
    *stream = (struct decode_stream){0};
}

/* The text of ids[first, end), not cleaned up. */
static void decode_raw(const struct decode_stream *stream, size_t first, size_t end,
                       struct buf *out) {
    const struct decode_options options = {.keep_special = stream->options.keep_special,
                                           .clean_up = -1};
    buf_init(out, LIMIT_TEXT);
    tokenizer_decode(stream->tokenizer, out, stream->ids + first, end - first, options);
}

static size_t raw_len(const struct decode_stream *stream, size_t first, size_t end) {
    struct buf text;
    decode_raw(stream, first, end, &text);
    const size_t len = text.len;
    buf_deinit(&text);
    return len;
}

static bool starts_broken(const struct buf *text) {
    return text->len >= BROKEN_LEN && memcmp(text->data, BROKEN, BROKEN_LEN) == 0;
}

/* SentencePiece's own bytes: each is broken by itself until its character is whole. */
static bool has_byte_pieces(const struct decode_stream *stream) {
    return stream->tokenizer->slow && stream->tokenizer->slow->kind->byte_pieces;
}

static void drop_front(struct decode_stream *stream, size_t count) {
    stream->n -= count;
    memmove(stream->ids, stream->ids + count, stream->n * sizeof *stream->ids);
}

/* Bytes at the end that go when another token comes. */
static size_t joint_len(const struct decode_stream *stream, const char *data, size_t len) {
    const char *joint = stream->tokenizer->slow ? stream->tokenizer->slow->kind->joint : NULL;
    const size_t n = joint ? strlen(joint) : 0;
    return n <= len && n > 0 && memcmp(data + len - n, joint, n) == 0 ? n : 0;
}

/* ---- what is settled ----------------------------------------------------------------------- */

/* A class that rewrites: words are held back until they end, of a long one the last characters. */
static size_t word_start(const struct decode_stream *stream, const struct buf *text, size_t end) {
    size_t at = end;
    while (at > stream->given && text->data[at - 1] != ' ' && text->data[at - 1] != '\n')
        at--;
    if (at > stream->given || stream->held <= DECODE_STREAM_HELD || end < REWRITTEN)
        return at;
    at = end - REWRITTEN;
    while (at > stream->given && ((uint8_t)text->data[at] & 0xC0) == 0x80)
        at--;
    return at > stream->given ? at : stream->given;
}

/* Bytes of the text that nothing behind it can change. */
static size_t settled(const struct decode_stream *stream, const struct buf *text) {
    const int most = has_byte_pieces(stream) ? 3 : 1; /* of one character */
    size_t end = text->len;
    for (int i = 0; i < most && !stream->falls_back && end >= BROKEN_LEN &&
                    memcmp(text->data + end - BROKEN_LEN, BROKEN, BROKEN_LEN) == 0;
         i++)
        end -= BROKEN_LEN;
    end -= joint_len(stream, text->data, end);
    if (stream->tokenizer->slow && stream->tokenizer->slow->kind->rewrites)
        end = word_start(stream, text, end);
    if (!decode_cleans(stream->tokenizer, stream->options))
        return end;
    size_t at = end;
    while (at > stream->given && decode_may_clean(text->data, at, at))
        at--; /* an ASCII character: all that is replaced is */
    if (at > stream->given || stream->held <= DECODE_STREAM_HELD)
        return at;
    /* A long row of spaces: what stands behind a place tells that nothing is replaced there. */
    for (at = end; at > stream->given && decode_may_clean(text->data, at, end);)
        at--;
    return at;
}

static void give(struct decode_stream *stream, const struct buf *text, size_t end,
                 struct buf *out) {
    size_t from = stream->given;
    while (from < end && ((uint8_t)text->data[from] & 0xC0) == 0x80)
        from++; /* only if the text has changed against all rules */
    if (end <= from)
        return;
    const size_t start = out->len;
    buf_append(out, text->data + from, end - from);
    if (decode_cleans(stream->tokenizer, stream->options))
        decode_clean(out, start);
    stream->given = end;
}

/* All has been given out: what is kept is the last token, and those before it while that has no
 * text of its own: the one behind must not be taken for the first. */
static void keep_context(struct decode_stream *stream) {
    size_t first = stream->n;
    size_t len = 0;
    bool broken = has_byte_pieces(stream);
    while (first > 0 && (len == 0 || broken) && stream->n - first < CONTEXT) {
        struct buf text;
        decode_raw(stream, --first, stream->n, &text);
        len = text.len;
        broken = broken && starts_broken(&text);
        buf_deinit(&text);
    }
    drop_front(stream, first);
    stream->given = len;
    stream->held = 0;
}

/* Drops ids in front and keeps `least` before `end`, or some more, so that their text starts with a
 * whole character; the last `held` bytes of the text of ids[0, end) have not been given out. */
static void cut_front(struct decode_stream *stream, size_t end, size_t least, size_t held) {
    size_t first = end > least ? end - least : 0;
    struct buf text;
    decode_raw(stream, first, end, &text);
    for (int more = 0; (more < 3 && first > 0 && starts_broken(&text)) ||
                       (first > 1 && held > 0 && text.len <= held);
         more++) {
        buf_deinit(&text);
        decode_raw(stream, --first, end, &text);
    }
    drop_front(stream, first);
    stream->given = text.len > held ? text.len - held : 0;
    buf_deinit(&text);
}

/* Something is held back all the time: the ids far in front are dropped. */
static void keep_window(struct decode_stream *stream) {
    const size_t end = stream->n - stream->broken;
    const size_t len = raw_len(stream, 0, end);
    stream->part_given = stream->run > 0;
    cut_front(stream, end, CONTEXT, len > stream->given ? len - stream->given : 0);
}

static void give_settled(struct decode_stream *stream, struct buf *out) {
    struct buf text;
    decode_raw(stream, 0, stream->n, &text);
    give(stream, &text, settled(stream, &text), out);
    if (stream->given >= text.len)
        keep_context(stream);
    buf_deinit(&text);
}

/* ---- runs of fallback bytes ---------------------------------------------------------------- */

static int hex(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    const char lower = (char)(c | 32);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* "<0xE2>" as the decoder reads it, -1: no byte. */
static int byte_of(const struct decode_stream *stream, const char *token, size_t len) {
    if (!stream->falls_back || len != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>')
        return -1;
    const int high = hex(token[3]), low = hex(token[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* Whether bytes can follow that make a character of bytes[n], n from 1 to 3. */
static bool may_become(const uint8_t *bytes, size_t n) {
    const uint8_t first = bytes[0];
    const size_t len = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || n >= len)
        return false;
    const uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (n > 1 && (bytes[1] < low || bytes[1] > high))
        return false;
    return n < 3 || (bytes[2] & 0xC0) == 0x80;
}

static void give_broken(struct decode_stream *stream, size_t count, struct buf *out) {
    for (size_t i = 0; i < count; i++)
        buf_append(out, BROKEN, BROKEN_LEN);
    keep_context(stream);
}

/* The run turns out to be no UTF-8, by its last byte or by its end. What was given out of it stays;
 * its other characters come now, and the last bytes are broken. */
static void spoil(struct decode_stream *stream, struct buf *out) {
    stream->spoiled = true;
    if (!stream->part_given) {
        give_settled(stream, out);
        return;
    }
    struct buf text;
    decode_raw(stream, 0, stream->n - stream->broken, &text);
    give(stream, &text, text.len, out);
    buf_deinit(&text);
    give_broken(stream, stream->broken, out);
}

/* A long run: its characters are given out, the last one stays as context. */
static void give_characters(struct decode_stream *stream, struct buf *out) {
    const size_t end = stream->n - stream->broken, before = stream->given;
    struct buf text;
    decode_raw(stream, 0, end, &text);
    give(stream, &text, settled(stream, &text), out);
    stream->part_given = stream->part_given || stream->given > before;
    if (stream->given == text.len) {
        cut_front(stream, end, 1, 0);
        stream->held = stream->broken;
    }
    buf_deinit(&text);
}

static void push_byte(struct decode_stream *stream, uint8_t byte, struct buf *out) {
    stream->run++;
    if (stream->spoiled) {
        give_broken(stream, 1, out);
        return;
    }
    ASSERT(stream->broken < sizeof stream->partial);
    stream->partial[stream->broken++] = byte;
    if (utf8_valid((const char *)stream->partial, stream->broken, NULL))
        stream->broken = 0;
    else if (!may_become(stream->partial, stream->broken))
        spoil(stream, out);
    if (!stream->spoiled && stream->held > DECODE_STREAM_HELD && stream->run > stream->broken)
        give_characters(stream, out);
}

/* What comes is no byte; the run is complete. */
static void end_run(struct decode_stream *stream, struct buf *out) {
    if (stream->broken > 0 && !stream->spoiled && stream->part_given)
        spoil(stream, out);
    stream->run = stream->broken = 0;
    stream->part_given = stream->spoiled = false;
}

/* ---- public -------------------------------------------------------------------------------- */

void decode_stream_push(struct decode_stream *stream, int32_t id, struct buf *out) {
    if (stream->joined) {
        slow_stream_push(stream->joined, id, out);
        return;
    }
    size_t len;
    const char *token = tokenizer_token_n(stream->tokenizer, id, &len);
    if (!token && !stream->tokenizer->slow) /* there, it may read as the unknown token */
        return;
    if (!stream->options.keep_special && tokenizer_is_special(stream->tokenizer, id))
        return;
    const int byte = token ? byte_of(stream, token, len) : -1;
    if (byte < 0)
        end_run(stream, out);
    if (stream->n >= WINDOW_MOST)
        keep_window(stream);
    stream->ids[stream->n++] = id;
    stream->held++;
    if (byte < 0)
        give_settled(stream, out);
    else
        push_byte(stream, (uint8_t)byte, out);
}

void decode_stream_finish(struct decode_stream *stream, struct buf *out) {
    if (stream->joined) {
        slow_stream_finish(stream->joined, out);
        return;
    }
    end_run(stream, out);
    struct buf text;
    decode_raw(stream, 0, stream->n, &text);
    give(stream, &text, text.len, out);
    buf_deinit(&text);
}
