/* A handle: open with a program, load entities, fold frames, close. The public side of the fold. */
#include "state.h"

/* ---- open, close ---- */

static gn_delta_reader *widest_reader(void)
{
#if defined(GN_HAS_WIDE)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")) {
        return gn_scan_delta_wide;
    }
#endif
    return gn_scan_delta;
}

static int open_fold(gn_fold *fold, const uint8_t *program, uint64_t size, const uint8_t *seed, uint64_t *position)
{
    gn_hash_open(&fold->hash_keys, seed);
    uint8_t *kept = gn_alloc(&fold->self, size);
    if (kept == NULL) {
        return GN_NO_MEMORY;
    }
    memcpy(kept, program, size);
    int status = gn_program_open(&fold->self, kept, size, &fold->program, position);
    if (status != GN_OK) {
        return status;
    }
    gn_listing_open(fold, fold->self.size_max);
    const size_t terms = fold->program.term_count;
    fold->totals = gn_alloc_array(&fold->self, terms + 1, sizeof *fold->totals);
    fold->pending = gn_alloc_array(&fold->self, terms + 1, sizeof *fold->pending);
    if (fold->totals == NULL || fold->pending == NULL) {
        return GN_NO_MEMORY;
    }
    memset(fold->totals, 0, (terms + 1) * sizeof *fold->totals);
    status = gn_state_open(fold);
    fold->compacted_size = gn_state_size(fold);
    return status;
}

gn_fold *gn_fold_open(const uint8_t *program, uint64_t size, const uint8_t *seed, uint64_t memory_max,
                      uint64_t fail_at, int *status, uint64_t *position)
{
    gn_arena self;
    *position = 0;
    gn_arena_open(&self, memory_max);
    self.fail_at = fail_at;
    gn_fold *fold = gn_alloc(&self, sizeof *fold);
    if (fold == NULL) {
        gn_arena_close(&self);
        *status = GN_NO_MEMORY;
        return NULL;
    }
    *fold = (gn_fold){.self = self, .scan_delta = widest_reader()};
    gn_arena_open(&fold->state, memory_max);
    gn_arena_open(&fold->slotted, memory_max);
    gn_arena_open(&fold->call, memory_max);
    gn_arena_open(&fold->event, memory_max);
    fold->state.fail_at = fold->slotted.fail_at = fail_at;
    *status = open_fold(fold, program, size, seed, position);
    if (*status != GN_OK) {
        gn_fold_close(fold);
        return NULL;
    }
    return fold;
}

void gn_fold_close(gn_fold *fold)
{
    if (fold == NULL) {
        return;
    }
    gn_listing_close(fold);
    gn_arena_close(&fold->event);
    gn_arena_close(&fold->call);
    gn_arena_close(&fold->slotted);
    gn_arena_close(&fold->state);
    gn_arena self = fold->self;
    gn_arena_close(&self);
}

void gn_fold_fail_at(gn_fold *fold, uint64_t fail_at)
{
    fold->state.fail_at = fold->slotted.fail_at = fail_at;
    fold->call.fail_at = fail_at;
    fold->event.fail_at = fail_at;
    fold->listings.fail_at = fail_at;
    for (uint32_t i = 0; i < fold->program.document_count; i++) {
        fold->program.documents[i].listing.texts.fail_at = fail_at;
    }
}

void gn_fold_read_narrow(gn_fold *fold)
{
    fold->scan_delta = gn_scan_delta;
}

void gn_fold_memory(const gn_fold *fold, uint64_t *state, uint64_t *all)
{
    *state = gn_state_size(fold);
    *all = fold->self.size + *state + fold->call.size + fold->event.size + fold->listings.size;
    for (uint32_t i = 0; i < fold->program.document_count; i++) {
        *all += fold->program.documents[i].listing.texts.size;
    }
}

/* ---- one call that writes ---- */

static void begin(gn_fold *fold)
{
    fold->changed_valid = fold->parts_valid = false;
    gn_arena_reset(&fold->call);
    gn_arena_reset(&fold->event);
    gn_state_compact(fold);
    fold->run++;
    assert(fold->run != 0);
    fold->undo = NULL;
    fold->undo_count = fold->undo_room = 0;
    fold->saved_owned = false;
    fold->touched = NULL;
    fold->touched_count = fold->touched_room = 0;
    memset(fold->pending, 0, fold->program.term_count * sizeof *fold->pending);
    fold->lines = (gn_buffer){.arena = &fold->call};
    fold->line_text = (gn_buffer){.arena = &fold->call};
}

static int undo_all(gn_fold *fold, int status)
{
    gn_state_roll_back(fold, 0);
    fold->touched_count = 0;
    return status;
}

/* ---- load ---- */

static int check_row(gn_fold *fold, const uint8_t *text, const gn_row *row, uint64_t *position)
{
    if (row->document >= fold->program.document_count) {
        return GN_DOCUMENT_UNKNOWN;
    }
    const gn_document *document = &fold->program.documents[row->document];
    bool is_at = document->has_root && row->key_size == 1 && text[row->key_at] == '@';
    if (document->is_record ? row->key_size != 0 || row->removed : is_at && row->removed) {
        return GN_ROW_INVALID;
    }
    if (row->removed) {
        return GN_OK;
    }
    gn_arena_reset(&fold->event);
    int status = gn_scan_value(&fold->event, text + row->body_at, row->body_size, position);
    if (status == GN_OK && (document->is_record || is_at) && text[row->body_at] != '{') {
        return GN_ROW_INVALID;
    }
    if (status == GN_OK && is_at) {
        gn_place place = gn_find((gn_name){text + row->body_at, row->body_size}, false, &document->root, 1);
        return place.missing_from == 1 ? GN_ROW_INVALID : GN_OK;
    }
    return status;
}

static int load_row(gn_fold *fold, const uint8_t *text, const gn_row *row)
{
    gn_document *document = &fold->program.documents[row->document];
    gn_name key = {text + row->key_at, row->key_size};
    gn_cell body = {.kind = GN_REMOVED};
    bool is_single = document->is_record || (document->has_root && key.size == 1 && key.bytes[0] == '@');
    gn_entity *entity = is_single ? document->single : gn_state_entity(fold, row->document, key);
    if (entity == NULL ||
        (!row->removed && !gn_pack_body(fold, document, (gn_name){text + row->body_at, row->body_size}, &body)) ||
        !gn_state_save(fold, entity, &entity->body)) {
        return GN_NO_MEMORY;
    }
    entity->body = body;
    return GN_OK;
}

int gn_fold_load(gn_fold *fold, const uint8_t *text, const gn_row *rows, uint64_t count, uint64_t *position)
{
    begin(fold);
    for (uint64_t i = 0; i < count; i++) {
        int status = check_row(fold, text, &rows[i], position);
        if (status != GN_OK) {
            return status;
        }
    }
    for (uint64_t i = 0; i < count; i++) {
        int status = load_row(fold, text, &rows[i]);
        if (status != GN_OK) {
            *position = 0;
            return undo_all(fold, status);
        }
    }
    for (uint32_t i = 0; i < fold->touched_count; i++) {
        gn_entity *entity = fold->touched[i];
        if (!entity->loaded) { /* what is loaded again takes the place of what was */
            fold->compacted_size += gn_entity_live_size(&fold->program.documents[entity->document], entity);
        }
        entity->loaded = true;
    }
    return GN_OK;
}

/* ---- needs ---- */

typedef struct wanted {
    gn_buffer rows;
    gn_buffer keys;
} wanted;

static int want_entity(gn_fold *fold, void *context, uint32_t index, gn_name key)
{
    wanted *list = context;
    gn_entity *entity = gn_state_entity(fold, index, key);
    if (entity == NULL) {
        return GN_NO_MEMORY;
    }
    if (entity->loaded || entity->asked == fold->needs_call) {
        return GN_OK;
    }
    entity->asked = fold->needs_call;
    gn_row row = {.document = index, .key_at = list->keys.size, .key_size = key.size};
    bool put = gn_buffer_put(&list->keys, key.bytes, key.size) && gn_buffer_put(&list->rows, &row, sizeof row);
    return put ? GN_OK : GN_NO_MEMORY;
}

/* Records and the members beside a root: any rule or derived field may touch them. */
static int want_singles(gn_fold *fold, wanted *list)
{
    for (uint32_t i = 0; i < fold->program.document_count; i++) {
        const gn_entity *single = fold->program.documents[i].single;
        if (single == NULL || single->loaded) {
            continue;
        }
        gn_row row = {.document = i, .key_at = list->keys.size, .key_size = single->key_size};
        if (!gn_buffer_put(&list->keys, single->key, single->key_size) ||
            !gn_buffer_put(&list->rows, &row, sizeof row)) {
            return GN_NO_MEMORY;
        }
    }
    return GN_OK;
}

int gn_fold_needs(gn_fold *fold, const uint8_t *text, const gn_event *events, uint64_t count,
                  const gn_row **rows, uint64_t *row_count, const uint8_t **keys, uint64_t *event_at,
                  uint64_t *position)
{
    wanted list = {.rows = {.arena = &fold->call}, .keys = {.arena = &fold->call}};
    begin(fold);
    fold->needs_call++;
    *event_at = *position = 0;
    int status = gn_buffer_reserve(&list.rows, 1) && gn_buffer_reserve(&list.keys, 1) ? want_singles(fold, &list)
                                                                                      : GN_NO_MEMORY;
    for (uint64_t i = 0; status == GN_OK && i < count; i++) {
        *event_at = i;
        status = gn_delta_needs(fold, &events[i], text, want_entity, &list, position);
    }
    *rows = (const gn_row *)(const void *)list.rows.data;
    *row_count = list.rows.size / sizeof(gn_row);
    *keys = list.keys.data;
    return status;
}

/* ---- run ---- */

static int run_events(gn_fold *fold, const uint8_t *text, const gn_event *events, uint32_t count,
                      gn_receipt *receipts, uint64_t *event_at, uint64_t *position)
{
    uint32_t *order;
    int status = gn_sequence(fold, text, events, count, &order) ? GN_OK : GN_NO_MEMORY;
    for (uint32_t i = 0, taken; status == GN_OK && i < count; i += taken) {
        uint32_t failed;
        status = gn_deltas_run(fold, text, events, order + i, count - i, receipts, &taken, &failed, position);
        *event_at = failed;
    }
    /* Only a frame with events folds: without any, derived fields are not written either. */
    return status != GN_OK || count == 0 ? status : gn_derive_write(fold);
}

int gn_fold_run(gn_fold *fold, const uint8_t *text, const gn_event *events, uint64_t count,
                const gn_receipt **receipts, const gn_line **lines, uint64_t *line_count,
                const uint8_t **line_text, uint64_t *event_at, uint64_t *position)
{
    begin(fold);
    *event_at = *position = 0;
    gn_receipt *written = count > UINT32_MAX / 2 ? NULL : gn_alloc_array(&fold->call, count, sizeof *written);
    if (written == NULL || !gn_buffer_reserve(&fold->lines, 1) || !gn_buffer_reserve(&fold->line_text, 1)) {
        return GN_NO_MEMORY;
    }
    if (!gn_state_expect(fold, (uint32_t)count)) {
        return GN_NO_MEMORY;
    }
    int status = run_events(fold, text, events, (uint32_t)count, written, event_at, position);
    if (status != GN_OK) {
        return undo_all(fold, status);
    }
    for (uint32_t i = 0; i < fold->program.term_count; i++) {
        fold->totals[i] += fold->pending[i];
    }
    fold->changed_valid = true;
    *receipts = written;
    *lines = (const gn_line *)(const void *)fold->lines.data;
    *line_count = fold->lines.size / sizeof(gn_line);
    *line_text = fold->line_text.data;
    return GN_OK;
}

/* ---- totals ---- */

uint32_t gn_fold_term_count(const gn_fold *fold)
{
    return fold->program.term_count;
}

void gn_fold_totals(const gn_fold *fold, uint8_t *out)
{
    for (uint32_t i = 0; i < fold->program.term_count; i++) {
        gn_uint128 value = (gn_uint128)fold->totals[i];
        for (uint32_t j = 0; j < 16; j++) {
            out[16 * i + j] = (uint8_t)(value >> (8 * j));
        }
    }
}

void gn_fold_set_totals(gn_fold *fold, const uint8_t *values)
{
    for (uint32_t i = 0; i < fold->program.term_count; i++) {
        gn_uint128 value = 0;
        for (uint32_t j = 0; j < 16; j++) {
            value |= (gn_uint128)values[16 * i + j] << (8 * j);
        }
        fold->totals[i] = (gn_int128)value;
    }
}

int gn_fold_recount(gn_fold *fold)
{
    begin(fold);
    for (uint32_t i = 0; i < fold->program.document_count; i++) {
        const gn_document *document = &fold->program.documents[i];
        for (uint32_t j = 0; document->term_count > 0 && j < document->entity_count; j++) {
            gn_arena_reset(&fold->event);
            if (!gn_derive_count(fold, gn_document_entity(document, j), 1, fold->pending)) {
                return GN_NO_MEMORY;
            }
        }
    }
    memcpy(fold->totals, fold->pending, fold->program.term_count * sizeof *fold->totals);
    return GN_OK;
}
