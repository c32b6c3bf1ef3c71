/* Memory kept bounded: what lives is copied together when most of what the state's arenas hold is past.
 *
 * Copying closes every entity, and the next writes open them again; so what lives is added up first. */
#include "state.h"

#define COMPACT_SLACK ((uint64_t)16 << 20)

/* ---- what lives ---- */

static uint64_t cell_size(const gn_cell *cell)
{
    return cell->kind == GN_TEXT || cell->kind == GN_PACKED ? cell->size : 0;
}

uint64_t gn_entity_live_size(const gn_document *document, const gn_entity *entity)
{
    uint64_t size = gn_entity_size(document, entity->key_size) + cell_size(&entity->body);
    if (entity->body.kind == GN_OPEN) {
        const gn_object *object = entity->body.as.object;
        for (uint32_t i = 0; i < 2 * object->slot_count + 1; i++) {
            size += cell_size(&object->cells[i]);
        }
    }
    return size;
}

/* Bytes of the state's arenas that a copy of it would have. */
static uint64_t live_size(const gn_fold *fold)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < fold->program.document_count; i++) {
        const gn_document *document = &fold->program.documents[i];
        size += (uint64_t)document->bucket_room * sizeof *document->table +
                (uint64_t)document->page_count * GN_PAGE_ENTITIES * sizeof(gn_entity *);
        size += document->single == NULL ? 0 : gn_entity_live_size(document, document->single);
        for (uint32_t j = 0; j < document->entity_count; j++) {
            size += gn_entity_live_size(document, gn_document_entity(document, j));
        }
    }
    return size;
}

/* ---- copying it ---- */

/* The cell's bytes in another arena; closed: an open object becomes text again. */
static bool move_cell(gn_fold *fold, const gn_document *document, gn_arena *to, gn_cell *cell)
{
    gn_buffer buffer = {.arena = &fold->call};
    gn_name text;
    if (cell->kind != GN_TEXT && cell->kind != GN_PACKED && cell->kind != GN_OPEN) {
        return true;
    }
    if (cell->kind == GN_PACKED) {
        text = (gn_name){cell->as.text, cell->size};
    } else if (!gn_cell_text(document, cell, &buffer, &text)) {
        return false;
    }
    uint8_t *bytes = gn_alloc_bytes(to, text.size);
    if (bytes == NULL) {
        return false;
    }
    if (text.size > 0) {
        memcpy(bytes, text.bytes, text.size);
    }
    *cell = (gn_cell){.as.text = bytes, .size = text.size, .kind = cell->kind == GN_PACKED ? GN_PACKED : GN_TEXT};
    return true;
}

static gn_entity *move_entity(gn_fold *fold, gn_fold *to, const gn_document *document, const gn_entity *entity)
{
    gn_entity *copy = gn_state_new(to, document, entity->document, gn_entity_key(entity));
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, entity, sizeof *copy);
    copy->has_object = 0;
    return move_cell(fold, document, &to->state, &copy->body) ? copy : NULL;
}

static bool move_document(gn_fold *fold, gn_fold *to, const gn_document *document, gn_document *copy)
{
    *copy = *document;
    copy->pages = NULL;
    copy->page_count = copy->page_room = copy->entity_count = copy->entity_limit = 0;
    if (!gn_state_open_table(to, copy)) {
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
        gn_entity *entity = move_entity(fold, to, document, gn_document_entity(document, i));
        uint32_t hash = entity == NULL ? 0 : gn_hash(&to->hash_keys, gn_entity_key(entity));
        if (entity == NULL || !gn_state_add(to, copy, entity, hash)) {
            return false;
        }
    }
    return true;
}

/* May not happen when memory is short: then the old arena serves on. */
void gn_state_compact(gn_fold *fold)
{
    if (gn_state_size(fold) < 2 * fold->compacted_size + COMPACT_SLACK) {
        return;
    }
    fold->compacted_size = live_size(fold);
    if (gn_state_size(fold) < 2 * fold->compacted_size) {
        return;
    }
    gn_fold copy = *fold;
    gn_arena scratch;
    gn_arena_open(&copy.state, fold->state.size_max);
    gn_arena_open(&copy.slotted, fold->slotted.size_max);
    gn_arena_open(&scratch, fold->state.size_max);
    gn_document *documents = gn_alloc_array(&scratch, fold->program.document_count + 1u, sizeof *documents);
    bool moved = documents != NULL;
    for (uint32_t i = 0; moved && i < fold->program.document_count; i++) {
        moved = move_document(fold, &copy, &fold->program.documents[i], &documents[i]);
    }
    if (moved) {
        memcpy(fold->program.documents, documents, fold->program.document_count * sizeof *documents);
        gn_arena_close(&fold->state);
        gn_arena_close(&fold->slotted);
        memset(fold->given_back, 0, sizeof fold->given_back);
        fold->state = copy.state;
        fold->slotted = copy.slotted;
    } else {
        gn_arena_close(&copy.state);
        gn_arena_close(&copy.slotted);
        fold->compacted_size = gn_state_size(fold);
    }
    gn_arena_close(&scratch);
    gn_arena_reset(&fold->call);
}
