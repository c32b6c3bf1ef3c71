/* Canonical JSON out: the pretty form from the compact one, and strings with and without their escapes.
 *
 * Escapes are those that orjson writes: \" \\ \b \t \n \f \r, other control characters as \u00xx in small
 * hex digits, all else as it is. Compact text is trusted here: read.c or this file made it. */
#include "kernel.h"
#include "plain.h"

#define ESCAPE_SIZE_MAX 6
#define INDENT 2u
#define SLACK 16u               /* copies and indents are stored 16 bytes at a time */

uint8_t *gn_json_put_escape(uint8_t *to, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    assert(!gn_is_plain(byte) && byte < 0x80);
    char letter = byte < 0x20 ? letters[byte] : (char)byte;
    *to++ = '\\';
    if (letter != '\0') {
        *to++ = (uint8_t)letter;
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = (uint8_t)hex[byte >> 4];
    to[4] = (uint8_t)hex[byte & 15];
    return to + 5;
}

static uint8_t hex_value(uint8_t digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

uint8_t gn_json_take_escape(const uint8_t **at)
{
    const uint8_t *escape = *at;
    assert(escape[0] == '\\');
    *at += escape[1] == 'u' ? 6 : 2;
    switch (escape[1]) {
    case 'b': return '\b';
    case 't': return '\t';
    case 'n': return '\n';
    case 'f': return '\f';
    case 'r': return '\r';
    case 'u': return (uint8_t)(hex_value(escape[4]) << 4 | hex_value(escape[5]));
    default: return escape[1];
    }
}

bool gn_json_unescape(const uint8_t *text, size_t size, gn_buffer *out)
{
    const uint8_t *end = text + size;
    if (!gn_buffer_reserve(out, size)) {
        return false;
    }
    uint8_t *to = out->data + out->size;
    while (text < end) {
        size_t plain = gn_plain_copy(text, end, to);
        text += plain;
        to += plain;
        if (text < end) {
            *to++ = *text == '\\' ? gn_json_take_escape(&text) : *text++;
        }
    }
    out->size = (size_t)(to - out->data);
    return true;
}

bool gn_json_quote(const uint8_t *bytes, size_t size, gn_buffer *out)
{
    const uint8_t *end = bytes + size;
    if (size > SIZE_MAX / ESCAPE_SIZE_MAX - 1 || !gn_buffer_reserve(out, size + 2)) {
        return false;
    }
    gn_buffer_put_byte(out, '"');
    while (bytes < end) {
        size_t left = (size_t)(end - bytes);
        if (!gn_buffer_reserve(out, left + ESCAPE_SIZE_MAX + 1)) {
            return false;
        }
        uint8_t *to = out->data + out->size;
        size_t plain = gn_plain_copy(bytes, end, to);
        bytes += plain;
        to += plain;
        while (bytes < end && *bytes >= 0x80) {
            *to++ = *bytes++;
        }
        if (bytes < end && !gn_is_plain(*bytes)) {
            to = gn_json_put_escape(to, *bytes++);
        }
        out->size = (size_t)(to - out->data);
    }
    return gn_buffer_put_byte(out, '"');
}

/* ---- pretty ---- */

typedef struct printer {
    const uint8_t *at;
    const uint8_t *end;
    uint8_t *to;                /* always with room for end - at bytes and SLACK */
    gn_buffer *out;
    uint32_t depth;
} printer;

/* A line feed and the indent of this depth: what makes the text longer, so here room is looked for. */
static bool put_line(printer *p)
{
    size_t indent = (size_t)p->depth * INDENT;
    p->out->size = (size_t)(p->to - p->out->data);
    if (!gn_buffer_reserve(p->out, 1 + indent + (size_t)(p->end - p->at) + 1 + SLACK)) {
        return false;
    }
    p->to = p->out->data + p->out->size;
    *p->to++ = '\n';
    for (size_t at = 0; at < indent; at += SLACK) {
        memset(p->to + at, ' ', SLACK);
    }
    p->to += indent;
    return true;
}

/* From the opening quote to behind the closing one. */
static void copy_string(printer *p)
{
    *p->to++ = *p->at++;
    for (;;) {
        size_t plain = gn_plain_copy(p->at, p->end, p->to);
        p->at += plain;
        p->to += plain;
        uint8_t byte = *p->at;
        *p->to++ = *p->at++;
        if (byte == '"') {
            return;
        }
        if (byte == '\\') {
            *p->to++ = *p->at++; /* perhaps a quote */
        }
        while (*p->at >= 0x80) {
            *p->to++ = *p->at++;
        }
    }
}

/* A number, true, false or null. */
static void copy_word(printer *p)
{
    while (p->at < p->end && *p->at != ',' && *p->at != ']' && *p->at != '}') {
        *p->to++ = *p->at++;
    }
}

static bool put_open(printer *p)
{
    *p->to++ = *p->at++;
    if (*p->at == ']' || *p->at == '}') {
        *p->to++ = *p->at++;
        return true;
    }
    p->depth++;
    return put_line(p);
}

static bool put_next(printer *p)
{
    switch (*p->at) {
    case '"':
        copy_string(p);
        if (p->at < p->end && *p->at == ':') {
            *p->to++ = *p->at++;
            *p->to++ = ' '; /* the line of each member has room for it */
        }
        return true;
    case '[':
    case '{': return put_open(p);
    case ',': *p->to++ = *p->at++; return put_line(p);
    case ']':
    case '}':
        assert(p->depth > 0);
        p->depth--;
        if (!put_line(p)) {
            return false;
        }
        *p->to++ = *p->at++;
        return true;
    default: copy_word(p); return true;
    }
}

bool gn_json_pretty(const uint8_t *text, size_t size, uint32_t indent, gn_buffer *out)
{
    size_t base = out->size;
    if (size > SIZE_MAX / 2 || !gn_buffer_reserve(out, size + SLACK)) {
        return false;
    }
    printer p = {.at = text, .end = text + size, .to = out->data + base, .out = out, .depth = indent};
    while (p.at < p.end) {
        if (!put_next(&p)) {
            out->size = base;
            return false;
        }
    }
    out->size = (size_t)(p.to - out->data);
    assert(p.depth == indent && out->size <= out->room);
    return true;
}
