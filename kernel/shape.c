/* Shapes: which members of a delta the rules name, and in which slot reading leaves each. */
#include "decode.h"

void gn_shape_open(gn_decoder *in, gn_shape *shape)
{
    shape->expected = gn_alloc_aligned(in->arena, (GN_EXPECTED_MAX + 1) * sizeof *shape->expected, GN_LINE_SIZE);
    if (shape->expected == NULL) {
        gn_decode_refuse(in, GN_NO_MEMORY);
        return;
    }
    shape->expected[0] = (gn_expected){.key_mask = UINT32_MAX, .string_mask = UINT32_MAX};
}

gn_name gn_shape_quoted(gn_decoder *in, gn_name name)
{
    gn_buffer buffer = {.arena = in->arena};
    if (!gn_json_quote(name.bytes, name.size, &buffer)) {
        gn_decode_refuse(in, GN_NO_MEMORY);
        return name;
    }
    return (gn_name){buffer.data + 1, (uint32_t)buffer.size - 2};
}

gn_want *gn_shape_want(gn_decoder *in, gn_shape *shape, gn_name name)
{
    uint32_t at = 0;
    int order = -1;
    while (at < shape->count && (order = gn_key_compare(shape->wants[at].key.text, name)) < 0) {
        at++;
    }
    if (at < shape->count && order == 0) {
        return &shape->wants[at];
    }
    if (shape->count == shape->room) {
        uint32_t room = shape->room == 0 ? 4 : shape->room * 2;
        gn_want *wants = gn_alloc_array(in->arena, room, sizeof *wants);
        if (wants == NULL) {
            gn_decode_refuse(in, GN_NO_MEMORY);
            return NULL;
        }
        if (shape->count > 0) {
            memcpy(wants, shape->wants, shape->count * sizeof *wants);
        }
        shape->wants = wants;
        shape->room = room;
    }
    memmove(&shape->wants[at + 1], &shape->wants[at], (shape->count - at) * sizeof *shape->wants);
    shape->count++;
    shape->wants[at] = (gn_want){.key = gn_key_of(name, name.bytes + name.size), .slot = GN_NONE, .source = GN_NONE};
    return &shape->wants[at];
}

uint32_t gn_shape_slot(gn_decoder *in, gn_shape *shape, uint32_t *slot_count, gn_names path)
{
    gn_want *want = NULL;
    for (uint32_t i = 0; in->status == GN_OK && i < path.count; i++) {
        want = gn_shape_want(in, shape, gn_shape_quoted(in, path.names[i]));
        if (want != NULL && i + 1 < path.count) {
            if (want->below == NULL) {
                want->below = gn_decode_array(in, 1, sizeof *want->below);
                if (want->below == NULL) {
                    return 0;
                }
                gn_shape_open(in, want->below);
            }
            shape = want->below;
        }
    }
    if (want == NULL || in->status != GN_OK) {
        gn_decode_refuse(in, GN_PROGRAM_INVALID);
        return 0;
    }
    if (want->slot == GN_NONE) {
        want->slot = (*slot_count)++;
    }
    return want->slot;
}

/* The slots are known now: a shape and those below it share them. The rules bound the depth. */
static void close_shape(gn_shape *shape, uint32_t slot_count)
{
    shape->slot_count = slot_count;
    for (uint32_t i = 0; i < shape->count; i++) {
        if (shape->wants[i].below != NULL) {
            close_shape(shape->wants[i].below, slot_count);
        }
    }
}

void gn_shapes_close(gn_program *program)
{
    close_shape(&program->root, program->root_slot_count);
    for (uint32_t i = 0; i < program->source_count; i++) {
        close_shape(&program->sources[i].shape, program->sources[i].slot_count);
        program->has_left_out |= program->sources[i].has_when_only;
    }
}
