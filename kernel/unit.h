/* What the units of a delta share: templates (template.c), keys named ahead (lookup.c), one unit (unit.c), rules over
 * items (items.c), its own `ops` (ops.c), receipts (receipt.c). */
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
    gn_lookup *lookups;                 /* of its units, one behind the other; NULL: each unit's when it comes */
    gn_lookup *lookup_next;             /* of the unit that runs next */
    uint32_t lookup_count;
    gn_name own_names[GN_REF_COUNT];    /* @frame, @utc, @stream, @id as JSON text, once asked for */
    bool is_fallback;
    /* the item at hand */
    uint32_t source;                    /* enum gn_source */
    uint32_t source_index;
    uint32_t item;
    const gn_span *spans;               /* its value, key and slots; NULL: it is the delta itself */
    const gn_span *slots;
} gn_work;

static inline gn_name gn_span_name(const gn_work *work, gn_span span)
{
    return (gn_name){span.size == 0 ? NULL : work->delta.body + span.at, span.size};
}

/* Does the rule's `when` take the item at hand? */
static inline bool gn_work_picks(const gn_work *work, const gn_rule *rule)
{
    return !rule->has_when || gn_name_equal(gn_span_name(work, work->slots[rule->when_slot]), rule->when_literal);
}

/* Make an item the one at hand; items NULL: the delta itself. */
static inline void gn_work_take(gn_work *work, const gn_items *items, uint32_t index)
{
    work->item = index;
    work->spans = items == NULL ? NULL : items->spans + (size_t)index * items->stride;
    work->slots = items == NULL ? work->delta.slots : work->spans + 2;
}

/* The item at hand, and its key with the quotes around it; without bytes where it is no object's member. */
static inline gn_name gn_work_value(const gn_work *work)
{
    return work->spans == NULL ? (gn_name){work->delta.body, work->event->body_size}
                               : gn_span_name(work, work->spans[0]);
}
static inline gn_name gn_work_key(const gn_work *work)
{
    return work->spans == NULL ? (gn_name){NULL, 0} : gn_span_name(work, work->spans[1]);
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
        *text = gn_span_name(work, work->slots[reference->alternatives[at].slot]);
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

/* lookup.c. The lookups of one unit, rule->lookup_count of them; false when memory ends. */
bool gn_lookup_unit(gn_work *work, const gn_rule *rule, gn_lookup *lookups);
/* Those of all the delta's units, in the event's arena, and their slots asked for; none where they are very many. */
bool gn_lookup_delta(gn_work *work);
/* The slots have come: ask for the entities. */
void gn_lookup_prefetch(gn_work *work);

/* unit.c. The item at hand under one rule. */
int gn_unit_run(gn_work *work, const gn_rule *rule);
/* Call work->need for each entity that it may touch. */
int gn_unit_need(gn_work *work, const gn_rule *rule);

/* An operation's name, as rules and deltas write it. */
gn_name gn_operation_name(uint32_t code);

/* The units of `ops`. */
int gn_ops_run(gn_work *work);

#endif
