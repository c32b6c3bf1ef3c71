/* The hash of an entity's key, keyed; see hash.c. */
#ifndef GN_HASH_H
#define GN_HASH_H

#include "bytes.h"
#include "rules.h"

/* Keys hashed by multiplication, for the first words of a key. */
#define GN_HASH_WORDS 8u
typedef struct gn_hash_keys {
    uint64_t sip[2];
    gn_uint128 words[GN_HASH_WORDS];
    gn_uint128 sizes[8 * GN_HASH_WORDS + 1];    /* of the key, in bytes */
} gn_hash_keys;

void gn_hash_open(gn_hash_keys *keys, const uint8_t seed[16]);
uint32_t gn_hash_other(const gn_hash_keys *keys, gn_name key);
/* The hash of a sum: its upper quarter, but never 0. */
static inline uint32_t gn_hash_of(gn_uint128 sum)
{
    return (uint32_t)(sum >> 96) | (uint32_t)1 << 31;
}
static inline uint32_t gn_hash(const gn_hash_keys *keys, gn_name key)
{
    if (!gn_is_short(key.size)) {
        return gn_hash_other(keys, key);
    }
    const gn_short word = gn_short_of(key.bytes, key.size);
    const gn_uint128 sum = keys->sizes[key.size] + keys->words[0] * word.first + keys->words[1] * word.middle +
                           keys->words[2] * word.last;
    return gn_hash_of(sum);
}

#endif
