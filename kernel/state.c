/* Entities: finding them by keyed hash, and making them.
 *
 * Nothing is ever visited in the order of the table, so documents do not depend on the seed. */
#include "state.h"

#define TABLE_SIZE_FIRST 256u
#define LIST_ROOM_FIRST 64u
#define LINE_SIZE 64u        /* of the caches: entities that operations write to begin with one */

/* ---- the table ---- */

/* The slot that holds the key, or the free one where it would go. */
static inline struct gn_slot *find_slot(const gn_document *document, uint64_t hash, gn_name key)
{
    const uint32_t mask = document->table_size - 1;
    assert(document->entity_count < document->table_size);
    for (uint32_t at = (uint32_t)hash & mask;; at = (at + 1) & mask) {
        struct gn_slot *slot = &document->table[at];
        if (slot->entity == NULL || (slot->hash == hash && gn_entity_has_key(slot->entity, key))) {
            return slot;
        }
    }
}

/* The same in a table of which every key is known to be another. */
static void put_slot(struct gn_slot *table, uint32_t mask, struct gn_slot slot)
{
    uint32_t at = (uint32_t)slot.hash & mask;
    while (table[at].entity != NULL) {
        at = (at + 1) & mask;
    }
    table[at] = slot;
}

/* A table of twice the size. */
static bool grow_table(gn_fold *fold, gn_document *document)
{
    const uint32_t size = document->table_size == 0 ? TABLE_SIZE_FIRST : document->table_size * 2;
    struct gn_slot *table = size == 0 ? NULL : gn_alloc_table(&fold->state, size, sizeof *table);
    if (table == NULL) {
        return false;
    }
    memset(table, 0, size * sizeof *table);
    for (uint32_t i = 0; i < document->table_size; i++) {
        if (document->table[i].entity != NULL) {
            put_slot(table, size - 1, document->table[i]);
        }
    }
    if (document->table != NULL) {
        gn_free_table(&fold->state, document->table);
    }
    document->table = table;
    document->table_size = size;
    return true;
}

gn_entity *gn_state_look(const gn_fold *fold, uint32_t index, gn_name key, uint64_t hash)
{
    const gn_document *document = &fold->program.documents[index];
    return document->table_size == 0 ? NULL : find_slot(document, hash, key)->entity;
}

gn_entity *gn_state_find(gn_fold *fold, uint32_t index, gn_name key)
{
    return gn_state_look(fold, index, key, gn_hash(&fold->hash_keys, index, key));
}

/* ---- making entities ---- */

/* Room for one more in the document's list. */
static bool reserve_entity(gn_fold *fold, gn_document *document)
{
    if (document->entity_count < document->entity_room) {
        return true;
    }
    const uint32_t room = document->entity_room == 0 ? LIST_ROOM_FIRST : document->entity_room * 2;
    gn_entity **entities = room == 0 ? NULL : gn_alloc_table(&fold->state, room, sizeof(gn_entity *));
    if (entities == NULL) {
        return false;
    }
    if (document->entity_count > 0) {
        memcpy(entities, document->entities, document->entity_count * sizeof(gn_entity *));
        gn_free_table(&fold->state, document->entities);
    }
    document->entities = entities;
    document->entity_room = room;
    return true;
}

/* Bytes of an entity before its object; of all of it. */
static size_t object_at(uint32_t key_size)
{
    return (sizeof(gn_entity) + key_size + 15u) & ~(size_t)15u;
}

static size_t entity_size(const gn_document *document, uint32_t key_size)
{
    const uint32_t slots = document->slots.count;
    return slots == 0 ? sizeof(gn_entity) + key_size : object_at(key_size) + gn_object_size(slots);
}

gn_object *gn_entity_object(gn_entity *entity)
{
    return (gn_object *)(void *)((uint8_t *)entity + object_at(entity->key_size));
}

gn_entity *gn_state_new(gn_fold *fold, const gn_document *document, uint32_t index, gn_name key)
{
    const size_t size = entity_size(document, key.size);
    gn_entity *entity = gn_alloc_aligned(&fold->state, size, document->slots.count == 0 ? 8 : LINE_SIZE);
    if (entity == NULL) {
        return NULL;
    }
    *entity = (gn_entity){.key_size = key.size, .document = (uint16_t)index, .index = GN_NONE};
    if (key.size > 0) {
        memcpy(entity->key, key.bytes, key.size);
    }
    return entity;
}

bool gn_state_add(gn_fold *fold, gn_document *document, gn_entity *entity, uint64_t hash)
{
    bool has_room = document->entity_count < document->table_size / 16 * 13 || grow_table(fold, document);
    if (!has_room || !reserve_entity(fold, document)) {
        return false;
    }
    put_slot(document->table, document->table_size - 1, (struct gn_slot){hash, entity});
    entity->index = document->entity_count;
    document->entities[document->entity_count++] = entity;
    return true;
}

gn_entity *gn_state_make(gn_fold *fold, uint32_t index, gn_name key, uint64_t hash)
{
    gn_document *document = &fold->program.documents[index];
    gn_entity *entity = gn_state_look(fold, index, key, hash);
    if (entity != NULL) {
        return entity;
    }
    entity = gn_state_new(fold, document, index, key);
    return entity != NULL && gn_state_add(fold, document, entity, hash) ? entity : NULL;
}

gn_entity *gn_state_entity(gn_fold *fold, uint32_t index, gn_name key)
{
    return gn_state_make(fold, index, key, gn_hash(&fold->hash_keys, index, key));
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
        document->single = gn_state_new(fold, document, i, key);
        if (document->single == NULL) {
            return GN_NO_MEMORY;
        }
        document->single->is_at = document->has_root;
        document->single->body = (gn_cell){.as.text = empty, .size = 2, .kind = GN_TEXT};
    }
    return GN_OK;
}

/* ---- sorting ---- */

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
