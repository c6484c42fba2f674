/*
 * abi - the contract ABI of Solidity: signatures and JSON descriptions read, values
 * encoded and decoded, shown and read as text.
 *
 *     "transfer(address,uint256)"  ──abi_parse_signature──►  item ──► selector, types
 *     artifact.json                ──abi_load──────────────►  items, creation code
 *
 *     words ──abi_parse_arguments──►  values  ──abi_encode──►  data
 *     text  ◄──abi_format──────────   values  ◄──abi_decode──  data
 *
 * Every type of the specification: uintN, intN, address, bool, bytesN, bytes, string,
 * function, T[], T[k], tuples, nested at will up to ABI_DEPTH_MAX. `fixed` is in the
 * specification and in no compiler: refused by name.
 *
 * What comes from outside is bounded before anything is allocated: every offset and
 * length lies within the data, and what is decoded stands in proportion to it, so that
 * lists that point into each other cannot grow without end. The words of values are
 * checked as Solidity's own decoder does (an address has 12 zero bytes before it, a
 * bool is 0 or 1, an int8 is sign-extended, bytes4 ends with zeros): dirty ones are
 * refused. As ethers does, what pads bytes and strings may be anything or be missing,
 * offsets may be in any order, and bytes behind the last value are ignored.
 *
 * A string of a contract never reaches a terminal as it is: text.c.
 *
 * Types, names and values live in a pool that the caller clears; values of bytes and
 * strings may point into the data they were decoded from.
 *
 * Source: docs.soliditylang.org, "Contract ABI Specification".
 */
#ifndef WEFT_ABI_ABI_H
#define WEFT_ABI_ABI_H

#include "base/buf.h"
#include "base/err.h"
#include "base/u256.h"
#include "json/json.h"

enum abi_error {
	ABI_E_SIGNATURE = ERR_BASE_ABI, /* no type or signature */
	ABI_E_DOCUMENT,                 /* no JSON description of a contract */
	ABI_E_UNKNOWN,                  /* the description has no such item, or several */
	ABI_E_COUNT,                    /* too many or too few arguments */
	ABI_E_VALUE,                    /* text that is no value of its type */
	ABI_E_DATA,                     /* not the encoding of such values */
};

#define ABI_DEPTH_MAX 32              /* arrays and tuples in each other */
#define ABI_SIGNATURE_SIZE_MAX 16384  /* bytes of text */
#define ABI_HEAD_SIZE_MAX 1048576     /* encoded bytes of one static value, such as uint256[32768] */
#define ABI_DATA_SIZE_MAX 33554432    /* bytes that are decoded */
#define ABI_TOPIC_MAX 4

/* --- memory --- */

struct abi_block;
struct abi_pool {
	struct abi_block *newest;
};

/* Zeroed memory that lives until the pool is cleared. */
void *abi_pool_take(struct abi_pool *p, size_t count, size_t size);
void abi_pool_clear(struct abi_pool *p);

/* --- types --- */

enum abi_kind {
	ABI_UINT,
	ABI_INT,
	ABI_ADDRESS,
	ABI_BOOL,
	ABI_FIXED_BYTES,  /* bytes1 to bytes32 */
	ABI_FUNCTION,     /* an address and a selector: as bytes24 */
	ABI_BYTES,
	ABI_STRING,
	ABI_ARRAY,        /* T[] */
	ABI_FIXED_ARRAY,  /* T[k] */
	ABI_TUPLE,
};

struct abi_type {
	enum abi_kind kind;
	size_t size;             /* bits of numbers, bytes of fixed bytes */
	size_t count;            /* k of T[k]; members of a tuple */
	struct abi_type *parts;  /* the T of an array; a tuple's members */
	const char *name;        /* of the parameter; "" if it has none */
	bool is_indexed;         /* of an event's parameter */
	bool is_dynamic;         /* its encoding stands in the tail */
	size_t head_size;        /* bytes that it has where it stands: 32 if dynamic */
	unsigned depth;          /* arrays and tuples in each other, itself included */
};

/* Appends the canonical name: "(uint256,bytes)[2]". */
void abi_put_type(struct buf *out, const struct abi_type *type);

/* --- signatures --- */

enum abi_item_kind {
	ABI_ITEM_FUNCTION,
	ABI_ITEM_CONSTRUCTOR,
	ABI_ITEM_EVENT,
	ABI_ITEM_ERROR,
};

struct abi_item {
	enum abi_item_kind kind;
	const char *name;        /* "" of a constructor, and of bare types "(uint256)" */
	struct abi_type inputs;  /* tuples */
	struct abi_type outputs;
	bool has_kind;           /* "event" or such stood before it */
	bool has_outputs;        /* the outputs are known, be they none */
	bool is_anonymous;       /* an event without its hash as the first topic */
	bool refuses_value;      /* known not to be payable */
};

/* One signature as people write it:
 *     transfer(address,uint256)
 *     balanceOf(address)(uint256)
 *     function f((uint256 id, string name)[] calldata items) external view returns (bool)
 *     event Transfer(address indexed from, address indexed to, uint256 value)
 *     error Short(uint256 has, uint256 needs)
 *     constructor(string)
 *     (uint256,bytes)
 * Without a word before it, a function. ABI_E_SIGNATURE says what is wrong, and where. */
int abi_parse_signature(struct abi_item *out, struct abi_pool *pool, const char *text, struct err *err);

/* A type of the JSON form: "uint256", "tuple[2]" with the tuple's members, which are moved
 * into the pool. For abi_load(). */
int abi_parse_type(struct abi_type *out, struct abi_pool *pool, const char *text,
		   struct abi_type *members, size_t member_count, struct err *err);

/* Appends "name(types)"; its Keccak-256, of which the first 4 bytes are the selector
 * of a function or error, and all of it the topic of an event. */
void abi_put_signature(struct buf *out, const struct abi_item *item);
void abi_hash(struct hash *out, const struct abi_item *item);
#define ABI_SELECTOR_SIZE 4

/* --- a contract's description --- */

struct abi {
	struct abi_pool pool;
	struct abi_item *items;
	size_t count;
	bool has_items;   /* the document has an ABI, be it empty */
	bool has_code;    /* … and creation code */
	struct buf code;
};

/* Reads a JSON ABI; an artifact of Hardhat or Foundry; or what solc prints as
 * --combined-json or --standard-json, of which `contract` ("Name" or "file:Name")
 * chooses one if there are several (NULL: there is only one). ABI_E_DOCUMENT;
 * the code of contracts whose libraries are not linked is refused by name.
 * End it with abi_clear() in any case. */
int abi_load(struct abi *out, struct bytes json, const char *contract, struct err *err);
void abi_clear(struct abi *a);

/* The item that `text` means: a name, if only one of them takes `argument_count` arguments
 * (SIZE_MAX: any number), or a signature. ABI_E_UNKNOWN names what there is. */
int abi_find(const struct abi_item **out, const struct abi *a, enum abi_item_kind kind,
	     const char *text, size_t argument_count, struct err *err);
/* NULL: there is none. The constructor; the item of a selector or topic. */
const struct abi_item *abi_constructor(const struct abi *a);
const struct abi_item *abi_find_selector(const struct abi *a, enum abi_item_kind kind,
					 const uint8_t selector[ABI_SELECTOR_SIZE]);
const struct abi_item *abi_find_topic(const struct abi *a, const struct hash *topic);

/* --- values --- */

struct abi_value {
	union {
		uint8_t word[32];     /* of the kinds up to ABI_FUNCTION: as it is encoded */
		struct bytes bytes;   /* of bytes and strings */
		struct {
			struct abi_value *items;
			size_t count;
		} list;               /* of arrays and tuples */
	};
};

/* Appends the encoding of a tuple's members, as a call's arguments are encoded. */
void abi_encode(struct buf *out, const struct abi_type *tuple, const struct abi_value *v);

/* Its inverse. Bytes and strings borrow from `data`. ABI_E_DATA names the value that is
 * malformed. Takes time and memory in proportion to the data. */
int abi_decode(struct abi_value *out, struct abi_pool *pool, const struct abi_type *tuple,
	       struct bytes data, struct err *err);

/* --- text (text.c, words.c) --- */

/* Words of a command line as a tuple's members, in order. Numbers are decimal, 0x…, or 1.5e18;
 * bytes 0x…; a string is the word as it stands; lists are [1,2], tuples (1,"two"), with
 * strings in them quoted or bare. ABI_E_COUNT, or ABI_E_VALUE, which says which argument, its
 * type and what is wrong. */
int abi_parse_arguments(struct abi_value *out, struct abi_pool *pool, const struct abi_type *tuple,
			const char *const words[], size_t count, struct err *err);
/* One word as a value of one type. */
int abi_parse_value(struct abi_value *out, struct abi_pool *pool, const struct abi_type *type,
		    const char *word, struct err *err);

/* Appends a value as text: numbers decimal, addresses with their checksum, strings quoted and
 * escaped. What it prints of lists and tuples, abi_parse_value() reads. */
void abi_format(struct buf *out, const struct abi_type *type, const struct abi_value *v);
/* … as JSON: numbers are decimal strings, lists and tuples arrays. */
void abi_write(struct jout *j, const struct abi_type *type, const struct abi_value *v);
/* … a tuple's members as an array of {"name", "type", "value"}. */
void abi_write_members(struct jout *j, const struct abi_type *tuple, const struct abi_value *v);

/* Appends text of unknown origin so that it cannot steer a terminal or hide: controls, what
 * turns the writing direction, what is not UTF-8, and `\` become \n, \u{9b}, \xff; `quote`
 * (0: none) is put around it and escaped within. */
void abi_put_text(struct buf *out, struct bytes text, char quote);
/* The same for a sentence in which such text may stand, escaped already or not: `\` is
 * left alone. */
void abi_put_message(struct buf *out, struct bytes text);

/* --- addresses (EIP-55) --- */

#define ABI_ADDRESS_SIZE 43
/* NUL-terminated; returns `out`. */
const char *abi_format_address(char out[ABI_ADDRESS_SIZE], const struct addr *a);
/* 0x and 40 digits; with mixed case the checksum must hold. ABI_E_VALUE. */
int abi_parse_address(struct addr *out, const char *text, struct err *err);

/* --- why a call failed --- */

enum abi_revert_kind {
	ABI_REVERT_EMPTY,   /* no data: require without a text, or no such function */
	ABI_REVERT_ERROR,   /* Error(string) */
	ABI_REVERT_PANIC,   /* Panic(uint256): assert, overflow, … */
	ABI_REVERT_CUSTOM,  /* an error of the description */
	ABI_REVERT_UNKNOWN, /* some other data */
};

struct abi_revert {
	enum abi_revert_kind kind;
	const struct abi_item *item;   /* of the first three that have one */
	struct abi_value values;
	struct abi_item own;           /* Error's or Panic's */
};

/* Never fails: what does not decode is unknown. `abi` may be NULL; `data` is borrowed. */
void abi_decode_revert(struct abi_revert *out, struct abi_pool *pool, const struct abi *abi,
		       struct bytes data);
/* Appends a sentence for a person: "Short(has: 1, needs: 2)". */
void abi_format_revert(struct buf *out, const struct abi_revert *r, struct bytes data);
/* A JSON object: "data" and, if known, "error" and "values". */
void abi_write_revert(struct jout *j, const struct abi_revert *r, struct bytes data);

/* --- events --- */

/* An event's parameters in the order of its declaration. Of an indexed parameter that does
 * not fit a topic (string, bytes, list, tuple) the value is its hash, `word`:
 * abi_event_type() gives the type to show it by. ABI_E_DATA, also when the topics are
 * not as many as the parameters that are indexed. */
int abi_decode_event(struct abi_value *out, struct abi_pool *pool, const struct abi_item *item,
		     const struct hash topics[], size_t topic_count, struct bytes data, struct err *err);
const struct abi_type *abi_event_type(const struct abi_type *parameter);

/* The topic that an indexed parameter of this value has. Of lists and tuples, the hash of
 * their elements, each padded to a word. */
void abi_topic(struct hash *out, const struct abi_type *type, const struct abi_value *v);

#endif
