/* The members of a compact canonical object, cut without building their values: `append` needs five of a delta's. */
#include "canonical.h"

uint64_t gn_members(const uint8_t *text, uint64_t size, gn_member_place *members, uint64_t room)
{
    if (size < 2 || text[0] != '{') {
        return 0;
    }
    const uint8_t *at = text + 1, *const end = text + size - 1;
    uint64_t count = 0;
    while (at < end && *at == '"') {
        const uint8_t *key_end = gn_skip_string(at + 1, end);
        const uint8_t *value = key_end < end ? key_end + 1 : end; /* behind the colon */
        const uint8_t *value_end = gn_skip(value, end);
        if (count < room) {
            members[count] = (gn_member_place){.key_at = (uint64_t)(at + 1 - text), .key_size = (uint64_t)(key_end - at) - 2,
                                         .at = (uint64_t)(value - text), .size = (uint64_t)(value_end - value)};
        }
        count++;
        at = value_end < end ? value_end + 1 : end; /* behind the comma */
    }
    return count;
}
