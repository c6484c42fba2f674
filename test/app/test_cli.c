#include <criterion/criterion.h>

#include "app/cli.h"

static void expect_amount(const char *text, const char *wei)
{
	char decimal[U256_DECIMAL_MAX + 1];
	struct u256 n;
	struct err err;

	cr_assert_eq(cli_parse_amount(&n, text, &err), OK, "%s: %s", text, err.message);
	cr_expect_str_eq(u256_to_decimal(decimal, &n), wei, "%s", text);
}

Test(cli, reads_amounts)
{
	expect_amount("0", "0");
	expect_amount("1", "1000000000000000000");
	expect_amount("1.5", "1500000000000000000");
	expect_amount("1.5WEFT", "1500000000000000000");
	expect_amount("0.000000000000000001", "1");
	expect_amount("007.10 weft", "7100000000000000000");
	expect_amount("100gwei", "100000000000");
	expect_amount("0.5gwei", "500000000");
	expect_amount("5wei", "5");
	expect_amount("115792089237316195423570985008687907853269984665640564039457584007913129639935wei",
		      "115792089237316195423570985008687907853269984665640564039457584007913129639935");
}

#define DIGITS_84 \
	"999999999999999999999999999999999999999999999999999999999999999999999999999999999999"

Test(cli, refuses_bad_amounts)
{
	static const char *const bad[] = {
		"", ".", ".5", "1.", "-1", "+1", "1e18", "0x10", "1,5", "1 2", "five", "1.5.5", "1eth",
		"0.0000000000000000001", "1.5wei", "1.0000000001gwei", "1 gweix",
		"115792089237316195423570985008687907853269984665640564039457584007913129639936wei",
		"115792089237316195423570985008687907853269984665640564039458",
		(DIGITS_84 DIGITS_84),
	};
	struct u256 n;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		cr_expect_eq(cli_parse_amount(&n, bad[i], NULL), APP_E_REFUSED, "%s", bad[i]);
}

Test(cli, writes_amounts_that_read_back)
{
	static const struct { const char *wei, *coins; } cases[] = {
		{ "0", "0" }, { "1", "0.000000000000000001" }, { "1500000000000000000", "1.5" },
		{ "1000000000000000000", "1" }, { "1000000000", "0.000000001" },
		{ "10000000000000000000000", "10000" }, { "1000000000000000001", "1.000000000000000001" },
		{ "115792089237316195423570985008687907853269984665640564039457584007913129639935",
		  "115792089237316195423570985008687907853269984665640564039457.584007913129639935" },
	};
	char text[CLI_AMOUNT_SIZE];
	struct u256 n, back;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cr_assert(u256_from_decimal(&n, bytes_of_str(cases[i].wei)));
		cr_expect_str_eq(cli_format_amount(text, &n), cases[i].coins);
		cr_assert_eq(cli_parse_amount(&back, text, NULL), OK);
		cr_expect(u256_equal(&n, &back));
	}
}

/* The addresses of EIP-55. */
Test(cli, checks_address_checksums)
{
	static const char *const good[] = {
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
		"0x52908400098527886E0F7030069857D2E4169EE7", "0xde709f2102306220921060314715629080e2fb77",
	};
	static const char *const bad[] = {
		"", "0x", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		"0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
		"0xDe709f2102306220921060314715629080e2fb77",
	};
	char text[CLI_ADDRESS_SIZE];
	struct addr a;

	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		cr_expect_eq(cli_parse_address(&a, good[i], NULL), OK, "%s", good[i]);
		cr_expect_str_eq(cli_format_address(text, &a), i == 5 ? text : good[i]);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		cr_expect_eq(cli_parse_address(&a, bad[i], NULL), APP_E_REFUSED, "%s", bad[i]);
}

Test(cli, reads_numbers)
{
	uint64_t n;

	cr_expect(cli_parse_number(&n, "42", "number", NULL) == OK && n == 42);
	cr_expect(cli_parse_number(&n, "0x2a", "number", NULL) == OK && n == 42);
	cr_expect(cli_parse_number(&n, "18446744073709551615", "number", NULL) == OK && n == UINT64_MAX);
	cr_expect_eq(cli_parse_number(&n, "18446744073709551616", "number", NULL), APP_E_REFUSED);
	cr_expect_eq(cli_parse_number(&n, "-1", "number", NULL), APP_E_REFUSED);
	cr_expect_eq(cli_parse_number(&n, "", "number", NULL), APP_E_REFUSED);
	cr_expect_eq(cli_parse_number(&n, "1.5", "number", NULL), APP_E_REFUSED);
}
