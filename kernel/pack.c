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
#include "scan.h"

#define COPY_PAST 16u   /* bytes that copying may write behind the last: it goes by steps */

struct gn_packed_keys {
    uint32_t count;
    struct gn_packed_key { /* of the byte 1 + its index */
        uint8_t text[GN_PACKED_KEY_SIZE_MAX];   /* `,"number":`, or `,"author":"` where a string follows; zeros behind */
        uint32_t mask;                          /* a bit for each byte of it but the comma, which may be a brace */
        uint32_t size;
        bool opens_string;                      /* its last byte is a string's opening quote */
    } keys[GN_PACKED_KEYS_MAX];
};

/* Does the key stand at `at`, behind the comma or brace there? */
static inline bool is_key_at(const struct gn_packed_key *key, const uint8_t *at)
{
    return (~gn_equal_bytes(key->text, at, key->mask) & key->mask) == 0;
}

/* The index of the key at `at`; GN_NONE: it is none of them. */
static uint32_t find_key(const gn_packed_keys *all, const uint8_t *at)
{
    for (uint32_t i = 1; i < all->count; i++) {
        if (is_key_at(&all->keys[i], at)) {
            return i;
        }
    }
    return GN_NONE;
}

/* Keep what begins at a key's comma and ends in front of its value, or behind the quote that opens it; GN_NONE when it
 * is too long, or there are too many. */
static GN_COLD uint32_t learn_key(gn_packed_keys *all, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *value = gn_skip_string(at + 2, end) + 1;
    const bool opens_string = *value == '"';
    const size_t size = (size_t)(value - at) + opens_string;
    if (all->count == GN_PACKED_KEYS_MAX || size > GN_PACKED_KEY_SIZE_MAX) {
        return GN_NONE;
    }
    struct gn_packed_key *key = &all->keys[all->count];
    *key = (struct gn_packed_key){.text = ",", .size = (uint32_t)size, .opens_string = opens_string};
    key->mask = UINT32_MAX >> (GN_PACKED_KEY_SIZE_MAX - size) & ~(uint32_t)1;
    memcpy(key->text + 1, at + 1, size - 1);
    return all->count++;
}

/* Copy the rest of a string without its quotes; returns behind the closing one. */
static inline const uint8_t *copy_string(const uint8_t *from, const uint8_t *end, uint8_t **to)
{
    const uint8_t *at = from;
    size_t size;
    while ((size = gn_plain_step(at, *to)) == GN_PLAIN_STEP) {
        at += size;
        *to += size;
    }
    *to += size;
    at += size;
    if (*at == '"') {
        return at + 1;
    }
    const uint8_t *behind = gn_skip_string(at, end);
    memcpy(*to, at, (size_t)(behind - at) - 1);
    *to += behind - at - 1;
    return behind;
}

/* Copy any other value; returns behind it. */
static inline const uint8_t *copy_value(const uint8_t *from, const uint8_t *end, uint8_t **to)
{
    const uint8_t *behind = gn_small_number_end(from);
    if (behind == NULL) {
        behind = gn_skip(from, end);
        memcpy(*to, from, (size_t)(behind - from));
    } else {
        memcpy(*to, from, 8);
    }
    *to += behind - from;
    return behind;
}

/* Pack an object that holds something into `to`, of its own size and COPY_PAST; returns how many bytes that took. */
static uint32_t pack(gn_packed_keys *all, gn_name body, uint8_t *to)
{
    const uint8_t *at = body.bytes, *const end = body.bytes + body.size - 1, *const start = to;
    uint32_t likely = 1;
    while (at < end) {
        uint32_t index = likely;
        if (index >= all->count || !is_key_at(&all->keys[index], at)) {
            index = find_key(all, at);
        }
        if (index == GN_NONE) {
            index = learn_key(all, at, end);
        }
        if (index == GN_NONE) {
            const uint8_t *behind = gn_skip(gn_skip_string(at + 2, end) + 1, end);
            *to++ = 1;
            memcpy(to, at + 1, (size_t)(behind - at) - 1);
            to += behind - at - 1;
            at = behind;
            continue;
        }
        const struct gn_packed_key *key = &all->keys[index];
        *to++ = (uint8_t)(index + 1);
        at = key->opens_string ? copy_string(at + key->size, end, &to) : copy_value(at + key->size, end, &to);
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
    const size_t room = (size_t)body.size + (packs ? COPY_PAST : 0);
    uint8_t *bytes = gn_alloc_bytes(&fold->state, room);
    if (bytes == NULL) {
        return false;
    }
    if (packs) {
        const uint32_t size = pack(document->packed_keys, body, bytes);
        gn_alloc_trim(&fold->state, bytes, room, size);
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
        in_string = key->opens_string;
        if (!gn_buffer_put(out, key->text, key->size)) {
            return false;
        }
    }
    out->data[start] = '{';
    return gn_buffer_put_byte(out, '}');
}
