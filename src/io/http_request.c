#include "io/http_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

/* --- mailbox --- */

/* Stands in `answered` when the server is gone: an address that no request has. */
static struct http_request *closed_mark(struct http_mailbox *m)
{
	return (void *)m;
}

struct http_mailbox *http_mailbox_new(void)
{
	struct http_mailbox *m = xcalloc(1, sizeof(*m));

	atomic_init(&m->refs, 1);
	m->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->wake_fd < 0)
		fatal("no eventfd: %s (see ulimit -n)", strerror(errno));
	return m;
}

void http_mailbox_unref(struct http_mailbox *m)
{
	if (atomic_fetch_sub(&m->refs, 1) > 1)
		return;
	close(m->wake_fd);
	free(m);
}

void http_mailbox_wake(struct http_mailbox *m)
{
	uint64_t one = 1;

	/* A full counter wakes as well. */
	while (write(m->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

struct http_request *http_mailbox_take(struct http_mailbox *m, bool closes)
{
	struct http_request *r, *next, *list = NULL;

	/* The stack is newest first. */
	for (r = atomic_exchange(&m->answered, closes ? closed_mark(m) : NULL); r; r = next) {
		next = r->next;
		r->next = list;
		list = r;
	}
	return list;
}

/* --- requests --- */

static const char *store(char **at, struct bytes s)
{
	char *text = *at;

	if (s.size > 0)
		memcpy(text, s.data, s.size);
	text[s.size] = '\0';
	*at += s.size + 1;
	return text;
}

struct http_request *http_request_new(struct http_conn *c, struct bytes origin, struct bytes body)
{
	const struct http_head *h = &c->head;
	struct http_request *r;
	char *at;

	r = xmalloc(sizeof(*r) + h->path.size + h->query.size + h->content_type.size +
		    origin.size + body.size + 5);
	*r = (struct http_request){ .mailbox = c->server->mailbox, .conn = c };
	atomic_fetch_add(&r->mailbox->refs, 1);
	r->method = http_text_equal(h->method, "POST") ? HTTP_METHOD_POST : HTTP_METHOD_GET;
	at = r->storage;
	r->path = store(&at, h->path);
	r->query = store(&at, h->query);
	r->content_type = store(&at, h->content_type);
	r->cors_origin = bytes_of(store(&at, origin), origin.size);
	r->body = bytes_of(store(&at, body), body.size);
	return r;
}

void http_request_free(struct http_request *r)
{
	http_mailbox_unref(r->mailbox);
	buf_clear(&r->reply);
	free(r);
}

enum http_method http_request_method(const struct http_request *r)
{
	return r->method;
}

const char *http_request_path(const struct http_request *r)
{
	return r->path;
}

const char *http_request_query(const struct http_request *r)
{
	return r->query;
}

struct bytes http_request_body(const struct http_request *r)
{
	return r->body;
}

const char *http_request_content_type(const struct http_request *r)
{
	return r->content_type;
}

/* Puts an answered request into the mailbox; only the first of several wakes the
 * server. */
static void mailbox_put(struct http_mailbox *m, struct http_request *r)
{
	struct http_request *head = atomic_load(&m->answered);

	do {
		if (head == closed_mark(m)) {
			http_request_free(r);
			return;
		}
		r->next = head;
	} while (!atomic_compare_exchange_weak(&m->answered, &head, r));
	if (!head)
		http_mailbox_wake(m);
}

void http_reply(struct http_request *r, int status, const char *content_type, struct buf *body)
{
	struct http_mailbox *m = r->mailbox;

	r->status = status;
	r->reply_type = content_type;
	if (body) {
		r->reply = *body;
		*body = (struct buf){ 0 };
	}
	if (pthread_equal(m->thread, pthread_self()) && m->in_handler == r) {
		m->answered_at_once = true;
		return;
	}
	/* Once it is in the box the request may be freed, and with it the last hold on the box. */
	atomic_fetch_add(&m->refs, 1);
	mailbox_put(m, r);
	http_mailbox_unref(m);
}
