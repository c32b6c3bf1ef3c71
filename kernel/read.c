/* Strict JSON in, canonical compact bytes out, in one pass and without a tree.
 *
 * What is read is written at once, in the order of the text; order.c notes the members of objects and
 * puts them in key order at the end, where they are not already. The output has room for every byte that
 * is left to read, so nothing but a double (1e9 becomes 1000000000.0) has to look for room again.
 *
 * A text that is the beginning of a valid one is refused as GN_JSON_ENDS_EARLY and no other way, so half a
 * file can be told from a bad one. A repeated key is seen when its object closes, unless the keys came in
 * order: then at once. */
#include "order.h"
#include "plain.h"

#define SIZE_LARGEST (UINT32_MAX - 64)  /* of text and result: offsets are 32 bits */
#define DIGITS_EXACT 15                 /* a decimal of so many digits survives the way through a double */

typedef struct frame {
    gn_open_object object;
    bool is_object;
} frame;

typedef struct reader {
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    uint8_t *to;                /* always with room for end - at bytes and GN_COPY_SLACK */
    size_t base;                /* where this text's bytes begin in out */
    gn_buffer *out;
    gn_order order;
    gn_buffer frames;
    uint32_t depth;
    uint32_t depth_max;
    bool opened;                /* the value just read is an array or object that has yet to be filled */
    bool is_object;             /* of the innermost frame */
    int status;
    const uint8_t *fault;
} reader;

static bool fail(reader *r, int status, const uint8_t *fault)
{
    r->status = status;
    r->fault = fault;
    return false;
}

static uint8_t *written(const reader *r)
{
    return r->out->data + r->base;
}

static uint32_t offset(const reader *r)
{
    return (uint32_t)(r->to - written(r));
}

/* ---- what may stand where ---- */

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

/* The size of the UTF-8 sequence at `at`; 0 when it is none, -1 when the text ends inside one.
 * Table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing past U+10FFFF. */
static int utf8_size(const uint8_t *at, const uint8_t *end)
{
    uint8_t lead = at[0];
    int size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (int next = 1; next < size; next++) {
        if (at + next == end) {
            return -1;
        }
        if (at[next] < low || at[next] > high) {
            return 0;
        }
        low = 0x80;
        high = 0xBF;
    }
    return size;
}

/* The byte at r->at cannot stand there, or the text ends there. */
static bool fail_here(reader *r)
{
    if (r->at == r->end) {
        return fail(r, GN_JSON_ENDS_EARLY, r->end);
    }
    int size = utf8_size(r->at, r->end);
    return fail(r, size > 0 ? GN_JSON_UNEXPECTED : GN_JSON_NOT_UTF8, r->at);
}

/* ---- strings ---- */

/* Four hex digits, or -1 with the status set; the escape they belong to begins at `escape`. */
static int32_t read_hex(reader *r, const uint8_t *at, const uint8_t *escape)
{
    int32_t value = 0;
    for (int digit = 0; digit < 4; digit++, at++) {
        if (at == r->end) {
            fail(r, GN_JSON_ENDS_EARLY, r->end);
            return -1;
        }
        uint8_t letter = *at | 0x20;
        if (gn_is_digit(*at)) {
            value = value * 16 + (*at - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            value = value * 16 + (letter - 'a' + 10);
        } else {
            fail(r, GN_JSON_BAD_ESCAPE, escape);
            return -1;
        }
    }
    return value;
}

/* The second half of a surrogate pair is due at r->at; the first began at `escape`. */
static int32_t read_low_surrogate(reader *r, int32_t high, const uint8_t *escape)
{
    const uint8_t *at = r->at;
    if (at == r->end || (at[0] == '\\' && at + 1 == r->end)) {
        fail(r, GN_JSON_ENDS_EARLY, r->end);
        return -1;
    }
    if (at[0] != '\\' || at[1] != 'u') {
        fail(r, GN_JSON_LONE_SURROGATE, escape);
        return -1;
    }
    int32_t low = read_hex(r, at + 2, at);
    if (low < 0) {
        return -1;
    }
    if (low < 0xDC00 || low > 0xDFFF) {
        fail(r, GN_JSON_LONE_SURROGATE, escape);
        return -1;
    }
    r->at = at + 6;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static uint8_t *put_utf8(uint8_t *to, int32_t point)
{
    if (point < 0x80) {
        *to++ = (uint8_t)point;
    } else if (point < 0x800) {
        *to++ = (uint8_t)(0xC0 | point >> 6);
        *to++ = (uint8_t)(0x80 | (point & 0x3F));
    } else {
        if (point < 0x10000) {
            *to++ = (uint8_t)(0xE0 | point >> 12);
        } else {
            *to++ = (uint8_t)(0xF0 | point >> 18);
            *to++ = (uint8_t)(0x80 | (point >> 12 & 0x3F));
        }
        *to++ = (uint8_t)(0x80 | (point >> 6 & 0x3F));
        *to++ = (uint8_t)(0x80 | (point & 0x3F));
    }
    return to;
}

static bool read_unicode_escape(reader *r, bool *escaped)
{
    const uint8_t *escape = r->at;
    int32_t point = read_hex(r, escape + 2, escape);
    if (point < 0) {
        return false;
    }
    r->at = escape + 6;
    if (point >= 0xDC00 && point <= 0xDFFF) {
        return fail(r, GN_JSON_LONE_SURROGATE, escape);
    }
    if (point >= 0xD800 && point <= 0xDBFF) {
        point = read_low_surrogate(r, point, escape);
        if (point < 0) {
            return false;
        }
    }
    if (point >= 0x80 || gn_is_plain((uint8_t)point)) {
        r->to = put_utf8(r->to, point);
    } else {
        r->to = gn_json_put_escape(r->to, (uint8_t)point);
        *escaped = true;
    }
    return true;
}

/* A backslash at r->at. */
static bool read_escape(reader *r, bool *escaped)
{
    if (r->at + 1 == r->end) {
        return fail(r, GN_JSON_ENDS_EARLY, r->end);
    }
    static const char letters[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    uint8_t letter = r->at[1];
    if (letter == 'u') {
        return read_unicode_escape(r, escaped);
    }
    if (letter == '/') {
        *r->to++ = '/';
    } else {
        const char *known = memchr(letters, letter, sizeof letters - 1);
        if (known == NULL && letter != '"' && letter != '\\') {
            return fail(r, GN_JSON_BAD_ESCAPE, r->at);
        }
        r->to = gn_json_put_escape(r->to, known == NULL ? letter : (uint8_t)meanings[known - letters]);
        *escaped = true;
    }
    r->at += 2;
    return true;
}

/* Bytes from 0x80 on at r->at, copied up to the next ASCII one. */
static bool read_utf8(reader *r)
{
    do {
        int size = utf8_size(r->at, r->end);
        if (size <= 0) {
            return size < 0 ? fail(r, GN_JSON_ENDS_EARLY, r->end) : fail(r, GN_JSON_NOT_UTF8, r->at);
        }
        for (; size > 0; size--) {
            *r->to++ = *r->at++;
        }
    } while (r->at < r->end && *r->at >= 0x80);
    return true;
}

/* A string from its opening quote to behind its closing one. *escaped: its canonical form holds a backslash. */
static bool read_string(reader *r, bool *escaped)
{
    *escaped = false;
    *r->to++ = *r->at++;
    for (;;) {
        size_t plain = gn_plain_copy(r->at, r->end, r->to);
        r->at += plain;
        r->to += plain;
        if (r->at == r->end) {
            return fail(r, GN_JSON_ENDS_EARLY, r->end);
        }
        uint8_t byte = *r->at;
        if (byte == '"') {
            *r->to++ = *r->at++;
            return true;
        }
        if (byte < 0x20) {
            return fail(r, GN_JSON_CONTROL, r->at);
        }
        if (!(byte == '\\' ? read_escape(r, escaped) : read_utf8(r))) {
            return false;
        }
    }
}

/* ---- numbers ---- */

/* The places of a number's parts; those that are missing are empty. */
typedef struct number {
    const uint8_t *begin;
    const uint8_t *whole;
    const uint8_t *whole_end;
    const uint8_t *fraction;
    const uint8_t *fraction_end;
    bool has_exponent;
} number;

/* At least one digit at r->at. */
static bool skip_digits(reader *r)
{
    const uint8_t *first = r->at;
    while (r->at < r->end && gn_is_digit(*r->at)) {
        r->at++;
    }
    return r->at > first || fail_here(r);
}

static bool scan_number(reader *r, number *n)
{
    n->begin = r->at;
    r->at += *r->at == '-';
    n->whole = r->at;
    if (r->at < r->end && *r->at == '0') {
        r->at++; /* no digit may follow */
    } else if (!skip_digits(r)) {
        return false;
    }
    n->whole_end = n->fraction = n->fraction_end = r->at;
    if (r->at < r->end && *r->at == '.') {
        n->fraction = ++r->at;
        if (!skip_digits(r)) {
            return false;
        }
        n->fraction_end = r->at;
    }
    n->has_exponent = r->at < r->end && (*r->at | 0x20) == 'e';
    if (n->has_exponent) {
        r->at++;
        r->at += r->at < r->end && (*r->at == '+' || *r->at == '-');
        return skip_digits(r);
    }
    return true;
}

static bool is_integer_in_range(const number *n)
{
    static const char least[] = "9223372036854775808";
    static const char greatest[] = "18446744073709551615";
    bool negative = n->whole > n->begin;
    const char *bound = negative ? least : greatest;
    size_t bound_size = negative ? sizeof least - 1 : sizeof greatest - 1;
    size_t size = (size_t)(n->whole_end - n->whole);
    return size < bound_size || (size == bound_size && memcmp(n->whole, bound, size) <= 0);
}

/* Whether a double is written as its canonical spelling already: plain, from 1e-5 on, without spare zeros,
 * and with so few digits that no other decimal of as few stands for the same double. */
static bool is_canonical_double(const number *n)
{
    size_t whole = (size_t)(n->whole_end - n->whole);
    size_t fraction = (size_t)(n->fraction_end - n->fraction);
    if (n->has_exponent || whole + fraction > DIGITS_EXACT) {
        return false;
    }
    if (*(n->fraction_end - 1) == '0') {
        return fraction == 1;
    }
    return *n->whole != '0' || fraction < 5 || memcmp(n->fraction, "00000", 5) != 0;
}

static void put_text(reader *r, const uint8_t *text, size_t size)
{
    memcpy(r->to, text, size);
    r->to += size;
}

static bool put_double(reader *r, const number *n)
{
    double value;
    if (!gn_double_parse(n->begin, (size_t)(r->at - n->begin), &value)) {
        return fail(r, GN_JSON_NOT_FINITE, n->begin);
    }
    r->out->size = (size_t)(r->to - r->out->data);
    if (!gn_buffer_reserve(r->out, GN_DOUBLE_SIZE_MAX + (size_t)(r->end - r->at) + GN_COPY_SLACK)) {
        return fail(r, GN_NO_MEMORY, n->begin);
    }
    r->to = r->out->data + r->out->size;
    r->to += gn_double_format(value, r->to);
    return (size_t)(r->to - written(r)) + (size_t)(r->end - r->at) <= SIZE_LARGEST ||
           fail(r, GN_JSON_TOO_LARGE, n->begin);
}

static bool read_number(reader *r)
{
    number n;
    if (!scan_number(r, &n)) {
        return false;
    }
    if (n.fraction == n.fraction_end && !n.has_exponent) {
        bool minus_zero = n.whole > n.begin && *n.whole == '0';
        put_text(r, minus_zero ? n.whole : n.begin, (size_t)(n.whole_end - (minus_zero ? n.whole : n.begin)));
        return is_integer_in_range(&n) || fail(r, GN_JSON_INTEGER_RANGE, n.begin);
    }
    if (is_canonical_double(&n)) {
        put_text(r, n.begin, (size_t)(r->at - n.begin));
        return true;
    }
    return put_double(r, &n);
}

/* ---- words ---- */

/* How many bytes of `word` stand at r->at. */
static size_t match(const reader *r, const uint8_t *at, const char *word)
{
    size_t size = 0;
    while (at + size < r->end && word[size] != '\0' && at[size] == (uint8_t)word[size]) {
        size++;
    }
    return size;
}

static bool read_word(reader *r, const char *word)
{
    size_t size = strlen(word);
    size_t matched = match(r, r->at, word);
    if (matched < size) {
        r->at += matched;
        return fail_here(r);
    }
    put_text(r, r->at, size);
    r->at += size;
    return true;
}

/* NaN, Infinity and -Infinity have an error of their own: other writers of JSON make them. */
static bool fail_value(reader *r)
{
    const uint8_t *at = r->at;
    at += at < r->end && *at == '-';
    if (match(r, at, "NaN") == 3 || match(r, at, "Infinity") == 8) {
        return fail(r, GN_JSON_NOT_FINITE, r->at);
    }
    r->at = at;
    return fail_here(r);
}

/* ---- arrays and objects ---- */

static frame *top_frame(const reader *r)
{
    return (frame *)(void *)(r->frames.data + r->frames.size) - 1;
}

static bool open_container(reader *r, bool is_object)
{
    if (r->depth == r->depth_max && r->depth_max > 0) {
        return fail(r, GN_JSON_TOO_DEEP, r->at);
    }
    frame opened = {.is_object = is_object};
    if ((is_object && !gn_order_open_object(&r->order, offset(r), &opened.object)) ||
        !gn_buffer_put(&r->frames, &opened, sizeof opened)) {
        return fail(r, GN_NO_MEMORY, r->at);
    }
    *r->to++ = *r->at++;
    r->depth++;
    r->is_object = is_object;
    r->opened = true;
    return true;
}

/* r->at is its closing bracket. */
static bool close_container(reader *r)
{
    *r->to++ = *r->at++;
    if (r->is_object) {
        uint32_t source = 0;
        int status = gn_order_close_object(&r->order, &top_frame(r)->object, offset(r), written(r), &source);
        if (status != GN_OK) {
            return fail(r, status, status == GN_JSON_DUPLICATE_KEY ? r->begin + source : r->at - 1);
        }
    }
    r->frames.size -= sizeof(frame);
    r->depth--;
    r->is_object = r->depth > 0 && top_frame(r)->is_object;
    return true;
}

/* A key and its colon, up to the value. */
static bool read_key(reader *r)
{
    gn_member member = {.key_at = offset(r) + 1, .source = (uint32_t)(r->at - r->begin)};
    if (r->at == r->end || *r->at != '"') {
        return fail_here(r);
    }
    const uint8_t *quote = r->at;
    if (!read_string(r, &member.escaped)) {
        return false;
    }
    member.key_size = offset(r) - 1 - member.key_at;
    int status = gn_order_add(&r->order, &top_frame(r)->object, member, written(r));
    if (status != GN_OK) {
        return fail(r, status, quote);
    }
    r->at = skip_space(r->at, r->end);
    if (r->at == r->end || *r->at != ':') {
        return fail_here(r);
    }
    *r->to++ = *r->at++;
    r->at = skip_space(r->at, r->end);
    return true;
}

/* ---- the text ---- */

/* A scalar, or the beginning of an array or object. */
static bool read_value(reader *r)
{
    bool escaped;
    r->opened = false;
    switch (r->at < r->end ? *r->at : 0) {
    case '"': return read_string(r, &escaped);
    case '{': return open_container(r, true);
    case '[': return open_container(r, false);
    case 't': return read_word(r, "true");
    case 'f': return read_word(r, "false");
    case 'n': return read_word(r, "null");
    case '-':
        if (r->at + 1 < r->end && !gn_is_digit(r->at[1])) {
            return fail_value(r);
        }
        return read_number(r);
    default: return r->at < r->end && gn_is_digit(*r->at) ? read_number(r) : fail_value(r);
    }
}

/* Go on behind a value or an opening bracket: true at the next value, false at the end or on failure. */
static bool find_value(reader *r)
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
                return fail_here(r);
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

static void read_text(reader *r)
{
    static const uint8_t mark[] = {0xEF, 0xBB, 0xBF};
    if (r->end - r->at >= 3 && memcmp(r->at, mark, 3) == 0) {
        fail(r, GN_JSON_BYTE_ORDER_MARK, r->at);
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
        fail(r, GN_JSON_TRAILING, r->at);
    }
}

/* The bytes lie in the order of the text: bring them into key order, through a copy of them. */
static void sort_written(reader *r)
{
    uint32_t size = offset(r);
    uint8_t *copy = gn_alloc(r->order.scratch, (size_t)size + GN_COPY_SLACK);
    if (copy == NULL) {
        fail(r, GN_NO_MEMORY, r->end);
        return;
    }
    memcpy(copy, written(r), size);
    if (!gn_order_copy(&r->order, copy, size, written(r))) {
        fail(r, GN_NO_MEMORY, r->end);
    }
}

int gn_json_compact(gn_arena *scratch, const uint8_t *text, size_t size, uint32_t depth_max,
                    uint64_t size_max, gn_buffer *out, uint64_t *position)
{
    size_t base = out->size;
    *position = 0;
    if ((size_max > 0 && size > size_max) || size > SIZE_LARGEST) {
        *position = size_max > 0 && size_max < SIZE_LARGEST ? size_max : SIZE_LARGEST;
        return GN_JSON_TOO_LARGE;
    }
    if (!gn_buffer_reserve(out, size + GN_COPY_SLACK)) {
        return GN_NO_MEMORY;
    }
    reader r = {.begin = text, .at = text, .end = text + size, .out = out, .base = base,
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
