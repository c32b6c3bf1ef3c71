/* Keys as they are expected. Streams write the same members again and again, so each shape remembers the keys that its
 * objects had lately, in their order. A key that stands where it is expected is told by one comparison, and needs no
 * check: it was checked when it was learned, and of a sorted list any choice is sorted.
 *
 *   expected   "author":   "channel":   "created_at":   "number":   "title":
 *   object     "author":   --           "created_at":   "number":   --          members may be missing
 *
 * Any other key is checked, looked up among the names that the rules want, and learned. */
#ifndef GN_EXPECTED_H
#define GN_EXPECTED_H

#include "scan.h"

/* Which bytes at `at` are not the expected ones, a bit each. */
static inline uint32_t gn_difference(const gn_expected *expected, const uint8_t *at)
{
    return ~gn_equal_bytes(expected->text, at, expected->string_mask);
}

/* What is known of a key that is not *next: one of those behind it, or another, which is learned, or noted in `spare`
 * if it is too long. *next becomes its place among the others. `spare_key` is the key before it, from its quote, if
 * that was a spare one, or NULL: then it is the one expected before *next. NULL on failure. */
gn_expected *gn_expected_find(gn_scanner *scan, const uint8_t *at, gn_shape *shape, gn_expected **next,
                              gn_expected *spare, const uint8_t *spare_key);

/* ---- usual sizes ----
 *
 * Of most keys the values have one size again and again: a time, a kind, a number of some digits. */

/* Does a value end where it usually does? The lowest bit of `ends` is where it does. If so, take the size that is known
 * in the place of that bit's number: the machine then looks for the end of the next value while it still finds this one,
 * where it would wait otherwise. */
static GN_INLINE bool gn_ends_as_usual(const gn_expected *expected, uint32_t ends)
{
    return (ends & (0 - ends)) == expected->usual_end;
}
void gn_expected_miss(gn_expected *expected, ptrdiff_t size, uint8_t delta_number);
/* It does not: the size that it has, which is noted. */
static GN_INLINE ptrdiff_t gn_other_size(gn_expected *expected, ptrdiff_t size, uint8_t delta_number)
{
    if (expected->usual_end != GN_SIZES_VARY) {
        gn_expected_miss(expected, size, delta_number);
    }
    return size;
}

#endif
