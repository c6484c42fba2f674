/*
 * native_table - the native contracts, one file each, as native.c lists them.
 */
#ifndef WEFT_EXEC_NATIVE_TABLE_H
#define WEFT_EXEC_NATIVE_TABLE_H

#include "exec/native.h"

#define NATIVE_VALIDATORS_ADDRESS { { [17] = 0x57, [18] = 0x45, [19] = 0x01 } }
bool native_validators_call(struct native_call *call);
int native_validators_genesis(struct overlay *overlay, const struct addr *address,
			      const struct genesis *g, struct err *err);

#endif
