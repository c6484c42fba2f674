#include "io/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "io/http.h" /* enum io_error */

#define BACKLOG 1024

static const char *remedy_of(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another program has it; stop that one or choose another port";
	case EACCES:
		return "choose a port above 1023";
	case EADDRNOTAVAIL:
		return "this machine has no such address; 127.0.0.1 always exists";
	default:
		return strerror(error);
	}
}

int listen_on(int *out, const char *address, uint16_t port, const char *whom, struct err *err)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char service[8];
	int fd, one = 1, error;

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(address, service, &hints, &found) != 0)
		return ERR_SET(err, IO_E_ADDRESS, "%s is not an IP address to listen on: give one "
			       "like 127.0.0.1, 0.0.0.0 or ::1", address);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) {
		freeaddrinfo(found);
		*out = fd;
		return OK;
	}
	error = errno;
	freeaddrinfo(found);
	if (fd >= 0)
		close(fd);
	return ERR_SET(err, IO_E_LISTEN, "can't listen%s on %s port %u: %s", whom, address, port, remedy_of(error));
}

uint16_t listen_port(int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

struct event_base *listen_base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	CHECK(config);
	/* One thread alone touches it. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (!base)
		fatal("libevent gives no event base (see ulimit -n)");
	return base;
}
