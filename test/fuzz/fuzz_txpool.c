/*
 * Operations on the pool and on the plain model of it give the same after every
 * step: results, content, who is pending, what a block would take, in which order.
 */
#include "fuzz.h"

#include "base/check.h"
#include "txpool/model.h"

/* Limits first (count, bytes, of a sender, future, floor, seed), then operations
 * (model.c): a chain of one sender, gaps that close, a flood into a full pool,
 * replacements, updates and removals in between. */
const char *const fuzz_seeds[] = {
	"10ff08040001" "000000140a0001" "000001140a0001" "000002140a0001" "0700" "0714",
	"10ff08040001" "000004140a0001" "000002140a0001" "000003140a0001" "05000201",
	"00ff08020001" "000002050100 01" "000102060100 01" "000202070100 01" "000302080100 01"
	"000402090100 01" "0005020a0100 01" "0004030b0b00 01" "0601" "0501 00ff",
	"04100a070203" "00000209090101 00" "0000020a0a0100 03" "05000010" "0602" "0703",
	"", "ff", NULL,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CHECK(model_run(bytes_of(data, size)));
	return 0;
}
