/* What the units of a delta share: templates (template.c), rules over items (unit.c), its own `ops` (ops.c). */
#ifndef GN_UNIT_H
#define GN_UNIT_H

#include "state.h"

/* One delta being folded, or only asked which entities it may touch (need set). */
typedef struct gn_work {
    gn_fold *fold;
    const gn_event *event;
    uint32_t event_index;
    gn_delta delta;
    gn_receipt *receipt;
    gn_need need;
    void *need_context;
    const uint8_t *text;                /* that the event's offsets are into */
    gn_name own_names[GN_REF_COUNT];    /* @frame, @utc, @stream, @id as JSON text, once asked for */
    bool is_fallback;
    /* the item at hand */
    uint32_t source;                    /* enum gn_source */
    uint32_t source_index;
    uint32_t item;
    const gn_span *slots;
    gn_name value;
    gn_name key;                        /* with its quotes; empty: no object's member */
} gn_work;

static inline gn_name gn_span_name(const gn_work *work, gn_span span)
{
    return (gn_name){span.size == 0 ? NULL : work->delta.body + span.at, span.size};
}

/* Note a unit, or an op? of one, that did not apply. operation may be empty. */
int gn_work_line(gn_work *work, uint32_t outcome, uint32_t reason, gn_name operation);
/* Count a unit as skipped, with its line. */
int gn_work_skip(gn_work *work, uint32_t reason, gn_name operation);
/* `inc /agents/x/karma`, in the event's arena. False when memory ends. */
bool gn_work_operation(gn_work *work, uint32_t code, const gn_path *path, gn_name *text);
/* One segment of a pointer: `~` and `/` escaped (RFC 6901). */
bool gn_put_segment(gn_buffer *out, gn_name segment);
/* The first alternative that is present, as canonical text; size 0: none. False when memory ends. */
bool gn_reference_text(gn_work *work, const gn_reference *reference, gn_name *text);
/* A segment of a path; *missing: a field of it is not there. False when memory ends. */
bool gn_segment_text(gn_work *work, const gn_template *template, gn_name *text, bool *missing);
/* The item's key for `into`: the first alternative whose fields are all present, its number in front. */
bool gn_key_text(gn_work *work, const gn_rule *rule, gn_name *key, bool *missing);
/* A string's content: the text between its quotes, unescaped. False when memory ends. */
bool gn_work_unquote(gn_work *work, gn_name text, gn_name *plain);

/* An operation's name, as rules and deltas write it. */
gn_name gn_operation_name(uint32_t code);

/* The units of `ops`. */
int gn_ops_run(gn_work *work);

#endif
