/* The units of one delta: each rule over its items, in the order of the file, then `ops`.
 *
 * A unit applies whole or not at all: its writes are undone when an operation without `?` cannot apply.
 * The same walk answers gn_unit_needs, which only renders the keys: which entities a delta may touch follows
 * from the delta alone, never from the state. */
#include "unit.h"

/* ---- receipts ---- */

int gn_work_line(gn_work *work, uint32_t outcome, uint32_t reason, gn_name operation)
{
    gn_fold *fold = work->fold;
    gn_line line = {.text_at = fold->line_text.size, .text_size = operation.size, .event = work->event_index,
                    .source_index = work->source_index, .item = work->item, .source = (uint8_t)work->source,
                    .outcome = (uint8_t)outcome, .reason = (uint8_t)reason};
    bool put = gn_buffer_put(&fold->line_text, operation.bytes, operation.size) &&
               gn_buffer_put(&fold->lines, &line, sizeof line);
    work->receipt->line_count += put;
    return put ? GN_OK : GN_NO_MEMORY;
}

int gn_work_skip(gn_work *work, uint32_t reason, gn_name operation)
{
    work->receipt->units_in++;
    work->receipt->skipped++;
    return gn_work_line(work, GN_SKIPPED, reason, operation);
}

static bool put_slash_segment(gn_buffer *out, gn_name segment)
{
    return gn_buffer_put_byte(out, '/') && gn_put_segment(out, segment);
}

bool gn_work_operation(gn_work *work, uint32_t code, const gn_path *path, gn_name *text)
{
    const gn_document *document = &work->fold->program.documents[path->document];
    const gn_name name = gn_operation_name(code);
    gn_buffer out = {.arena = &work->fold->event};
    bool put = gn_buffer_put(&out, name.bytes, name.size) && gn_buffer_put_byte(&out, ' ') &&
               put_slash_segment(&out, document->name) &&
               (document->is_record || path->key.bytes == NULL || put_slash_segment(&out, path->key));
    for (uint32_t i = 0; put && i < path->field_count; i++) {
        put = put_slash_segment(&out, path->fields[i]);
    }
    *text = (gn_name){out.data, (uint32_t)out.size};
    return put;
}

/* ---- operations of a rule ---- */

/* The operation's place in path, its fields in `fields`. */
static int operation_path(gn_work *work, const gn_operation *operation, gn_name *fields, gn_path *path,
                          uint32_t *reason)
{
    const gn_document *document = &work->fold->program.documents[operation->document];
    uint32_t first = document->is_record ? 0 : 1;
    *path = (gn_path){.document = operation->document, .fields = fields, .slot = operation->slot};
    for (uint32_t i = 0; i < operation->segment_count; i++) {
        const gn_segment *segment = &operation->segments[i];
        gn_name text = segment->literal;
        bool missing = false;
        if (segment->kind == GN_SEGMENT_TEMPLATE && !gn_segment_text(work, &segment->template, &text, &missing)) {
            return GN_NO_MEMORY;
        }
        if (missing) {
            *reason = GN_MISSING_FIELD;
            return GN_OK;
        }
        if (i >= first) {
            fields[path->field_count++] = text;
        } else if (segment->kind == GN_SEGMENT_AT) {
            path->is_at = true;
            path->key = (gn_name){(const uint8_t *)"@", 1};
        } else {
            path->key = text;
        }
    }
    bool is_at_by_chance = document->has_root && !path->is_at && path->key.size == 1 && path->key.bytes[0] == '@';
    *reason = is_at_by_chance ? GN_UNKNOWN_ENTITY : GN_NO_REASON;
    return GN_OK;
}

/* The entity of a plain operation, looked up once a unit; NULL: not there, or not by this short way. */
static int unit_entity(gn_work *work, const gn_operation *operation, gn_entity **entities, gn_entity **entity)
{
    gn_fold *fold = work->fold;
    const gn_document *document = &fold->program.documents[operation->document];
    gn_name key;
    bool missing;
    if (operation->entity == GN_NONE) {
        *entity = document->single;
        return GN_OK;
    }
    *entity = entities[operation->entity];
    if (*entity != NULL) {
        return GN_OK;
    }
    if (!gn_segment_text(work, &operation->segments[0].template, &key, &missing)) {
        return GN_NO_MEMORY;
    }
    bool is_at = !missing && document->has_root && key.size == 1 && key.bytes[0] == '@';
    *entity = missing || is_at ? NULL : gn_state_find(fold, operation->document, key);
    entities[operation->entity] = *entity;
    return GN_OK;
}

/* Try the short way for an operation that is_plain; *done when it applied. */
static int run_plain(gn_work *work, const gn_operation *operation, gn_entity **entities, bool *done)
{
    gn_entity *entity;
    gn_name value = operation->literal;
    *done = false;
    int status = unit_entity(work, operation, entities, &entity);
    if (status != GN_OK || entity == NULL) {
        return status;
    }
    if (operation->value_kind == GN_VALUE_REFERENCE && !gn_reference_text(work, &operation->reference, &value)) {
        return GN_NO_MEMORY;
    }
    return gn_apply_plain(work->fold, operation, entity, value, done);
}

static int run_operation(gn_work *work, const gn_operation *operation, gn_name *fields, gn_path *path,
                         uint32_t *reason)
{
    int status = operation_path(work, operation, fields, path, reason);
    if (status != GN_OK || *reason == GN_MISSING_FIELD) {
        return status;
    }
    gn_name value = operation->literal;
    if (operation->value_kind == GN_VALUE_REFERENCE) {
        if (!gn_reference_text(work, &operation->reference, &value)) {
            return GN_NO_MEMORY;
        }
        if (value.size == 0) {
            *reason = GN_MISSING_FIELD;
        }
    }
    if (*reason != GN_NO_REASON) {
        return GN_OK;
    }
    if (work->need != NULL) {
        bool is_single = path->is_at || work->fold->program.documents[path->document].is_record;
        return is_single ? GN_OK : work->need(work->fold, work->need_context, path->document, path->key);
    }
    return gn_apply(work->fold, path, operation->code, value, false, reason);
}

/* ---- units ---- */

/* Where a unit began: what is put back when it is skipped. */
typedef struct gn_mark {
    uint32_t undo_count;
    size_t lines, line_text;
    uint32_t line_count;
} gn_mark;

static gn_mark mark_of(const gn_work *work)
{
    const gn_fold *fold = work->fold;
    return (gn_mark){fold->undo_count, fold->lines.size, fold->line_text.size, work->receipt->line_count};
}

static void back_to(gn_work *work, const gn_mark *mark)
{
    gn_state_roll_back(work->fold, mark->undo_count);
    work->fold->lines.size = mark->lines;
    work->fold->line_text.size = mark->line_text;
    work->receipt->line_count = mark->line_count;
}

/* Duplicate check and `into`. *ended: the unit is over, and counted. */
static int run_into(gn_work *work, const gn_rule *rule, bool *ended)
{
    gn_fold *fold = work->fold;
    const gn_name none = {NULL, 0};
    gn_name key;
    bool missing;
    *ended = false;
    if (!gn_key_text(work, rule, &key, &missing)) {
        return GN_NO_MEMORY;
    }
    const gn_document *document = &fold->program.documents[rule->into];
    bool is_at_by_chance = !missing && document->has_root && key.size == 1 && key.bytes[0] == '@';
    if (work->need != NULL) {
        return missing || is_at_by_chance ? GN_OK : work->need(fold, work->need_context, rule->into, key);
    }
    if (missing || is_at_by_chance) {
        *ended = true;
        return gn_work_skip(work, missing ? GN_MISSING_KEY : GN_UNKNOWN_ENTITY, none);
    }
    gn_entity *entity = gn_state_entity(fold, rule->into, key);
    if (entity == NULL) {
        return GN_NO_MEMORY;
    }
    if (entity->body.kind != GN_ABSENT) {
        *ended = true;
        work->receipt->units_in++;
        work->receipt->duplicate++;
        return gn_work_line(work, GN_DUPLICATE, GN_KEY_EXISTS, none);
    }
    return gn_insert(fold, entity, work->value);
}

static int run_unit(gn_work *work, const gn_rule *rule)
{
    gn_name fields[GN_NAME_SEGMENTS_MAX];
    gn_name text = {NULL, 0};
    gn_path path;
    gn_entity *entities[GN_RULE_ENTITIES] = {NULL};
    const gn_mark mark = work->need == NULL ? mark_of(work) : (gn_mark){0};
    uint32_t applied = rule->into != GN_NONE, optional = 0, first_reason = GN_NO_REASON;
    work->fold->unit++;
    bool ended = false;
    int status = rule->into == GN_NONE ? GN_OK : run_into(work, rule, &ended);
    for (uint32_t i = 0; status == GN_OK && !ended && i < rule->operation_count; i++) {
        const gn_operation *operation = &rule->operations[i];
        uint32_t reason = GN_NO_REASON;
        bool done = false;
        if (operation->is_plain && work->need == NULL) {
            status = run_plain(work, operation, entities, &done);
        }
        if (done || status != GN_OK) {
            applied++;
            continue;
        }
        status = run_operation(work, operation, fields, &path, &reason);
        if (status != GN_OK || work->need != NULL) {
            continue;
        }
        if (reason == GN_NO_REASON) {
            applied++;
            continue;
        }
        if (!gn_work_operation(work, operation->code, &path, &text)) {
            return GN_NO_MEMORY;
        }
        first_reason = first_reason == GN_NO_REASON ? reason : first_reason;
        if (!operation->optional) {
            back_to(work, &mark);
            return gn_work_skip(work, reason, text);
        }
        optional++;
        status = gn_work_line(work, GN_OPTIONAL, reason, text);
    }
    if (status != GN_OK || ended || work->need != NULL) {
        return status;
    }
    if (applied == 0) {
        back_to(work, &mark);
        return gn_work_skip(work, first_reason == GN_NO_REASON ? GN_NO_RULE : first_reason, text);
    }
    gn_state_settle(work->fold, mark.undo_count);
    work->receipt->units_in++;
    work->receipt->applied++;
    work->receipt->optional_skipped += optional;
    return GN_OK;
}

static bool picks(const gn_work *work, const gn_rule *rule)
{
    return !rule->has_when || gn_name_equal(gn_span_name(work, work->slots[rule->when_slot]), rule->when_literal);
}

static void take_item(gn_work *work, const gn_items *items, uint32_t index)
{
    const gn_span *spans = items->spans + (size_t)index * items->stride;
    work->item = index;
    work->value = gn_span_name(work, spans[0]);
    work->key = gn_span_name(work, spans[1]);
    work->slots = spans + 2;
}

static bool is_there(const gn_work *work, const gn_items *items)
{
    return items->whole.size > 0 && work->delta.body[items->whole.at] != 'n';
}

/* A rule over the items of its source. */
static int run_rule(gn_work *work, const gn_rule *rule)
{
    const gn_items *items = &work->delta.items[rule->source];
    if (!is_there(work, items)) {
        return GN_OK;
    }
    if (!items->iterable) {
        work->item = 0;
        return work->need != NULL ? GN_OK
                                  : gn_work_skip(work, work->is_fallback ? GN_FALLBACK : GN_NOT_ITERABLE,
                                                 (gn_name){NULL, 0});
    }
    for (uint32_t i = 0; i < items->count; i++) {
        take_item(work, items, i);
        if (!picks(work, rule)) {
            continue;
        }
        if (items->matched != NULL) {
            items->matched[i] = true;
        }
        int status = GN_OK;
        if (!work->is_fallback) {
            status = run_unit(work, rule);
        } else if (work->need == NULL) {
            status = gn_work_skip(work, GN_FALLBACK, (gn_name){NULL, 0});
        }
        if (status != GN_OK) {
            return status;
        }
    }
    return GN_OK;
}

/* The delta itself as the item of a rule. */
static int run_delta_rule(gn_work *work, const gn_rule *rule, bool *matched)
{
    work->item = 0;
    work->value = (gn_name){work->delta.body, work->event->body_size};
    work->key = (gn_name){NULL, 0};
    work->slots = work->delta.slots;
    if (work->is_fallback || !picks(work, rule)) {
        return GN_OK;
    }
    *matched = true;
    return run_unit(work, rule);
}

/* ---- what no rule took ---- */

/* Items that every `when` of their rules left out. */
static int skip_left_out(gn_work *work, uint32_t source)
{
    const gn_items *items = &work->delta.items[source];
    if (!is_there(work, items) || !work->fold->program.sources[source].has_when_only) {
        return GN_OK;
    }
    for (uint32_t i = 0; i < items->count; i++) {
        work->item = i;
        if (!items->matched[i]) {
            int status = gn_work_skip(work, work->is_fallback ? GN_FALLBACK : GN_NO_RULE, (gn_name){NULL, 0});
            if (status != GN_OK) {
                return status;
            }
        }
    }
    return GN_OK;
}

/* Members that hold something and that no rule names. */
static int skip_unnamed(gn_work *work)
{
    const size_t count = work->delta.unnamed.size / sizeof(gn_name);
    work->source = GN_SOURCE_MEMBER;
    work->item = 0;
    for (size_t i = 0; i < count; i++) {
        gn_name key;
        memcpy(&key, work->delta.unnamed.data + i * sizeof key, sizeof key);
        int status = gn_work_skip(work, work->is_fallback ? GN_FALLBACK : GN_NO_RULE, key);
        if (status != GN_OK) {
            return status;
        }
    }
    return GN_OK;
}

static int run_rules(gn_work *work)
{
    const gn_program *program = &work->fold->program;
    uint32_t last_delta_rule = GN_NONE;
    bool delta_matched = false;
    for (uint32_t i = 0; i < program->rule_count; i++) {
        const gn_rule *rule = &program->rules[i];
        work->source = GN_SOURCE_RULE;
        work->source_index = i;
        last_delta_rule = rule->source == GN_NONE ? i : last_delta_rule;
        int status = rule->source == GN_NONE ? run_delta_rule(work, rule, &delta_matched) : run_rule(work, rule);
        if (status != GN_OK) {
            return status;
        }
    }
    if (work->need != NULL) {
        return GN_OK;
    }
    if (last_delta_rule != GN_NONE && !delta_matched && !work->is_fallback) {
        work->source_index = last_delta_rule;
        work->item = 0;
        int status = gn_work_skip(work, GN_NO_RULE, (gn_name){NULL, 0});
        if (status != GN_OK) {
            return status;
        }
    }
    for (uint32_t i = 0; i < program->rule_count; i++) {
        const uint32_t source = program->rules[i].source;
        bool is_first = source != GN_NONE;
        for (uint32_t j = 0; is_first && j < i; j++) {
            is_first = program->rules[j].source != source;
        }
        work->source_index = i;
        int status = is_first ? skip_left_out(work, source) : GN_OK;
        if (status != GN_OK) {
            return status;
        }
    }
    return skip_unnamed(work);
}

/* ---- one delta ---- */

/* For the sources that a `when` may leave items of: which were taken by some rule. */
static bool prepare_matched(gn_work *work)
{
    for (uint32_t i = 0; i < work->fold->program.source_count; i++) {
        gn_items *items = &work->delta.items[i];
        if (!work->fold->program.sources[i].has_when_only || items->count == 0) {
            continue;
        }
        items->matched = gn_alloc_array(&work->fold->event, items->count, sizeof *items->matched);
        if (items->matched == NULL) {
            return false;
        }
        memset(items->matched, 0, items->count * sizeof *items->matched);
    }
    return true;
}

static int prepare(gn_work *work, uint64_t *position)
{
    static const uint8_t fallback[] = "\"fallback\"";
    gn_fold *fold = work->fold;
    const gn_event *event = work->event;
    gn_arena_reset(&fold->event);
    memset(fold->recalled, 0, sizeof fold->recalled);
    int status = gn_scan_delta(&fold->event, &fold->program, work->text + event->body_at, event->body_size,
                               &work->delta, position);
    if (status != GN_OK) {
        return status;
    }
    gn_name state = gn_span_name(work, work->delta.slots[fold->program.status_slot]);
    work->is_fallback = event->own == 0 && gn_name_equal(state, (gn_name){fallback, sizeof fallback - 1});
    return prepare_matched(work) ? GN_OK : GN_NO_MEMORY;
}

static int run_delta(gn_work *work)
{
    int status = work->event->own != 0 ? GN_OK : run_rules(work);
    return status != GN_OK ? status : gn_ops_run(work);
}

int gn_unit_run(gn_fold *fold, const gn_event *event, uint32_t event_index, const uint8_t *text,
                gn_receipt *receipt, uint64_t *position)
{
    gn_work work = {.fold = fold, .event = event, .event_index = event_index, .text = text, .receipt = receipt};
    *receipt = (gn_receipt){.line_first = (uint32_t)(fold->lines.size / sizeof(gn_line))};
    int status = prepare(&work, position);
    status = status != GN_OK ? status : run_delta(&work);
    assert(status != GN_OK || receipt->units_in == receipt->applied + receipt->duplicate + receipt->skipped);
    return status;
}

int gn_unit_needs(gn_fold *fold, const gn_event *event, const uint8_t *text, gn_need need, void *context,
                  uint64_t *position)
{
    gn_work work = {.fold = fold, .event = event, .text = text, .need = need, .need_context = context};
    int status = prepare(&work, position);
    return status != GN_OK ? status : run_delta(&work);
}
