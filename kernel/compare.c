/* What `max` and `min` hold against each other: instants over numbers over other strings, exactly.
 *
 * Integers reach 2^64-1 and doubles are held against them by value, not by conversion: beyond 2^53 a
 * converted integer would equal its neighbour. */
#include "state.h"

static bool is_number(gn_name text)
{
    return text.bytes[0] == '-' || (text.bytes[0] >= '0' && text.bytes[0] <= '9');
}

/* Instants hold no character that is escaped, so their text between the quotes is the string. */
static bool is_instant(gn_name text, int64_t *us)
{
    return text.size > 2 && gn_instant_parse(text.bytes + 1, text.size - 2, us) == 1;
}

/* -1 wrong type, 0 absent, null or "", 1 other strings, 2 numbers, 3 instants. */
static int rank_of(gn_name text)
{
    int64_t us;
    if (text.size == 0 || text.bytes[0] == 'n') {
        return 0;
    }
    if (text.bytes[0] == '"') {
        return text.size == 2 ? 0 : is_instant(text, &us) ? 3 : 1;
    }
    return is_number(text) ? 2 : -1;
}

/* A double against an integer, by the integer part and then by whether anything is left. */
static int compare_mixed(double left, gn_int128 right)
{
    if (left >= 18446744073709551616.0) {
        return 1;
    }
    if (left < -9223372036854775808.0) {
        return -1;
    }
    gn_int128 whole = (gn_int128)left;
    if (whole != right) {
        return whole < right ? -1 : 1;
    }
    double rest = left - (double)whole;
    return (rest > 0) - (rest < 0);
}

static int compare_numbers(gn_name a, gn_name b)
{
    gn_int128 left = 0, right = 0;
    double left_double = 0, right_double = 0;
    bool left_whole = gn_integer_parse(a, &left), right_whole = gn_integer_parse(b, &right);
    if (left_whole && right_whole) {
        return (left > right) - (left < right);
    }
    bool parsed = (left_whole || gn_double_parse(a.bytes, a.size, &left_double)) &&
                  (right_whole || gn_double_parse(b.bytes, b.size, &right_double));
    assert(parsed);
    (void)parsed;
    if (left_whole) {
        return -compare_mixed(right_double, left);
    }
    if (right_whole) {
        return compare_mixed(left_double, right);
    }
    return (left_double > right_double) - (left_double < right_double);
}

static int compare_instants(gn_name a, gn_name b)
{
    int64_t left = 0, right = 0;
    bool parsed = is_instant(a, &left) && is_instant(b, &right);
    assert(parsed);
    (void)parsed;
    return (left > right) - (left < right);
}

/* Which of two values of one rank > 0 comes later: by value; equal ones by neither. */
static int compare_of_rank(int rank, gn_name a, gn_name b)
{
    if (rank == 3) {
        return compare_instants(a, b);
    }
    if (rank == 2) {
        return compare_numbers(a, b);
    }
    return gn_key_compare((gn_name){a.bytes + 1, a.size - 2}, (gn_name){b.bytes + 1, b.size - 2});
}

bool gn_extreme(gn_name value, gn_name current, bool is_max, bool *wins)
{
    *wins = false;
    const int rank = rank_of(value), current_rank = rank_of(current);
    if (rank < 0 || current_rank < 0) {
        return false;
    }
    if (rank == 0 || current_rank == 0) {
        *wins = rank > 0;
        return true;
    }
    int order = rank != current_rank ? rank - current_rank : compare_of_rank(rank, value, current);
    *wins = order == 0 ? gn_name_compare(value, current) > 0 : is_max ? order > 0 : order < 0;
    return true;
}
