/*
 * A keystore file that parses, written and parsed again, has the same members;
 * what does not parse says why. Nothing is decrypted: a file may ask for seconds.
 */
#include "fuzz.h"

#include "base/check.h"
#include "keystore/format.h"
#include "keystore/keystore.h"

/* A file with scrypt and an address, one with PBKDF2, and two that break off. */
const char *const fuzz_seeds[] = {
	"7b2276657273696f6e223a332c2263727970746f223a7b22636970686572223a226165732d3132382d637472"
	"222c22636970686572706172616d73223a7b226976223a223630383764616232663966646262666164646333"
	"316139303937333563316536227d2c2263697068657274657874223a22303031313232333334343535363637"
	"3738383939616162626363646465656666303031313232333334343535363637373838393961616262636364"
	"6465656666222c226d6163223a22303031313232333334343535363637373838393961616262636364646565"
	"66663030313132323333343435353636373738383939616162626363646465656666222c226b6466223a2273"
	"6372797074222c226b6466706172616d73223a7b22646b6c656e223a33322c226e223a3236323134342c2272"
	"223a382c2270223a312c2273616c74223a226162227d7d2c2261646472657373223a22616261626162616261"
	"62616261626162616261626162616261626162616261626162616261626162227d",
	"7b2276657273696f6e223a332c2263727970746f223a7b22636970686572223a226165732d3132382d637472"
	"222c22636970686572706172616d73223a7b226976223a223630383764616232663966646262666164646333"
	"316139303937333563316536227d2c2263697068657274657874223a22303031313232333334343535363637"
	"3738383939616162626363646465656666303031313232333334343535363637373838393961616262636364"
	"6465656666222c226d6163223a22303031313232333334343535363637373838393961616262636364646565"
	"66663030313132323333343435353636373738383939616162626363646465656666222c226b6466223a2270"
	"626b646632222c226b6466706172616d73223a7b22646b6c656e223a33322c2263223a3236323134342c2270"
	"7266223a22686d61632d736861323536222c2273616c74223a22227d7d7d",
	"7b2276657273696f6e223a332c2243727970746f223a7b22636970686572223a226165732d3132382d637472"
	"222c22636970686572706172616d73223a7b226976223a223078227d7d7d",
	"7b2276657273696f6e223a33",
	NULL,
};

static void check_equal(const struct keystore_file *a, const struct keystore_file *b)
{
	CHECK(a->has_address == b->has_address && addr_equal(&a->address, &b->address));
	CHECK(memcmp(a->iv, b->iv, sizeof(a->iv)) == 0 && hash_equal(&a->mac, &b->mac));
	CHECK(bytes_equal(bytes_of(a->ciphertext, a->ciphertext_size),
			  bytes_of(b->ciphertext, b->ciphertext_size)));
	CHECK(bytes_equal(bytes_of(a->salt, a->salt_size), bytes_of(b->salt, b->salt_size)));
	CHECK(a->kdf == b->kdf && a->derived_size == b->derived_size);
	CHECK(a->n == b->n && a->r == b->r && a->p == b->p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t uuid[16];
	struct keystore_file file, again;
	struct buf text = { 0 };
	struct err err = { 0 };
	struct addr address;

	if (keystore_parse(&file, bytes_of(data, size), &err) != OK) {
		CHECK(err.code == KEYSTORE_E_FORMAT || err.code == KEYSTORE_E_UNSUPPORTED);
		CHECK(err.message[0]);
		return 0;
	}
	CHECK(file.ciphertext_size >= 1 && file.derived_size >= KEYSTORE_DERIVED_MIN);
	CHECK(keystore_parse_address(&address, bytes_of(data, size)) == file.has_address);
	if (file.kdf != KEYSTORE_SCRYPT)
		return 0; /* is only read */
	file.has_address = true; /* is always written */
	keystore_format(&text, &file, uuid);
	CHECK(keystore_parse(&again, buf_bytes(&text), &err) == OK);
	check_equal(&file, &again);
	buf_clear(&text);
	return 0;
}
