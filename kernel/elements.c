/* The elements of arrays, sorted by their bytes: canonical bytes are equal when the elements are. */
#include "apply.h"
#include "meaning.h"

static int compare_items(const void *a, const void *b)
{
    return gn_name_compare(*(const gn_name *)a, *(const gn_name *)b);
}

bool gn_elements_open(gn_arena *arena, gn_name array, gn_elements *elements)
{
    gn_buffer items = {.arena = arena};
    gn_name item;
    *elements = (gn_elements){0};
    if (array.size == 0) {
        return true;
    }
    assert(gn_is_array(array));
    const uint8_t *at = array.bytes + 1, *end = array.bytes + array.size;
    while (gn_next_element(&at, end, &item)) {
        if (!gn_buffer_put(&items, &item, sizeof item)) {
            return false;
        }
        elements->count++;
    }
    elements->items = (gn_name *)(void *)items.data;
    elements->sorted = gn_alloc_array(arena, elements->count, sizeof *elements->sorted);
    for (uint32_t i = 0; elements->sorted != NULL && i < elements->count; i++) {
        elements->sorted[i] = &elements->items[i];
    }
    return elements->sorted != NULL &&
           gn_sort(arena, (void **)elements->sorted, elements->count, compare_items);
}

bool gn_elements_hold(const gn_elements *elements, gn_name item)
{
    uint32_t low = 0, high = elements->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = gn_name_compare(*elements->sorted[middle], item);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

bool gn_elements_repeat(const gn_elements *elements)
{
    for (uint32_t i = 1; i < elements->count; i++) {
        if (gn_name_equal(*elements->sorted[i - 1], *elements->sorted[i])) {
            return true;
        }
    }
    return false;
}
