/* Canonical compact text: checking it, and finding in one pass what the rules name in a delta.
 *
 * The log holds canonical text only, so keys come sorted: a duplicate is a key that is not greater than the
 * one before it, and looking names up is a merge of two sorted lists. Text is checked all the same (a flipped
 * bit must not reach a document); what this file refuses, `verify` places and `recover` brings back. */
#include "state.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define DEPTH_MAX 1024u     /* of values inside each other; entry allows 128 and a path in the rules 64 more */

typedef struct scanner {
    const uint8_t *start;
    const uint8_t *end;
    gn_arena *arena;
    int status;
    const uint8_t *failed_at;
    gn_name *keys;          /* the key before, for each open object */
    bool *is_object;
} scanner;

static const uint8_t *fail(scanner *scan, int status, const uint8_t *at)
{
    if (scan->status == GN_OK) {
        scan->status = status;
        scan->failed_at = at;
    }
    return NULL;
}

static const uint8_t *fail_byte(scanner *scan, const uint8_t *at)
{
    return fail(scan, at >= scan->end ? GN_JSON_ENDS_EARLY : GN_JSON_UNEXPECTED, at);
}

/* ---- strings ---- */

/* The first byte that is not plain ASCII text: a quote, a backslash, a control character, or beyond ASCII. */
static inline const uint8_t *plain_end(const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i special = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
            _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
        at += 16;
    }
#endif
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

static inline bool is_tail(uint8_t byte)
{
    return (byte & 0xC0u) == 0x80u;
}

/* One UTF-8 sequence beyond ASCII, by the table of Unicode 15, 3.9 (well-formed byte sequences). */
static const uint8_t *check_utf8(scanner *scan, const uint8_t *at)
{
    size_t left = (size_t)(scan->end - at);
    uint8_t lead = at[0];
    if (lead >= 0xC2 && lead <= 0xDF && left >= 2 && is_tail(at[1])) {
        return at + 2;
    }
    if ((lead & 0xF0u) == 0xE0 && left >= 3 && is_tail(at[1]) && is_tail(at[2])) {
        bool overlong = lead == 0xE0 && at[1] < 0xA0;
        bool surrogate = lead == 0xED && at[1] > 0x9F;
        if (!overlong && !surrogate) {
            return at + 3;
        }
    }
    if (lead >= 0xF0 && lead <= 0xF4 && left >= 4 && is_tail(at[1]) && is_tail(at[2]) && is_tail(at[3])) {
        bool overlong = lead == 0xF0 && at[1] < 0x90;
        bool beyond = lead == 0xF4 && at[1] > 0x8F;
        if (!overlong && !beyond) {
            return at + 4;
        }
    }
    return fail(scan, GN_JSON_NOT_UTF8, at);
}

/* One canonical escape: \" \\ \b \t \n \f \r, or \u00 and two lower-case digits for the other controls. */
static const uint8_t *check_escape(scanner *scan, const uint8_t *at)
{
    if (scan->end - at < 2) {
        return fail(scan, GN_JSON_ENDS_EARLY, scan->end);
    }
    if (at[1] != 0 && strchr("\"\\btnfr", at[1]) != NULL) {
        return at + 2;
    }
    if (at[1] != 'u' || scan->end - at < 6 || at[2] != '0' || at[3] != '0') {
        return fail(scan, GN_NOT_CANONICAL, at);
    }
    bool digits = (at[4] == '0' || at[4] == '1') && ((at[5] >= '0' && at[5] <= '9') || (at[5] >= 'a' && at[5] <= 'f'));
    bool has_short = at[4] == '0' && at[5] != 0 && strchr("89acd", at[5]) != NULL;
    return digits && !has_short ? at + 6 : fail(scan, GN_NOT_CANONICAL, at);
}

/* `at` is behind the opening quote; the result behind the closing one. */
static const uint8_t *check_string(scanner *scan, const uint8_t *at)
{
    for (;;) {
        at = plain_end(at, scan->end);
        if (at >= scan->end) {
            return fail(scan, GN_JSON_ENDS_EARLY, at);
        }
        if (*at == '"') {
            return at + 1;
        }
        if (*at < 0x20) {
            return fail(scan, GN_JSON_CONTROL, at);
        }
        at = *at == '\\' ? check_escape(scan, at) : check_utf8(scan, at);
        if (at == NULL) {
            return NULL;
        }
    }
}

const uint8_t *gn_skip_string(const uint8_t *at, const uint8_t *end)
{
    for (;;) {
        at = plain_end(at, end);
        if (at >= end) {
            return end;
        }
        if (*at == '"') {
            return at + 1;
        }
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    }
}

/* ---- keys ---- */

int gn_name_compare(gn_name a, gn_name b)
{
    uint32_t shared = a.size < b.size ? a.size : b.size;
    int order = shared == 0 ? 0 : memcmp(a.bytes, b.bytes, shared);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* The next byte of an unescaped key: canonical escapes are the two-byte ones and \u00xx. */
static int next_byte(const uint8_t **at, const uint8_t *end)
{
    static const uint8_t names[] = "btnfr";
    static const uint8_t bytes[] = "\b\t\n\f\r";
    if (*at >= end) {
        return -1;
    }
    uint8_t byte = *(*at)++;
    if (byte != '\\' || *at >= end) {
        return byte;
    }
    byte = *(*at)++;
    if (byte == 'u' && end - *at >= 4) {
        uint8_t low = (*at)[3];
        int value = ((*at)[2] - '0') * 16 + (low <= '9' ? low - '0' : low - 'a' + 10);
        *at += 4;
        return value;
    }
    const uint8_t *found = memchr(names, byte, sizeof names - 1);
    return found == NULL ? byte : bytes[found - names];
}

static int compare_escaped(gn_name a, gn_name b)
{
    const uint8_t *a_at = a.bytes, *a_end = a.bytes + a.size;
    const uint8_t *b_at = b.bytes, *b_end = b.bytes + b.size;
    for (;;) {
        int left = next_byte(&a_at, a_end);
        int right = next_byte(&b_at, b_end);
        if (left != right || left < 0) {
            return left - right;
        }
    }
}

int gn_key_compare(gn_name a, gn_name b)
{
    bool plain = (a.size == 0 || memchr(a.bytes, '\\', a.size) == NULL) &&
                 (b.size == 0 || memchr(b.bytes, '\\', b.size) == NULL);
    return plain ? gn_name_compare(a, b) : compare_escaped(a, b);
}

int gn_name_key_compare(gn_name name, gn_name key)
{
    if (key.size == 0 || memchr(key.bytes, '\\', key.size) == NULL) {
        return gn_name_compare(name, key);
    }
    const uint8_t *at = key.bytes, *end = key.bytes + key.size;
    for (uint32_t i = 0;; i++) {
        int left = i < name.size ? name.bytes[i] : -1;
        int right = next_byte(&at, end);
        if (left != right || left < 0) {
            return left - right;
        }
    }
}

/* A key and its colon. *key, the text between the quotes, must come behind the one that stood in *key before. */
static const uint8_t *check_key(scanner *scan, const uint8_t *at, gn_name *key)
{
    const gn_name before = *key;
    if (at >= scan->end || *at != '"') {
        return fail_byte(scan, at);
    }
    const uint8_t *behind = check_string(scan, at + 1);
    if (behind == NULL) {
        return NULL;
    }
    *key = (gn_name){at + 1, (uint32_t)(behind - at - 2)};
    if (behind >= scan->end || *behind != ':') {
        return fail_byte(scan, behind);
    }
    if (before.bytes != NULL) {
        int order = gn_key_compare(before, *key);
        if (order >= 0) {
            return fail(scan, order == 0 ? GN_JSON_DUPLICATE_KEY : GN_NOT_CANONICAL, at);
        }
    }
    return behind + 1;
}

/* ---- numbers ---- */

bool gn_integer_parse(gn_name text, gn_int128 *value)
{
    uint32_t at = text.size > 0 && text.bytes[0] == '-' ? 1 : 0;
    if (at == text.size || text.size > 20) {
        return false;
    }
    uint64_t digits = 0;
    for (uint32_t i = at; i < text.size; i++) {
        unsigned digit = (unsigned)text.bytes[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(digits, 10u, &digits) ||
            __builtin_add_overflow(digits, (uint64_t)digit, &digits)) {
            return false;
        }
    }
    *value = at == 1 ? -(gn_int128)digits : (gn_int128)digits;
    return true;
}

uint32_t gn_integer_format(gn_int128 value, uint8_t out[24])
{
    assert(gn_integer_fits(value));
    uint8_t digits[20];
    uint32_t count = 0, size = 0;
    uint64_t left = value < 0 ? (uint64_t)-value : (uint64_t)value;
    do {
        digits[count++] = (uint8_t)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0) {
        out[size++] = '-';
    }
    while (count > 0) {
        out[size++] = digits[--count];
    }
    return size;
}

/* A double is canonical when it is what our own writer makes of it. */
static const uint8_t *check_double(scanner *scan, const uint8_t *at, const uint8_t *end)
{
    uint8_t written[GN_DOUBLE_SIZE_MAX];
    double value;
    size_t size = (size_t)(end - at);
    if (!gn_double_parse(at, size, &value)) {
        return fail(scan, GN_JSON_NOT_FINITE, at);
    }
    bool same = gn_double_format(value, written) == size && memcmp(written, at, size) == 0;
    return same ? end : fail(scan, GN_NOT_CANONICAL, at);
}

static const uint8_t *check_number(scanner *scan, const uint8_t *at)
{
    const uint8_t *first = at + (*at == '-');
    const uint8_t *end = first;
    while (end < scan->end && *end >= '0' && *end <= '9') {
        end++;
    }
    if (end == first) {
        return fail_byte(scan, end);
    }
    if (end < scan->end && (*end == '.' || *end == 'e')) {
        while (end < scan->end && (*end == '.' || *end == 'e' || *end == '+' || *end == '-' ||
                                   (*end >= '0' && *end <= '9'))) {
            end++;
        }
        return check_double(scan, at, end);
    }
    if (*first == '0' && (end - first > 1 || first != at)) {
        return fail(scan, end - first > 1 ? GN_JSON_UNEXPECTED : GN_NOT_CANONICAL, at);
    }
    if (end - first >= 19) {
        gn_int128 value;
        bool is_integer = end - at <= 20 && gn_integer_parse((gn_name){at, (uint32_t)(end - at)}, &value);
        if (!is_integer || !gn_integer_fits(value)) {
            return fail(scan, GN_JSON_INTEGER_RANGE, at);
        }
    }
    return end;
}

/* ---- values ---- */

static const uint8_t *check_word(scanner *scan, const uint8_t *at, const char *word, size_t size)
{
    bool there = (size_t)(scan->end - at) >= size && memcmp(at, word, size) == 0;
    return there ? at + size : fail_byte(scan, at);
}

static const uint8_t *check_scalar(scanner *scan, const uint8_t *at)
{
    switch (*at) {
    case '"': return check_string(scan, at + 1);
    case 't': return check_word(scan, at, "true", 4);
    case 'f': return check_word(scan, at, "false", 5);
    case 'n': return check_word(scan, at, "null", 4);
    case '-': case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9': return check_number(scan, at);
    default: return fail(scan, GN_JSON_UNEXPECTED, at);
    }
}

/* One value of any depth, by an explicit stack that starts at `depth`. */
static const uint8_t *check_value(scanner *scan, const uint8_t *at, uint32_t depth)
{
    const uint32_t bottom = depth;
    for (;;) {
        if (at >= scan->end) {
            return fail(scan, GN_JSON_ENDS_EARLY, at);
        }
        if ((*at == '{' || *at == '[') && scan->end - at > 1 && at[1] != *at + 2) {
            if (depth >= DEPTH_MAX) {
                return fail(scan, GN_JSON_TOO_DEEP, at);
            }
            scan->is_object[depth] = *at == '{';
            scan->keys[depth] = (gn_name){NULL, 0};
            depth++;
            at++;
            if (scan->is_object[depth - 1]) {
                at = check_key(scan, at, &scan->keys[depth - 1]);
                if (at == NULL) {
                    return NULL;
                }
            }
            continue;
        }
        at = *at == '{' || *at == '[' ? (scan->end - at > 1 ? at + 2 : fail(scan, GN_JSON_ENDS_EARLY, scan->end))
                                      : check_scalar(scan, at);
        if (at == NULL) {
            return NULL;
        }
        while (depth > bottom && at < scan->end && *at == (scan->is_object[depth - 1] ? '}' : ']')) {
            depth--;
            at++;
        }
        if (depth == bottom) {
            return at;
        }
        if (at >= scan->end || *at != ',') {
            return fail_byte(scan, at);
        }
        at++;
        if (scan->is_object[depth - 1]) {
            at = check_key(scan, at, &scan->keys[depth - 1]);
            if (at == NULL) {
                return NULL;
            }
        }
    }
}

const uint8_t *gn_skip(const uint8_t *at, const uint8_t *end)
{
    uint32_t depth = 0;
    while (at < end) {
        switch (*at) {
        case '"':
            at = gn_skip_string(at + 1, end);
            break;
        case '{': case '[':
            depth++;
            at++;
            continue;
        case '}': case ']':
            depth--;
            at++;
            break;
        case ',': case ':':
            at++;
            continue;
        default:
            while (at < end && *at != ',' && *at != '}' && *at != ']') {
                at++;
            }
        }
        if (depth == 0) {
            return at;
        }
    }
    return at;
}

/* ---- a delta ---- */

static gn_span span_of(const scanner *scan, const uint8_t *from, const uint8_t *to)
{
    return (gn_span){(uint32_t)(from - scan->start), (uint32_t)(to - from)};
}

/* One object: note the members that shape names in slots. depth counts the shapes, which the rules bound. */
static const uint8_t *scan_wanted(scanner *scan, const uint8_t *at, const gn_shape *shape, gn_span *slots,
                                  uint32_t depth)
{
    gn_name key = {NULL, 0};
    uint32_t next = 0;
    assert(*at == '{' && depth <= GN_NAME_SEGMENTS_MAX);
    at++;
    if (at < scan->end && *at == '}') {
        return at + 1;
    }
    for (;;) {
        at = check_key(scan, at, &key);
        if (at == NULL) {
            return NULL;
        }
        int order = -1;
        while (next < shape->count && (order = gn_key_compare(shape->wants[next].name, key)) < 0) {
            next++;
        }
        const uint8_t *value = at;
        const gn_want *want = next < shape->count && order == 0 ? &shape->wants[next] : NULL;
        if (want != NULL && want->below != NULL && at < scan->end && *at == '{') {
            at = scan_wanted(scan, at, want->below, slots, depth + 1);
        } else {
            at = check_value(scan, at, depth);
        }
        if (at == NULL) {
            return NULL;
        }
        if (want != NULL && want->slot != GN_NONE) {
            slots[want->slot] = span_of(scan, value, at);
        }
        if (at >= scan->end || (*at != ',' && *at != '}')) {
            return fail_byte(scan, at);
        }
        if (*at++ == '}') {
            return at;
        }
    }
}

/* Room for one more item; its spans, cleared, or NULL. */
static gn_span *add_item(scanner *scan, gn_items *items)
{
    if (items->count == items->room) {
        uint32_t room = items->room == 0 ? 8 : items->room * 2;
        gn_span *spans = gn_alloc_array(scan->arena, (size_t)room * items->stride, sizeof *spans);
        if (spans == NULL || room < items->room) {
            fail(scan, GN_NO_MEMORY, scan->start);
            return NULL;
        }
        if (items->count > 0) {
            memcpy(spans, items->spans, (size_t)items->count * items->stride * sizeof *spans);
        }
        items->spans = spans;
        items->room = room;
    }
    gn_span *spans = items->spans + (size_t)items->count * items->stride;
    memset(spans, 0, items->stride * sizeof *spans);
    items->count++;
    return spans;
}

/* The items of a source: the elements of an array, or the members of an object with their keys. */
static const uint8_t *scan_items(scanner *scan, const uint8_t *at, const gn_source_plan *source, gn_items *items)
{
    const bool is_object = *at == '{';
    const uint8_t close = is_object ? '}' : ']';
    gn_name key = {NULL, 0};
    items->iterable = true;
    at++;
    if (at < scan->end && *at == close) {
        return at + 1;
    }
    for (;;) {
        gn_span *spans = add_item(scan, items);
        if (spans == NULL) {
            return NULL;
        }
        if (is_object) {
            at = check_key(scan, at, &key);
            if (at == NULL) {
                return NULL;
            }
            spans[1] = span_of(scan, key.bytes - 1, key.bytes + key.size + 1);
        }
        const uint8_t *value = at;
        at = at < scan->end && *at == '{' ? scan_wanted(scan, at, &source->shape, spans + 2, 2)
                                          : check_value(scan, at, 2);
        if (at == NULL) {
            return NULL;
        }
        spans[0] = span_of(scan, value, at);
        if (at >= scan->end || (*at != ',' && *at != close)) {
            return fail_byte(scan, at);
        }
        if (*at++ == close) {
            return at;
        }
    }
}

static bool holds_something(const uint8_t *at, const uint8_t *end)
{
    return end - at > 2 && (*at == '{' || *at == '[');
}

/* One member of the delta: what is named goes into slots and items, what is not is remembered. */
static const uint8_t *scan_member(scanner *scan, const gn_program *program, const uint8_t *at, gn_name key,
                                  const gn_want *want, gn_delta *delta)
{
    const uint8_t *value = at;
    bool iterable = at < scan->end && (*at == '{' || *at == '[');
    if (want != NULL && want->source != GN_NONE && iterable) {
        at = scan_items(scan, at, &program->sources[want->source], &delta->items[want->source]);
    } else if (want != NULL && want->below != NULL && iterable && *at == '{') {
        at = scan_wanted(scan, at, want->below, delta->slots, 1);
    } else {
        at = check_value(scan, at, 1);
    }
    if (at == NULL) {
        return NULL;
    }
    if (want == NULL) {
        if (holds_something(value, at) && !gn_buffer_put(&delta->unnamed, &key, sizeof key)) {
            return fail(scan, GN_NO_MEMORY, value);
        }
        return at;
    }
    if (want->slot != GN_NONE) {
        delta->slots[want->slot] = span_of(scan, value, at);
    }
    if (want->source != GN_NONE) {
        delta->items[want->source].whole = span_of(scan, value, at);
    }
    /* An object that is both a source and descended into by the delta's own rules is read twice. */
    if (want->source != GN_NONE && want->below != NULL && *value == '{') {
        return scan_wanted(scan, value, want->below, delta->slots, 1);
    }
    return at;
}

static const uint8_t *scan_members(scanner *scan, const gn_program *program, const uint8_t *at, gn_delta *delta)
{
    gn_name key = {NULL, 0};
    uint32_t next = 0;
    if (at >= scan->end || *at != '{') {
        return fail_byte(scan, at);
    }
    at++;
    if (at < scan->end && *at == '}') {
        return at + 1;
    }
    for (;;) {
        at = check_key(scan, at, &key);
        if (at == NULL) {
            return NULL;
        }
        int order = -1;
        while (next < program->root.count && (order = gn_key_compare(program->root.wants[next].name, key)) < 0) {
            next++;
        }
        const gn_want *want = next < program->root.count && order == 0 ? &program->root.wants[next] : NULL;
        at = scan_member(scan, program, at, key, want, delta);
        if (at == NULL) {
            return NULL;
        }
        if (at >= scan->end || (*at != ',' && *at != '}')) {
            return fail_byte(scan, at);
        }
        if (*at++ == '}') {
            return at;
        }
    }
}

/* ---- entry ---- */

static bool open_scanner(scanner *scan, gn_arena *arena, const uint8_t *text, size_t size)
{
    *scan = (scanner){.start = text, .end = text + size, .arena = arena, .status = GN_OK};
    scan->keys = gn_alloc_array(arena, DEPTH_MAX, sizeof *scan->keys);
    scan->is_object = gn_alloc_array(arena, DEPTH_MAX, sizeof *scan->is_object);
    return scan->keys != NULL && scan->is_object != NULL && size <= UINT32_MAX / 2;
}

static int finish(scanner *scan, const uint8_t *behind, uint64_t *position)
{
    if (behind != NULL && behind != scan->end) {
        fail(scan, GN_JSON_TRAILING, behind);
    }
    *position = scan->status == GN_OK ? 0 : (uint64_t)(scan->failed_at - scan->start);
    return scan->status;
}

int gn_scan_value(gn_arena *arena, const uint8_t *text, size_t size, uint64_t *position)
{
    scanner scan;
    *position = 0;
    if (!open_scanner(&scan, arena, text, size)) {
        return GN_NO_MEMORY;
    }
    return finish(&scan, check_value(&scan, text, 0), position);
}

int gn_scan_delta(gn_arena *arena, const gn_program *program, const uint8_t *body, size_t size, gn_delta *delta,
                  uint64_t *position)
{
    scanner scan;
    *position = 0;
    *delta = (gn_delta){.body = body, .unnamed = {.arena = arena}};
    delta->slots = gn_alloc_array(arena, program->root_slot_count + 1u, sizeof *delta->slots);
    delta->items = gn_alloc_array(arena, program->source_count, sizeof *delta->items);
    if (!open_scanner(&scan, arena, body, size) || delta->slots == NULL || delta->items == NULL) {
        return GN_NO_MEMORY;
    }
    memset(delta->slots, 0, (program->root_slot_count + 1u) * sizeof *delta->slots);
    memset(delta->items, 0, program->source_count * sizeof *delta->items);
    for (uint32_t i = 0; i < program->source_count; i++) {
        delta->items[i].stride = 2 + program->sources[i].slot_count;
    }
    return finish(&scan, scan_members(&scan, program, body, delta), position);
}
