/* What the fuzz targets share: results copied out of a handle, and a check that no flag takes out. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"

#define DEPTH_MAX 128u
#define INSTANT_SIZE_MAX 27
#define MEMORY_MAX ((uint64_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct copy {
    uint8_t *bytes;
    size_t size;
} copy;

#define must(holds) must_at((holds), #holds, __FILE__, __LINE__)

static inline void must_at(int holds, const char *words, const char *file, int line)
{
    if (!holds) {
        fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, words);
        abort();
    }
}

/* In memory of exactly that size, so that a read past the end is seen. */
static inline copy copy_of(const uint8_t *bytes, size_t size)
{
    copy made = {malloc(size + (size == 0)), size};
    must(made.bytes != NULL);
    if (size > 0) {
        memcpy(made.bytes, bytes, size);
    }
    return made;
}

static inline void drop(copy made)
{
    free(made.bytes);
}

static inline int same(copy a, copy b)
{
    return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

#endif
