#include <criterion/criterion.h>

#include "abi/abi.h"
#include "codec/hex.h"

/* The canonical form, and the first bytes of its hash. */
static void expect(const char *text, const char *canonical, const char *selector)
{
	struct abi_pool pool = { 0 };
	struct abi_item item;
	struct buf out = { 0 };
	char hex[2 * ABI_SELECTOR_SIZE + 3];
	struct err err = { 0 };
	struct hash h;

	cr_assert_eq(abi_parse_signature(&item, &pool, text, &err), OK, "%s: %s", text, err.message);
	abi_put_signature(&out, &item);
	buf_append_byte(&out, '\0');
	cr_expect_str_eq((char *)out.data, canonical, "%s", text);
	if (selector) {
		abi_hash(&h, &item);
		cr_expect_str_eq(hex_data(hex, bytes_of(h.bytes, ABI_SELECTOR_SIZE)), selector, "%s", text);
	}
	buf_clear(&out);
	abi_pool_clear(&pool);
}

/* Of the specification, ERC-20 and ERC-721; widely published. */
Test(signature, gives_known_selectors)
{
	expect("transfer(address,uint256)", "transfer(address,uint256)", "0xa9059cbb");
	expect("balanceOf(address)(uint256)", "balanceOf(address)", "0x70a08231");
	expect("function balanceOf(address owner) external view returns (uint256)", "balanceOf(address)",
	       "0x70a08231");
	expect("baz(uint32,bool)", "baz(uint32,bool)", "0xcdcd77c0");
	expect("bar(bytes3[2])", "bar(bytes3[2])", "0xfce353f6");
	expect("sam(bytes,bool,uint[])", "sam(bytes,bool,uint256[])", "0xa5643bf2");
	expect("f(uint256,uint32[],bytes10,bytes)", "f(uint256,uint32[],bytes10,bytes)", "0x8be65246");
	expect("g(uint256[][],string[])", "g(uint256[][],string[])", "0x2289b18c");
	expect("error Error(string)", "Error(string)", "0x08c379a0");
	expect("Panic(uint)", "Panic(uint256)", "0x4e487b71");
	expect("event Transfer(address indexed from, address indexed to, uint256 value)",
	       "Transfer(address,address,uint256)", "0xddf252ad");
	expect(" function  supportsInterface ( bytes4 interfaceId )  view;", "supportsInterface(bytes4)", "0x01ffc9a7");
	expect("totalSupply()", "totalSupply()", "0x18160ddd");
}

Test(signature, reads_all_types)
{
	expect("f(uint,int,uint8,int248,address,bool,bytes1,bytes32,bytes,string,function)",
	       "f(uint256,int256,uint8,int248,address,bool,bytes1,bytes32,bytes,string,function)", NULL);
	expect("f((uint id, tuple(address payable who, bytes)[2][] memory list) calldata x, string[][3])",
	       "f((uint256,(address,bytes)[2][]),string[][3])", NULL);
	expect("(uint256,(bool))", "(uint256,(bool))", NULL);
	expect("constructor(string name, uint8)", "(string,uint8)", NULL);
	expect("error(uint256)", "error(uint256)", NULL);
	expect("event(uint256)", "event(uint256)", NULL);
	expect("$_a1(uint256)", "$_a1(uint256)", NULL);
}

Test(signature, keeps_names_indices_and_outputs)
{
	struct abi_pool pool = { 0 };
	struct abi_item item;

	cr_assert_eq(abi_parse_signature(&item, &pool, "event E(address indexed a, (uint x, bool) b) anonymous", NULL), OK);
	cr_expect(item.kind == ABI_ITEM_EVENT && item.has_kind && item.is_anonymous && !item.has_outputs);
	cr_expect(item.inputs.parts[0].is_indexed && !item.inputs.parts[1].is_indexed);
	cr_expect_str_eq(item.inputs.parts[1].name, "b");
	cr_expect_str_eq(item.inputs.parts[1].parts[0].name, "x");
	cr_assert_eq(abi_parse_signature(&item, &pool, "f()(uint a, string b)", NULL), OK);
	cr_expect(item.has_outputs && item.outputs.count == 2 && item.outputs.is_dynamic && !item.has_kind);
	cr_expect_str_eq(item.outputs.parts[0].name, "a");
	cr_assert_eq(abi_parse_signature(&item, &pool, "f()()", NULL), OK);
	cr_expect(item.has_outputs && item.outputs.count == 0 && !item.refuses_value);
	cr_assert_eq(abi_parse_signature(&item, &pool, "function f() pure", NULL), OK);
	cr_expect(!item.has_outputs && item.refuses_value);
	abi_pool_clear(&pool);
}

Test(signature, knows_sizes)
{
	struct abi_pool pool = { 0 };
	struct abi_item item;

	cr_assert_eq(abi_parse_signature(&item, &pool, "f(uint8[3][2],(bool,bytes4[2]),string[4],(uint,string))", NULL), OK);
	cr_expect(item.inputs.parts[0].head_size == 192 && !item.inputs.parts[0].is_dynamic);
	cr_expect(item.inputs.parts[1].head_size == 96 && !item.inputs.parts[1].is_dynamic);
	cr_expect(item.inputs.parts[2].head_size == 32 && item.inputs.parts[2].is_dynamic);
	cr_expect(item.inputs.parts[3].head_size == 32 && item.inputs.parts[3].is_dynamic);
	abi_pool_clear(&pool);
}

Test(signature, refuses_what_is_none)
{
	static const char *const bad[] = {
		"", "f", "f(", "f)", "f(uint256", "f(uint256,)", "f(,uint256)", "f(uint256 uint256 a)", "f(uint7)",
		"f(uint264)", "f(uint0)", "f(uint08)", "f(int512)", "f(bytes0)", "f(bytes33)", "f(bytes01)", "f(byte)",
		"f(fixed)", "f(ufixed128x18)", "f(fixed128x18)", "f(hash)", "f(uint256[0])", "f(uint256[01])",
		"f(uint256[-1])", "f(uint256[)", "f(uint256])", "f(uint256[1)", "f(uint256[a])", "f(())", "f(tuple)",
		"f(tuple())", "f(uint256)(", "f(uint256) nonsense", "f(uint256) returns", "f(uint256)(uint256)(uint256)",
		"f(address indexed a)(uint256", "(address indexed a, (bool indexed b) c)", "function (uint256)", "function function(uint256)", "error constructor(uint256)",
		"event E(uint256)(uint256)", "function f(address indexed a)", "1f(uint256)", "f(uint256)x(", "f(uint256));",
		"f(uint256[99999999999999999999])", "f(uint256[32769])", "f(uint256[1024][1024])", "f(\xc3\xa9)",
		"f(UINT256)", "f((uint256)", "f(string[1048577])",
	};
	struct abi_pool pool = { 0 };
	struct abi_item item;
	struct err err;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cr_expect_eq(abi_parse_signature(&item, &pool, bad[i], &err), ABI_E_SIGNATURE, "%s", bad[i]);
		cr_expect_eq(err.code, ABI_E_SIGNATURE);
	}
	abi_pool_clear(&pool);
}

Test(signature, has_a_bound_on_depth)
{
	struct abi_pool pool = { 0 };
	struct abi_item item;
	struct buf text = { 0 };

	for (unsigned depth = 1; depth < 4 * ABI_DEPTH_MAX; depth++) {
		/* The parameters themselves are a tuple. */
		int wanted = depth < ABI_DEPTH_MAX ? OK : ABI_E_SIGNATURE;

		buf_reset(&text);
		buf_printf(&text, "f(");
		for (unsigned i = 0; i < depth; i++)
			buf_append_byte(&text, '(');
		buf_printf(&text, "bool");
		for (unsigned i = 0; i < depth; i++)
			buf_append_byte(&text, ')');
		buf_append(&text, ")", 2);
		cr_expect_eq(abi_parse_signature(&item, &pool, (char *)text.data, NULL), wanted, "%u tuples", depth);
		buf_reset(&text);
		buf_printf(&text, "f(bool");
		for (unsigned i = 0; i < depth; i++)
			buf_printf(&text, "[]");
		buf_append(&text, ")", 2);
		cr_expect_eq(abi_parse_signature(&item, &pool, (char *)text.data, NULL), wanted, "%u lists", depth);
	}
	buf_clear(&text);
	abi_pool_clear(&pool);
}
