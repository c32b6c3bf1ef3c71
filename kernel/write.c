/* Canonical strings, with and without their escapes.
 *
 * Escapes are those that orjson writes: \" \\ \b \t \n \f \r, other control characters as \u00xx in small
 * hex digits, all else as it is. Compact text is trusted here: read.c or this file made it. */
#include "kernel.h"
#include "plain.h"

#define ESCAPE_SIZE_MAX 6

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
