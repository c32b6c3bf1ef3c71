/* What the units of a delta share: templates (template.c), units found ahead (units.c), one unit (unit.c), where its
 * operations lead (path.c), all of a delta (items.c), a few deltas (batch.c), its own `ops` (ops.c), receipts (receipt.c). */
#ifndef GN_UNIT_H
#define GN_UNIT_H

#include "state.h"

/* An item that a rule takes. */
typedef struct gn_unit {
    const gn_rule *rule;    /* NULL: one of the delta's own `ops` */
    const gn_span *slots;   /* of the item, behind its value and its key; NULL: it is skipped, whatever it holds */
    gn_lookup *lookups;     /* rule->lookup_count of them */
    uint32_t item;
} gn_unit;

/* How many deltas have the bodies asked for that they may open, after one that was opened. */
#define GN_OPENING_DELTAS 64u

/* Units that are found before they run; those of a larger delta come a part at a time. */
#define GN_UNITS_MAX 12u

/* One delta being folded, or only asked which entities it may touch (need set). */
typedef struct gn_work {
    gn_fold *fold;
    const gn_event *event;
    uint32_t event_index;
    gn_delta delta;
    gn_receipt *receipt;
    gn_need need;
    void *need_context;
    const uint8_t *text;    /* that the event's offsets are into */
    gn_name *own_names;     /* @frame, @utc, @stream, @id as JSON text, once asked for; NULL: none was */
    bool is_fallback;
    bool is_matched;        /* by a rule over the delta itself */
    const gn_unit *unit;    /* the one at hand, and its enum gn_source */
    uint32_t source;
    gn_unit other;          /* which is this where it is none of those found */
    const gn_rule *rule_next;   /* where the units begin that are not found yet: a rule, and an item of its source */
    uint32_t item_next;
    bool are_all_found;
    gn_unit *units;         /* those that are found, and run next; NULL: nobody looked for them yet */
    gn_unit *units_end;
    gn_lookup *lookups;
    gn_lookup *lookups_end;
} gn_work;

static inline gn_name gn_span_name(const gn_work *work, gn_span span)
{
    return (gn_name){span.size == 0 ? NULL : work->delta.body + span.at, span.size};
}

/* A field of the item at hand. */
static inline gn_name gn_work_field(const gn_work *work, uint32_t slot)
{
    return gn_span_name(work, work->unit->slots[slot]);
}

/* Make the one at hand another unit than those found. */
static inline void gn_work_take(gn_work *work, uint32_t source, const gn_rule *rule, const gn_span *slots,
                                uint32_t item)
{
    work->source = source;
    work->other = (gn_unit){.rule = rule, .slots = slots, .item = item};
    work->unit = &work->other;
}

/* The item at hand, and its key with the quotes around it; without bytes where it is no object's member. */
static inline gn_name gn_work_value(const gn_work *work)
{
    return work->unit->rule->source == GN_NONE ? (gn_name){work->delta.body, work->event->body_size}
                                               : gn_span_name(work, work->unit->slots[-2]);
}
static inline gn_name gn_work_key(const gn_work *work)
{
    return work->unit->rule->source == GN_NONE ? (gn_name){NULL, 0} : gn_span_name(work, work->unit->slots[-1]);
}
/* The slots of an item, behind its value and its key. */
static inline const gn_span *gn_item_slots(const gn_items *items, uint32_t index)
{
    return items->spans + (size_t)index * items->stride + 2;
}

/* Note a unit, or an op? of one, that did not apply. operation may be empty. */
int gn_work_line(gn_work *work, uint32_t outcome, uint32_t reason, gn_name operation);
/* Take back the lines behind the first `lines` bytes of them; all are this event's. */
void gn_work_forget_lines(gn_work *work, size_t lines);
/* Count a unit as skipped, with its line. */
int gn_work_skip(gn_work *work, uint32_t reason, gn_name operation);
/* `inc /agents/x/karma`, in the event's arena. False when memory ends. */
bool gn_work_operation(gn_work *work, uint32_t code, const gn_path *path, gn_name *text);
/* One segment of a pointer: `~` and `/` escaped (RFC 6901). */
bool gn_put_segment(gn_buffer *out, gn_name segment);
static inline bool gn_is_present(gn_name text)
{
    return text.size > 0 && text.bytes[0] != 'n' && !(text.size == 2 && text.bytes[0] == '"');
}
bool gn_reference_text_from(gn_work *work, const gn_reference *reference, uint32_t first, gn_name *text);
/* The first alternative that is present, as canonical text; size 0: none. False when memory ends. */
static inline bool gn_reference_text(gn_work *work, const gn_reference *reference, gn_name *text)
{
    uint32_t at = 0;
    for (; at < reference->count && reference->alternatives[at].kind == GN_REF_FIELD; at++) {
        *text = gn_work_field(work, reference->alternatives[at].slot);
        if (gn_is_present(*text)) {
            return true;
        }
    }
    return gn_reference_text_from(work, reference, at, text);
}
/* What a value gives in a path: a string as it is, anything else its canonical text. False when memory ends. */
bool gn_plain_text(gn_work *work, gn_name text, gn_name *plain, bool *missing);
/* A segment of a path; *missing: a field of it is not there. False when memory ends. */
bool gn_segment_text(gn_work *work, const gn_template *template, gn_name *text, bool *missing);
/* The item's key for `into`: the first alternative whose fields are all present, its number in front. */
bool gn_key_text(gn_work *work, const gn_rule *rule, gn_name *key, bool *missing);
/* A string's content: the text between its quotes, unescaped. False when memory ends. */
bool gn_work_unquote(gn_work *work, gn_name text, gn_name *plain);

/* items.c. What a delta starts with; the rest is written when it is read. */
void gn_work_open(gn_work *work, gn_fold *fold, const uint8_t *text, const gn_event *event);
/* Read the delta, and find its units. */
int gn_work_read(gn_work *work, uint64_t *position);
/* Run it, and fill its receipt in. */
int gn_work_run(gn_work *work);

/* units.c. Find the units that run next, and ask for the slots that they look up. False when memory ends. */
bool gn_units_find(gn_work *work);
/* The slots have come: ask for the entities. */
void gn_units_prefetch(gn_work *work);
/* They have come as well: ask for the texts of those that are not open. */
void gn_units_prefetch_bodies(const gn_work *work);

/* unit.c. Run the units that were found. */
int gn_units_run(gn_work *work);

/* path.c. An operation's place and value; *reason says what is missing for one. There is room for
 * GN_NAME_SEGMENTS_MAX fields. */
int gn_operation_parts(gn_work *work, const gn_operation *operation, gn_name *fields, gn_path *path, gn_name *value,
                       uint32_t *reason);
/* Call work->need for each entity that the units found may touch. */
int gn_units_need(gn_work *work);

/* An operation's name, as rules and deltas write it. */
gn_name gn_operation_name(uint32_t code);

/* The units of `ops`. */
int gn_ops_run(gn_work *work);

#endif
