/* The units of a delta: each rule over its items, in the order of the file, then what no rule took, then `ops`.
 *
 * Deltas are read a few at a time: while the first of them apply, the memory that the others will ask for is on its
 * way. Which entities a delta names follows from the delta alone, never from the state, so the same walk answers
 * gn_delta_needs. */
#include "unit.h"

#define ENTITIES_AHEAD 2u   /* deltas whose entities are asked for before one runs */
#define TEXT_AHEAD 1024u    /* bytes of a delta that are asked for ahead; the machine goes on by itself */

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
        gn_work_take(work, items, i);
        if (!gn_work_picks(work, rule)) {
            continue;
        }
        if (items->matched != NULL) {
            items->matched[i] = true;
        }
        int status = GN_OK;
        if (!work->is_fallback) {
            status = work->need == NULL ? gn_unit_run(work, rule) : gn_unit_need(work, rule);
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
    gn_work_take(work, NULL, 0);
    if (work->is_fallback || !gn_work_picks(work, rule)) {
        return GN_OK;
    }
    *matched = true;
    return work->need == NULL ? gn_unit_run(work, rule) : gn_unit_need(work, rule);
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
    for (uint32_t i = 0; program->has_left_out && i < program->rule_count; i++) {
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
    for (uint32_t i = 0; work->fold->program.has_left_out && i < work->fold->program.source_count; i++) {
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

/* Read the delta, and name ahead what its units will look up. */
static int prepare(gn_work *work, uint64_t *position)
{
    static const uint8_t fallback[] = "\"fallback\"";
    gn_fold *fold = work->fold;
    const gn_event *event = work->event;
    int status = gn_scan_delta(&fold->event, &fold->program, work->text + event->body_at, event->body_size,
                               &work->delta, position);
    if (status != GN_OK) {
        return status;
    }
    gn_name state = gn_span_name(work, work->delta.slots[fold->program.status_slot]);
    work->is_fallback = event->own == 0 && gn_name_equal(state, (gn_name){fallback, sizeof fallback - 1});
    bool names_ahead = work->need == NULL && event->own == 0 && !work->is_fallback;
    return prepare_matched(work) && (!names_ahead || gn_lookup_delta(work)) ? GN_OK : GN_NO_MEMORY;
}

static int run_delta(gn_work *work)
{
    int status = work->event->own != 0 ? GN_OK : run_rules(work);
    return status != GN_OK ? status : gn_ops_run(work);
}

static int run_prepared(gn_work *work)
{
    *work->receipt = (gn_receipt){.line_first = (uint32_t)(work->fold->lines.size / sizeof(gn_line))};
    const gn_receipt *receipt = work->receipt;
    int status = run_delta(work);
    assert(status != GN_OK || receipt->units_in == receipt->applied + receipt->duplicate + receipt->skipped);
    return status;
}

/* How many of the events in `order` are read at once: a few, and small ones; a large one by itself. */
static uint32_t batch_size(const gn_event *events, const uint32_t *order, uint32_t count)
{
    uint64_t bytes = 0;
    uint32_t size = 0;
    while (size < count && size < GN_BATCH_EVENTS) {
        bytes += events[order[size]].body_size;
        if (size > 0 && bytes > GN_BATCH_BYTES) {
            break;
        }
        size++;
    }
    return size;
}

/* Ask for a delta's text: in the order of the fold deltas lie anywhere in the buffer. */
static inline void ask_for_text(const uint8_t *text, const gn_event *event)
{
    const uint8_t *at = text + event->body_at;
    const uint8_t *const end = at + (event->body_size < TEXT_AHEAD ? event->body_size : TEXT_AHEAD);
    for (; at < end; at += GN_LINE_SIZE) {
        __builtin_prefetch(at);
    }
}

int gn_deltas_run(gn_fold *fold, const uint8_t *text, const gn_event *events, const uint32_t *order, uint32_t count,
                  gn_receipt *receipts, uint32_t *taken, uint32_t *failed, uint64_t *position)
{
    gn_work works[GN_BATCH_EVENTS];
    const uint32_t size = batch_size(events, order, count);
    gn_arena_reset(&fold->event);
    *taken = size;
    *failed = 0;
    for (uint32_t i = 0; i < size; i++) {
        const uint32_t index = order[i];
        works[i] = (gn_work){.fold = fold, .event = &events[index], .event_index = index, .text = text,
                             .receipt = &receipts[index]};
        if (count - size > i) {
            ask_for_text(text, &events[order[size + i]]);
        }
        int status = prepare(&works[i], position);
        if (status != GN_OK) {
            *failed = index;
            return status;
        }
    }
    for (uint32_t i = 0; i < size && i < ENTITIES_AHEAD; i++) {
        gn_lookup_prefetch(&works[i]);
    }
    for (uint32_t i = 0; i < size; i++) {
        if (size - i > ENTITIES_AHEAD) {
            gn_lookup_prefetch(&works[i + ENTITIES_AHEAD]);
        }
        int status = run_prepared(&works[i]);
        if (status != GN_OK) {
            *failed = order[i];
            *position = 0;
            return status;
        }
    }
    return GN_OK;
}

int gn_delta_needs(gn_fold *fold, const gn_event *event, const uint8_t *text, gn_need need, void *context,
                   uint64_t *position)
{
    gn_work work = {.fold = fold, .event = event, .text = text, .need = need, .need_context = context};
    gn_arena_reset(&fold->event);
    int status = prepare(&work, position);
    return status != GN_OK ? status : run_delta(&work);
}
