// CRC-32C (Castagnoli), eight bytes a step.
//
// C++ for one reason: the tables are computed by the compiler, so none is machine-written into git and
// none is filled in at run time. table[k][b] is what byte b does to the sum k bytes later.
#include <array>
#include <cstdint>

#include "kernel.h"

namespace {

using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr uint32_t polynomial_reflected = 0x82F63B78;

constexpr Tables make_tables()
{
    Tables tables{};
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t sum = byte;
        for (int bit = 0; bit < 8; bit++) {
            sum = (sum >> 1) ^ ((sum & 1) != 0 ? polynomial_reflected : 0);
        }
        tables[0][byte] = sum;
    }
    for (uint32_t later = 1; later < 8; later++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t sum = tables[later - 1][byte];
            tables[later][byte] = (sum >> 8) ^ tables[0][sum & 0xFF];
        }
    }
    return tables;
}

constexpr Tables tables = make_tables();

uint32_t add_eight(uint32_t sum, const uint8_t *data)
{
    return tables[7][(data[0] ^ sum) & 0xFF] ^ tables[6][(data[1] ^ (sum >> 8)) & 0xFF] ^
           tables[5][(data[2] ^ (sum >> 16)) & 0xFF] ^ tables[4][data[3] ^ (sum >> 24)] ^
           tables[3][data[4]] ^ tables[2][data[5]] ^ tables[1][data[6]] ^ tables[0][data[7]];
}

} // namespace

uint32_t gn_crc32c(uint32_t crc, const uint8_t *data, uint64_t size)
{
    uint32_t sum = ~crc;
    for (; size >= 8; size -= 8, data += 8) {
        sum = add_eight(sum, data);
    }
    for (; size > 0; size--, data++) {
        sum = (sum >> 8) ^ tables[0][(sum ^ *data) & 0xFF];
    }
    return ~sum;
}
