#include "base/u256.h"

#include "base/check.h"

typedef unsigned __int128 u128;

int u256_compare(const struct u256 *a, const struct u256 *b)
{
	for (int i = 3; i >= 0; i--)
		if (a->limbs[i] != b->limbs[i])
			return a->limbs[i] < b->limbs[i] ? -1 : 1;
	return 0;
}

bool u256_add(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
	u128 carry = 0;

	for (int i = 0; i < 4; i++) {
		carry += (u128)a->limbs[i] + b->limbs[i];
		out->limbs[i] = (uint64_t)carry;
		carry >>= 64;
	}
	return carry != 0;
}

bool u256_sub(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
	uint64_t borrow = 0;

	for (int i = 0; i < 4; i++) {
		u128 d = (u128)a->limbs[i] - b->limbs[i] - borrow;

		out->limbs[i] = (uint64_t)d;
		borrow = (uint64_t)(d >> 64) & 1;
	}
	return borrow != 0;
}

bool u256_mul(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
	uint64_t product[8] = { 0 };

	for (int i = 0; i < 4; i++) {
		u128 carry = 0;

		for (int j = 0; j < 4; j++) {
			carry += (u128)a->limbs[i] * b->limbs[j] + product[i + j];
			product[i + j] = (uint64_t)carry;
			carry >>= 64;
		}
		product[i + 4] = (uint64_t)carry;
	}
	memcpy(out->limbs, product, sizeof(out->limbs));
	return (product[4] | product[5] | product[6] | product[7]) != 0;
}

bool u256_mul_u64(struct u256 *out, const struct u256 *a, uint64_t b)
{
	u128 carry = 0;

	for (int i = 0; i < 4; i++) {
		carry += (u128)a->limbs[i] * b;
		out->limbs[i] = (uint64_t)carry;
		carry >>= 64;
	}
	return carry != 0;
}

uint64_t u256_div_u64(struct u256 *out, const struct u256 *a, uint64_t divisor)
{
	u128 rest = 0;

	CHECK(divisor > 0);
	for (int i = 3; i >= 0; i--) {
		rest = rest << 64 | a->limbs[i];
		out->limbs[i] = (uint64_t)(rest / divisor);
		rest %= divisor;
	}
	return (uint64_t)rest;
}

void u256_to_be32(uint8_t out[32], const struct u256 *a)
{
	for (int i = 0; i < 4; i++)
		store_be64(out + 8 * i, a->limbs[3 - i]);
}

struct u256 u256_from_be(struct bytes be)
{
	uint8_t full[32] = { 0 };
	struct u256 v;

	CHECK(be.size <= sizeof(full));
	if (be.size)
		memcpy(full + sizeof(full) - be.size, be.data, be.size);
	for (int i = 0; i < 4; i++)
		v.limbs[i] = load_be64(full + 8 * (3 - i));
	return v;
}

size_t u256_byte_length(const struct u256 *a)
{
	for (int i = 3; i >= 0; i--)
		if (a->limbs[i])
			return (size_t)i * 8 + (71 - (size_t)__builtin_clzll(a->limbs[i])) / 8;
	return 0;
}

char *u256_to_decimal(char out[U256_DECIMAL_MAX + 1], const struct u256 *a)
{
	char digits[U256_DECIMAL_MAX];
	struct u256 rest = *a;
	size_t count = 0;

	do
		digits[count++] = (char)('0' + u256_div_u64(&rest, &rest, 10));
	while (!u256_is_zero(&rest));
	for (size_t i = 0; i < count; i++)
		out[i] = digits[count - 1 - i];
	out[count] = '\0';
	return out;
}

bool u256_from_decimal(struct u256 *out, struct bytes text)
{
	const struct u256 ten = u256_of(10);
	struct u256 v = u256_of(0);

	if (text.size == 0 || text.size > U256_DECIMAL_MAX)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		struct u256 digit;

		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		digit = u256_of((uint64_t)(text.data[i] - '0'));
		if (u256_mul(&v, &v, &ten) || u256_add(&v, &v, &digit))
			return false;
	}
	*out = v;
	return true;
}
