/* Entities: finding them by keyed hash, remembering cells before they are written, keeping memory bounded.
 *
 * Nothing is ever visited in the order of the table, so documents do not depend on the seed. An undo entry
 * is written before each write; a unit, an operation or a whole call that fails is rolled back through it. */
#include "state.h"

#define TABLE_SIZE_FIRST 256u
#define UNDO_ROOM_FIRST (1u << 15)
#define COMPACT_SLACK ((uint64_t)16 << 20)

struct gn_slot {
    uint32_t tag;           /* upper half of the hash */
    uint32_t pad;
    gn_entity *entity;      /* NULL: free */
};

/* ---- SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), for chosen keys ---- */

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

/* The up to 7 bytes behind the last whole word. */
static inline uint64_t load_tail(const uint8_t *bytes, uint32_t size)
{
    uint64_t word = 0;
    switch (size) {
    case 7: word |= (uint64_t)bytes[6] << 48; /* fall through */
    case 6: word |= (uint64_t)bytes[5] << 40; /* fall through */
    case 5: word |= (uint64_t)bytes[4] << 32; /* fall through */
    case 4: word |= (uint64_t)bytes[3] << 24; /* fall through */
    case 3: word |= (uint64_t)bytes[2] << 16; /* fall through */
    case 2: word |= (uint64_t)bytes[1] << 8;  /* fall through */
    case 1: word |= bytes[0];                 /* fall through */
    default: return word;
    }
}

#define SIP_ROUND(a, b, c, d)                                                                                         \
    do {                                                                                                              \
        a += b; b = rotate(b, 13); b ^= a; a = rotate(a, 32);                                                         \
        c += d; d = rotate(d, 16); d ^= c;                                                                            \
        a += d; d = rotate(d, 21); d ^= a;                                                                            \
        c += b; b = rotate(b, 17); b ^= c; c = rotate(c, 32);                                                         \
    } while (0)

static uint64_t hash_key(const uint8_t seed[16], uint32_t document, gn_name key)
{
    const uint64_t k0 = load64(seed) ^ document, k1 = load64(seed + 8);
    uint64_t a = k0 ^ 0x736f6d6570736575u, b = k1 ^ 0x646f72616e646f6du;
    uint64_t c = k0 ^ 0x6c7967656e657261u, d = k1 ^ 0x7465646279746573u;
    uint32_t at = 0;
    for (; key.size - at >= 8; at += 8) {
        uint64_t word = load64(key.bytes + at);
        d ^= word;
        SIP_ROUND(a, b, c, d);
        a ^= word;
    }
    uint64_t last = (uint64_t)key.size << 56 | load_tail(key.bytes + at, key.size - at);
    d ^= last;
    SIP_ROUND(a, b, c, d);
    a ^= last;
    c ^= 0xff;
    SIP_ROUND(a, b, c, d);
    SIP_ROUND(a, b, c, d);
    SIP_ROUND(a, b, c, d);
    return a ^ b ^ c ^ d;
}

/* ---- the table ---- */

static bool is_key(const gn_entity *entity, gn_name key)
{
    return entity->key_size == key.size && (key.size == 0 || memcmp(entity->key, key.bytes, key.size) == 0);
}

/* The slot that holds the key, or the free one where it would go. */
static struct gn_slot *find_slot(const gn_document *document, uint64_t hash, gn_name key)
{
    const uint32_t mask = document->table_size - 1;
    assert(document->entity_count < document->table_size);
    for (uint32_t at = (uint32_t)hash & mask;; at = (at + 1) & mask) {
        struct gn_slot *slot = &document->table[at];
        if (slot->entity == NULL || (slot->tag == hash >> 32 && is_key(slot->entity, key))) {
            return slot;
        }
    }
}

static struct gn_slot *open_table(gn_arena *arena, uint32_t size)
{
    struct gn_slot *table = gn_alloc_array(arena, size, sizeof *table);
    if (table != NULL) {
        memset(table, 0, size * sizeof *table);
    }
    return table;
}

static gn_name key_of(const gn_entity *entity)
{
    return (gn_name){entity->key, entity->key_size};
}

static uint64_t hash_of(const gn_fold *fold, uint32_t document, gn_name key)
{
    return hash_key(fold->seed, document, key);
}

/* A table of twice the size, filled from the document's list. */
static bool grow_table(gn_fold *fold, gn_document *document)
{
    gn_document bigger = *document;
    bigger.table_size = document->table_size == 0 ? TABLE_SIZE_FIRST : document->table_size * 2;
    bigger.table = bigger.table_size == 0 ? NULL : open_table(&fold->state, bigger.table_size);
    if (bigger.table == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < document->entity_count; i++) {
        gn_entity *entity = document->entities[i];
        uint64_t hash = hash_of(fold, entity->document, key_of(entity));
        *find_slot(&bigger, hash, key_of(entity)) = (struct gn_slot){.tag = (uint32_t)(hash >> 32), .entity = entity};
    }
    document->table = bigger.table;
    document->table_size = bigger.table_size;
    return true;
}

gn_entity *gn_state_find(gn_fold *fold, uint32_t index, gn_name key)
{
    const gn_document *document = &fold->program.documents[index];
    const uint32_t place = ((uint32_t)(uintptr_t)key.bytes ^ index) % GN_RECALL;
    gn_entity *recalled = fold->recalled[place];
    if (recalled != NULL && fold->recalled_keys[place] == key.bytes && recalled->document == index &&
        recalled->key_size == key.size) {
        return recalled;
    }
    if (document->table_size == 0) {
        return NULL;
    }
    gn_entity *entity = find_slot(document, hash_of(fold, index, key), key)->entity;
    fold->recalled[place] = entity;
    fold->recalled_keys[place] = key.bytes;
    return entity;
}

/* Room for one more in the document's list. */
static bool reserve_entity(gn_fold *fold, gn_document *document)
{
    if (document->entity_count < document->entity_room) {
        return true;
    }
    uint32_t room = document->entity_room == 0 ? 64 : document->entity_room * 2;
    gn_entity **entities = gn_alloc_array(&fold->state, room, sizeof(gn_entity *));
    if (entities == NULL || room < document->entity_room) {
        return false;
    }
    if (document->entity_count > 0) {
        memcpy(entities, document->entities, document->entity_count * sizeof(gn_entity *));
    }
    document->entities = entities;
    document->entity_room = room;
    return true;
}

static gn_entity *new_entity(gn_fold *fold, uint32_t document, gn_name key)
{
    gn_entity *entity = gn_alloc(&fold->state, sizeof *entity);
    uint8_t *bytes = gn_alloc(&fold->state, key.size);
    if (entity == NULL || bytes == NULL) {
        return NULL;
    }
    if (key.size > 0) {
        memcpy(bytes, key.bytes, key.size);
    }
    *entity = (gn_entity){.key = bytes, .key_size = key.size, .document = document, .index = GN_NONE};
    return entity;
}

gn_entity *gn_state_entity(gn_fold *fold, uint32_t index, gn_name key)
{
    gn_document *document = &fold->program.documents[index];
    if (document->entity_count >= document->table_size / 4 * 3 && !grow_table(fold, document)) {
        return NULL;
    }
    const uint64_t hash = hash_of(fold, index, key);
    struct gn_slot *slot = find_slot(document, hash, key);
    if (slot->entity != NULL) {
        return slot->entity;
    }
    gn_entity *entity = reserve_entity(fold, document) ? new_entity(fold, index, key) : NULL;
    if (entity == NULL) {
        return NULL;
    }
    *slot = (struct gn_slot){.tag = (uint32_t)(hash >> 32), .entity = entity};
    entity->index = document->entity_count;
    document->entities[document->entity_count++] = entity;
    return entity;
}

/* Records and the members beside a root exist from the start, empty. */
int gn_state_open(gn_fold *fold)
{
    static const uint8_t empty[] = "{}";
    for (uint32_t i = 0; i < fold->program.document_count; i++) {
        gn_document *document = &fold->program.documents[i];
        if (!document->is_record && !document->has_root) {
            continue;
        }
        gn_name key = {(const uint8_t *)"@", document->is_record ? 0u : 1u};
        document->single = new_entity(fold, i, key);
        if (document->single == NULL) {
            return GN_NO_MEMORY;
        }
        document->single->is_at = document->has_root;
        document->single->body = (gn_cell){.as.text = empty, .size = 2, .kind = GN_TEXT};
    }
    return GN_OK;
}

/* ---- undo ---- */

/* An array of twice the room in the call's arena; false when memory ends. */
static bool double_array(gn_arena *arena, void **items, uint32_t *room, size_t size)
{
    uint32_t larger = *room == 0 ? 64 : *room * 2;
    void *copy = larger < *room ? NULL : gn_alloc_array(arena, larger, size);
    if (copy == NULL) {
        return false;
    }
    if (*room > 0) {
        memcpy(copy, *items, *room * size);
    }
    *items = copy;
    *room = larger;
    return true;
}

bool gn_state_expect(gn_fold *fold, uint32_t events)
{
    uint32_t room = events < UNDO_ROOM_FIRST / 16 ? events * 16 + 16 : UNDO_ROOM_FIRST;
    assert(fold->undo_count == 0 && fold->touched_count == 0);
    fold->undo = gn_alloc_array(&fold->call, room, sizeof *fold->undo);
    fold->touched = gn_alloc_array(&fold->call, room, sizeof *fold->touched);
    if (fold->undo == NULL || fold->touched == NULL) {
        return false;
    }
    fold->undo_room = fold->touched_room = room;
    return true;
}

/* The first touch in a run takes the entity's share out of the running totals; the end of the run adds the new. */
static bool first_touch(gn_fold *fold, gn_entity *entity)
{
    gn_document *document = &fold->program.documents[entity->document];
    void *items = fold->touched;
    if (fold->touched_count == fold->touched_room) {
        if (!double_array(&fold->call, &items, &fold->touched_room, sizeof *fold->touched)) {
            return false;
        }
        fold->touched = items;
    }
    if (document->term_count > 0 && !gn_derive_count(fold, entity, -1, fold->pending)) {
        return false;
    }
    entity->run = fold->run;
    entity->touches = 0;
    gn_listing_touch(&document->listing, entity->index);
    fold->touched[fold->touched_count++] = entity;
    return true;
}

static gn_owned *owned_of(const gn_cell *cell)
{
    assert(cell->kind == GN_TEXT && cell->is_owned);
    return (gn_owned *)(uintptr_t)cell->as.text - 1;
}

static void give_back(gn_fold *fold, gn_owned *owned)
{
    owned->next = fold->given_back[owned->class];
    fold->given_back[owned->class] = owned;
}

bool gn_state_save(gn_fold *fold, gn_entity *entity, gn_cell *place)
{
    if (place->is_owned && owned_of(place)->run == fold->run && owned_of(place)->unit == fold->unit) {
        assert(entity->run == fold->run && entity->touches > 0); /* the unit saved what stood here before it */
        give_back(fold, owned_of(place));
        return true;
    }
    if (entity->run != fold->run && !first_touch(fold, entity)) {
        return false;
    }
    if (fold->undo_count == fold->undo_room) {
        void *items = fold->undo;
        if (!double_array(&fold->call, &items, &fold->undo_room, sizeof *fold->undo)) {
            return false;
        }
        fold->undo = items;
    }
    fold->undo[fold->undo_count++] = (gn_undo){.place = place, .old = *place, .entity = entity};
    entity->touches++;
    return true;
}

void gn_state_roll_back(gn_fold *fold, uint32_t undo_count)
{
    assert(undo_count <= fold->undo_count);
    while (fold->undo_count > undo_count) {
        const gn_undo *undo = &fold->undo[--fold->undo_count];
        assert(undo->entity->touches > 0);
        *undo->place = undo->old;
        undo->entity->touches--;
    }
}

/* ---- texts that come and go ----
 *
 * Classes of room grow by an eighth to a quarter, so a text that grows by every operation leaves a few times its own
 * size behind, and not its size at each step. */

static size_t class_room(uint32_t class)
{
    return (size_t)(4 + class % 4) << (class / 4 + 7);
}

uint8_t *gn_state_text(gn_fold *fold, size_t size, uint16_t *is_owned)
{
    uint32_t class = 0;
    *is_owned = size >= GN_OWNED_SIZE_MIN;
    if (!*is_owned) {
        return gn_alloc(&fold->state, size);
    }
    while (class < GN_OWNED_CLASSES && class_room(class) < size) {
        class++;
    }
    if (class == GN_OWNED_CLASSES) {
        return NULL;
    }
    gn_owned *owned = fold->given_back[class];
    if (owned != NULL) {
        fold->given_back[class] = owned->next;
    } else {
        owned = gn_alloc(&fold->state, sizeof *owned + class_room(class));
    }
    if (owned == NULL) {
        return NULL;
    }
    *owned = (gn_owned){.run = fold->run, .unit = fold->unit, .class = class};
    return (uint8_t *)(owned + 1);
}

void gn_state_settle(gn_fold *fold, uint32_t undo_count)
{
    uint32_t kept = undo_count;
    for (uint32_t i = undo_count; i < fold->undo_count; i++) {
        const gn_undo *undo = &fold->undo[i];
        /* An entry of this run stands before this one for the same place: whoever wrote the text saved it first. */
        gn_owned *owned = undo->old.is_owned ? owned_of(&undo->old) : NULL;
        if (owned == NULL || owned->run != fold->run) {
            fold->undo[kept++] = *undo;
            continue;
        }
        assert(undo->entity->touches > 1);
        undo->entity->touches--;
        give_back(fold, owned);
    }
    fold->undo_count = kept;
}

/* ---- order of keys ---- */

bool gn_sort(gn_arena *arena, void **items, size_t count, gn_compare compare)
{
    void **from = items;
    void **to = gn_alloc_array(arena, count, sizeof *to);
    if (to == NULL) {
        return false;
    }
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t middle = low + width < count ? low + width : count;
            size_t high = middle + width < count ? middle + width : count;
            size_t left = low, right = middle;
            for (size_t at = low; at < high; at++) {
                bool take_left = left < middle && (right >= high || compare(from[left], from[right]) <= 0);
                to[at] = take_left ? from[left++] : from[right++];
            }
        }
        void **swapped = from;
        from = to;
        to = swapped;
    }
    if (from != items) {
        memcpy(items, from, count * sizeof *items);
    }
    return true;
}

/* ---- compaction ---- */

/* The cell's bytes in another arena; closed: an open object becomes text again. */
static bool move_cell(gn_fold *fold, const gn_document *document, gn_arena *to, gn_cell *cell)
{
    gn_buffer buffer = {.arena = &fold->call};
    gn_name text;
    if (cell->kind != GN_TEXT && cell->kind != GN_OPEN) {
        return true;
    }
    if (!gn_cell_text(document, cell, &buffer, &text)) {
        return false;
    }
    uint8_t *bytes = gn_alloc(to, text.size);
    if (bytes == NULL) {
        return false;
    }
    if (text.size > 0) {
        memcpy(bytes, text.bytes, text.size);
    }
    *cell = (gn_cell){.as.text = bytes, .size = text.size, .kind = GN_TEXT};
    return true;
}

static gn_entity *move_entity(gn_fold *fold, gn_fold *to, gn_document *document, const gn_entity *entity)
{
    gn_entity *copy = new_entity(to, entity->document, key_of(entity));
    if (copy == NULL) {
        return NULL;
    }
    const uint8_t *key = copy->key;
    *copy = *entity;
    copy->key = key;
    return move_cell(fold, document, &to->state, &copy->body) ? copy : NULL;
}

static bool move_document(gn_fold *fold, gn_fold *to, gn_document *document, gn_document *copy)
{
    *copy = *document;
    copy->entity_count = 0;
    copy->entities = gn_alloc_array(&to->state, document->entity_room, sizeof(gn_entity *));
    copy->table = open_table(&to->state, document->table_size);
    if (copy->entities == NULL || copy->table == NULL) {
        return false;
    }
    if (document->single != NULL) {
        copy->single = move_entity(fold, to, document, document->single);
        if (copy->single == NULL) {
            return false;
        }
    }
    for (uint32_t i = 0; i < document->entity_count; i++) {
        gn_arena_reset(&fold->call);
        gn_entity *entity = move_entity(fold, to, document, document->entities[i]);
        if (entity == NULL) {
            return false;
        }
        uint64_t hash = hash_of(to, entity->document, key_of(entity));
        *find_slot(copy, hash, key_of(entity)) = (struct gn_slot){.tag = (uint32_t)(hash >> 32), .entity = entity};
        copy->entities[copy->entity_count++] = entity;
    }
    return true;
}

/* May not happen when memory is short: then the old arena serves on. */
void gn_state_compact(gn_fold *fold)
{
    if (fold->state.size < 2 * fold->compacted_size + COMPACT_SLACK) {
        return;
    }
    gn_fold copy = *fold;
    gn_arena scratch;
    gn_arena_open(&copy.state, fold->state.size_max);
    gn_arena_open(&scratch, fold->state.size_max);
    gn_document *documents = gn_alloc_array(&scratch, fold->program.document_count + 1u, sizeof *documents);
    bool moved = documents != NULL;
    for (uint32_t i = 0; moved && i < fold->program.document_count; i++) {
        moved = move_document(fold, &copy, &fold->program.documents[i], &documents[i]);
    }
    if (moved) {
        memcpy(fold->program.documents, documents, fold->program.document_count * sizeof *documents);
        gn_arena_close(&fold->state);
        memset(fold->given_back, 0, sizeof fold->given_back);
        fold->state = copy.state;
        fold->compacted_size = fold->state.size;
    } else {
        gn_arena_close(&copy.state);
        fold->compacted_size = fold->state.size;
    }
    gn_arena_close(&scratch);
    gn_arena_reset(&fold->call);
}
