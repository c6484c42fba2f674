/*
 * hex - hexadecimal text, and JSON-RPC's two forms of it.
 *
 * DATA is "0x" and an even number of digits; QUANTITY is "0x" and the number
 * without leading zeros ("0x0" for zero).
 */
#ifndef WEFT_CODEC_HEX_H
#define WEFT_CODEC_HEX_H

#include "base/buf.h"
#include "base/u256.h"

/* 2·size lowercase digits, no prefix, no NUL. */
void hex_encode(char *out, struct bytes data);

/* Decodes exactly out_size bytes from 2·out_size digits of either case, without
 * a prefix; false on any other text. */
bool hex_decode(uint8_t *out, size_t out_size, struct bytes text);

/* "0x" + digits, NUL-terminated: for messages and logs. `out` holds 2·size + 3. */
char *hex_data(char *out, struct bytes data);
#define HEX_HASH_SIZE 67 /* "0x", 64 digits, NUL */
#define HEX_ADDR_SIZE 43

/* DATA of any length up to `size_max` appended to `out`; of exactly out_size
 * bytes. "0x" is needed. False (and `out` unchanged) if malformed. */
bool hex_parse_data(struct buf *out, struct bytes text, size_t size_max);
bool hex_parse_fixed(uint8_t *out, size_t out_size, struct bytes text);

/* QUANTITY, strict: "0x" alone, leading zeros and values too large are refused. */
bool hex_parse_u64(uint64_t *out, struct bytes text);
bool hex_parse_u256(struct u256 *out, struct bytes text);

/* Writes a QUANTITY with its NUL; returns its length. */
#define HEX_U64_SIZE 19
#define HEX_U256_SIZE 67
size_t hex_format_u64(char out[HEX_U64_SIZE], uint64_t v);
size_t hex_format_u256(char out[HEX_U256_SIZE], const struct u256 *v);

#endif
