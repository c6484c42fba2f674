#include "base/crc32c.h"

#define CRC32C_POLYNOMIAL 0x82f63b78u /* 0x1edc6f41 with its bits reversed */

/* The effect of one bit, then of four, that leave the register. */
#define BIT(v) ((v) >> 1 ^ (CRC32C_POLYNOMIAL & (0u - ((v) & 1u))))
#define NIBBLE(v) BIT(BIT(BIT(BIT((uint32_t)(v)))))

static uint32_t crc32c_portable(uint32_t state, struct bytes data)
{
	static const uint32_t effect[16] = {
		NIBBLE(0), NIBBLE(1), NIBBLE(2), NIBBLE(3),
		NIBBLE(4), NIBBLE(5), NIBBLE(6), NIBBLE(7),
		NIBBLE(8), NIBBLE(9), NIBBLE(10), NIBBLE(11),
		NIBBLE(12), NIBBLE(13), NIBBLE(14), NIBBLE(15),
	};

	for (size_t i = 0; i < data.size; i++) {
		state ^= data.data[i];
		state = state >> 4 ^ effect[state & 15];
		state = state >> 4 ^ effect[state & 15];
	}
	return state;
}

#ifdef __x86_64__
__attribute__((target("sse4.2")))
static uint32_t crc32c_sse42(uint32_t state, struct bytes data)
{
	uint64_t wide = state;
	size_t i = 0;

	for (; i + 8 <= data.size; i += 8)
		wide = __builtin_ia32_crc32di(wide, load_le64(data.data + i));
	state = (uint32_t)wide;
	for (; i < data.size; i++)
		state = __builtin_ia32_crc32qi(state, data.data[i]);
	return state;
}
#endif

uint32_t crc32c(uint32_t crc, struct bytes data)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_sse42(~crc, data);
#endif
	return ~crc32c_portable(~crc, data);
}
