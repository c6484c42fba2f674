/*
 * A difference that decodes, encodes to the same bytes, and turned round twice is
 * itself; decoding takes memory in proportion to the input.
 */
#include "fuzz.h"

#include "base/check.h"
#include "state/diff.h"

const char *const fuzz_seeds[] = {
	"c3c0c0c0",
	"c4c0c0c161",
	/* Two accounts come about, one with a slot; then that one goes again. */
	"f87c f83d dc 94 1100000000000000000000000000000000000001 80 85c401808080"
	"df 94 2200000000000000000000000000000000000002 80 88c780830f42408080"
	"f83a f838 94 1100000000000000000000000000000000000001"
	"a0 0000000000000000000000000000000000000000000000000000000000000001 80 07 c0",
	"f87d f83e f83c 94 1100000000000000000000000000000000000001"
	"a5 e40180a02e7827dc2c61c322f13f77e6f25dd18844ccc48426dde70301d2d57d138fced880 80"
	"f83a f838 94 1100000000000000000000000000000000000001"
	"a0 0000000000000000000000000000000000000000000000000000000000000001 07 80 c0",
	"", "c0", "80", NULL,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_of(data, size);
	struct buf out = { 0 };
	struct state_diff d;
	struct err err = { 0 };

	if (state_diff_decode(&d, input, &err) != OK) {
		CHECK(err.code == STATE_E_FORMAT);
		return 0;
	}
	state_diff_reverse(&d);
	state_diff_reverse(&d);
	state_diff_encode(&out, &d);
	CHECK(bytes_equal(buf_bytes(&out), input));
	state_diff_clear(&d);
	buf_clear(&out);
	return 0;
}
