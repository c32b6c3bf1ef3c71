/* What the places of a document mean: two or three versions of it side by side, for diff.c and merge3.c.
 *
 * A walk goes through all versions at once, member by member in key order, and only where the caller asks it
 * to goes down. The objects it is inside of lie on a stack of levels:
 *
 *     {"_meta":{"count":2},"agents":{"ada":{"karma":5,"traits":{"calm":1}}}}
 *      TOP     DEEPER      MAP      ENTITY           FIELD
 *
 * TOP and MAP are there where the document has a root; a map without one starts with MAP, a record with
 * ENTITY. The members of an ENTITY have the fields' rules, those of a FIELD the one that the rules give with a
 * star. The pointer grows with the levels: `/agents`, `/agents/ada`, `/agents/ada/traits`, and `/agents/@`. */
#ifndef GN_MEANING_H
#define GN_MEANING_H

#include "state.h"

#define GN_SIDES_MAX 3u
#define GN_DERIVED ((uint32_t)GN_FIELD_RULE_COUNT)  /* beside the fields' rules: computed, written by nobody */

enum gn_level_kind { GN_LEVEL_TOP = 0, GN_LEVEL_MAP, GN_LEVEL_ENTITY, GN_LEVEL_FIELD, GN_LEVEL_DEEPER };

/* The arrays and objects of a text that are not small, by where they start. */
typedef struct gn_extents {
    const uint8_t *text;
    uint32_t count;
    const gn_span *spans;
} gn_extents;

/* The next member of one version's object; key.bytes NULL: there is none. */
typedef struct gn_side {
    const uint8_t *at;      /* behind that member */
    const uint8_t *end;     /* of the object, before its brace */
    gn_name key;            /* as it stands in text, without quotes */
    gn_name value;
} gn_side;

typedef struct gn_level {
    gn_side sides[GN_SIDES_MAX];
    gn_name key;            /* of the place at hand */
    size_t pointer_size;    /* of the pointer to this object */
    uint32_t kind;
    uint32_t rule;          /* of all members of a FIELD */
    bool has_member;        /* for the caller: something of it is written already */
} gn_level;

typedef struct gn_walk {
    gn_arena *arena;
    const gn_document *document;
    uint32_t side_count;
    uint32_t depth;         /* levels in use; the last one is the object at hand */
    uint32_t room;
    gn_level *levels;
    gn_extents extents[GN_SIDES_MAX];
    gn_buffer pointer;
} gn_walk;

/* Check the texts, the first `count` of them, and stand before their first members. Everything lies in arena;
 * program and texts must outlive the walk. On failure *failed is the text, *position the byte in it. */
int gn_walk_open(gn_walk *walk, gn_arena *arena, const gn_text *program, uint32_t document, const gn_text *texts,
                 uint32_t count, uint32_t *failed, uint64_t *position);

/* The level at hand. Going down may move it. */
static inline gn_level *gn_walk_level(const gn_walk *walk)
{
    assert(walk->depth > 0);
    return &walk->levels[walk->depth - 1];
}

/* Go on to the next place: its value in each version, size 0 where absent. False at the object's end. */
bool gn_walk_next(gn_walk *walk, gn_name *values);
/* Go down into the place at hand, whose values are all objects. False when memory ends. */
bool gn_walk_enter(gn_walk *walk, const gn_name *objects);
/* The rule at the place at hand: an enum gn_field_rule, or GN_DERIVED. */
uint32_t gn_walk_rule(const gn_walk *walk);
/* The JSON Pointer of the place at hand, as it stands inside a JSON string; until the next call of this.
 * False when memory ends. */
bool gn_walk_pointer(gn_walk *walk, gn_name *pointer);

/* What stands in after's array behind all that stands in before's; false when it did not grow at its end alone. */
bool gn_array_grew(gn_name before, gn_name after, gn_name *more);

/* ---- extents.c: stepping over values without reading them again ---- */

/* False when memory ends. The text is canonical. */
bool gn_extents_open(gn_arena *arena, gn_name text, gn_extents *extents);
/* Step over the value at `at`, as gn_skip does. */
const uint8_t *gn_extents_skip(const gn_extents *extents, const uint8_t *at, const uint8_t *end);

/* ---- elements.c: arrays as sets ---- */

typedef struct gn_elements {
    uint32_t count;
    gn_name *items;         /* as they stand */
    gn_name **sorted;       /* the same by their bytes */
} gn_elements;

/* The elements of an array; an absent one (size 0) has none. False when memory ends. */
bool gn_elements_open(gn_arena *arena, gn_name array, gn_elements *elements);
bool gn_elements_hold(const gn_elements *elements, gn_name item);
/* Are two elements equal? Then the array is no set. */
bool gn_elements_repeat(const gn_elements *elements);

static inline bool gn_is_array(gn_name text)
{
    return text.size > 0 && text.bytes[0] == '[';
}
static inline bool gn_is_object(gn_name text)
{
    return text.size > 0 && text.bytes[0] == '{';
}

#endif
