/* Strict JSON in, canonical compact bytes out, in one pass and without a tree.
 *
 * What is read is written at once, in the order of the text; order.c notes the members of objects and
 * puts them in key order at the end, where they are not already. The output has room for every byte that
 * is left to read, so nothing but a double (1e9 becomes 1000000000.0) has to look for room again.
 *
 * read_string.c and read_number.c read what is between the brackets.
 *
 * A text that is the beginning of a valid one is refused as GN_JSON_ENDS_EARLY and no other way, so half a
 * file can be told from a bad one. A repeated key is seen when its object closes, unless the keys came in
 * order: then at once. */
#include "reader.h"

typedef struct frame {
    gn_open_object object;
    bool is_object;
} frame;

static uint32_t offset(const gn_reader *r)
{
    return (uint32_t)(r->to - gn_read_written(r));
}

static const uint8_t *skip_spaces(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at <= ' ') {
        if (end - at >= 8 && memcmp(at, "        ", 8) == 0) { /* indentation */
            at += 8;
        } else if (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') {
            at++;
        } else {
            break;
        }
    }
    return at;
}

static inline const uint8_t *skip_space(const uint8_t *at, const uint8_t *end)
{
    return at < end && *at <= ' ' ? skip_spaces(at, end) : at;
}

/* ---- words ---- */

/* How many bytes of `word` stand at r->at. */
static size_t match(const gn_reader *r, const uint8_t *at, const char *word)
{
    size_t size = 0;
    while (at + size < r->end && word[size] != '\0' && at[size] == (uint8_t)word[size]) {
        size++;
    }
    return size;
}

static bool read_word(gn_reader *r, const char *word)
{
    size_t size = strlen(word);
    size_t matched = match(r, r->at, word);
    if (matched < size) {
        r->at += matched;
        return gn_read_fail_here(r);
    }
    gn_read_put(r, r->at, size);
    r->at += size;
    return true;
}

/* NaN, Infinity and -Infinity have an error of their own: other writers of JSON make them. */
static bool fail_value(gn_reader *r)
{
    const uint8_t *at = r->at;
    at += at < r->end && *at == '-';
    if (match(r, at, "NaN") == 3 || match(r, at, "Infinity") == 8) {
        return gn_read_fail(r, GN_JSON_NOT_FINITE, r->at);
    }
    r->at = at;
    return gn_read_fail_here(r);
}

/* ---- arrays and objects ---- */

static frame *top_frame(const gn_reader *r)
{
    return (frame *)(void *)(r->frames.data + r->frames.size) - 1;
}

static bool open_container(gn_reader *r, bool is_object)
{
    if (r->depth == r->depth_max && r->depth_max > 0) {
        return gn_read_fail(r, GN_JSON_TOO_DEEP, r->at);
    }
    frame opened = {.is_object = is_object};
    if ((is_object && !gn_order_open_object(&r->order, offset(r), &opened.object)) ||
        !gn_buffer_put(&r->frames, &opened, sizeof opened)) {
        return gn_read_fail(r, GN_NO_MEMORY, r->at);
    }
    *r->to++ = *r->at++;
    r->depth++;
    r->is_object = is_object;
    r->opened = true;
    return true;
}

/* r->at is its closing bracket. */
static bool close_container(gn_reader *r)
{
    *r->to++ = *r->at++;
    if (r->is_object) {
        uint32_t source = 0;
        int status = gn_order_close_object(&r->order, &top_frame(r)->object, offset(r), gn_read_written(r),
                                           &source);
        if (status != GN_OK) {
            return gn_read_fail(r, status, status == GN_JSON_DUPLICATE_KEY ? r->begin + source : r->at - 1);
        }
    }
    r->frames.size -= sizeof(frame);
    r->depth--;
    r->is_object = r->depth > 0 && top_frame(r)->is_object;
    return true;
}

/* A key and its colon, up to the value. */
static bool read_key(gn_reader *r)
{
    gn_member member = {.key_at = offset(r) + 1, .source = (uint32_t)(r->at - r->begin)};
    if (r->at == r->end || *r->at != '"') {
        return gn_read_fail_here(r);
    }
    const uint8_t *quote = r->at;
    if (!gn_read_string(r, &member.escaped)) {
        return false;
    }
    member.key_size = offset(r) - 1 - member.key_at;
    int status = gn_order_add(&r->order, &top_frame(r)->object, member, gn_read_written(r));
    if (status != GN_OK) {
        return gn_read_fail(r, status, quote);
    }
    r->at = skip_space(r->at, r->end);
    if (r->at == r->end || *r->at != ':') {
        return gn_read_fail_here(r);
    }
    *r->to++ = *r->at++;
    r->at = skip_space(r->at, r->end);
    return true;
}

/* ---- the text ---- */

/* A scalar, or the beginning of an array or object. */
static bool read_value(gn_reader *r)
{
    bool escaped;
    r->opened = false;
    switch (r->at < r->end ? *r->at : 0) {
    case '"': return gn_read_string(r, &escaped);
    case '{': return open_container(r, true);
    case '[': return open_container(r, false);
    case 't': return read_word(r, "true");
    case 'f': return read_word(r, "false");
    case 'n': return read_word(r, "null");
    case '-':
        if (r->at + 1 < r->end && !gn_is_digit(r->at[1])) {
            return fail_value(r);
        }
        return gn_read_number(r);
    default: return r->at < r->end && gn_is_digit(*r->at) ? gn_read_number(r) : fail_value(r);
    }
}

/* Go on behind a value or an opening bracket: true at the next value, false at the end or on failure. */
static bool find_value(gn_reader *r)
{
    bool first = r->opened;
    while (r->depth > 0) {
        r->at = skip_space(r->at, r->end);
        uint8_t byte = r->at < r->end ? *r->at : 0;
        if (byte == (r->is_object ? '}' : ']')) {
            if (r->is_object && !first) {
                gn_order_end_member(&r->order, offset(r));
            }
            if (!close_container(r)) {
                return false;
            }
            first = false;
            continue;
        }
        if (!first) {
            if (byte != ',') {
                return gn_read_fail_here(r);
            }
            if (r->is_object) {
                gn_order_end_member(&r->order, offset(r));
            }
            *r->to++ = *r->at++;
            r->at = skip_space(r->at, r->end);
        }
        return !r->is_object || read_key(r);
    }
    return false;
}

static void read_text(gn_reader *r)
{
    static const uint8_t mark[] = {0xEF, 0xBB, 0xBF};
    if (r->end - r->at >= 3 && memcmp(r->at, mark, 3) == 0) {
        gn_read_fail(r, GN_JSON_BYTE_ORDER_MARK, r->at);
        return;
    }
    r->at = skip_space(r->at, r->end);
    while (read_value(r) && find_value(r)) {
    }
    if (r->status != GN_OK) {
        return;
    }
    r->at = skip_space(r->at, r->end);
    if (r->at < r->end) {
        gn_read_fail(r, GN_JSON_TRAILING, r->at);
    }
}

/* The bytes lie in the order of the text: bring them into key order, through a copy of them. */
static void sort_written(gn_reader *r)
{
    uint32_t size = offset(r);
    uint8_t *copy = gn_alloc(r->order.scratch, (size_t)size + GN_COPY_SLACK);
    if (copy == NULL) {
        gn_read_fail(r, GN_NO_MEMORY, r->end);
        return;
    }
    memcpy(copy, gn_read_written(r), size);
    if (!gn_order_copy(&r->order, copy, size, gn_read_written(r))) {
        gn_read_fail(r, GN_NO_MEMORY, r->end);
    }
}

int gn_json_compact(gn_arena *scratch, const uint8_t *text, size_t size, uint32_t depth_max,
                    uint64_t size_max, gn_buffer *out, uint64_t *position)
{
    size_t base = out->size;
    *position = 0;
    if ((size_max > 0 && size > size_max) || size > GN_JSON_SIZE_LARGEST) {
        *position = size_max > 0 && size_max < GN_JSON_SIZE_LARGEST ? size_max : GN_JSON_SIZE_LARGEST;
        return GN_JSON_TOO_LARGE;
    }
    if (!gn_buffer_reserve(out, size + GN_COPY_SLACK)) {
        return GN_NO_MEMORY;
    }
    gn_reader r = {.begin = text, .at = text, .end = text + size, .out = out, .base = base,
                .to = out->data + base, .frames = {.arena = scratch}, .depth_max = depth_max};
    gn_order_open(&r.order, scratch);
    read_text(&r);
    if (r.status == GN_OK && !gn_order_is_sorted(&r.order)) {
        sort_written(&r);
    }
    if (r.status != GN_OK) {
        out->size = base;
        *position = (uint64_t)(r.fault - r.begin);
        return r.status;
    }
    out->size = (size_t)(r.to - out->data);
    assert(out->size <= out->room && r.depth == 0);
    return GN_OK;
}
