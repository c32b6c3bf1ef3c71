/* What comes out: the entities that a run changed, and whole documents. */
#include "state.h"

/* `"key":body` of every entity that is there, by key. */
static bool put_entities(gn_fold *fold, gn_document *document, gn_buffer *out)
{
    const size_t start = out->size + 1;
    if (!gn_state_sort(fold, document) || !gn_buffer_put_byte(out, '{')) {
        return false;
    }
    for (uint32_t i = 0; i < document->entity_count; i++) {
        const gn_entity *entity = document->entities[i];
        gn_buffer work = {.arena = &fold->event};
        gn_name body;
        if (entity->body.kind == GN_ABSENT || entity->body.kind == GN_REMOVED) {
            continue;
        }
        gn_arena_reset(&fold->event);
        bool put = (out->size == start || gn_buffer_put_byte(out, ',')) &&
                   gn_json_quote(entity->key, entity->key_size, out) && gn_buffer_put_byte(out, ':') &&
                   gn_cell_text(document, &entity->body, &work, &body) && gn_buffer_put(out, body.bytes, body.size);
        if (!put) {
            return false;
        }
    }
    return gn_buffer_put_byte(out, '}');
}

/* The whole document, compact. */
static bool document_text(gn_fold *fold, gn_document *document, gn_name *text)
{
    gn_buffer out = {.arena = &fold->call};
    gn_buffer work = {.arena = &fold->call};
    gn_name beside;
    if (document->is_record) {
        return gn_cell_text(document, &document->single->body, &work, text);
    }
    if (!put_entities(fold, document, &out) || out.size > UINT32_MAX / 2) {
        return false;
    }
    *text = (gn_name){out.data, (uint32_t)out.size};
    if (!document->has_root) {
        return true;
    }
    if (!gn_cell_text(document, &document->single->body, &work, &beside)) {
        return false;
    }
    gn_place place = gn_find(beside, false, &document->root, 1);
    assert(place.missing_from == 0 && !place.wrong_type);
    return gn_splice(&fold->call, beside, &place, &document->root, 1, *text, text);
}

int gn_fold_document(gn_fold *fold, uint32_t index, int pretty, const uint8_t **out, uint64_t *out_size)
{
    gn_name text;
    if (index >= fold->program.document_count) {
        return GN_DOCUMENT_UNKNOWN;
    }
    fold->changed_valid = false;
    gn_arena_reset(&fold->call);
    gn_document *document = &fold->program.documents[index];
    if (!document_text(fold, document, &text)) {
        return GN_NO_MEMORY;
    }
    gn_buffer written = {.arena = &fold->call};
    if (pretty != 0) {
        if (!gn_json_pretty(text.bytes, text.size, 0, &written) || !gn_buffer_put_byte(&written, '\n')) {
            return GN_NO_MEMORY;
        }
        text = (gn_name){written.data, (uint32_t)written.size};
        *out_size = written.size;
    } else {
        *out_size = text.size;
    }
    *out = text.bytes;
    return GN_OK;
}

/* ---- what changed ---- */

static int compare_rows(const void *a, const void *b)
{
    const gn_entity *left = a, *right = b;
    if (left->document != right->document) {
        return left->document < right->document ? -1 : 1;
    }
    return gn_name_compare((gn_name){left->key, left->key_size}, (gn_name){right->key, right->key_size});
}

static bool put_row(gn_fold *fold, const gn_entity *entity, gn_row *row, gn_buffer *text)
{
    const gn_document *document = &fold->program.documents[entity->document];
    gn_buffer work = {.arena = &fold->event};
    gn_name body;
    gn_arena_reset(&fold->event);
    if (!gn_cell_text(document, &entity->body, &work, &body)) {
        return false;
    }
    bool is_empty = entity == document->single && body.size == 2;
    *row = (gn_row){.document = entity->document, .key_at = text->size, .key_size = entity->key_size,
                    .body_at = text->size + entity->key_size, .body_size = is_empty ? 0 : body.size,
                    .removed = entity->body.kind == GN_REMOVED};
    return gn_buffer_put(text, entity->key, entity->key_size) && gn_buffer_put(text, body.bytes, body.size);
}

int gn_fold_changed(gn_fold *fold, const gn_row **rows, uint64_t *row_count, const uint8_t **text)
{
    assert(fold->changed_valid);
    uint32_t count = 0;
    gn_buffer out = {.arena = &fold->call};
    void **changed = gn_alloc_array(&fold->call, fold->touched_count, sizeof *changed);
    gn_row *written = gn_alloc_array(&fold->call, fold->touched_count, sizeof *written);
    if (changed == NULL || written == NULL || !gn_buffer_reserve(&out, 1)) {
        return GN_NO_MEMORY;
    }
    for (uint32_t i = 0; i < fold->touched_count; i++) {
        if (fold->touched[i]->touches > 0) {
            changed[count++] = fold->touched[i];
        }
    }
    if (count > 0 && !gn_sort(&fold->call, changed, count, compare_rows)) {
        return GN_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!put_row(fold, changed[i], &written[i], &out)) {
            return GN_NO_MEMORY;
        }
    }
    *rows = written;
    *row_count = count;
    *text = out.data;
    return GN_OK;
}
