/* Canonical compact text: checking it, and stepping over what was checked before.
 *
 * The log holds canonical text only, so keys come sorted: a duplicate is a key that is not greater than the
 * one before it, and looking names up is a merge of two sorted lists. Text is checked all the same (a flipped
 * bit must not reach a document); what this file refuses, `verify` places and `recover` brings back. */
#include "scan.h"

#define DEPTH_MAX 1024u     /* of values inside each other; entry allows 128 and a path in the rules 64 more */

const uint8_t *gn_scan_fail(gn_scanner *scan, int status, const uint8_t *at)
{
    if (scan->status == GN_OK) {
        scan->status = status;
        scan->failed_at = at;
    }
    return NULL;
}

const uint8_t *gn_scan_fail_byte(gn_scanner *scan, const uint8_t *at)
{
    return at >= scan->end ? gn_scan_fail(scan, GN_JSON_ENDS_EARLY, scan->end)
                           : gn_scan_fail(scan, GN_JSON_UNEXPECTED, at);
}

/* ---- strings ---- */

#if defined(GN_HAS_WIDE) || defined(GN_WIDE)
#define EIGHT(byte) byte, byte, byte, byte, byte, byte, byte, byte
#define THIRTY_TWO(byte) {EIGHT(byte), EIGHT(byte), EIGHT(byte), EIGHT(byte)}
const gn_special_bytes gn_specials_of_32 = {
    .slash = THIRTY_TWO('\\'),
    .turned = THIRTY_TWO(2),
    .less = THIRTY_TWO(0x21),
    .moved = {EIGHT(0x80 - '0'), EIGHT(0x80 - '0')},
    .most = {EIGHT(0x80 + 9), EIGHT(0x80 + 9)}};
#endif

static inline bool is_tail(uint8_t byte)
{
    return (byte & 0xC0u) == 0x80u;
}

/* One UTF-8 sequence beyond ASCII, by the table of Unicode 15, 3.9 (well-formed byte sequences). */
static const uint8_t *check_utf8(gn_scanner *scan, const uint8_t *at)
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
    return gn_scan_fail(scan, GN_JSON_NOT_UTF8, at);
}

/* One canonical escape: \" \\ \b \t \n \f \r, or \u00 and two lower-case digits for the other controls. */
static const uint8_t *check_escape(gn_scanner *scan, const uint8_t *at)
{
    if (scan->end - at < 2) {
        return gn_scan_fail(scan, GN_JSON_ENDS_EARLY, scan->end);
    }
    if (at[1] != 0 && strchr("\"\\btnfr", at[1]) != NULL) {
        return at + 2;
    }
    if (at[1] != 'u' || scan->end - at < 6 || at[2] != '0' || at[3] != '0') {
        return gn_scan_fail(scan, GN_NOT_CANONICAL, at);
    }
    bool digits = (at[4] == '0' || at[4] == '1') && ((at[5] >= '0' && at[5] <= '9') || (at[5] >= 'a' && at[5] <= 'f'));
    bool has_short = at[4] == '0' && at[5] != 0 && strchr("89acd", at[5]) != NULL;
    return digits && !has_short ? at + 6 : gn_scan_fail(scan, GN_NOT_CANONICAL, at);
}

/* `at` is behind the opening quote; the result behind the closing one. */
static const uint8_t *check_string(gn_scanner *scan, const uint8_t *at)
{
    for (;;) {
        at = gn_plain_end(at, scan->end);
        if (at >= scan->end) {
            return gn_scan_fail(scan, GN_JSON_ENDS_EARLY, at);
        }
        if (*at == '"') {
            return at + 1;
        }
        if (*at < 0x20) {
            return gn_scan_fail(scan, GN_JSON_CONTROL, at);
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
        at = gn_plain_end(at, end);
        if (at >= end) {
            return end;
        }
        if (*at == '"') {
            return at + 1;
        }
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    }
}

const uint8_t *gn_check_key_slowly(gn_scanner *scan, const uint8_t *at, gn_key *key)
{
    gn_key found;
    if (at >= scan->end || *at != '"') {
        return gn_scan_fail_byte(scan, at);
    }
    const uint8_t *behind = check_string(scan, at + 1);
    if (behind == NULL) {
        return NULL;
    }
    found = gn_key_of((gn_name){at + 1, (uint32_t)(behind - at - 2)}, behind);
    if (behind >= scan->end || *behind != ':') {
        return gn_scan_fail_byte(scan, behind);
    }
    if (key->text.bytes != NULL) {
        int order = gn_key_order(key, &found);
        if (order >= 0) {
            return gn_scan_fail(scan, order == 0 ? GN_JSON_DUPLICATE_KEY : GN_NOT_CANONICAL, at);
        }
    }
    *key = found;
    return behind + 1;
}

/* ---- numbers ---- */

/* A double is canonical when it is what our own writer makes of it. */
static const uint8_t *check_double(gn_scanner *scan, const uint8_t *at, const uint8_t *end)
{
    uint8_t written[GN_DOUBLE_SIZE_MAX];
    double value;
    size_t size = (size_t)(end - at);
    if (!gn_double_parse(at, size, &value)) {
        return gn_scan_fail(scan, GN_JSON_NOT_FINITE, at);
    }
    bool same = gn_double_format(value, written) == size && memcmp(written, at, size) == 0;
    return same ? end : gn_scan_fail(scan, GN_NOT_CANONICAL, at);
}

static const uint8_t *skip_digits(const gn_scanner *scan, const uint8_t *at)
{
    while (at < scan->end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

/* The fraction and the exponent of a number, either or both, each with a digit at least. */
static const uint8_t *check_fraction(gn_scanner *scan, const uint8_t *at)
{
    if (*at == '.') {
        const uint8_t *digits = at + 1;
        at = skip_digits(scan, digits);
        if (at == digits) {
            return gn_scan_fail_byte(scan, at);
        }
    }
    if (at < scan->end && *at == 'e') {
        const uint8_t *digits = at + 1;
        digits += digits < scan->end && (*digits == '+' || *digits == '-');
        at = skip_digits(scan, digits);
        if (at == digits) {
            return gn_scan_fail_byte(scan, at);
        }
    }
    return at;
}

static const uint8_t *check_number(gn_scanner *scan, const uint8_t *at)
{
    const uint8_t *first = at + (*at == '-');
    const uint8_t *end = skip_digits(scan, first);
    if (end == first) {
        return gn_scan_fail_byte(scan, end);
    }
    if (end < scan->end && (*end == '.' || *end == 'e')) {
        end = check_fraction(scan, end);
        return end == NULL ? NULL : check_double(scan, at, end);
    }
    if (*first == '0' && (end - first > 1 || first != at)) {
        return gn_scan_fail(scan, end - first > 1 ? GN_JSON_UNEXPECTED : GN_NOT_CANONICAL, at);
    }
    if (end - first >= 19) {
        gn_int128 value;
        bool is_integer = end - at <= 20 && gn_integer_parse((gn_name){at, (uint32_t)(end - at)}, &value);
        if (!is_integer || !gn_integer_fits(value)) {
            return gn_scan_fail(scan, GN_JSON_INTEGER_RANGE, at);
        }
    }
    return end;
}

/* ---- values ---- */

static const uint8_t *check_word(gn_scanner *scan, const uint8_t *at, const char *word, size_t size)
{
    bool there = (size_t)(scan->end - at) >= size && memcmp(at, word, size) == 0;
    return there ? at + size : gn_scan_fail_byte(scan, at);
}

static const uint8_t *check_scalar(gn_scanner *scan, const uint8_t *at)
{
    switch (*at) {
    case '"': return check_string(scan, at + 1);
    case 't': return check_word(scan, at, "true", 4);
    case 'f': return check_word(scan, at, "false", 5);
    case 'n': return check_word(scan, at, "null", 4);
    case '-': case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9': return check_number(scan, at);
    default: return gn_scan_fail(scan, GN_JSON_UNEXPECTED, at);
    }
}

static bool open_stack(gn_scanner *scan, const uint8_t *at)
{
    if (scan->is_object != NULL) {
        return true;
    }
    scan->keys = gn_alloc_array(scan->arena, DEPTH_MAX, sizeof *scan->keys);
    scan->is_object = gn_alloc_array(scan->arena, DEPTH_MAX, sizeof *scan->is_object);
    if (scan->keys == NULL || scan->is_object == NULL) {
        gn_scan_fail(scan, GN_NO_MEMORY, at);
        return false;
    }
    return true;
}

/* By an explicit stack that starts at `depth`. */
const uint8_t *gn_check_value(gn_scanner *scan, const uint8_t *at, uint32_t depth)
{
    const uint32_t bottom = depth;
    for (;;) {
        if (at >= scan->end) {
            return gn_scan_fail(scan, GN_JSON_ENDS_EARLY, at);
        }
        if ((*at == '{' || *at == '[') && scan->end - at > 1 && at[1] != *at + 2) {
            if (depth >= DEPTH_MAX) {
                return gn_scan_fail(scan, GN_JSON_TOO_DEEP, at);
            }
            if (!open_stack(scan, at)) {
                return NULL;
            }
            scan->is_object[depth] = *at == '{';
            scan->keys[depth].text.bytes = NULL;
            depth++;
            at++;
            if (scan->is_object[depth - 1]) {
                at = gn_check_key(scan, at, &scan->keys[depth - 1]);
                if (at == NULL) {
                    return NULL;
                }
            }
            continue;
        }
        at = *at == '{' || *at == '[' ? (scan->end - at > 1 ? at + 2 : gn_scan_fail(scan, GN_JSON_ENDS_EARLY, scan->end))
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
            return gn_scan_fail_byte(scan, at);
        }
        at++;
        if (scan->is_object[depth - 1]) {
            at = gn_check_key(scan, at, &scan->keys[depth - 1]);
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

/* ---- entry ---- */

int gn_scan_value(gn_arena *arena, const uint8_t *text, size_t size, uint64_t *position)
{
    gn_scanner scan;
    *position = 0;
    if (size > GN_SCAN_SIZE_MAX) {
        return GN_NO_MEMORY;
    }
    gn_scanner_open(&scan, arena, text, size);
    return gn_scanner_finish(&scan, gn_check_value(&scan, text, 0), position);
}
