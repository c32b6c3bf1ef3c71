/* Whole bodies kept small: streams write the same members again and again, so a key is kept as one byte.
 *
 *   canonical   {"author":"zion-1","number":7}
 *   packed      \2zion-1\3 7                        where \2 is `,"author":"` and \3 is `,"number":`
 *
 * Canonical text holds no control characters, so the bytes 2 to 31 are free to stand for a document's first keys, and 1
 * for a bare comma, behind which a member with another key stays as it is. Read again, the first comma becomes the
 * brace, and a string is closed where the next byte of these comes. Only the bodies of documents whose members no rule
 * names are packed: of others, single members are asked for. */
#include "plain.h"
#include "state.h"

struct gn_packed_keys {
    uint32_t count;
    struct gn_packed_key { /* of the byte 1 + its index */
        uint8_t text[GN_PACKED_KEY_SIZE_MAX];   /* `,"number":`, or `,"author":"` where a string follows */
        uint32_t size;
    } keys[GN_PACKED_KEYS_MAX];
};

static inline bool is_key_at(const struct gn_packed_key *key, const uint8_t *at, const uint8_t *end)
{
    const uint32_t size = key->size - 1; /* the comma may be a brace */
    return size <= (size_t)(end - at) && gn_same_bytes(key->text + 1, at, size);
}

/* The index of the key that begins at its quote, first looked for at `likely`; GN_NONE: it is none of them. */
static inline uint32_t find_key(const gn_packed_keys *all, const uint8_t *at, const uint8_t *end, uint32_t likely)
{
    if (likely < all->count && is_key_at(&all->keys[likely], at, end)) {
        return likely;
    }
    for (uint32_t i = 1; i < all->count; i++) {
        if (is_key_at(&all->keys[i], at, end)) {
            return i;
        }
    }
    return GN_NONE;
}

/* Keep what begins at a key's quote and ends in front of its value, or behind the quote that opens it; GN_NONE when it is
 * too long, or there are too many. */
static uint32_t learn_key(gn_packed_keys *all, const uint8_t *at, size_t size)
{
    if (all->count == GN_PACKED_KEYS_MAX || size >= GN_PACKED_KEY_SIZE_MAX) {
        return GN_NONE;
    }
    struct gn_packed_key *key = &all->keys[all->count];
    key->text[0] = ',';
    memcpy(key->text + 1, at, size);
    key->size = (uint32_t)size + 1;
    return all->count++;
}

/* Does a string follow, of which the key's text has the opening quote? */
static inline bool opens_string(const struct gn_packed_key *key)
{
    return key->text[key->size - 1] == '"';
}

static GN_COLD uint32_t find_new_key(gn_packed_keys *all, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *value = gn_skip_string(at + 1, end) + 1;
    return learn_key(all, at, (size_t)(value - at) + (*value == '"'));
}

/* Copy the rest of a string without its quotes; returns behind the closing one. */
static inline const uint8_t *copy_string(const uint8_t *from, const uint8_t *end, uint8_t **to)
{
    size_t size = gn_plain_copy(from, end, *to);
    if (from[size] != '"') {
        const uint8_t *rest = from + size;
        size = (size_t)(gn_skip_string(rest, end) - from) - 1;
        memcpy(*to + (rest - from), rest, size - (size_t)(rest - from));
    }
    *to += size;
    return from + size + 1;
}

/* Copy any other value; returns behind it. */
static inline const uint8_t *copy_value(const uint8_t *from, const uint8_t *end, uint8_t **to)
{
    const uint8_t *at = from;
    if (gn_is_digit(*at)) {
        while (at < end && *at != ',') {
            *(*to)++ = *at++;
        }
        return at;
    }
    at = gn_skip(from, end);
    memcpy(*to, from, (size_t)(at - from));
    *to += at - from;
    return at;
}

/* Pack an object that holds something into `to`, of its own size; returns how many bytes that took. */
static uint32_t pack(gn_packed_keys *all, gn_name body, uint8_t *to)
{
    const uint8_t *at = body.bytes, *const end = body.bytes + body.size - 1, *const start = to;
    uint32_t likely = 1;
    while (at < end) {
        at++; /* the brace or a comma */
        uint32_t index = find_key(all, at, end, likely);
        index = index == GN_NONE ? find_new_key(all, at, end) : index;
        if (index == GN_NONE) {
            const uint8_t *behind = gn_skip(gn_skip_string(at + 1, end) + 1, end);
            *to++ = 1;
            memcpy(to, at, (size_t)(behind - at));
            to += behind - at;
            at = behind;
            continue;
        }
        const struct gn_packed_key *key = &all->keys[index];
        const uint8_t *value = at + key->size - 1;
        *to++ = (uint8_t)(index + 1);
        at = opens_string(key) ? copy_string(value, end, &to) : copy_value(value, end, &to);
        likely = index + 1;
    }
    return (uint32_t)(to - start);
}

bool gn_pack_body(gn_fold *fold, gn_document *document, gn_name body, gn_cell *cell)
{
    const bool packs = document->slots.count == 0 && document->term_count == 0 && body.size > 2 && body.bytes[0] == '{';
    if (packs && document->packed_keys == NULL) {
        document->packed_keys = gn_alloc(&fold->self, sizeof *document->packed_keys);
        if (document->packed_keys == NULL) {
            return false;
        }
        *document->packed_keys = (gn_packed_keys){.count = 1, .keys = {{.text = ",", .size = 1}}};
    }
    uint8_t *bytes = gn_alloc_bytes(&fold->state, body.size);
    if (bytes == NULL) {
        return false;
    }
    if (packs) {
        const uint32_t size = pack(document->packed_keys, body, bytes);
        gn_alloc_trim(&fold->state, bytes, body.size, size);
        *cell = (gn_cell){.as.text = bytes, .size = size, .kind = GN_PACKED};
    } else {
        memcpy(bytes, body.bytes, body.size);
        *cell = (gn_cell){.as.text = bytes, .size = body.size, .kind = GN_TEXT};
    }
    return true;
}

/* The first byte that stands for a key. */
static inline const uint8_t *find_token(const uint8_t *at, const uint8_t *end)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word;
    for (; end - at >= 8; at += 8) {
        memcpy(&word, at, 8);
        if (((word - ones * 0x20) & ~word & (ones * 0x80)) != 0) {
            break;
        }
    }
    while (at < end && *at >= 0x20) {
        at++;
    }
    return at;
}

bool gn_unpack(const gn_document *document, const gn_cell *cell, gn_buffer *out)
{
    const uint8_t *at = cell->as.text, *const end = at + cell->size;
    const size_t start = out->size;
    bool in_string = false;
    assert(cell->kind == GN_PACKED && cell->size > 0);
    for (;;) {
        const uint8_t *from = at;
        at = find_token(at, end);
        if (!gn_buffer_put(out, from, (size_t)(at - from)) || (in_string && !gn_buffer_put_byte(out, '"'))) {
            return false;
        }
        if (at == end) {
            break;
        }
        const struct gn_packed_key *key = &document->packed_keys->keys[*at++ - 1];
        in_string = opens_string(key);
        if (!gn_buffer_put(out, key->text, key->size)) {
            return false;
        }
    }
    out->data[start] = '{';
    return gn_buffer_put_byte(out, '}');
}
