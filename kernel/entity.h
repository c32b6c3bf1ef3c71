/* Entities and their cells.
 *
 * An entity's body is canonical compact text until a write touches one of its members. Then it is opened
 * along the document's slots, the member names that the rules spell out:
 *
 *     {"bio":"x","heartbeat":3,"karma":5,"posts":1,"zip":0}      slots: heartbeat, posts
 *
 *     runs    [0] "bio":"x"        [1] "karma":5       [2] "zip":0     text of the members between slots
 *     slots        heartbeat = 3         posts = 1                     one cell each
 *
 * A slot is read and written in place; anything else, and anything deeper, is one splice of text. */
#ifndef GN_ENTITY_H
#define GN_ENTITY_H

#include "bytes.h"
#include "rules.h"

enum gn_kind {
    GN_ABSENT = 0,
    GN_REMOVED,
    GN_INTEGER,
    GN_SECOND,              /* "2026-03-28T03:00:00Z", packed so that instants compare as integers */
    GN_TEXT,
    GN_PACKED,              /* a body's text with its keys as single bytes; see pack.c */
    GN_OPEN
};

typedef struct gn_object gn_object;

typedef struct gn_cell {
    union {
        const uint8_t *text;
        int64_t integer;
        gn_object *object;
    } as;
    uint32_t size;          /* of the text */
    uint16_t kind;
    uint16_t is_owned;      /* the text lies in a gn_owned of its own */
} gn_cell;

/* A text that may be given back when it is replaced: those that are long, and may grow by every operation of a
 * frame. Its bytes lie behind it. */
#define GN_OWNED_SIZE_MIN 512u
#define GN_OWNED_CLASSES 96u
typedef struct gn_owned {
    struct gn_owned *next;  /* on the list of its class, when it was given back */
    uint32_t run;           /* that wrote it, and the unit in it */
    uint32_t unit;
    uint32_t class;
} gn_owned;

/* slot_count slots, then slot_count + 1 runs (text of members without braces, possibly empty). */
struct gn_object {
    uint32_t slot_count;
    uint32_t pad;
    gn_cell cells[];
};

static inline size_t gn_object_size(uint32_t slot_count)
{
    return sizeof(gn_object) + (2 * (size_t)slot_count + 1) * sizeof(gn_cell);
}
static inline gn_cell *gn_object_slot(gn_object *object, uint32_t index)
{
    assert(index < object->slot_count);
    return &object->cells[index];
}
static inline gn_cell *gn_object_run(gn_object *object, uint32_t index)
{
    assert(index <= object->slot_count);
    return &object->cells[object->slot_count + index];
}

/* An entity, its key behind it, and behind that the object that its body is opened into first:
 *
 *     | body 16 | sizes and counts 24 | key ... | cells of the object ... |
 *
 * One allocation, so that finding an entity and adding to a slot of it touches two or three neighbouring lines. */
struct gn_entity {
    gn_cell body;           /* GN_ABSENT: known not to be there; GN_REMOVED: its key is taken */
    uint32_t key_size;
    uint32_t index;         /* in the order in which they came; GN_NONE: a record, or the members beside a root */
    uint32_t touches;       /* live undo entries of this run: 0 means nothing changed in the end */
    uint32_t run;           /* the run that touched it last */
    uint32_t asked;         /* the call of gn_fold_needs that reported it last */
    uint16_t document;
    uint8_t loaded;
    uint8_t is_at : 1;      /* the members beside a root */
    uint8_t has_object : 1; /* the object behind the key is in use, or was: an undo entry may lead to it */
    uint8_t key[];
};

static inline bool gn_entity_has_key(const gn_entity *entity, gn_name key)
{
    return entity->key_size == key.size && gn_same_bytes(entity->key, key.bytes, key.size);
}
static inline gn_name gn_entity_key(const gn_entity *entity)
{
    return (gn_name){entity->key, entity->key_size};
}

#endif
