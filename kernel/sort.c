/* Members compared and sorted by key: as unescaped UTF-8, whose byte order is that of code points.
 *
 * Runs by insertion, then merged: stable, n log n comparisons at worst, whatever the keys. */
#include "order.h"

#define RUN_SIZE 12u

static uint8_t next_byte(const uint8_t **key)
{
    return **key == '\\' ? gn_json_take_escape(key) : *(*key)++;
}

static uint64_t escaped_prefix(const uint8_t *key, uint32_t size)
{
    const uint8_t *end = key + size;
    uint64_t prefix = 0;
    for (int shift = 56; shift >= 0 && key < end; shift -= 8) {
        prefix |= (uint64_t)next_byte(&key) << shift;
    }
    return prefix;
}

/* Eight bytes may be read: the buffer has room behind what is written. */
static uint64_t plain_prefix(const uint8_t *key, uint32_t size)
{
    uint64_t prefix = 0;
    for (int at = 0; at < 8; at++) {
        prefix = prefix << 8 | key[at];
    }
    return size >= 8 ? prefix : size == 0 ? 0 : prefix >> (64 - 8 * size) << (64 - 8 * size);
}

uint64_t gn_member_prefix(const gn_member *member, const uint8_t *written)
{
    const uint8_t *key = written + member->key_at;
    return member->escaped ? escaped_prefix(key, member->key_size) : plain_prefix(key, member->key_size);
}

static int compare_escaped(const gn_member *a, const gn_member *b, const uint8_t *written)
{
    const uint8_t *key_a = written + a->key_at, *end_a = key_a + a->key_size;
    const uint8_t *key_b = written + b->key_at, *end_b = key_b + b->key_size;
    while (key_a < end_a && key_b < end_b) {
        int difference = next_byte(&key_a) - next_byte(&key_b);
        if (difference != 0) {
            return difference;
        }
    }
    return (key_a < end_a) - (key_b < end_b);
}

int gn_member_compare(const gn_member *a, const gn_member *b, const uint8_t *written)
{
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix ? -1 : 1;
    }
    if (a->escaped || b->escaped) {
        return compare_escaped(a, b, written);
    }
    uint32_t common = a->key_size < b->key_size ? a->key_size : b->key_size;
    int difference = memcmp(written + a->key_at, written + b->key_at, common);
    return difference != 0 ? difference : (a->key_size > b->key_size) - (a->key_size < b->key_size);
}

static void sort_run(gn_member *members, size_t count, const uint8_t *written)
{
    for (size_t at = 1; at < count; at++) {
        gn_member moved = members[at];
        size_t to = at;
        for (; to > 0 && gn_member_compare(&members[to - 1], &moved, written) > 0; to--) {
            members[to] = members[to - 1];
        }
        members[to] = moved;
    }
}

static void merge(const gn_member *from, size_t middle, size_t count, gn_member *to, const uint8_t *written)
{
    size_t left = 0, right = middle;
    for (size_t at = 0; at < count; at++) {
        bool is_left = left < middle &&
                       (right == count || gn_member_compare(&from[left], &from[right], written) <= 0);
        to[at] = is_left ? from[left++] : from[right++];
    }
}

static size_t at_most(size_t size, size_t bound)
{
    return size < bound ? size : bound;
}

bool gn_member_sort(gn_arena *scratch, gn_member *members, size_t count, const uint8_t *written)
{
    for (size_t at = 0; at < count; at += RUN_SIZE) {
        sort_run(members + at, at_most(RUN_SIZE, count - at), written);
    }
    if (count <= RUN_SIZE) {
        return true;
    }
    gn_member *from = members;
    gn_member *to = gn_alloc_array(scratch, count, sizeof *to);
    if (to == NULL) {
        return false;
    }
    for (size_t run = RUN_SIZE; run < count; run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            merge(from + at, at_most(run, count - at), at_most(2 * run, count - at), to + at, written);
        }
        gn_member *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != members) {
        memcpy(members, from, count * sizeof *from);
    }
    return true;
}
