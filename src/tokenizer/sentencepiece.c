/* Protobuf's wire format, as far as sentencepiece_model.proto needs it: a message is a row of
 * fields, each a varint of (number << 3 | wire type) and a value: varint (0), 8 bytes (1),
 * length-delimited (2), 4 bytes (5). Unknown fields are passed over, a field that comes twice
 * counts as the last, messages that come twice are merged, as protobuf says. Groups (3, 4), which
 * no version of the file has had, are refused. No recursion: messages nest two deep. */
#include "tokenizer/sentencepiece.h"

#include <math.h>

#include "base/banned.h"

struct wire { /* what is left of a message */
    const uint8_t *at, *end;
};

struct field {
    uint32_t number;
    uint64_t varint;   /* wire type 0; also the bits of types 1 and 5 */
    struct wire bytes; /* wire type 2 */
    unsigned wire_type;
};

static bool read_varint(struct wire *wire, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (wire->at == wire->end)
            return false;
        const uint8_t byte = *wire->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false; /* more than ten bytes */
}

static bool read_fixed(struct wire *wire, size_t size, uint64_t *out) {
    if ((size_t)(wire->end - wire->at) < size)
        return false;
    *out = 0;
    for (size_t i = 0; i < size; i++)
        *out |= (uint64_t)wire->at[i] << (8 * i);
    wire->at += size;
    return true;
}

static bool read_bytes(struct wire *wire, struct wire *out) {
    uint64_t len;
    if (!read_varint(wire, &len) || len > (uint64_t)(wire->end - wire->at))
        return false;
    *out = (struct wire){wire->at, wire->at + len};
    wire->at += len;
    return true;
}

/* The next field; false at damage. Precondition: wire->at < wire->end. */
static bool read_field(struct wire *wire, struct field *field) {
    uint64_t key;
    if (!read_varint(wire, &key) || key >> 3 == 0 || key >> 3 > UINT32_MAX)
        return false;
    *field = (struct field){.number = (uint32_t)(key >> 3), .wire_type = (unsigned)(key & 7)};
    switch (field->wire_type) {
    case 0:
        return read_varint(wire, &field->varint);
    case 1:
        return read_fixed(wire, 8, &field->varint);
    case 2:
        return read_bytes(wire, &field->bytes);
    case 5:
        return read_fixed(wire, 4, &field->varint);
    default:
        return false;
    }
}

/* A value of another wire type than the field's is an unknown field to protobuf. */
static bool is(const struct field *field, uint32_t number, unsigned wire_type) {
    return field->number == number && field->wire_type == wire_type;
}

static size_t wire_len(struct wire wire) {
    return (size_t)(wire.end - wire.at);
}

/* ---- messages ------------------------------------------------------------------------------ */

static bool parse_piece(struct sentencepiece_piece *piece, struct wire wire) {
    *piece = (struct sentencepiece_piece){.type = SENTENCEPIECE_NORMAL};
    struct field field;
    while (wire.at < wire.end) {
        if (!read_field(&wire, &field))
            return false;
        if (is(&field, 1, 2)) {
            piece->data = (const char *)field.bytes.at;
            piece->len = (uint32_t)wire_len(field.bytes);
        } else if (is(&field, 2, 5)) {
            const uint32_t bits = (uint32_t)field.varint;
            memcpy(&piece->score, &bits, sizeof bits);
        } else if (is(&field, 3, 0) && field.varint >= SENTENCEPIECE_NORMAL &&
                   field.varint <= SENTENCEPIECE_BYTE) {
            piece->type = (enum sentencepiece_type)field.varint;
        }
    }
    return true;
}

static bool parse_trainer(struct sentencepiece *out, struct arena *arena, struct wire wire) {
    struct field field;
    while (wire.at < wire.end) {
        if (!read_field(&wire, &field))
            return false;
        if (is(&field, 3, 0) && field.varint >= SENTENCEPIECE_UNIGRAM &&
            field.varint <= SENTENCEPIECE_CHAR)
            out->model_type = (enum sentencepiece_model)field.varint;
        else if (is(&field, 24, 0))
            out->treat_whitespace_as_suffix = field.varint != 0;
        else if (is(&field, 35, 0))
            out->byte_fallback = field.varint != 0;
        else if (is(&field, 40, 0))
            out->unk_id = (int32_t)(uint32_t)field.varint;
        else if (is(&field, 44, 2))
            out->unk_surface =
                arena_strndup(arena, (const char *)field.bytes.at, wire_len(field.bytes));
        else if (is(&field, 45, 2))
            out->unk_piece =
                arena_strndup(arena, (const char *)field.bytes.at, wire_len(field.bytes));
    }
    return true;
}

static bool parse_normalizer(struct sentencepiece *out, struct wire wire) {
    struct field field;
    while (wire.at < wire.end) {
        if (!read_field(&wire, &field))
            return false;
        if (is(&field, 2, 2)) {
            out->charsmap = (const char *)field.bytes.at;
            out->charsmap_len = wire_len(field.bytes);
        } else if (is(&field, 3, 0)) {
            out->add_dummy_prefix = field.varint != 0;
        } else if (is(&field, 4, 0)) {
            out->remove_extra_whitespaces = field.varint != 0;
        } else if (is(&field, 5, 0)) {
            out->escape_whitespaces = field.varint != 0;
        }
    }
    return true;
}

/* ---- the file ------------------------------------------------------------------------------ */

static enum status damaged(const struct wire *wire, const char *data, struct error *err) {
    return ERR(err, MODEL, "not a SentencePiece model, or damaged at byte %zu",
               (size_t)((const char *)wire->at - data));
}

/* Checks the outer fields and counts the pieces, so that the second pass allocates once. */
static enum status count_pieces(const char *data, size_t len, size_t *n, struct error *err) {
    struct wire wire = {(const uint8_t *)data, (const uint8_t *)data + len};
    struct field field;
    *n = 0;
    while (wire.at < wire.end) {
        if (!read_field(&wire, &field))
            return damaged(&wire, data, err);
        *n += is(&field, 1, 2);
    }
    if (*n == 0)
        return ERR(err, MODEL, "not a SentencePiece model: it has no pieces");
    if (*n > LIMIT_VOCAB_SIZE)
        return ERR(err, MODEL, "it has %zu pieces, the limit is %d", *n, LIMIT_VOCAB_SIZE);
    return STATUS_OK;
}

static enum status check_texts(const struct sentencepiece *model, struct error *err) {
    for (size_t i = 0; i < model->n; i++) {
        const struct sentencepiece_piece *piece = &model->pieces[i];
        if (piece->len == 0)
            return ERR(err, MODEL, "piece %zu is empty", i);
        if (!utf8_valid(piece->data, piece->len, NULL))
            return ERR(err, MODEL, "piece %zu is not valid UTF-8", i);
        if (!(piece->score > -INFINITY && piece->score < INFINITY))
            return ERR(err, MODEL, "the score of piece %zu is not a finite number", i);
    }
    if (!utf8_valid(model->unk_piece, strlen(model->unk_piece), NULL))
        return ERR(err, MODEL, "trainer_spec's unk_piece is not valid UTF-8");
    if (!utf8_valid(model->unk_surface, strlen(model->unk_surface), NULL))
        return ERR(err, MODEL, "trainer_spec's unk_surface is not valid UTF-8");
    return STATUS_OK;
}

enum status sentencepiece_parse(struct sentencepiece *out, struct arena *arena, const char *data,
                                size_t len, struct error *err) {
    struct sentencepiece model = {.model_type = SENTENCEPIECE_UNIGRAM,
                                  .unk_piece = "<unk>",
                                  .unk_surface = " \xE2\x81\x87 ",
                                  .add_dummy_prefix = true,
                                  .remove_extra_whitespaces = true,
                                  .escape_whitespaces = true};
    size_t n;
    if (count_pieces(data, len, &n, err) != STATUS_OK)
        return STATUS_ERROR;
    model.pieces = arena_zalloc(arena, n, sizeof *model.pieces);
    struct wire wire = {(const uint8_t *)data, (const uint8_t *)data + len};
    while (wire.at < wire.end) {
        struct field field;
        bool good = read_field(&wire, &field);
        if (good && is(&field, 1, 2))
            good = parse_piece(&model.pieces[model.n++], field.bytes);
        else if (good && is(&field, 2, 2))
            good = parse_trainer(&model, arena, field.bytes);
        else if (good && is(&field, 3, 2))
            good = parse_normalizer(&model, field.bytes);
        if (!good)
            return damaged(&wire, data, err);
    }
    if (check_texts(&model, err) != STATUS_OK)
        return STATUS_ERROR;
    *out = model;
    return STATUS_OK;
}
