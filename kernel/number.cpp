// Doubles in and out, by the toolchain's own library.
//
// Reading and shortest digits come from C++17 <charconv>. Where the library lacks them (Apple's before
// macOS 26, GCC before 11) strtod and "%.{1..17}e" in the C locale do the same, slower; the tests hold
// both paths (compile with -DGN_NUMBER_FALLBACK). The point is always placed here: the plain overload
// of to_chars prints exact digits of large values instead of the shortest (0.7 % of random doubles).
#include <charconv>
#include <cmath>

#include "kernel.h"

#if !defined(__cpp_lib_to_chars) && !defined(GN_NUMBER_FALLBACK)
#define GN_NUMBER_FALLBACK 1
#endif

#ifdef GN_NUMBER_FALLBACK
#include <cfloat>
#include <cstdio>
#include <cstdlib>
#include <locale.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif
#endif

namespace {

constexpr int digits_max = 17;     // of a shortest double
constexpr int plain_min = -5;      // 1e-5 is the least that is written plain
constexpr int plain_max = 15;      // and below 1e16 the largest
constexpr int64_t exponent_cap = 1000000000;

// A double as sign * 0.d1d2d3... * 10^(exponent + 1): exponent is that of the first digit.
struct Decimal {
    bool negative;
    int exponent;
    int count;
    char digits[digits_max];
};

bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

// The exponent of the first digit that is not 0, in a number that has one; far ones are capped.
int64_t leading_exponent(const uint8_t *text, size_t size)
{
    int64_t before_point = 0;   // digits from the first that is not 0 up to the point
    int64_t zeros_behind = 0;   // zeros between the point and the first that is not 0
    bool point = false;
    bool seen = false;
    size_t at = text[0] == '-' ? 1 : 0;
    for (; at < size && (is_digit(text[at]) || text[at] == '.'); at++) {
        point = point || text[at] == '.';
        seen = seen || (is_digit(text[at]) && text[at] != '0');
        before_point += !point && seen;
        zeros_behind += point && !seen && text[at] == '0';
    }
    int64_t written = 0;
    if (at < size) { // an e, perhaps a sign, digits
        bool down = text[at + 1] == '-';
        for (at++; at < size; at++) {
            if (is_digit(text[at]) && written < exponent_cap) {
                written = written * 10 + (text[at] - '0');
            }
        }
        written = down ? -written : written;
    }
    return written + (before_point > 0 ? before_point - 1 : -zeros_behind - 1);
}

#ifndef GN_NUMBER_FALLBACK

bool parse(const uint8_t *text, size_t size, double *value)
{
    const char *from = reinterpret_cast<const char *>(text);
    auto [end, error] = std::from_chars(from, from + size, *value);
    if (error == std::errc::result_out_of_range) { // too large, or so small that it is 0
        *value = text[0] == '-' ? -0.0 : 0.0;
        return leading_exponent(text, size) < 0;
    }
    assert(error == std::errc() && end == from + size);
    return true;
}

// "-d.ddde-XX", the shortest that reads back.
size_t print_scientific(double value, char *out)
{
    auto [end, error] = std::to_chars(out, out + GN_DOUBLE_SIZE_MAX, value, std::chars_format::scientific);
    assert(error == std::errc());
    return static_cast<size_t>(end - out);
}

#else

// The calling thread in the C locale while one of these lives: the point is '.' whatever the program chose.
class CLocale {
public:
    CLocale() : ours(newlocale(LC_ALL_MASK, "C", static_cast<locale_t>(nullptr))), before(uselocale(ours)) {}
    ~CLocale()
    {
        uselocale(before);
        freelocale(ours);
    }
    CLocale(const CLocale &) = delete;
    CLocale &operator=(const CLocale &) = delete;

private:
    locale_t ours;
    locale_t before;
};

// strtod wants a terminated text, and nothing here may allocate: digits past the 800th can only decide
// a tie, and for that one digit that is not 0 stands for them all (a tie has at most 767 digits).
bool parse(const uint8_t *text, size_t size, double *value)
{
    constexpr size_t kept_max = 800;
    char copy[kept_max + 32];
    size_t used = 0;
    size_t kept = 0;
    bool rest = false;
    copy[used++] = text[0] == '-' ? '-' : '+';
    for (size_t at = 0; at < size && text[at] != 'e' && text[at] != 'E'; at++) {
        if (!is_digit(text[at]) || (kept == 0 && text[at] == '0')) {
            continue;
        }
        if (kept == 0) {
            copy[used++] = '.';
        }
        if (kept < kept_max) {
            copy[used++] = static_cast<char>(text[at]);
            kept++;
        } else {
            rest = rest || text[at] != '0';
        }
    }
    if (kept == 0) {
        *value = text[0] == '-' ? -0.0 : 0.0;
        return true;
    }
    int64_t exponent = leading_exponent(text, size) + 1;
    snprintf(copy + used, sizeof copy - used, "%se%lld", rest ? "1" : "", static_cast<long long>(exponent));
    CLocale c_locale;
    *value = strtod(copy, nullptr);
    return std::isfinite(*value);
}

// The next decimal of as many digits, away from 0; false past 9.99.
bool step_up(char *digits)
{
    for (char *last = strchr(digits, 'e') - 1; last >= digits; last--) {
        if (is_digit(static_cast<uint8_t>(*last)) && *last < '9') {
            (*last)++;
            return true;
        }
        *last = *last == '9' ? '0' : *last;
    }
    return false;
}

size_t print_scientific(double value, char *out)
{
    CLocale c_locale;
    int size = 0;
    // Up to 15 digits survive the way through a normal double: 15 print them, and zeros behind.
    int precision = std::fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    for (; precision <= digits_max; precision++) {
        size = snprintf(out, GN_DOUBLE_SIZE_MAX, "%.*e", precision - 1, value);
        if (strtod(out, nullptr) == value) {
            break;
        }
        // Below a power of two doubles lie denser: what rounds down may miss where its neighbour hits.
        if (step_up(out + (value < 0)) && strtod(out, nullptr) == value) {
            break;
        }
    }
    return static_cast<size_t>(size);
}

#endif

Decimal shortest(double value)
{
    char text[GN_DOUBLE_SIZE_MAX];
    size_t size = print_scientific(value, text);
    Decimal decimal{};
    size_t at = 0;
    decimal.negative = text[0] == '-';
    at += decimal.negative;
    for (; text[at] != 'e'; at++) {
        if (text[at] != '.') {
            decimal.digits[decimal.count++] = text[at];
        }
    }
    while (decimal.count > 1 && decimal.digits[decimal.count - 1] == '0') {
        decimal.count--;
    }
    bool down = text[++at] == '-';
    int exponent = 0;
    for (at++; at < size; at++) {
        exponent = exponent * 10 + (text[at] - '0');
    }
    decimal.exponent = down ? -exponent : exponent;
    assert(decimal.count >= 1 && decimal.count <= digits_max);
    return decimal;
}

uint8_t *put(uint8_t *to, const char *bytes, int count)
{
    memcpy(to, bytes, static_cast<size_t>(count));
    return to + count;
}

uint8_t *put_zeros(uint8_t *to, int count)
{
    memset(to, '0', static_cast<size_t>(count));
    return to + count;
}

// 0.00012, 1.5, 1200.0
uint8_t *put_plain(uint8_t *to, const Decimal &decimal)
{
    int whole = decimal.exponent + 1; // digits before the point
    if (whole <= 0) {
        to = put(to, "0.", 2);
        to = put_zeros(to, -whole);
        return put(to, decimal.digits, decimal.count);
    }
    if (decimal.count <= whole) {
        to = put(to, decimal.digits, decimal.count);
        to = put_zeros(to, whole - decimal.count);
        return put(to, ".0", 2);
    }
    to = put(to, decimal.digits, whole);
    *to++ = '.';
    return put(to, decimal.digits + whole, decimal.count - whole);
}

// 1e-7, 1.5e+16
uint8_t *put_scientific(uint8_t *to, const Decimal &decimal)
{
    to = put(to, decimal.digits, 1);
    if (decimal.count > 1) {
        *to++ = '.';
        to = put(to, decimal.digits + 1, decimal.count - 1);
    }
    *to++ = 'e';
    *to++ = decimal.exponent < 0 ? '-' : '+';
    int exponent = decimal.exponent < 0 ? -decimal.exponent : decimal.exponent;
    if (exponent >= 100) {
        *to++ = static_cast<uint8_t>('0' + exponent / 100);
    }
    if (exponent >= 10) {
        *to++ = static_cast<uint8_t>('0' + exponent / 10 % 10);
    }
    *to++ = static_cast<uint8_t>('0' + exponent % 10);
    return to;
}

} // namespace

bool gn_double_parse(const uint8_t *text, size_t size, double *value)
{
    assert(size > 0);
    return parse(text, size, value);
}

size_t gn_double_format(double value, uint8_t out[GN_DOUBLE_SIZE_MAX])
{
    assert(std::isfinite(value));
    Decimal decimal = shortest(value);
    uint8_t *to = out;
    if (decimal.negative) {
        *to++ = '-';
    }
    bool plain = value == 0 || (decimal.exponent >= plain_min && decimal.exponent <= plain_max);
    to = plain ? put_plain(to, decimal) : put_scientific(to, decimal);
    assert(to - out <= GN_DOUBLE_SIZE_MAX);
    return static_cast<size_t>(to - out);
}
