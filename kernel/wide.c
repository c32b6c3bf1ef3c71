/* The reader of deltas (delta.c) once more, as gn_scan_delta_wide: for machines that look at 32 bytes at a time, which
 * not all of one kind do. The machine is asked when a handle is opened. */
#include "canonical.h"

#if defined(GN_HAS_WIDE)
#include <immintrin.h>

#define GN_WIDE
#define gn_scan_delta gn_scan_delta_wide
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2")
#endif
#include "delta.c"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
