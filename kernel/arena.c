/* Arenas and growing buffers: the only malloc of the kernel.
 *
 * A bound given at open holds for the sum of all blocks, so an input can exhaust its handle but not
 * the machine. Tests let the n-th allocation fail through fail_at and hold the library against it. */
#include <stdlib.h>

#include "kernel.h"

#define BLOCK_SIZE_FIRST ((size_t)1 << 14)
#define BLOCK_SIZE_LARGEST ((size_t)1 << 22)

struct gn_block {
    gn_block *next;
    size_t size;            /* of the bytes behind this header */
};

_Static_assert(sizeof(gn_block) == 16, "what follows the header is aligned as malloc's result is");

static uint8_t *block_bytes(gn_block *block)
{
    return (uint8_t *)(block + 1);
}

void gn_arena_open(gn_arena *arena, uint64_t size_max)
{
    *arena = (gn_arena){.size_max = size_max};
}

static void free_blocks(gn_block *block)
{
    while (block != NULL) {
        gn_block *next = block->next;
        free(block);
        block = next;
    }
}

void gn_arena_close(gn_arena *arena)
{
    free_blocks(arena->blocks);
    gn_arena_open(arena, arena->size_max);
}

void gn_arena_reset(gn_arena *arena)
{
    gn_block *kept = arena->blocks;
    if (kept == NULL) {
        return;
    }
    free_blocks(kept->next);
    kept->next = NULL;
    arena->size = kept->size;
    arena->next = block_bytes(kept);
    arena->end = arena->next + kept->size;
}

void gn_arena_back_slow(gn_arena *arena, gn_arena_mark mark)
{
    while (arena->blocks != mark.block) {
        gn_block *block = arena->blocks;
        assert(block != NULL);
        arena->blocks = block->next;
        arena->size -= block->size;
        free(block);
    }
    arena->next = mark.next;
    arena->end = mark.block == NULL ? NULL : block_bytes(mark.block) + mark.block->size;
}

/* Blocks double up to a bound, so the count of mallocs grows with the logarithm of the size. */
static size_t block_size(const gn_arena *arena, size_t least)
{
    size_t size = arena->blocks == NULL ? BLOCK_SIZE_FIRST : arena->blocks->size * 2;
    if (size > BLOCK_SIZE_LARGEST) {
        size = BLOCK_SIZE_LARGEST;
    }
    if (size > arena->size_max - arena->size) {
        size = (size_t)(arena->size_max - arena->size);
    }
    return size < least ? least : size;
}

void *gn_alloc_slow(gn_arena *arena, size_t size)
{
    if (arena->fail_at > 0 && --arena->fail_at == 0) {
        return NULL;
    }
    size_t rounded = ((size | (size == 0)) + 15u) & ~(size_t)15u;
    if (rounded < size) {
        return NULL;
    }
    if (arena->blocks == NULL || rounded > (size_t)(arena->end - arena->next)) {
        if (rounded > arena->size_max - arena->size || rounded > SIZE_MAX - sizeof(gn_block)) {
            return NULL;
        }
        size_t bytes = block_size(arena, rounded);
        gn_block *block = malloc(sizeof *block + bytes);
        if (block == NULL) {
            return NULL;
        }
        *block = (gn_block){.next = arena->blocks, .size = bytes};
        arena->blocks = block;
        arena->size += bytes;
        arena->next = block_bytes(block);
        arena->end = arena->next + bytes;
    }
    void *place = arena->next;
    arena->next += rounded;
    assert(arena->next <= arena->end);
    return place;
}

void *gn_alloc_array(gn_arena *arena, size_t count, size_t size)
{
    assert(size > 0);
    return count > SIZE_MAX / size ? NULL : gn_alloc(arena, count * size);
}

bool gn_buffer_reserve_slow(gn_buffer *buffer, size_t more)
{
    assert(buffer->arena != NULL);
    if (more > SIZE_MAX / 2 || buffer->size > SIZE_MAX / 2 - more) {
        return false;
    }
    size_t room = buffer->room < 64 ? 64 : buffer->room;
    while (room < buffer->size + more) {
        room *= 2;
    }
    uint8_t *data = gn_alloc(buffer->arena, room);
    if (data == NULL) {
        return false;
    }
    if (buffer->size > 0) {
        memcpy(data, buffer->data, buffer->size);
    }
    buffer->data = data;
    buffer->room = room;
    return true;
}
