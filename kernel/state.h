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

#include "rules.h"
#include "second.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* ---- cells ---- */

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

/* memcmp for the short: words from the front, the last of them from the end. */
static inline bool gn_same_bytes(const uint8_t *a, const uint8_t *b, uint32_t size)
{
    uint64_t left, right;
#if defined(__SSE2__)
    if (size - 16 <= 16) {
        const __m128i front = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)a),
                                             _mm_loadu_si128((const __m128i *)(const void *)b));
        const __m128i back = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)(a + size - 16)),
                                            _mm_loadu_si128((const __m128i *)(const void *)(b + size - 16)));
        return _mm_movemask_epi8(_mm_and_si128(front, back)) == 0xFFFF;
    }
#endif
    if (size < 8 || size > 64) {
        return size == 0 || memcmp(a, b, size) == 0;
    }
    for (uint32_t at = 0; at < size - 8; at += 8) {
        memcpy(&left, a + at, 8);
        memcpy(&right, b + at, 8);
        if (left != right) {
            return false;
        }
    }
    memcpy(&left, a + size - 8, 8);
    memcpy(&right, b + size - 8, 8);
    return left == right;
}
/* Which of 32 bytes are equal, a bit each; those of the upper half only if `mask` has any. */
static inline uint32_t gn_equal_bytes(const uint8_t *a, const uint8_t *b, uint32_t mask)
{
#if defined(__SSE2__)
    const __m128i *left = (const __m128i *)(const void *)a, *right = (const __m128i *)(const void *)b;
    const __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(left), _mm_loadu_si128(right));
    uint32_t equal = (uint32_t)_mm_movemask_epi8(low);
    if (mask > 0xFFFF) {
        const __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(left + 1), _mm_loadu_si128(right + 1));
        equal |= (uint32_t)_mm_movemask_epi8(high) << 16;
    }
    return equal;
#else
    uint32_t equal = 0;
    for (uint32_t i = 0; i < 32; i++) {
        equal |= (uint32_t)(a[i] == b[i]) << i;
    }
    (void)mask;
    return equal;
#endif
}
static inline bool gn_entity_has_key(const gn_entity *entity, gn_name key)
{
    return entity->key_size == key.size && gn_same_bytes(entity->key, key.bytes, key.size);
}
static inline gn_name gn_entity_key(const gn_entity *entity)
{
    return (gn_name){entity->key, entity->key_size};
}

/* ---- scan.c, delta.c, key.c: canonical text ---- */

typedef struct gn_span {
    uint32_t at : 31;
    uint32_t is_plain : 1;  /* a string, ASCII, without escapes */
    uint32_t size;          /* 0: absent */
} gn_span;

/* The items of one source in one delta. */
typedef struct gn_items {
    gn_span whole;          /* the member's value; size 0: absent */
    bool iterable;
    uint32_t count;
    uint32_t room;
    uint32_t stride;        /* spans an item: value, key, the slots, and one for what nobody names */
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
/* Check a delta and note where the things are that the rules name; everything is allocated in arena. The program
 * learns which keys to expect. */
int gn_scan_delta(gn_arena *arena, gn_program *program, const uint8_t *body, size_t size, gn_delta *delta,
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

/* Keys hashed by multiplication, for the first words of a key; see state.c. */
#define GN_HASH_WORDS 8u
typedef struct gn_hash_keys {
    uint64_t sip[2];
    gn_uint128 words[GN_HASH_WORDS];
    gn_uint128 sizes[8 * GN_HASH_WORDS + 1];    /* of the key, in bytes */
} gn_hash_keys;

/* A key on its way to its entity: named and hashed well before it is asked for, so that what lies behind it in
 * memory is on its way too. */
typedef struct gn_lookup {
    gn_name key;            /* bytes NULL: a field of it is missing, or it names no entity */
    uint64_t hash;
    gn_entity *entity;      /* with that hash, perhaps of another key; NULL: none was there when it was asked for */
    const gn_document *document;
    bool is_at;             /* the key would have been `@` */
} gn_lookup;

struct gn_fold {
    gn_arena self;          /* the handle, its program */
    gn_arena state;         /* entities */
    gn_arena call;          /* results and undo of one call */
    gn_arena event;         /* one delta's tables and rendered texts */
    gn_lines kept;          /* entities' lines of pretty documents */
    gn_hash_keys hash_keys;
    gn_program program;
    uint64_t compacted_size;/* of what lives in the state arena, when that was last added up */
    gn_owned *given_back[GN_OWNED_CLASSES];
    gn_near_day near_day;
    uint32_t run;
    uint32_t unit;          /* counts what may be rolled back by itself */
    uint32_t needs_call;
    gn_undo *undo;
    uint32_t undo_count;
    uint32_t undo_room;
    gn_entity **touched;
    uint32_t touched_count;
    uint32_t touched_room;
    bool saved_owned;       /* some undo entry since the last unit may hold a text of this run */
    gn_int128 *totals;
    gn_int128 *pending;     /* what this run adds to them */
    gn_buffer lines;
    gn_buffer line_text;
    bool changed_valid;     /* the last call was a run that succeeded */
    bool parts_valid;       /* the last call was one that made a document */
    gn_buffer parts;        /* gn_text: the document's bytes, in order */
    uint64_t parts_size;
};

/* ---- hash.c ---- */

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

/* ---- state.c: entities ---- */

int gn_state_open(gn_fold *fold);
/* The entity of a key and its hash; NULL: not there. */
gn_entity *gn_state_look(const gn_document *document, gn_name key, uint64_t hash);
/* The same, made when it is not there; NULL when memory ends. */
gn_entity *gn_state_make(gn_fold *fold, uint32_t document, gn_name key, uint64_t hash);
/* Ask for the memory in which a key will be looked up, and then for what was found there. */
static inline void gn_state_prefetch(const gn_document *document, uint64_t hash)
{
    if (document->bucket_count > 0) {
        __builtin_prefetch(&document->table[(uint32_t)hash & (document->bucket_count - 1)]);
    }
}
/* The slot of a bucket that has the hash, added up without a branch, since nobody can foretell it; any if none has. */
static inline uint32_t gn_bucket_slot(const gn_bucket *bucket, uint64_t hash)
{
    uint32_t slot = 0;
    for (uint32_t i = 1; i < GN_BUCKET_SLOTS; i++) {
        slot |= i * (bucket->hashes[i] == hash);
    }
    return slot;
}
/* The entity that has the hash, unless it is another of the same hash; NULL: none has, or two in one bucket do. */
static inline gn_entity *gn_state_prefetch_entity(const gn_document *document, uint64_t hash)
{
    if (document->bucket_count == 0) {
        return NULL;
    }
    for (uint32_t at = (uint32_t)hash;; at++) {
        const gn_bucket *bucket = &document->table[at & (document->bucket_count - 1)];
        const uint32_t slot = gn_bucket_slot(bucket, hash);
        gn_entity *entity = bucket->entities[slot];
        if (bucket->hashes[slot] == hash && entity != NULL) {
            __builtin_prefetch(entity, 1);
            if (document->slots.count > 0) {
                __builtin_prefetch((const uint8_t *)entity + GN_LINE_SIZE, 1);
            }
            return entity;
        }
        if (bucket->entities[GN_BUCKET_SLOTS - 1] == NULL) {
            return NULL;
        }
    }
}
gn_entity *gn_state_find(gn_fold *fold, uint32_t document, gn_name key);
/* Find or make; NULL when memory ends. */
gn_entity *gn_state_entity(gn_fold *fold, uint32_t document, gn_name key);
/* An entity without a body that no document knows yet; NULL when memory ends. */
gn_entity *gn_state_new(gn_fold *fold, const gn_document *document, uint32_t index, gn_name key);
/* Enter it, whose key the document does not have. False when memory ends. */
bool gn_state_add(gn_fold *fold, gn_document *document, gn_entity *entity, uint64_t hash);
/* Bytes of one with such a key, its object among them. */
size_t gn_entity_size(const gn_document *document, uint32_t key_size);
/* The cells behind an entity's key, in a document that has slots. */
gn_object *gn_entity_object(gn_entity *entity);
/* Merge sort of pointers with working room in arena; false when memory ends. */
typedef int (*gn_compare)(const void *a, const void *b);
bool gn_sort(gn_arena *arena, void **items, size_t count, gn_compare compare);

/* ---- listing.c, listing_order.c: lines by key ---- */

void gn_listing_open(gn_fold *fold, uint64_t memory_max);
void gn_listing_close(gn_fold *fold);
/* Bring the document's entries up to date: one an entity, by key, the single one apart. False when memory ends. */
bool gn_listing_order(gn_fold *fold, gn_document *document);
/* Bring their lines up to date and add them to the parts, as at the depth of the document's entities. False when
 * memory ends: some lines are then newer than others, and the next call writes the rest. */
bool gn_listing_put(gn_fold *fold, gn_document *document);
/* Add bytes to the parts of the document that is made. */
bool gn_parts_put(gn_fold *fold, const uint8_t *bytes, size_t size);

/* ---- undo.c ---- */

/* Room to remember what `events` deltas usually write. */
bool gn_state_expect(gn_fold *fold, uint32_t events);
/* The first touch in a run takes the entity's share out of the running totals; the end of the run adds the new. False
 * when memory ends. */
bool gn_state_touch(gn_fold *fold, gn_entity *entity);
bool gn_state_save_slow(gn_fold *fold, gn_entity *entity, gn_cell *place);
/* Remember a cell before it is written; false when memory ends. Its old text may be given back: read it before. */
static inline bool gn_state_save(gn_fold *fold, gn_entity *entity, gn_cell *place)
{
    if (entity->run != fold->run || place->is_owned || fold->undo_count == fold->undo_room) {
        return gn_state_save_slow(fold, entity, place);
    }
    fold->undo[fold->undo_count++] = (gn_undo){.place = place, .old = *place, .entity = entity};
    entity->touches++;
    return true;
}
/* Remember a cell that holds a number and write another. */
static inline bool gn_state_put_number(gn_fold *fold, gn_entity *entity, gn_cell *place, int64_t number)
{
    if (entity->run != fold->run && !gn_state_touch(fold, entity)) {
        return false;
    }
    if (fold->undo_count < fold->undo_room) {
        fold->undo[fold->undo_count++] = (gn_undo){.place = place, .old = *place, .entity = entity};
        entity->touches++;
    } else if (!gn_state_save_slow(fold, entity, place)) {
        return false;
    }
    place->as.integer = number;
    return true;
}
void gn_state_roll_back(gn_fold *fold, uint32_t undo_count);
/* A unit has applied: of what it wrote over, texts that this run wrote itself are needed no more. */
void gn_state_settle_owned(gn_fold *fold, uint32_t undo_count);
static inline void gn_state_settle(gn_fold *fold, uint32_t undo_count)
{
    if (fold->saved_owned) {
        gn_state_settle_owned(fold, undo_count);
        fold->saved_owned = false;
    }
}
/* Room for a text that the state keeps; *is_owned says how. NULL when memory ends. */
uint8_t *gn_state_text(gn_fold *fold, size_t size, uint16_t *is_owned);

/* ---- pack.c: whole bodies ---- */

#define GN_PACKED_KEYS_MAX 31u      /* of a document, the comma among them: bytes that no text holds, but 0 */
#define GN_PACKED_KEY_SIZE_MAX 32u  /* with its comma, quotes and colon */
/* A cell with a body of its own memory, packed where the document's are; false when memory ends. */
bool gn_pack_body(gn_fold *fold, gn_document *document, gn_name body, gn_cell *cell);
/* A packed body's text again. */
bool gn_unpack(const gn_document *document, const gn_cell *cell, gn_buffer *out);

/* ---- compact.c ---- */

/* Copy what lives into a new arena when more than half of the old one is past. Never fails: it may not happen. */
void gn_state_compact(gn_fold *fold);

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
/* Is the cell an object, open or not? */
static inline bool gn_cell_is_object(const gn_cell *cell)
{
    return cell->kind == GN_OPEN || cell->kind == GN_PACKED || (cell->kind == GN_TEXT && cell->as.text[0] == '{');
}
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
/* Set a place of a record or `@`, whoever owns it. */
int gn_write(gn_fold *fold, const gn_path *path, gn_name value, uint32_t *reason);
/* `into`: the body of an entity that is absent. */
int gn_insert(gn_fold *fold, gn_entity *entity, gn_name body);

/* ---- items.c: the units of deltas ---- */

#define GN_BATCH_EVENTS 16u
#define GN_BATCH_BYTES 65536u
/* Fold the first of `count` events in their order, *taken of them at once. On failure *failed is the event. */
int gn_deltas_run(gn_fold *fold, const uint8_t *text, const gn_event *events, const uint32_t *order, uint32_t count,
                  gn_receipt *receipts, uint32_t *taken, uint32_t *failed, uint64_t *position);
/* Call `need` for each entity that the delta may touch. */
typedef int (*gn_need)(gn_fold *fold, void *context, uint32_t document, gn_name key);
int gn_delta_needs(gn_fold *fold, const gn_event *event, const uint8_t *text, gn_need need, void *context,
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
