/* What comes out: the entities that a run changed, and whole documents. */
#include "state.h"
#include "stream.h"

#define STREAM_SIZE_MIN ((uint64_t)4 << 20) /* smaller documents are better left in the caches */

/* A document is made as parts, stretches of text that follow each other: the kept lines of its entities (listing.c),
 * and what stands around them, in the memory of the call. Whoever asked for it then has them copied to where they are
 * wanted, once. */

bool gn_parts_put(gn_fold *fold, const uint8_t *bytes, size_t size)
{
    const gn_text part = {bytes, size};
    fold->parts_size += size;
    return size == 0 || gn_buffer_put(&fold->parts, &part, sizeof part);
}

static bool put_buffer(gn_fold *fold, const gn_buffer *buffer)
{
    return gn_parts_put(fold, buffer->data, buffer->size);
}

/* ---- compact ---- */

/* `{"key":body,...}` of every entity that is there, by key. */
static bool put_entities(gn_fold *fold, gn_document *document, gn_buffer *out)
{
    const gn_listing *listing = &document->listing;
    gn_buffer work = {.arena = &fold->call};
    if (!gn_listing_order(fold, document) || !gn_buffer_put_byte(out, '{')) {
        return false;
    }
    const size_t start = out->size;
    for (uint32_t i = 0; i < listing->count; i++) {
        const gn_entity *entity = gn_document_entity(document, listing->entries[i].index);
        gn_name body;
        if (entity->body.kind == GN_ABSENT || entity->body.kind == GN_REMOVED) {
            continue;
        }
        work.size = 0;
        bool put = (out->size == start || gn_buffer_put_byte(out, ',')) &&
                   gn_json_quote(entity->key, entity->key_size, out) && gn_buffer_put_byte(out, ':') &&
                   gn_cell_text(document, &entity->body, &work, &body) && gn_buffer_put(out, body.bytes, body.size);
        if (!put) {
            return false;
        }
    }
    return gn_buffer_put_byte(out, '}');
}

/* The members beside the root, and where the root goes among them. */
static bool find_root(gn_fold *fold, const gn_document *document, gn_name *beside, gn_place *place)
{
    gn_buffer work = {.arena = &fold->call};
    if (!gn_cell_text(document, &document->single->body, &work, beside)) {
        return false;
    }
    *place = gn_find(*beside, false, &document->root, 1);
    assert(place->missing_from == 0 && !place->wrong_type);
    return true;
}

static bool put_compact(gn_fold *fold, gn_document *document)
{
    gn_buffer out = {.arena = &fold->call};
    gn_name text, beside;
    gn_place place;
    if (document->is_record) {
        return gn_cell_text(document, &document->single->body, &out, &text) &&
               gn_parts_put(fold, text.bytes, text.size);
    }
    if (!put_entities(fold, document, &out) || out.size > UINT32_MAX / 2) {
        return false;
    }
    text = (gn_name){out.data, (uint32_t)out.size};
    if (document->has_root && (!find_root(fold, document, &beside, &place) ||
                               !gn_splice(&fold->call, beside, &place, &document->root, 1, text, &text))) {
        return false;
    }
    return gn_parts_put(fold, text.bytes, text.size);
}

/* ---- pretty ---- */

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

/* What stands in front of the entities, with their `{`, and behind their `}`. */
static bool put_around(gn_fold *fold, const gn_document *document, gn_buffer *front, gn_buffer *behind)
{
    gn_name beside;
    gn_place place;
    if (!document->has_root) {
        return gn_buffer_put_byte(front, '{') && gn_buffer_put_byte(behind, '\n');
    }
    if (!find_root(fold, document, &beside, &place)) {
        return false;
    }
    const uint8_t *middle = beside.bytes + place.at, *end = beside.bytes + beside.size - 1;
    return gn_buffer_put_byte(front, '{') && put_members(fold, beside.bytes + 1, middle, front) &&
           (front->size == 1 || gn_buffer_put_byte(front, ',')) && gn_buffer_put(front, "\n  ", 3) &&
           gn_json_quote(document->root.bytes, document->root.size, front) && gn_buffer_put(front, ": {", 3) &&
           (middle >= end || (gn_buffer_put_byte(behind, ',') && put_members(fold, middle, end, behind))) &&
           gn_buffer_put(behind, "\n}\n", 3);
}

/* The `}` of the entities: on a line of its own, unless there are none. */
static bool put_closing(gn_fold *fold, const gn_document *document, bool has_lines)
{
    static const char closing[] = "\n  }";
    const size_t indent = document->has_root ? 2 : 0;
    gn_buffer out = {.arena = &fold->call};
    return (!has_lines || gn_buffer_put(&out, closing, 1 + indent)) && gn_buffer_put_byte(&out, '}') &&
           put_buffer(fold, &out);
}

static bool put_record(gn_fold *fold, const gn_document *document)
{
    gn_buffer work = {.arena = &fold->call}, out = {.arena = &fold->call};
    gn_name text;
    return gn_cell_text(document, &document->single->body, &work, &text) &&
           gn_json_pretty(text.bytes, text.size, 0, &out) && gn_buffer_put_byte(&out, '\n') && put_buffer(fold, &out);
}

static bool put_pretty(gn_fold *fold, gn_document *document)
{
    gn_buffer front = {.arena = &fold->call}, behind = {.arena = &fold->call};
    if (document->is_record) {
        return put_record(fold, document);
    }
    if (!gn_listing_freshen(fold, document) || !put_around(fold, document, &front, &behind) ||
        !put_buffer(fold, &front)) {
        return false;
    }
    const size_t lines_at = fold->parts.size;
    if (!gn_listing_put(fold, &document->listing)) {
        return false;
    }
    const bool has_lines = fold->parts.size > lines_at;
    if (has_lines) { /* no comma before the first */
        gn_text *first = (gn_text *)(void *)(fold->parts.data + lines_at);
        assert(first->bytes[0] == ',');
        first->bytes++;
        first->size--;
        fold->parts_size--;
    }
    return put_closing(fold, document, has_lines) && put_buffer(fold, &behind);
}

/* ---- the border ---- */

int gn_fold_document(gn_fold *fold, uint32_t index, int pretty, uint64_t *size)
{
    if (index >= fold->program.document_count) {
        return GN_DOCUMENT_UNKNOWN;
    }
    gn_document *document = &fold->program.documents[index];
    fold->changed_valid = fold->parts_valid = false;
    gn_arena_reset(&fold->call);
    fold->parts = (gn_buffer){.arena = &fold->call};
    fold->parts_size = 0;
    if (!(pretty == 0 ? put_compact(fold, document) : put_pretty(fold, document))) {
        return GN_NO_MEMORY;
    }
    fold->parts_valid = true;
    *size = fold->parts_size;
    return GN_OK;
}

void gn_fold_document_copy(const gn_fold *fold, uint8_t *out)
{
    const gn_text *parts = (const gn_text *)(const void *)fold->parts.data;
    const size_t count = fold->parts.size / sizeof *parts;
    const bool is_large = fold->parts_size >= STREAM_SIZE_MIN, is_wide = fold->scan_delta != gn_scan_delta;
    uint64_t size = 0;
    assert(fold->parts_valid);
    if (is_large) {
        gn_ask_for_huge_pages(out, fold->parts_size); /* new small ones cost more than the copy, several times */
    }
    for (size_t i = 0; i < count; i++) {
        if (is_large) {
            gn_stream_copy(out + size, parts[i].bytes, parts[i].size, is_wide);
        } else {
            memcpy(out + size, parts[i].bytes, parts[i].size);
        }
        size += parts[i].size;
    }
    gn_stream_end();
    assert(size == fold->parts_size);
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
