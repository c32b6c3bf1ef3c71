/* The hash of an entity's key: keyed, because who writes deltas chooses the keys.
 *
 * Up to GN_HASH_WORDS words are hashed by multiplication, a number for the size + sum(word[i] * key[i]) modulo 2^128,
 * of which the upper quarter counts: pairwise independent whatever the words, for keys that nobody knows (Lemire and
 * Kaser, "Strongly universal string hashing is fast", section 3). Longer ones go through SipHash-1-3 (Aumasson and
 * Bernstein, "SipHash: a fast short-input PRF"), which makes the multipliers from the seed as well. */
#include "hash.h"

static inline uint64_t rotate(uint64_t value, unsigned by)
{
    return value << by | value >> (64 - by);
}

static inline uint64_t load64(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

/* Up to 7 bytes as a word of their own; with the size known, no two sequences give the same. */
static uint64_t tail_of(const uint8_t *bytes, uint32_t size)
{
    uint32_t low, high;
    if (size >= 4) {
        memcpy(&low, bytes, 4);
        memcpy(&high, bytes + size - 4, 4);
        return (uint64_t)high << 32 | low;
    }
    return size == 0 ? 0 : (uint64_t)bytes[0] << 16 | (uint64_t)bytes[size / 2] << 8 | bytes[size - 1];
}

#define SIP_ROUND(a, b, c, d)                                                                                         \
    do {                                                                                                              \
        a += b; b = rotate(b, 13); b ^= a; a = rotate(a, 32);                                                         \
        c += d; d = rotate(d, 16); d ^= c;                                                                            \
        a += d; d = rotate(d, 21); d ^= a;                                                                            \
        c += b; b = rotate(b, 17); b ^= c; c = rotate(c, 32);                                                         \
    } while (0)

static uint64_t sip(const uint64_t key[2], uint64_t tweak, gn_name text)
{
    const uint64_t k0 = key[0] ^ tweak, k1 = key[1];
    uint64_t a = k0 ^ 0x736f6d6570736575u, b = k1 ^ 0x646f72616e646f6du;
    uint64_t c = k0 ^ 0x6c7967656e657261u, d = k1 ^ 0x7465646279746573u;
    uint32_t at = 0;
    for (; text.size - at >= 8; at += 8) {
        uint64_t word = load64(text.bytes + at);
        d ^= word;
        SIP_ROUND(a, b, c, d);
        a ^= word;
    }
    uint64_t last = (uint64_t)text.size << 56 | tail_of(text.bytes + at, text.size - at);
    d ^= last;
    SIP_ROUND(a, b, c, d);
    a ^= last;
    c ^= 0xff;
    SIP_ROUND(a, b, c, d);
    SIP_ROUND(a, b, c, d);
    SIP_ROUND(a, b, c, d);
    return a ^ b ^ c ^ d;
}

/* One of the numbers that the seed gives; `tweak` sets them apart from what keys give. */
static gn_uint128 number_of(const uint64_t key[2], uint64_t index)
{
    const uint64_t tweak = 1;
    uint64_t halves[2];
    for (uint64_t i = 0; i < 2; i++) {
        const uint64_t counter = 2 * index + i;
        uint8_t bytes[8];
        memcpy(bytes, &counter, 8);
        halves[i] = sip(key, tweak, (gn_name){bytes, 8});
    }
    return (gn_uint128)halves[0] << 64 | halves[1];
}

void gn_hash_open(gn_hash_keys *keys, const uint8_t seed[16])
{
    memcpy(keys->sip, seed, sizeof keys->sip);
    for (uint32_t i = 0; i < GN_HASH_WORDS; i++) {
        keys->words[i] = number_of(keys->sip, i);
    }
    for (uint32_t i = 0; i <= 8 * GN_HASH_WORDS; i++) {
        keys->sizes[i] = number_of(keys->sip, GN_HASH_WORDS + i);
    }
}

/* Keys of fewer bytes than gn_is_short takes, or of more. */
uint32_t gn_hash_other(const gn_hash_keys *keys, gn_name key)
{
    if (key.size > 8 * GN_HASH_WORDS) {
        return gn_hash_of((gn_uint128)sip(keys->sip, 0, key) << 64);
    }
    gn_uint128 sum = keys->sizes[key.size];
    if (key.size < 8) {
        return gn_hash_of(sum + keys->words[0] * tail_of(key.bytes, key.size));
    }
    const uint32_t whole = (key.size - 1) / 8; /* words in front of the last, which overlaps the one before it */
    for (uint32_t i = 0; i < whole; i++) {
        sum += keys->words[i] * load64(key.bytes + (size_t)8 * i);
    }
    return gn_hash_of(sum + keys->words[whole] * load64(key.bytes + key.size - 8));
}
