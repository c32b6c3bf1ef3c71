/* What the checker of canonical text (scan.c) lends to the reader of deltas (delta.c). */
#ifndef GN_SCAN_H
#define GN_SCAN_H

#include "state.h"

typedef struct gn_scanner {
    const uint8_t *start;
    const uint8_t *end;
    gn_arena *arena;
    int status;
    const uint8_t *failed_at;
    gn_key *keys;           /* the key before, for each open object */
    bool *is_object;
} gn_scanner;

bool gn_scanner_open(gn_scanner *scan, gn_arena *arena, const uint8_t *text, size_t size);
/* The status of a check that ended at `behind`, NULL when it failed; all of the text must be used up. */
int gn_scanner_finish(gn_scanner *scan, const uint8_t *behind, uint64_t *position);

/* Note the first failure; always NULL. */
const uint8_t *gn_scan_fail(gn_scanner *scan, int status, const uint8_t *at);
/* The same for a byte that cannot stand there, or that is missing. */
const uint8_t *gn_scan_fail_byte(gn_scanner *scan, const uint8_t *at);

/* Each steps over what it checked and returns what is behind it, NULL on failure. */

/* A key and its colon. *key, the text between the quotes, must come behind the one that stood in *key before. */
const uint8_t *gn_check_key(gn_scanner *scan, const uint8_t *at, gn_key *key);
/* One value of any depth; `depth` values are open around it. */
const uint8_t *gn_check_value(gn_scanner *scan, const uint8_t *at, uint32_t depth);

#endif
