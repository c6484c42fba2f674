#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"

#define TEST_E_ONE (ERR_BASE_CODEC + 1)

static int fail_somewhere(struct err *err, int number)
{
	return ERR_SET(err, TEST_E_ONE, "number %d", number);
}

Test(err, set_fills_code_place_and_message)
{
	struct err err = { 0 };

	cr_assert_eq(fail_somewhere(&err, 7), TEST_E_ONE);
	cr_assert_eq(err.code, TEST_E_ONE);
	cr_assert_str_eq(err.where, "fail_somewhere");
	cr_assert_str_eq(err.message, "number 7");
}

Test(err, set_without_err_returns_code)
{
	cr_assert_eq(fail_somewhere(NULL, 7), TEST_E_ONE);
	cr_assert_eq(err_prefix(NULL, TEST_E_ONE, "file"), TEST_E_ONE);
}

Test(err, set_truncates_long_messages)
{
	struct err err = { 0 };
	char text[2 * ERR_MESSAGE_MAX];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ERR_SET(&err, TEST_E_ONE, "%s", text);
	cr_assert_eq(strlen(err.message), ERR_MESSAGE_MAX - 1);
}

Test(err, set_takes_its_own_message_as_argument)
{
	struct err err = { 0 };

	ERR_SET(&err, TEST_E_ONE, "the inner message");
	ERR_SET(&err, TEST_E_ONE, "outer: %s!", err.message);
	cr_assert_str_eq(err.message, "outer: the inner message!");
	err_prefix(&err, TEST_E_ONE, "again (%s)", err.message);
	cr_assert_str_eq(err.message,
			 "again (outer: the inner message!): outer: the inner message!");
}

Test(err, prefix_stands_before_the_message)
{
	struct err err = { 0 };

	fail_somewhere(&err, 1);
	cr_assert_eq(err_prefix(&err, err.code, "file %s", "a"), TEST_E_ONE);
	cr_assert_str_eq(err.message, "file a: number 1");
	cr_assert_eq(err.code, TEST_E_ONE);
	cr_assert_str_eq(err.where, "fail_somewhere");
}

Test(err, prefix_truncates_at_every_length)
{
	char text[2 * ERR_MESSAGE_MAX];

	for (size_t size = ERR_MESSAGE_MAX - 20; size < sizeof(text); size++) {
		struct err err = { 0 };

		memset(text, 'p', size);
		text[size] = '\0';
		fail_somewhere(&err, 1);
		err_prefix(&err, err.code, "%s", text);
		cr_assert_lt(strlen(err.message), ERR_MESSAGE_MAX);
		cr_assert_geq(strlen(err.message), ERR_MESSAGE_MAX - 20);
		cr_assert_eq(err.message[0], 'p');
	}
}
