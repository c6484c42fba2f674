/*
 * crc32c - the Castagnoli checksum (RFC 3720, appendix B.4) of our log records.
 */
#ifndef WEFT_BASE_CRC32C_H
#define WEFT_BASE_CRC32C_H

#include "base/bytes.h"

/* The checksum of what `crc` stands for, followed by `data`. Start with 0. */
uint32_t crc32c(uint32_t crc, struct bytes data);

#endif
