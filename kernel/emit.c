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

/* ---- pretty ----
 *
 * A document is lines: one for each entity, with its key and everything below it, and those of the members beside
 * the root. An entity's line is kept until the entity is touched, so a document of which little changed is copied
 * together from lines that lie there. */

#define LINES_SLACK ((uint64_t)16 << 20)
#define INDENT_SIZE 2u

static bool put_indent(gn_buffer *out, uint32_t depth)
{
    for (uint32_t i = 0; i < depth * INDENT_SIZE; i++) {
        if (!gn_buffer_put_byte(out, ' ')) {
            return false;
        }
    }
    return true;
}

/* `<line feed><indent>"key": `, what each member of a pretty object begins with. */
static bool put_member(gn_buffer *out, uint32_t depth, gn_name key)
{
    return gn_buffer_put_byte(out, '\n') && put_indent(out, depth) && gn_json_quote(key.bytes, key.size, out) &&
           gn_buffer_put(out, ": ", 2);
}

/* The entity's line, written and kept when it is not there; false when memory ends. */
static bool keep_line(gn_fold *fold, const gn_document *document, gn_entity *entity, uint32_t depth, gn_buffer *work)
{
    gn_buffer buffer = {.arena = &fold->event};
    gn_name body;
    gn_arena_reset(&fold->event);
    work->size = 0;
    if (!put_member(work, depth, (gn_name){entity->key, entity->key_size}) ||
        !gn_cell_text(document, &entity->body, &buffer, &body) ||
        !gn_json_pretty(body.bytes, body.size, depth, work) || work->size > UINT32_MAX) {
        return false;
    }
    uint8_t *kept = gn_alloc(&fold->lines_kept, work->size);
    if (kept == NULL) {
        return false;
    }
    memcpy(kept, work->data, work->size);
    fold->lines_live += work->size - entity->line_size;
    entity->line = kept;
    entity->line_size = (uint32_t)work->size;
    return true;
}

static bool is_listed(const gn_entity *entity)
{
    return entity->body.kind != GN_ABSENT && entity->body.kind != GN_REMOVED;
}

/* Every entity's line kept; *size is what they come to with a comma each. */
static bool keep_lines(gn_fold *fold, gn_document *document, uint32_t depth, size_t *size)
{
    gn_buffer work = {.arena = &fold->call};
    *size = 0;
    if (!gn_state_sort(fold, document)) {
        return false;
    }
    for (uint32_t i = 0; i < document->entity_count; i++) {
        gn_entity *entity = document->entities[i];
        if (!is_listed(entity)) {
            continue;
        }
        if (entity->line == NULL && !keep_line(fold, document, entity, depth, &work)) {
            return false;
        }
        *size += (size_t)entity->line_size + 1;
    }
    return true;
}

/* The entities as a pretty object, of which `depth` values are around it. */
static bool put_lines(gn_fold *fold, gn_document *document, uint32_t depth, gn_buffer *out)
{
    size_t size;
    if (!keep_lines(fold, document, depth + 1, &size) || !gn_buffer_reserve(out, size + depth * INDENT_SIZE + 4)) {
        return false;
    }
    out->data[out->size++] = '{';
    const size_t start = out->size;
    for (uint32_t i = 0; i < document->entity_count; i++) {
        const gn_entity *entity = document->entities[i];
        if (is_listed(entity)) {
            if (out->size > start) {
                out->data[out->size++] = ',';
            }
            memcpy(out->data + out->size, entity->line, entity->line_size);
            out->size += entity->line_size;
        }
    }
    bool closed = out->size == start || (gn_buffer_put_byte(out, '\n') && put_indent(out, depth));
    return closed && gn_buffer_put_byte(out, '}');
}

/* Some of the members of an object, without its braces, as the lines of a pretty one. */
static bool put_members(gn_fold *fold, const uint8_t *from, const uint8_t *to, gn_buffer *out)
{
    gn_buffer work = {.arena = &fold->call};
    from += from < to && *from == ',';
    to -= from < to && to[-1] == ',';
    if (from >= to) {
        return true;
    }
    size_t start = out->size;
    bool put = gn_buffer_put_byte(&work, '{') && gn_buffer_put(&work, from, (size_t)(to - from)) &&
               gn_buffer_put_byte(&work, '}') && gn_json_pretty(work.data, work.size, 0, out);
    if (put) { /* without `{` in front and `<line feed>}` behind */
        memmove(out->data + start, out->data + start + 1, out->size - start - 1);
        out->size -= 3;
    }
    return put;
}

/* A document with a root: the members beside it, and the root among them by its name. */
static bool put_rooted(gn_fold *fold, gn_document *document, gn_buffer *out)
{
    gn_buffer work = {.arena = &fold->call};
    gn_name beside;
    if (!gn_cell_text(document, &document->single->body, &work, &beside)) {
        return false;
    }
    const gn_place place = gn_find(beside, false, &document->root, 1);
    const uint8_t *middle = beside.bytes + place.at, *end = beside.bytes + beside.size - 1;
    assert(place.missing_from == 0 && !place.wrong_type);
    if (!gn_buffer_put_byte(out, '{') || !put_members(fold, beside.bytes + 1, middle, out) ||
        (out->size > 1 && !gn_buffer_put_byte(out, ',')) || !put_member(out, 1, document->root) ||
        !put_lines(fold, document, 1, out)) {
        return false;
    }
    return (middle >= end || (gn_buffer_put_byte(out, ',') && put_members(fold, middle, end, out))) &&
           gn_buffer_put(out, "\n}", 2);
}

static bool put_pretty(gn_fold *fold, gn_document *document, gn_buffer *out)
{
    gn_name text;
    if (!document->is_record) {
        return document->has_root ? put_rooted(fold, document, out) : put_lines(fold, document, 0, out);
    }
    return document_text(fold, document, &text) && gn_json_pretty(text.bytes, text.size, 0, out);
}

/* Lines of entities that changed since are left behind: past twice what was in use, all are written anew. */
static void sweep_lines(gn_fold *fold)
{
    if (fold->lines_kept.size < 2 * fold->lines_live + LINES_SLACK) {
        return;
    }
    for (uint32_t i = 0; i < fold->program.document_count; i++) {
        const gn_document *document = &fold->program.documents[i];
        for (uint32_t j = 0; j < document->entity_count; j++) {
            document->entities[j]->line = NULL;
            document->entities[j]->line_size = 0;
        }
    }
    fold->lines_live = 0;
    gn_arena_close(&fold->lines_kept);
}

int gn_fold_document(gn_fold *fold, uint32_t index, int pretty, const uint8_t **out, uint64_t *out_size)
{
    if (index >= fold->program.document_count) {
        return GN_DOCUMENT_UNKNOWN;
    }
    gn_name text;
    gn_document *document = &fold->program.documents[index];
    gn_buffer written = {.arena = &fold->call};
    fold->changed_valid = false;
    gn_arena_reset(&fold->call);
    if (pretty == 0) {
        if (!document_text(fold, document, &text)) {
            return GN_NO_MEMORY;
        }
        *out = text.bytes;
        *out_size = text.size;
        return GN_OK;
    }
    sweep_lines(fold);
    if (!put_pretty(fold, document, &written) || !gn_buffer_put_byte(&written, '\n')) {
        return GN_NO_MEMORY;
    }
    *out = written.data;
    *out_size = written.size;
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
