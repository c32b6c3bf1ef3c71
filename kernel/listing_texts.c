/* The memory of a document's lines. Those first written lie one behind the other, so the document is few stretches of
 * text, which are quickly copied. Lines that grow move to the end, lines that shrink leave a gap: so the stretches get
 * shorter, and what no entry shows any more is dead. Both are ended by gathering the lines: copied by key, or, where memory
 * is short, written anew. */
#include "state.h"

#define PIECE_SIZE_FIRST ((size_t)1 << 12)
#define PIECE_SIZE_LARGEST ((size_t)1 << 20)
#define AHEAD 8u                /* lines */

void gn_listing_open(gn_fold *fold, uint64_t memory_max)
{
    gn_arena_open(&fold->listings, memory_max);
    for (uint32_t i = 0; i < fold->program.document_count; i++) {
        gn_arena_open(&fold->program.documents[i].listing.texts, memory_max);
    }
}

void gn_listing_close(gn_fold *fold)
{
    for (uint32_t i = 0; fold->program.documents != NULL && i < fold->program.document_count; i++) {
        gn_arena_close(&fold->program.documents[i].listing.texts);
    }
    gn_arena_close(&fold->listings);
}

/* Room among the texts, behind the line before where there is some. */
static uint8_t *text_room(gn_listing *listing, size_t size)
{
    if (size > (size_t)(listing->end - listing->next)) {
        size_t piece = listing->texts.size < PIECE_SIZE_FIRST ? PIECE_SIZE_FIRST : (size_t)listing->texts.size;
        piece = piece > PIECE_SIZE_LARGEST ? PIECE_SIZE_LARGEST : piece;
        piece = piece < size ? size : piece;
        uint8_t *room = gn_alloc(&listing->texts, piece);
        if (room == NULL) {
            return NULL;
        }
        listing->next = room;
        listing->end = room + piece;
    }
    uint8_t *at = listing->next;
    listing->next += size;
    return at;
}

bool gn_listing_keep(gn_listing *listing, gn_entry *entry, const uint8_t *line, uint32_t size)
{
    uint8_t *at = size <= entry->size ? (uint8_t *)(uintptr_t)entry->line : text_room(listing, size);
    if (at == NULL) {
        return false;
    }
    memcpy(at, line, size);
    listing->dead += size <= entry->size ? entry->size - size : entry->size;
    listing->live += size;
    listing->live -= entry->size;
    entry->line = at;
    entry->size = size;
    return true;
}

void gn_listing_drop(gn_listing *listing, gn_entry *entry)
{
    listing->dead += entry->size;
    listing->live -= entry->size;
    entry->line = NULL;
    entry->size = 0;
}

void gn_listing_drop_all(gn_listing *listing)
{
    for (uint32_t i = 0; i < listing->count; i++) {
        listing->entries[i].line = NULL;
        listing->entries[i].size = 0;
        gn_listing_touch(listing, listing->entries[i].index);
    }
    listing->live = listing->dead = 0;
    listing->next = listing->end = NULL;
    gn_arena_reset(&listing->texts);
}

bool gn_listing_gather(gn_listing *listing)
{
    gn_arena texts;
    gn_arena_open(&texts, listing->texts.size_max);
    texts.fail_at = listing->texts.fail_at;
    uint8_t *at = gn_alloc(&texts, listing->live);
    if (at == NULL) {
        listing->texts.fail_at = texts.fail_at;
        return false;
    }
    for (uint32_t i = 0; i < listing->count; i++) {
        gn_entry *entry = &listing->entries[i];
        if (listing->count - i > AHEAD) {
            gn_listing_prefetch(entry[AHEAD].line, entry[AHEAD].size, false);
        }
        if (entry->size > 0) {
            memcpy(at, entry->line, entry->size);
            entry->line = at;
            at += entry->size;
        }
    }
    gn_arena_close(&listing->texts);
    listing->texts = texts;
    listing->next = listing->end = at;
    listing->dead = 0;
    return true;
}
