/* The hash of an entity's key, keyed; see hash.c. */
#ifndef GN_HASH_H
#define GN_HASH_H

#include "rules.h"

/* Keys hashed by multiplication, for the first words of a key. */
#define GN_HASH_WORDS 8u
typedef struct gn_hash_keys {
    uint64_t sip[2];
    gn_uint128 words[GN_HASH_WORDS];
    gn_uint128 sizes[8 * GN_HASH_WORDS + 1];    /* of the key, in bytes */
} gn_hash_keys;

void gn_hash_open(gn_hash_keys *keys, const uint8_t seed[16]);
uint64_t gn_hash_long(const gn_hash_keys *keys, gn_name key);
uint64_t gn_hash_tail(const uint8_t *bytes, uint32_t size);
static inline uint64_t gn_hash_word(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}
static inline uint64_t gn_hash(const gn_hash_keys *keys, gn_name key)
{
    const uint8_t *const at = key.bytes;
    const gn_uint128 *const words = keys->words;
    if (key.size > 8 * GN_HASH_WORDS) {
        return gn_hash_long(keys, key);
    }
    gn_uint128 sum = keys->sizes[key.size];
    if (key.size < 8) {
        return (uint64_t)((sum + words[0] * gn_hash_tail(at, key.size)) >> 64);
    }
    const uint32_t whole = (key.size - 1) / 8; /* words in front of the last, which overlaps the one before it */
    for (uint32_t i = 0; i < whole; i++) {
        sum += words[i] * gn_hash_word(at + (size_t)8 * i);
    }
    return (uint64_t)((sum + words[whole] * gn_hash_word(at + key.size - 8)) >> 64);
}

#endif
