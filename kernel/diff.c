/* diff: an edit of a document as operations, by the fields' rules where those can say it.
 *
 * Folded as the store's own delta onto the old document, the operations give the new one. What a rule cannot
 * say (a maximum that fell, a `first` that changed, a set put into another order) is a `set`; so is an array
 * that grew by so much that pushing its elements one by one, each a copy of the array, would cost too much. */
#include "meaning.h"
#include "unit.h"

#define APPEND_BYTES_MAX ((uint64_t)1 << 30)    /* copied by the fold for one field's pushes or includes */

typedef struct differ {
    gn_walk walk;
    gn_buffer out;
    bool said;              /* the rule could say the change */
} differ;

/* `{"op":"inc","path":"/agents/ada/karma","value":5}` for the place at hand; value.size 0: none. */
static int put_operation(differ *diff, uint32_t code, gn_name value)
{
    const gn_name name = gn_operation_name(code);
    gn_buffer *out = &diff->out;
    gn_name pointer;
    bool put = gn_walk_pointer(&diff->walk, &pointer) && (out->size == 1 || gn_buffer_put_byte(out, ',')) &&
               gn_buffer_put(out, "{\"op\":\"", 7) && gn_buffer_put(out, name.bytes, name.size) &&
               gn_buffer_put(out, "\",\"path\":\"", 10) && gn_buffer_put(out, pointer.bytes, pointer.size) &&
               gn_buffer_put_byte(out, '"') && (value.size == 0 || gn_buffer_put(out, ",\"value\":", 9)) &&
               gn_buffer_put(out, value.bytes, value.size) && gn_buffer_put_byte(out, '}');
    diff->said = true;
    return put ? GN_OK : GN_NO_MEMORY;
}

/* ---- by rule; each leaves `said` false where the rule cannot say it ---- */

static int say_increment(differ *diff, gn_name before, gn_name after)
{
    gn_int128 from = 0, to;
    uint8_t digits[24];
    if ((before.size > 0 && !gn_integer_parse(before, &from)) || !gn_integer_parse(after, &to) ||
        !gn_integer_fits(to - from)) {
        return GN_OK;
    }
    return put_operation(diff, GN_INC, (gn_name){digits, gn_integer_format(to - from, digits)});
}

static int say_extreme(differ *diff, gn_name before, gn_name after, bool is_max)
{
    bool wins;
    return gn_extreme(after, before, is_max, &wins) && wins
               ? put_operation(diff, is_max ? GN_MAX : GN_MIN, after)
               : GN_OK;
}

/* Do excludes of what went and includes of what came give after, its order and all? It has no repeats, so that
 * nothing behind what stood in before can have stood in before too. */
static bool is_set_change(const gn_elements *before, const gn_elements *after, uint64_t *operations)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < before->count; i++) {
        if (!gn_elements_hold(after, before->items[i])) {
            ++*operations;
        } else if (next < after->count && gn_name_equal(before->items[i], after->items[next])) {
            next++;
        } else {
            return false;
        }
    }
    *operations += after->count - next;
    return true;
}

static int say_set(differ *diff, gn_name before, gn_name after)
{
    gn_elements old, new;
    uint64_t operations = 0;
    int status = GN_OK;
    if ((before.size > 0 && !gn_is_array(before)) || !gn_is_array(after)) {
        return GN_OK;
    }
    if (!gn_elements_open(diff->walk.arena, before, &old) || !gn_elements_open(diff->walk.arena, after, &new)) {
        return GN_NO_MEMORY;
    }
    if (gn_elements_repeat(&new) || !is_set_change(&old, &new, &operations) ||
        operations * ((uint64_t)before.size + after.size) > APPEND_BYTES_MAX) {
        return GN_OK;
    }
    for (uint32_t i = 0; status == GN_OK && i < old.count; i++) {
        if (!gn_elements_hold(&new, old.items[i])) {
            status = put_operation(diff, GN_EXCLUDE, old.items[i]);
        }
    }
    for (uint32_t i = 0; status == GN_OK && i < new.count; i++) {
        if (!gn_elements_hold(&old, new.items[i])) {
            status = put_operation(diff, GN_INCLUDE, new.items[i]);
        }
    }
    return status;
}

static int say_pushes(differ *diff, gn_name before, gn_name after)
{
    gn_elements pushed;
    gn_name more;
    int status = GN_OK;
    if (!gn_array_grew(before, after, &more)) {
        return GN_OK;
    }
    if (!gn_elements_open(diff->walk.arena, after, &pushed)) {
        return GN_NO_MEMORY;
    }
    uint32_t first = pushed.count;
    while (first > 0 && pushed.items[first - 1].bytes >= more.bytes) {
        first--;
    }
    if ((uint64_t)(pushed.count - first) * after.size > APPEND_BYTES_MAX) {
        return GN_OK;
    }
    for (uint32_t i = first; status == GN_OK && i < pushed.count; i++) {
        status = put_operation(diff, GN_PUSH, pushed.items[i]);
    }
    return status;
}

static int say_by_rule(differ *diff, gn_name before, gn_name after)
{
    diff->said = false;
    switch (gn_walk_rule(&diff->walk)) {
    case GN_LAST:
        return say_pushes(diff, before, after);
    case GN_SUM:
        return say_increment(diff, before, after);
    case GN_FIELD_MAX:
        return say_extreme(diff, before, after, true);
    case GN_FIELD_MIN:
        return say_extreme(diff, before, after, false);
    case GN_FIRST:
        return before.size == 0 ? put_operation(diff, GN_INIT, after) : GN_OK;
    case GN_FIELD_SET:
        return say_set(diff, before, after);
    default: /* derived: the fold computes it */
        diff->said = true;
        return GN_OK;
    }
}

/* ---- the walk ---- */

static int diff_place(differ *diff, const gn_name *values)
{
    const gn_name before = values[0], after = values[1];
    if (gn_name_equal(before, after)) {
        return GN_OK;
    }
    if (after.size == 0) {
        bool derived = gn_walk_rule(&diff->walk) == GN_DERIVED;
        return derived ? GN_OK : put_operation(diff, GN_REMOVE, after);
    }
    int status = say_by_rule(diff, before, after);
    if (status != GN_OK || diff->said) {
        return status;
    }
    if (gn_is_object(before) && gn_is_object(after)) {
        return gn_walk_enter(&diff->walk, values) ? GN_OK : GN_NO_MEMORY;
    }
    return put_operation(diff, GN_SET, after);
}

int gn_diff(gn_scratch *scratch, const gn_text *program, uint32_t document, const gn_text *texts, gn_text *ops,
            uint32_t *failed, uint64_t *position)
{
    gn_name values[GN_SIDES_MAX];
    gn_arena_reset(&scratch->arena);
    differ diff = {.out = {.arena = &scratch->arena}};
    int status = gn_walk_open(&diff.walk, &scratch->arena, program, document, texts, 2, failed, position);
    if (status != GN_OK || !gn_buffer_put_byte(&diff.out, '[')) {
        return status != GN_OK ? status : GN_NO_MEMORY;
    }
    while (status == GN_OK && diff.walk.depth > 0) {
        if (gn_walk_next(&diff.walk, values)) {
            status = diff_place(&diff, values);
        } else {
            diff.walk.depth--;
        }
    }
    if (status != GN_OK || !gn_buffer_put_byte(&diff.out, ']')) {
        return GN_NO_MEMORY;
    }
    *ops = (gn_text){diff.out.data, diff.out.size};
    return GN_OK;
}
