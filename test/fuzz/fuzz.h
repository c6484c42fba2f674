/*
 * fuzz - what a fuzz target gives; how targets are run: driver.c.
 */
#ifndef WEFT_TEST_FUZZ_H
#define WEFT_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Takes any bytes; returns 0. A broken property aborts (CHECK). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The inputs to start from, in hexadecimal (blanks between digits are skipped),
 * ended by NULL. Binary files are not committed: a finding becomes a line here. */
extern const char *const fuzz_seeds[];

#endif
