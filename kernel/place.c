/* A place that an operation names: finding it, reading it, writing it. */
#include "apply.h"

const gn_name GN_EMPTY = {(const uint8_t *)"{}", 2};

bool gn_is_absent(const gn_target *at)
{
    if (at->is_cell) {
        return at->cell == NULL || at->cell->kind == GN_ABSENT || at->cell->kind == GN_REMOVED;
    }
    return at->place.missing_from < at->field_count;
}

bool gn_current_text(gn_fold *fold, const gn_target *at, gn_name *text)
{
    gn_buffer buffer = {.arena = &fold->event};
    *text = (gn_name){NULL, 0};
    if (gn_is_absent(at)) {
        return true;
    }
    if (at->is_cell) {
        return gn_cell_text(at->document, at->cell, &buffer, text);
    }
    *text = (gn_name){at->text.bytes + at->place.at, at->place.end - at->place.at};
    return true;
}

/* ---- finding the place ---- */

/* Where fields[0..) of an open object lie. */
static bool enter_object(gn_fold *fold, const gn_path *path, gn_target *at)
{
    gn_object *object = at->entity->body.as.object;
    gn_buffer buffer = {.arena = &fold->event};
    uint32_t run = 0;
    uint32_t slot = path->slot != GN_NONE ? path->slot : gn_slot_find(at->document, path->fields[0], &run);
    at->fields = path->fields;
    at->field_count = path->field_count;
    if (slot == GN_NONE) {
        at->cell = gn_object_run(object, run);
        at->text = (gn_name){at->cell->as.text, at->cell->size};
        at->bare = true;
        return true;
    }
    at->cell = gn_object_slot(object, slot);
    at->fields++;
    at->field_count--;
    at->is_cell = at->field_count == 0;
    if (at->is_cell) {
        return true;
    }
    if (at->cell->kind == GN_ABSENT) {
        at->text = GN_EMPTY;
        return true;
    }
    return gn_cell_text(at->document, at->cell, &buffer, &at->text);
}

int gn_find_place(gn_fold *fold, const gn_path *path, gn_entity *entity, gn_target *at, uint32_t *reason)
{
    *at = (gn_target){.document = &fold->program.documents[path->document], .entity = entity};
    at->cell = entity == NULL ? NULL : &entity->body;
    if (path->field_count == 0) {
        at->is_cell = true;
        return GN_OK;
    }
    if (entity == NULL || entity->body.kind == GN_ABSENT) {
        at->text = GN_EMPTY;
        at->fields = path->fields;
        at->field_count = path->field_count;
    } else {
        if (!gn_cell_is_object(&entity->body)) {
            *reason = GN_WRONG_TYPE;
            return GN_OK;
        }
        bool is_open = entity->body.kind == GN_OPEN;
        if ((!is_open && !gn_object_open(fold, entity)) || !enter_object(fold, path, at)) {
            return GN_NO_MEMORY;
        }
    }
    if (!at->is_cell) {
        at->place = gn_find(at->text, at->bare, at->fields, at->field_count);
        *reason = at->place.wrong_type ? GN_WRONG_TYPE : GN_NO_REASON;
    }
    return GN_OK;
}

/* ---- writing to it ---- */

/* The cell to write, saved; the entity made when it was not there. */
static bool open_cell(gn_fold *fold, const gn_path *path, gn_target *at)
{
    if (at->cell == NULL) {
        at->entity = gn_state_entity(fold, path->document, path->key);
        if (at->entity == NULL) {
            return false;
        }
        at->cell = &at->entity->body;
    }
    return gn_state_save(fold, at->entity, at->cell);
}

/* A cell with a text that the state keeps. */
static bool text_cell(gn_fold *fold, gn_name text, gn_cell *cell)
{
    *cell = (gn_cell){.size = text.size, .kind = GN_TEXT};
    uint8_t *bytes = gn_state_text(fold, text.size, &cell->is_owned);
    if (bytes == NULL) {
        return false;
    }
    memcpy(bytes, text.bytes, text.size);
    cell->as.text = bytes;
    return true;
}

bool gn_value_cell(gn_fold *fold, gn_name value, gn_cell *cell)
{
    *cell = gn_cell_of(value);
    return cell->kind != GN_TEXT || text_cell(fold, value, cell);
}

int gn_put_number(gn_fold *fold, gn_target *at, uint16_t kind, int64_t number)
{
    assert(at->is_cell && at->cell != NULL);
    if (!gn_state_save(fold, at->entity, at->cell)) {
        return GN_NO_MEMORY;
    }
    *at->cell = (gn_cell){.as.integer = number, .kind = kind};
    return GN_OK;
}

int gn_put(gn_fold *fold, const gn_path *path, gn_target *at, gn_name value)
{
    gn_cell cell;
    gn_name text;
    assert(value.size > 0);
    bool made = at->is_cell ? gn_value_cell(fold, value, &cell)
                            : gn_splice(&fold->event, at->text, &at->place, at->fields, at->field_count, value, &text) &&
                                  text_cell(fold, text, &cell);
    if (!made || !open_cell(fold, path, at)) {
        return GN_NO_MEMORY;
    }
    *at->cell = cell;
    return GN_OK;
}

int gn_take_out(gn_fold *fold, const gn_path *path, gn_target *at)
{
    gn_cell cell = {.kind = GN_ABSENT};
    gn_name text;
    if (!at->is_cell) {
        if (!gn_cut(&fold->event, at->text, &at->place, &text) || !text_cell(fold, text, &cell)) {
            return GN_NO_MEMORY;
        }
    } else if (path->field_count == 0) {
        cell.kind = GN_REMOVED;
    }
    if (!open_cell(fold, path, at)) {
        return GN_NO_MEMORY;
    }
    *at->cell = cell;
    return GN_OK;
}
