#include "chain/decode.h"

#include <stdarg.h>
#include <stdio.h>

/* Turns a failure of the codec, or success, into the decoder's. */
static void note(struct decoder *d, int status, const char *field)
{
	if (status == OK)
		return;
	d->status = d->code;
	if (!d->err)
		return;
	d->err->code = d->code;
	if (field)
		err_prefix(d->err, d->code, "rlp: %s, %s", d->what, field);
	else
		err_prefix(d->err, d->code, "rlp: %s", d->what);
}

void decode_fail(struct decoder *d, const char *format, ...)
{
	char message[ERR_MESSAGE_MAX];
	va_list args;

	if (d->status != OK)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	d->status = ERR_SET(d->err, d->code, "%s: %s", d->what, message);
}

void decode_top(struct decoder *d, struct rlp_reader *list, struct bytes input)
{
	struct rlp_reader top;

	rlp_reader_init(list, bytes_of(input.data, 0));
	if (d->status != OK)
		return;
	rlp_reader_init(&top, input);
	note(d, rlp_read_list(&top, list, d->err), NULL);
	if (d->status == OK)
		note(d, rlp_reader_end(&top, d->err), NULL);
}

void decode_list(struct decoder *d, struct rlp_reader *r, const char *field,
		 struct rlp_reader *list)
{
	rlp_reader_init(list, bytes_of(r->at, 0));
	if (d->status == OK)
		note(d, rlp_read_list(r, list, d->err), field);
}

void decode_list_counted(struct decoder *d, struct rlp_reader *r, const char *field, size_t max,
			 struct rlp_reader *list, size_t *count)
{
	*count = 0;
	decode_list(d, r, field, list);
	if (d->status == OK)
		note(d, rlp_count(list, count, max, d->err), field);
	if (d->status != OK)
		*count = 0;
}

void decode_end(struct decoder *d, const struct rlp_reader *list)
{
	if (d->status == OK)
		note(d, rlp_reader_end(list, d->err), NULL);
}

void decode_u64(struct decoder *d, struct rlp_reader *r, const char *field, uint64_t *out)
{
	*out = 0;
	if (d->status == OK)
		note(d, rlp_read_u64(r, out, d->err), field);
}

void decode_u256(struct decoder *d, struct rlp_reader *r, const char *field, struct u256 *out)
{
	*out = u256_of(0);
	if (d->status == OK)
		note(d, rlp_read_u256(r, out, d->err), field);
}

void decode_fixed(struct decoder *d, struct rlp_reader *r, const char *field, void *out,
		  size_t size)
{
	memset(out, 0, size);
	if (d->status == OK)
		note(d, rlp_read_fixed(r, out, size, d->err), field);
}

void decode_bytes(struct decoder *d, struct rlp_reader *r, const char *field, size_t size_max,
		  struct bytes *out)
{
	*out = (struct bytes){ 0 };
	if (d->status != OK)
		return;
	note(d, rlp_read_bytes(r, out, d->err), field);
	if (d->status == OK && out->size > size_max) {
		decode_fail(d, "%s has %zu bytes, %zu are allowed", field, out->size, size_max);
		*out = (struct bytes){ 0 };
	}
}

void decode_raw(struct decoder *d, struct rlp_reader *r, const char *field, struct bytes *out)
{
	*out = (struct bytes){ 0 };
	if (d->status == OK)
		note(d, rlp_read_raw(r, out, d->err), field);
}

void decode_bounded(struct decoder *d, struct rlp_reader *r, const char *field, uint64_t max,
		    uint64_t *out)
{
	decode_u64(d, r, field, out);
	if (d->status == OK && *out > max) {
		decode_fail(d, "%s is %llu, the largest is %llu", field,
			    (unsigned long long)*out, (unsigned long long)max);
		*out = 0;
	}
}

void decode_bool(struct decoder *d, struct rlp_reader *r, const char *field, bool *out)
{
	uint64_t v;

	decode_bounded(d, r, field, 1, &v);
	*out = v != 0;
}
