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
const gn_expected *gn_expected_find(gn_scanner *scan, const uint8_t *at, gn_shape *shape, const gn_expected **next,
                                    gn_expected *spare, const uint8_t *spare_key);

#endif
