/* merge3: two edits of one base, joined by the fields' rules.
 *
 *   values at a place        what comes out
 *   one side as the base     the other side
 *   sum                      both increments added
 *   max, min                 the further of the two
 *   set                      without what either took out, then what ours brought, then theirs
 *   arrays that both grew    the base, then ours' new elements, then theirs'
 *   three objects            member by member
 *   the same on both sides   that
 *   anything else            a conflict: the base's value stays, both are reported
 *
 * Ours and theirs changed places give the same text, but for the order of what both brought to an array. */
#include "meaning.h"

enum { BASE = 0, OURS, THEIRS, SIDES };

typedef struct merger {
    gn_walk walk;
    gn_buffer out;
    gn_buffer conflicts;    /* of gn_conflict */
} merger;

/* ---- writing ---- */

static bool put_key(merger *merge)
{
    gn_level *level = gn_walk_level(&merge->walk);
    bool is_first = !level->has_member;
    level->has_member = true;
    return (is_first || gn_buffer_put_byte(&merge->out, ',')) && gn_buffer_put_byte(&merge->out, '"') &&
           gn_buffer_put(&merge->out, level->key.bytes, level->key.size) && gn_buffer_put(&merge->out, "\":", 2);
}

static int put_member(merger *merge, gn_name value)
{
    bool put = value.size == 0 || (put_key(merge) && gn_buffer_put(&merge->out, value.bytes, value.size));
    return put ? GN_OK : GN_NO_MEMORY;
}

static int put_conflict(merger *merge, const gn_name *values)
{
    gn_buffer path = {.arena = merge->walk.arena};
    gn_name pointer;
    if (!gn_walk_pointer(&merge->walk, &pointer) || !gn_json_unescape(pointer.bytes, pointer.size, &path)) {
        return GN_NO_MEMORY;
    }
    const gn_conflict conflict = {{path.data, path.size},
                                  {values[OURS].bytes, values[OURS].size},
                                  {values[THEIRS].bytes, values[THEIRS].size}};
    return gn_buffer_put(&merge->conflicts, &conflict, sizeof conflict) ? put_member(merge, values[BASE])
                                                                        : GN_NO_MEMORY;
}

/* ---- by rule; each leaves *merged empty where the rule cannot join the two ---- */

static int join_sums(merger *merge, const gn_name *values, gn_name *merged)
{
    gn_int128 base = 0, ours, theirs;
    bool are_integers = (values[BASE].size == 0 || gn_integer_parse(values[BASE], &base)) &&
                        gn_integer_parse(values[OURS], &ours) && gn_integer_parse(values[THEIRS], &theirs);
    if (!are_integers || !gn_integer_fits(ours + theirs - base)) {
        return GN_OK;
    }
    uint8_t *digits = gn_alloc(merge->walk.arena, 24);
    if (digits == NULL) {
        return GN_NO_MEMORY;
    }
    *merged = (gn_name){digits, gn_integer_format(ours + theirs - base, digits)};
    return GN_OK;
}

/* null and "" lose, and of two that would lose to anything none wins; a removal is no write that could lose. */
static void join_extremes(const gn_name *values, bool is_max, gn_name *merged)
{
    const gn_name ours = values[OURS], theirs = values[THEIRS];
    bool ours_win, theirs_win;
    if (ours.size == 0 || theirs.size == 0 || !gn_extreme(ours, theirs, is_max, &ours_win) ||
        !gn_extreme(theirs, ours, is_max, &theirs_win)) {
        return;
    }
    if (ours_win || theirs_win) {
        *merged = ours_win ? ours : theirs;
    }
}

/* ---- sets ---- */

static bool is_kept(const gn_elements *sets, gn_name item)
{
    return gn_elements_hold(&sets[BASE], item) && gn_elements_hold(&sets[OURS], item) &&
           gn_elements_hold(&sets[THEIRS], item);
}

/* Do what is in all three sets stand in the same order in two of them? */
static bool same_order(const gn_elements *sets, uint32_t a, uint32_t b)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < sets[a].count; i++) {
        if (!is_kept(sets, sets[a].items[i])) {
            continue;
        }
        while (!is_kept(sets, sets[b].items[next])) {
            next++;
            assert(next < sets[b].count);
        }
        if (!gn_name_equal(sets[a].items[i], sets[b].items[next++])) {
            return false;
        }
    }
    return true;
}

static bool put_item(gn_buffer *out, gn_name item)
{
    return (out->size == 1 || gn_buffer_put_byte(out, ',')) && gn_buffer_put(out, item.bytes, item.size);
}

/* The kept ones in one side's order, then what ours brought, then theirs. */
static int put_union(merger *merge, const gn_elements *sets, uint32_t order, gn_name *merged)
{
    gn_buffer out = {.arena = merge->walk.arena};
    bool put = gn_buffer_put_byte(&out, '[');
    for (uint32_t i = 0; put && i < sets[order].count; i++) {
        put = !is_kept(sets, sets[order].items[i]) || put_item(&out, sets[order].items[i]);
    }
    for (uint32_t side = OURS; side <= THEIRS; side++) {
        for (uint32_t i = 0; put && i < sets[side].count; i++) {
            const gn_name item = sets[side].items[i];
            bool is_old = gn_elements_hold(&sets[BASE], item) ||
                          (side == THEIRS && gn_elements_hold(&sets[OURS], item));
            put = is_old || put_item(&out, item);
        }
    }
    if (!put || !gn_buffer_put_byte(&out, ']') || out.size > UINT32_MAX / 2) {
        return GN_NO_MEMORY;
    }
    *merged = (gn_name){out.data, (uint32_t)out.size};
    return GN_OK;
}

static int join_sets(merger *merge, const gn_name *values, gn_name *merged)
{
    gn_elements sets[SIDES];
    if ((values[BASE].size > 0 && !gn_is_array(values[BASE])) || !gn_is_array(values[OURS]) ||
        !gn_is_array(values[THEIRS]) || gn_name_equal(values[OURS], values[THEIRS])) {
        return GN_OK;
    }
    for (uint32_t i = 0; i < SIDES; i++) {
        if (!gn_elements_open(merge->walk.arena, values[i], &sets[i])) {
            return GN_NO_MEMORY;
        }
        if (gn_elements_repeat(&sets[i])) {
            return GN_OK;
        }
    }
    if (same_order(sets, BASE, OURS)) {
        return put_union(merge, sets, THEIRS, merged);
    }
    if (same_order(sets, BASE, THEIRS) || same_order(sets, OURS, THEIRS)) {
        return put_union(merge, sets, OURS, merged);
    }
    return GN_OK;
}

/* ---- arrays that grew ---- */

static int join_pushes(merger *merge, const gn_name *values, gn_name *merged)
{
    gn_buffer out = {.arena = merge->walk.arena};
    gn_name ours, theirs;
    if (!gn_array_grew(values[BASE], values[OURS], &ours) ||
        !gn_array_grew(values[BASE], values[THEIRS], &theirs)) {
        return GN_OK;
    }
    bool put = gn_buffer_put(&out, values[OURS].bytes, values[OURS].size - 1) && gn_buffer_put_byte(&out, ',') &&
               gn_buffer_put(&out, theirs.bytes, theirs.size) && gn_buffer_put_byte(&out, ']');
    if (!put || out.size > UINT32_MAX / 2) {
        return GN_NO_MEMORY;
    }
    *merged = (gn_name){out.data, (uint32_t)out.size};
    return GN_OK;
}

static int join_by_rule(merger *merge, uint32_t rule, const gn_name *values, gn_name *merged)
{
    switch (rule) {
    case GN_LAST:
        return join_pushes(merge, values, merged);
    case GN_DERIVED: /* linear in the entities, so a total found in the base moves by what both sides added */
        return values[BASE].size == 0 ? GN_OK : join_sums(merge, values, merged);
    case GN_SUM:
        return join_sums(merge, values, merged);
    case GN_FIELD_MAX: case GN_FIELD_MIN:
        join_extremes(values, rule == GN_FIELD_MAX, merged);
        return GN_OK;
    case GN_FIELD_SET:
        return join_sets(merge, values, merged);
    default:
        return GN_OK;
    }
}

/* ---- the walk ---- */

static int enter(merger *merge, const gn_name *values)
{
    bool entered = put_key(merge) && gn_buffer_put_byte(&merge->out, '{') && gn_walk_enter(&merge->walk, values);
    return entered ? GN_OK : GN_NO_MEMORY;
}

static int merge_place(merger *merge, const gn_name *values)
{
    gn_name merged = {NULL, 0};
    if (gn_name_equal(values[OURS], values[BASE]) || gn_name_equal(values[THEIRS], values[BASE])) {
        return put_member(merge, values[gn_name_equal(values[OURS], values[BASE]) ? THEIRS : OURS]);
    }
    const uint32_t rule = gn_walk_rule(&merge->walk);
    int status = join_by_rule(merge, rule, values, &merged);
    if (status != GN_OK || merged.size > 0) {
        return status != GN_OK ? status : put_member(merge, merged);
    }
    if (gn_is_object(values[BASE]) && gn_is_object(values[OURS]) && gn_is_object(values[THEIRS])) {
        return enter(merge, values);
    }
    if (gn_name_equal(values[OURS], values[THEIRS])) {
        return put_member(merge, values[OURS]);
    }
    /* A derived field is computed at the next fold, whatever stands there. */
    return rule == GN_DERIVED ? put_member(merge, values[BASE]) : put_conflict(merge, values);
}

static int merge_all(merger *merge)
{
    gn_name values[GN_SIDES_MAX];
    int status = gn_buffer_put_byte(&merge->out, '{') ? GN_OK : GN_NO_MEMORY;
    while (status == GN_OK && merge->walk.depth > 0) {
        if (gn_walk_next(&merge->walk, values)) {
            status = merge_place(merge, values);
            continue;
        }
        merge->walk.depth--;
        status = gn_buffer_put_byte(&merge->out, '}') ? GN_OK : GN_NO_MEMORY;
    }
    return status;
}

int gn_merge3(gn_scratch *scratch, const gn_text *program, uint32_t document, const gn_text *texts,
              gn_text *merged, const gn_conflict **conflicts, uint64_t *conflict_count, uint32_t *failed,
              uint64_t *position)
{
    gn_arena_reset(&scratch->arena);
    merger merge = {.out = {.arena = &scratch->arena}, .conflicts = {.arena = &scratch->arena}};
    gn_buffer pretty = {.arena = &scratch->arena};
    int status = gn_walk_open(&merge.walk, &scratch->arena, program, document, texts, SIDES, failed, position);
    if (status == GN_OK) {
        status = merge_all(&merge);
    }
    if (status != GN_OK) {
        return status;
    }
    if (!gn_json_pretty(merge.out.data, merge.out.size, 0, &pretty) || !gn_buffer_put_byte(&pretty, '\n')) {
        return GN_NO_MEMORY;
    }
    *merged = (gn_text){pretty.data, pretty.size};
    *conflicts = (const gn_conflict *)(const void *)merge.conflicts.data;
    *conflict_count = merge.conflicts.size / sizeof(gn_conflict);
    return GN_OK;
}
