/* The delta's own `ops`: one unit, every operation of it held against `[ops] allow`.
 *
 * In the store's own deltas each operation is a unit of its own and no allow list holds. */
#include "unit.h"

enum { SLOT_OP = 0, SLOT_PATH, SLOT_VALUE };

#define NAME(text) {(const uint8_t *)(text), sizeof(text) - 1}
static const gn_name NAMES[GN_OPERATION_COUNT] = {
    NAME("set"),     NAME("init"), NAME("inc"),    NAME("max"),   NAME("min"),  NAME("include"),
    NAME("exclude"), NAME("push"), NAME("remove"), NAME("merge"), NAME("test"),
};

gn_name gn_operation_name(uint32_t code)
{
    assert(code < GN_OPERATION_COUNT);
    return NAMES[code];
}

static uint32_t operation_code(gn_name name)
{
    for (uint32_t i = 0; i < GN_OPERATION_COUNT; i++) {
        if (gn_name_equal(name, NAMES[i])) {
            return i;
        }
    }
    return GN_NONE;
}

/* The segments of a JSON Pointer, unescaped; count GN_NONE: it is none. False when memory ends. */
static bool pointer_segments(gn_work *work, gn_name pointer, gn_name **segments, uint32_t *count)
{
    uint32_t room = 1;
    *count = GN_NONE;
    for (uint32_t i = 0; i < pointer.size; i++) {
        room += pointer.bytes[i] == '/';
    }
    *segments = gn_alloc_array(&work->fold->event, room, sizeof **segments);
    uint8_t *out = gn_alloc(&work->fold->event, pointer.size);
    if (*segments == NULL || out == NULL) {
        return false;
    }
    if (pointer.size == 0 || pointer.bytes[0] != '/') {
        return true;
    }
    uint32_t found = 0;
    for (uint32_t i = 0; i < pointer.size; i++) {
        uint8_t byte = pointer.bytes[i];
        if (byte == '/') {
            (*segments)[found++] = (gn_name){out, 0};
            continue;
        }
        if (byte == '~') {
            uint8_t next = i + 1 < pointer.size ? pointer.bytes[i + 1] : 0;
            if (next != '0' && next != '1') {
                return true;
            }
            byte = next == '0' ? '~' : '/';
            i++;
        }
        *out++ = byte;
        (*segments)[found - 1].size++;
    }
    *count = found;
    return true;
}

static uint32_t document_index(const gn_program *program, gn_name name)
{
    for (uint32_t i = 0; i < program->document_count; i++) {
        if (gn_name_equal(program->documents[i].name, name)) {
            return i;
        }
    }
    return GN_NONE;
}

static bool segment_matches(const gn_segment *pattern, gn_name segment, bool is_at)
{
    if (pattern->kind == GN_SEGMENT_AT) {
        return is_at;
    }
    if (is_at) {
        return false;
    }
    return pattern->kind == GN_SEGMENT_TEMPLATE || gn_name_equal(pattern->literal, segment);
}

static bool is_allowed(const gn_program *program, uint32_t code, const gn_name *segments, uint32_t count, bool is_at)
{
    for (uint32_t i = 0; i < program->pattern_count; i++) {
        const gn_pattern *pattern = &program->patterns[i];
        bool matches = pattern->code == code && pattern->segment_count == count;
        for (uint32_t j = 0; matches && j < count; j++) {
            matches = segment_matches(&pattern->segments[j], segments[j], is_at && j == 1);
        }
        if (matches) {
            return true;
        }
    }
    return false;
}

/* What an operation of `ops` asks for; a reason when it is malformed or not allowed. */
typedef struct request {
    uint32_t code;
    gn_name pointer;        /* as written */
    gn_name value;
    gn_path path;
} request;

static int read_path(gn_work *work, request *ask, uint32_t *reason)
{
    const gn_program *program = &work->fold->program;
    gn_name *segments;
    uint32_t count;
    if (!pointer_segments(work, ask->pointer, &segments, &count)) {
        return GN_NO_MEMORY;
    }
    *reason = GN_MALFORMED;
    if (count == GN_NONE || (ask->value.size == 0 && ask->code != GN_REMOVE)) {
        return GN_OK;
    }
    const bool own = work->event->own != 0;
    const uint32_t index = document_index(program, segments[0]);
    const gn_document *document = index == GN_NONE ? NULL : &program->documents[index];
    bool is_at = document != NULL && document->has_root && count > 1 && segments[1].size == 1 &&
                 segments[1].bytes[0] == '@';
    *reason = GN_NOT_ALLOWED;
    if (!own && !is_allowed(program, ask->code, segments, count, is_at)) {
        return GN_OK;
    }
    *reason = GN_UNKNOWN_ENTITY;
    if (document == NULL || (!document->is_record && count < 2)) {
        return GN_OK;
    }
    const uint32_t first = document->is_record ? 1 : 2;
    ask->path = (gn_path){.document = index, .is_at = is_at, .field_count = count - first,
                          .fields = segments + first, .slot = GN_NONE};
    if (!document->is_record) {
        ask->path.key = segments[1];
    }
    *reason = GN_NO_REASON;
    return GN_OK;
}

static int read_request(gn_work *work, request *ask, uint32_t *reason)
{
    gn_name name = gn_work_field(work, SLOT_OP);
    gn_name pointer = gn_work_field(work, SLOT_PATH);
    *ask = (request){.code = GN_NONE, .value = gn_work_field(work, SLOT_VALUE)};
    *reason = GN_MALFORMED;
    if (name.size == 0 || name.bytes[0] != '"' || pointer.size == 0 || pointer.bytes[0] != '"') {
        return GN_OK;
    }
    if (!gn_work_unquote(work, name, &name) || !gn_work_unquote(work, pointer, &ask->pointer)) {
        return GN_NO_MEMORY;
    }
    ask->code = operation_code(name);
    return ask->code == GN_NONE ? GN_OK : read_path(work, ask, reason);
}

static int run_request(gn_work *work, const request *ask, uint32_t *reason)
{
    gn_fold *fold = work->fold;
    if (work->need != NULL) {
        bool is_single = ask->path.is_at || fold->program.documents[ask->path.document].is_record;
        return is_single ? GN_OK : work->need(fold, work->need_context, ask->path.document, ask->path.key);
    }
    return gn_apply(fold, &ask->path, ask->code, ask->value, work->event->own != 0, reason);
}

/* `inc /agents/a/karma` as it was written; empty when it is no operation at all. */
static bool request_text(gn_work *work, const request *ask, gn_name *text)
{
    gn_buffer out = {.arena = &work->fold->event};
    *text = (gn_name){NULL, 0};
    if (ask->code == GN_NONE) {
        return true;
    }
    bool put = gn_buffer_put(&out, NAMES[ask->code].bytes, NAMES[ask->code].size) &&
               gn_buffer_put_byte(&out, ' ') && gn_buffer_put(&out, ask->pointer.bytes, ask->pointer.size);
    *text = (gn_name){out.data, (uint32_t)out.size};
    return put;
}

/* All operations are read before the first one runs: what is malformed or not allowed writes nothing. */
static request *read_requests(gn_work *work, const gn_items *items, uint32_t first, uint32_t count, uint32_t *failed,
                              uint32_t *reason)
{
    request *asked = gn_alloc_array(&work->fold->event, count, sizeof *asked);
    *reason = GN_NO_REASON;
    for (uint32_t i = 0; asked != NULL && *reason == GN_NO_REASON && i < count; i++) {
        gn_work_take(work, GN_SOURCE_OPS, NULL, gn_item_slots(items, first + i), first);
        *failed = i;
        if (read_request(work, &asked[i], reason) != GN_OK) {
            return NULL;
        }
    }
    return asked;
}

/* `count` operations from `first` on as one unit. */
static int run_unit(gn_work *work, const gn_items *items, uint32_t first, uint32_t count)
{
    const uint32_t mark = work->fold->undo_count;
    uint32_t failed = 0, reason;
    gn_name text;
    work->fold->unit++;
    const request *asked = read_requests(work, items, first, count, &failed, &reason);
    if (asked == NULL) {
        return GN_NO_MEMORY;
    }
    for (uint32_t i = 0; reason == GN_NO_REASON && i < count; i++) {
        failed = i;
        int status = run_request(work, &asked[i], &reason);
        if (status != GN_OK) {
            return status;
        }
    }
    if (work->need != NULL) {
        return GN_OK;
    }
    if (reason != GN_NO_REASON) {
        gn_state_roll_back(work->fold, mark);
        return request_text(work, &asked[failed], &text) ? gn_work_skip(work, reason, text) : GN_NO_MEMORY;
    }
    gn_state_settle(work->fold, mark);
    work->receipt->units_in++;
    work->receipt->applied++;
    return GN_OK;
}

int gn_ops_run(gn_work *work)
{
    const gn_items *items = &work->delta.items[work->fold->program.ops_source];
    const gn_span whole = items->whole;
    if (whole.size == 0 || work->delta.body[whole.at] == 'n' || (items->iterable && items->count == 0)) {
        return GN_OK;
    }
    if (work->is_fallback || work->delta.body[whole.at] != '[') {
        uint32_t reason = work->is_fallback ? GN_FALLBACK : GN_MALFORMED;
        gn_work_take(work, GN_SOURCE_OPS, NULL, NULL, 0);
        return work->need != NULL ? GN_OK : gn_work_skip(work, reason, (gn_name){NULL, 0});
    }
    if (work->event->own == 0) {
        return run_unit(work, items, 0, items->count);
    }
    for (uint32_t i = 0; i < items->count; i++) {
        int status = run_unit(work, items, i, 1);
        if (status != GN_OK) {
            return status;
        }
    }
    return GN_OK;
}
