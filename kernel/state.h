/* What the fold's files share: the compiled program, entities and their cells, one call's working set.
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
#ifndef GN_STATE_H
#define GN_STATE_H

#include "kernel.h"
#include "listing.h"

#define GN_NAME_SEGMENTS_MAX 64u   /* of a dotted name or a path in the rules */
#define GN_NONE UINT32_MAX

__extension__ typedef __int128 gn_int128;
__extension__ typedef unsigned __int128 gn_uint128;

typedef struct gn_name {
    const uint8_t *bytes;
    uint32_t size;
} gn_name;

/* ---- cells ---- */

enum gn_kind {
    GN_ABSENT = 0,
    GN_REMOVED,
    GN_INTEGER,
    GN_SECOND,              /* "2026-03-28T03:00:00Z", packed so that instants compare as integers */
    GN_TEXT,
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

typedef struct gn_entity {
    const uint8_t *key;
    uint32_t key_size;
    uint32_t document;
    gn_cell body;           /* GN_ABSENT: known not to be there; GN_REMOVED: its key is taken */
    uint32_t index;         /* in the order in which they came; GN_NONE: a record, or the members beside a root */
    uint32_t touches;       /* live undo entries of this run: 0 means nothing changed in the end */
    uint32_t run;           /* the run that touched it last */
    uint32_t asked;         /* the call of gn_fold_needs that reported it last */
    bool loaded;
    bool is_at;             /* the members beside a root */
} gn_entity;

/* ---- program ---- */

enum gn_operation_code {
    GN_SET = 0, GN_INIT, GN_INC, GN_MAX, GN_MIN, GN_INCLUDE, GN_EXCLUDE, GN_PUSH, GN_REMOVE, GN_MERGE,
    GN_TEST, GN_OPERATION_COUNT
};
enum gn_field_rule { GN_LAST = 0, GN_SUM, GN_FIELD_MAX, GN_FIELD_MIN, GN_FIRST, GN_FIELD_SET, GN_FIELD_RULE_COUNT };
enum gn_reference_kind {
    GN_REF_FIELD = 0, GN_REF_FRAME, GN_REF_UTC, GN_REF_STREAM, GN_REF_ID, GN_REF_INDEX, GN_REF_KEY, GN_REF_VALUE,
    GN_REF_COUNT
};
enum gn_segment_kind { GN_SEGMENT_LITERAL = 0, GN_SEGMENT_TEMPLATE, GN_SEGMENT_AT };
enum gn_value_kind { GN_VALUE_NONE = 0, GN_VALUE_LITERAL, GN_VALUE_REFERENCE };

/* A key as it stands in text, without its quotes; the prefix decides most comparisons. */
typedef struct gn_key {
    gn_name text;
    uint64_t prefix;        /* the first 8 bytes, big-endian, zeros behind */
    bool escaped;           /* holds a backslash: the bytes are not the key's */
} gn_key;

typedef struct gn_names {
    uint32_t count;
    gn_name *names;
} gn_names;

/* The members of one object that the rules name, sorted, each with its slot and what is wanted below it. */
typedef struct gn_shape gn_shape;
typedef struct gn_want {
    gn_key key;
    uint32_t slot;          /* GN_NONE: only something below it */
    uint32_t source;        /* at the top of a delta: the source whose items it holds, or GN_NONE */
    gn_shape *below;
} gn_want;
struct gn_shape {
    uint32_t count;
    uint32_t room;
    gn_want *wants;
};

typedef struct gn_alternative {
    uint32_t kind;
    uint32_t slot;          /* GN_REF_FIELD */
} gn_alternative;
typedef struct gn_reference {
    uint32_t count;
    gn_alternative *alternatives;
} gn_reference;
typedef struct gn_part {
    bool is_reference;
    gn_name literal;
    gn_reference reference;
} gn_part;
typedef struct gn_template {
    uint32_t count;
    gn_part *parts;
} gn_template;
typedef struct gn_segment {
    uint32_t kind;
    gn_name literal;
    gn_template template;
} gn_segment;
typedef struct gn_operation {
    uint8_t code;
    bool optional;
    uint8_t value_kind;
    uint32_t document;
    uint32_t segment_count;
    gn_segment *segments;
    uint32_t slot;          /* of the first field, when it is written out and a slot; else GN_NONE */
    uint32_t entity;        /* which of the rule's entities it names, or GN_NONE: look it up */
    bool is_plain;          /* inc, max or min of one slot: gn_apply_plain may do it */
    bool has_step;          /* inc by this literal */
    int64_t step;
    gn_name literal;
    gn_reference reference;
} gn_operation;
#define GN_RULE_ENTITIES 8u
typedef struct gn_rule {
    uint32_t source;        /* GN_NONE: the delta itself */
    bool has_when;
    gn_name when_literal;
    uint32_t when_slot;
    uint32_t into;          /* document, or GN_NONE */
    uint32_t key_count;
    gn_template *keys;
    uint32_t operation_count;
    gn_operation *operations;
    uint32_t entity_count;  /* entities that its operations name by one reference, at most GN_RULE_ENTITIES */
} gn_rule;
/* A member of the delta whose items rules run over; the last one is `ops`. */
typedef struct gn_source_plan {
    gn_name name;
    gn_shape shape;
    uint32_t slot_count;
    bool has_when_only;     /* every rule of it has a `when` */
} gn_source_plan;
typedef struct gn_pattern {
    uint32_t code;
    uint32_t segment_count;
    gn_segment *segments;   /* GN_SEGMENT_TEMPLATE stands for the star */
} gn_pattern;
typedef struct gn_field {
    gn_name name;
    bool has_second;
    gn_name second;
    uint32_t rule;
} gn_field;
typedef struct gn_derive {
    gn_names target;
    gn_int128 constant;
    uint32_t term_count;
    uint32_t *terms;
} gn_derive;
typedef struct gn_term {
    bool is_sum;
    uint32_t document;
    gn_names field;
    bool has_where;
    gn_names where;
    gn_name literal;
} gn_term;
typedef struct gn_document {
    gn_name name;
    gn_name root;
    bool has_root;
    bool is_record;
    bool create_always;
    uint32_t field_count;
    gn_field *fields;
    gn_names slots;
    uint32_t *slot_rules;   /* the field rule of each slot */
    gn_name *slot_texts;    /* "name": as JSON, with the colon */
    uint32_t derive_count;
    gn_derive *derives;
    uint32_t term_count;
    uint32_t *terms;        /* that look at this document */
    gn_entity *single;      /* the record, or the members beside the root */
    struct gn_slot *table;  /* of all others: open addressing, a power of two; small documents stay in the caches */
    uint32_t table_size;
    gn_entity **entities;   /* the same in the order they came */
    uint32_t entity_count;
    uint32_t entity_room;
    gn_listing listing;     /* the same in the order of keys */
} gn_document;
typedef struct gn_program {
    uint32_t document_count;
    gn_document *documents;
    uint32_t term_count;
    gn_term *terms;
    uint32_t rule_count;
    gn_rule *rules;
    uint32_t pattern_count;
    gn_pattern *patterns;
    uint32_t source_count;
    gn_source_plan *sources;
    uint32_t ops_source;
    gn_shape root;          /* of the delta itself */
    uint32_t root_slot_count;
    uint32_t status_slot;   /* _meta.status */
} gn_program;

/* program.c. Decodes into the arena; the program's bytes must outlive it. */
int gn_program_open(gn_arena *arena, const uint8_t *bytes, size_t size, gn_program *program, uint64_t *position);

/* ---- scan.c, delta.c, key.c: canonical text ---- */

typedef struct gn_span {
    uint32_t at;
    uint32_t size;          /* 0: absent */
} gn_span;

/* The items of one source in one delta. */
typedef struct gn_items {
    gn_span whole;          /* the member's value; size 0: absent */
    bool iterable;
    uint32_t count;
    uint32_t room;
    uint32_t stride;        /* spans an item: value, key, then the slots */
    gn_span *spans;
    bool *matched;
} gn_items;

typedef struct gn_delta {
    const uint8_t *body;
    gn_span *slots;         /* of the delta itself */
    gn_items *items;        /* one a source */
    gn_buffer unnamed;      /* gn_name of each member that holds something and that no rule names */
} gn_delta;

/* Check that text is one canonical compact value. */
int gn_scan_value(gn_arena *arena, const uint8_t *text, size_t size, uint64_t *position);
/* Check a delta and note where the things are that the rules name; everything is allocated in arena. */
int gn_scan_delta(gn_arena *arena, const gn_program *program, const uint8_t *body, size_t size, gn_delta *delta,
                  uint64_t *position);
/* Step over one value of trusted canonical text. */
const uint8_t *gn_skip(const uint8_t *at, const uint8_t *end);
/* Step over one trusted string; `at` is behind its opening quote, the result behind its closing one. */
const uint8_t *gn_skip_string(const uint8_t *at, const uint8_t *end);
int gn_name_compare(gn_name a, gn_name b);
/* Order of two keys as they stand in canonical text, without their quotes: by code point. */
int gn_key_compare(gn_name a, gn_name b);
/* A key with what comparing needs; `limit` is where reading must end. */
gn_key gn_key_of(gn_name text, const uint8_t *limit);
/* gn_key_compare of prepared keys. */
static inline int gn_key_order(const gn_key *a, const gn_key *b)
{
    if (a->escaped || b->escaped) {
        return gn_key_compare(a->text, b->text);
    }
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix ? -1 : 1;
    }
    if (a->text.size <= 8 && b->text.size <= 8) {
        return (int)a->text.size - (int)b->text.size; /* no plain key holds NUL, so zeros behind are no bytes */
    }
    return gn_name_compare(a->text, b->text);
}
/* The same of a plain name and a key as it stands in text. */
int gn_name_key_compare(gn_name name, gn_name key);
static inline bool gn_name_equal(gn_name a, gn_name b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}
/* An integer's text as a number; false when it is no integer. */
bool gn_integer_parse(gn_name text, gn_int128 *value);
uint32_t gn_integer_format(gn_int128 value, uint8_t out[24]);
static inline bool gn_integer_fits(gn_int128 value)
{
    return value >= INT64_MIN && value <= (gn_int128)UINT64_MAX;
}

/* ---- one handle ---- */

typedef struct gn_undo {
    gn_cell *place;
    gn_cell old;
    gn_entity *entity;
} gn_undo;

/* Operations of one unit name the same few entities by the same bytes of the delta. */
#define GN_RECALL 4u

struct gn_fold {
    gn_arena self;          /* the handle, its program */
    gn_arena state;         /* entities */
    gn_arena call;          /* results and undo of one call */
    gn_arena event;         /* one delta's tables and rendered texts */
    gn_lines kept;          /* entities' lines of pretty documents */
    uint8_t seed[16];
    gn_program program;
    uint64_t compacted_size;/* of the state arena, when it was last copied together */
    gn_owned *given_back[GN_OWNED_CLASSES];
    uint32_t run;
    uint32_t unit;          /* counts what may be rolled back by itself */
    uint32_t needs_call;
    gn_entity *recalled[GN_RECALL]; /* what the delta at hand found last, by where its keys lie */
    const uint8_t *recalled_keys[GN_RECALL];
    gn_undo *undo;
    uint32_t undo_count;
    uint32_t undo_room;
    gn_entity **touched;
    uint32_t touched_count;
    uint32_t touched_room;
    gn_int128 *totals;
    gn_int128 *pending;     /* what this run adds to them */
    gn_buffer lines;
    gn_buffer line_text;
    bool changed_valid;     /* the last call was a run that succeeded */
    bool parts_valid;       /* the last call was one that made a document */
    gn_buffer parts;        /* gn_text: the document's bytes, in order */
    uint64_t parts_size;
};

/* ---- state.c: entities, undo ---- */

int gn_state_open(gn_fold *fold);
gn_entity *gn_state_find(gn_fold *fold, uint32_t document, gn_name key);
/* Find or make; NULL when memory ends. */
gn_entity *gn_state_entity(gn_fold *fold, uint32_t document, gn_name key);
/* Room to remember what `events` deltas usually write. */
bool gn_state_expect(gn_fold *fold, uint32_t events);
/* Remember a cell before it is written; false when memory ends. Its old text may be given back: read it before. */
bool gn_state_save(gn_fold *fold, gn_entity *entity, gn_cell *place);
void gn_state_roll_back(gn_fold *fold, uint32_t undo_count);
/* A unit has applied: of what it wrote over, texts that this run wrote itself are needed no more. */
void gn_state_settle(gn_fold *fold, uint32_t undo_count);
/* Room for a text that the state keeps; *is_owned says how. NULL when memory ends. */
uint8_t *gn_state_text(gn_fold *fold, size_t size, uint16_t *is_owned);
/* Copy what lives into a new arena when more than half of the old one is past. Never fails: it may not happen. */
void gn_state_compact(gn_fold *fold);
/* Merge sort of pointers with working room in arena; false when memory ends. */
typedef int (*gn_compare)(const void *a, const void *b);
bool gn_sort(gn_arena *arena, void **items, size_t count, gn_compare compare);

/* ---- listing.c: lines by key ---- */

void gn_listing_open(gn_fold *fold, uint64_t memory_max);
void gn_listing_close(gn_fold *fold);
/* Bring the document's entries up to date: one an entity, by key, the single one apart. False when memory ends. */
bool gn_listing_order(gn_fold *fold, gn_document *document);
/* Bring their lines up to date and add them to the parts, as at the depth of the document's entities. False when
 * memory ends: some lines are then newer than others, and the next call writes the rest. */
bool gn_listing_put(gn_fold *fold, gn_document *document);
/* Add bytes to the parts of the document that is made. */
bool gn_parts_put(gn_fold *fold, const uint8_t *bytes, size_t size);

/* ---- edit.c: places inside canonical text ---- */

typedef struct gn_place {
    uint32_t missing_from;  /* index of the first field that is not there; == count: found */
    bool wrong_type;        /* the path leads through something that is no object */
    uint32_t at, end;       /* the value found, or both where the missing member goes */
    uint32_t member_at;     /* found: where its key starts */
    bool comma_before;      /* a member stands before / behind it in the same object */
    bool comma_behind;
} gn_place;

/* Look for fields[0..count) in text, an object or (bare) the members of one without braces. */
gn_place gn_find(gn_name text, bool bare, const gn_name *fields, uint32_t count);
/* Text with the value put there, parents made; in `arena`. False when memory ends. */
bool gn_splice(gn_arena *arena, gn_name text, const gn_place *place, const gn_name *fields, uint32_t count,
               gn_name value, gn_name *out);
/* Text without that member. */
bool gn_cut(gn_arena *arena, gn_name text, const gn_place *place, gn_name *out);
/* Open an entity's object along its document's slots; the body must be an object's text. */
bool gn_object_open(gn_fold *fold, gn_entity *entity);
/* A value's cell: small integers and whole seconds as numbers, all else as the text itself. */
gn_cell gn_cell_of(gn_name text);
/* A cell's value as text; integers and open objects are written into buffer. */
bool gn_cell_text(const gn_document *document, const gn_cell *cell, gn_buffer *buffer, gn_name *text);
/* The slot of a name, or GN_NONE with *run the run it lies in. */
uint32_t gn_slot_find(const gn_document *document, gn_name name, uint32_t *run);
/* The field of an entity as text, size 0 when absent. Nothing is opened. */
bool gn_entity_field(const gn_document *document, const gn_entity *entity, const gn_name *fields, uint32_t count,
                     gn_buffer *buffer, gn_name *text);

/* ---- compare.c: what `max` and `min` hold against each other ---- */

/* "2026-03-28T03:00:00Z" with its quotes as an integer of the same order; false when the text is none. */
bool gn_second_pack(gn_name text, int64_t *packed);
#define GN_SECOND_SIZE 22u
void gn_second_format(int64_t packed, uint8_t out[GN_SECOND_SIZE]);
/* Does value win over what stands there (size 0: nothing), as a maximum or a minimum? By rank, then by value; of
 * equal ones the greater canonical bytes. False: one of them has the wrong type. */
bool gn_extreme(gn_name value, gn_name current, bool is_max, bool *wins);

/* ---- apply.c: one operation ---- */

typedef struct gn_path {
    uint32_t document;
    gn_name key;            /* empty for a record */
    bool is_at;             /* `@` written out, in a document with a root */
    uint32_t field_count;
    const gn_name *fields;
    uint32_t slot;          /* of fields[0] where known, else GN_NONE */
} gn_path;

/* GN_OK with *reason GN_NO_REASON when it applied. value.size 0: none. */
int gn_apply(gn_fold *fold, const gn_path *path, uint32_t code, gn_name value, bool own, uint32_t *reason);
/* inc, max and min of a slot of an entity that is there: *done when it applied; else gn_apply says what became of it.
 * value.size 0: the operation's own step. */
int gn_apply_plain(gn_fold *fold, const gn_operation *operation, gn_entity *entity, gn_name value, bool *done);
/* Set a place of a record or `@`, whoever owns it. */
int gn_write(gn_fold *fold, const gn_path *path, gn_name value, uint32_t *reason);
/* `into`: the body of an entity that is absent. */
int gn_insert(gn_fold *fold, gn_entity *entity, gn_name body);

/* ---- unit.c: the units of one delta ---- */

int gn_unit_run(gn_fold *fold, const gn_event *event, uint32_t event_index, const uint8_t *text,
                gn_receipt *receipt, uint64_t *position);
/* Call `need` for each entity that the delta may touch. */
typedef int (*gn_need)(gn_fold *fold, void *context, uint32_t document, gn_name key);
int gn_unit_needs(gn_fold *fold, const gn_event *event, const uint8_t *text, gn_need need, void *context,
                  uint64_t *position);

/* ---- derive.c ---- */

/* Add sign * what the entity contributes to values. False when memory ends. */
bool gn_derive_count(gn_fold *fold, const gn_entity *entity, int sign, gn_int128 *values);
/* Write the derived fields from the totals; at the end of a run. */
int gn_derive_write(gn_fold *fold);
/* Is the place a derived field, or below one? */
bool gn_derive_owns(const gn_document *document, const gn_name *fields, uint32_t count);

/* ---- sequence.c ---- */

/* The events' indexes in the order of the fold, in the call's arena. */
int gn_sequence(gn_fold *fold, const uint8_t *text, const gn_event *events, uint32_t count, uint32_t **order,
                uint64_t *event_at, uint64_t *position);

#endif
