/* The lines of a document's pretty form, kept from one writing to the next; see listing.c. */
#ifndef GN_LISTING_H
#define GN_LISTING_H

#include "kernel.h"

#define GN_LISTING_PREFETCH_SIZE ((size_t)512)

/* An entity's line, `,<line feed><indent>"key": body`. */
typedef struct gn_entry {
    const uint8_t *line;    /* NULL: none, it is removed or absent */
    uint32_t size;
    uint32_t index;         /* of the entity, in the order in which they came */
} gn_entry;

/* One a document; empty until the document is first written. */
typedef struct gn_listing {
    gn_entry *entries;      /* by key */
    uint64_t *stale;        /* a bit an entity, by index: its line is to be written again */
    uint32_t count;         /* entities with a higher index are new */
    uint32_t room;
    uint32_t stretches;     /* of text, when it was last written */
    gn_arena texts;         /* lines; what is not there is written again */
    uint8_t *next;          /* where the next line goes */
    uint8_t *end;
    uint64_t live;          /* bytes of texts that some entry shows, and that none shows any more */
    uint64_t dead;
} gn_listing;

static inline bool gn_listing_is_stale(const gn_listing *listing, uint32_t index)
{
    return (listing->stale[index / 64] >> index % 64 & 1) != 0;
}

/* The entity of that index may be about to change. */
static inline void gn_listing_touch(gn_listing *listing, uint32_t index)
{
    if (index < listing->count) {
        listing->stale[index / 64] |= (uint64_t)1 << index % 64;
    }
}

/* Ask for a text and the like; of a longer one the machine sees by itself what comes. */
static GN_INLINE void gn_listing_prefetch(const uint8_t *from, size_t size, bool to_write)
{
    for (size_t at = 0; at < size && at < GN_LISTING_PREFETCH_SIZE; at += GN_LINE_SIZE) {
        if (to_write) {
            __builtin_prefetch(from + at, 1);
        } else {
            __builtin_prefetch(from + at);
        }
    }
}

#endif
