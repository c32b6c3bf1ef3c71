/* Puts the members of objects in key order, in time linear in the bytes but for the sorting of keys.
 *
 * The reader writes members as they come and tells their places; an object whose keys came in order
 * (all of them, in a canonical text) leaves no trace. Of the others the sorted places are kept, and one
 * walk at the end copies every byte once, however deep they nest:
 *
 *   written   {"b":{"d":1,"c":2},"a":3}
 *   objects   0: [0,25) spans "a":3 and "b":{...}      in the order in which they opened
 *             1: [5,18) spans "c":2 and "d":1
 *   copied    {"a":3,"b":{"c":2,"d":1}}
 *
 * Places are offsets into the written bytes: the buffer may move while it grows. */
#ifndef GN_ORDER_H
#define GN_ORDER_H

#include "kernel.h"

/* A member of an open object, on a stack: an object's members lie together when it closes. */
typedef struct gn_member {
    uint64_t prefix;        /* the unescaped key's first 8 bytes, big-endian, zeros behind */
    uint32_t key_at;        /* its first byte, behind the quote */
    uint32_t key_size;      /* escapes as written */
    uint32_t end;           /* behind its value */
    uint32_t object;        /* the first object inside its value has this number or a later one */
    uint32_t source;        /* of the key in the text that is read, for messages */
    bool escaped;           /* the key holds a backslash */
} gn_member;

/* ---- sort.c ---- `written` is what key_at counts from; 8 bytes behind it may be read. */

uint64_t gn_member_prefix(const gn_member *member, const uint8_t *written);
/* By key: below 0, 0 or above. */
int gn_member_compare(const gn_member *a, const gn_member *b, const uint8_t *written);
/* By key, in place; false when memory for the other half ends. */
bool gn_member_sort(gn_arena *scratch, gn_member *members, size_t count, const uint8_t *written);

/* ---- order.c ---- */

/* What an open object remembers; kept by the reader. */
typedef struct gn_open_object {
    uint32_t number;
    uint32_t member_first;
    uint32_t span_first;
    bool sorted;            /* so far each key is greater than the one before */
} gn_open_object;

typedef struct gn_order {
    gn_arena *scratch;
    gn_buffer members;      /* of gn_member */
    gn_buffer objects;      /* of closed and open objects that hold or may hold something out of order */
    gn_buffer spans;        /* members in sorted order, for each object that needs it */
} gn_order;

void gn_order_open(gn_order *order, gn_arena *scratch);

/* An object begins at `begin`. False when memory ends; so all below. */
bool gn_order_open_object(gn_order *order, uint32_t begin, gn_open_object *object);
/* Its next member; GN_JSON_DUPLICATE_KEY when the key equals the one before. member->object and ->prefix
 * are filled in here. */
int gn_order_add(gn_order *order, gn_open_object *object, gn_member member, const uint8_t *written);
/* The last member's value ends. */
void gn_order_end_member(gn_order *order, uint32_t end);
/* The object ends behind its brace. On GN_JSON_DUPLICATE_KEY *source is the second of the two. */
int gn_order_close_object(gn_order *order, const gn_open_object *object, uint32_t end,
                          const uint8_t *written, uint32_t *source);

/* Whether what was written is in order already. */
bool gn_order_is_sorted(const gn_order *order);
/* Copy `size` written bytes to `to` in order; both have GN_COPY_SLACK bytes of room behind. */
#define GN_COPY_SLACK 16
bool gn_order_copy(gn_order *order, const uint8_t *written, uint32_t size, uint8_t *to);

#endif
