/* Numbers of a JSON text: integers exact and in range, doubles shortest.
 *
 * Most doubles are written canonically already, which can be seen without converting them. */
#include "reader.h"

#define DIGITS_EXACT 15 /* a decimal of so many digits survives the way through a double */

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
static bool skip_digits(gn_reader *r)
{
    const uint8_t *first = r->at;
    while (r->at < r->end && gn_is_digit(*r->at)) {
        r->at++;
    }
    return r->at > first || gn_read_fail_here(r);
}

static bool scan_number(gn_reader *r, number *n)
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

static bool put_double(gn_reader *r, const number *n)
{
    double value;
    if (!gn_double_parse(n->begin, (size_t)(r->at - n->begin), &value)) {
        return gn_read_fail(r, GN_JSON_NOT_FINITE, n->begin);
    }
    r->out->size = (size_t)(r->to - r->out->data);
    if (!gn_buffer_reserve(r->out, GN_DOUBLE_SIZE_MAX + (size_t)(r->end - r->at) + GN_COPY_SLACK)) {
        return gn_read_fail(r, GN_NO_MEMORY, n->begin);
    }
    r->to = r->out->data + r->out->size;
    r->to += gn_double_format(value, r->to);
    return (size_t)(r->to - gn_read_written(r)) + (size_t)(r->end - r->at) <= GN_JSON_SIZE_LARGEST ||
           gn_read_fail(r, GN_JSON_TOO_LARGE, n->begin);
}

bool gn_read_number(gn_reader *r)
{
    number n;
    if (!scan_number(r, &n)) {
        return false;
    }
    if (n.fraction == n.fraction_end && !n.has_exponent) {
        const uint8_t *first = *n.whole == '0' ? n.whole : n.begin; /* -0 is 0 */
        gn_read_put(r, first, (size_t)(n.whole_end - first));
        return is_integer_in_range(&n) || gn_read_fail(r, GN_JSON_INTEGER_RANGE, n.begin);
    }
    if (is_canonical_double(&n)) {
        gn_read_put(r, n.begin, (size_t)(r->at - n.begin));
        return true;
    }
    return put_double(r, &n);
}
