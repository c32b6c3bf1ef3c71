/* Keys as they are expected: those that the objects of a shape had lately; see expected.h. */
#include "expected.h"

static gn_key expected_key(const gn_expected *expected)
{
    return gn_key_of((gn_name){expected->text + 1, expected->size - 3}, expected->text + GN_EXPECTED_SIZE);
}

static const gn_want *find_want(const gn_shape *shape, const gn_key *key)
{
    for (uint32_t i = 0; i < shape->count; i++) {
        int order = gn_key_order(&shape->wants[i].key, key);
        if (order >= 0) {
            return order == 0 ? &shape->wants[i] : NULL;
        }
    }
    return NULL;
}

static gn_expected expect(const gn_shape *shape, const gn_key *key, const gn_want *want)
{
    const uint32_t size = key->text.size + 3;
    gn_expected expected = {.size = size, .want = want, .string_mask = UINT32_MAX, .usual_end = 1};
    expected.slot = want == NULL || want->slot == GN_NONE ? shape->slot_count : want->slot;
    expected.is_plain = want == NULL || (want->source == GN_NONE && want->below == NULL);
    if (size + 1 < GN_EXPECTED_SIZE) {
        expected.key_mask = UINT32_MAX >> (GN_EXPECTED_SIZE - size);
        expected.string_mask = expected.key_mask << 1 | 1;
        memcpy(expected.text, key->text.bytes - 1, size - 1);
        expected.text[size - 1] = ':';
        if (expected.is_plain) {
            expected.text[size] = '"';
        } else { /* goes the long way: no plain string has these two bytes 0 in front of its text and in it */
            expected.string_mask = expected.string_mask << 1 | 1;
        }
    }
    return expected;
}

/* Expect the key from now on, in its place; a list that is full begins anew with it. One too long for that is
 * known in `spare` alone. */
static gn_expected *learn(gn_shape *shape, gn_expected **place, const gn_key *key, gn_expected *spare)
{
    gn_expected *at = *place;
    gn_expected *end = shape->expected + shape->expected_count;
    *spare = expect(shape, key, find_want(shape, key));
    while (at < end) {
        const gn_key other = expected_key(at);
        if (gn_key_order(&other, key) > 0) {
            break;
        }
        at++;
    }
    if (spare->key_mask == 0) {
        *place = at;
        return spare;
    }
    if (shape->expected_count == GN_EXPECTED_MAX) {
        at = shape->expected;
        *at = *end;
        end = at;
    }
    memmove(at + 1, at, (size_t)(end + 1 - at) * sizeof *at);
    *at = *spare;
    shape->expected_count = (uint32_t)(end - shape->expected) + 1;
    *place = at;
    return at;
}

/* A key that was not expected, checked against the one before it and learned. */
static GN_COLD gn_expected *take_other(gn_scanner *scan, const uint8_t *at, gn_shape *shape, gn_expected **next,
                                       gn_expected *spare, const uint8_t *spare_key)
{
    gn_key key = {.text.bytes = NULL};
    if (spare_key != NULL) {
        const uint8_t *end = gn_skip_string(spare_key + 1, scan->end);
        key = gn_key_of((gn_name){spare_key + 1, (uint32_t)(end - spare_key - 2)}, scan->end);
    } else if (*next > shape->expected) {
        key = expected_key(*next - 1);
    }
    return gn_check_key(scan, at, &key) == NULL ? NULL : learn(shape, next, &key, spare);
}

gn_expected *gn_expected_find(gn_scanner *scan, const uint8_t *at, gn_shape *shape, gn_expected **next,
                              gn_expected *spare, const uint8_t *spare_key)
{
    gn_expected *const stop = shape->expected + shape->expected_count;
    for (gn_expected *found = *next; found < stop; found++) {
        if ((gn_difference(found, at) & found->key_mask) == 0) {
            *next = found;
            return found;
        }
    }
    return take_other(scan, at, shape, next, spare, spare_key);
}

/* ---- usual sizes ---- */

#define MISSES_MAX 8u   /* deltas close to each other in which a size was not the usual one: from then on it varies */

GN_COLD void gn_expected_miss(gn_expected *expected, ptrdiff_t size, uint8_t delta_number)
{
    const uint8_t since = (uint8_t)(delta_number - expected->missed_in);
    expected->misses = since > 1 ? 0 : (uint8_t)(expected->misses + since);
    expected->missed_in = delta_number;
    if (expected->misses == MISSES_MAX) {
        expected->usual_end = GN_SIZES_VARY;
    } else if (size < 32) {
        expected->usual_size = (uint8_t)size;
        expected->usual_end = (uint32_t)1 << size;
    }
}
