/* Arenas and growing buffers: the only place that asks the machine for memory.
 *
 * A bound given at open holds for the sum of all blocks, so an input can exhaust its handle but not
 * the machine. Tests let the n-th allocation fail through fail_at and hold the library against it.
 *
 * Large blocks are mapped by themselves: malloc keeps what was freed of them for later, and a store that
 * copied its state together would go on weighing twice as much. They are whole huge pages where the system
 * has such: a state of 30 MB has 7,500 small pages. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, madvise */
#define _DARWIN_C_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "kernel.h"

#define BLOCK_SIZE_FIRST ((size_t)1 << 14)
#define PAGE_SIZE_HUGE ((size_t)1 << 21)
#define PAGE_SIZE_LARGEST ((size_t)1 << 16) /* of all but huge pages, on any machine */
#define MAPPED_SIZE_MIN ((size_t)1 << 18)
#define BLOCK_SIZE_LARGEST (PAGE_SIZE_HUGE - sizeof(gn_block))

struct gn_block {
    _Alignas(GN_LINE_SIZE) gn_block *next;
    size_t size;            /* of the bytes behind this header */
};

static uint8_t *block_bytes(gn_block *block)
{
    return (uint8_t *)(block + 1);
}

void gn_arena_open(gn_arena *arena, uint64_t size_max)
{
    *arena = (gn_arena){.size_max = size_max};
}

static bool is_mapped(size_t whole)
{
    return whole >= MAPPED_SIZE_MIN;
}

/* What a mapped block takes: whole pages, huge ones where it fills one. */
static size_t page_end(size_t whole)
{
    const size_t page = whole < PAGE_SIZE_HUGE ? PAGE_SIZE_LARGEST : PAGE_SIZE_HUGE;
    return (whole + page - 1) / page * page;
}

static size_t line_end(size_t whole)
{
    return (whole + GN_LINE_SIZE - 1) / GN_LINE_SIZE * GN_LINE_SIZE;
}

/* The small pages of a table are had at once, where the system can: all of them are about to be written to, and a fault
 * for each costs more than folding a delta does. */
#if !defined(MAP_POPULATE)
#define MAP_POPULATE 0
#endif

/* Pages, beginning where a huge one does if they fill one; NULL when the machine has none left. */
static void *map_pages(size_t whole, bool is_table)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    if (whole < PAGE_SIZE_HUGE) {
        void *pages = mmap(NULL, whole, PROT_READ | PROT_WRITE, flags | (is_table ? MAP_POPULATE : 0), -1, 0);
        return pages == MAP_FAILED ? NULL : pages;
    }
    assert(whole % PAGE_SIZE_HUGE == 0);
    uint8_t *from = mmap(NULL, whole + PAGE_SIZE_HUGE, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (from == MAP_FAILED) {
        return NULL;
    }
    const size_t before = (PAGE_SIZE_HUGE - (uintptr_t)from % PAGE_SIZE_HUGE) % PAGE_SIZE_HUGE;
    uint8_t *pages = from + before;
    if (before > 0) {
        munmap(from, before);
    }
    munmap(pages + whole, PAGE_SIZE_HUGE - before);
    return pages;
}

void gn_ask_for_huge_pages(uint8_t *from, size_t size)
{
#if defined(MADV_HUGEPAGE)
    const size_t before = (PAGE_SIZE_HUGE - (uintptr_t)from % PAGE_SIZE_HUGE) % PAGE_SIZE_HUGE;
    if (size >= before + PAGE_SIZE_HUGE) { /* where it is refused all are small */
        (void)madvise(from + before, (size - before) / PAGE_SIZE_HUGE * PAGE_SIZE_HUGE, MADV_HUGEPAGE);
    }
#else
    (void)from;
    (void)size;
#endif
}

/* A block of at least `bytes` behind its header; NULL when the machine has none. */
static gn_block *new_block(size_t bytes, bool is_table)
{
    size_t whole = sizeof(gn_block) + bytes;
    if (whole < bytes || whole > SIZE_MAX / 2) {
        return NULL;
    }
    gn_block *block = is_mapped(whole) ? map_pages(page_end(whole), is_table)
                                       : aligned_alloc(GN_LINE_SIZE, line_end(whole));
    if (block == NULL) {
        return NULL;
    }
    gn_ask_for_huge_pages((uint8_t *)block, whole);
    *block = (gn_block){.size = whole - sizeof *block};
    return block;
}

static void free_block(gn_block *block)
{
    const size_t whole = sizeof *block + block->size;
    if (is_mapped(whole)) {
        munmap(block, page_end(whole));
    } else {
        free(block);
    }
}

static void free_blocks(gn_block *block)
{
    while (block != NULL) {
        gn_block *next = block->next;
        free_block(block);
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
        free_block(block);
    }
    arena->next = mark.next;
    arena->end = mark.block == NULL ? NULL : block_bytes(mark.block) + mark.block->size;
}

/* Blocks double up to a bound, so the count of mallocs grows with the logarithm of the size. */
static size_t block_size(const gn_arena *arena, size_t least)
{
    size_t size = arena->blocks == NULL ? 0 : arena->blocks->size * 2; /* the block before may be a small table */
    size = size < BLOCK_SIZE_FIRST ? BLOCK_SIZE_FIRST : size > BLOCK_SIZE_LARGEST ? BLOCK_SIZE_LARGEST : size;
    size = size < least ? least : size;
    if (is_mapped(size + sizeof(gn_block)) && size <= SIZE_MAX / 2) {
        size = page_end(size + sizeof(gn_block)) - sizeof(gn_block);
    }
    if (size > arena->size_max - arena->size) {
        size = (size_t)(arena->size_max - arena->size);
    }
    return size < least ? least : size;
}

/* A new block, counted; NULL past the bound. */
static gn_block *add_block(gn_arena *arena, size_t least)
{
    if (least > arena->size_max - arena->size) {
        return NULL;
    }
    gn_block *block = new_block(block_size(arena, least), false);
    if (block != NULL) {
        arena->size += block->size;
    }
    return block;
}

void *gn_alloc_slow(gn_arena *arena, size_t size, size_t alignment)
{
    if (arena->fail_at > 0 && --arena->fail_at == 0) {
        return NULL;
    }
    const size_t taken = size | (size == 0);
    size_t before = gn_misfit(arena->next, alignment);
    if (arena->blocks == NULL || taken > gn_room(arena, before)) {
        gn_block *block = taken > SIZE_MAX / 4 ? NULL : add_block(arena, taken);
        if (block == NULL) {
            return NULL;
        }
        block->next = arena->blocks;
        arena->blocks = block;
        arena->next = block_bytes(block);
        arena->end = arena->next + block->size;
        before = 0;
    }
    uint8_t *place = arena->next + before;
    arena->next = place + taken;
    assert(arena->next <= arena->end);
    return place;
}

void *gn_alloc_table(gn_arena *arena, size_t count, size_t size)
{
    assert(size > 0);
    if ((arena->fail_at > 0 && --arena->fail_at == 0) || count > SIZE_MAX / 4 / size) {
        return NULL;
    }
    gn_block *head = arena->blocks;
    const size_t bytes = count * size;
    if (bytes > arena->size_max - arena->size) {
        return NULL;
    }
    gn_block *block = new_block(bytes, true);
    if (block == NULL) {
        return NULL;
    }
    if (!is_mapped(sizeof *block + block->size)) { /* a mapped one is clear */
        memset(block_bytes(block), 0, bytes);
    }
    arena->size += block->size;
    if (head == NULL) {
        arena->blocks = block;
        arena->next = arena->end = block_bytes(block) + block->size;
    } else {
        block->next = head->next;
        head->next = block;
    }
    return block_bytes(block);
}

void gn_free_table(gn_arena *arena, void *table)
{
    gn_block **link = &arena->blocks;
    while (*link != NULL && block_bytes(*link) != table) {
        link = &(*link)->next;
    }
    gn_block *block = *link;
    assert(block != NULL);
    if (block == arena->blocks) { /* nothing else was allocated since: the next allocation makes a block */
        arena->next = arena->end = block->next == NULL ? NULL : block_bytes(block->next) + block->next->size;
    }
    *link = block->next;
    arena->size -= block->size;
    free_block(block);
}

bool gn_double_array(gn_arena *arena, void **items, uint32_t *room, size_t size)
{
    uint32_t larger = *room == 0 ? 64 : *room * 2;
    void *copy = larger < *room ? NULL : gn_alloc_array(arena, larger, size);
    if (copy == NULL) {
        return false;
    }
    if (*room > 0) {
        memcpy(copy, *items, *room * size);
    }
    *items = copy;
    *room = larger;
    return true;
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
