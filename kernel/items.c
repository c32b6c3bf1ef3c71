/* A delta: each rule over its items, in the order of the file, then what no rule took, then `ops`. Which entities it names
 * follows from the delta alone, never from the state, so finding its units answers gn_delta_needs as well. */
#include "unit.h"

static bool is_there(const gn_work *work, const gn_items *items)
{
    return items->whole.size > 0 && work->delta.body[items->whole.at] != 'n';
}

/* ---- what no rule took ---- */

/* Items that every `when` of their rules left out, under the first of these. */
static int skip_left_out(gn_work *work, const gn_rule *rule)
{
    const gn_items *items = &work->delta.items[rule->source];
    if (!is_there(work, items) || !work->fold->program.sources[rule->source].has_when_only) {
        return GN_OK;
    }
    for (uint32_t i = 0; i < items->count; i++) {
        gn_work_take(work, GN_SOURCE_RULE, rule, NULL, i);
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
    for (size_t i = 0; i < count; i++) {
        gn_name key;
        gn_work_take(work, GN_SOURCE_MEMBER, NULL, NULL, 0);
        memcpy(&key, work->delta.unnamed.data + i * sizeof key, sizeof key);
        int status = gn_work_skip(work, work->is_fallback ? GN_FALLBACK : GN_NO_RULE, key);
        if (status != GN_OK) {
            return status;
        }
    }
    return GN_OK;
}

/* A delta that no rule over deltas took is left out by the last of them. */
static int skip_delta(gn_work *work)
{
    const gn_program *program = &work->fold->program;
    const gn_rule *last = NULL;
    for (uint32_t i = 0; i < program->rule_count; i++) {
        last = program->rules[i].source == GN_NONE ? &program->rules[i] : last;
    }
    if (last == NULL) {
        return GN_OK;
    }
    gn_work_take(work, GN_SOURCE_RULE, last, NULL, 0);
    return gn_work_skip(work, GN_NO_RULE, (gn_name){NULL, 0});
}

static int skip_items(gn_work *work)
{
    const gn_program *program = &work->fold->program;
    int status = GN_OK;
    for (uint32_t i = 0; status == GN_OK && i < program->rule_count; i++) {
        const gn_rule *rule = &program->rules[i];
        bool is_first = rule->source != GN_NONE;
        for (uint32_t j = 0; is_first && j < i; j++) {
            is_first = program->rules[j].source != rule->source;
        }
        status = is_first ? skip_left_out(work, rule) : GN_OK;
    }
    return status;
}

static int skip_rest(gn_work *work)
{
    int status = work->is_matched || work->is_fallback ? GN_OK : skip_delta(work);
    if (status == GN_OK && work->fold->program.has_left_out) {
        status = skip_items(work);
    }
    return status == GN_OK ? skip_unnamed(work) : status;
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

void gn_work_open(gn_work *work, gn_fold *fold, const uint8_t *text, const gn_event *event)
{
    work->fold = fold;
    work->event = event;
    work->text = text;
    work->need = NULL;
    work->rule_next = fold->program.rules;
    work->item_next = 0;
    work->units = work->units_end = NULL;
    work->lookups = work->lookups_end = NULL;
    work->own_names = NULL;
    work->is_fallback = work->is_matched = false;
    work->source = GN_SOURCE_RULE;
}

int gn_work_read(gn_work *work, uint64_t *position)
{
    static const uint8_t fallback[] = "\"fallback\"";
    gn_fold *fold = work->fold;
    const gn_event *event = work->event;
    int status = fold->scan_delta(&fold->event, &fold->program, work->text + event->body_at, event->body_size,
                                  &work->delta, position);
    if (status != GN_OK || event->own != 0) {
        return status;
    }
    gn_name state = gn_span_name(work, work->delta.slots[fold->program.status_slot]);
    work->is_fallback = gn_name_equal(state, (gn_name){fallback, sizeof fallback - 1});
    return prepare_matched(work) && gn_units_find(work) ? GN_OK : GN_NO_MEMORY;
}

/* All units of the rules, those first that were found before. */
static int run_rules(gn_work *work)
{
    for (;;) {
        int status = work->need == NULL ? gn_units_run(work) : gn_units_need(work);
        if (status != GN_OK || work->are_all_found) {
            return status != GN_OK || work->need != NULL ? status : skip_rest(work);
        }
        if (!gn_units_find(work)) {
            return GN_NO_MEMORY;
        }
        gn_units_prefetch(work);
    }
}

static int run_delta(gn_work *work)
{
    int status = work->event->own != 0 ? GN_OK : run_rules(work);
    return status != GN_OK ? status : gn_ops_run(work);
}

int gn_work_run(gn_work *work)
{
    *work->receipt = (gn_receipt){.line_first = (uint32_t)(work->fold->lines.size / sizeof(gn_line))};
    const gn_receipt *receipt = work->receipt;
    int status = run_delta(work);
    assert(status != GN_OK || receipt->units_in == receipt->applied + receipt->duplicate + receipt->skipped);
    return status;
}

int gn_delta_needs(gn_fold *fold, const gn_event *event, const uint8_t *text, gn_need need, void *context,
                   uint64_t *position)
{
    gn_work work;
    gn_work_open(&work, fold, text, event);
    work.need = need;
    work.need_context = context;
    gn_arena_reset(&fold->event);
    int status = gn_work_read(&work, position);
    return status != GN_OK ? status : run_delta(&work);
}
