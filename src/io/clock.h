/*
 * clock - time and entropy; the only place that asks the machine for them.
 */
#ifndef WEFT_IO_CLOCK_H
#define WEFT_IO_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970 (CLOCK_REALTIME); may step when the clock is set. */
uint64_t io_wall_ms(void);

/* Microseconds since some start (CLOCK_MONOTONIC); never falls. */
uint64_t io_monotonic_us(void);

/* CPU time of the whole process, microseconds: for reports. */
uint64_t io_cpu_us(void);

/* Random bytes from the kernel, fit for keys. */
void io_entropy(void *out, size_t size);

#endif
