/*
 * docs/RPC.md says what the method table says. With WEFT_UPDATE_DOCS set, the
 * file is written anew instead: make update-rpc-docs.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "rpc/rpc.h"

#define BEGIN "<!-- generated: begin -->\n"
#define END "<!-- generated: end -->\n"

static struct buf read_file(const char *path)
{
	struct buf out = { 0 };
	FILE *file = fopen(path, "r");
	size_t got;

	cr_assert(file, "%s can't be read", path);
	do {
		got = fread(buf_extend(&out, 4096), 1, 4096, file);
		out.size -= 4096 - got;
	} while (got > 0);
	fclose(file);
	buf_append_byte(&out, 0);
	return out;
}

/* The file with what stands between the marks replaced. */
static struct buf renewed(const char *text)
{
	const char *begin = strstr(text, BEGIN), *end = strstr(text, END);
	struct buf out = { 0 };

	cr_assert(begin && end && begin < end);
	buf_append(&out, text, (size_t)(begin - text) + strlen(BEGIN));
	rpc_document(&out);
	buf_append_bytes(&out, bytes_of_str(end));
	return out;
}

Test(rpc, document_matches_method_table)
{
	const char *srcdir = getenv("srcdir");
	struct buf have, want;
	char path[4096];

	if (!srcdir)
		cr_skip_test("make check sets srcdir, where docs/RPC.md is");
	snprintf(path, sizeof(path), "%s/docs/RPC.md", srcdir);
	have = read_file(path);
	want = renewed((const char *)have.data);
	if (getenv("WEFT_UPDATE_DOCS")) {
		FILE *file = fopen(path, "w");

		cr_assert(file && fwrite(want.data, want.size, 1, file) == 1);
		cr_assert_eq(fclose(file), 0);
	} else {
		have.size--; /* the NUL */
		cr_expect(bytes_equal(buf_bytes(&have), buf_bytes(&want)),
			  "docs/RPC.md is out of date: run make update-rpc-docs and commit it");
	}
	buf_clear(&have);
	buf_clear(&want);
}
