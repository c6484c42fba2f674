#include "crypto/digest.h"

#include <openssl/evp.h>

#include "base/check.h"

void ripemd160(uint8_t out[RIPEMD160_SIZE], struct bytes message)
{
	unsigned size = 0;

	if (EVP_Digest(message.data, message.size, out, &size, EVP_ripemd160(), NULL) != 1 ||
	    size != RIPEMD160_SIZE)
		fatal("OpenSSL has no RIPEMD-160: install OpenSSL 3.0.7 or later");
}
