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

#define COPY_PAST 32u   /* bytes that copying may write behind the last: it goes by steps */

/* Of the byte 1 + its index. */
typedef struct packed_key {
    uint8_t text[GN_PACKED_KEY_SIZE_MAX];   /* `,"number":`, or `,"author":"` where a string follows; zeros behind */
    uint32_t mask;                          /* a bit for each byte of it but the comma, which may be a brace */
    uint32_t size;
    uint8_t byte;
    bool opens_string;                      /* its last byte is a string's opening quote */
} packed_key;

/* The first is the bare comma, and behind the last is one that no text is like. */
struct gn_packed_keys {
    uint32_t count;
    packed_key keys[GN_PACKED_KEYS_MAX + 1];
};

/* A key that stands nowhere: canonical text holds no NUL. */
static const packed_key no_key = {.mask = 2};

static GN_NO_INLINE bool open_keys(gn_fold *fold, gn_document *document)
{
    gn_packed_keys *all = gn_alloc(&fold->self, sizeof *all);
    if (all != NULL) {
        *all = (gn_packed_keys){.count = 1, .keys = {{.text = ",", .size = 1, .byte = 1}, no_key}};
        document->packed_keys = all;
    }
    return all != NULL;
}

/* Does the key stand at `at`, behind the comma or brace there? */
static inline bool is_key_at(const packed_key *key, const uint8_t *at)
{
    return (~gn_equal_bytes(key->text, at, key->mask) & key->mask) == 0;
}

/* Keep what begins at a key's comma and ends in front of its value, or behind the quote that opens it; NULL when it is
 * too long, or there are too many. */
static GN_COLD const packed_key *learn_key(gn_packed_keys *all, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *value = gn_skip_string(at + 2, end) + 1;
    const bool opens_string = *value == '"';
    const size_t size = (size_t)(value - at) + opens_string;
    if (all->count == GN_PACKED_KEYS_MAX || size > GN_PACKED_KEY_SIZE_MAX) {
        return NULL;
    }
    packed_key *key = &all->keys[all->count++];
    *key = (packed_key){.text = ",", .size = (uint32_t)size, .byte = (uint8_t)all->count, .opens_string = opens_string};
    key->mask = UINT32_MAX >> (GN_PACKED_KEY_SIZE_MAX - size) & ~(uint32_t)1;
    memcpy(key->text + 1, at + 1, size - 1);
    key[1] = no_key;
    return key;
}

/* The key at `at`, known by now; NULL: it stays as it is. */
static GN_NO_INLINE const packed_key *find_key(gn_packed_keys *all, const uint8_t *at, const uint8_t *end)
{
    for (uint32_t i = 1; i < all->count; i++) {
        if (is_key_at(&all->keys[i], at)) {
            return &all->keys[i];
        }
    }
    return learn_key(all, at, end);
}

/* Each copies what stands at `at` and returns how many bytes that took. */

static size_t copy_before(uint8_t *to, const uint8_t *at, const uint8_t *behind)
{
    memcpy(to, at, (size_t)(behind - at));
    return (size_t)(behind - at);
}

/* A member whose key has no byte. */
static GN_NO_INLINE size_t copy_member(uint8_t *to, const uint8_t *at, const uint8_t *end)
{
    *to = 1;
    return 1 + copy_before(to + 1, at + 1, gn_skip(gn_skip_string(at + 2, end) + 1, end));
}

static GN_NO_INLINE size_t copy_any_string(uint8_t *to, const uint8_t *at, const uint8_t *end)
{
    return copy_before(to, at, gn_skip_string(at, end) - 1);
}

static GN_NO_INLINE size_t copy_any_value(uint8_t *to, const uint8_t *at, const uint8_t *end)
{
    return copy_before(to, at, gn_skip(at, end));
}

/* A string without its quotes. A quote ends it unless a backslash stands before it: then a slower look decides. */
static inline size_t copy_string(uint8_t *to, const uint8_t *at, const uint8_t *end)
{
    size_t size = 0;
    uint32_t quotes;
    while ((quotes = gn_copy_and_find(to + size, at + size, '"')) == 0) {
        size += 32;
    }
    size += (uint32_t)__builtin_ctz(quotes);
    return at[size - 1] == '\\' ? copy_any_string(to, at, end) : size;
}

/* Any other value: nearly all are numbers, and a short one ends where the first comma or brace is. */
static inline size_t copy_value(uint8_t *to, const uint8_t *at, const uint8_t *end)
{
    const uint32_t ends = gn_either_in_16(at, ',', '}');
    if (!gn_is_digit(*at) || ends == 0) {
        return copy_any_value(to, at, end);
    }
    memcpy(to, at, 16);
    return (uint32_t)__builtin_ctz(ends);
}

/* Pack an object that holds something into `to`, of its own size and COPY_PAST; returns how many bytes that took. */
static inline uint32_t pack(gn_packed_keys *all, gn_name body, uint8_t *const start)
{
    const uint8_t *at = body.bytes, *const end = at + body.size - 1;
    const packed_key *likely = &all->keys[1];
    uint8_t *to = start;
    while (at < end) {
        const packed_key *key = is_key_at(likely, at) ? likely : find_key(all, at, end);
        if (key == NULL) {
            const size_t size = copy_member(to, at, end);
            at += size;
            to += size;
            continue;
        }
        *to++ = key->byte;
        at += key->size;
        likely = key + 1;
        if (key->opens_string) {
            const size_t size = copy_string(to, at, end);
            at += size + 1;
            to += size;
        } else {
            const size_t size = copy_value(to, at, end);
            at += size;
            to += size;
        }
    }
    return (uint32_t)(to - start);
}

static GN_NO_INLINE bool keep_whole(gn_fold *fold, gn_name body, gn_cell *cell)
{
    uint8_t *bytes = gn_alloc_bytes(&fold->state, body.size);
    if (bytes == NULL) {
        return false;
    }
    memcpy(bytes, body.bytes, body.size);
    *cell = (gn_cell){.as.text = bytes, .size = body.size, .kind = GN_TEXT};
    return true;
}

/* Have the memory on its way that bodies after this one will be written to: a few lines, as most of them take, so far on
 * that it is there by then. Behind the end of a block nothing happens. */
#define ROOM_AHEAD 2048u
static GN_INLINE void ask_for_room(const uint8_t *here)
{
    for (uint32_t line = 0; line < 3; line++) {
        __builtin_prefetch((const void *)((uintptr_t)here + ROOM_AHEAD + line * GN_LINE_SIZE), 1);
    }
}

static GN_INLINE bool pack_body(gn_fold *fold, gn_document *document, gn_name body, gn_cell *cell)
{
    const bool packs = document->packed_keys != NULL || (document->slots.count == 0 && document->term_count == 0);
    if (!packs || body.size <= 2 || body.bytes[0] != '{') {
        return keep_whole(fold, body, cell);
    }
    if (document->packed_keys == NULL && !open_keys(fold, document)) {
        return false;
    }
    const size_t room = (size_t)body.size + COPY_PAST;
    uint8_t *bytes = gn_alloc_bytes(&fold->state, room);
    if (bytes == NULL) {
        return false;
    }
    ask_for_room(bytes);
    const uint32_t size = pack(document->packed_keys, body, bytes);
    gn_alloc_trim(&fold->state, bytes, room, size);
    *cell = (gn_cell){.as.text = bytes, .size = size, .kind = GN_PACKED};
    return true;
}

bool gn_pack_body(gn_fold *fold, gn_document *document, gn_name body, gn_cell *cell)
{
    return pack_body(fold, document, body, cell);
}

int gn_insert(gn_fold *fold, gn_entity *entity, gn_name body)
{
    gn_document *document = &fold->program.documents[entity->document];
    assert(entity->body.kind == GN_ABSENT && body.size > 0);
    const bool done = gn_state_touch(fold, entity) &&
                      gn_state_save(fold, entity, &entity->body) && pack_body(fold, document, body, &entity->body);
    return done ? GN_OK : GN_NO_MEMORY;
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
        const packed_key *key = &document->packed_keys->keys[*at++ - 1];
        in_string = key->opens_string;
        if (!gn_buffer_put(out, key->text, key->size)) {
            return false;
        }
    }
    out->data[start] = '{';
    return gn_buffer_put_byte(out, '}');
}
