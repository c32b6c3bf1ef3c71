/* What the fold's files share: a handle with its program and entities, and one call's working set. */
#ifndef GN_STATE_H
#define GN_STATE_H

#include "canonical.h"
#include "entity.h"
#include "hash.h"
#include "second.h"

/* ---- one handle ---- */

typedef struct gn_undo {
    gn_cell *place;
    gn_cell old;
    gn_entity *entity;
} gn_undo;

/* A key on its way to its entity: named and hashed well before it is asked for, so that what lies behind it in
 * memory is on its way too. */
typedef struct gn_lookup {
    gn_name key;            /* bytes NULL: a field of it is missing, or it names no entity */
    gn_entity *entity;      /* that seems to have its hash; NULL: none did when it was asked for */
    const gn_document *document;
    uint32_t hash;
    bool is_at;             /* the key would have been `@` */
} gn_lookup;

struct gn_fold {
    gn_arena self;          /* the handle, its program */
    gn_arena state;         /* entities, but for those in `slotted` */
    gn_arena slotted;       /* those with slots, without their texts: a frame changes any of them, on as few pages */
    gn_arena call;          /* results and undo of one call */
    gn_arena event;         /* tables and rendered texts of a batch of deltas */
    gn_arena listings;      /* tables of the lines of pretty documents */
    gn_hash_keys hash_keys;
    gn_program program;
    gn_delta_reader *scan_delta;    /* the widest that the machine has */
    uint64_t compacted_size;/* of what lives in those two, when that was last added up, and was loaded since */
    gn_owned *given_back[GN_OWNED_CLASSES];
    gn_near_day near_day;
    uint32_t opening;       /* as many of the next deltas may meet bodies that are not open: some were lately */
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

/* ---- state.c: entities ---- */

/* Bytes of the arenas that hold them. */
static inline uint64_t gn_state_size(const gn_fold *fold)
{
    return fold->state.size + fold->slotted.size;
}

/* The entity of that index, of those that are not the single one. */
static inline gn_entity *gn_document_entity(const gn_document *document, uint32_t index)
{
    assert(index < document->entity_count);
    return document->pages[index / GN_PAGE_ENTITIES][index % GN_PAGE_ENTITIES];
}

int gn_state_open(gn_fold *fold);
/* The entity of a key and its hash; NULL: not there. */
gn_entity *gn_state_look(const gn_document *document, gn_name key, uint32_t hash);
/* The same, made when it is not there; NULL when memory ends. */
gn_entity *gn_state_make(gn_fold *fold, uint32_t document, gn_name key, uint32_t hash);
/* The slots of a bucket that hold a hash, a bit each; of 0: those that are free. */
static inline uint32_t gn_bucket_slots(const gn_bucket *bucket, uint32_t hash)
{
#if defined(__SSE2__)
    _Static_assert(GN_BUCKET_SLOTS <= 8, "no more hashes than two vectors hold");
    const __m128i *hashes = (const __m128i *)(const void *)bucket->hashes, wanted = _mm_set1_epi32((int)hash);
    const __m128i same = _mm_packs_epi32(_mm_cmpeq_epi32(hashes[0], wanted), _mm_cmpeq_epi32(hashes[1], wanted));
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(same, same)) & ((1u << GN_BUCKET_SLOTS) - 1);
#else
    uint32_t slots = 0;
    for (uint32_t i = 0; i < GN_BUCKET_SLOTS; i++) {
        slots |= (uint32_t)(bucket->hashes[i] == hash) << i;
    }
    return slots;
#endif
}
/* May what did not find room in the bucket lie behind it? */
static inline bool gn_bucket_is_full(const gn_bucket *bucket)
{
    return bucket->hashes[GN_BUCKET_SLOTS - 1] != 0;
}
/* Ask for the memory in which a key will be looked up, and then for what was found there. */
static GN_INLINE void gn_state_prefetch(const gn_document *document, uint32_t hash)
{
    __builtin_prefetch(&document->table[hash & document->bucket_mask]);
}
/* The entity that seems to have the hash: it may be another's. NULL: none has. */
static inline gn_entity *gn_state_prefetch_entity(const gn_document *document, uint32_t hash)
{
    for (uint32_t at = hash;; at++) {
        const gn_bucket *bucket = &document->table[at & document->bucket_mask];
        const uint32_t slots = gn_bucket_slots(bucket, hash);
        if (slots != 0) {
            gn_entity *entity = bucket->entities[__builtin_ctz(slots)];
            __builtin_prefetch(entity, 1);
            __builtin_prefetch((const void *)((uintptr_t)entity + GN_LINE_SIZE), 1);
            return entity;
        }
        if (!gn_bucket_is_full(bucket)) {
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
bool gn_state_add(gn_fold *fold, gn_document *document, gn_entity *entity, uint32_t hash);
/* An empty table for a document that has none; false when memory ends. */
bool gn_state_open_table(gn_fold *fold, gn_document *document);
/* Bytes of one with such a key, its object among them. */
size_t gn_entity_size(const gn_document *document, uint32_t key_size);
/* The cells behind an entity's key, in a document that has slots. */
gn_object *gn_entity_object(gn_entity *entity);
/* Merge sort of pointers with working room in arena; false when memory ends. */
typedef int (*gn_compare)(const void *a, const void *b);
bool gn_sort(gn_arena *arena, void **items, size_t count, gn_compare compare);

/* ---- listing_order.c, listing_texts.c, listing.c: lines by key ---- */

/* Bring the document's entries up to date: one an entity, by key, the single one apart. False when memory ends. */
bool gn_listing_order(gn_fold *fold, gn_document *document);
/* Tables and texts of all documents, once the program is open. To be closed also where the program was refused. */
void gn_listing_open(gn_fold *fold, uint64_t memory_max);
void gn_listing_close(gn_fold *fold);
/* Keep a line, where the one before was if it has room. False when memory ends: then that one is still there. */
bool gn_listing_keep(gn_listing *listing, gn_entry *entry, const uint8_t *line, uint32_t size);
void gn_listing_drop(gn_listing *listing, gn_entry *entry);
/* Drop every line: all are to be written again. */
void gn_listing_drop_all(gn_listing *listing);
/* Copy what lines there are together, by key. False, and nothing has changed, when memory ends. */
bool gn_listing_gather(gn_listing *listing);
/* Bring their lines up to date, as at the depth of the document's entities. False when memory ends: some lines are then
 * newer than others, and the next call writes the rest. */
bool gn_listing_freshen(gn_fold *fold, gn_document *document);
/* Add the lines to the parts. False when memory ends. */
bool gn_listing_put(gn_fold *fold, gn_listing *listing);
/* Add bytes to the parts of the document that is made. */
bool gn_parts_put(gn_fold *fold, const uint8_t *bytes, size_t size);

/* ---- undo.c ---- */

/* Room to remember what `events` deltas usually write. */
bool gn_state_expect(gn_fold *fold, uint32_t events);
bool gn_state_reserve_slow(gn_fold *fold, uint32_t count);
/* Room to remember `count` cells more. */
static inline bool gn_state_reserve(gn_fold *fold, uint32_t count)
{
    return count <= fold->undo_room - fold->undo_count || gn_state_reserve_slow(fold, count);
}
/* The first touch in a run takes the entity's share out of the running totals; the end of the run adds the new. False
 * when memory ends. */
bool gn_state_touch_first(gn_fold *fold, gn_entity *entity);
/* Touch an entity, for the first time or again: which of them no machine foretells, so where nothing but the list of those
 * touched needs to know, it is written either way. */
static inline bool gn_state_touch(gn_fold *fold, gn_entity *entity)
{
    const gn_document *document = &fold->program.documents[entity->document];
    const bool is_first = entity->run != fold->run;
    if (document->term_count > 0 || document->listing.count > 0 || fold->touched_count == fold->touched_room) {
        return !is_first || gn_state_touch_first(fold, entity);
    }
    fold->touched[fold->touched_count] = entity;
    fold->touched_count += is_first;
    entity->touches &= (uint32_t)is_first - 1;
    entity->run = fold->run;
    return true;
}
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
/* `into`: the body of an entity that is absent. */
int gn_insert(gn_fold *fold, gn_entity *entity, gn_name body);
/* A packed body's text again. */
bool gn_unpack(const gn_document *document, const gn_cell *cell, gn_buffer *out);

/* ---- compact.c ---- */

/* Bytes of the state's arena that a copy of it would have. */
uint64_t gn_entity_live_size(const gn_document *document, const gn_entity *entity);
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
/* Is the cell an object, open or not? */
static inline bool gn_cell_is_object(const gn_cell *cell)
{
    return cell->kind == GN_OPEN || cell->kind == GN_PACKED || (cell->kind == GN_TEXT && cell->as.text[0] == '{');
}
/* A cell's value as text; integers and open objects are written into buffer. */
bool gn_cell_text(const gn_document *document, const gn_cell *cell, gn_buffer *buffer, gn_name *text);
/* The slot of a name, or GN_NONE with *run the run it lies in. */
uint32_t gn_slot_find(const gn_document *document, gn_name name, uint32_t *run);
/* The field of an entity as text, size 0 when absent. Nothing is opened. */
bool gn_entity_field(const gn_document *document, const gn_entity *entity, const gn_name *fields, uint32_t count,
                     gn_buffer *buffer, gn_name *text);

/* ---- open.c ---- */

/* Open an entity's object along its document's slots; the body must be an object's text. */
bool gn_object_open(gn_fold *fold, gn_entity *entity);
/* A value's cell: small integers and whole seconds as numbers, all else as the text itself. */
gn_cell gn_cell_of(gn_name text);

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

/* ---- batch.c, items.c: deltas, unit by unit ---- */

#define GN_BATCH_EVENTS 6u
#define GN_BATCH_BYTES 65536u
/* Fold the first of `count` events in their order, *taken of them at once. On failure *failed is the event. */
int gn_deltas_run(gn_fold *fold, const uint8_t *text, const gn_event *events, uint32_t *order, uint32_t count,
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

/* ---- sequence.c, ties.c ---- */

#define GN_TIED ((uint32_t)1 << 31)     /* with an event's index: its time and stream are those of the one before it */

/* The events' indexes by time and stream, those that are tied marked; in the call's arena. False when memory ends. */
bool gn_sequence(gn_fold *fold, const uint8_t *text, const gn_event *events, uint32_t count, uint32_t **order);
/* Put in order what is tied among the first events that gn_deltas_run takes, in the event's arena; none of those is
 * marked any more. On failure *failed is the event. */
int gn_sequence_settle(gn_fold *fold, const uint8_t *text, const gn_event *events, uint32_t *order, uint32_t count,
                       uint32_t *failed, uint64_t *position);

#endif
