#include <criterion/criterion.h>

#include "abi/abi.h"

#define ITEMS \
	"[{\"type\":\"constructor\",\"inputs\":[{\"name\":\"n\",\"type\":\"uint256\"}],\"stateMutability\":\"payable\"}," \
	"{\"type\":\"function\",\"name\":\"get\",\"inputs\":[],\"outputs\":[{\"name\":\"\",\"type\":\"tuple[2]\"," \
	"\"components\":[{\"name\":\"a\",\"type\":\"uint8\"},{\"name\":\"b\",\"type\":\"string[]\"}]}]," \
	"\"stateMutability\":\"view\"}," \
	"{\"type\":\"function\",\"name\":\"set\",\"inputs\":[{\"name\":\"v\",\"type\":\"uint256\",\"internalType\":\"x\"}]," \
	"\"outputs\":[],\"stateMutability\":\"nonpayable\"}," \
	"{\"type\":\"function\",\"name\":\"set\",\"inputs\":[{\"name\":\"v\",\"type\":\"bool\"}],\"outputs\":[]}," \
	"{\"type\":\"function\",\"name\":\"set\",\"inputs\":[{\"name\":\"v\",\"type\":\"bool\"},{\"type\":\"bool\"}],\"outputs\":[]}," \
	"{\"type\":\"event\",\"name\":\"Set\",\"inputs\":[{\"name\":\"v\",\"type\":\"uint256\",\"indexed\":true}]," \
	"\"anonymous\":false},{\"type\":\"error\",\"name\":\"Bad\",\"inputs\":[]}," \
	"{\"type\":\"fallback\",\"stateMutability\":\"payable\"},{\"type\":\"receive\"}]"

static void expect_loaded(const char *text, const char *contract, size_t count, size_t code_size)
{
	struct abi a;
	struct err err = { 0 };

	cr_assert_eq(abi_load(&a, bytes_of_str(text), contract, &err), OK, "%s: %s", text, err.message);
	cr_expect_eq(a.count, count, "%s", text);
	cr_expect_eq(a.has_items, text[0] == '[' || strstr(text, "\"abi\"") != NULL);
	cr_expect_eq(a.code.size, code_size, "%s", text);
	cr_expect_eq(a.has_code, code_size > 0);
	abi_clear(&a);
}

Test(document, has_many_forms)
{
	expect_loaded(ITEMS, NULL, 7, 0);
	expect_loaded("[]", NULL, 0, 0);
	expect_loaded("{\"contractName\":\"C\",\"abi\":" ITEMS ",\"bytecode\":\"0x6001\",\"linkReferences\":{}}", NULL, 7, 2);
	expect_loaded("{\"abi\":[],\"bytecode\":{\"object\":\"0x600160\",\"sourceMap\":\"\"}}", NULL, 0, 3);
	expect_loaded("{\"abi\":" ITEMS ",\"bytecode\":\"0x\"}", NULL, 7, 0);
	expect_loaded("{\"bytecode\":\"6001\"}", NULL, 0, 2);
	expect_loaded("{\"contracts\":{\"a.sol:A\":{\"abi\":" ITEMS ",\"bin\":\"6001\"}},\"version\":\"0.8\"}", NULL, 7, 2);
	expect_loaded("{\"contracts\":{\"a.sol:A\":{\"abi\":\"[]\",\"bin\":\"6001\"},\"a.sol:B\":{\"abi\":" ITEMS
		      ",\"bin\":\"60\"}}}", "B", 7, 1);
	expect_loaded("{\"contracts\":{\"a.sol\":{\"A\":{\"abi\":" ITEMS ",\"evm\":{\"bytecode\":{\"object\":\"6001\"}}}},"
		      "\"b.sol\":{\"A\":{\"abi\":[]},\"B\":{\"abi\":[]}}}}", "a.sol:A", 7, 2);
}

Test(document, is_refused_with_a_reason)
{
	static const struct { const char *text, *contract, *message; } bad[] = {
		{ "", NULL, "not JSON" }, { "{", NULL, "not JSON" }, { "1", NULL, "neither" }, { "{}", NULL, "neither" },
		{ "{\"abi\":{}}", NULL, "no list" }, { "[1]", NULL, "item 1" },
		{ "[{\"type\":\"function\",\"name\":\"f\",\"inputs\":[{\"type\":\"uint7\"}]}]", NULL, "f: parameter 1: there is no type" },
		{ "[{\"type\":\"function\",\"name\":\"f\",\"inputs\":[{}]}]", NULL, "has no type" },
		{ "[{\"type\":\"function\",\"name\":\"f\",\"inputs\":{}}]", NULL, "no list" },
		{ "[{\"type\":\"function\",\"name\":\"f\",\"inputs\":[{\"type\":\"tuple\"}]}]", NULL, "at least one member" },
		{ "[{\"type\":\"function\",\"name\":\"f\",\"inputs\":[{\"type\":\"tuple\",\"components\":[]}]}]", NULL, "at least one" },
		{ "[{\"type\":\"function\",\"name\":\"\\u001b[31m\",\"inputs\":[]}]", NULL, "a name in its ABI is none" },
		{ "[{\"type\":\"function\",\"name\":\"f\",\"inputs\":[{\"name\":\"a b\",\"type\":\"bool\"}]}]", NULL, "a name" },
		{ "{\"abi\":[],\"bytecode\":\"0x600\"}", NULL, "hexadecimal" }, { "{\"bytecode\":\"0xzz\"}", NULL, "hexadecimal" },
		{ "{\"bytecode\":\"0x60__$aeb9$__60\"}", NULL, "lacks a library's address (__$aeb9$__60)" },
		{ "{\"contracts\":{}}", NULL, "no contract" },
		{ "{\"contracts\":{\"a:A\":{\"abi\":[]},\"a:B\":{\"abi\":[]}}}", NULL, "it has a:A, a:B: choose one" },
		{ "{\"contracts\":{\"a:A\":{\"abi\":[]}}}", "C", "no contract \"C\"; it has a:A" },
		{ "{\"contracts\":{\"a\":{\"A\":{\"abi\":[]}},\"b\":{\"A\":{\"abi\":[]}}}}", "A", "it has a:A, b:A: choose one" },
	};
	struct abi a;
	struct err err;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cr_expect_eq(abi_load(&a, bytes_of_str(bad[i].text), bad[i].contract, &err), ABI_E_DOCUMENT, "%s", bad[i].text);
		cr_expect_eq(err.code, ABI_E_DOCUMENT);
		cr_expect(strstr(err.message, bad[i].message), "%s: %s", bad[i].text, err.message);
		cr_expect_eq(abi_load(&a, bytes_of_str(bad[i].text), bad[i].contract, NULL), ABI_E_DOCUMENT);
		abi_clear(&a);
	}
}

static void expect_found(const struct abi *a, enum abi_item_kind kind, const char *text, size_t count, const char *signature)
{
	const struct abi_item *item = NULL;
	struct buf out = { 0 };
	struct err err = { 0 };

	cr_assert_eq(abi_find(&item, a, kind, text, count, &err), OK, "%s: %s", text, err.message);
	abi_put_signature(&out, item);
	buf_append_byte(&out, '\0');
	cr_expect_str_eq((char *)out.data, signature);
	buf_clear(&out);
}

Test(document, finds_items)
{
	const struct abi_item *item;
	struct hash h;
	struct err err;
	struct abi a;

	cr_assert_eq(abi_load(&a, bytes_of_str(ITEMS), NULL, NULL), OK);
	expect_found(&a, ABI_ITEM_FUNCTION, "get", 0, "get()");
	/* The only one of its name, though the number is wrong. */
	expect_found(&a, ABI_ITEM_FUNCTION, "get", 3, "get()");
	expect_found(&a, ABI_ITEM_FUNCTION, "set", 2, "set(bool,bool)");
	expect_found(&a, ABI_ITEM_FUNCTION, "set(uint)", 0, "set(uint256)");
	expect_found(&a, ABI_ITEM_FUNCTION, "set(bool b)", SIZE_MAX, "set(bool)");
	expect_found(&a, ABI_ITEM_EVENT, "Set", SIZE_MAX, "Set(uint256)");
	expect_found(&a, ABI_ITEM_ERROR, "Bad", SIZE_MAX, "Bad()");
	cr_expect_eq(abi_find(&item, &a, ABI_ITEM_FUNCTION, "set", 1, &err), ABI_E_UNKNOWN);
	cr_expect(strstr(err.message, "several fit set: give one as it stands here: set(uint256), set(bool)"), "%s", err.message);
	cr_expect_eq(abi_find(&item, &a, ABI_ITEM_FUNCTION, "Set", 1, &err), ABI_E_UNKNOWN);
	cr_expect(strstr(err.message, "no function \"Set\"; there are: get(), set(uint256)"), "%s", err.message);
	cr_expect_eq(abi_find(&item, &a, ABI_ITEM_FUNCTION, "set(string)", 1, &err), ABI_E_UNKNOWN);
	cr_expect_eq(abi_find(&item, &a, ABI_ITEM_FUNCTION, "set(", 1, &err), ABI_E_SIGNATURE);

	item = abi_constructor(&a);
	cr_assert(item);
	cr_expect(!item->refuses_value && item->inputs.count == 1);
	expect_found(&a, ABI_ITEM_FUNCTION, "get", 0, "get()");
	cr_assert_eq(abi_find(&item, &a, ABI_ITEM_EVENT, "Set", SIZE_MAX, NULL), OK);
	abi_hash(&h, item);
	cr_expect_eq(abi_find_topic(&a, &h), item);
	h.bytes[31] ^= 1;
	cr_expect_null(abi_find_topic(&a, &h));
	cr_assert_eq(abi_find(&item, &a, ABI_ITEM_FUNCTION, "get", 0, NULL), OK);
	cr_expect(item->has_outputs && item->outputs.parts[0].kind == ABI_FIXED_ARRAY && item->refuses_value);
	abi_hash(&h, item);
	cr_expect_eq(abi_find_selector(&a, ABI_ITEM_FUNCTION, h.bytes), item);
	cr_expect_null(abi_find_selector(&a, ABI_ITEM_ERROR, h.bytes));
	abi_clear(&a);
}
