#include "crypto/modexp.h"

#include <gmp.h>

static void import(mpz_t n, struct bytes be)
{
	mpz_init(n);
	if (be.size)
		mpz_import(n, be.size, 1, 1, 0, 0, be.data);
}

void modexp(uint8_t *out, struct bytes base, struct bytes exponent, struct bytes modulus)
{
	mpz_t b, e, m;
	size_t size;

	memset(out, 0, modulus.size);
	import(m, modulus);
	if (mpz_cmp_ui(m, 1) > 0) {
		import(b, base);
		import(e, exponent);
		mpz_powm(b, b, e, m);
		size = (mpz_sizeinbase(b, 2) + 7) / 8;
		if (mpz_sgn(b) != 0)
			mpz_export(out + modulus.size - size, NULL, 1, 1, 0, 0, b);
		mpz_clear(b);
		mpz_clear(e);
	}
	mpz_clear(m);
}
