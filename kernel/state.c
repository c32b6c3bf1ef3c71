/* Entities: finding them by keyed hash, and making them.
 *
 * Nothing is ever visited in the order of the table, so documents do not depend on the seed. */
#include "state.h"

#define BUCKETS_FIRST 4u
#define BUCKETS_SMALL 4096u     /* beyond which a table has the memory of BUCKETS_AT_ONCE, a huge page */
#define BUCKETS_AT_ONCE 32768u

/* ---- the table ---- */

typedef struct place {
    gn_bucket *bucket;
    uint32_t slot;
} place;

static inline gn_bucket *bucket_at(const gn_document *document, uint32_t at)
{
    return &document->table[at & document->bucket_mask];
}

/* The free slot for a key that the table does not hold. */
static GN_INLINE place free_place(const gn_document *document, uint32_t hash)
{
    for (uint32_t at = hash;; at++) {
        gn_bucket *bucket = bucket_at(document, at);
        const uint32_t free = gn_bucket_slots(bucket, 0);
        if (free != 0) {
            return (place){bucket, (uint32_t)__builtin_ctz(free)};
        }
    }
}

static inline void put(place to, gn_entity *entity, uint32_t hash)
{
    to.bucket->hashes[to.slot] = hash;
    to.bucket->entities[to.slot] = entity;
}

/* As many entities as the table may hold: 13 for every 20 slots, so that few buckets are full. */
static inline uint64_t table_limit(const gn_document *document)
{
    return ((uint64_t)document->bucket_mask + 1) * 13 / 4;
}

/* A large table has room to double in: new pages cost more than what is put into them. */
static bool new_table(gn_fold *fold, gn_document *document, uint32_t count)
{
    const uint32_t room = count > BUCKETS_SMALL && count < BUCKETS_AT_ONCE ? BUCKETS_AT_ONCE : count;
    gn_bucket *table = gn_alloc_table(&fold->state, room, sizeof *table);
    if (table != NULL) {
        document->table = table;
        document->bucket_mask = count - 1;
        document->bucket_room = room;
    }
    return table != NULL;
}

bool gn_state_open_table(gn_fold *fold, gn_document *document)
{
    return new_table(fold, document, BUCKETS_FIRST);
}

/* How many slots of a bucket are used; they are filled from the front. */
static inline uint32_t used_slots(const gn_bucket *bucket)
{
    return (uint32_t)__builtin_ctz(gn_bucket_slots(bucket, 0) | 1u << GN_BUCKET_SLOTS);
}

/* Move what lies in a bucket into a table of twice the size. Nearly all of it goes into one of two buckets there, whose
 * slots are counted here: to look for a free one right behind a write, the machine would wait for that. */
static void move_bucket(const gn_document *document, const gn_bucket *bucket, uint32_t home, uint32_t old_count)
{
    uint32_t used[2] = {used_slots(bucket_at(document, home)), used_slots(bucket_at(document, home + old_count))};
    for (uint32_t slot = 0; slot < GN_BUCKET_SLOTS && bucket->hashes[slot] != 0; slot++) {
        const uint32_t hash = bucket->hashes[slot];
        const bool is_upper = (hash & old_count) != 0;
        if ((hash & (old_count - 1)) == home && used[is_upper] < GN_BUCKET_SLOTS) {
            put((place){bucket_at(document, hash), used[is_upper]++}, bucket->entities[slot], hash);
        } else {
            put(free_place(document, hash), bucket->entities[slot], hash);
            used[0] = used_slots(bucket_at(document, home));
            used[1] = used_slots(bucket_at(document, home + old_count));
        }
    }
}

/* Twice the buckets in a table of its own. */
static bool move_table(gn_fold *fold, gn_document *document, uint32_t old_count)
{
    gn_bucket *const old = document->table;
    if (old_count > UINT32_MAX / 4 || !new_table(fold, document, old_count * 2)) {
        return false;
    }
    for (uint32_t home = 0; home < old_count; home++) {
        move_bucket(document, &old[home], home, old_count);
    }
    gn_free_table(&fold->state, old);
    return true;
}

/* Twice the buckets where the table lies; those behind it are clear. It begins behind a bucket that is not full: then all
 * that stands in front of an entity, back to the bucket where it is looked for first, was done before it, and none goes
 * into a bucket that is still to be emptied. */
static void spread_table(gn_document *document, uint32_t old_count)
{
    uint32_t start = 0;
    while (gn_bucket_is_full(&document->table[start])) {
        start++;
    }
    document->bucket_mask = old_count * 2 - 1;
    for (uint32_t i = 1; i <= old_count; i++) {
        const uint32_t home = (start + i) & (old_count - 1);
        const gn_bucket bucket = document->table[home];
        document->table[home] = (gn_bucket){.hashes = {0}};
        move_bucket(document, &bucket, home, old_count);
    }
}

static bool grow_table(gn_fold *fold, gn_document *document)
{
    const uint32_t old_count = document->bucket_mask + 1;
    if (old_count > document->bucket_room / 2) {
        return move_table(fold, document, old_count);
    }
    spread_table(document, old_count);
    return true;
}

gn_entity *gn_state_look(const gn_document *document, gn_name key, uint32_t hash)
{
    for (uint32_t at = hash;; at++) {
        const gn_bucket *bucket = bucket_at(document, at);
        for (uint32_t slots = gn_bucket_slots(bucket, hash); slots != 0; slots &= slots - 1) {
            gn_entity *entity = bucket->entities[__builtin_ctz(slots)];
            if (gn_entity_has_key(entity, key)) {
                return entity;
            }
        }
        if (!gn_bucket_is_full(bucket)) {
            return NULL;
        }
    }
}

gn_entity *gn_state_find(gn_fold *fold, uint32_t index, gn_name key)
{
    return gn_state_look(&fold->program.documents[index], key, gn_hash(&fold->hash_keys, key));
}

/* ---- making entities ---- */

/* One page more. What the list of pages leaves behind when it doubles is little. */
static bool add_page(gn_fold *fold, gn_document *document)
{
    void *pages = document->pages;
    if (document->page_count == document->page_room) {
        if (!gn_double_array(&fold->state, &pages, &document->page_room, sizeof *document->pages)) {
            return false;
        }
        document->pages = pages;
    }
    gn_entity **page = gn_alloc_array(&fold->state, GN_PAGE_ENTITIES, sizeof(gn_entity *));
    if (page != NULL) {
        document->pages[document->page_count++] = page;
    }
    return page != NULL;
}

/* Bytes of an entity before its object; of all of it. */
static size_t object_at(uint32_t key_size)
{
    return (sizeof(gn_entity) + key_size + 15u) & ~(size_t)15u;
}

size_t gn_entity_size(const gn_document *document, uint32_t key_size)
{
    const uint32_t slots = document->slots.count;
    return slots == 0 ? sizeof(gn_entity) + key_size : object_at(key_size) + gn_object_size(slots);
}

gn_object *gn_entity_object(gn_entity *entity)
{
    return (gn_object *)(void *)((uint8_t *)entity + object_at(entity->key_size));
}

static inline void fill_entity(gn_entity *entity, uint32_t index, gn_name key)
{
    *entity = (gn_entity){.key_size = key.size, .document = (uint16_t)index, .index = GN_NONE};
    gn_copy_bytes(entity->key, key.bytes, key.size);
}

gn_entity *gn_state_new(gn_fold *fold, const gn_document *document, uint32_t index, gn_name key)
{
    const size_t size = gn_entity_size(document, key.size);
    gn_entity *entity = document->slots.count == 0 ? gn_alloc_aligned(&fold->state, size, 8)
                                                   : gn_alloc_aligned(&fold->slotted, size, GN_LINE_SIZE);
    if (entity != NULL) {
        fill_entity(entity, index, key);
    }
    return entity;
}

static inline uint64_t page_limit(const gn_document *document)
{
    return (uint64_t)document->page_count * GN_PAGE_ENTITIES;
}

static GN_NO_INLINE bool grow(gn_fold *fold, gn_document *document)
{
    const uint32_t count = document->entity_count;
    if ((count >= table_limit(document) && !grow_table(fold, document)) ||
        (count >= page_limit(document) && !add_page(fold, document))) {
        return false;
    }
    const uint64_t table = table_limit(document), pages = page_limit(document);
    document->entity_limit = (uint32_t)(table < pages ? table : pages);
    return true;
}

/* Room for one more, in the table and in the list. */
static inline bool reserve(gn_fold *fold, gn_document *document)
{
    return document->entity_count < document->entity_limit || grow(fold, document);
}

static inline void enter(gn_document *document, place to, gn_entity *entity, uint32_t hash)
{
    put(to, entity, hash);
    entity->index = document->entity_count;
    document->pages[entity->index / GN_PAGE_ENTITIES][entity->index % GN_PAGE_ENTITIES] = entity;
    document->entity_count++;
}

bool gn_state_add(gn_fold *fold, gn_document *document, gn_entity *entity, uint32_t hash)
{
    if (!reserve(fold, document)) {
        return false;
    }
    enter(document, free_place(document, hash), entity, hash);
    return true;
}

static GN_NO_INLINE gn_entity *make_slowly(gn_fold *fold, uint32_t index, gn_name key, uint32_t hash)
{
    gn_document *document = &fold->program.documents[index];
    gn_entity *entity = gn_state_look(document, key, hash);
    if (entity == NULL) {
        entity = gn_state_new(fold, document, index, key);
        entity = entity != NULL && gn_state_add(fold, document, entity, hash) ? entity : NULL;
    }
    return entity;
}

/* Nearly always the key is new, short, and in a document without slots: then no other function is called. */
gn_entity *gn_state_make(gn_fold *fold, uint32_t index, gn_name key, uint32_t hash)
{
    gn_document *document = &fold->program.documents[index];
    if (document->entity_count >= document->entity_limit || document->slots.count > 0 || !gn_is_two_words(key.size)) {
        return make_slowly(fold, index, key, hash);
    }
    gn_bucket *bucket;
    uint32_t free = 0;
    for (uint32_t at = hash; free == 0; at++) {
        bucket = bucket_at(document, at);
        if (gn_bucket_slots(bucket, hash) != 0) {
            return make_slowly(fold, index, key, hash);
        }
        free = gn_bucket_slots(bucket, 0);
    }
    uint8_t *bytes;
    if (!gn_alloc_quick(&fold->state, sizeof(gn_entity) + key.size, 8, &bytes)) {
        return make_slowly(fold, index, key, hash);
    }
    gn_entity *entity = (gn_entity *)(void *)bytes;
    fill_entity(entity, index, key);
    enter(document, (place){bucket, (uint32_t)__builtin_ctz(free)}, entity, hash);
    return entity;
}

gn_entity *gn_state_entity(gn_fold *fold, uint32_t index, gn_name key)
{
    return gn_state_make(fold, index, key, gn_hash(&fold->hash_keys, key));
}

/* Records and the members beside a root exist from the start, empty. */
int gn_state_open(gn_fold *fold)
{
    static const uint8_t empty[] = "{}";
    for (uint32_t i = 0; i < fold->program.document_count; i++) {
        gn_document *document = &fold->program.documents[i];
        if (!gn_state_open_table(fold, document)) {
            return GN_NO_MEMORY;
        }
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
