/* What the kernel's files share. See abi.h for the public border.
 *
 * Every byte sequence inside is canonical compact JSON unless a name says otherwise; that is what makes
 * equality a memcmp and a copy a memcpy. Nothing here recurses on input; nothing is global. */
#ifndef GN_KERNEL_H
#define GN_KERNEL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "abi.h"

/* Cold: off the way that nearly all input takes, not worth a register or a line of cache there. */
/* Inline without fail: also what does nothing but ask for memory, which gcc takes for nothing where it is called. */
#if defined(__GNUC__)
#define GN_COLD __attribute__((noinline, cold))
#define GN_NO_INLINE __attribute__((noinline))
#define GN_INLINE inline __attribute__((always_inline))
#else
#define GN_COLD
#define GN_NO_INLINE
#define GN_INLINE inline
#endif

#define GN_LINE_SIZE 64u    /* of the caches: blocks of memory begin with one */

/* ---- arena.c: the only malloc ----
 *
 *   arena -> block -> block -> block        allocations go into the first block, from its front
 *            [used|......free]
 *
 * There is no free of one object, but of tables: a whole arena is reset (its first block is kept) or closed. */

typedef struct gn_block gn_block;
typedef struct gn_arena {
    gn_block *blocks;
    uint8_t *next;          /* where the next allocation goes */
    uint8_t *end;           /* of the first block */
    uint64_t size;          /* of all blocks */
    uint64_t size_max;
    uint64_t fail_at;       /* counts down to a refused allocation; 0: never */
} gn_arena;

void gn_arena_open(gn_arena *arena, uint64_t size_max);
void gn_arena_close(gn_arena *arena);
void gn_arena_reset(gn_arena *arena);

/* Bytes to leave free so that the next allocation begins at a multiple of alignment. */
static inline size_t gn_misfit(const uint8_t *next, size_t alignment)
{
    return (size_t)(-(uintptr_t)next & (alignment - 1));
}
/* Bytes left in the first block behind `before` of them. */
static inline size_t gn_room(const gn_arena *arena, size_t before)
{
    const size_t left = (size_t)(arena->end - arena->next);
    return left < before ? 0 : left - before;
}
/* Nearly every allocation: *place in the first block. False: nothing was done, gn_alloc_slow may find room. */
static inline bool gn_alloc_quick(gn_arena *arena, size_t size, size_t alignment, uint8_t **place)
{
    const size_t before = gn_misfit(arena->next, alignment), taken = size | (size == 0);
    const bool fits = arena->fail_at == 0 && taken <= gn_room(arena, before);
    if (fits) {
        *place = arena->next + before;
        arena->next = *place + taken;
    }
    return fits;
}
void *gn_alloc_slow(gn_arena *arena, size_t size, size_t alignment);
static inline void *gn_alloc_aligned(gn_arena *arena, size_t size, size_t alignment)
{
    uint8_t *place;
    return gn_alloc_quick(arena, size, alignment, &place) ? place : gn_alloc_slow(arena, size, alignment);
}
/* Not cleared, at a multiple of 16 (cells and 128-bit totals); NULL past the bound. A size of 0 counts as 1. */
static inline void *gn_alloc(gn_arena *arena, size_t size)
{
    return gn_alloc_aligned(arena, size, 16);
}
/* The same for bytes, which may begin anywhere. */
static inline uint8_t *gn_alloc_bytes(gn_arena *arena, size_t size)
{
    return (uint8_t *)gn_alloc_aligned(arena, size, 1);
}
/* Give back what an allocation turned out not to need, if it is the last one. */
static inline void gn_alloc_trim(gn_arena *arena, uint8_t *place, size_t size, size_t needed)
{
    assert(needed > 0 && needed <= size);
    if (arena->next == place + size) {
        arena->next = place + needed;
    }
}
/* A block of its own, cleared, which alone may be given back before the arena is reset or closed: for what grows by
 * copying. */
void *gn_alloc_table(gn_arena *arena, size_t count, size_t size);
void gn_free_table(gn_arena *arena, void *table);
/* Have memory that is about to be written in whole huge pages, as far as it fills such, where the system has them. */
void gn_ask_for_huge_pages(uint8_t *from, size_t size);

/* Where an arena stands, and back there: what was allocated since is given back. */
typedef struct gn_arena_mark {
    gn_block *block;
    uint8_t *next;
} gn_arena_mark;
static inline gn_arena_mark gn_arena_here(const gn_arena *arena)
{
    gn_arena_mark mark = {arena->blocks, arena->next};
    return mark;
}
void gn_arena_back_slow(gn_arena *arena, gn_arena_mark mark);
static inline void gn_arena_back(gn_arena *arena, gn_arena_mark mark)
{
    if (arena->blocks == mark.block) {
        arena->next = mark.next;
    } else {
        gn_arena_back_slow(arena, mark);
    }
}
/* count * size, refused on overflow. */
static inline void *gn_alloc_array(gn_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : gn_alloc(arena, bytes);
}

/* Twice the room for an array that is full, 64 where there is none; the old one is left behind. False when memory ends. */
bool gn_double_array(gn_arena *arena, void **items, uint32_t *room, size_t size);

/* A growing byte sequence in an arena; growth leaves the old copy behind until the arena is reset. */
typedef struct gn_buffer {
    uint8_t *data;
    size_t size;
    size_t room;
    gn_arena *arena;
} gn_buffer;

/* Room for `more` bytes behind size; false when memory ends, the buffer as it was. */
bool gn_buffer_reserve_slow(gn_buffer *buffer, size_t more);
static inline bool gn_buffer_reserve(gn_buffer *buffer, size_t more)
{
    return more <= buffer->room - buffer->size || gn_buffer_reserve_slow(buffer, more);
}
static inline bool gn_buffer_put(gn_buffer *buffer, const void *bytes, size_t size)
{
    if (!gn_buffer_reserve(buffer, size)) {
        return false;
    }
    if (size > 0) {
        memcpy(buffer->data + buffer->size, bytes, size);
        buffer->size += size;
    }
    return true;
}
static inline bool gn_buffer_put_byte(gn_buffer *buffer, uint8_t byte)
{
    return gn_buffer_put(buffer, &byte, 1);
}

struct gn_scratch {
    gn_arena arena;
    gn_arena self;          /* holds the scratch itself */
};

/* ---- read.c, pretty.c, write.c: strict JSON in, canonical JSON out ---- */

/* Strict JSON to canonical compact bytes, appended to out. depth_max, size_max 0: no limit.
 * Working memory comes from scratch and is the caller's to reset. */
int gn_json_compact(gn_arena *scratch, const uint8_t *text, size_t size, uint32_t depth_max,
                    uint64_t size_max, gn_buffer *out, uint64_t *position);

/* Canonical compact bytes to the pretty form, appended to out, as if `indent` levels deep; no final newline.
 * The text is trusted to be canonical compact JSON of one value. */
bool gn_json_pretty(const uint8_t *text, size_t size, uint32_t indent, gn_buffer *out);

/* The string inside a canonical JSON string's quotes, unescaped, appended to out. Trusted input. */
bool gn_json_unescape(const uint8_t *text, size_t size, gn_buffer *out);
/* Bytes (valid UTF-8) as a canonical JSON string with its quotes, appended to out. */
bool gn_json_quote(const uint8_t *bytes, size_t size, gn_buffer *out);

/* Write the escape of a byte that a string cannot hold as it is, at most 6 bytes; returns behind it. */
uint8_t *gn_json_put_escape(uint8_t *to, uint8_t byte);
/* The byte that the canonical escape at *at stands for; *at moves behind it. */
uint8_t gn_json_take_escape(const uint8_t **at);

/* ---- time.c: instants in microseconds since 1970, of the years 1 to 9999 ---- */

#define GN_INSTANT_MIN (INT64_C(-62135596800) * 1000000)        /* 0001-01-01T00:00:00Z */
#define GN_INSTANT_MAX (INT64_C(253402300800) * 1000000 - 1)    /* 9999-12-31T23:59:59.999999Z */

/* ---- number.cpp: doubles, by the toolchain's library ---- */

/* The longest canonical double, "-2.2250738585072014e-308", and room to spare. */
#define GN_DOUBLE_SIZE_MAX 40
/* A double written as JSON has it; false when it is not finite. */
bool gn_double_parse(const uint8_t *text, size_t size, double *value);
/* The canonical spelling (section 8 of the design); returns its size. value is finite. */
size_t gn_double_format(double value, uint8_t out[GN_DOUBLE_SIZE_MAX]);

#ifdef __cplusplus
}
#endif
#endif
