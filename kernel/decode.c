/* The smallest parts of the rules' program: numbers, names, literals, and room for what is decoded. */
#include "decode.h"

bool gn_decode_refuse(gn_decoder *in, int status)
{
    if (in->status == GN_OK) {
        in->status = status;
    }
    return false;
}

uint32_t gn_decode_number(gn_decoder *in, uint32_t bytes)
{
    if ((size_t)(in->end - in->at) < bytes) {
        gn_decode_refuse(in, GN_PROGRAM_INVALID);
        return 0;
    }
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        value |= (uint32_t)in->at[i] << (8 * i);
    }
    in->at += bytes;
    return value;
}

uint32_t gn_decode_index(gn_decoder *in, uint32_t bytes, uint32_t bound)
{
    uint32_t value = gn_decode_number(in, bytes);
    if (value >= bound) {
        gn_decode_refuse(in, GN_PROGRAM_INVALID);
        return 0;
    }
    return value;
}

gn_name gn_decode_name(gn_decoder *in)
{
    uint32_t size = gn_decode_number(in, 4);
    if (in->status != GN_OK || (size_t)(in->end - in->at) < size) {
        gn_decode_refuse(in, GN_PROGRAM_INVALID);
        return (gn_name){in->start, 0}; /* no NULL, which not even zero may be added to */
    }
    gn_name name = {in->at, size};
    in->at += size;
    return name;
}

void *gn_decode_array(gn_decoder *in, size_t count, size_t size)
{
    if (in->status != GN_OK || count > (size_t)(in->end - in->at) + 1) {
        gn_decode_refuse(in, GN_PROGRAM_INVALID);
        return NULL;
    }
    void *items = gn_alloc_array(in->arena, count, size);
    if (items == NULL) {
        gn_decode_refuse(in, GN_NO_MEMORY);
        return NULL;
    }
    memset(items, 0, count * size);
    return items;
}

gn_names gn_decode_names(gn_decoder *in)
{
    gn_names names = {.count = gn_decode_index(in, 1, GN_NAME_SEGMENTS_MAX + 1)};
    names.names = gn_decode_array(in, names.count, sizeof *names.names);
    for (uint32_t i = 0; in->status == GN_OK && i < names.count; i++) {
        names.names[i] = gn_decode_name(in);
    }
    return names;
}

gn_int128 gn_decode_int128(gn_decoder *in)
{
    uint64_t low = gn_decode_number(in, 4);
    low |= (uint64_t)gn_decode_number(in, 4) << 32;
    uint64_t high = gn_decode_number(in, 4);
    high |= (uint64_t)gn_decode_number(in, 4) << 32;
    return (gn_int128)((gn_uint128)high << 64 | low);
}

gn_name gn_decode_literal(gn_decoder *in)
{
    uint64_t position = 0;
    gn_name text = gn_decode_name(in);
    if (in->status == GN_OK) {
        int status = gn_scan_value(&in->scratch, text.bytes, text.size, &position);
        gn_arena_reset(&in->scratch);
        if (status != GN_OK) {
            gn_decode_refuse(in, status == GN_NO_MEMORY ? status : GN_PROGRAM_INVALID);
        }
    }
    return text;
}
