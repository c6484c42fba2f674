#include "io/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/check.h"

static uint64_t read_us(clockid_t id)
{
	struct timespec t;

	CHECK(clock_gettime(id, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t io_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

uint64_t io_monotonic_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

uint64_t io_cpu_us(void)
{
	return read_us(CLOCK_PROCESS_CPUTIME_ID);
}

void io_entropy(void *out, size_t size)
{
	uint8_t *p = out;

	while (size > 0) {
		ssize_t got = getrandom(p, size, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			fatal("the kernel gives no random bytes: %s", strerror(errno));
		}
		p += got;
		size -= (size_t)got;
	}
}
