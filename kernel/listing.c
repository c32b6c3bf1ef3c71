/* The lines of the pretty documents: by key, written again when their entity was touched, copied otherwise.
 *
 *     entries    |line size index|line size index|line size index|     by key, one an entity
 *                   |               |        \________________________
 *                   |               |                                 \
 *     texts       ,\n  "a": {...} ,\n  "b": {...} ,\n  "c": {...}  ,\n  "c": {... longer}
 *                                                  no longer shown: dead
 *
 * The order is listing_order.c's. A line that did not grow is written where it was; how the texts lie is
 * listing_texts.c's affair.
 *
 * Nothing here is state: a call that fails half-way leaves lines that are newer than others, each right or stale. */
#include "state.h"

#define INDENT 2u
#define DEAD_SLACK ((uint64_t)1 << 20)
#define FEW_OF 8u               /* fewer than one in so many are as well taken by key */
#define SCATTERED_OF 4u         /* with more than a stretch for so many lines they are gathered */
#define AHEAD 4u                /* lines */

/* Working room for one line and the body in it. */
typedef struct desk {
    gn_buffer line;
    gn_buffer body;
    size_t indent;
} desk;

static bool put_line(const gn_document *document, const gn_entity *entity, desk *on)
{
    gn_name body;
    gn_buffer *line = &on->line;
    line->size = on->body.size = 0;
    if (!gn_cell_text(document, &entity->body, &on->body, &body) || !gn_buffer_reserve(line, on->indent + 2)) {
        return false;
    }
    memcpy(line->data, ",\n", 2);
    memset(line->data + 2, ' ', on->indent);
    line->size = on->indent + 2;
    return gn_json_quote(entity->key, entity->key_size, line) && gn_buffer_put(line, ": ", 2) &&
           gn_json_pretty(body.bytes, body.size, (uint32_t)on->indent / INDENT, line) && line->size <= UINT32_MAX;
}

static bool write_line(gn_document *document, gn_entry *entry, desk *on)
{
    gn_listing *listing = &document->listing;
    const gn_entity *entity = gn_document_entity(document, entry->index);
    if (entity->body.kind == GN_ABSENT || entity->body.kind == GN_REMOVED) {
        gn_listing_drop(listing, entry);
    } else if (!put_line(document, entity, on) ||
               !gn_listing_keep(listing, entry, on->line.data, (uint32_t)on->line.size)) {
        return false;
    }
    listing->stale[entry->index / 64] &= ~((uint64_t)1 << entry->index % 64);
    return true;
}

static uint32_t stale_count(const gn_listing *listing)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < (listing->count + 63) / 64; i++) {
        count += (uint32_t)__builtin_popcountll(listing->stale[i]);
    }
    return count;
}

/* The entries whose lines are to be written, by key. */
static uint32_t stale_by_key(const gn_listing *listing, uint32_t *found)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < listing->count; i++) {
        found[count] = i;
        count += gn_listing_is_stale(listing, listing->entries[i].index);
    }
    return count;
}

/* The same as their entities came, which is how they lie in memory; but those that have no line yet last, by key, so
 * that their lines lie as they are read. */
static void stale_by_index(const gn_listing *listing, const uint32_t *found, uint32_t count, uint32_t *places,
                           uint32_t *ordered)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < listing->count; i++) {
        places[listing->entries[i].index] = i;
    }
    for (uint32_t i = 0; i < listing->count; i++) {
        if (gn_listing_is_stale(listing, i) && listing->entries[places[i]].line != NULL) {
            ordered[at++] = places[i];
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (listing->entries[found[i]].line == NULL) {
            ordered[at++] = found[i];
        }
    }
    assert(at == count);
}

/* The entries whose lines are to be written, in the arena of the call; NULL when memory ends. */
static const uint32_t *stale_entries(gn_fold *fold, const gn_listing *listing, uint32_t *count)
{
    uint32_t *found = gn_alloc_array(&fold->call, listing->count + 1u, sizeof *found);
    if (found == NULL) {
        return NULL;
    }
    *count = stale_by_key(listing, found);
    if (*count <= listing->count / FEW_OF) {
        return found;
    }
    uint32_t *places = gn_alloc_array(&fold->call, listing->count, sizeof *places);
    uint32_t *ordered = gn_alloc_array(&fold->call, *count, sizeof *ordered);
    if (places == NULL || ordered == NULL) {
        return NULL;
    }
    stale_by_index(listing, found, *count, places, ordered);
    return ordered;
}

/* A line is made of three or four places in memory that lead to each other, and of the one where it goes. They are asked
 * for some lines ahead of time, a place at each distance. */
static inline void prefetch_text(const gn_cell *cell)
{
    if (cell->kind == GN_TEXT || cell->kind == GN_PACKED) {
        gn_listing_prefetch(cell->as.text, cell->size, false);
    }
}

static inline const gn_entity *entity_of(const gn_document *document, uint32_t entry)
{
    return gn_document_entity(document, document->listing.entries[entry].index);
}

static inline void look_ahead(const gn_document *document, const uint32_t *stale, uint32_t count)
{
    const gn_entry *entries = document->listing.entries;
    if (count > 4 * AHEAD) {
        __builtin_prefetch(&entries[stale[4 * AHEAD]]);
    }
    if (count > 3 * AHEAD) {
        gn_listing_prefetch((const uint8_t *)entity_of(document, stale[3 * AHEAD]), sizeof(gn_entity) + GN_LINE_SIZE - 1, false);
    }
    if (count > 2 * AHEAD) {
        const gn_entity *entity = entity_of(document, stale[2 * AHEAD]);
        prefetch_text(&entity->body);
        if (entity->body.kind == GN_OPEN) {
            __builtin_prefetch(entity->body.as.object);
            __builtin_prefetch((const uint8_t *)entity->body.as.object + GN_LINE_SIZE);
        }
        gn_listing_prefetch(entries[stale[2 * AHEAD]].line, entries[stale[2 * AHEAD]].size, true);
    }
    if (count > AHEAD) {
        const gn_entity *entity = entity_of(document, stale[AHEAD]);
        for (uint32_t i = 0; entity->body.kind == GN_OPEN && i <= entity->body.as.object->slot_count; i++) {
            prefetch_text(gn_object_run(entity->body.as.object, i));
        }
    }
}

/* Write every line that is stale. */
static bool write_lines(gn_fold *fold, gn_document *document)
{
    desk on = {.line = {.arena = &fold->call}, .body = {.arena = &fold->call},
               .indent = document->has_root ? 2 * INDENT : INDENT};
    uint32_t count;
    const uint32_t *stale = stale_entries(fold, &document->listing, &count);
    if (stale == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        look_ahead(document, stale + i, count - i);
        if (!write_line(document, &document->listing.entries[stale[i]], &on)) {
            return false;
        }
    }
    return true;
}

/* Gather the lines where that is less than what they cost as they lie. */
static void tidy(gn_listing *listing)
{
    const bool are_few_stale = stale_count(listing) <= listing->count / FEW_OF;
    const bool are_scattered = are_few_stale && listing->stretches > listing->count / SCATTERED_OF;
    if (!are_scattered && listing->dead <= listing->live / 2 + DEAD_SLACK) {
        return;
    }
    if (!are_few_stale || !gn_listing_gather(listing)) {
        gn_listing_drop_all(listing);
    }
}

bool gn_listing_freshen(gn_fold *fold, gn_document *document)
{
    if (!gn_listing_order(fold, document)) {
        return false;
    }
    tidy(&document->listing);
    return write_lines(fold, document);
}

bool gn_listing_put(gn_fold *fold, gn_listing *listing)
{
    gn_text stretch = {NULL, 0};
    listing->stretches = 0;
    for (uint32_t i = 0; i < listing->count; i++) {
        const gn_entry *entry = &listing->entries[i];
        if (entry->size == 0) {
            continue;
        }
        if (stretch.size > 0 && entry->line == stretch.bytes + stretch.size) {
            stretch.size += entry->size;
            continue;
        }
        if (!gn_parts_put(fold, stretch.bytes, stretch.size)) {
            return false;
        }
        stretch = (gn_text){entry->line, entry->size};
        listing->stretches++;
    }
    return gn_parts_put(fold, stretch.bytes, stretch.size);
}
