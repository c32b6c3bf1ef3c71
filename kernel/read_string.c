/* Strings of a JSON text: checked UTF-8, escapes replaced by what they stand for. */
#include "reader.h"

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

bool gn_read_fail_here(gn_reader *r)
{
    if (r->at == r->end) {
        return gn_read_fail(r, GN_JSON_ENDS_EARLY, r->end);
    }
    int size = utf8_size(r->at, r->end);
    return gn_read_fail(r, size > 0 ? GN_JSON_UNEXPECTED : GN_JSON_NOT_UTF8, r->at);
}

/* Four hex digits, or -1 with the status set; the escape they belong to begins at `escape`. */
static int32_t read_hex(gn_reader *r, const uint8_t *at, const uint8_t *escape)
{
    int32_t value = 0;
    for (int digit = 0; digit < 4; digit++, at++) {
        if (at == r->end) {
            gn_read_fail(r, GN_JSON_ENDS_EARLY, r->end);
            return -1;
        }
        uint8_t letter = *at | 0x20;
        if (gn_is_digit(*at)) {
            value = value * 16 + (*at - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            value = value * 16 + (letter - 'a' + 10);
        } else {
            gn_read_fail(r, GN_JSON_BAD_ESCAPE, escape);
            return -1;
        }
    }
    return value;
}

/* The second half of a surrogate pair is due at r->at; the first began at `escape`. */
static int32_t read_low_surrogate(gn_reader *r, int32_t high, const uint8_t *escape)
{
    const uint8_t *at = r->at;
    if (at == r->end || (at[0] == '\\' && at + 1 == r->end)) {
        gn_read_fail(r, GN_JSON_ENDS_EARLY, r->end);
        return -1;
    }
    if (at[0] != '\\' || at[1] != 'u') {
        gn_read_fail(r, GN_JSON_LONE_SURROGATE, escape);
        return -1;
    }
    int32_t low = read_hex(r, at + 2, at);
    if (low < 0) {
        return -1;
    }
    if (low < 0xDC00 || low > 0xDFFF) {
        gn_read_fail(r, GN_JSON_LONE_SURROGATE, escape);
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

static bool read_unicode_escape(gn_reader *r, bool *escaped)
{
    const uint8_t *escape = r->at;
    int32_t point = read_hex(r, escape + 2, escape);
    if (point < 0) {
        return false;
    }
    r->at = escape + 6;
    if (point >= 0xDC00 && point <= 0xDFFF) {
        return gn_read_fail(r, GN_JSON_LONE_SURROGATE, escape);
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
static bool read_escape(gn_reader *r, bool *escaped)
{
    if (r->at + 1 == r->end) {
        return gn_read_fail(r, GN_JSON_ENDS_EARLY, r->end);
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
            return gn_read_fail(r, GN_JSON_BAD_ESCAPE, r->at);
        }
        r->to = gn_json_put_escape(r->to, known == NULL ? letter : (uint8_t)meanings[known - letters]);
        *escaped = true;
    }
    r->at += 2;
    return true;
}

/* Bytes from 0x80 on at r->at, copied up to the next ASCII one. */
static bool read_utf8(gn_reader *r)
{
    do {
        int size = utf8_size(r->at, r->end);
        if (size <= 0) {
            return size < 0 ? gn_read_fail(r, GN_JSON_ENDS_EARLY, r->end)
                            : gn_read_fail(r, GN_JSON_NOT_UTF8, r->at);
        }
        for (; size > 0; size--) {
            *r->to++ = *r->at++;
        }
    } while (r->at < r->end && *r->at >= 0x80);
    return true;
}

bool gn_read_string(gn_reader *r, bool *escaped)
{
    *escaped = false;
    *r->to++ = *r->at++;
    for (;;) {
        size_t plain = gn_plain_copy(r->at, r->end, r->to);
        r->at += plain;
        r->to += plain;
        if (r->at == r->end) {
            return gn_read_fail(r, GN_JSON_ENDS_EARLY, r->end);
        }
        uint8_t byte = *r->at;
        if (byte == '"') {
            *r->to++ = *r->at++;
            return true;
        }
        if (byte < 0x20) {
            return gn_read_fail(r, GN_JSON_CONTROL, r->at);
        }
        if (!(byte == '\\' ? read_escape(r, escaped) : read_utf8(r))) {
            return false;
        }
    }
}
