/* Names and numbers as canonical text holds them: the order of keys, and integers exactly.
 *
 * A key stands in text with its escapes; the order of code points is that of the unescaped bytes. */
#include "state.h"

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

gn_key gn_key_of(gn_name text, const uint8_t *limit)
{
    gn_key key = {.text = text, .escaped = text.size > 0 && memchr(text.bytes, '\\', text.size) != NULL};
    uint32_t size = text.size < 8 ? text.size : 8;
    assert(text.size <= (size_t)(limit - text.bytes));
    for (uint32_t i = 0; i < size; i++) {
        key.prefix |= (uint64_t)text.bytes[i] << (56 - 8 * i);
    }
    return key;
}

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
