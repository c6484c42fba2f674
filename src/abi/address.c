#include "abi/internal.h"

#include "codec/hex.h"
#include "crypto/keccak.h"

const char *abi_format_address(char out[ABI_ADDRESS_SIZE], const struct addr *a)
{
	struct hash h;

	hex_data(out, addr_bytes(a));
	keccak256(&h, bytes_of(out + 2, 40));
	for (size_t i = 0; i < 40; i++) {
		unsigned nibble = i % 2 ? h.bytes[i / 2] & 15 : h.bytes[i / 2] >> 4;

		if (nibble >= 8 && out[2 + i] >= 'a')
			out[2 + i] = (char)(out[2 + i] - 'a' + 'A');
	}
	return out;
}

int abi_parse_address(struct addr *out, const char *text, struct err *err)
{
	char checked[ABI_ADDRESS_SIZE];
	bool has_upper = false, has_lower = false;
	struct addr a;

	if (!hex_parse_fixed(a.bytes, sizeof(a.bytes), bytes_of_str(text)))
		return ERR_SET(err, ABI_E_VALUE, "\"%.60s\" is no address: 0x and 40 hex digits", text);
	for (const char *p = text + 2; *p; p++) {
		has_upper |= *p >= 'A' && *p <= 'F';
		has_lower |= *p >= 'a' && *p <= 'f';
	}
	if (has_upper && has_lower && strcmp(abi_format_address(checked, &a), text) != 0)
		return ERR_SET(err, ABI_E_VALUE, "%s fails its checksum (EIP-55): a digit is mistyped; "
			       "copy it again", text);
	*out = a;
	return OK;
}
