/* The rules' program as structs: documents, shapes of deltas, rules and their operations. program.c decodes it.
 *
 * What a document holds hangs on its struct as well: the program of a handle is the handle's own. */
#ifndef GN_RULES_H
#define GN_RULES_H

#include "kernel.h"
#include "listing.h"

#define GN_NAME_SEGMENTS_MAX 64u   /* of a dotted name or a path in the rules */
#define GN_NONE UINT32_MAX
#define GN_DOCUMENTS_MAX 0xFFFFu

__extension__ typedef __int128 gn_int128;
__extension__ typedef unsigned __int128 gn_uint128;

typedef struct gn_name {
    const uint8_t *bytes;
    uint32_t size;
} gn_name;

typedef struct gn_entity gn_entity;

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
/* A key with its quotes and its colon as it stands in text, the quote of a string's value, and a byte more. */
#define GN_EXPECTED_SIZE 32u
#define GN_EXPECTED_MAX 24u
#define GN_SIZES_VARY 3u        /* no single bit, and not none */
typedef struct gn_expected {
    uint8_t text[GN_EXPECTED_SIZE]; /* zeros behind */
    const gn_want *want;    /* NULL: no rule names it */
    uint32_t key_mask;      /* a bit for each byte of the key and its colon; 0: too long to be expected */
    uint32_t string_mask;   /* the same with the quote behind them */
    uint32_t size;          /* of the key and its colon */
    uint32_t slot;          /* as in want; the one behind all others for what nobody names */
    bool is_plain;          /* its place is all that is wanted of it, if that */
    uint8_t usual_size;     /* of its value: a string's text, a number's digits */
    uint8_t missed_in;      /* the delta, by the end of its number, in which that was wrong last */
    uint8_t misses;         /* in how many deltas close to each other it was */
    uint32_t usual_end;     /* the bit of that number, or GN_SIZES_VARY */
} gn_expected;
struct gn_shape {
    uint32_t count;
    uint32_t room;
    gn_want *wants;
    uint32_t slot_count;    /* of the object around it all, once the program is decoded */
    uint32_t expected_count; /* keys that objects of this shape had lately, sorted; see delta.c */
    gn_expected *expected;  /* behind the last of them one that no text is like */
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
    gn_name literal;
    gn_reference reference;
} gn_operation;
/* How many entities steps have numbers for: of one rule those that it looks up, of the program the single ones. */
#define GN_RULE_ENTITIES 8u
#define GN_PROGRAM_SINGLES 8u
/* The numbers: none, the program's, then the rule's. */
#define GN_STEP_SINGLES 1u
#define GN_STEP_ENTITIES (GN_STEP_SINGLES + GN_PROGRAM_SINGLES)
#define GN_STEP_NUMBERS (GN_STEP_ENTITIES + GN_RULE_ENTITIES)
/* An operation as unit.c does it by the short way: inc, max or min of a slot. */
#define GN_STEP_OTHER GN_NONE           /* value_slot: neither a field nor the event's time */
#define GN_STEP_TIME (GN_NONE - 1)
enum gn_step_code { GN_STEP_INC = 0, GN_STEP_MAX, GN_STEP_MIN };
typedef struct gn_step {
    uint8_t code;
    uint32_t entity;        /* its number; 0: there is no short way */
    uint32_t cell_at;       /* where the slot's cell lies in the entity's object, in bytes */
    uint32_t value_slot;    /* of max and min: of their reference's first alternative, or what that is instead */
    int64_t by;             /* of inc */
    const gn_operation *operation;
} gn_step;
typedef struct gn_rule_entity {
    const struct gn_document *document;
    const gn_reference *reference;  /* that alone gives its key; NULL: the rule's keys do */
    uint32_t slot;                  /* of the reference's first alternative; GN_NONE: that is no field */
} gn_rule_entity;
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
    gn_step *steps;         /* one an operation */
    uint32_t entity_count;  /* entities that its operations name by one reference */
    uint32_t lookup_count;  /* those, and `into` behind them */
    gn_rule_entity entities[GN_RULE_ENTITIES + 1];
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
/* A line of the caches: hashes and the entities that have them, filled from the front. A table grows, and nearly all keys
 * that are not there are told, without a look at the entities themselves. */
#define GN_BUCKET_SLOTS 5u
typedef struct gn_bucket {
    _Alignas(GN_LINE_SIZE) uint32_t hashes[GN_BUCKET_SLOTS];    /* 0: free */
    uint32_t pad;
    gn_entity *entities[GN_BUCKET_SLOTS];
} gn_bucket;

/* pack.c: the keys that a document's packed bodies hold as one byte. */
typedef struct gn_packed_keys gn_packed_keys;

/* How many entities a page of a document's list has room for. */
#define GN_PAGE_ENTITIES 256u

typedef struct gn_document {
    gn_name name;
    gn_name root;
    bool has_root;
    bool is_record;
    bool create_always;
    uint32_t field_count;
    gn_field *fields;
    gn_names slots;
    uint64_t *slot_prefixes;    /* the first 8 bytes of their names, as in a gn_key */
    uint32_t *slot_rules;   /* the field rule of each slot */
    gn_name *slot_texts;    /* "name": as JSON, with the colon */
    uint32_t derive_count;
    gn_derive *derives;
    uint32_t term_count;
    uint32_t *terms;        /* that look at this document */
    gn_entity *single;      /* the record, or the members beside the root */
    gn_bucket *table;       /* of all others: a key is in its bucket, or behind it if that is full */
    uint32_t bucket_mask;   /* one less than there are buckets, a power of two */
    uint32_t bucket_room;   /* buckets that the table's memory has room for */
    gn_entity ***pages;     /* the same in the order they came, GN_PAGE_ENTITIES on a page */
    uint32_t page_count;
    uint32_t page_room;
    uint32_t entity_count;
    uint32_t entity_limit;  /* as many as there may be before the table or the list grows */
    gn_packed_keys *packed_keys;    /* NULL: none yet */
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
    uint32_t single_count;  /* documents of whose single entity steps write slots */
    const gn_document *singles[GN_PROGRAM_SINGLES];
    bool has_left_out;      /* some source may have items that every `when` leaves out */
    uint8_t delta_number;   /* counts deltas that were read */
} gn_program;

/* program.c. Decodes into the arena; the program's bytes must outlive it. */
int gn_program_open(gn_arena *arena, const uint8_t *bytes, size_t size, gn_program *program, uint64_t *position);

#endif
